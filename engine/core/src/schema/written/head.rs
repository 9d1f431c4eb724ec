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
    /// The version of the format.
    #[schemars(rename = "apiVersion", extend("const" = "periplus.dev/v1"))]
    api_version: String,
    /// What this file is.
    #[schemars(extend("const" = "Runbook"))]
    kind: String,
    /// Name and title.
    metadata: Metadata,
    /// One or two sentences on what the runbook achieves.
    summary: Option<Prose>,
    /// Namespace of everything that names none itself.
    namespace: Option<Text>,
    /// What the user supplies.
    params: Option<BTreeMap<Name, Param>>,
    /// What must hold before the first change; checked all at once.
    requires: Option<Vec<Requirement>>,
    /// The steps. One without `needs` waits for all above it.
    steps: Vec<Step>,
    /// How the run is taken back when it ends.
    cleanup: Option<Cleanup>,
    /// Steps that only look, run after a failure for the report.
    on_failure: Option<Vec<Step>>,
    /// Remarks for the reader.
    notes: Option<Vec<Prose>>,
    /// The longest the whole run may take.
    timeout: Option<Period>,
}

/// Name and title of a runbook.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Metadata {
    /// Lower-case letters, digits and dashes.
    name: Id,
    /// What the page is called.
    title: Option<Prose>,
}

/// A value that the user supplies: by `--set`, a file, the environment, or the default.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = super::super::shapes::prose_goes_on)]
pub(in crate::schema) struct Param {
    /// What is accepted.
    #[schemars(rename = "type")]
    kind: ParamType,
    /// The words of an `enum`.
    values: Option<Vec<Prose>>,
    /// The type of the items of a `list`. Default: `string`.
    of: Option<ItemType>,
    /// What it is, for the reader.
    description: Option<Prose>,
    /// The value where none is given.
    default: Option<OneOrMany<Text>>,
    /// The environment variable that may supply it.
    env: Option<Prose>,
    /// Whether it may be left out; it is then empty.
    optional: Option<bool>,
    /// A regular expression that the whole value must match.
    pattern: Option<Prose>,
    /// Whether its value must never be shown.
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
    /// A DNS name or an address.
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
    /// An object exists.
    object: Option<ObjectRef>,
    /// The API server serves a kind.
    serves: Option<Serves>,
    /// The pods of a selector have an Istio sidecar.
    sidecar: Option<Sidecar>,
    /// The mesh writes an access log of this encoding.
    access_log: Option<Encoding>,
    /// We may do something, by an access review.
    can: Option<Can>,
}

/// A kind that the API server serves.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::schema) struct Serves {
    /// Such as `ServiceEntry`.
    kind: Text,
    /// Such as `networking.istio.io/v1beta1`.
    api_version: Text,
}

/// Pods that must have a sidecar.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Sidecar {
    /// Label selector.
    selector: Text,
    /// Namespace of the pods.
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
    /// Such as `create`.
    verb: Text,
    /// Plural resource, with its subresource if any, such as `pods/exec`.
    resource: Text,
    /// API group; the core group where absent.
    group: Option<Text>,
    /// Namespace of the action.
    namespace: Option<Text>,
}

/// How a run is taken back: by default all its changes, newest first.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::schema) struct Cleanup {
    /// Steps whose changes stay.
    keep: Option<Vec<Id>>,
    /// Further steps, run after the changes were taken back.
    steps: Option<Vec<Step>>,
}
