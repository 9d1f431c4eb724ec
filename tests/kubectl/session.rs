//! One namespace, one folder, and the commands that run in them, each in a bash of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::arm::Arm;
use super::mask::Masks;
use super::transcript;

/// The longest that a command may take, in seconds. It ends with 124 then.
const LONGEST: &str = "90";

/// What the commands of one transcript share.
pub(super) struct Session {
    folder: TempDir,
    namespace: String,
    masks: Masks,
}

impl Session {
    /// Makes the namespace and waits until a cluster has put into it what every namespace has.
    pub(super) fn open(arm: &Arm, namespace: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        for name in ["home", "work"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let mut config = arm.kubeconfig.clone();
        for context in config["contexts"].as_array_mut().expect("a kubeconfig has contexts") {
            context["context"]["namespace"] = Value::from(namespace);
        }
        std::fs::write(folder.path().join("kubeconfig"), config.to_string()).expect("a file can be written");
        let masks = Masks::new(&arm.nodes, folder.path());
        let session = Self { folder, namespace: namespace.to_owned(), masks };
        if !arm.is_lab() {
            session.must(&format!("kubectl delete namespace {namespace} --ignore-not-found"));
        }
        session.must(&format!("kubectl create namespace {namespace}"));
        session.must("kubectl wait --for=create serviceaccount/default configmap/kube-root-ca.crt --timeout=30s");
        session
    }

    /// Runs a command; the answer is masked.
    pub(super) fn run(&self, command: &str) -> String {
        let output = self.bash(command);
        let text = |bytes: &[u8]| self.masks.apply(&String::from_utf8_lossy(bytes));
        transcript::answer(&text(&output.stdout), &text(&output.stderr), output.status.code().unwrap_or(-1))
    }

    /// Takes the namespace away.
    pub(super) fn close(self) {
        self.must(&format!("kubectl delete namespace {} --wait=false", self.namespace));
    }

    fn must(&self, command: &str) {
        let output = self.bash(command);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn bash(&self, command: &str) -> Output {
        bash(command, self.folder.path())
    }
}

/// Runs a command for the kubeconfig in `folder`, in the folder `work` in it.
pub(super) fn bash(command: &str, folder: &Path) -> Output {
    Command::new("timeout")
        .args(["--kill-after=5", LONGEST, "bash", "-c", command])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.join("home"))
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("LANG", "C.UTF-8")
        .current_dir(folder.join("work"))
        .stdin(Stdio::null())
        .output()
        .expect("bash can be started: run tests/setup.sh first")
}
