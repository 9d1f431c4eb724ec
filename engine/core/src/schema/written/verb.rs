//! The verbs, but for checks.
//!
//! One type a verb, named as in the model.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::super::shapes::{Any, Id, OneOrMany, Period, Prose, Text};

/// Manifests to apply.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["manifest"]}, {"required": ["file"]}]))]
pub(in crate::schema) struct Apply {
    /// Namespace of objects that name none; else the step's, else the runbook's.
    namespace: Option<Text>,
    /// YAML documents, in which templates are filled in.
    manifest: Option<Text>,
    /// A file of YAML documents, or several, in the runbook's folder or below it.
    file: Option<OneOrMany<Prose>>,
    /// Whether templates in the files are filled in. Default: false.
    render: Option<bool>,
    /// Whether fields of other managers are taken over; else a conflict fails and names the manager. Default: false.
    force: Option<bool>,
}

/// A program in a container.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = super::super::shapes::whole_exec)]
pub(in crate::schema) struct Exec {
    /// A step whose exec gives all that is not given here.
    like: Option<Id>,
    /// The container it runs in. Required without `like`.
    #[schemars(rename = "in")]
    target: Option<In>,
    /// Variables set for the program, by name.
    env: Option<BTreeMap<String, Text>>,
    /// A program and its arguments; no shell sees them. This or `sh`, unless `like` gives it.
    #[schemars(length(min = 1))]
    command: Option<Vec<Text>>,
    /// A script for `sh -c`. A value that needs quotes gets them.
    sh: Option<Text>,
    /// What the program does to the target. A change stands in the plan and is never repeated. Default: `read`.
    effect: Option<Effect>,
    /// The longest one attempt may take. Default: 30s.
    timeout: Option<Period>,
}

/// What a program does to the target.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum Effect {
    /// It only looks.
    Read,
    /// It changes something.
    Change,
}

/// A container.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["workload"]}, {"required": ["pod"]}, {"required": ["selector"]}]))]
pub(in crate::schema) struct In {
    /// A ready pod of this workload, such as `deploy/sleep`.
    workload: Option<Text>,
    /// The pod of this name.
    pod: Option<Text>,
    /// A ready pod with these labels, such as `app=sleep`.
    selector: Option<Text>,
    /// The pod's namespace; else the step's, else the runbook's.
    namespace: Option<Text>,
    /// The container. Default: the one that the annotation `kubectl.kubernetes.io/default-container` names, else the only one.
    container: Option<Text>,
    /// What to do when several pods would do. Default: `one`.
    pick: Option<Pick>,
}

/// What to do when several would do.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum Pick {
    /// It is an error that lists them.
    One,
    /// The first by name is taken.
    Any,
}

/// An object, or several by their labels.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["name"]}, {"required": ["selector"]}]))]
pub(in crate::schema) struct ObjectRef {
    /// The kind, such as `ConfigMap`.
    kind: Text,
    /// Group and version, such as `networking.istio.io/v1`. Default: the server's preferred version of the kind.
    api_version: Option<Text>,
    /// The object's name.
    name: Option<Text>,
    /// Label selector, such as `app=sleep`, in place of a name.
    selector: Option<Text>,
    /// The object's namespace; else the step's, else the runbook's. None for kinds that have none.
    namespace: Option<Text>,
}

/// A change to fields of an object.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["merge"]}, {"required": ["json"]}, {"required": ["strategic"]}]))]
#[schemars(extend("dependentRequired" = {"yaml-in": ["merge"]}))]
pub(in crate::schema) struct Patch {
    /// The object that is changed. It must exist.
    object: ObjectRef,
    /// JSON Pointer to a string field that holds YAML, such as `/data/mesh`. That YAML is then patched, comments and order
    /// kept; with `merge` only.
    yaml_in: Option<super::super::shapes::Pointer>,
    /// A JSON merge patch (RFC 7386).
    merge: Option<Any>,
    /// A JSON patch (RFC 6902): a list of operations.
    json: Option<Any>,
    /// A strategic merge patch, as Kubernetes defines it for built-in kinds.
    strategic: Option<Any>,
}

/// What to wait for: `rollout`, `deletion`, `condition=TYPE`, `jsonpath={.path}=VALUE`, or these under `for`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = super::super::shapes::or_condition)]
pub(in crate::schema) struct Wait {
    /// What to wait for: `rollout`, `deletion`, `condition=TYPE`, `condition=TYPE=STATUS`, `jsonpath={.path}=VALUE`.
    #[schemars(rename = "for")]
    condition: super::super::shapes::Condition,
    /// The longest it may take. Default: 5m.
    timeout: Option<Period>,
    /// The object's kind. Without it, beside another verb, what that verb wrote is waited for.
    kind: Option<Text>,
    /// Group and version, such as `networking.istio.io/v1`.
    api_version: Option<Text>,
    /// The object's name.
    name: Option<Text>,
    /// Label selector, such as `app=sleep`, in place of a name.
    selector: Option<Text>,
    /// The object's namespace; else the step's, else the runbook's. None for kinds that have none.
    namespace: Option<Text>,
}

/// An object to read.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["name"]}, {"required": ["selector"]}]))]
pub(in crate::schema) struct Get {
    /// The kind, such as `Pod`.
    kind: Text,
    /// Group and version, such as `networking.istio.io/v1`. Default: the server's preferred version of the kind.
    api_version: Option<Text>,
    /// The object's name.
    name: Option<Text>,
    /// Label selector, such as `app=sleep`, in place of a name.
    selector: Option<Text>,
    /// The object's namespace; else the step's, else the runbook's. None for kinds that have none.
    namespace: Option<Text>,
    /// Whether exactly one must be left. Default: true for a selector.
    one: Option<bool>,
    /// What to do when several are left. Default: `one`.
    pick: Option<Pick>,
    /// JSON Pointer to a string field that holds YAML; captures then look into that.
    #[schemars(rename = "yaml-in")]
    yaml_in: Option<super::super::shapes::Pointer>,
}
