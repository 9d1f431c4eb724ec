//! The pods of a Job.
//!
//! Invariant: each is held by a finalizer until it is counted.

use serde_json::{Value, json};

use super::{INDEX, KIND, TRACKING};
use crate::controllers::pods;
use crate::store::meta;

/// A new pod, for a completion index if the Job has these. `failures` are those of the index so far.
pub(super) fn new_pod(job: &Value, index: Option<usize>, failures: Option<i64>) -> Value {
    let mut pod = pods::from_template(job, KIND.0, KIND.1);
    let metadata = meta::metadata(&mut pod);
    if let Some(finalizers) = metadata.entry("finalizers").or_insert_with(|| json!([])).as_array_mut() {
        finalizers.push(TRACKING.into());
    }
    let Some(index) = index else { return pod };
    let name = format!("{}-{index}", meta::name(job));
    metadata.insert("generateName".to_owned(), format!("{name}-").into());
    for map in ["labels", "annotations"] {
        meta::child(&mut pod["metadata"], map).insert(INDEX.to_owned(), index.to_string().into());
    }
    if let Some(failures) = failures {
        let annotations = meta::child(&mut pod["metadata"], "annotations");
        annotations.insert("batch.kubernetes.io/job-index-failure-count".to_owned(), failures.to_string().into());
    }
    let spec = meta::child(&mut pod, "spec");
    spec.insert("hostname".to_owned(), name.into());
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let variable = json!({
                "name": "JOB_COMPLETION_INDEX",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}},
            });
            if let Some(container) = container.as_object_mut()
                && let Some(env) = container.entry("env").or_insert_with(|| json!([])).as_array_mut()
                && !env.iter().any(|known| known["name"] == "JOB_COMPLETION_INDEX")
            {
                env.push(variable);
            }
        }
    }
    pod
}
