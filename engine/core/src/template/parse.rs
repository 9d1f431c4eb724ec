//! Reading templates: Handlebars' syntax, with every name known and placed when the template is read.
//!
//! A parsed template has no name in it that [`Template::references`] does not list.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::names::Names;
use super::script::Script;
use super::syntax::syntax;
use super::tags::{Tag, TagKind, tags};
use super::word::Unsafe;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::model::Text;

/// What a template's text will be, which decides how values are written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Plain text: a value is written as it is.
    Text,
    /// YAML that is parsed afterwards: a value with a line break must go through `json`, `yaml` or `indent`.
    Manifest,
    /// A shell script: a value that needs quotes becomes one quoted word.
    Shell,
}

/// Bounds on a template, part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateLimits {
    /// Bytes of a text that holds templates.
    pub bytes: usize,
    /// Nesting of blocks and of parentheses.
    pub depth: usize,
}

/// The bounds of a template: 256 KiB, 16 levels.
pub const TEMPLATE_LIMITS: TemplateLimits = TemplateLimits { bytes: 256 << 10, depth: 16 };

/// A name that a template uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The parameter or capture.
    pub name: String,
    /// Its bytes in the text.
    pub at: Range<usize>,
}

/// What is wrong with a template or a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which of the known mistakes it is.
    pub code: Code,
    /// Its bytes in the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(code: Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, at, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// As an error at its place in `source`, the file that `text` was read from.
    #[must_use]
    pub fn diagnostic(&self, source: &str, text: &Text) -> Diagnostic {
        let diagnostic =
            Diagnostic::error(self.code, super::place(source, text, self.at.clone()), self.message.clone());
        match &self.help {
            Some(help) => diagnostic.help(help.clone()),
            None => diagnostic,
        }
    }
}

/// A template that was read and whose names are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub(super) body: Body,
    /// The value tags, in order: their bytes, and whether a value that needs shell quotes may stand there.
    pub(super) slots: Vec<Slot>,
    pub(super) references: Vec<Reference>,
    raw_in_shell: Vec<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Plain(String),
    Handlebars(Box<handlebars::Template>),
}

/// A tag that a value is written in place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub at: Range<usize>,
    /// Line and column of its first character, from 1, as Handlebars counts.
    pub position: (usize, usize),
    /// Whether a value that needs shell quotes may stand there.
    pub shell: Result<(), Unsafe>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// All that is wrong with it; only broken syntax hides what follows.
    pub fn parse(raw: &str, flavour: Flavour) -> Result<Self, Vec<Problem>> {
        if !raw.contains("{{") {
            return Ok(Self {
                body: Body::Plain(raw.to_owned()),
                slots: Vec::new(),
                references: Vec::new(),
                raw_in_shell: Vec::new(),
            });
        }
        let tags = tags(raw);
        check_limits(raw, &tags).map_err(|problem| vec![problem])?;
        let mut body = handlebars::Template::compile(raw).map_err(|error| vec![syntax(raw, &tags, &error)])?;
        let shell = Script::read(raw, &tags, flavour);
        let found = Names::read(raw, flavour, &tags, shell, &mut body);
        if found.problems.is_empty() {
            Ok(Self {
                body: Body::Handlebars(Box::new(body)),
                slots: found.slots,
                references: found.references,
                raw_in_shell: found.raw_in_shell,
            })
        } else {
            Err(found.problems)
        }
    }

    /// The parameters and captures it uses, in order, each time it uses them.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Where a shell script takes a value without quotes (`{{{ … }}}`): right at times, worth a warning always.
    #[must_use]
    pub fn raw_in_shell(&self) -> &[Range<usize>] {
        &self.raw_in_shell
    }

    /// Whether it has nothing to fill in.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.references.is_empty()
    }
}

type Read = Result<Arc<Template>, Arc<[Problem]>>;

/// Templates by their text: runbooks repeat themselves, and reading a template costs more than finding it.
#[derive(Debug, Default)]
pub struct Templates {
    read: HashMap<Flavour, HashMap<String, Read>>,
}

impl Templates {
    /// Reads a template, or finds it.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn get(&mut self, raw: &str, flavour: Flavour) -> Result<Arc<Template>, Arc<[Problem]>> {
        let read = self.read.entry(flavour).or_default();
        if let Some(found) = read.get(raw) {
            return found.clone();
        }
        let found = Template::parse(raw, flavour).map(Arc::new).map_err(Arc::from);
        read.insert(raw.to_owned(), found.clone());
        found
    }
}

fn check_limits(raw: &str, tags: &[Tag]) -> Result<(), Problem> {
    let TemplateLimits { bytes, depth } = TEMPLATE_LIMITS;
    if raw.len() > bytes {
        return Err(Problem::new(
            Code::TooLong,
            0..0,
            format!("a text with templates may have {bytes} bytes, this one has {}", raw.len()),
        )
        .help("move it to a file, or its parts to steps of their own"));
    }
    let mut open = 0_usize;
    for tag in tags {
        let text = &raw[tag.at.clone()];
        match tag.kind {
            TagKind::Foreign(what) => {
                return Err(Problem::new(
                    Code::BadTemplate,
                    tag.at.clone(),
                    format!("{what} are not part of runbooks"),
                ));
            }
            TagKind::Open => open += 1,
            // Each `else if` is a block within the one before.
            TagKind::Else { chained: true } => open += 1,
            TagKind::Close => open = open.saturating_sub(1),
            _ => {}
        }
        let inner = text.matches('(').count() + text.matches('[').count();
        let nested = if matches!(tag.kind, TagKind::Text | TagKind::Comment | TagKind::Escape) { 0 } else { inner };
        if open > depth || nested > depth {
            return Err(Problem::new(
                Code::TooLong,
                tag.at.clone(),
                format!("templates may be nested {depth} levels deep"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
