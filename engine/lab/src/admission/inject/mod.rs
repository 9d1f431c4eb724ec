//! Sidecar injection, as Istio's webhooks do it: which pods, by which revision of the control plane, and in which form.
//!
//! Invariant: a pod that has a container `istio-proxy` already is left alone.

mod template;

use crate::store::{GroupResource, Store, meta};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) use template::inject;

/// Name of the sidecar's container.
const PROXY_CONTAINER: &str = "istio-proxy";

/// The label, and for old manifests the annotation, by which a pod chooses for itself.
const CHOICE: &str = "sidecar.istio.io/inject";

/// The label of namespaces and pods that names a revision of the control plane.
const REVISION: &str = "istio.io/rev";

/// The revision of a control plane that has no other name, and the tag for the one that is asked where none is named.
const DEFAULT: &str = "default";

/// Where control planes run.
const ROOT_NAMESPACE: &str = "istio-system";

/// Namespaces that the injector itself never touches.
const IGNORED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// What a control plane injects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Injector {
    /// The revision's name.
    pub(super) revision: String,
    /// Whether sidecars are init containers that stay (native sidecars of Kubernetes) unless a pod says otherwise. Default from
    /// Kubernetes 1.33 on: yes, unless `istiod` runs with `ENABLE_NATIVE_SIDECARS=false`.
    pub(super) native: bool,
}

/// The control plane that gives this pod a sidecar, if one does.
pub(super) fn injector(store: &Store, namespace: &Value, pod: &Value) -> Option<Injector> {
    if meta::label(pod, CHOICE) == Some("false")
        || IGNORED.contains(&meta::name(namespace))
        || pod.pointer("/spec/hostNetwork").and_then(Value::as_bool) == Some(true)
        || has_sidecar(pod)
    {
        return None;
    }
    let revision = revision(&installed(store), namespace, pod)?;
    Some(Injector { native: native(store, &revision), revision })
}

/// The installed revisions by the names that labels may use: their own, and the default tag.
fn installed(store: &Store) -> BTreeMap<String, String> {
    let maps = store.list(&GroupResource::CONFIG_MAPS, ROOT_NAMESPACE).items;
    let mesh = maps.iter().filter(|map| map.pointer("/data/mesh").is_some());
    let named = mesh.filter_map(|map| match meta::name(map).strip_prefix("istio")? {
        "" => Some(DEFAULT.to_owned()),
        rest => rest.strip_prefix('-').map(str::to_owned),
    });
    let mut revisions: BTreeMap<String, String> = named.map(|name| (name.clone(), name)).collect();
    if revisions.is_empty() {
        revisions.insert(DEFAULT.to_owned(), DEFAULT.to_owned());
    }
    // A first install makes itself the default, whatever its name is.
    if let (false, 1, Some(only)) =
        (revisions.contains_key(DEFAULT), revisions.len(), revisions.values().next().cloned())
    {
        revisions.insert(DEFAULT.to_owned(), only);
    }
    revisions
}

/// Which of the revisions' webhooks takes the pod. The labels of the namespace choose; only where it has none, those of the pod do.
fn revision(installed: &BTreeMap<String, String>, namespace: &Value, pod: &Value) -> Option<String> {
    let choice = meta::label(pod, CHOICE);
    let of_pod = meta::label(pod, REVISION);
    let tag = match (meta::label(namespace, "istio-injection"), meta::label(namespace, REVISION)) {
        (Some("enabled"), _) => DEFAULT,
        (Some(_), _) => return None,
        (None, Some(revision)) => revision,
        (None, None) => match (of_pod, choice) {
            (Some(revision), _) => revision,
            (None, Some("true")) => DEFAULT,
            (None, _) => return None,
        },
    };
    // The annotation holds only where there is no label.
    if choice.is_none() && meta::annotation(pod, CHOICE) == Some("false") {
        return None;
    }
    installed.get(tag).cloned()
}

