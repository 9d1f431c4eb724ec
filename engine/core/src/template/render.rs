//! Filling templates in.
//!
//! A value is written as its place asks for or not at all: nothing is guessed, cut or escaped halfway.

use std::ops::Range;
use std::sync::LazyLock;

use handlebars::{Handlebars, RenderContext, RenderErrorReason, Renderable, StringOutput};
use thiserror::Error;

use super::helpers::{Refusal, registry};
use super::parse::{Body, Flavour, Problem, Template};
use super::scope::Scope;
use super::word::Unsafe;
use crate::codes::Code;
use crate::model::Text;

/// Put around values by [`Template::render_pieces`]; characters that no text may have.
pub(super) const VALUE_START: char = '\u{fdd0}';
pub(super) const VALUE_END: char = '\u{fdd1}';

static PLAIN: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(false));
static MARKED: LazyLock<Handlebars<'static>> = LazyLock::new(|| registry(true));

/// A stretch of rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The author's own text: the only place where a pattern's tokens count.
    Literal(String),
    /// A value that was filled in.
    Value(String),
}

/// Why a template could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RenderError {
    /// The tag's bytes in the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The name that has no value yet, where that is the reason.
    pub unknown: Option<String>,
}

impl RenderError {
    /// As a problem that can be shown at its place in the file.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let code = if self.unknown.is_some() { Code::UnknownName } else { Code::BadTemplate };
        Problem { code, at: self.at.clone(), message: self.message.clone(), help: self.help.clone() }
    }
}

impl Template {
    /// Fills the template in.
    ///
    /// # Errors
    /// A name without a value, a value that cannot stand where it is asked for, or a helper that cannot do with it.
    pub fn render(&self, scope: &Scope) -> Result<String, RenderError> {
        self.write(scope, &PLAIN)
    }

    /// Fills the template in, keeping the author's text and the values apart.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_pieces(&self, scope: &Scope) -> Result<Vec<Piece>, RenderError> {
        let marked = self.write(scope, &MARKED)?;
        let mut pieces = Vec::new();
        for part in marked.split_inclusive([VALUE_START, VALUE_END]) {
            let value = part.ends_with(VALUE_END);
            let text = part.trim_end_matches([VALUE_START, VALUE_END]).to_owned();
            match (value, pieces.last_mut()) {
                (true, _) => pieces.push(Piece::Value(text)),
                (false, _) if text.is_empty() => {}
                (false, Some(Piece::Literal(before))) => before.push_str(&text),
                (false, _) => pieces.push(Piece::Literal(text)),
            }
        }
        Ok(pieces)
    }

    /// The names it uses that have no value in `scope`: what keeps it from being filled in already.
    pub fn missing<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a str> {
        self.references().iter().map(|reference| reference.name.as_str()).filter(|name| scope.get(name).is_none())
    }

    /// Whether it uses a value that must never be shown.
    #[must_use]
    pub fn uses_secret(&self, scope: &Scope) -> bool {
        self.references().iter().any(|reference| scope.is_secret(&reference.name))
    }

    fn write(&self, scope: &Scope, registry: &Handlebars<'static>) -> Result<String, RenderError> {
        let body = match &self.body {
            Body::Plain(text) => return Ok(text.clone()),
            Body::Handlebars(body) => body,
        };
        if let Some(reference) = self.references().iter().find(|reference| scope.get(&reference.name).is_none()) {
            return Err(RenderError {
                at: reference.at.clone(),
                message: format!("{} has no value", reference.name),
                help: None,
                unknown: Some(reference.name.clone()),
            });
        }
        let mut out = StringOutput::new();
        body.render(registry, scope.context(), &mut RenderContext::new(None), &mut out)
            .map_err(|error| self.explain(&error))?;
        out.into_string().map_err(|error| RenderError {
            at: 0..0,
            message: error.to_string(),
            help: None,
            unknown: None,
        })
    }

    fn explain(&self, error: &handlebars::RenderError) -> RenderError {
        let explained = |at, message: String, help: Option<&str>| RenderError {
            at,
            message,
            help: help.map(str::to_owned),
            unknown: None,
        };
        let RenderErrorReason::NestedError(cause) = error.reason() else {
            return explained(self.near(error), error.reason().to_string(), None);
        };
        let Some(refusal) = cause.downcast_ref::<Refusal>() else {
            return explained(self.near(error), cause.to_string(), None);
        };
        let slot = |slot: &usize| self.slots.get(*slot);
        let at = |index: &usize| slot(index).map_or(0..0, |slot| slot.at.clone());
        match refusal {
            Refusal::Missing { slot } => explained(at(slot), "the value has no such field".to_owned(), None),
            Refusal::NotText { slot, what } => explained(
                at(slot),
                format!("the value is {what}, not text"),
                Some("write {{json NAME}} or {{yaml NAME}}"),
            ),
            Refusal::LineBreak { slot } => explained(
                at(slot),
                "the value has a line break, which would change the YAML around it".to_owned(),
                Some("write {{json NAME}}, or {{indent 4 NAME}} in a block"),
            ),
            Refusal::NeedsQuotes { slot: index } => {
                let place = slot(index).and_then(|slot| slot.shell.err()).map_or("here", Unsafe::describe);
                explained(
                    at(index),
                    format!("the value needs quotes, and stands {place}"),
                    Some("pass it by `env:` and write \"$NAME\", or move it out of the quotes"),
                )
            }
            Refusal::Helper(message) => explained(self.near(error), message.clone(), None),
        }
    }

    /// The tag that Handlebars names by line and column.
    fn near(&self, error: &handlebars::RenderError) -> Range<usize> {
        let position = (error.line_no.unwrap_or(1), error.column_no.unwrap_or(1));
        let tag = self.slots.iter().rfind(|slot| slot.position <= position).or(self.slots.first());
        tag.map_or(0..0, |slot| slot.at.clone())
    }
}

impl Text {
    /// Reads and fills in a text at once.
    ///
    /// # Errors
    /// As [`Template::render`]. What a loaded runbook holds was read before, so that reading cannot fail.
    pub fn render(&self, flavour: Flavour, scope: &Scope) -> Result<String, RenderError> {
        Template::parse(&self.raw, flavour).map_err(RenderError::unread)?.render(scope)
    }

    /// Reads and fills in a text at once, keeping the author's text and the values apart.
    ///
    /// # Errors
    /// As [`Text::render`].
    pub fn render_pieces(&self, scope: &Scope) -> Result<Vec<Piece>, RenderError> {
        Template::parse(&self.raw, Flavour::Text).map_err(RenderError::unread)?.render_pieces(scope)
    }
}

impl RenderError {
    fn unread(problems: Vec<Problem>) -> Self {
        let first = problems.into_iter().next();
        let (at, message, help) =
            first.map_or((0..0, String::new(), None), |problem| (problem.at, problem.message, problem.help));
        Self { at, message, help, unknown: None }
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
