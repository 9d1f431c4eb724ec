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
    /// Namespace of objects that name none.
    namespace: Option<Text>,
    /// YAML documents; templates are filled in.
    manifest: Option<Text>,
    /// A file, or several, in the runbook's folder.
    file: Option<OneOrMany<Prose>>,
    /// Whether templates in the files are filled in. Default: false.
    render: Option<bool>,
    /// Whether fields of other managers are taken over. Default: false.
    force: Option<bool>,
}

/// A program in a container.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = super::super::shapes::whole_exec)]
pub(in crate::schema) struct Exec {
    /// A step whose exec gives all that is not given here.
    like: Option<Id>,
    /// Where it runs.
    #[schemars(rename = "in")]
    target: Option<In>,
    /// Variables set for the program.
    env: Option<BTreeMap<String, Text>>,
    /// A program and its arguments; no shell sees them.
    #[schemars(length(min = 1))]
    command: Option<Vec<Text>>,
    /// A script for `sh -c`. Values are quoted by themselves.
    sh: Option<Text>,
    /// `change` if the program changes something: it is then never repeated. Default: `read`.
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
    /// A pod of this workload, such as `deploy/sleep`.
    workload: Option<Text>,
    /// The pod of this name.
    pod: Option<Text>,
    /// A pod with these labels.
    selector: Option<Text>,
    /// The pod's namespace.
    namespace: Option<Text>,
    /// The container; else the pod's default container, else its only one.
    container: Option<Text>,
    /// What to do when several pods would do. Default: `one`, an error that lists them.
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
    /// Such as `ConfigMap`.
    kind: Text,
    /// Such as `networking.istio.io/v1`; the server's preferred version where absent.
    api_version: Option<Text>,
    /// `metadata.name`.
    name: Option<Text>,
    /// Label selector.
    selector: Option<Text>,
    /// The object's namespace.
    namespace: Option<Text>,
}

/// A change to fields of an object.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["merge"]}, {"required": ["json"]}, {"required": ["strategic"]}]))]
#[schemars(extend("dependentRequired" = {"yaml-in": ["merge"]}))]
pub(in crate::schema) struct Patch {
    /// The object.
    object: ObjectRef,
    /// JSON Pointer to a string field that holds YAML, which is then patched; with `merge` only.
    yaml_in: Option<super::super::shapes::Pointer>,
    /// JSON merge patch (RFC 7386).
    merge: Option<Any>,
    /// JSON patch (RFC 6902).
    json: Option<Any>,
    /// Kubernetes' strategic merge patch.
    strategic: Option<Any>,
}

/// What to wait for: `rollout`, `deletion`, `condition=TYPE`, `jsonpath={.path}=VALUE`, or these under `for`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = super::super::shapes::or_condition)]
pub(in crate::schema) struct Wait {
    /// What to wait for.
    #[schemars(rename = "for")]
    condition: super::super::shapes::Condition,
    /// The longest it may take. Default: 5m.
    timeout: Option<Period>,
    /// Kind of the object; beside another verb, what that verb wrote is waited for.
    kind: Option<Text>,
    /// Such as `networking.istio.io/v1`.
    api_version: Option<Text>,
    /// `metadata.name`.
    name: Option<Text>,
    /// Label selector.
    selector: Option<Text>,
    /// The object's namespace.
    namespace: Option<Text>,
}

/// An object to read.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["name"]}, {"required": ["selector"]}]))]
pub(in crate::schema) struct Get {
    /// Such as `Pod`.
    kind: Text,
    /// Such as `networking.istio.io/v1`; the server's preferred version where absent.
    api_version: Option<Text>,
    /// `metadata.name`.
    name: Option<Text>,
    /// Label selector.
    selector: Option<Text>,
    /// The object's namespace.
    namespace: Option<Text>,
    /// Whether exactly one must be left. Default: true for a selector.
    one: Option<bool>,
    /// What to do when several are left.
    pick: Option<Pick>,
    /// JSON Pointer to a string field that holds YAML; captures then look into that.
    #[schemars(rename = "yaml-in")]
    yaml_in: Option<super::super::shapes::Pointer>,
}
