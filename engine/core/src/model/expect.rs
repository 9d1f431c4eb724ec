//! Checks as written: the matching language before its templates are filled in.

use super::{Duration, StepId, Text, Tree};
use crate::source::{Span, Spanned};

/// `expect-output`: what an exec must have given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectOutput {
    /// The exec whose output is judged; absent beside an `exec`.
    pub of: Option<Spanned<StepId>>,
    /// What must hold.
    pub check: Check,
    /// How it is repeated until it holds.
    pub polling: Polling,
    /// Matchers that end the repetition at once: what they match will not get better by waiting.
    pub stop_on: Option<Check>,
    /// Where it stands.
    pub span: Span,
}

/// How a check is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// How long it may take until the check holds; once, where absent.
    pub within: Option<Duration>,
    /// Time from one attempt's end to the next. Default `1s`.
    pub every: Duration,
    /// How many attempts in a row must hold. Default 1.
    pub consecutive: u32,
}

impl Default for Polling {
    fn default() -> Self {
        Self { within: None, every: Duration::from_secs(1), consecutive: 1 }
    }
}

/// The matchers on a program's output. All that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// First narrow the text to the matches of this regular expression, as `grep -o` does.
    pub find: Option<Text>,
    /// Which stream is judged. Default `stdout`.
    pub stream: Stream,
    /// The text is equal, after trailing white space and CRLF are normalised.
    pub equals: Option<Text>,
    /// Literal texts that must all be there.
    pub contains: Vec<Text>,
    /// Literal texts none of which may be there.
    pub not_contains: Vec<Text>,
    /// A regular expression that matches somewhere; `^` and `$` are line anchors.
    pub regex: Option<Text>,
    /// Documented output: whole lines in order, with tokens.
    pub lines: Option<Text>,
    /// The text is JSON and contains this value.
    pub json: Option<Tree>,
    /// The text is YAML and contains this value.
    pub yaml: Option<Tree>,
    /// What the program must have returned.
    pub exits: Option<Exits>,
    /// The number found must not be smaller.
    pub at_least: Option<Text>,
    /// The number found must not be larger.
    pub at_most: Option<Text>,
}

/// What a program must have returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exits {
    /// One of these codes.
    With(Vec<i32>),
    /// Any of 1 to 125.
    Fails,
}

/// Which stream of a program is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Standard output followed by standard error.
    Both,
}

/// The matchers of `log-grep`. All that are given must hold on the log's window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogChecks {
    /// Literal texts that must all be on one line.
    pub contains: Vec<Text>,
    /// Literal texts that may be on no line.
    pub not_contains: Vec<Text>,
    /// A regular expression that matches a line.
    pub regex: Option<Text>,
    /// Documented lines in order, with tokens; other lines may stand before, between and after.
    pub lines: Option<Text>,
    /// How many lines must match.
    pub count: Option<LogCount>,
}

/// How many lines must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCount {
    /// At least so many. Default 1, or 0 where only `max` is given.
    pub min: u64,
    /// At most so many; 0 asserts absence.
    pub max: Option<u64>,
}
