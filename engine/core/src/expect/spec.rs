//! Checks as they are written: raw template text, not yet compiled.
//!
//! These types know nothing of YAML: a loader fills them. [`OutputSpec::problems`] and its sisters say what is wrong
//! before any value is known; `compile` fills in the templates and gives the check that judges.

use std::ops::Range;

use serde_json::Value;

use super::mismatch::Matcher;
use super::pattern::{PatternError, PatternWarning};

/// Which of a program's two outputs the matchers look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Standard output, followed by standard error.
    Both,
}

/// How a program is meant to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExitSpec {
    /// With 0, since nothing is written.
    #[default]
    Zero,
    /// `exit`: with one of these.
    Codes(Vec<i32>),
    /// `fails: true`: with any of 1 to 125.
    Failure,
    /// However it ends: for `stop-on`, which asks about output alone.
    Any,
}

/// `expect-output` as it is written. Texts are template text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputSpec {
    /// `stream`.
    pub stream: Stream,
    /// `find`: a regular expression that narrows the text to its matches, joined by line breaks.
    pub find: Option<String>,
    /// `equals`.
    pub equals: Option<String>,
    /// `contains`: all must be there.
    pub contains: Vec<String>,
    /// `not-contains`: none may be there.
    pub not_contains: Vec<String>,
    /// `regex`: must match somewhere; `^` and `$` are line anchors.
    pub regex: Option<String>,
    /// `lines`: a pattern, see [`Pattern`](super::Pattern).
    pub lines: Option<String>,
    /// `json`: the text parses as JSON and contains this, whose templates are filled in already.
    pub json: Option<Value>,
    /// `yaml`: the text parses as YAML and contains this, whose templates are filled in already.
    pub yaml: Option<Value>,
    /// `exit` and `fails`.
    pub exit: ExitSpec,
    /// `at-least`: the text is a number that is not less. A number's text.
    pub at_least: Option<String>,
    /// `at-most`: the text is a number that is not greater. A number's text.
    pub at_most: Option<String>,
}

/// `log-grep` as it is written, as far as it is about matching. Texts are template text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogSpec {
    /// `contains`: all must be on one line.
    pub contains: Vec<String>,
    /// `not-contains`: no line of the window may hold any of them.
    pub not_contains: Vec<String>,
    /// `regex`: must match on one line, the same one that holds `contains`.
    pub regex: Option<String>,
    /// `lines`: whole lines in order; other lines may stand before, between and after.
    pub lines: Option<String>,
    /// `count`.
    pub count: Option<CountSpec>,
}

/// `count` as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountSpec {
    /// The least number of lines. Default: 1, or 0 where `max` is given.
    pub min: Option<u64>,
    /// The greatest number of lines. Default: none.
    pub max: Option<u64>,
}

/// `expect-object`, as far as it is about matching.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectSpec {
    /// The object contains this, whose templates are filled in already.
    pub matches: Option<Value>,
    /// There is no such object.
    pub absent: bool,
}

/// Something wrong with a check as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing is asserted, so that the check could never fail.
    #[error("the check asserts nothing, so it can never fail")]
    AssertsNothing,
    /// A matcher holds whatever the text is.
    #[error("`{}` holds for every text, so it can never fail", key.key())]
    AlwaysHolds {
        /// The matcher.
        key: Matcher,
    },
    /// A matcher never holds whatever the text is.
    #[error("`{}` with an empty text can never hold", key.key())]
    NeverHolds {
        /// The matcher.
        key: Matcher,
    },
    /// A regular expression cannot be read.
    #[error("`{key}` is not a regular expression: {cause}")]
    Regex {
        /// `regex` or `find`.
        key: &'static str,
        /// Why, in the words of the expression's parser.
        cause: String,
    },
    /// `lines` cannot be read.
    #[error("`lines`: {0}")]
    Pattern(PatternError),
    /// `lines` holds what is probably meant otherwise. A warning.
    #[error("`lines`: {0}")]
    PatternWarning(PatternWarning),
    /// A bound is not a number.
    #[error("`{}` takes a number, not `{written}`", key.key())]
    NotANumber {
        /// The matcher.
        key: Matcher,
        /// What is written.
        written: String,
    },
    /// The lower bound lies above the upper one.
    #[error("{lower} is greater than {upper}, so the check can never hold")]
    Bounds {
        /// The lower bound, with its key.
        lower: String,
        /// The upper bound, with its key.
        upper: String,
    },
    /// A program's exit code is 0 to 255.
    #[error("no program ends with exit code {code}; codes are 0 to 255")]
    ExitCode {
        /// The code.
        code: i32,
    },
    /// `absent` beside what the object should contain.
    #[error("`absent` and `matches` exclude each other")]
    AbsentAndMatches,
}

impl Problem {
    /// Whether the runbook can still be run.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(self, Self::PatternWarning(_))
    }

    /// Where it stands in the text of `lines`, in bytes, if it is about a place there.
    #[must_use]
    pub fn range(&self) -> Option<Range<usize>> {
        match self {
            Self::PatternWarning(warning) => Some(warning.range()),
            Self::Pattern(PatternError::InsideBlock { range, .. }) => Some(range.clone()),
            _ => None,
        }
    }
}

/// Why a check cannot be made ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError<E> {
    /// A template could not be rendered.
    #[error("{0}")]
    Render(E),
    /// With its values the check is wrong.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// With its values a line of `lines` is too large.
    #[error("`lines`: {cause}")]
    Lines {
        /// Why.
        cause: String,
    },
}
