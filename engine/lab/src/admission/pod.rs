//! What the built-in plug-ins do to a new pod: service account, token volume, priority, tolerations, first status.
//!
//! Invariant: only new pods are touched; a pod's spec stays as it was admitted.

use serde_json::{Map, Value, json};

use crate::status::Status;
use crate::store::{GroupResource, Store, meta};

const PRIORITY_CLASSES: GroupResource = GroupResource::builtin("scheduling.k8s.io", "priorityclasses");

const RUNTIME_CLASSES: GroupResource = GroupResource::builtin("node.k8s.io", "runtimeclasses");

/// Where the token of the service account stands in a container.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The pod's own fields: account, priority, tolerations.
pub(super) fn admit(store: &Store, namespace: &str, pod: &mut Value) -> Result<(), Status> {
    let name = shown_name(pod);
    let spec = meta::child(pod, "spec");
    let account = match spec.get("serviceAccountName").and_then(Value::as_str) {
        Some(account) if !account.is_empty() => account.to_owned(),
        _ => "default".to_owned(),
    };
    if store.get(&GroupResource::SERVICE_ACCOUNTS, namespace, &account).is_none() {
        let why =
            format!("error looking up service account {namespace}/{account}: serviceaccount {account:?} not found");
        return Err(Status::forbidden("", "pods", &name, &why));
    }
    spec.insert("serviceAccountName".to_owned(), account.clone().into());
    spec.insert("serviceAccount".to_owned(), account.into());
    prioritize(store, &name, spec)?;
    run_by_class(store, &name, spec)?;
    tolerate(spec, "node.kubernetes.io/not-ready");
    tolerate(spec, "node.kubernetes.io/unreachable");
    Ok(())
}

/// Sets priority and preemption from the pod's class, or from the one that holds for pods without any.
fn prioritize(store: &Store, pod: &str, spec: &mut Map<String, Value>) -> Result<(), Status> {
    let named =
        spec.get("priorityClassName").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned);
    let built_in = match named.as_deref() {
        Some("system-node-critical") => Some(2_000_001_000),
        Some("system-cluster-critical") => Some(2_000_000_000),
        _ => None,
    };
    let class = match &named {
        Some(name) => store.get(&PRIORITY_CLASSES, "", name),
        None => {
            let classes = store.list(&PRIORITY_CLASSES, "").items;
            classes.into_iter().find(|class| class.get("globalDefault") == Some(&Value::Bool(true)))
        }
    };
    if let Some(name) = named.filter(|_| class.is_none() && built_in.is_none()) {
        let why = format!("no PriorityClass with name {name} was found");
        return Err(Status::forbidden("", "pods", pod, &why));
    }
    let value = class.as_ref().and_then(|class| class.get("value")?.as_i64()).or(built_in).unwrap_or(0);
    if let Some(asked) = spec.get("priority").and_then(Value::as_i64).filter(|asked| *asked != value) {
        let why = format!(
            "the integer value of priority ({asked}) must not be provided in pod spec; priority admission controller computed \
             {value} from the given PriorityClass name"
        );
        return Err(Status::forbidden("", "pods", pod, &why));
    }
    spec.insert("priority".to_owned(), value.into());
    let preemption = class.as_ref().and_then(|class| class.get("preemptionPolicy").cloned());
    spec.entry("preemptionPolicy").or_insert_with(|| preemption.unwrap_or_else(|| "PreemptLowerPriority".into()));
    if let Some(class) = class {
        spec.insert("priorityClassName".to_owned(), meta::name(&class).into());
    }
    Ok(())
}

/// A runtime class must be there.
fn run_by_class(store: &Store, pod: &str, spec: &Map<String, Value>) -> Result<(), Status> {
    let Some(name) = spec.get("runtimeClassName").and_then(Value::as_str) else { return Ok(()) };
    if store.get(&RUNTIME_CLASSES, "", name).is_some() {
        return Ok(());
    }
    let why = format!("pod rejected: RuntimeClass {name:?} not found");
    Err(Status::forbidden("", "pods", pod, &why))
}

/// The name as a refusal shows it: of a generated one only the beginning, for it is generated after admission.
fn shown_name(pod: &Value) -> String {
    const GENERATED: usize = 5;
    let name = meta::name(pod);
    let prefix = pod.pointer("/metadata/generateName").and_then(Value::as_str).unwrap_or_default();
    let is_generated = name.strip_prefix(prefix).is_some_and(|rest| rest.len() == GENERATED);
    if !prefix.is_empty() && (name.is_empty() || is_generated) { prefix.to_owned() } else { name.to_owned() }
}

fn tolerate(spec: &mut Map<String, Value>, key: &str) {
    let Some(list) = spec.entry("tolerations").or_insert_with(|| json!([])).as_array_mut() else { return };
    let known = list.iter().any(|toleration| {
        toleration.get("key").is_none_or(|known| known == key)
            && toleration.get("effect").is_none_or(|effect| effect == "NoExecute")
    });
    if !known {
        list.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
    }
}

/// Mounts the account's token into every container that has nothing there, injected ones included.
pub(super) fn mount_token(store: &Store, namespace: &str, pod: &mut Value) {
    let spec = meta::child(pod, "spec");
    let account = spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or("default");
    let account = store.get(&GroupResource::SERVICE_ACCOUNTS, namespace, account);
    let wanted = spec
        .get("automountServiceAccountToken")
        .or_else(|| account.as_ref()?.get("automountServiceAccountToken"))
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if !wanted {
        return;
    }
    let mut used = false;
    let volumes = spec.get("volumes").and_then(Value::as_array);
    let known = volumes.into_iter().flatten().find_map(|volume| {
        let name = volume.get("name")?.as_str()?;
        name.starts_with("kube-api-access-").then(|| name.to_owned())
    });
    let volume = known.clone().unwrap_or_else(|| format!("kube-api-access-{}", store.name_suffix()));
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else { continue };
            let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
            let Some(mounts) = mounts.as_array_mut() else { continue };
            if mounts.iter().all(|mount| mount.get("mountPath").and_then(Value::as_str) != Some(TOKEN_PATH)) {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}));
                used = true;
            }
        }
    }
    if used
        && known.is_none()
        && let Some(volumes) = spec.entry("volumes").or_insert_with(|| json!([])).as_array_mut()
    {
        volumes.push(token_volume(&volume));
    }
}

fn token_volume(name: &str) -> Value {
    json!({"name": name, "projected": {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
            ]}},
        ],
        "defaultMode": 420,
    }})
}

/// The status of a pod that nobody has looked at yet.
pub(super) fn first_status(pod: &mut Value) {
    let class = qos_class(pod);
    if let Some(pod) = pod.as_object_mut() {
        pod.insert("status".to_owned(), json!({"phase": "Pending", "qosClass": class}));
    }
}

/// The quality-of-service class that a pod's requests and limits amount to.
pub(crate) fn qos_class(pod: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for list in ["initContainers", "containers"] {
        let containers = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let amount = |kind: &str, name: &str| container.get("resources")?.get(kind)?.get(name);
            for name in ["cpu", "memory"] {
                let (request, limit) = (amount("requests", name), amount("limits", name));
                any |= request.is_some() || limit.is_some();
                guaranteed &= limit.is_some() && (request.is_none() || request == limit);
            }
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_service() {
        let class = |resources: Value| qos_class(&json!({"spec": {"containers": [{"resources": resources}]}}));
        assert_eq!(class(json!({})), "BestEffort");
        assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
        assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
    }
}
