//! The `kubectl` line that does what a step did, for a person to paste.

use periplus_core::model::verb::{Apply, Manifest, Patch, PatchKind};
use periplus_core::template::shell_quote;
use serde_json::Value;

use crate::bench::Located;
use crate::cluster::{PodsOf, Resolved, WorkloadKind};

/// `-n NAMESPACE`, with a blank before.
fn in_namespace(namespace: Option<&str>) -> String {
    namespace.map_or_else(String::new, |namespace| format!(" -n {}", shell_quote(namespace)))
}

/// The resource as kubectl finds it without doubt.
fn resource(resource: &Resolved) -> String {
    resource.full_plural()
}

fn object(located: &Located) -> String {
    match located {
        Located::One(at) => {
            format!("{} {}{}", resource(&at.resource), shell_quote(&at.name), in_namespace(at.namespace.as_deref()))
        }
        Located::Some { resource: of, namespace, selector } => {
            format!("{} -l {}{}", resource(of), shell_quote(&selector.labels), in_namespace(namespace.as_deref()))
        }
    }
}

pub(crate) fn apply(verb: &Apply, namespace: Option<&str>) -> String {
    let files: Vec<String> = verb
        .manifests
        .iter()
        .map(|manifest| match manifest {
            Manifest::Inline(_) | Manifest::File { render: true, .. } => "-f -".to_owned(),
            Manifest::File { path, .. } => format!("-f {}", shell_quote(&path.value)),
        })
        .collect();
    let force = if verb.force { " --force-conflicts" } else { "" };
    format!(
        "kubectl apply --server-side --field-manager=periplus{force}{} {}",
        in_namespace(namespace),
        files.join(" ")
    )
}

pub(crate) fn delete(located: &Located) -> String {
    format!("kubectl delete {} --ignore-not-found", object(located))
}

pub(crate) fn get(located: &Located) -> String {
    format!("kubectl get {} -o yaml", object(located))
}

pub(crate) fn patch(located: &Located, verb: &Patch, patch: &Value) -> String {
    if let Some(pointer) = &verb.yaml_in {
        return format!("kubectl edit {}    # in {}: {patch}", object(located), pointer.raw);
    }
    let kind = match verb.kind {
        PatchKind::Merge => "merge",
        PatchKind::Json => "json",
        PatchKind::Strategic => "strategic",
    };
    format!("kubectl patch {} --type={kind} -p {}", object(located), shell_quote(&patch.to_string()))
}

pub(crate) fn wait(located: &Located, condition: &str, seconds: u64) -> String {
    if condition == "rollout" {
        return format!("kubectl rollout status {} --timeout={seconds}s", object(located));
    }
    format!("kubectl wait {} --for={} --timeout={seconds}s", object(located), shell_quote(condition))
}

/// The pods that are meant, as an argument of `exec` or `logs`.
fn pods(of: &PodsOf) -> String {
    match of {
        PodsOf::Pod(name) => shell_quote(name).clone(),
        PodsOf::Workload { kind, name } => format!("{}/{}", short(*kind), shell_quote(name)),
        PodsOf::Selector(labels) => format!("-l {}", shell_quote(labels)),
    }
}

const fn short(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deploy",
        WorkloadKind::StatefulSet => "sts",
        WorkloadKind::DaemonSet => "ds",
        WorkloadKind::Job => "job",
    }
}

/// `chosen` is the pod and the container of an attempt; `command` is quoted already.
pub(crate) fn exec(
    namespace: &str,
    of: &PodsOf,
    container: Option<&str>,
    chosen: Option<(&str, &str)>,
    command: &str,
    stdin: bool,
) -> String {
    let interactive = if stdin { " -i" } else { "" };
    let (pod, container) = match chosen {
        Some((pod, container)) => (shell_quote(pod).clone(), Some(container)),
        None => (pods(of), container),
    };
    let container = container.map_or_else(String::new, |container| format!(" -c {}", shell_quote(container)));
    format!("kubectl exec{interactive}{} {pod}{container} -- {command}", in_namespace(Some(namespace)))
}

pub(crate) fn logs(namespace: &str, of: &PodsOf, container: Option<&str>, file: Option<&str>) -> String {
    let container = container.map_or_else(String::new, |container| format!(" -c {}", shell_quote(container)));
    let pods = pods(of);
    match file {
        None => format!("kubectl logs{} {pods}{container}", in_namespace(Some(namespace))),
        Some(file) => {
            format!("kubectl exec{} {pods}{container} -- cat {}", in_namespace(Some(namespace)), shell_quote(file))
        }
    }
}
