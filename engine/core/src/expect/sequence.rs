//! Matching a pattern of lines against lines, in one pass.
//!
//! The pattern runs as an automaton whose input symbols are lines: a thread is a place in the pattern together with
//! what the names took on the way. Threads that cannot be told apart are merged, so that time is linear in the number
//! of lines; only names that must agree across lines keep threads apart, and their number is bounded.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::line::{Atom, Captures, LineError, LinePattern};
use super::mismatch::LogLine;

/// The most threads at a time.
const MAX_THREADS: usize = 256;

/// A line of a pattern, or any lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// Exactly one line.
    Line(Box<LinePattern>),
    /// `...`: any number of lines.
    AnyLines,
}

impl Item {
    pub(super) fn line(atoms: Vec<Atom>) -> Result<Self, LineError> {
        LinePattern::compile(atoms).map(|line| Self::Line(Box::new(line)))
    }
}

/// A pattern of lines, filled in and ready to be matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    items: Vec<Item>,
    /// The names that stand on more than one line and must take the same everywhere.
    shared: BTreeSet<String>,
}

/// A place in the pattern and how it was reached.
#[derive(Clone, Debug, Default)]
struct Thread {
    at: usize,
    captures: Captures,
    /// The lines of a log that were taken on the way.
    taken: Vec<Arc<LogLine>>,
}

/// How a text fits a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// What the names took; absent if the text does not fit.
    pub(super) captures: Option<Captures>,
    /// Whether not all ways could be tried.
    pub(super) cut: bool,
}

impl Lines {
    pub(super) fn new(mut items: Vec<Item>) -> Self {
        while matches!(items.last(), Some(Item::Line(line)) if line.is_empty()) {
            items.pop();
        }
        items.dedup_by(|b, a| matches!((a, b), (Item::AnyLines, Item::AnyLines)));
        let mut seen = BTreeSet::new();
        let mut shared = BTreeSet::new();
        for item in &items {
            if let Item::Line(line) = item {
                let names: BTreeSet<&String> = line.names().iter().collect();
                for name in names {
                    if !seen.insert(name.clone()) {
                        shared.insert(name.clone());
                    }
                }
            }
        }
        Self { items, shared }
    }

    /// The parts of the pattern.
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether exactly these lines fit the whole pattern.
    pub(super) fn fit<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Fit {
        let mut fit = Fit::default();
        let mut threads = Vec::new();
        self.add(Thread::default(), &mut threads, &mut fit.cut);
        for line in lines {
            let mut next = Vec::new();
            for thread in threads {
                match self.items.get(thread.at) {
                    None => {}
                    Some(Item::AnyLines) => self.add(thread, &mut next, &mut fit.cut),
                    Some(Item::Line(pattern)) => {
                        if let Some(found) = pattern.matches(line, &thread.captures, &mut fit.cut) {
                            let mut captures = thread.captures;
                            captures.extend(found);
                            self.add(
                                Thread { at: thread.at + 1, captures, taken: Vec::new() },
                                &mut next,
                                &mut fit.cut,
                            );
                        }
                    }
                }
            }
            threads = next;
            if threads.is_empty() {
                return fit;
            }
        }
        fit.captures = threads.into_iter().find(|thread| thread.at == self.items.len()).map(|thread| thread.captures);
        fit
    }

    /// Adds a thread, and first the one that has left a `...` if it stands on one: `...` takes as little as it can.
    fn add(&self, thread: Thread, threads: &mut Vec<Thread>, cut: &mut bool) {
        // Without shared names there are at most as many threads as the pattern has parts: nothing is ever cut.
        let limit = MAX_THREADS.max(self.items.len() + 1);
        if self.items.get(thread.at) == Some(&Item::AnyLines) {
            let left = Thread { at: thread.at + 1, ..thread.clone() };
            add_one(left, threads, &self.shared, limit, cut);
        }
        add_one(thread, threads, &self.shared, limit, cut);
    }
}

/// Adds a thread unless there is one that cannot be told from it.
fn add_one(thread: Thread, threads: &mut Vec<Thread>, shared: &BTreeSet<String>, limit: usize, cut: &mut bool) {
    let same = |other: &Thread| {
        other.at == thread.at && shared.iter().all(|name| other.captures.get(name) == thread.captures.get(name))
    };
    if threads.iter().any(same) {
        return;
    }
    if threads.len() >= limit {
        *cut = true;
        return;
    }
    threads.push(thread);
}

/// The lines that are looked for in a log: in order, with any lines before, between and after.
///
/// `...` is what stands between them anyway, and a blank line is nothing to look for: both are left out.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    lines: Vec<LinePattern>,
    shared: BTreeSet<String>,
}

/// A place in a log where all lines that are looked for were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) captures: Captures,
    /// The lines, in order.
    pub(super) taken: Vec<Arc<LogLine>>,
}

/// How far a log that grows has been searched.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    threads: Vec<Thread>,
    cut: bool,
}

impl Sought {
    pub(super) fn lines(&self) -> &[LinePattern] {
        &self.lines
    }
}

impl From<Lines> for Sought {
    fn from(lines: Lines) -> Self {
        let sought = lines.items.into_iter().filter_map(|item| match item {
            Item::Line(line) if !line.is_empty() => Some(*line),
            Item::Line(_) | Item::AnyLines => None,
        });
        Self { lines: sought.collect(), shared: lines.shared }
    }
}

impl Scan {
    pub(super) fn new() -> Self {
        Self { threads: vec![Thread::default()], cut: false }
    }

    /// Takes the next line of the log; says if it completes what is looked for, and starts afresh then.
    pub(super) fn push(&mut self, sought: &Sought, line: &str, place: impl Fn() -> LogLine) -> Option<Occurrence> {
        let mut reached = Vec::new();
        for thread in &self.threads {
            let Some(pattern) = sought.lines.get(thread.at) else { continue };
            let Some(found) = pattern.matches(line, &thread.captures, &mut self.cut) else { continue };
            let mut next = thread.clone();
            next.at += 1;
            next.captures.extend(found);
            next.taken.push(Arc::new(place()));
            if next.at == sought.lines.len() {
                self.threads = vec![Thread::default()];
                return Some(Occurrence { captures: next.captures, taken: next.taken });
            }
            reached.push(next);
        }
        for thread in reached {
            if sought.shared.is_empty() {
                // Whoever is further on can do all that those behind can.
                self.threads = vec![thread];
            } else {
                add_one(thread, &mut self.threads, &sought.shared, MAX_THREADS, &mut self.cut);
            }
        }
        None
    }

    /// How many of the lines the best attempt has found.
    pub(super) fn progress(&self) -> usize {
        self.threads.iter().map(|thread| thread.at).max().unwrap_or_default()
    }

    /// Whether not all ways could be tried.
    pub(super) const fn cut(&self) -> bool {
        self.cut
    }
}
