//! From text to a syntax tree, with bounds set before the recursive parser sees anything.
//!
//! Invariant: a script that passes the bounds cannot exhaust the parser's stack, however it nests.

use super::state::{Shell, Stop};
use crate::process::Exit;
use brush_parser::ast::{self, SourceLocation};
use brush_parser::word::{self, WordPieceWithSource};
use brush_parser::{ParseError, Parser, ParserOptions, TokenizerError};

/// Longest script, in bytes.
const MAX_SCRIPT: usize = 64 << 10;
/// How many constructs that can nest a script may hold. The parser takes some 10 KiB of stack a level when it is not
/// optimised, and counting them all is the one bound that no quoting can get around.
const MAX_NESTABLE: usize = 100;

fn options() -> ParserOptions {
    ParserOptions { enable_extended_globbing: false, posix_mode: true, sh_mode: true, ..ParserOptions::default() }
}

/// For words, the forms that are no POSIX are read too, so that each is judged by the image's shell.
fn word_options() -> ParserOptions {
    ParserOptions { sh_mode: false, ..options() }
}

/// How many constructs in `text` could open a level of nesting.
fn nestable(text: &str) -> usize {
    let bytes = text.as_bytes();
    let openers = bytes.iter().enumerate().filter(|&(at, &byte)| match byte {
        b'(' | b'`' => true,
        b'{' => at > 0 && bytes[at - 1] == b'$' || bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace),
        _ => false,
    });
    let keywords = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .filter(|word| matches!(*word, "if" | "while" | "until" | "for" | "case"));
    openers.count() + keywords.count()
}

fn bounded(text: &str) -> Result<(), Stop> {
    if text.len() > MAX_SCRIPT {
        return Err(Stop::not_simulated(format!("a shell script of more than {MAX_SCRIPT} bytes")));
    }
    if nestable(text) > MAX_NESTABLE {
        return Err(Stop::not_simulated(format!("a shell script with more than {MAX_NESTABLE} nested constructs")));
    }
    Ok(())
}

/// The pieces of a word.
pub(super) fn pieces(text: &str) -> Result<Vec<WordPieceWithSource>, Stop> {
    bounded(text)?;
    word::parse(text, &word_options()).map_err(|_| Stop::not_simulated(format!("the shell word {text}")))
}

/// The pieces of a text in which quotes mean nothing, as between the marks of a here-document.
pub(super) fn quoted_pieces(text: &str) -> Result<Vec<WordPieceWithSource>, Stop> {
    bounded(text)?;
    word::parse_heredoc(text, &word_options()).map_err(|_| Stop::not_simulated(format!("the shell text {text}")))
}

/// The tree of an arithmetic expression; `None` when it is malformed.
pub(super) fn arithmetic(text: &str) -> Result<Option<ast::ArithmeticExpr>, Stop> {
    bounded(text)?;
    Ok(brush_parser::arithmetic::parse(text).ok())
}

/// The line on which a command starts.
pub(super) fn line(command: &ast::SimpleCommand) -> Option<usize> {
    command.location().map(|span| span.start.line)
}

impl Shell {
    /// Parses a script. A mistake in it is told as the shell tells it and ends the shell with code 2.
    pub(super) async fn parse(&self, script: &str) -> Result<ast::Program, Stop> {
        bounded(script)?;
        let parsed = Parser::new(std::io::Cursor::new(script.as_bytes()), &options()).parse_program();
        let error = match parsed {
            Ok(program) => return Ok(program),
            Err(error) => error,
        };
        let (line, text) = self.syntax_error(script, &error);
        let name = &self.name;
        let message = if self.is_busybox() {
            format!("{name}: syntax error: {text}\n")
        } else {
            format!("{name}: {line}: Syntax error: {text}\n")
        };
        self.process.warn(message).await;
        Err(Stop::End(Exit::Code(2)))
    }

    fn syntax_error(&self, script: &str, error: &ParseError) -> (usize, String) {
        let last = script.lines().count().max(1);
        let busybox = self.is_busybox();
        match error {
            ParseError::ParsingNear(position) => {
                let token = token_at(script, position.index);
                (position.line, if busybox { format!("unexpected {token}") } else { format!("{token} unexpected") })
            }
            ParseError::ParsingAtEndOfInput => {
                (last, if busybox { "unexpected end of file" } else { "end of file unexpected" }.to_owned())
            }
            ParseError::Tokenizing { inner, .. } => (last, token_error(inner, busybox).to_owned()),
        }
    }
}

/// The token at a character offset, in double quotes; `newline` at the end of a line.
fn token_at(script: &str, index: usize) -> String {
    let rest = script.chars().skip(index).skip_while(|c| *c == ' ' || *c == '\t');
    let is_operator = |c: char| ";&|()<>".contains(c);
    let mut token = String::new();
    for c in rest {
        if c.is_whitespace() || token.chars().next().is_some_and(|first| is_operator(first) != is_operator(c)) {
            break;
        }
        token.push(c);
    }
    if token.is_empty() { "newline".to_owned() } else { format!("\"{token}\"") }
}

fn token_error(error: &TokenizerError, busybox: bool) -> &'static str {
    match (error, busybox) {
        (TokenizerError::UnterminatedSingleQuote(_) | TokenizerError::UnterminatedDoubleQuote(_), true) => {
            "unterminated quoted string"
        }
        (TokenizerError::UnterminatedSingleQuote(_) | TokenizerError::UnterminatedDoubleQuote(_), false) => {
            "Unterminated quoted string"
        }
        (TokenizerError::UnterminatedBackquote(_), _) => "EOF in backquote substitution",
        (TokenizerError::UnterminatedVariable, true) => "missing '}'",
        (TokenizerError::UnterminatedVariable, false) => "Missing '}'",
        (_, true) => "unexpected end of file (expecting \")\")",
        (_, false) => "end of file unexpected (expecting \")\")",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_can_nest_is_counted() {
        let cases = [
            ("echo hello; ls -l", 0),
            ("if a; then b; fi; while c; do d; done", 2),
            ("( a; ( b ) ); { c; }", 3),
            ("echo $(a `b` ${c})", 4),
            ("echo '{\"json\": {\"a\": 1}}'", 0),
            ("case x in a) b;; esac; f() { g; }", 3),
            ("notify --for x-if", 0),
        ];
        for (script, expected) in cases {
            assert_eq!(nestable(script), expected, "{script}");
        }
    }

    #[test]
    fn the_deepest_script_within_the_bounds_parses_on_a_small_stack() {
        let n = MAX_NESTABLE;
        let scripts = [
            format!("{}true{}", "if true; then ".repeat(n), "; fi".repeat(n)),
            format!("{}true{}", "(".repeat(n), ")".repeat(n)),
            format!("{}true; {}", "{ ".repeat(n), "}; ".repeat(n)),
            format!("echo {}true{}", "$(echo ".repeat(n), ")".repeat(n)),
            format!("echo {}x{}", "${a:-".repeat(n), "}".repeat(n)),
        ];
        for script in scripts {
            assert!(bounded(&script).is_ok());
            assert!(bounded(&format!("{script}; ( : )")).is_err());
            assert!(
                Parser::new(std::io::Cursor::new(script.as_bytes()), &options()).parse_program().is_ok(),
                "{script}"
            );
        }
        assert!(pieces(&format!("{}x{}", "${a:-".repeat(n), "}".repeat(n))).is_ok());
    }
}
