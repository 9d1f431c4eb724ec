//! A running lab.
//!
//! Invariant: clients see the cluster through the API alone; what this type tells besides is about the lab, not the cluster.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;

use super::builder::LabBuilder;
use crate::api::Api;
use crate::clock::Clock;
use crate::controllers::condition;
use crate::kubelet::{Census, Kubelet};
use crate::net::Explanation;
use crate::serve::{Connector, LocalService, LoopbackOptions, ServeError, Served, serve_loopback};
use crate::store::{GroupResource, Store, meta};
use crate::world::Params;

/// An embedded cluster. Dropping it ends everything in it.
pub struct Lab {
    pub(super) api: Api,
    pub(super) store: Store,
    pub(super) kubelet: Kubelet,
    pub(super) params: Params,
    pub(super) tasks: JoinSet<()>,
}

impl Lab {
    /// A builder for a lab with nothing but what every cluster has.
    pub fn builder() -> LabBuilder {
        LabBuilder::default()
    }

    /// The world's parameters with their values in this lab.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Connects clients through a pipe in memory.
    pub fn connector(&self) -> Connector {
        Connector::new(self.api.clone())
    }

    /// An HTTP client that is connected through pipes in memory, such as `kube::Client::new` takes:
    /// `kube::Client::new(lab.service(), "default")`.
    pub fn service<B: hyper::body::Body<Data: Send> + Send + 'static>(&self) -> LocalService<B> {
        LocalService::new(self.connector())
    }

    /// Serves the API on a loopback port, with TLS and a token, until the answer is dropped.
    ///
    /// # Errors
    /// A taken port, or trouble with keys.
    pub async fn serve(&self, options: LoopbackOptions) -> Result<Served, ServeError> {
        serve_loopback(self.api.clone(), options).await
    }

    /// The lab's clock.
    pub fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// Why the latest calls of a pod's programs went where they went: those since a time, oldest first, as far as they are
    /// remembered. None if the pod has no sidecar.
    pub fn explain_since(&self, namespace: &str, pod: &str, since: Timestamp) -> Vec<Explanation> {
        self.api.explain_since(namespace, pod, since)
    }

    /// Kinds of objects that the lab holds now and that have no effect in it, such as `envoyfilters.networking.istio.io`, in order.
    pub fn not_simulated(&self) -> Vec<String> {
        let kinds = self.store.resources().into_iter().filter(is_without_effect);
        kinds.map(|resource| resource.to_string()).collect()
    }

    /// What the node holds for its pods now, for whoever looks for leaks.
    pub fn census(&self) -> Census {
        self.kubelet.census()
    }

    /// Pods that are not ready now, with the reason: namespace and name, then what each container waits for.
    pub fn unready(&self) -> Vec<(String, String)> {
        let pods = self.store.list(&GroupResource::PODS, "").items;
        let unready = pods.iter().filter(|pod| !is_settled(pod));
        unready.map(|pod| (format!("{}/{}", meta::namespace(pod), meta::name(pod)), waiting_for(pod))).collect()
    }
}

/// Ready, or done.
pub(super) fn is_settled(pod: &Value) -> bool {
    condition::is_true(pod, "Ready") || pod.pointer("/status/phase").and_then(Value::as_str) == Some("Succeeded")
}

/// What the containers of a pod wait for.
pub(super) fn waiting_for(pod: &Value) -> String {
    let mut reasons = Vec::new();
    for list in ["/status/initContainerStatuses", "/status/containerStatuses"] {
        for container in pod.pointer(list).and_then(Value::as_array).into_iter().flatten() {
            let Some(waiting) = container.pointer("/state/waiting") else { continue };
            let text = |key: &str| waiting.get(key).and_then(Value::as_str).unwrap_or_default();
            let reason = if text("message").is_empty() { text("reason") } else { text("message") };
            reasons.push(format!("{}: {reason}", container["name"].as_str().unwrap_or_default()));
        }
    }
    if reasons.is_empty() { "not ready".to_owned() } else { reasons.join(", ") }
}

/// Whether objects of a resource are stored and served, but nothing in the lab acts on them.
fn is_without_effect(resource: &GroupResource) -> bool {
    match (resource.group.as_ref(), resource.resource.as_ref()) {
        ("", "resourcequotas" | "limitranges" | "podtemplates") => true,
        ("batch", "jobs" | "cronjobs") | ("policy", "poddisruptionbudgets") | ("storage.k8s.io", "storageclasses") => {
            false
        }
        (
            ""
            | "apps"
            | "discovery.k8s.io"
            | "coordination.k8s.io"
            | "apiextensions.k8s.io"
            | "events.k8s.io"
            | "rbac.authorization.k8s.io",
            _,
        ) => false,
        (
            "networking.istio.io",
            "serviceentries" | "virtualservices" | "destinationrules" | "gateways" | "sidecars",
        )
        | ("security.istio.io", "peerauthentications")
        | ("telemetry.istio.io", "telemetries")
        | ("networking.k8s.io", "networkpolicies") => false,
        _ => true,
    }
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab").field("params", &self.params).field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_without_effect_are_told() {
        let told = |group: &str, resource: &str| is_without_effect(&GroupResource::new(group, resource));
        assert!(
            told("", "resourcequotas")
                && told("autoscaling", "horizontalpodautoscalers")
                && told("networking.istio.io", "envoyfilters")
        );
        assert!(
            !told("apps", "statefulsets") && !told("batch", "jobs") && !told("networking.istio.io", "serviceentries")
        );
    }
}
