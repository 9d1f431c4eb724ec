//! Matching a pattern of lines against lines, in one pass.
//!
//! The pattern runs as an automaton whose input symbols are lines: a thread is a place in the pattern together with
//! what the names took on the way. Threads that cannot be told apart are merged, so that time is linear in the number
//! of lines; only names that must agree across lines keep threads apart, and their number is bounded.

use std::collections::BTreeSet;

use super::line::{Captures, LinePattern};

/// The most threads at a time.
const MAX_THREADS: usize = 256;

/// A line of a pattern, or any lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// Exactly one line.
    Line(LinePattern),
    /// `...`: any number of lines.
    AnyLines,
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
    /// Which lines were taken, by the caller's number.
    taken: Vec<u64>,
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

    /// The lines that are no `...` and not blank: what is looked for in a log.
    pub(super) fn sought(&self) -> Vec<&LinePattern> {
        let lines = self.items.iter().filter_map(|item| match item {
            Item::Line(line) if !line.is_empty() => Some(line),
            Item::Line(_) | Item::AnyLines => None,
        });
        lines.collect()
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
        if self.items.get(thread.at) == Some(&Item::AnyLines) {
            self.add_one(Thread { at: thread.at + 1, ..thread.clone() }, threads, cut);
        }
        self.add_one(thread, threads, cut);
    }

    fn add_one(&self, thread: Thread, threads: &mut Vec<Thread>, cut: &mut bool) {
        let same = |other: &Thread| {
            other.at == thread.at
                && self.shared.iter().all(|name| other.captures.get(name) == thread.captures.get(name))
        };
        if threads.iter().any(same) {
            return;
        }
        // Without shared names there are at most as many threads as the pattern has parts: nothing is ever cut.
        if !self.shared.is_empty() && threads.len() >= MAX_THREADS.max(self.items.len() + 1) {
            *cut = true;
            return;
        }
        threads.push(thread);
    }
}

/// Finding the lines of a pattern in a log that grows: in order, with any lines before, between and after.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    threads: Vec<Thread>,
    cut: bool,
}

/// A place in a log where the whole pattern was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) captures: Captures,
    /// The numbers of the lines, in order.
    pub(super) taken: Vec<u64>,
}

impl Scan {
    pub(super) fn new() -> Self {
        Self { threads: vec![Thread::default()], cut: false }
    }

    /// Takes the next line of the log; says if it completes the pattern, and starts afresh then.
    pub(super) fn push(
        &mut self,
        lines: &Lines,
        sought: &[&LinePattern],
        number: u64,
        line: &str,
    ) -> Option<Occurrence> {
        let mut reached = Vec::new();
        for thread in &self.threads {
            let Some(pattern) = sought.get(thread.at) else { continue };
            let Some(found) = pattern.matches(line, &thread.captures, &mut self.cut) else { continue };
            let mut captures = thread.captures.clone();
            captures.extend(found);
            let mut taken = thread.taken.clone();
            taken.push(number);
            if thread.at + 1 == sought.len() {
                self.threads = vec![Thread::default()];
                return Some(Occurrence { captures, taken });
            }
            reached.push(Thread { at: thread.at + 1, captures, taken });
        }
        for thread in reached {
            if lines.shared.is_empty() {
                // Whoever is further on can do all that those behind can.
                self.threads = vec![thread];
            } else {
                lines.add_one(thread, &mut self.threads, &mut self.cut);
            }
        }
        None
    }

    /// How many lines of the pattern the best attempt has found.
    pub(super) fn progress(&self) -> usize {
        self.threads.iter().map(|thread| thread.at).max().unwrap_or_default()
    }

    /// Whether not all ways could be tried.
    pub(super) const fn cut(&self) -> bool {
        self.cut
    }
}
