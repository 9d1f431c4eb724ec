//! Live progress on a terminal: a line for each finished step, and below them one row for each running step.
//!
//! No thread is started: rows are redrawn when an event comes and when the caller's timer calls
//! [`tick`](crate::reporter::Reporter::tick). Rows that a terminal has no height for are counted, not drawn.

use std::collections::BTreeMap;
use std::io;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use periplus_core::event::{Event, EventKind};
use periplus_core::model::StepId;
use periplus_core::state::{RunState, StepState, StepStatus};

use crate::clean;
use crate::reporter::Reporter;
use crate::style::{Role, Theme};
use crate::text::describe::{self, Sentence, target_line};
use crate::text::line::Verbosity;
use crate::text::wrap::{columns, cut, pad};
use crate::time;

/// Most running steps that have a row of their own.
const ROWS: usize = 8;

/// Widest column of step ids.
const STEP_WIDTH: usize = 28;

/// A terminal that can be drawn on.
pub struct Screen(ProgressDrawTarget);

impl Screen {
    /// The terminal that standard error is. Draws nothing where it is none.
    #[must_use]
    pub fn stderr() -> Self {
        Self(ProgressDrawTarget::stderr())
    }

    /// Any terminal.
    #[must_use]
    pub fn new(terminal: Box<dyn TermLike>) -> Self {
        Self(ProgressDrawTarget::term_like(terminal))
    }
}

/// Draws a run on a terminal.
pub struct ProgressReporter {
    bars: MultiProgress,
    rows: Vec<ProgressBar>,
    theme: Theme,
    verbosity: Verbosity,
    /// Known from the first event on.
    step_width: Option<usize>,
    running: BTreeMap<usize, Row>,
    elapsed_ms: u64,
}

/// What the row of a running step shows.
struct Row {
    step: StepId,
    started_ms: u64,
    attempts: u32,
    waiting_for: Option<String>,
}

impl ProgressReporter {
    /// Draws on `screen`.
    #[must_use]
    pub fn new(screen: Screen, theme: Theme, verbosity: Verbosity) -> Self {
        Self {
            bars: MultiProgress::with_draw_target(screen.0),
            rows: Vec::new(),
            theme,
            verbosity,
            step_width: None,
            running: BTreeMap::new(),
            elapsed_ms: 0,
        }
    }

    fn begin(&mut self, state: &RunState) -> io::Result<()> {
        let Some(started) = &state.started else { return Ok(()) };
        let ids = started.steps.iter().map(|step| columns(step.id.as_str()));
        self.step_width = Some(ids.max().unwrap_or(0).min(STEP_WIDTH));
        let target = target_line(&started.target);
        let title = &started.runbook.title;
        self.say(&self.theme.paint(Role::Strong, clean::line(&target)).to_string())?;
        let one_line = format!("{title} · {}", started.run);
        let lines = if columns(&one_line) <= self.theme.width() {
            vec![one_line]
        } else {
            vec![title.clone(), started.run.to_string()]
        };
        for line in lines {
            self.say(&self.theme.paint(Role::Dim, clean::line(&line)).to_string())?;
        }
        Ok(())
    }

    fn step_width(&self) -> usize {
        self.step_width.unwrap_or(0)
    }

    /// Writes a line that stays, above the rows.
    fn say(&self, line: &str) -> io::Result<()> {
        self.bars.println(line)
    }

    fn say_sentence(&self, step: Option<&StepState>, sentence: &Sentence) -> io::Result<()> {
        let glyph = self.theme.paint(sentence.role, self.theme.glyph(sentence.role));
        let id = pad(step.map_or(sentence.word, |step| step.summary.id.as_str()), self.step_width());
        let took = step.and_then(StepState::duration_ms).map(time::prose).unwrap_or_default();
        let took = self.theme.paint(Role::Dim, pad(&took, 8)).to_string();
        let title = step.map_or(sentence.word, |step| step.summary.title.as_str());
        let text = if sentence.text.is_empty() { title } else { &sentence.text };
        let room = self.theme.width().saturating_sub(self.step_width() + 14);
        let text = cut(&clean::line(text), room.max(20));
        self.say(format!("{glyph} {id}  {took}  {text}").trim_end())
    }

