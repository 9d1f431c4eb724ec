//! Which pod and which container are meant by `in:`, as pure functions over what the server said.
//!
//! An exec goes to a ready pod of the newest revision that is not being deleted. Where that leaves several, the choice
//! is the author's and not ours: the error lists them.

use std::collections::BTreeMap;

use serde_json::Value;

/// Annotation by which a pod names the container that is meant when none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Why no pod or container could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Nothing is there to choose from.
    #[error("{wanted} has no pods")]
    NoPods {
        /// What was named, such as `deploy/sleep in namespace default`.
        wanted: String,
    },
    /// Pods are there, and none will do.
    #[error("no pod of {wanted} is ready: {}", listed(.pods))]
    NoneReady {
        /// What was named.
        wanted: String,
        /// The pods with what keeps each from being chosen.
        pods: Vec<PodState>,
    },
    /// More than one pod would do.
    #[error("{wanted} has {} ready pods: {}", .pods.len(), .pods.join(", "))]
    SeveralReady {
        /// What was named.
        wanted: String,
        /// Their names.
        pods: Vec<String>,
    },
    /// The pod has several containers and prefers none.
    #[error("pod {pod} has several containers: {}", .containers.join(", "))]
    SeveralContainers {
        /// The pod.
        pod: String,
        /// The containers, in the pod's order.
        containers: Vec<String>,
    },
    /// The pod has no container of the name.
    #[error("pod {pod} has no container {container}; it has {}", .containers.join(", "))]
    NoSuchContainer {
        /// The pod.
        pod: String,
        /// The container that was named.
        container: String,
        /// The containers it has, in the pod's order.
        containers: Vec<String>,
    },
}

impl ChoiceError {
    /// Whether waiting may help: pods come and become ready.
    #[must_use]
    pub const fn transient(&self) -> bool {
        matches!(self, Self::NoPods { .. } | Self::NoneReady { .. })
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::SeveralReady { .. } => {
                Some("Name one with `pod:`, or take whichever comes first with `pick: any`.".to_owned())
            }
            Self::SeveralContainers { .. } | Self::NoSuchContainer { .. } => {
                Some("Name one of them with `container:`.".to_owned())
            }
            Self::NoneReady { .. } => Some("`kubectl describe pod` tells why a pod is not ready.".to_owned()),
            Self::NoPods { .. } => None,
        }
    }
}

/// A pod and what keeps it from being chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// A fragment such as `not ready`, `being deleted`, `of an older revision`.
    pub state: String,
}

fn listed(pods: &[PodState]) -> String {
    let pods: Vec<String> = pods.iter().map(|pod| format!("{} is {}", pod.name, pod.state)).collect();
    pods.join(", ")
}

/// Revision numbers of what owns pods, by the owner's UID, each with the workload that the owner belongs to.
///
/// For a Deployment the owners are its ReplicaSets. Pods of owners that are not listed are of one revision.
pub type Revisions = BTreeMap<String, Revision>;

/// A revision of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// UID of the workload, such as a Deployment.
    pub workload: String,
    /// Its number; a higher one is newer.
    pub number: i64,
}

/// Chooses the pod that is meant.
///
/// `wanted` is how messages name what was asked for. With `any`, the first of several by name is taken.
///
/// # Errors
///
/// [`ChoiceError::NoPods`], [`ChoiceError::NoneReady`] or [`ChoiceError::SeveralReady`].
pub fn choose_pod<'a>(
    pods: &'a [Value],
    revisions: &Revisions,
    wanted: &str,
    any: bool,
) -> Result<&'a Value, ChoiceError> {
    if pods.is_empty() {
        return Err(ChoiceError::NoPods { wanted: wanted.to_owned() });
    }
    let mut ready = Vec::new();
    let mut unfit = Vec::new();
    for pod in pods {
        match unfitness(pod, pods, revisions) {
            None => ready.push(pod),
            Some(state) => unfit.push(PodState { name: name(pod).to_owned(), state }),
        }
    }
    ready.sort_by_key(|pod| name(pod));
    unfit.sort_by(|a, b| a.name.cmp(&b.name));
    match ready.as_slice() {
        [] => Err(ChoiceError::NoneReady { wanted: wanted.to_owned(), pods: unfit }),
        [only] => Ok(only),
        [first, ..] if any => Ok(first),
        several => Err(ChoiceError::SeveralReady {
            wanted: wanted.to_owned(),
            pods: several.iter().map(|pod| name(pod).to_owned()).collect(),
        }),
    }
}

