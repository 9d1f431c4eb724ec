//! The cluster that the cases run on: the lab, or one that a kubeconfig names.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::session::bash;
use crate::support::Lab;

/// Names the kubeconfig of the cluster to use instead of the lab.
const KUBECONFIG: &str = "PERIPLUS_KUBECONFIG";

/// A cluster.
pub(super) struct Arm {
    lab: Option<Lab>,
    /// Its kubeconfig, with all certificates in it.
    pub(super) kubeconfig: Value,
    /// The names of its nodes.
    pub(super) nodes: Vec<String>,
    /// Whether programs really run in its containers; kwok only says so.
    pub(super) runs_containers: bool,
}

impl Arm {
    /// The cluster that the environment names, or else a new lab.
    pub(super) fn of_environment() -> Self {
        match std::env::var_os(KUBECONFIG) {
            Some(path) => Self::new(None, Path::new(&path)),
            None => {
                let lab = Lab::start("");
                let path = lab.path("kubeconfig");
                Self::new(Some(lab), &path)
            }
        }
    }

    fn new(lab: Option<Lab>, kubeconfig: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        std::fs::create_dir(folder.path().join("work")).expect("a folder can be made");
        std::fs::copy(kubeconfig, folder.path().join("kubeconfig")).expect("the kubeconfig can be read");
        let ask = |command: &str| -> Value {
            let output = bash(command, folder.path());
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).expect("kubectl writes JSON")
        };
        let kubeconfig = ask("kubectl config view --raw --minify --flatten -o json");
        let nodes = ask("kubectl get nodes -o json");
        let text =
            |node: &Value, pointer: &str| node.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let nodes = nodes["items"].as_array().expect("a list");
        Self {
            lab,
            kubeconfig,
            nodes: nodes.iter().map(|node| text(node, "/metadata/name")).collect(),
            runs_containers: !nodes
                .iter()
                .any(|node| text(node, "/status/nodeInfo/kubeletVersion").starts_with("kwok")),
        }
    }

    /// Whether it is the lab.
    pub(super) fn is_lab(&self) -> bool {
        self.lab.is_some()
    }
}
