//! Which container a request means.
//!
//! Invariant: a request that names no container gets one only if that is no guess.

use serde_json::Value;

use crate::status::Status;
use crate::store::{GroupResource, Store};

/// The container to use: the one that is asked for if the pod has it, else the pod's only one.
///
/// # Errors
/// 404 for the pod, 400 for a container that it does not have or a choice that is not made.
pub(super) fn choose(store: &Store, namespace: &str, pod: &str, asked: Option<&str>) -> Result<String, Status> {
    let object = store.get(&GroupResource::PODS, namespace, pod).ok_or_else(|| Status::not_found("", "pods", pod))?;
    let containers = names(&object, "/spec/containers");
    let init = names(&object, "/spec/initContainers");
    match (asked, containers.as_slice()) {
        (Some(asked), _) if containers.contains(&asked) || init.contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(Status::bad_request(format!("container {asked} is not valid for pod {pod}"))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => {
            let mut message =
                format!("a container name must be specified for pod {pod}, choose one of: [{}]", containers.join(" "));
            if !init.is_empty() {
                message = format!("{message} or one of the init containers: [{}]", init.join(" "));
            }
            Err(Status::bad_request(message))
        }
    }
}

fn names<'v>(pod: &'v Value, path: &str) -> Vec<&'v str> {
    let list = pod.pointer(path).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|container| container.get("name")?.as_str()).collect()
}
