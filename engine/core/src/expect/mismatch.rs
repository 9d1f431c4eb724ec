//! What a check expected and what it found instead, as data.
//!
//! A mismatch knows nothing of how it is shown: no colours, no columns, no prose beyond a parser's own words. Terminal,
//! JSON, JUnit and HTML print the same tree. Its size is bounded whatever a program wrote: see [`super::excerpt`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::excerpt::Excerpt;

/// One matcher that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mismatch {
    /// Which matcher.
    pub matcher: Matcher,
    /// What it looked at.
    pub subject: Subject,
    /// The regular expression of `find` that narrowed the text first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<String>,
    /// What differs.
    pub difference: Difference,
    /// What the reader should know before believing the difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// A key of the matching language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Matcher {
    /// `exit`, or the rule that a program ends with 0.
    Exit,
    /// `fails`.
    Fails,
    /// `equals`.
    Equals,
    /// `contains`.
    Contains,
    /// `not-contains`.
    NotContains,
    /// `regex`.
    Regex,
    /// `lines`.
    Lines,
    /// `json`.
    Json,
    /// `yaml`.
    Yaml,
    /// `at-least`.
    AtLeast,
    /// `at-most`.
    AtMost,
    /// `count`.
    Count,
    /// `matches` of `expect-object`.
    Object,
    /// `absent` of `expect-object`.
    Absent,
}

impl Matcher {
    /// The key as it is written in a runbook.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Fails => "fails",
            Self::Equals => "equals",
            Self::Contains => "contains",
            Self::NotContains => "not-contains",
            Self::Regex => "regex",
            Self::Lines => "lines",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::AtLeast => "at-least",
            Self::AtMost => "at-most",
            Self::Count => "count",
            Self::Object => "object",
            Self::Absent => "absent",
        }
    }
}

/// What a matcher looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// What a program wrote to standard output.
    Stdout,
    /// What a program wrote to standard error.
    Stderr,
    /// Standard output, followed by standard error.
    Both,
    /// How a program ended.
    ExitCode,
    /// The window of a log.
    Log,
    /// An object of the cluster.
    Object,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Difference {
    /// Two texts, line by line. Of a pattern, every token that did match is replaced by what it matched.
    Text {
        /// The lines of both, in order.
        lines: Vec<DiffLine>,
    },
    /// Text that should be there and is not.
    Missing {
        /// What is missing, each with what comes closest to it.
        texts: Vec<MissingText>,
    },
    /// Text that should not be there and is.
    Unwanted {
        /// What was found, each with where.
        texts: Vec<UnwantedText>,
    },
    /// A regular expression matches nowhere.
    NoMatch {
        /// The expression.
        regex: String,
        /// The text it was tried on, or the log lines that come closest.
        actual: Excerpt,
    },
    /// A pattern of log lines was not found whole.
    LogLines {
        /// How many lines of the pattern were found, in order, in the best attempt.
        found: u64,
        /// How many lines the pattern has.
        of: u64,
        /// The first line that was not found.
        missing: NearestLine,
    },
    /// A program ended otherwise.
    Exit {
        /// How it should end.
        expected: ExpectedExit,
        /// How it ended.
        actual: i32,
        /// What it wrote to standard error, which most often says why.
        stderr: Excerpt,
    },
    /// A number lies outside its bound.
    Number {
        /// The bound, as the runbook gives it.
        bound: String,
        /// The number that was found, as the program wrote it.
        actual: String,
    },
    /// The text is not one number.
    NotANumber {
        /// The bound, as the runbook gives it.
        bound: String,
        /// The text.
        actual: Excerpt,
    },
    /// Too few or too many log lines.
    Count {
        /// The least number of lines. Default: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<u64>,
        /// The greatest number of lines. Default: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u64>,
        /// How many were counted.
        actual: u64,
        /// The first few that were counted.
        lines: Vec<LogLine>,
    },
    /// Values that differ in a structure.
    Values {
        /// Each place that differs, in the order of what was expected; at most 50.
        paths: Vec<PathDifference>,
        /// How many more differ.
        more: u64,
    },
    /// The text cannot be parsed.
    Unparsable {
        /// Why, in the parser's words.
        cause: String,
        /// The text.
        actual: Excerpt,
    },
    /// There is no such object.
    NoObject,
    /// There is an object where there should be none.
    ObjectExists,
}

/// A line of a line-by-line difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DiffLine {
    /// The same on both sides.
    Equal {
        /// The line.
        text: String,
    },
    /// Expected only.
    Delete {
        /// The line in pieces; what distinguishes it from its counterpart is emphasised.
        pieces: Vec<Piece>,
    },
    /// Found only.
    Insert {
        /// The line in pieces; what distinguishes it from its counterpart is emphasised.
        pieces: Vec<Piece>,
    },
    /// Lines that `...` took.
    AnyLines {
        /// How many.
        count: u64,
    },
    /// Lines that are left out here, since there are too many.
    Omitted {
        /// How many of what was expected.
        expected: u64,
        /// How many of what was found.
        actual: u64,
    },
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether this is what makes the line differ. Default: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emphasised: bool,
}

/// A text that should be there and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingText {
    /// What is missing.
    pub text: String,
    /// The line that comes closest, if any resembles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<LogLine>,
}

/// A text that should not be there and is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnwantedText {
    /// What was found.
    pub text: String,
    /// The first few lines that hold it.
    pub lines: Vec<LogLine>,
    /// How many more lines hold it.
    pub more: u64,
}

/// A line of a text or of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// Which of several logs, by its position in the step's list of logs. Default: the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log: u64,
    /// Its number, from 1, in the text or in the log's window.
    pub number: u64,
    /// The line.
    pub text: String,
}

/// A pattern line that was not found, beside the line that comes closest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NearestLine {
    /// The pattern line; every token that fits the closest line is replaced by what it takes there.
    pub expected: Vec<Piece>,
    /// The closest line, if any resembles the pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<NearLine>,
}

/// The line that comes closest to a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NearLine {
    /// Which of several logs, by its position in the step's list of logs. Default: the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log: u64,
    /// Its number, from 1, in the log's window.
    pub number: u64,
    /// The line in pieces; what distinguishes it from the pattern is emphasised.
    pub pieces: Vec<Piece>,
}

/// How a program should end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExpectedExit {
    /// With 0.
    Zero,
    /// With one of these.
    Codes {
        /// The codes, as the runbook lists them.
        codes: Vec<i32>,
    },
    /// With any of 1 to 125.
    Failure,
}

/// A place in a structure whose value is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathDifference {
    /// Where, as a JSON Pointer; empty for the whole.
    pub path: String,
    /// What was expected there, as JSON on one line.
    pub expected: String,
    /// What is there, as JSON on one line. Absent where there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
}

/// What the reader should know before believing a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Note {
    /// The output is not UTF-8; what could not be read stands as U+FFFD.
    NotUtf8,
    /// `find` matched nothing, so that the matchers saw an empty text.
    FindMatchedNothing,
    /// The pattern fits line by line, but a name captured more than once took different values.
    CapturesDiffer {
        /// The name.
        name: String,
        /// The values it took, in order.
        values: Vec<String>,
    },
    /// There were too many ways to match the pattern for all to be tried.
    SearchCut,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