/// What keeps a pod from being chosen, or `None` for one that will do.
fn unfitness(pod: &Value, pods: &[Value], revisions: &Revisions) -> Option<String> {
    if is_deleted(pod) {
        return Some("being deleted".to_owned());
    }
    if is_outdated(pod, pods, revisions) {
        return Some("of an older revision".to_owned());
    }
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Unknown");
    match phase {
        "Running" if is_ready(pod) => None,
        "Running" => Some("not ready".to_owned()),
        phase => Some(phase.to_lowercase()),
    }
}

/// Whether a newer revision of the same workload has a pod that is not being deleted.
///
/// A newer revision whose pods are not ready yet still counts: asking the old ones would answer for what is on its way
/// out.
fn is_outdated(pod: &Value, pods: &[Value], revisions: &Revisions) -> bool {
    let Some(own) = revision(pod, revisions) else {
        return false;
    };
    pods.iter()
        .filter(|other| !is_deleted(other))
        .filter_map(|other| revision(other, revisions))
        .any(|other| other.workload == own.workload && other.number > own.number)
}

/// The revision that a pod is of. Pods of one owner may differ by the label of their ControllerRevision.
fn revision<'a>(pod: &Value, revisions: &'a Revisions) -> Option<&'a Revision> {
    let owner = controller(pod)?;
    let hash = pod.pointer("/metadata/labels/controller-revision-hash").and_then(Value::as_str);
    let by_hash = hash.and_then(|hash| revisions.get(&format!("{owner}/{hash}")));
    by_hash.or_else(|| revisions.get(owner))
}

/// Numbers the revisions that ReplicaSets and ControllerRevisions stand for.
#[must_use]
pub fn revisions(replica_sets: &[Value], controller_revisions: &[Value]) -> Revisions {
    let mut numbers = Revisions::new();
    for set in replica_sets {
        let uid = set.pointer("/metadata/uid").and_then(Value::as_str);
        let number = set.pointer("/metadata/annotations/deployment.kubernetes.io~1revision");
        let number = number.and_then(Value::as_str).and_then(|text| text.parse().ok());
        if let (Some(uid), Some(workload), Some(number)) = (uid, controller(set), number) {
            numbers.insert(uid.to_owned(), Revision { workload: workload.to_owned(), number });
        }
    }
    for revision in controller_revisions {
        let Some((workload, number)) = controller(revision).zip(revision.get("revision").and_then(Value::as_i64))
        else {
            continue;
        };
        // Pods of a DaemonSet carry the revision's hash, those of a StatefulSet its name.
        let hash = revision.pointer("/metadata/labels/controller-revision-hash").and_then(Value::as_str);
        for key in hash.into_iter().chain([name(revision)]) {
            let revision = Revision { workload: workload.to_owned(), number };
            numbers.insert(format!("{workload}/{key}"), revision);
        }
    }
    numbers
}

/// Chooses the container that is meant: the one named, else the pod's default, else its only one.
///
/// # Errors
///
/// [`ChoiceError::NoSuchContainer`] or [`ChoiceError::SeveralContainers`].
pub fn choose_container(pod: &Value, named: Option<&str>) -> Result<String, ChoiceError> {
    let names = |pointer: &str| {
        let list = pod.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|container| container["name"].as_str()).map(str::to_owned)
    };
    let containers: Vec<String> = names("/spec/containers").collect();
    let known = |name: &str| {
        containers.iter().any(|container| container == name)
            || names("/spec/initContainers").chain(names("/spec/ephemeralContainers")).any(|other| other == name)
    };
    if let Some(container) = named {
        if known(container) {
            return Ok(container.to_owned());
        }
        let (pod, container) = (name(pod).to_owned(), container.to_owned());
        return Err(ChoiceError::NoSuchContainer { pod, container, containers });
    }
    let annotations = pod.pointer("/metadata/annotations").and_then(|annotations| annotations.get(DEFAULT_CONTAINER));
    if let Some(default) = annotations.and_then(Value::as_str).filter(|default| known(default)) {
        return Ok(default.to_owned());
    }
    match <[String; 1]>::try_from(containers) {
        Ok([only]) => Ok(only),
        Err(containers) => Err(ChoiceError::SeveralContainers { pod: name(pod).to_owned(), containers }),
    }
}

/// The object's name.
pub(super) fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// UID of the object's controller.
pub(super) fn controller(object: &Value) -> Option<&str> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["uid"].as_str()
}

/// Whether the object is on its way out.
pub(super) fn is_deleted(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|stamp| !stamp.is_null())
}

/// Whether the pod's condition `Ready` is true.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
