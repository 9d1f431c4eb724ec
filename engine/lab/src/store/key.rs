//! Names of kinds of objects and of single objects.
//!
//! Invariant: a key never names an API version; all versions of a resource are one set of objects.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A kind of object as URLs name it: API group and plural.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Plural, in lower case.
    pub resource: Cow<'static, str>,
}

impl GroupResource {
    /// Core `namespaces`.
    pub const NAMESPACES: Self = Self::builtin("", "namespaces");
    /// Core `pods`.
    pub const PODS: Self = Self::builtin("", "pods");
    /// Core `services`.
    pub const SERVICES: Self = Self::builtin("", "services");
    /// Core `serviceaccounts`.
    pub const SERVICE_ACCOUNTS: Self = Self::builtin("", "serviceaccounts");
    /// Core `configmaps`.
    pub const CONFIG_MAPS: Self = Self::builtin("", "configmaps");
    /// Core `secrets`.
    pub const SECRETS: Self = Self::builtin("", "secrets");
    /// Core `endpoints`.
    pub const ENDPOINTS: Self = Self::builtin("", "endpoints");
    /// Core `events`.
    pub const EVENTS: Self = Self::builtin("", "events");
    /// Core `nodes`.
    pub const NODES: Self = Self::builtin("", "nodes");
    /// `endpointslices.discovery.k8s.io`.
    pub const ENDPOINT_SLICES: Self = Self::builtin("discovery.k8s.io", "endpointslices");
    /// `deployments.apps`.
    pub const DEPLOYMENTS: Self = Self::builtin("apps", "deployments");
    /// `replicasets.apps`.
    pub const REPLICA_SETS: Self = Self::builtin("apps", "replicasets");
    /// `statefulsets.apps`.
    pub const STATEFUL_SETS: Self = Self::builtin("apps", "statefulsets");
    /// `daemonsets.apps`.
    pub const DAEMON_SETS: Self = Self::builtin("apps", "daemonsets");
    /// `jobs.batch`.
    pub const JOBS: Self = Self::builtin("batch", "jobs");
    /// `cronjobs.batch`.
    pub const CRON_JOBS: Self = Self::builtin("batch", "cronjobs");
    /// `controllerrevisions.apps`.
    pub const CONTROLLER_REVISIONS: Self = Self::builtin("apps", "controllerrevisions");
    /// Core `replicationcontrollers`.
    pub const REPLICATION_CONTROLLERS: Self = Self::builtin("", "replicationcontrollers");
    /// Core `persistentvolumeclaims`.
    pub const CLAIMS: Self = Self::builtin("", "persistentvolumeclaims");
    /// Core `persistentvolumes`.
    pub const VOLUMES: Self = Self::builtin("", "persistentvolumes");
    /// `storageclasses.storage.k8s.io`.
    pub const STORAGE_CLASSES: Self = Self::builtin("storage.k8s.io", "storageclasses");
    /// `poddisruptionbudgets.policy`.
    pub const DISRUPTION_BUDGETS: Self = Self::builtin("policy", "poddisruptionbudgets");
    /// `leases.coordination.k8s.io`.
    pub const LEASES: Self = Self::builtin("coordination.k8s.io", "leases");
    /// `customresourcedefinitions.apiextensions.k8s.io`.
    pub const CRDS: Self = Self::builtin("apiextensions.k8s.io", "customresourcedefinitions");
    /// `serviceentries.networking.istio.io`.
    pub const SERVICE_ENTRIES: Self = Self::builtin("networking.istio.io", "serviceentries");

    /// A resource whose name is known at compile time.
    pub const fn builtin(group: &'static str, resource: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), resource: Cow::Borrowed(resource) }
    }

    /// A resource whose name is known at run time only.
    pub fn new(group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { group: Cow::Owned(group.into()), resource: Cow::Owned(resource.into()) }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { f.write_str(&self.resource) } else { write!(f, "{}.{}", self.resource, self.group) }
    }
}

/// One object within a resource. Ordered as lists are: by the bytes of `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// Namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// The object `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl Ord for ObjectKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others) = (self.namespace.as_bytes(), other.namespace.as_bytes());
        let common = own.len().min(others.len());
        // Where one namespace begins with the other, the slash behind the shorter one decides: `a-b/x` stands before `a/x`.
        own[..common]
            .cmp(&others[..common])
            .then_with(|| own.get(common).unwrap_or(&b'/').cmp(others.get(common).unwrap_or(&b'/')))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}
