//! What stands outside the steps.
//!
//! Nothing here is about a single step.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::super::shapes::{Id, Name, OneOrMany, Period, Prose, Text};
use super::{ObjectRef, Step};

/// A runbook: a procedure for Kubernetes as a graph of steps, to be rehearsed, run, checked and published.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::schema) struct Runbook {
    /// The version of the format: always `periplus.dev/v1`.
    #[schemars(rename = "apiVersion", extend("const" = "periplus.dev/v1"))]
    api_version: String,
    /// What this file is: always `Runbook`.
    #[schemars(extend("const" = "Runbook"))]
    kind: String,
    /// The runbook's name and title.
    metadata: Metadata,
    /// One or two sentences on what the runbook achieves.
    summary: Option<Prose>,
    /// Namespace of everything that names none itself. There is no other fallback: the kubeconfig's is never used.
    namespace: Option<Text>,
    /// The parameters, by name: what the user supplies.
    params: Option<BTreeMap<Name, Param>>,
    /// What must hold before the first change. All of it is checked at once; what is unmet ends the run with exit code 3.
    requires: Option<Vec<Requirement>>,
    /// The steps, in file order. One without `needs` waits for all above it.
    steps: Vec<Step>,
    /// Take the run's changes back when it ends, also after a failure; `{}` for all of them. Default: changes stay, and
    /// `periplus undo` takes them back.
    cleanup: Option<Cleanup>,
    /// Steps that only look, carried out after a failure: what they see goes into the report.
    on_failure: Option<Vec<Step>>,
    /// Remarks for the reader, in Markdown.
    notes: Option<Vec<Prose>>,
    /// The longest the whole run may take. Default: no limit.
    timeout: Option<Period>,
}

/// Name and title of a runbook.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Metadata {
    /// Names the runbook: lower-case letters, digits and dashes, at most 63.
    name: Id,
    /// What the runbook and its page are called. Default: the name.
    title: Option<Prose>,
}

/// A value that the user supplies: by `--set`, a file, the environment, or the default.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = super::super::shapes::prose_goes_on)]
pub(in crate::schema) struct Param {
    /// What values it takes.
    #[schemars(rename = "type")]
    kind: ParamType,
    /// The words of which an `enum` takes one.
    values: Option<Vec<Prose>>,
    /// The type of the items of a `list`. Default: `string`.
    of: Option<ItemType>,
    /// What it is, for the reader.
    description: Option<Prose>,
    /// The value where none is given; a list for type `list`. Without it, and without `optional`, a value must be given.
    default: Option<OneOrMany<Text>>,
    /// The environment variable that may supply it. In a rehearsal the world's `params:` take its place.
    env: Option<Prose>,
    /// Whether it may be left out; it is then empty. Default: false.
    optional: Option<bool>,
    /// A regular expression that the whole value must match.
    pattern: Option<Prose>,
    /// Whether its value must never be shown, journaled or put into arguments of a program. Default: false.
    secret: Option<bool>,
}

/// What a parameter accepts.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum ParamType {
    /// Any text.
    String,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A DNS name, or an address.
    Host,
    /// An address with a prefix length.
    Cidr,
    /// 1 to 65535.
    Port,
    /// An absolute URL with a host.
    Url,
    /// The name of a Kubernetes object.
    Name,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Such as `30s`.
    Duration,
    /// The path of a text file; the value is its text.
    File,
    /// One of the words in `values`.
    Enum,
    /// Several values of the type in `of`.
    List,
}

/// The type of a list's items.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum ItemType {
    String,
    Ip,
    Host,
    Cidr,
    Port,
    Url,
    Name,
    Int,
    Number,
    Bool,
    Duration,
    File,
}

/// What must hold before the first change: exactly one of the keys.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::schema) struct Requirement {
    /// This object exists.
    object: Option<ObjectRef>,
    /// The API server serves this kind: its custom resource definition is installed.
    serves: Option<Serves>,
    /// All pods of a selector have an Istio sidecar, and there is at least one.
    sidecar: Option<Sidecar>,
    /// The mesh writes an access log in this encoding.
    access_log: Option<Encoding>,
    /// RBAC lets us do this, by an access review.
    can: Option<Can>,
}

/// A kind that the API server serves.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::schema) struct Serves {
    /// The kind, such as `ServiceEntry`.
    kind: Text,
    /// Group and version, such as `networking.istio.io/v1beta1`.
    api_version: Text,
}

/// Pods that must have a sidecar.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Sidecar {
    /// The pods' label selector, such as `app=sleep`.
    selector: Text,
    /// Namespace of the pods; else the runbook's.
    namespace: Option<Text>,
}

/// Encoding of an access log.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum Encoding {
    /// Envoy's text format.
    Text,
    /// JSON lines.
    Json,
}

/// An action that RBAC must allow.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Can {
    /// The verb, such as `create` or `get`.
    verb: Text,
    /// Plural resource, with its subresource if any, such as `pods/exec`.
    resource: Text,
    /// The resource's API group. Default: the core group.
    group: Option<Text>,
    /// Namespace of the action; else the runbook's, else all namespaces.
    namespace: Option<Text>,
}

/// How a run is taken back: by default all its changes, newest first.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Cleanup {
    /// Steps whose changes stay. Default: none.
    keep: Option<Vec<Id>>,
    /// Further steps, carried out after the changes were taken back.
    steps: Option<Vec<Step>>,
}
