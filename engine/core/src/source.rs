//! Where each value of a file came from: the text, spans in it, and the tree of nodes with their spans.
//!
//! The tree is built once from the parser's events. It holds no types of the model: it only knows YAML.

use std::ops::Range;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span as EventSpan};

/// A byte range of the runbook's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// As a range of bytes.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value together with where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

/// A file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Line and column of a byte, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let byte = floor_char_boundary(&self.text, byte);
        let before = &self.text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The whole line that a byte stands on, without its line break.
    #[must_use]
    pub fn line(&self, byte: usize) -> &str {
        let byte = floor_char_boundary(&self.text, byte);
        let start = self.text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[byte..].find('\n').map_or(self.text.len(), |newline| byte + newline);
        &self.text[start..end]
    }
}

fn floor_char_boundary(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Bounds on a file, part of the format: several parsers abort the process on input beyond such bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file.
    pub file_bytes: u64,
    /// Nodes of its tree.
    pub nodes: usize,
    /// Nesting of its tree.
    pub depth: usize,
}

/// The bounds of a runbook: 32 MiB, two million nodes (100,000 steps have about a million), 64 levels.
pub const LIMITS: Limits = Limits { file_bytes: 32 << 20, nodes: 2_000_000, depth: 64 };

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it stands. A collection reaches from its first to its last byte of content.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A scalar; its type is decided by whoever reads it.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping in file order. Keys may repeat: the reader reports that.
    Map(Vec<(Node, Node)>),
}

/// A scalar as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text after YAML's own escapes.
    pub text: String,
    /// Its notation.
    pub style: Style,
}

/// The notation of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// `|`: its lines stand in the file as they are.
    Literal,
    /// `>`: its lines were joined.
    Folded,
}

impl Node {
    /// How messages name what stands here.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(scalar) if scalar.is_null() => "nothing",
            NodeKind::Scalar(_) => "a single value",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a mapping",
        }
    }
}

impl Scalar {
    /// Whether it stands for null: empty, `~` or `null` without quotes.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Why a text could not be made a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeError {
    /// What is wrong.
    pub kind: TreeErrorKind,
    /// Where.
    pub span: Span,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeErrorKind {
    /// No YAML. Holds the parser's words.
    Syntax(String),
    /// There is nothing in it.
    Empty,
    /// A second document starts here.
    SecondDocument,
    /// An anchor, alias or tag.
    NotPlain(&'static str),
    /// More nodes than [`Limits::nodes`].
    TooManyNodes,
    /// Deeper than [`Limits::depth`].
    TooDeep,
}

enum Open {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

/// Builds the tree of a text that holds one YAML document without anchors, aliases and tags.
///
/// # Errors
/// The first thing that cannot be read: after broken syntax nothing that follows has a known meaning.
pub fn tree(text: &str, limits: Limits) -> Result<Node, TreeError> {
    let mut open: Vec<(Open, Span)> = Vec::new();
    let mut root: Option<Node> = None;
    let mut nodes = 0;
    for next in Parser::new_from_str(text) {
        let (event, at) = next.map_err(|error| TreeError {
            span: point(text, error.marker().byte_offset()),
            kind: TreeErrorKind::Syntax(error.info().clone()),
        })?;
        let span = span_of(&at);
        let fail = |kind| Err(TreeError { kind, span });
        let (done, starts) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if anchor != 0 {
                    return fail(TreeErrorKind::NotPlain("an anchor"));
                }
                if tag.is_some() {
                    return fail(TreeErrorKind::NotPlain("a tag"));
                }
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                (Some(Node { span, kind: NodeKind::Scalar(Scalar { text: text.into_owned(), style }) }), None)
            }
            Event::SequenceStart(_, anchor, tag) | Event::MappingStart(_, anchor, tag)
                if anchor != 0 || tag.is_some() =>
            {
                return fail(TreeErrorKind::NotPlain(if tag.is_some() { "a tag" } else { "an anchor" }));
            }
            Event::SequenceStart(..) => (None, Some(Open::List(Vec::new()))),
            Event::MappingStart(..) => (None, Some(Open::Map(Vec::new(), None))),
            Event::SequenceEnd | Event::MappingEnd => {
                (open.pop().map(|(content, start)| close(content, start, span)), None)
            }
            Event::Alias(_) => return fail(TreeErrorKind::NotPlain("an alias")),
            Event::DocumentStart(..) if root.is_some() => return fail(TreeErrorKind::SecondDocument),
            _ => continue,
        };
        if let Some(content) = starts {
            if open.len() >= limits.depth {
                return fail(TreeErrorKind::TooDeep);
            }
            open.push((content, span));
            continue;
        }
        let Some(node) = done else { continue };
        nodes += 1;
        if nodes > limits.nodes {
            return fail(TreeErrorKind::TooManyNodes);
        }
        match open.last_mut() {
            None => root = Some(node),
            Some((Open::List(items), _)) => items.push(node),
            Some((Open::Map(entries, key), _)) => match key.take() {
                None => *key = Some(node),
                Some(name) => entries.push((name, node)),
            },
        }
    }
    match root {
        Some(Node { kind: NodeKind::Scalar(scalar), span }) if scalar.is_null() => {
            Err(TreeError { kind: TreeErrorKind::Empty, span })
        }
        Some(root) => Ok(root),
        None => Err(TreeError { kind: TreeErrorKind::Empty, span: Span::default() }),
    }
}

fn close(content: Open, start: Span, end: Span) -> Node {
    let (kind, last) = match content {
        Open::List(items) => {
            let last = items.last().map(|item| item.span.end);
            (NodeKind::List(items), last)
        }
        Open::Map(entries, _) => {
            let last = entries.last().map(|(_, value)| value.span.end);
            (NodeKind::Map(entries), last)
        }
    };
    // A block collection has no closing mark, and the event of its end may lie behind blank lines and comments.
    let flow = start.end > start.start;
    let end = if flow { end.end } else { last.unwrap_or(end.end) };
    Node { span: Span::new(start.start, end.max(start.end)), kind }
}

fn span_of(at: &EventSpan) -> Span {
    let start = at.start.byte_offset().unwrap_or_default();
    Span::new(start, at.end.byte_offset().unwrap_or(start).max(start))
}

fn point(text: &str, byte: Option<usize>) -> Span {
    let byte = floor_char_boundary(text, byte.unwrap_or_default());
    Span::new(byte, byte)
}
