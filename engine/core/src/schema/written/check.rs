//! Checks.
//!
//! Every check can fail: one that asserts nothing does not fit the schema.

use schemars::JsonSchema;

use super::super::shapes::{Any, Count, Id, Nonnegative, OneOrMany, Period, Text};
use super::In;

/// What the output of an exec must be. All that is given must hold.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, transform = super::super::shapes::asserts)]
pub(in crate::schema) struct ExpectOutput {
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
pub(in crate::schema) struct Code(#[schemars(range(min = 0, max = 255))] i64);

/// Which stream is judged.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(in crate::schema) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Standard output followed by standard error.
    Both,
}

/// Matchers that end a repetition at once.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, transform = super::super::shapes::asserts)]
pub(in crate::schema) struct StopOn {
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
pub(in crate::schema) struct LogGrep {
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
pub(in crate::schema) struct LogCount {
    /// At least so many. Default: 1, or 0 where only `max` is given.
    min: Option<Nonnegative>,
    /// At most so many; 0 asserts absence.
    max: Option<Nonnegative>,
}

/// What an object must look like.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = super::super::shapes::matches_or_absent)]
pub(in crate::schema) struct ExpectObject {
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
