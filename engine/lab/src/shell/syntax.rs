//! How each shell words a mistake in a script.
//!
//! Invariant: at the end of input that may go on, nothing is a mistake yet.

use super::lexer::Token;
use super::parser::{Fault, Parser};
use super::state::Dialect;

impl Parser {
    /// A token that cannot stand here, with the one that could.
    pub(super) fn unexpected(&self, token: &Token, expected: Option<&str>) -> Fault {
        if *token == Token::Eof && !self.complete {
            return Fault::Incomplete;
        }
        let name = match token {
            Token::Eof => "end of file".to_owned(),
            Token::Newline => "newline".to_owned(),
            Token::Op(text) | Token::Keyword(text) => format!("\"{text}\""),
            Token::Word(_) => "word".to_owned(),
            Token::Redirect(..) => "redirection".to_owned(),
        };
        let expecting = match expected {
            Some(word @ ("word" | "end of file")) => format!(" (expecting {word})"),
            Some(text) => format!(" (expecting \"{text}\")"),
            None => String::new(),
        };
        match self.dialect {
            Dialect::Dash => self.fault(format!("Syntax error: {name} unexpected{expecting}")),
            Dialect::Ash => self.fault(format!("syntax error: unexpected {name}{expecting}")),
            Dialect::Bash => self.unexpected_in_bash(token),
        }
    }

    fn unexpected_in_bash(&self, token: &Token) -> Fault {
        let (line, near) = match token {
            Token::Eof => {
                let line = self.line + usize::from(self.src.last() != Some(&'\n'));
                return Fault::Syntax { line, text: "syntax error: unexpected end of file".to_owned(), shown: None };
            }
            Token::Newline => (self.line.saturating_sub(1), "newline".to_owned()),
            Token::Op(text) | Token::Keyword(text) => (self.line, (*text).to_owned()),
            Token::Word(lexed) => (self.line, self.src[lexed.span.0..lexed.span.1].iter().collect()),
            Token::Redirect(..) => (self.line, "<".to_owned()),
        };
        let shown = self.src.split(|c| *c == '\n').nth(line.saturating_sub(1)).unwrap_or_default();
        Fault::Syntax {
            line,
            text: format!("syntax error near unexpected token `{near}'"),
            shown: Some(format!("`{}'", shown.iter().collect::<String>())),
        }
    }

    /// A mistake in dash's words; ash's are the same in small letters.
    pub(super) fn error(&self, text: &str) -> Fault {
        match self.dialect {
            Dialect::Dash => self.fault(format!("Syntax error: {text}")),
            Dialect::Ash => self.fault(format!("syntax error: {}", lower(text))),
            Dialect::Bash => self.fault(format!("syntax error: {}", lower(text))),
        }
    }

    /// A mistake that only shows at the end of the input, where bash looks for `wanted`.
    pub(super) fn error_at_end(&self, text: &str, wanted: char) -> Fault {
        if !self.complete {
            return Fault::Incomplete;
        }
        if self.dialect == Dialect::Bash {
            return self.fault(format!("unexpected EOF while looking for matching `{wanted}'"));
        }
        self.error(text)
    }

    pub(super) fn bad_loop_variable(&self, token: &Token) -> Fault {
        match (self.dialect, token) {
            (Dialect::Bash, Token::Word(lexed)) => {
                let name: String = self.src[lexed.span.0..lexed.span.1].iter().collect();
                Fault::Syntax { line: self.line, text: format!("`{name}': not a valid identifier"), shown: None }
            }
            (Dialect::Bash, token) => self.unexpected(token, None),
            _ => self.error("Bad for loop variable"),
        }
    }

    fn fault(&self, text: String) -> Fault {
        Fault::Syntax { line: self.line, text, shown: None }
    }
}

/// A text with its first letter small, unless it starts with an abbreviation.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
