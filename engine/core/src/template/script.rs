//! A shell script with tags in it: where its quoting leaves each value.
//!
//! Whichever branch of a block is written, what follows must be quoted alike; else the block is refused.

use std::ops::Range;

use super::parse::{Flavour, Problem};
use super::shell::Scanner;
use super::tags::{Tag, TagKind};
use super::word::Unsafe;
use crate::codes::Code;

/// What the shell makes of each value tag.
#[derive(Default)]
pub(super) struct Script {
    /// For each value tag whether a value that needs quotes may stand there; empty for texts that no shell reads.
    pub slots: Vec<Result<(), Unsafe>>,
    /// Blocks and tags that would make the shell's quoting depend on values.
    pub problems: Vec<Problem>,
}

impl Script {
    /// Reads the script around the tags.
    pub(super) fn read(raw: &str, tags: &[Tag], flavour: Flavour) -> Self {
        let mut places = Self::default();
        if flavour != Flavour::Shell {
            return places;
        }
        let mut scanner = Scanner::default();
        // For each open block: its tag, the state before it, and the states at the ends of its branches so far.
        let mut blocks: Vec<(Range<usize>, Scanner, Vec<Scanner>, bool)> = Vec::new();
        for tag in tags {
            let text = &raw[tag.at.clone()];
            match tag.kind {
                TagKind::Text => scanner.text(text, tag.at.start),
                TagKind::Value { .. } => places.slots.push(scanner.value()),
                TagKind::Open => blocks.push((tag.at.clone(), scanner.clone(), Vec::new(), false)),
                TagKind::Else { chained } => {
                    if let Some((_, before, ends, has_else)) = blocks.last_mut() {
                        ends.push(std::mem::replace(&mut scanner, before.clone()));
                        *has_else |= !chained;
                    }
                }
                TagKind::Close => {
                    if let Some((at, before, mut ends, has_else)) = blocks.pop() {
                        if !has_else {
                            ends.push(before);
                        }
                        if ends.iter().any(|end| !end.agrees_with(&scanner)) {
                            places.problems.push(
                                Problem::new(
                                    Code::ShellQuoting,
                                    at,
                                    "shell quotes must end in the block they begin in",
                                )
                                .help("put the whole command into the block"),
                            );
                        }
                        for end in ends {
                            scanner.join(end);
                        }
                    }
                }
                TagKind::Escape | TagKind::Comment | TagKind::Foreign(_) => {}
            }
            if !matches!(tag.kind, TagKind::Text | TagKind::Escape) && (text.contains("{~") || text.contains("~}")) {
                places.problems.push(Problem::new(
                    Code::ShellQuoting,
                    tag.at.clone(),
                    "`~` would join lines of the script that look apart",
                ));
            }
        }
        places
    }
}
