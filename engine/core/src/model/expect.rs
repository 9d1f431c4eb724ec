//! Checks as written: the matching language before its templates are filled in.

use super::{Duration, StepId, Text, Tree};
use crate::expect::{self, CountSpec, ExitSpec, LogSpec, OutputSpec};
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

impl Check {
    /// The check in the terms of the matching language. `tree` fills in the values of `json` and `yaml`; `unasked` is
    /// what holds for the exit code where the check does not speak of it.
    ///
    /// # Errors
    /// What `tree` said.
    pub fn spec<E>(
        &self,
        unasked: ExitSpec,
        mut tree: impl FnMut(&Tree) -> Result<serde_json::Value, E>,
    ) -> Result<OutputSpec, E> {
        Ok(OutputSpec {
            stream: match self.stream {
                Stream::Stdout => expect::Stream::Stdout,
                Stream::Stderr => expect::Stream::Stderr,
                Stream::Both => expect::Stream::Both,
            },
            find: raw(self.find.as_ref()),
            equals: raw(self.equals.as_ref()),
            contains: raws(&self.contains),
            not_contains: raws(&self.not_contains),
            regex: raw(self.regex.as_ref()),
            lines: raw(self.lines.as_ref()),
            json: self.json.as_ref().map(&mut tree).transpose()?,
            yaml: self.yaml.as_ref().map(&mut tree).transpose()?,
            exit: match &self.exits {
                None => unasked,
                Some(Exits::With(codes)) => ExitSpec::Codes(codes.clone()),
                Some(Exits::Fails) => ExitSpec::Failure,
            },
            at_least: raw(self.at_least.as_ref()),
            at_most: raw(self.at_most.as_ref()),
        })
    }
}

impl LogChecks {
    /// The checks in the terms of the matching language.
    #[must_use]
    pub fn spec(&self) -> LogSpec {
        LogSpec {
            contains: raws(&self.contains),
            not_contains: raws(&self.not_contains),
            regex: raw(self.regex.as_ref()),
            lines: raw(self.lines.as_ref()),
            count: self.count.map(|count| CountSpec { min: Some(count.min), max: count.max }),
        }
    }
}

fn raw(text: Option<&Text>) -> Option<String> {
    text.map(|text| text.raw.clone())
}

fn raws(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.raw.clone()).collect()
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
