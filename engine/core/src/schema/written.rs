//! The runbook as it is written, for its JSON Schema alone: nothing is ever read into these types.
//!
//! Every key of the format stands here once, with the sentence that editors show for it. A test holds the loader and
//! the schema to the same files.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::shapes::{Any, Count, Id, Name, Nonnegative, OneOrMany, Period, Prose, Text, prose_goes_on};

/// A runbook: a procedure for Kubernetes as a graph of steps, to be rehearsed, run, checked and published.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Runbook {
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
pub(super) struct Metadata {
    /// Lower-case letters, digits and dashes.
    name: Id,
    /// What the page is called.
    title: Option<Prose>,
}

/// A value that the user supplies: by `--set`, a file, the environment, or the default.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = prose_goes_on)]
pub(super) struct Param {
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
pub(super) enum ParamType {
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
pub(super) enum ItemType {
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
pub(super) struct Requirement {
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
pub(super) struct Serves {
    /// Such as `ServiceEntry`.
    kind: Text,
    /// Such as `networking.istio.io/v1beta1`.
    api_version: Text,
}

/// Pods that must have a sidecar.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Sidecar {
    /// Label selector.
    selector: Text,
    /// Namespace of the pods.
    namespace: Option<Text>,
}

/// Encoding of an access log.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// Envoy's text format.
    Text,
    /// JSON lines.
    Json,
}

/// An action that RBAC must allow.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Can {
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
pub(super) struct Cleanup {
    /// Steps whose changes stay.
    keep: Option<Vec<Id>>,
    /// Further steps, run after the changes were taken back.
    steps: Option<Vec<Step>>,
}

/// One step: an id, prose, and exactly one verb, with what may stand beside it.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, transform = super::shapes::one_verb)]
pub(super) struct Step {
    /// Names it, once in a runbook.
    id: Id,
    /// What it is called.
    title: Option<Prose>,
    /// Prose for the reader, in Markdown.
    doc: Option<Prose>,
    /// The steps it waits for; all above it where absent.
    needs: Option<Vec<Id>>,
    /// A CEL condition over parameters and captures; when false the step is skipped.
    when: Option<Text>,
    /// What it does to others, stated before it is done.
    impact: Option<Text>,
    /// Namespace of what it names, where that names none itself.
    namespace: Option<Text>,
    /// How a change that fails is repeated.
    retry: Option<Retry>,
    /// The longest it may take, all attempts included.
    timeout: Option<Period>,
    /// Values it takes from the world, by name.
    capture: Option<BTreeMap<Name, Capture>>,
    /// Apply manifests (server-side apply).
    apply: Option<Apply>,
    /// Run a program in a container.
    exec: Option<Exec>,
    /// Judge the output of an exec.
    expect_output: Option<ExpectOutput>,
    /// Find lines in a log.
    log_grep: Option<LogGrep>,
    /// Delete objects.
    delete: Option<ObjectRef>,
    /// Change fields of an object.
    patch: Option<Patch>,
    /// Wait for objects: `rollout` and the like beside a verb, with an object by itself.
    wait: Option<Wait>,
    /// Read an object, to capture from it.
    get: Option<Get>,
    /// Judge an object.
    expect_object: Option<ExpectObject>,
}

/// How a change that fails is repeated.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Retry {
    /// Attempts in all. Default: 3.
    attempts: Option<Count>,
    /// Time between attempts, doubled after each. Default: 1s, at most 30s.
    backoff: Option<Backoff>,
    /// Which failures are worth another attempt.
    #[schemars(rename = "for")]
    on: Option<OneOrMany<Cause>>,
}

/// A failure that is worth another attempt.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Cause {
    /// One that may pass by itself: 429, 5xx, a connection that was lost.
    Transient,
}

/// Time between attempts.
#[derive(JsonSchema)]
#[schemars(transform = super::shapes::or_period, deny_unknown_fields)]
pub(super) struct Backoff {
    /// Before the second attempt. Default: 1s.
    initial: Option<Period>,
    /// The bound. Default: 30s.
    max: Option<Period>,
}

/// A value taken from the world: a JSONPath, or `path` or `find` with a default.
#[derive(JsonSchema)]
#[schemars(transform = super::shapes::path_or_find, deny_unknown_fields)]
pub(super) struct Capture {
    /// JSONPath in the object.
    path: Option<Text>,
    /// Regular expression in standard output: its first group, else the whole match.
    find: Option<Text>,
    /// The value where there is none.
    default: Option<Text>,
}