    /// What an event leaves on the screen for good.
    fn keep(&self, event: &Event, state: &RunState) -> io::Result<()> {
        let sentence = describe::sentence(&event.kind, state);
        match &event.kind {
            EventKind::StepFinished { step, kubectl, .. } => {
                self.say_sentence(state.steps.get(step), &sentence)?;
                match kubectl {
                    Some(kubectl) if self.verbosity >= Verbosity::Verbose => {
                        self.say(&format!("    {}", self.theme.paint(Role::Command, clean::line(kubectl))))
                    }
                    _ => Ok(()),
                }
            }
            EventKind::RequirementChecked { requirement } if requirement.unmet.is_some() => {
                self.say_sentence(None, &sentence)
            }
            EventKind::Warned { .. } | EventKind::ChangeFailed { .. } | EventKind::ChangeReverted { .. } => {
                let step = event.kind.step().map_or("", StepId::as_str);
                let line = clean::line(&format!("{step}: {}", sentence.text)).into_owned();
                self.say(&self.theme.paint(sentence.role, line).to_string())
            }
            EventKind::Interrupted { .. } | EventKind::UndoStarted { .. } | EventKind::UndoFinished { .. } => {
                self.say_sentence(None, &sentence)
            }
            EventKind::RunStarted(_)
            | EventKind::RequirementChecked { .. }
            | EventKind::StepStarted { .. }
            | EventKind::AttemptStarted { .. }
            | EventKind::AttemptFinished { .. }
            | EventKind::Waiting { .. }
            | EventKind::ChangeIntended { .. }
            | EventKind::ChangeMade { .. }
            | EventKind::LogMarked { .. }
            | EventKind::CallsExplained { .. }
            | EventKind::Captured { .. }
            | EventKind::Diagnosed { .. }
            | EventKind::UndoIntended { .. }
            | EventKind::RunFinished { .. } => Ok(()),
        }
    }

    /// Brings the row of the step that an event tells of up to date.
    fn follow(&mut self, event: &Event, state: &RunState) {
        let Some(id) = event.kind.step() else { return };
        let Some((position, _, step)) = state.steps.get_full(id) else { return };
        if step.status == StepStatus::Running {
            let row = Row {
                step: id.clone(),
                started_ms: step.started_ms.unwrap_or(event.elapsed_ms),
                attempts: step.attempts,
                waiting_for: step.waiting_for.clone(),
            };
            self.running.insert(position, row);
        } else {
            self.running.remove(&position);
        }
    }

    fn draw(&mut self) {
        let shown = self.running.len().min(ROWS);
        let left_out = self.running.len() - shown;
        let wanted = shown + usize::from(left_out > 0);
        while self.rows.len() > wanted {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.bars.remove(&row);
            }
        }
        while self.rows.len() < wanted {
            let style = ProgressStyle::with_template("{msg}").expect("invariant: the template is constant");
            self.rows.push(self.bars.add(ProgressBar::new_spinner().with_style(style)));
        }
        for (bar, row) in self.rows.iter().zip(self.running.values()).take(shown) {
            bar.set_message(self.row_text(row));
        }
        if left_out > 0
            && let Some(bar) = self.rows.last()
        {
            bar.set_message(self.theme.paint(Role::Dim, format!("  + {left_out} more")).to_string());
        }
    }

    fn row_text(&self, row: &Row) -> String {
        let glyph = self.theme.paint(Role::Command, if self.theme.unicode() { "▸" } else { ">" });
        let id = pad(row.step.as_str(), self.step_width());
        let took = pad(&time::prose(self.elapsed_ms.saturating_sub(row.started_ms)), 8);
        let mut text = Vec::new();
        if row.attempts > 1 {
            text.push(format!("attempt {}", row.attempts));
        }
        text.extend(row.waiting_for.iter().map(|what| format!("waiting for {what}")));
        let room = self.theme.width().saturating_sub(self.step_width() + 14).max(20);
        let text = cut(&clean::line(&text.join(", ")), room);
        format!("{glyph} {id}  {}  {text}", self.theme.paint(Role::Dim, took)).trim_end().to_owned()
    }
}

impl Reporter for ProgressReporter {
    fn on_event(&mut self, event: &Event, state: &RunState) -> io::Result<()> {
        self.elapsed_ms = event.elapsed_ms;
        if self.step_width.is_none() {
            self.begin(state)?;
        }
        self.follow(event, state);
        self.keep(event, state)?;
        self.draw();
        Ok(())
    }

    fn tick(&mut self, elapsed_ms: u64) -> io::Result<()> {
        self.elapsed_ms = elapsed_ms;
        self.draw();
        Ok(())
    }

    fn finish(&mut self, state: &RunState) -> io::Result<()> {
        self.running.clear();
        self.draw();
        self.bars.clear()?;
        self.elapsed_ms = state.elapsed_ms;
        Ok(())
    }
}
