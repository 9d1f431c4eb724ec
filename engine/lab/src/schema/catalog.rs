//! Every resource that the lab serves: built-in ones from recorded discovery, custom ones from the CRDs in the store.
//!
//! Invariant: a resource is served exactly when discovery lists it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use serde_json::Value;

use super::cel::Rules;
use super::custom;
use super::data;
use super::node::Node;
use super::structural::{fill_defaults, has_defaults, lacks_defaults};
use crate::store::GroupResource;

/// One resource in one version.
#[derive(Clone, Debug)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural, as in URLs.
    pub plural: String,
    /// Singular, as discovery names it.
    pub singular: String,
    /// Kind of the objects.
    pub kind: String,
    /// Kind of their lists.
    pub list_kind: String,
    /// Objects live in namespaces.
    pub namespaced: bool,
    /// Short names, such as `po`.
    pub short_names: Vec<String>,
    /// Categories, such as `all`.
    pub categories: Vec<String>,
    /// Verbs of the main resource.
    pub verbs: Vec<String>,
    /// Subresources with their verbs.
    pub subresources: Vec<SubresourceInfo>,
    /// Version in which objects are stored.
    pub storage_version: String,
    /// Where the schema comes from.
    pub(super) schema: SchemaSource,
}

/// A subresource as discovery lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubresourceInfo {
    /// Name, such as `status`.
    pub name: String,
    /// Group of the kind that it speaks; empty when it is the resource's own or the core group's.
    pub group: String,
    /// Version of that kind; empty when it is the resource's own.
    pub version: String,
    /// Kind that it speaks.
    pub kind: String,
    /// Its verbs.
    pub verbs: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum SchemaSource {
    Builtin,
    /// A CRD and the index of the version in it, with what is worked out of them once.
    Custom(Arc<Value>, usize, Arc<Derived>),
}

/// What is worked out of a custom schema when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Derived {
    rules: OnceLock<Option<Rules>>,
    has_defaults: OnceLock<bool>,
}

impl Resource {
    /// Group and plural: what the store knows it by.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.group.as_str(), self.plural.as_str())
    }

    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// `apiVersion` in which they are stored.
    pub fn storage_api_version(&self) -> String {
        api_version(&self.group, &self.storage_version)
    }

    /// Defined by a CRD.
    pub fn is_custom(&self) -> bool {
        matches!(self.schema, SchemaSource::Custom(..))
    }

    /// Whether it has that subresource.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.iter().any(|subresource| subresource.name == name)
    }

    /// Whether its objects count their generations. Facts of Kubernetes 1.36; the schema does not tell.
    pub fn has_generation(&self) -> bool {
        match (self.group.as_str(), self.plural.as_str()) {
            (_, _) if self.is_custom() => true,
            ("", plural) => matches!(plural, "pods" | "replicationcontrollers"),
            ("apps", plural) => plural != "controllerrevisions",
            ("networking.k8s.io", plural) => matches!(plural, "ingresses" | "networkpolicies" | "ingressclasses"),
            ("batch" | "flowcontrol.apiserver.k8s.io" | "admissionregistration.k8s.io" | "apiextensions.k8s.io", _) => {
                true
            }
            ("policy", plural) => plural == "poddisruptionbudgets",
            ("discovery.k8s.io" | "scheduling.k8s.io", _) => true,
            ("resource.k8s.io", plural) => matches!(plural, "deviceclasses" | "resourceslices"),
            _ => false,
        }
    }

    /// The root of its schema. None for a kind without one.
    pub(crate) fn node(&self) -> Option<Node<'_>> {
        match &self.schema {
            SchemaSource::Builtin => {
                Node::builtin_root(data::schema_of_kind(&self.group, &self.version, &self.kind)?, &self.kind)
            }
            SchemaSource::Custom(crd, version, _) => Node::custom_root(custom::schema(crd, *version)?),
        }
    }

    /// Its CEL rules, compiled when they are first asked for. `root` is the root of its schema.
    pub(super) fn rules(&self, root: Node<'_>) -> Option<&Rules> {
        match &self.schema {
            SchemaSource::Builtin => None,
            SchemaSource::Custom(_, _, derived) => derived.rules.get_or_init(|| Rules::compile(root)).as_ref(),
        }
    }

    /// Fills in defaults that a stored object lacks, because its schema got them later.
    pub(crate) fn fill_in(&self, object: &mut Cow<'_, Value>) {
        let SchemaSource::Custom(_, _, derived) = &self.schema else { return };
        let Some(root) = self.node() else { return };
        if *derived.has_defaults.get_or_init(|| has_defaults(root.schema())) && lacks_defaults(root, object) {
            fill_defaults(root, object.to_mut());
        }
    }

    /// What the users of its version are warned of.
    pub(crate) fn deprecation(&self, catalog: &Catalog) -> Option<String> {
        let is_deprecated = |version: Option<&Value>| {
            version.is_some_and(|version| version.get("deprecated") == Some(&Value::Bool(true)))
        };
        let version = self.custom_version().filter(|version| is_deprecated(Some(version)))?;
        if let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) {
            return Some(warning.to_owned());
        }
        let mut warning = format!("{} {} is deprecated", self.api_version(), self.kind);
        let newer = catalog.all().into_iter().find(|other| {
            other.group == self.group
                && other.plural == self.plural
                && custom::version_rank(&other.version) > custom::version_rank(&self.version)
                && !is_deprecated(other.custom_version())
        });
        if let Some(newer) = newer {
            warning = format!("{warning}; use {} {}", newer.api_version(), newer.kind);
        }
        Some(warning)
    }

    /// The CRD version that defines it.
    pub(crate) fn custom_version(&self) -> Option<&Value> {
        match &self.schema {
            SchemaSource::Builtin => None,
            SchemaSource::Custom(crd, version, _) => crd.pointer("/spec/versions")?.get(version),
        }
    }
}

