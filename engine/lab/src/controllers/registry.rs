//! The controllers that look at one object at a time: which objects, and with which function.
//!
//! Invariant: the order of the variants is the order of looks that are due at the same moment.

use serde_json::Value;

use super::plan::{Plan, View};
use super::{
    cron, daemon_set, deployment, disruption, endpoints, job, node, replica_set, scheduler, stateful_set, volumes,
};
use crate::store::{GroupResource, ObjectKey};

/// A controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Controller {
    Node,
    Deployment,
    StatefulSet,
    DaemonSet,
    CronJob,
    Job,
    ReplicaSet,
    /// Of ReplicationControllers.
    Replication,
    Claim,
    Scheduler,
    EndpointSlice,
    Endpoints,
    Mirror,
    Disruption,
}

impl Controller {
    /// All of them, in order.
    pub(super) const ALL: [Self; 14] = [
        Self::Node,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CronJob,
        Self::Job,
        Self::ReplicaSet,
        Self::Replication,
        Self::Claim,
        Self::Scheduler,
        Self::EndpointSlice,
        Self::Endpoints,
        Self::Mirror,
        Self::Disruption,
    ];

    /// The resource whose objects it looks at.
    pub(super) fn resource(self) -> GroupResource {
        match self {
            Self::Node => GroupResource::NODES,
            Self::Deployment => GroupResource::DEPLOYMENTS,
            Self::StatefulSet => GroupResource::STATEFUL_SETS,
            Self::DaemonSet => GroupResource::DAEMON_SETS,
            Self::CronJob => GroupResource::CRON_JOBS,
            Self::Job => GroupResource::JOBS,
            Self::ReplicaSet => GroupResource::REPLICA_SETS,
            Self::Replication => GroupResource::REPLICATION_CONTROLLERS,
            Self::Claim => GroupResource::CLAIMS,
            Self::Scheduler => GroupResource::PODS,
            Self::EndpointSlice | Self::Endpoints => GroupResource::SERVICES,
            Self::Mirror => GroupResource::ENDPOINTS,
            Self::Disruption => GroupResource::DISRUPTION_BUDGETS,
        }
    }

    /// One look at one object.
    pub(super) fn reconcile(self, view: &View<'_>, object: &Value) -> Plan {
        match self {
            Self::Node => node::reconcile(view, object),
            Self::Deployment => deployment::reconcile(view, object),
            Self::StatefulSet => stateful_set::reconcile(view, object),
            Self::DaemonSet => daemon_set::reconcile(view, object),
            Self::CronJob => cron::reconcile(view, object),
            Self::Job => job::reconcile(view, object),
            Self::ReplicaSet => replica_set::reconcile(view, object, &replica_set::REPLICA_SET),
            Self::Replication => replica_set::reconcile(view, object, &replica_set::REPLICATION_CONTROLLER),
            Self::Claim => volumes::reconcile(view, object),
            Self::Scheduler => scheduler::reconcile(view, object),
            Self::EndpointSlice => endpoints::slice(view, object),
            Self::Endpoints => endpoints::legacy(view, object),
            Self::Mirror => endpoints::mirror(view, object),
            Self::Disruption => disruption::reconcile(view, object),
        }
    }

    /// What follows from an object that is gone, besides what garbage collection does.
    pub(super) fn clean_up(self, view: &View<'_>, key: &ObjectKey) -> Plan {
        match self {
            Self::Claim => volumes::gone(view, &key.namespace, &key.name),
            Self::Endpoints => endpoints::gone(view, &key.namespace, &key.name),
            _ => Plan::default(),
        }
    }
}