/// Manifests to apply.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["manifest"]}, {"required": ["file"]}]))]
pub(super) struct Apply {
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
#[schemars(deny_unknown_fields, transform = super::shapes::whole_exec)]
pub(super) struct Exec {
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
pub(super) enum Effect {
    /// It only looks.
    Read,
    /// It changes something.
    Change,
}

/// A container.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["workload"]}, {"required": ["pod"]}, {"required": ["selector"]}]))]
pub(super) struct In {
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
pub(super) enum Pick {
    /// It is an error that lists them.
    One,
    /// The first by name is taken.
    Any,
}

/// What the output of an exec must be. All that is given must hold.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, transform = super::shapes::asserts)]
pub(super) struct ExpectOutput {
    /// The exec whose output is judged; absent beside an `exec`.
    of: Option<Id>,
    /// First narrow the text to the matches of this regular expression, as `grep -o` does.
    find: Option<Text>,
    /// Which stream is judged. Default: `stdout`.
    stream: Option<Stream>,
    /// The text is equal, trailing white space aside.
    equals: Option<Text>,
    /// Literal texts that must all be there.
    contains: Option<OneOrMany<Text>>,
    /// Literal texts none of which may be there.
    not_contains: Option<OneOrMany<Text>>,
    /// A regular expression that matches somewhere; `^` and `$` are line anchors.
    regex: Option<Text>,
    /// Documented output: whole lines in order, with tokens such as `[ip]`, and `...` for any lines.
    lines: Option<Text>,
    /// The text is JSON and contains this value.
    json: Option<Any>,
    /// The text is YAML and contains this value.
    yaml: Option<Any>,
    /// What the program returns: a code, or one of several. Default: 0.
    exit: Option<OneOrMany<Code>>,
    /// The program returns any of 1 to 125.
    fails: Option<bool>,
    /// The number found is not smaller.
    at_least: Option<Text>,
    /// The number found is not larger.
    at_most: Option<Text>,
    /// How long it may take until the check holds. Default: the exec runs once.
    within: Option<Period>,
    /// Time from one attempt to the next. Default: 1s.
    every: Option<Period>,
    /// How many attempts in a row must hold. Default: 1.
    consecutive: Option<Count>,
    /// What ends the repetition at once: it will not get better by waiting.
    stop_on: Option<StopOn>,
}

/// An exit code.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct Code(#[schemars(range(min = 0, max = 255))] i64);

/// Which stream is judged.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Standard output followed by standard error.
    Both,
}

/// Matchers that end a repetition at once.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, transform = super::shapes::asserts)]
pub(super) struct StopOn {
    find: Option<Text>,
    stream: Option<Stream>,
    equals: Option<Text>,
    contains: Option<OneOrMany<Text>>,
    not_contains: Option<OneOrMany<Text>>,
    regex: Option<Text>,
    lines: Option<Text>,
    json: Option<Any>,
    yaml: Option<Any>,
    exit: Option<OneOrMany<Code>>,
    fails: Option<bool>,
    at_least: Option<Text>,
    at_most: Option<Text>,
}

/// Lines in a log that were written since a step.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["contains"]}, {"required": ["not-contains"]}, {"required": ["regex"]}, {"required": ["lines"]}
]))]
pub(super) struct LogGrep {
    /// Whose log.
    #[schemars(rename = "in")]
    target: In,
    /// An absolute path in the container; the container's own log where absent.
    file: Option<Text>,
    /// The step before whose last attempt the window opens; this step itself where absent.
    since: Option<Id>,
    /// Literal texts that must all be on one line.
    contains: Option<OneOrMany<Text>>,
    /// Literal texts that may be on no line.
    not_contains: Option<OneOrMany<Text>>,
    /// A regular expression that matches a line.
    regex: Option<Text>,
    /// Documented lines in order, with tokens such as `[ip]`; other lines may stand between.
    lines: Option<Text>,
    /// How many lines must match.
    count: Option<LogCount>,
    /// How long it may take until the checks hold. Default: 30s.
    within: Option<Period>,
    /// How long no new line may come before an upper bound is judged. Default: 3s.
    settle: Option<Period>,
}

/// How many lines must match.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["max"]}, {"required": ["min"], "properties": {"min": {"minimum": 1}}}]))]
pub(super) struct LogCount {
    /// At least so many. Default: 1, or 0 where only `max` is given.
    min: Option<Nonnegative>,
    /// At most so many; 0 asserts absence.
    max: Option<Nonnegative>,
}

/// An object, or several by their labels.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["name"]}, {"required": ["selector"]}]))]
pub(super) struct ObjectRef {
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
pub(super) struct Patch {
    /// The object.
    object: ObjectRef,
    /// JSON Pointer to a string field that holds YAML, which is then patched; with `merge` only.
    yaml_in: Option<super::shapes::Pointer>,
    /// JSON merge patch (RFC 7386).
    merge: Option<Any>,
    /// JSON patch (RFC 6902).
    json: Option<Any>,
    /// Kubernetes' strategic merge patch.
    strategic: Option<Any>,
}

/// What to wait for: `rollout`, `deletion`, `condition=TYPE`, `jsonpath={.path}=VALUE`, or these under `for`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = super::shapes::or_condition)]
pub(super) struct Wait {
    /// What to wait for.
    #[schemars(rename = "for")]
    condition: super::shapes::Condition,
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
pub(super) struct Get {
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
    yaml_in: Option<super::shapes::Pointer>,
}

/// What an object must look like.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = super::shapes::matches_or_absent)]
pub(super) struct ExpectObject {
    /// Such as `Deployment`.
    kind: Text,
    /// Such as `networking.istio.io/v1`; the server's preferred version where absent.
    api_version: Option<Text>,
    /// `metadata.name`.
    name: Option<Text>,
    /// Label selector; at least one object must match.
    selector: Option<Text>,
    /// The object's namespace.
    namespace: Option<Text>,
    /// The object is there and contains this value; lists match by subset.
    matches: Option<Any>,
    /// The object is not there.
    #[schemars(extend("const" = true))]
    absent: Option<bool>,
    /// How long it may take until the check holds.
    within: Option<Period>,
    /// Time from one attempt to the next. Default: 1s.
    every: Option<Period>,
    /// How many attempts in a row must hold. Default: 1.
    consecutive: Option<Count>,
}