/// `group/version`, or the version alone for the core group.
pub(super) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

static BUILTIN: LazyLock<Vec<Arc<Resource>>> = LazyLock::new(|| {
    let rows = data::discovery();
    rows.iter().map(|(group, version, resource)| Arc::new(from_discovery(group, version, resource))).collect()
});

fn from_discovery(group: &str, version: &str, resource: &Value) -> Resource {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |value: &Value, key: &str| -> Vec<String> {
        let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let nothing = Value::Null;
    let kind_of = |value: &Value| value.get("responseKind").unwrap_or(&nothing).clone();
    let kind = text(&kind_of(resource), "kind");
    let subresources = resource.get("subresources").and_then(Value::as_array).into_iter().flatten().map(|sub| {
        let speaks = kind_of(sub);
        SubresourceInfo {
            name: text(sub, "subresource"),
            group: text(&speaks, "group"),
            version: text(&speaks, "version"),
            kind: text(&speaks, "kind"),
            verbs: texts(sub, "verbs"),
        }
    });
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: text(resource, "resource"),
        singular: text(resource, "singularResource"),
        list_kind: format!("{kind}List"),
        kind,
        namespaced: text(resource, "scope") == "Namespaced",
        short_names: texts(resource, "shortNames"),
        categories: texts(resource, "categories"),
        verbs: texts(resource, "verbs"),
        subresources: subresources.collect(),
        // The only group with two versions is autoscaling, whose objects are stored as v2.
        storage_version: if group == "autoscaling" { "v2".to_owned() } else { version.to_owned() },
        schema: SchemaSource::Builtin,
    }
}

/// The resources of one lab.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Versions of custom resources by CRD name.
    custom: RwLock<BTreeMap<String, Vec<Arc<Resource>>>>,
}

impl Catalog {
    /// The resource behind a URL.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let is = |resource: &&Arc<Resource>| {
            resource.plural == plural && resource.group == group && resource.version == version
        };
        BUILTIN.iter().find(is).cloned().or_else(|| {
            let custom = self.custom.read().unwrap_or_else(PoisonError::into_inner);
            custom.get(&format!("{plural}.{group}"))?.iter().find(is).cloned()
        })
    }

    /// The resource in the version in which it is stored.
    pub fn stored(&self, resource: &GroupResource) -> Option<Arc<Resource>> {
        let is = |candidate: &&Arc<Resource>| {
            candidate.plural == resource.resource
                && candidate.group == resource.group
                && candidate.version == candidate.storage_version
        };
        BUILTIN.iter().find(is).cloned().or_else(|| {
            let custom = self.custom.read().unwrap_or_else(PoisonError::into_inner);
            let versions = custom.get(&resource.to_string())?;
            versions.iter().find(is).or_else(|| versions.first()).cloned()
        })
    }

    /// The resource of a kind, if its version is served.
    pub fn find_kind(&self, group: &str, version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.all().into_iter().find(|one| one.kind == kind && one.group == group && one.version == version)
    }

    /// Whether a group is one of Kubernetes' own.
    pub(crate) fn has_builtin_group(&self, group: &str) -> bool {
        BUILTIN.iter().any(|resource| resource.group == group)
    }

    /// All resources: built-in ones in the recorded order, then custom ones by name.
    pub fn all(&self) -> Vec<Arc<Resource>> {
        let custom = self.custom.read().unwrap_or_else(PoisonError::into_inner);
        BUILTIN.iter().chain(custom.values().flatten()).cloned().collect()
    }

    /// Whether a CRD defines that resource.
    pub(crate) fn is_custom(&self, resource: &GroupResource) -> bool {
        let custom = self.custom.read().unwrap_or_else(PoisonError::into_inner);
        custom.contains_key(&resource.to_string())
    }

    /// Takes in a CRD that was created or changed.
    pub(crate) fn put_crd(&self, crd: &Arc<Value>) {
        let name = crate::store::meta::name(crd).to_owned();
        let resources = custom::resources(crd).into_iter().map(Arc::new).collect();
        self.custom.write().unwrap_or_else(PoisonError::into_inner).insert(name, resources);
    }

    /// Forgets a CRD that was deleted.
    pub(crate) fn remove_crd(&self, name: &str) {
        self.custom.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
