//! Asks the server for the pods that `in:` may mean, and chooses among them.
//!
//! What is chosen is as fresh as the answer: callers choose anew for each attempt.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector as Requirements;
use serde_json::Value;

use super::client::Cluster;
use super::error::ClusterError;
use super::objects::{ObjectAddress, Selector};
use super::pods::{Revisions, choose_pod, controller, revisions};

/// The workloads that `in: {workload: …}` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// `deploy/NAME`.
    Deployment,
    /// `sts/NAME`.
    StatefulSet,
    /// `ds/NAME`.
    DaemonSet,
    /// `job/NAME`.
    Job,
}

impl WorkloadKind {
    /// Reads the part before the slash, in the short and long forms that kubectl takes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "deploy" | "deployment" | "deployments" => Some(Self::Deployment),
            "sts" | "statefulset" | "statefulsets" => Some(Self::StatefulSet),
            "ds" | "daemonset" | "daemonsets" => Some(Self::DaemonSet),
            "job" | "jobs" => Some(Self::Job),
            _ => None,
        }
    }

    const fn api(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Deployment => ("apps/v1", "Deployment", "deploy"),
            Self::StatefulSet => ("apps/v1", "StatefulSet", "sts"),
            Self::DaemonSet => ("apps/v1", "DaemonSet", "ds"),
            Self::Job => ("batch/v1", "Job", "job"),
        }
    }
}

/// Which pods are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodsOf {
    /// Those of a workload.
    Workload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: String,
    },
    /// The one of this name.
    Pod(String),
    /// Those with these labels, in kubectl's notation.
    Selector(String),
}

impl PodsOf {
    fn wanted(&self, namespace: &str) -> String {
        match self {
            Self::Workload { kind, name } => format!("{}/{name} in namespace {namespace}", kind.api().2),
            Self::Pod(name) => format!("pod {name} in namespace {namespace}"),
            Self::Selector(labels) => format!("selector {labels} in namespace {namespace}"),
        }
    }
}

impl Cluster {
    /// The pods that are meant, whatever their state, in the server's order.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where the workload or the named pod is not there.
    pub async fn pods(&self, namespace: &str, of: &PodsOf) -> Result<Vec<Value>, ClusterError> {
        Ok(self.pods_with_revisions(namespace, of, false).await?.0)
    }

    /// The pod that is meant: ready, of the newest revision, not being deleted. With `any`, the first of several.
    ///
    /// A pod that is named is taken as it is, unless it is being deleted or not ready.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Choice`] where none or several would do; [`ClusterError::NotFound`] where the workload or the
    /// named pod is not there.
    pub async fn choose_pod(&self, namespace: &str, of: &PodsOf, any: bool) -> Result<Value, ClusterError> {
        let (pods, revisions) = self.pods_with_revisions(namespace, of, true).await?;
        Ok(choose_pod(&pods, &revisions, &of.wanted(namespace), any)?.clone())
    }

    async fn pods_with_revisions(
        &self,
        namespace: &str,
        of: &PodsOf,
        numbered: bool,
    ) -> Result<(Vec<Value>, Revisions), ClusterError> {
        match of {
            PodsOf::Pod(name) => {
                let resource = self.resolve(Some("v1"), "Pod").await?;
                let address = ObjectAddress { resource, namespace: Some(namespace.to_owned()), name: name.clone() };
                Ok((vec![self.get(&address).await?], Revisions::new()))
            }
            PodsOf::Selector(labels) => {
                let pods = self.list_kind("v1", "Pod", namespace, labels).await?;
                let revisions = if numbered { self.revisions_of(&pods, namespace).await? } else { Revisions::new() };
                Ok((pods, revisions))
            }
            PodsOf::Workload { kind, name } => self.pods_of_workload(namespace, *kind, name, numbered).await,
        }
    }

    async fn pods_of_workload(
        &self,
        namespace: &str,
        kind: WorkloadKind,
        name: &str,
        numbered: bool,
    ) -> Result<(Vec<Value>, Revisions), ClusterError> {
        let (api_version, kind_name, _) = kind.api();
        let resource = self.resolve(Some(api_version), kind_name).await?;
        let address = ObjectAddress { resource, namespace: Some(namespace.to_owned()), name: name.to_owned() };
        let workload = self.get(&address).await?;
        let labels = label_selector(&workload)?;
        let mut pods = self.list_kind("v1", "Pod", namespace, &labels).await?;

        // Another workload's pods may have the labels too; what counts is who owns them.
        let uid = workload.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        if kind == WorkloadKind::Deployment {
            let mut sets = self.list_kind("apps/v1", "ReplicaSet", namespace, &labels).await?;
            sets.retain(|set| controller(set) == Some(uid));
            let owners: Vec<&str> = sets.iter().filter_map(|set| set.pointer("/metadata/uid")?.as_str()).collect();
            pods.retain(|pod| controller(pod).is_some_and(|owner| owners.contains(&owner)));
            return Ok((pods, revisions(&sets, &[])));
        }
        pods.retain(|pod| controller(pod) == Some(uid));
        let numbers = if numbered { self.revisions_of(&pods, namespace).await? } else { Revisions::new() };
        Ok((pods, numbers))
    }

    /// Numbers the revisions of pods, asking only where they differ in a revision's hash.
    async fn revisions_of(&self, pods: &[Value], namespace: &str) -> Result<Revisions, ClusterError> {
        let differ = |label: &str| {
            let mut hashes = pods.iter().filter_map(|pod| pod.pointer("/metadata/labels")?.get(label)?.as_str());
            let first = hashes.next();
            first.is_some() && hashes.any(|hash| Some(hash) != first)
        };
        let sets = if differ("pod-template-hash") {
            self.list_kind("apps/v1", "ReplicaSet", namespace, "").await?
        } else {
            Vec::new()
        };
        let controller_revisions = if differ("controller-revision-hash") {
            self.list_kind("apps/v1", "ControllerRevision", namespace, "").await?
        } else {
            Vec::new()
        };
        Ok(revisions(&sets, &controller_revisions))
    }

    async fn list_kind(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<Value>, ClusterError> {
        let resource = self.resolve(Some(api_version), kind).await?;
        Ok(self.list(&resource, Some(namespace), &Selector::labels(labels)).await?.items)
    }
}

/// The workload's own selector in kubectl's notation.
fn label_selector(workload: &Value) -> Result<String, ClusterError> {
    let malformed = |cause: String| ClusterError::Malformed { what: "the workload's selector".to_owned(), cause };
    let selector = workload.pointer("/spec/selector").cloned().unwrap_or_default();
    let selector: LabelSelector = serde_json::from_value(selector).map_err(|error| malformed(error.to_string()))?;
    let requirements = Requirements::try_from(selector).map_err(|error| malformed(error.to_string()))?;
    if requirements.selects_all() {
        return Err(malformed("it is empty, and would select every pod".to_owned()));
    }
    Ok(requirements.to_string())
}
