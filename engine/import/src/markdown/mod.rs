//! A page as a list of blocks, each with its line: headings, prose, fences, quotes, tables, anchors.
//!
//! Nesting is given up: what stands in a list item or a quote follows in the order of the page. What is a command is not
//! decided here. Invariant: the text that is parsed has as many lines as the page, so a line is always the page's.

mod blocks;
mod hugo;

pub(crate) use blocks::blocks;
pub(crate) use hugo::{Front, plain};

/// A block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What it is.
    pub(crate) kind: BlockKind,
    /// Its Markdown, without the marks of the lists and quotes around it.
    pub(crate) raw: String,
    /// The line it starts on, from 1.
    pub(crate) line: usize,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// A heading, with its level and its text.
    Heading(u8, String),
    /// Prose, with its text on one line.
    Prose(String),
    /// The first paragraph of a list item, with its text on one line.
    Item {
        /// Whether the list is numbered.
        ordered: bool,
        /// How many lists it stands in.
        depth: usize,
        /// Its text.
        text: String,
    },
    /// A fenced or an indented block.
    Fence {
        /// What stands behind the opening marks.
        info: String,
        /// Its lines.
        text: String,
        /// The line that its text starts on.
        first: usize,
    },
    /// A quotation or an alert, with GitHub's word for it.
    Quote(Option<&'static str>),
    /// A table: its rows of cells, the first with the names of the columns.
    Table(Vec<Vec<String>>),
    /// `<a id="…"></a>`.
    Anchor(String),
    /// Other HTML.
    Html,
}

impl Block {
    /// The text of prose, on one line.
    pub(crate) fn prose(&self) -> Option<&str> {
        match &self.kind {
            BlockKind::Prose(text) | BlockKind::Item { text, .. } => Some(text),
            _ => None,
        }
    }

    /// How it stands in a text of several blocks.
    pub(crate) fn markdown(&self) -> String {
        match &self.kind {
            BlockKind::Item { ordered: false, depth, .. } => {
                let indent = "  ".repeat(depth.saturating_sub(1));
                let lines: Vec<&str> = self.raw.lines().collect();
                format!("{indent}- {}", lines.join(&format!("\n{indent}  ")))
            }
            _ => self.raw.clone(),
        }
    }
}
