//! A word of a command as parts: text, variables, placeholders, substitutions.

use brush_parser::ParserOptions;
use brush_parser::word::{self, Parameter, ParameterExpr, WordPiece, WordPieceWithSource};

use super::bounds;
use super::marks::{self, Marked};

/// A word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its parts, in order.
    pub(crate) parts: Vec<Part>,
    /// As it stands on the page.
    pub(crate) raw: String,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text, its quotes gone.
    Text(String),
    /// `$NAME`.
    Variable(String),
    /// `${NAME:-TEXT}`.
    Default(String, String),
    /// `<NAME>`, for the reader to replace.
    Placeholder(String),
    /// `$(…)`.
    Run(String),
    /// What is not understood, as written.
    Other(String),
}

pub(super) fn options() -> ParserOptions {
    ParserOptions {
        enable_extended_globbing: false,
        tilde_expansion_at_word_start: false,
        tilde_expansion_after_colon: false,
        ..ParserOptions::default()
    }
}

impl Word {
    /// A word that is this text.
    pub(crate) fn text(text: &str) -> Self {
        Self { parts: vec![Part::Text(text.to_owned())], raw: text.to_owned() }
    }

    /// Reads a word.
    pub(super) fn parse(raw: &str) -> Result<Self, &'static str> {
        bounds::check(raw)?;
        let pieces = word::parse(raw, &options()).map_err(|_| "a word of it cannot be read")?;
        Ok(Self::new(raw, &pieces, false))
    }

    /// Reads the text of a here-document that is expanded.
    pub(super) fn here_document(raw: &str) -> Result<Self, &'static str> {
        bounds::check_here_document(raw)?;
        let pieces = word::parse_heredoc(raw, &options()).map_err(|_| "its here-document cannot be read")?;
        Ok(Self::new(raw, &pieces, true))
    }

    fn new(raw: &str, pieces: &[WordPieceWithSource], quoted: bool) -> Self {
        let mut word = Self { parts: Vec::new(), raw: marks::shown(raw) };
        word.pieces(pieces, quoted);
        word
    }

    fn pieces(&mut self, pieces: &[WordPieceWithSource], quoted: bool) {
        for piece in pieces {
            match &piece.piece {
                WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => self.push_text(text),
                WordPiece::DoubleQuotedSequence(inner) => self.pieces(inner, true),
                WordPiece::EscapeSequence(sequence) => match sequence.strip_prefix('\\') {
                    Some("\n") => {}
                    Some(text) => self.push_text(text),
                    None => self.push_text(sequence),
                },
                WordPiece::ParameterExpansion(expression) => self.parts.push(parameter(expression)),
                WordPiece::CommandSubstitution(script) if marks::holds_here_document(script) => {
                    self.parts.push(Part::Other("$(…)".to_owned()));
                }
                WordPiece::CommandSubstitution(script) => self.parts.push(Part::Run(script.clone())),
                WordPiece::BackquotedCommandSubstitution(script) => {
                    self.parts.push(Part::Run(script.replace("\\$", "$").replace("\\`", "`")));
                }
                WordPiece::AnsiCQuotedText(text) => {
                    // Only the escapes that pages use.
                    self.push_text(&text.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'"));
                }
                WordPiece::ArithmeticExpression(expression) => {
                    self.parts.push(Part::Other(format!("$(({}))", expression.value)));
                }
                WordPiece::TildeExpansion(_) | WordPiece::GettextDoubleQuotedSequence(_) => {
                    self.parts.push(Part::Other("~".to_owned()));
                }
            }
        }
        if !quoted && self.parts.is_empty() {
            self.parts.push(Part::Text(String::new()));
        }
    }

    fn push_text(&mut self, text: &str) {
        for marked in marks::unmark(text) {
            match (marked, self.parts.last_mut()) {
                (Marked::Text(text), Some(Part::Text(before))) => before.push_str(&text),
                (Marked::Text(text), _) => self.parts.push(Part::Text(text)),
                (Marked::Placeholder(name), _) => self.parts.push(Part::Placeholder(name)),
                (Marked::Variable(name), _) => self.parts.push(Part::Variable(name)),
            }
        }
    }

    /// Its text, where it is nothing but text.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text that it starts with.
    pub(crate) fn lead(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The same word without the first bytes of the text it starts with.
    pub(crate) fn without_lead(&self, bytes: usize) -> Self {
        let mut word = self.clone();
        if let Some(Part::Text(text)) = word.parts.first_mut() {
            *text = text.get(bytes..).unwrap_or_default().to_owned();
            if text.is_empty() && word.parts.len() > 1 {
                word.parts.remove(0);
            }
        }
        word
    }

    /// The only variable that it is.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Variable(name)] => Some(name),
            _ => None,
        }
    }

    /// The only substitution that it is.
    pub(crate) fn run(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Run(script)] => Some(script),
            _ => None,
        }
    }
}

fn parameter(expression: &ParameterExpr) -> Part {
    match expression {
        ParameterExpr::Parameter { parameter: Parameter::Named(name), indirect: false } => Part::Variable(name.clone()),
        ParameterExpr::UseDefaultValues {
            parameter: Parameter::Named(name), indirect: false, default_value, ..
        }
        | ParameterExpr::AssignDefaultValues {
            parameter: Parameter::Named(name),
            indirect: false,
            default_value,
            ..
        } => Part::Default(name.clone(), default_value.clone().unwrap_or_default()),
        ParameterExpr::IndicateErrorIfNullOrUnset { parameter: Parameter::Named(name), indirect: false, .. } => {
            Part::Variable(name.clone())
        }
        ParameterExpr::Parameter { parameter, .. } => Part::Other(parameter.to_string()),
        _ => Part::Other("${…}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_and_variables_stay() {
        let word = Word::parse(r#"a"b $C"'$D'\$E${F:-g}$(h)"#).expect("a word");
        let expected = [
            Part::Text("ab ".to_owned()),
            Part::Variable("C".to_owned()),
            Part::Text("$D$E".to_owned()),
            Part::Default("F".to_owned(), "g".to_owned()),
            Part::Run("h".to_owned()),
        ];
        assert_eq!(word.parts, expected);
    }

    #[test]
    fn a_here_document_keeps_its_quotes() {
        let word = Word::here_document("a: \"$B\"\nc: '${D}' \\$E\n").expect("a text");
        let expected = [
            Part::Text("a: \"".to_owned()),
            Part::Variable("B".to_owned()),
            Part::Text("\"\nc: '".to_owned()),
            Part::Variable("D".to_owned()),
            Part::Text("' $E\n".to_owned()),
        ];
        assert_eq!(word.parts, expected);
    }
}
