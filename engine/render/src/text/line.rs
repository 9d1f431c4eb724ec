//! One line an event, for pipes and log files: aligned, calm, easy to grep.
//!
//! A line is `TIME  TARGET  STEP  WORD  TEXT`. Lines depend on the events alone, so that a replay prints what the live
//! run printed, less the `wait` lines: those are progress, which no journal keeps.

use std::collections::BTreeMap;
use std::io::{self, Write};

use periplus_core::event::{Event, EventKind};
use periplus_core::model::StepId;
use periplus_core::state::RunState;

use crate::clean;
use crate::reporter::Reporter;
use crate::style::{Role, Theme};
use crate::text::describe::{self, WORD_WIDTH, target_line, target_word};
use crate::text::wrap::{columns, cut, pad};
use crate::time;

/// How long a wait lasts before it is worth a line, in milliseconds by the run's clock.
const WAIT_WORTH_MS: u64 = 1_000;

/// Least time between two `wait` lines of one step, in milliseconds by the run's clock.
const WAIT_PAUSE_MS: u64 = 10_000;

/// Widest column of step ids; longer ids push their line to the right.
const STEP_WIDTH: usize = 28;

/// Widest column of a target's name.
const TARGET_WIDTH: usize = 20;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// What a reader needs to follow.
    #[default]
    Normal,
    /// Also each attempt, each mark, each intent, and the `kubectl` line of each step.
    Verbose,
}

/// Writes one line for each event that tells something new.
pub struct LineReporter<W> {
    out: W,
    theme: Theme,
    verbosity: Verbosity,
    /// Known from the first event on.
    columns: Option<Columns>,
    waited: BTreeMap<StepId, (u64, String)>,
    /// What steps have begun to wait for, and when, as long as it is not told.
    waiting: BTreeMap<StepId, (u64, String)>,
}

#[derive(Default)]
struct Columns {
    target: String,
    step: usize,
}

impl<W: Write> LineReporter<W> {
    /// Writes to `out`.
    pub const fn new(out: W, theme: Theme, verbosity: Verbosity) -> Self {
        Self { out, theme, verbosity, columns: None, waited: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Names the target, before the first event that this reporter is told: a run's first, or an undo's.
    fn begin(&mut self, state: &RunState) -> io::Result<()> {
        let Some(started) = &state.started else { return Ok(()) };
        let ids = started.steps.iter().map(|step| columns(step.id.as_str()));
        self.columns = Some(Columns {
            target: cut(&clean::line(target_word(&started.target)), TARGET_WIDTH),
            step: ids.max().unwrap_or(0).min(STEP_WIDTH),
        });
        let line = target_line(&started.target);
        writeln!(self.out, "{}", self.theme.paint(Role::Strong, clean::line(&line)))
    }

    fn line(&mut self, ms: u64, step: Option<&StepId>, word: &str, role: Role, text: &str) -> io::Result<()> {
        let time = time::column(ms);
        let (target, width) = self.columns.as_ref().map_or(("-", 0), |columns| (columns.target.as_str(), columns.step));
        let step = pad(step.map_or("-", StepId::as_str), width);
        let word = self.theme.paint(role, pad(word, WORD_WIDTH));
        let line = format!("{time:>9}  {}  {step}  {word}  {}", target, clean::line(text));
        writeln!(self.out, "{}", line.trim_end())
    }

    /// Tells of the waits that have lasted long enough by now.
    fn tell_waits(&mut self, now: u64) -> io::Result<()> {
        let lasting = |at: u64| now.saturating_sub(at) >= WAIT_WORTH_MS;
        let due: Vec<StepId> =
            self.waiting.iter().filter(|(_, (at, _))| lasting(*at)).map(|(step, _)| step.clone()).collect();
        for step in due {
            if let Some((_, what)) = self.waiting.get(&step).cloned()
                && self.wants_wait(&step, &what, now)
            {
                self.waiting.remove(&step);
                self.line(now, Some(&step), "wait", Role::Dim, &format!("waiting for {what}"))?;
            }
        }
        Ok(())
    }

    /// Whether a `wait` line says something new and the last one is long enough ago.
    fn wants_wait(&mut self, step: &StepId, what: &str, now: u64) -> bool {
        if let Some((at, last)) = self.waited.get(step)
            && (last == what || now.saturating_sub(*at) < WAIT_PAUSE_MS)
        {
            return false;
        }
        self.waited.insert(step.clone(), (now, what.to_owned()));
        true
    }
}

impl<W: Write> Reporter for LineReporter<W> {
    fn on_event(&mut self, event: &Event, state: &RunState) -> io::Result<()> {
        if self.columns.is_none() {
            self.begin(state)?;
        }
        if let EventKind::RunStarted(started) = &event.kind {
            for param in &started.params {
                let text = format!("{}={} ({})", param.name, param.value, param.source);
                self.line(event.elapsed_ms, None, "param", Role::Dim, &text)?;
            }
        }
        if let EventKind::StepFinished { step, .. } = &event.kind {
            self.waiting.remove(step);
        }
        self.tell_waits(event.elapsed_ms)?;
        if let EventKind::Waiting { step, what } = &event.kind {
            let waiting = self.waiting.entry(step.clone()).or_insert_with(|| (event.elapsed_ms, String::new()));
            waiting.1.clone_from(what);
            return Ok(());
        }
        if let Some(step) = event.kind.step() {
            self.waiting.remove(step);
        }
        let sentence = describe::sentence(&event.kind, state);
        if sentence.detail && self.verbosity < Verbosity::Verbose {
            return Ok(());
        }
        self.line(event.elapsed_ms, event.kind.step(), sentence.word, sentence.role, &sentence.text)?;
        if self.verbosity >= Verbosity::Verbose
            && let EventKind::StepFinished { step, kubectl: Some(kubectl), .. } = &event.kind
        {
            self.line(event.elapsed_ms, Some(step), "kubectl", Role::Command, kubectl)?;
        }
        self.out.flush()
    }

    fn tick(&mut self, elapsed_ms: u64) -> io::Result<()> {
        self.tell_waits(elapsed_ms)?;
        self.out.flush()
    }

    fn finish(&mut self, state: &RunState) -> io::Result<()> {
        if let Some(started) = &state.started {
            let line = target_line(&started.target);
            writeln!(self.out, "{}", self.theme.paint(Role::Strong, clean::line(&line)))?;
        }
        self.out.flush()
    }
}
