//! Which kinds a cluster serves, asked once and kept.
//!
//! The server's order is kept, as it is the order of preference: of groups, and of versions within a group. A kind
//! that is not found is looked for once more with a fresh list, for a CRD may just have been applied.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroupList, APIResource, APIResourceList};
use kube::client::{APIGroupDiscoveryList, APIResourceDiscovery};
use serde::Deserialize;

use super::client::{Cluster, decode};
use super::error::ClusterError;
use super::request::{Call, segment};

/// Asks for all groups in one document, and takes the plain list from servers before 1.26.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// Names nearer than this are worth a suggestion (Jaro-Winkler).
const NEAR: f64 = 0.75;

/// A kind as the server serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The API group. Empty for the core group.
    pub group: String,
    /// Version within the group, such as `v1`.
    pub version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// The resource's name in paths, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it, such as `get` and `patch`.
    pub verbs: Vec<String>,
}

impl Resolved {
    /// The `apiVersion` of its objects, such as `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The resource's name as permissions and error messages give it, such as `deployments.apps`.
    #[must_use]
    pub fn full_plural(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The path of all its objects, in one namespace or everywhere.
    pub(super) fn path(&self, namespace: Option<&str>) -> Result<String, ClusterError> {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => {
                Ok(format!("{root}/{}/namespaces/{}/{}", self.version, segment(namespace)?, self.plural))
            }
            None => Ok(format!("{root}/{}/{}", self.version, self.plural)),
        }
    }
}

/// All kinds that a cluster serves, in order of preference.
#[derive(Debug)]
pub(super) struct Kinds(Vec<Resolved>);

impl Kinds {
    fn find(&self, api_version: Option<&str>, kind: &str) -> Option<&Resolved> {
        self.0
            .iter()
            .find(|served| served.kind == kind && api_version.is_none_or(|version| version == served.api_version()))
    }

    /// The kind that may have been meant: the same in another version, else the most similar name.
    fn nearest(&self, kind: &str) -> Option<String> {
        let similarity = |served: &Resolved| strsim::jaro_winkler(&served.kind.to_lowercase(), &kind.to_lowercase());
        let mut best: Option<(f64, &Resolved)> = None;
        for served in &self.0 {
            let score = if served.kind == kind { 2.0 } else { similarity(served) };
            if score > NEAR && best.is_none_or(|(top, _)| score > top) {
                best = Some((score, served));
            }
        }
        best.map(|(_, served)| format!("{}/{}", served.api_version(), served.kind))
    }
}

impl Cluster {
    /// Finds how the server serves a kind. Without `api_version` the server's preferred one is taken.
    ///
    /// # Errors
    ///
    /// [`ClusterError::KindUnknown`] with the nearest kind, where not even a fresh list has it.
    pub async fn resolve(&self, api_version: Option<&str>, kind: &str) -> Result<Resolved, ClusterError> {
        let mut slot = self.kinds_slot().lock().await;
        let kept = slot.clone();
        if let Some(served) = kept.as_ref().and_then(|kinds| kinds.find(api_version, kind)) {
            return Ok(served.clone());
        }
        let fresh = Arc::new(self.discover().await?);
        *slot = Some(Arc::clone(&fresh));
        drop(slot);
        match fresh.find(api_version, kind) {
            Some(served) => Ok(served.clone()),
            None => Err(ClusterError::KindUnknown {
                api_version: api_version.map(str::to_owned),
                kind: kind.to_owned(),
                nearest: fresh.nearest(kind),
            }),
        }
    }

    async fn discover(&self) -> Result<Kinds, ClusterError> {
        let mut served = Vec::new();
        for root in ["/api", "/apis"] {
            let call = Call::get(root).accept(AGGREGATED);
            let asked = call.asked(self.request_timeout());
            let answer = self.send(call).await?;
            let TypeOnly { kind } = decode(&answer.body, &asked)?;
            if kind == "APIGroupDiscoveryList" {
                from_aggregated(decode(&answer.body, &asked)?, &mut served);
            } else if root == "/api" {
                self.discover_plain("/api/v1", "", "v1", &mut served).await?;
            } else {
                let groups: APIGroupList = decode(&answer.body, &asked)?;
                for group in groups.groups {
                    for version in group.versions {
                        let path = format!("/apis/{}", version.group_version);
                        // One extension server that is down must not hide all the others.
                        match self.discover_plain(&path, &group.name, &version.version, &mut served).await {
                            Err(ClusterError::Api(_) | ClusterError::NotFound(_)) | Ok(()) => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
        }
        Ok(Kinds(served))
    }

    async fn discover_plain(
        &self,
        path: &str,
        group: &str,
        version: &str,
        served: &mut Vec<Resolved>,
    ) -> Result<(), ClusterError> {
        let list: APIResourceList = self.ask(Call::get(path)).await?;
        // `pods/log` and the like are parts of a resource, not kinds.
        let whole = list.resources.into_iter().filter(|resource| !resource.name.contains('/'));
        served.extend(whole.map(|resource| from_plain(resource, group, version)));
        Ok(())
    }
}

#[derive(Deserialize)]
struct TypeOnly {
    #[serde(default)]
    kind: String,
}

fn from_plain(resource: APIResource, group: &str, version: &str) -> Resolved {
    Resolved {
        group: resource.group.unwrap_or_else(|| group.to_owned()),
        version: resource.version.unwrap_or_else(|| version.to_owned()),
        kind: resource.kind,
        plural: resource.name,
        namespaced: resource.namespaced,
        verbs: resource.verbs,
    }
}

fn from_aggregated(list: APIGroupDiscoveryList, served: &mut Vec<Resolved>) {
    for group in list.items {
        let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
        for version in group.versions {
            let number = version.version.unwrap_or_default();
            let kinds = version.resources.into_iter();
            served.extend(kinds.filter_map(|resource| from_discovered(resource, &name, &number)));
        }
    }
}

fn from_discovered(resource: APIResourceDiscovery, group: &str, version: &str) -> Option<Resolved> {
    Some(Resolved {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: resource.response_kind.and_then(|kind| kind.kind).filter(|kind| !kind.is_empty())?,
        plural: resource.resource?,
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        verbs: resource.verbs,
    })
}
