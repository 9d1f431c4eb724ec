//! Matching a pattern of lines against lines, in one pass.
//!
//! The pattern runs as an automaton whose input symbols are lines: a thread is a place in the pattern together with
//! what the names took on the way. Threads that cannot be told apart are merged, so that time is linear in the number
//! of lines; only names that must agree across lines keep threads apart, and their number is bounded.

use std::collections::{BTreeSet, HashSet};
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
    /// What all names took.
    captures: Arc<Captures>,
    /// What the names took that stand on several lines: all that distinguishes two threads at one place.
    shared: Arc<Captures>,
    /// The lines of a log that were taken on the way.
    taken: Vec<Arc<LogLine>>,
}

impl Thread {
    /// The thread one place further, after a line at which names took these values.
    fn after(&self, found: Captures, shared: &BTreeSet<String>) -> Self {
        let mut next = Self { at: self.at + 1, ..self.clone() };
        if !found.is_empty() {
            let agreeing = found.iter().filter(|(name, _)| shared.contains(*name));
            let agreeing: Captures = agreeing.map(|(name, value)| (name.clone(), value.clone())).collect();
            if !agreeing.is_empty() {
                Arc::make_mut(&mut next.shared).extend(agreeing);
            }
            Arc::make_mut(&mut next.captures).extend(found);
        }
        next
    }
}

/// Threads in the order of preference, none of which could take another's place.
#[derive(Clone, Debug, Default)]
struct Threads {
    list: Vec<Thread>,
    seen: HashSet<(usize, Arc<Captures>)>,
}

impl Threads {
    /// Adds a thread unless it cannot be told from one that is there; says if it was left out for want of room.
    fn add(&mut self, thread: Thread, limit: usize) -> bool {
        if self.list.len() >= limit {
            return !self.seen.contains(&(thread.at, Arc::clone(&thread.shared)));
        }
        if self.seen.insert((thread.at, Arc::clone(&thread.shared))) {
            self.list.push(thread);
        }
        false
    }

    fn start() -> Self {
        let mut threads = Self::default();
        threads.add(Thread::default(), 1);
        threads
    }
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
        let mut threads = Threads::default();
        self.add(Thread::default(), &mut threads, &mut fit.cut);
        for line in lines {
            let mut next = Threads::default();
            for thread in threads.list {
                match self.items.get(thread.at) {
                    None => {}
                    Some(Item::AnyLines) => self.add(thread, &mut next, &mut fit.cut),
                    Some(Item::Line(pattern)) => {
                        if let Some(found) = pattern.matches(line, &thread.captures, &mut fit.cut) {
                            self.add(thread.after(found, &self.shared), &mut next, &mut fit.cut);
                        }
                    }
                }
            }
            threads = next;
            if threads.list.is_empty() {
                return fit;
            }
        }
        let whole = threads.list.into_iter().find(|thread| thread.at == self.items.len());
        fit.captures = whole.map(|thread| Arc::unwrap_or_clone(thread.captures));
        fit
    }

    /// Adds a thread, and first the one that has left a `...` if it stands on one: `...` takes as little as it can.
    fn add(&self, thread: Thread, threads: &mut Threads, cut: &mut bool) {
        // Without shared names there are at most as many threads as the pattern has parts: nothing is ever cut.
        let limit = MAX_THREADS.max(self.items.len() + 1);
        if self.items.get(thread.at) == Some(&Item::AnyLines) {
            *cut |= threads.add(Thread { at: thread.at + 1, ..thread.clone() }, limit);
        }
        *cut |= threads.add(thread, limit);
    }
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
    threads: Threads,
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
        Self { threads: Threads::start(), cut: false }
    }

    /// Takes the next line of the log; says if it completes what is looked for, and starts afresh then.
    pub(super) fn push(&mut self, sought: &Sought, line: &str, place: impl Fn() -> LogLine) -> Option<Occurrence> {
        let mut reached = Vec::new();
        for thread in &self.threads.list {
            let Some(pattern) = sought.lines.get(thread.at) else { continue };
            let Some(found) = pattern.matches(line, &thread.captures, &mut self.cut) else { continue };
            let mut next = thread.after(found, &sought.shared);
            next.taken.push(Arc::new(place()));
            if next.at == sought.lines.len() {
                self.threads = Threads::start();
                return Some(Occurrence { captures: Arc::unwrap_or_clone(next.captures), taken: next.taken });
            }
            reached.push(next);
        }
        for thread in reached {
            if sought.shared.is_empty() {
                // Whoever is further on can do all that those behind can.
                self.threads = Threads::default();
            }
            self.cut |= self.threads.add(thread, MAX_THREADS);
        }
        None
    }

    /// How many of the lines the best attempt has found.
    pub(super) fn progress(&self) -> usize {
        self.threads.list.iter().map(|thread| thread.at).max().unwrap_or_default()
    }

    /// Whether not all ways could be tried.
    pub(super) const fn cut(&self) -> bool {
        self.cut
    }
}
