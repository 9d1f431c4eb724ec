//! What the server warns of although it takes it: entries of pods that hide each other.
//!
//! Invariant: a warning never refuses.

use super::report::At;

/// Warnings about the pods that an object holds or makes.
pub(super) fn of_pods(object: &At<'_>) -> Vec<String> {
    let spec = object.field("spec");
    let template = spec.field("template").field("spec");
    let scheduled = spec.field("jobTemplate").field("spec").field("template").field("spec");
    let pod = [scheduled, template].into_iter().find(At::is_set).unwrap_or(spec);
    let mut warnings = Vec::new();
    for list in ["initContainers", "containers"] {
        for container in pod.field(list).items() {
            hidden_variables(&container, &mut warnings);
            doubled_ports(&container, &mut warnings);
        }
    }
    for secret in pod.field("imagePullSecrets").items() {
        if secret.field("name").is_empty() {
            warnings.push(format!("{}.name: invalid empty name \"\"", secret.path));
        }
    }
    warnings
}

fn hidden_variables(container: &At<'_>, warnings: &mut Vec<String>) {
    let mut seen: Vec<&str> = Vec::new();
    for variable in container.field("env").items() {
        let name = variable.field("name").text();
        if seen.contains(&name) {
            let hides = format!("hides previous definition of {name:?}, which may be dropped when using apply");
            warnings.push(format!("{}: {hides}", variable.path));
        }
        seen.push(name);
    }
}

fn doubled_ports(container: &At<'_>, warnings: &mut Vec<String>) {
    let mut seen: Vec<(Option<i64>, &str, String)> = Vec::new();
    for port in container.field("ports").items() {
        let (number, protocol) = (port.field("containerPort").number(), port.field("protocol").text());
        match seen.iter().find(|(known, with, _)| *known == number && *with == protocol) {
            Some((_, _, first)) => {
                warnings.push(format!("{}: duplicate port definition with {first}", port.path));
            }
            None => seen.push((number, protocol, port.path.clone())),
        }
    }
}