/// Whether a revision injects native sidecars.
fn native(store: &Store, revision: &str) -> bool {
    let name = if revision == DEFAULT { "istiod".to_owned() } else { format!("istiod-{revision}") };
    let Some(deployment) = store.get(&GroupResource::DEPLOYMENTS, ROOT_NAMESPACE, &name) else { return true };
    let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let variables = containers.into_iter().flatten().filter_map(|container| container.get("env")?.as_array()).flatten();
    !variables.into_iter().any(|one| one["name"] == "ENABLE_NATIVE_SIDECARS" && one["value"] == "false")
}

/// Whether the pod runs a sidecar.
fn has_sidecar(pod: &Value) -> bool {
    let of = |list: &str| pod.pointer(list).and_then(Value::as_array).into_iter().flatten();
    of("/spec/containers").chain(of("/spec/initContainers")).any(|container| container["name"] == PROXY_CONTAINER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use serde_json::json;

    /// Recorded on 2026-11-26 with `kubectl create --dry-run=server` from the webhooks of Istio master 86c9f01fd7, revision `default`:
    /// labels of the namespace, labels and annotations of the pod, and whether it got a sidecar.
    #[test]
    fn labels_choose_the_pods() {
        let none = || json!({});
        let on = || json!({"istio-injection": "enabled"});
        let off = || json!({"istio-injection": "disabled"});
        let rev = |name: &str| json!({"istio.io/rev": name});
        let inject = |choice: &str| json!({"sidecar.istio.io/inject": choice});
        let both = |choice: &str, name: &str| json!({"sidecar.istio.io/inject": choice, "istio.io/rev": name});
        let cases = [
            (none(), none(), none(), false),
            (none(), inject("true"), none(), true),
            (none(), inject("false"), none(), false),
            (none(), rev("default"), none(), true),
            (none(), rev("canary"), none(), false),
            (none(), both("true", "canary"), none(), false),
            (none(), none(), inject("true"), false),
            (none(), inject("true"), inject("false"), true),
            (none(), inject("maybe"), none(), false),
            (on(), none(), none(), true),
            (on(), inject("false"), none(), false),
            (on(), rev("canary"), none(), true),
            (on(), none(), inject("false"), false),
            (on(), inject("true"), inject("false"), true),
            (on(), inject("maybe"), none(), true),
            (off(), none(), none(), false),
            (off(), inject("true"), none(), false),
            (off(), rev("default"), none(), false),
            (rev("default"), none(), none(), true),
            (rev("default"), inject("false"), none(), false),
            (rev("default"), rev("canary"), none(), true),
            (rev("default"), none(), inject("false"), false),
            (rev("canary"), none(), none(), false),
            (rev("canary"), inject("true"), none(), false),
            (rev("canary"), rev("default"), none(), false),
            (json!({"istio-injection": "enabled", "istio.io/rev": "canary"}), none(), none(), true),
            (json!({"istio-injection": "disabled", "istio.io/rev": "default"}), none(), none(), false),
        ];
        let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 1);
        for (of_namespace, labels, annotations, expected) in cases {
            let case = format!("{of_namespace} {labels} {annotations}");
            let namespace = json!({"metadata": {"name": "n", "labels": of_namespace}});
            let pod = json!({"metadata": {"labels": labels, "annotations": annotations},
                "spec": {"containers": [{"name": "c"}]}});
            assert_eq!(injector(&store, &namespace, &pod).is_some(), expected, "{case}");
        }
    }

    #[test]
    fn the_default_is_the_install_without_a_name_or_the_only_one() {
        let revisions = |names: &[&str]| {
            let installed = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
            move |namespace: Value| {
                let namespace = json!({"metadata": {"name": "n", "labels": namespace}});
                revision(&installed, &namespace, &json!({"metadata": {}}))
            }
        };
        let two = revisions(&["canary", "default"]);
        assert_eq!(two(json!({"istio-injection": "enabled"})).as_deref(), Some("default"));
        assert_eq!(two(json!({"istio.io/rev": "canary"})).as_deref(), Some("canary"));
        assert_eq!(two(json!({"istio.io/rev": "1-30"})), None);
    }
}
