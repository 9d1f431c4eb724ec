//! Output that was really seen, kept beside a runbook so that its page can show it.
//!
//! A page is made from files alone: what a run saw is taken from its journal once, masked as it was journaled, and
//! written down in a file that is committed with the runbook.

use indexmap::IndexMap;
use periplus_core::event::Target;
use periplus_core::outcome::{RunResult, StepOutcome};
use periplus_core::state::RunState;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Lines of one output that a page shows before it leaves out the middle.
const MOST_LINES: usize = 24;
/// Lines kept before and after what is left out.
const KEPT: (usize, usize) = (12, 8);
/// Characters of a line that a page shows before it leaves out the middle.
const MOST_COLUMNS: usize = 400;

/// What a run saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// The run's id.
    pub run: String,
    /// Where it took place: `REHEARSAL`, or `RUN on CONTEXT`.
    pub target: String,
    /// Whether that was the embedded lab.
    pub simulated: bool,
    /// The day, such as `2026-11-25`.
    pub date: String,
    /// Version of Periplus.
    pub periplus: String,
    /// Version of Kubernetes, where the target said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// SHA-256 over the runbook and the files it names, in hex, as they were.
    pub runbook: String,
    /// The parameters' values; secrets are masked.
    pub params: IndexMap<String, String>,
    /// What was captured; secrets are masked.
    pub captures: IndexMap<String, String>,
    /// What each step's checks saw, by the step's id, shortened.
    pub seen: IndexMap<String, Vec<String>>,
}

/// Why a run cannot vouch for a page.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotVerified {
    /// The journal ends before the run began.
    #[error("the run never started")]
    NotStarted,
    /// Another runbook.
    #[error("the run is one of runbook {0}")]
    OtherRunbook(String),
    /// It failed, or is not over.
    #[error("the run did not pass: only output that held its checks can be shown")]
    NotPassed,
}

impl Verified {
    /// What a run of runbook `name` saw. `date` is the day of the run, or for a rehearsal, whose clock is the lab's, the
    /// day on which it is looked at.
    ///
    /// # Errors
    /// [`NotVerified`] if it is not a run of this runbook that passed.
    pub fn of(state: &RunState, name: &str, date: &str) -> Result<Self, NotVerified> {
        let started = state.started.as_ref().ok_or(NotVerified::NotStarted)?;
        if started.runbook.name != name {
            return Err(NotVerified::OtherRunbook(started.runbook.name.clone()));
        }
        if state.result != Some(RunResult::Passed) {
            return Err(NotVerified::NotPassed);
        }
        let mut verified = Self {
            run: started.run.0.clone(),
            target: match &started.target {
                Target::Lab { .. } => "REHEARSAL".to_owned(),
                Target::Cluster { context, .. } => format!("RUN on {context}"),
            },
            simulated: started.target.is_lab(),
            date: date.to_owned(),
            periplus: started.engine.clone(),
            kubernetes: started.kubernetes.clone(),
            runbook: started.runbook.hash.clone(),
            params: started.params.iter().map(|param| (param.name.clone(), param.value.clone())).collect(),
            captures: IndexMap::new(),
            seen: IndexMap::new(),
        };
        for (id, step) in &state.steps {
            let captures = step.captures.iter().map(|(name, value)| (name.clone(), value.clone()));
            verified.captures.extend(captures);
            if let Some(StepOutcome::Passed { seen, .. }) = step.outcome()
                && !seen.is_empty()
            {
                verified.seen.insert(id.to_string(), shortened(seen));
            }
        }
        Ok(verified)
    }
}

/// The lines of an output; of a long one its beginning and its end.
fn shortened(seen: &[String]) -> Vec<String> {
    let lines: Vec<&str> = seen.iter().flat_map(|text| text.trim_end().lines()).collect();
    let (head, tail) = KEPT;
    if lines.len() <= MOST_LINES {
        return lines.into_iter().map(shortened_line).collect();
    }
    let left_out = lines.len() - head - tail;
    let mut kept: Vec<String> = lines[..head].iter().copied().map(shortened_line).collect();
    kept.push(format!("… {left_out} lines left out …"));
    kept.extend(lines[lines.len() - tail..].iter().copied().map(shortened_line));
    kept
}

fn shortened_line(line: &str) -> String {
    let length = line.chars().count();
    if length <= MOST_COLUMNS {
        return line.to_owned();
    }
    let head: String = line.chars().take(MOST_COLUMNS / 2).collect();
    let tail: String = line.chars().skip(length - MOST_COLUMNS / 2).collect();
    format!("{head} … {} characters left out … {tail}", length - MOST_COLUMNS / 2 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_loses_its_middle_and_says_so() {
        let text: String = (1..=100).map(|line| format!("line {line}\n")).collect();
        let kept = shortened(&[text]);
        assert_eq!((kept[0].as_str(), kept[12].as_str()), ("line 1", "… 80 lines left out …"));
        assert_eq!((kept[13].as_str(), kept.len()), ("line 93", 21));
        assert_eq!(shortened(&["a\nb\n".to_owned(), "c".to_owned()]), ["a", "b", "c"]);
        let line = shortened_line(&"é".repeat(1_000));
        assert!(line.contains("… 600 characters left out …"), "{line}");
    }
}
