//! Which container a request means.
//!
//! Invariant: a request that names no container gets one only if that is no guess.

use serde_json::Value;

use crate::status::Status;
use crate::store::{GroupResource, Store};

/// The container to use: the one that is asked for if the pod has it, else the pod's only one.
///
/// # Errors
/// 404 for the pod, 400 for a container that it does not have, a choice that is not made, or a pod without a node.
pub(super) fn choose(store: &Store, namespace: &str, pod: &str, asked: Option<&str>) -> Result<String, Status> {
    let object = store.get(&GroupResource::PODS, namespace, pod).ok_or_else(|| Status::not_found("", "pods", pod))?;
    let containers = names(&object, "/spec/containers");
    let all = ["/spec/initContainers", "/spec/containers", "/spec/ephemeralContainers"];
    let all: Vec<&str> = all.iter().flat_map(|list| names(&object, list)).collect();
    match (asked, containers.as_slice()) {
        (Some(asked), _) if all.contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(Status::bad_request(format!("container {asked} is not valid for pod {pod}"))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(Status::bad_request(format!(
            "a container name must be specified for pod {pod}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// That the pod has a node on which its streams can be.
///
/// # Errors
/// 404 for the pod, 400 when it waits for a node.
pub(super) fn placed(store: &Store, namespace: &str, pod: &str) -> Result<(), Status> {
    let object = store.get(&GroupResource::PODS, namespace, pod).ok_or_else(|| Status::not_found("", "pods", pod))?;
    match object.pointer("/spec/nodeName").and_then(Value::as_str) {
        Some(node) if !node.is_empty() => Ok(()),
        _ => Err(Status::bad_request(format!("pod {pod} does not have a host assigned"))),
    }
}

fn names<'v>(pod: &'v Value, path: &str) -> Vec<&'v str> {
    let list = pod.pointer(path).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|container| container.get("name")?.as_str()).collect()
}
