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
    /// The step whose exec is judged. Required where `expect-output` is the verb, and not allowed beside an `exec`.
    of: Option<Id>,
    /// First narrow the text to the matches of this regular expression, as `grep -o` does.
    find: Option<Text>,
    /// Which stream is judged. Default: `stdout`.
    stream: Option<Stream>,
    /// The text is equal to this. Blanks at line ends, blank lines at the end and CRLF do not count.
    equals: Option<Text>,
    /// Literal text that is there; of a list, each.
    contains: Option<OneOrMany<Text>>,
    /// Literal text that is not there; of a list, none.
    not_contains: Option<OneOrMany<Text>>,
    /// A regular expression that matches somewhere; `^` and `$` are line anchors.
    regex: Option<Text>,
    /// Documented output: whole lines in order, with tokens such as `[ip]`, and `...` for any lines.
    lines: Option<Text>,
    /// The text is JSON and contains this value. Keys may be missing here, lists match by subset.
    json: Option<Any>,
    /// The text is YAML and contains this value, as with `json`.
    yaml: Option<Any>,
    /// The program's exit code: this one, or one of these. Default: 0.
    exit: Option<OneOrMany<Code>>,
    /// The program's exit code is any of 1 to 125. Only `true` can be written.
    fails: Option<bool>,
    /// The text is one number, and not smaller than this.
    at_least: Option<Text>,
    /// The text is one number, and not larger than this.
    at_most: Option<Text>,
    /// How long it may take until the check holds: the exec is repeated so long. Default: it runs once.
    within: Option<Period>,
    /// Time from one attempt to the next. Default: 1s.
    every: Option<Period>,
    /// How many attempts in a row must hold. Default: 1.
    consecutive: Option<Count>,
    /// Matchers that end the repetition at once: what they match will not get better by waiting.
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
    /// First narrow the text to the matches of this regular expression, as `grep -o` does.
    find: Option<Text>,
    /// Which stream is looked at. Default: `stdout`.
    stream: Option<Stream>,
    /// The text is equal to this.
    equals: Option<Text>,
    /// Literal text that is there; of a list, each.
    contains: Option<OneOrMany<Text>>,
    /// Literal text that is not there; of a list, none.
    not_contains: Option<OneOrMany<Text>>,
    /// A regular expression that matches somewhere.
    regex: Option<Text>,
    /// Whole lines in order, with tokens.
    lines: Option<Text>,
    /// The text is JSON and contains this value.
    json: Option<Any>,
    /// The text is YAML and contains this value.
    yaml: Option<Any>,
    /// The program's exit code: this one, or one of these. Default: any.
    exit: Option<OneOrMany<Code>>,
    /// The program's exit code is any of 1 to 125.
    fails: Option<bool>,
    /// The text is one number, and not smaller than this.
    at_least: Option<Text>,
    /// The text is one number, and not larger than this.
    at_most: Option<Text>,
}

/// Lines in a log that were written since a step.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["contains"]}, {"required": ["not-contains"]}, {"required": ["regex"]}, {"required": ["lines"]}
]))]
pub(in crate::schema) struct LogGrep {
    /// Whose log. Of several pods, a match in any counts.
    #[schemars(rename = "in")]
    target: In,
    /// An absolute path in the container. Default: the container's own log.
    file: Option<Text>,
    /// The step before whose last attempt the window opens: earlier lines do not count. Default: this step.
    since: Option<Id>,
    /// Literal text on a line; of a list, all on the same line.
    contains: Option<OneOrMany<Text>>,
    /// Literal text that is on no line of the window; of a list, none.
    not_contains: Option<OneOrMany<Text>>,
    /// A regular expression that matches a line: the one that holds `contains`.
    regex: Option<Text>,
    /// Documented lines in order, with tokens such as `[ip]`; other lines may stand between.
    lines: Option<Text>,
    /// How many lines match. Default: at least one.
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
    /// At most so many; 0 asserts absence. Default: no bound.
    max: Option<Nonnegative>,
}

/// What an object must look like.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = super::super::shapes::matches_or_absent)]
pub(in crate::schema) struct ExpectObject {
    /// The kind, such as `Deployment`.
    kind: Text,
    /// Group and version, such as `networking.istio.io/v1`. Default: the server's preferred version of the kind.
    api_version: Option<Text>,
    /// The object's name.
    name: Option<Text>,
    /// Label selector in place of a name; at least one object must match.
    selector: Option<Text>,
    /// The object's namespace; else the step's, else the runbook's. None for kinds that have none.
    namespace: Option<Text>,
    /// The object is there and contains this value. Keys may be missing here, lists match by subset.
    matches: Option<Any>,
    /// The object is not there. Only `true` can be written.
    #[schemars(extend("const" = true))]
    absent: Option<bool>,
    /// How long it may take until the check holds. Default: it is looked at once.
    within: Option<Period>,
    /// Time from one attempt to the next. Default: 1s.
    every: Option<Period>,
    /// How many attempts in a row must hold. Default: 1.
    consecutive: Option<Count>,
}
