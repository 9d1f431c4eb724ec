//! Validation of built-in kinds: one file a family of kinds, with the server's messages in its order.
//!
//! Invariant: it reports; it never alters the object. What a kind without rules here may hold is judged by its schema alone.

mod container;
mod generic;
mod job;
mod network;
mod pod;
mod policy;
mod report;
mod scheduling;
mod selector;
mod service;
mod storage;
mod stored;
mod volume;
mod warnings;
mod workload;

use serde_json::Value;

use super::catalog::Resource;
use super::names::check_metadata;
use crate::status::Cause;
use report::{At, Report};

/// A built-in object on its way in.
struct Subject<'a> {
    object: At<'a>,
    /// The stored object, for an update.
    old: Option<At<'a>>,
}

impl<'a> Subject<'a> {
    fn spec(&self) -> At<'a> {
        self.object.field("spec")
    }

    fn old_spec(&self) -> Option<At<'a>> {
        Some(self.old.as_ref()?.field("spec"))
    }
}

/// Everything that is wrong with a built-in object, and what its writer should be warned of.
pub(crate) fn validate_builtin(resource: &Resource, old: Option<&Value>, object: &Value) -> (Vec<Cause>, Vec<String>) {
    let warnings = match (resource.group.as_str(), resource.plural.as_str()) {
        ("" | "apps" | "batch", _) => warnings::of_pods(&At::new(Some(object), "")),
        _ => Vec::new(),
    };
    (problems(resource, old, object), warnings)
}

fn problems(resource: &Resource, old: Option<&Value>, object: &Value) -> Vec<Cause> {
    let subject = Subject { object: At::new(Some(object), ""), old: old.map(|old| At::new(Some(old), "")) };
    let mut report = Report::default();
    check_metadata(resource, object, &mut report.causes);
    let rules: fn(&Subject<'_>, &mut Report) = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pod::pod,
        ("", "podtemplates") => pod::pod_template,
        ("", "replicationcontrollers") => workload::replication_controller,
        ("apps", "deployments") => workload::deployment,
        ("apps", "replicasets") => workload::replica_set,
        ("apps", "statefulsets") => workload::stateful_set,
        ("apps", "daemonsets") => workload::daemon_set,
        ("apps", "controllerrevisions") => workload::controller_revision,
        ("batch", "jobs") => job::job,
        ("batch", "cronjobs") => job::cron_job,
        ("", "services") => service::service,
        ("", "endpoints") => service::endpoints,
        ("discovery.k8s.io", "endpointslices") => service::endpoint_slice,
        ("", "configmaps") => stored::config_map,
        ("", "secrets") => stored::secret,
        ("", "namespaces") => stored::namespace,
        ("coordination.k8s.io", "leases") => stored::lease,
        ("scheduling.k8s.io", "priorityclasses") => stored::priority_class,
        ("", "events") => stored::event,
        ("", "nodes") => stored::node,
        ("networking.k8s.io", "ingresses") => network::ingress,
        ("networking.k8s.io", "networkpolicies") => network::network_policy,
        // Admission judges these, together with what may be granted.
        ("rbac.authorization.k8s.io", _) => return report.causes,
        ("autoscaling", "horizontalpodautoscalers") => policy::autoscaler,
        ("policy", "poddisruptionbudgets") => policy::disruption_budget,
        ("", "resourcequotas") => policy::quota,
        ("", "limitranges") => policy::limit_range,
        ("", "persistentvolumeclaims") => storage::claim,
        ("", "persistentvolumes") => storage::volume,
        ("storage.k8s.io", "storageclasses") => storage::class,
        _ => {
            generic::by_schema(resource, object, &mut report.causes);
            return report.causes;
        }
    };
    rules(&subject, &mut report);
    report.causes
}
