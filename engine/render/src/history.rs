//! The list of past runs.
//!
//! An entry is made from a run's final state alone; a journal that cannot be read still has its line.

use jiff::Timestamp;
use periplus_core::outcome::RunResult;
use periplus_core::state::RunState;
use serde::Serialize;

use crate::clean;
use crate::plural;
use crate::style::{Role, Theme};
use crate::text::describe::{result_role, result_word, target_word};
use crate::text::wrap::{columns, pad};

/// One past run.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The run.
    pub run: String,
    /// `metadata.name` of what was run. Absent where it never started.
    pub runbook: Option<String>,
    /// `lab`, or the context.
    pub target: Option<String>,
    /// When it started, by the clock of its target: a rehearsal's is the lab's.
    pub started_at: Option<Timestamp>,
    /// When its journal was last written, by this machine's clock.
    pub written_at: Option<Timestamp>,
    /// How long it took by its own clock, in milliseconds.
    pub elapsed_ms: u64,
    /// How it ended. Absent where it has not, or where the program was killed.
    pub result: Option<RunResult>,
    /// How many of its changes stand in the cluster; 0 for a rehearsal, whose lab is gone.
    pub standing_changes: usize,
    /// Why its journal cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl Entry {
    /// What is known of a run.
    #[must_use]
    pub fn of(run: &str, written_at: Option<Timestamp>, state: &RunState) -> Self {
        let started = state.started.as_ref();
        let in_lab = started.is_some_and(|started| started.target.is_lab());
        Self {
            run: run.to_owned(),
            runbook: started.map(|started| started.runbook.name.clone()),
            target: started.map(|started| target_word(&started.target).to_owned()),
            started_at: state.started_at,
            written_at,
            elapsed_ms: state.elapsed_ms,
            result: state.result,
            standing_changes: if in_lab { 0 } else { state.standing_changes().count() },
            unreadable: None,
        }
    }

    /// A run whose journal cannot be read, and why.
    #[must_use]
    pub fn unreadable(run: &str, written_at: Option<Timestamp>, why: String) -> Self {
        Self {
            run: run.to_owned(),
            runbook: None,
            target: None,
            started_at: None,
            written_at,
            elapsed_ms: 0,
            result: None,
            standing_changes: 0,
            unreadable: Some(why),
        }
    }
}

/// The entries as a JSON list.
#[must_use]
pub fn json(entries: &[Entry]) -> String {
    let list = serde_json::to_string_pretty(entries).expect("invariant: entries are plain data with string keys");
    format!("{list}\n")
}

/// The entries as a table; `earlier` is how many runs before them are left out.
#[must_use]
pub fn text(entries: &[Entry], earlier: usize, theme: Theme) -> String {
    if entries.is_empty() {
        return "No runs yet. Start with `periplus rehearse RUNBOOK`.\n".to_owned();
    }
    let cell = |text: &str| clean::line(text).into_owned();
    let targets: Vec<String> = entries.iter().map(|entry| cell(entry.target.as_deref().unwrap_or("-"))).collect();
    let runs: Vec<String> = entries.iter().map(|entry| cell(&entry.run)).collect();
    let wide =
        |cells: &[String], title: &str| cells.iter().map(|cell| columns(cell)).max().unwrap_or(0).max(columns(title));
    let (run_width, target_width) = (wide(&runs, "RUN"), wide(&targets, "TARGET"));
    let mut table = String::new();
    let heading = format!("{}  {}  {:<20}  RESULT", pad("RUN", run_width), pad("TARGET", target_width), "LAST WRITTEN");
    table.push_str(&format!("{}\n", theme.paint(Role::Dim, heading)));
    for ((entry, run), target) in entries.iter().zip(&runs).zip(&targets) {
        let written =
            entry.written_at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let (run, target) = (pad(run, run_width), pad(target, target_width));
        table.push_str(&format!("{run}  {target}  {written:<20}  {}\n", result(entry, theme)));
    }
    if earlier > 0 {
        table.push_str(&format!("{}\n", theme.paint(Role::Dim, format!("+ {earlier} earlier (--limit 0 lists all)"))));
    }
    table
}

fn result(entry: &Entry, theme: Theme) -> String {
    if let Some(why) = &entry.unreadable {
        return theme.paint(Role::Bad, format!("unreadable: {}", clean::line(why))).to_string();
    }
    let word = match entry.result {
        Some(result) => theme.paint(result_role(result), result_word(result)).to_string(),
        None => theme.paint(Role::Doubt, "not finished").to_string(),
    };
    match entry.standing_changes {
        0 => word,
        changes => format!("{word}, {} standing", plural::count(changes, "change")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::testing;

    fn entry(run: &str, events: &[periplus_core::event::Event]) -> Entry {
        let state = RunState::replay(events).expect("the tape is a legal run");
        Entry::of(run, Some(Timestamp::UNIX_EPOCH), &state)
    }

    #[test]
    fn a_table_tells_target_result_and_what_stands() {
        let entries = [
            entry("proxy-1", &testing::passing_run()),
            entry("proxy-2", &testing::failing_run(testing::cluster())),
            entry("proxy-3", &testing::failing_run(testing::cluster())[..9]),
            Entry::unreadable("proxy-4", None, "line 3 is damaged".to_owned()),
        ];
        insta::assert_snapshot!(text(&entries, 2, Theme::plain()));
    }

    #[test]
    fn a_rehearsal_leaves_nothing_standing() {
        assert_eq!(entry("proxy-1", &testing::passing_run()).standing_changes, 0);
    }
}
