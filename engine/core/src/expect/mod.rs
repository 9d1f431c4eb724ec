//! The matching language: what `expect-output`, `log-grep` and `expect-object` ask, and what they found instead.
//!
//! Nothing here knows where a text comes from, when it is asked for again, or how a difference is shown. A check goes
//! through three forms: as written ([`OutputSpec`], [`LogSpec`], [`ObjectSpec`], which can tell what is wrong with them
//! before any value is known), ready to judge ([`OutputCheck`], [`LogCheck`], [`ObjectCheck`]), and judged
//! ([`Judgement`], [`LogJudgement`], with every [`Mismatch`] as data).
//!
//! # The language
//!
//! All matchers of a check must hold.
//!
//! | key | holds when |
//! | --- | --- |
//! | `equals` | the text is equal. Blanks at line ends, blank lines at the end and CRLF do not count |
//! | `contains` | the literal text is there; of a list, each. In a log: all on one line |
//! | `not-contains` | the literal text, or each of a list, is not there. In a log: on no line of the window |
//! | `regex` | the regular expression matches somewhere; `^` and `$` stand for the ends of lines. In a log: on the line that holds `contains` |
//! | `lines` | the lines are those of the pattern, see below. In a log: whole lines in order, with any others before, between and after |
//! | `json`, `yaml` | the text parses and contains the value, see below |
//! | `exit` | the program ended with this code, or one of these; without `exit` and `fails` with 0 |
//! | `fails: true` | the program ended with any of 1 to 125 |
//! | `at-least`, `at-most` | the text is one decimal number within the bound |
//! | `count` | `min` and `max` bound how many log lines hold `contains` and `regex`; if there is neither, how often `lines` is found; else how many lines there are. `min` is 1 where nothing is written, 0 where only `max` is |
//!
//! `find` first narrows the text to the matches of a regular expression, joined by line breaks, as `grep -o` does;
//! empty matches are left out. `stream` chooses `stdout` (where nothing is written), `stderr`, or `both`, one after the
//! other. The line break with which a block scalar ends is no part of what is looked for; blanks around a text are.
//!
//! Output that is not UTF-8 is read with U+FFFD in place of what cannot be, and the mismatch says so.
//!
//! A matcher that would hold for every text, such as `contains: ""`, `regex: .*` or `lines: ...`, is an error, and so
//! is a check without a matcher: what cannot fail checks nothing.
//!
//! ## `lines`
//!
//! The sample that a reader sees and the pattern that is checked are the same text:
//!
//! ```text
//! [[timestamp]] "- - -" 0 -[..] [int] "[addr]" outbound|[port]||proxy.example [addr:SOURCE] -
//! ...
//! done after [duration]
//! ```
//!
//! - `...` alone on a line stands for any number of lines, also none. `[..]` stands for any text within the line,
//!   also none.
//! - `[int]` and its like stand for a value of that kind; the kinds are those of [`Token`]. `[int:NAME]` keeps the value
//!   under a name. A name that stands more than once must be the same each time.
//! - A run of blanks stands for any run of blanks. Blanks at line ends and blank lines at the end do not count.
//! - Every other bracket is itself: in `[[timestamp]]` the outer two are. `\[` is a bracket where a token would be read,
//!   and `\...` alone on a line is three dots. What is nearly a token, such as `[IP]`, is warned of.
//! - Tokens are read before templates are filled in: a value is never a wildcard. Between `{{` and `}}` nothing is read,
//!   and a block such as `{{#if}}` cannot hold a token.
//! - `[..]` and `...` take as little as they can and tokens as much as they can, as far as the whole still fits.
//! - In a log, blank lines of the pattern and `...` are passed over.
//!
//! | token | takes |
//! | --- | --- |
//! | `[ip]` | an IPv4 or IPv6 address |
//! | `[port]` | 0 to 65535 |
//! | `[addr]` | `ip:port`, or `[v6]:port` |
//! | `[int]` | a whole number, with or without a sign |
//! | `[number]` | a decimal number: `228`, `-1.5`, `1e-3` |
//! | `[duration]` | a duration as Go and kubectl print it: `120ms`, `1h2m`, `3d4h` |
//! | `[timestamp]` | a date with a time of day: RFC 3339, `2006/01/02 15:04:05`, and those of HTTP and Apache |
//! | `[date]` | `2006-01-02`, `2006/01/02`, `02/Jan/2006` |
//! | `[uuid]` | a UUID |
//! | `[hash]` | a generated part of a Kubernetes name (`69c8f5c7b9`, `x2k4l`), or a digest: `sha256:9f86d0…` |
//! | `[hex]` | a hexadecimal number, with or without `0x` |
//! | `[word]` | anything without a blank |
//! | `[url]` | a URL with `://` |
//! | `[host]` | a DNS name or an IPv4 address |
//!
//! ## `json`, `yaml` and objects
//!
//! Only what is written is asked for. A mapping may have more keys. A list contains another if each of its items has an
//! item of its own that contains it, in any order; `[]` asks for an empty list. `null` asks for null, or nothing at
//! all. `1` is `1.0`, but not `"1"`.
//!
//! # Bounds
//!
//! Matching takes time linear in the text. Where a name stands more than once, ways to match are searched, and the
//! search is bounded; a mismatch says when it was cut. A mismatch has 100 KiB or so at most, whatever was written.

mod align;
mod compile;
mod diff;
mod excerpt;
mod line;
mod lines_diff;
mod log;
mod mismatch;
mod output;
mod pattern;
mod search;
mod sequence;
mod spec;
mod text;
mod token;
mod value;

pub use excerpt::Excerpt;
pub use line::{Captures, LineError};
pub use log::{LogCheck, LogJudgement, LogScan};
pub use mismatch::{
    DiffLine, Difference, ExpectedExit, LogLine, Matcher, Mismatch, MissingText, NearLine, NearestLine, Note,
    PathDifference, Piece, Subject, UnwantedText,
};
pub use output::{ExecOutput, Judgement, OutputCheck};
pub use pattern::{FillError, Pattern, PatternError, PatternPart, PatternWarning};
pub use sequence::Lines;
pub use spec::{CompileError, CountSpec, ExitSpec, LogSpec, ObjectSpec, OutputSpec, Problem, Stream};
pub use token::Token;
pub use value::ObjectCheck;

#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod pattern_tests;
#[cfg(test)]
mod properties_tests;
#[cfg(test)]
mod value_tests;
