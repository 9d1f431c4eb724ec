//! Expansion of words: tilde, parameters, substitutions, arithmetic, then splitting, file names and quote removal.
//!
//! Invariant: expansions happen from left to right, and a substitution runs in a subshell.

use super::fields::{self, Field, Piece};
use super::parse;
use super::state::{Flow, Shell, Stop};
use crate::process::{Exit, Fd};
use brush_parser::ast::Word;
use brush_parser::word::{TildeExpr, WordPiece, WordPieceWithSource};
use futures::future::BoxFuture;

/// How much a command substitution may print.
const MAX_SUBSTITUTION: usize = 8 << 20;

/// The fields that a word grows into while it is expanded.
#[derive(Debug, Default)]
pub(super) struct Fields {
    done: Vec<Field>,
    current: Option<Field>,
}

impl Fields {
    pub(super) fn push(&mut self, text: impl Into<String>, quoted: bool, split: bool) {
        let piece = Piece { text: text.into(), quoted, split };
        self.current.get_or_insert_default().push(piece);
    }

    /// Ends the current field, so that what follows is an argument of its own.
    pub(super) fn end(&mut self) {
        self.done.extend(self.current.take());
    }

    fn finish(mut self) -> Vec<Field> {
        self.end();
        self.done
    }
}

impl Shell {
    /// Expands words into arguments.
    pub(super) async fn arguments(&mut self, words: &[&Word]) -> Result<Vec<String>, Stop> {
        let mut arguments = Vec::new();
        for word in words {
            let fields = self.fields(&word.value, false).await?;
            let ifs = self.var("IFS").unwrap_or(" \t\n").to_owned();
            arguments.extend(self.glob(fields::split(fields, &ifs)));
        }
        Ok(arguments)
    }

    /// Expands a word into one text, neither split nor matched with files: for assignments, redirections and `case`.
    pub(super) async fn single(&mut self, word: &str) -> Result<String, Stop> {
        Ok(fields::text(&self.single_field(word).await?))
    }

    /// As [`Shell::single`], but still telling what was quoted: for patterns.
    pub(super) async fn single_field(&mut self, word: &str) -> Result<Field, Stop> {
        let fields = self.fields(word, false).await?;
        // `$@` gives several fields; where only one can be, blanks join them.
        let mut joined = Field::new();
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                joined.push(Piece { text: " ".to_owned(), quoted: true, split: false });
            }
            joined.extend(field);
        }
        Ok(joined)
    }

    /// Expands a text in which quotes mean nothing: here-documents and arithmetic.
    pub(super) async fn text(&mut self, text: &str) -> Result<String, Stop> {
        let pieces = parse::quoted_pieces(text)?;
        let mut fields = Fields::default();
        self.expand(&pieces, true, &mut fields).await?;
        Ok(fields.finish().iter().map(|field| fields::text(field)).collect::<Vec<_>>().join(" "))
    }

    /// Expands a word that stands inside an expansion, in double quotes or not.
    pub(super) fn fields<'a>(&'a mut self, word: &'a str, quoted: bool) -> BoxFuture<'a, Result<Vec<Field>, Stop>> {
        Box::pin(async move {
            let pieces = if quoted { parse::quoted_pieces(word)? } else { parse::pieces(word)? };
            let mut fields = Fields::default();
            self.expand(&pieces, quoted, &mut fields).await?;
            Ok(fields.finish())
        })
    }

    fn expand<'a>(
        &'a mut self,
        pieces: &'a [WordPieceWithSource],
        quoted: bool,
        out: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            self.enter()?;
            for piece in pieces {
                self.piece(&piece.piece, quoted, out).await?;
            }
            self.leave();
            Ok(())
        })
    }

    async fn piece(&mut self, piece: &WordPiece, quoted: bool, out: &mut Fields) -> Result<(), Stop> {
        match piece {
            WordPiece::Text(text) => out.push(text, quoted, false),
            WordPiece::SingleQuotedText(text) => out.push(text, true, false),
            WordPiece::EscapeSequence(sequence) => match sequence.strip_prefix('\\') {
                // A backslash before a line feed joins the lines.
                Some("\n") => {}
                Some(text) => out.push(text, true, false),
                None => out.push(sequence, true, false),
            },
            WordPiece::DoubleQuotedSequence(inner) => {
                // `"$@"` without parameters is no argument at all; any other quotes make one, even if it is empty.
                let only_params = matches!(inner.as_slice(), [only] if is_all_params(&only.piece));
                if !only_params || !self.params.is_empty() {
                    out.push("", true, false);
                    self.expand(inner, true, out).await?;
                }
            }
            WordPiece::ParameterExpansion(expression) => self.parameter(expression, quoted, out).await?,
            WordPiece::CommandSubstitution(script) => {
                let text = self.substitute(script).await?;
                out.push(text, quoted, !quoted);
            }
            WordPiece::BackquotedCommandSubstitution(script) => {
                let text = self.substitute(&unescape_backquotes(script)).await?;
                out.push(text, quoted, !quoted);
            }
            WordPiece::ArithmeticExpression(expression) => {
                let text = self.text(&expression.value).await?;
                let value = self.evaluate(&text).await?;
                out.push(value.to_string(), quoted, !quoted);
            }
            WordPiece::TildeExpansion(TildeExpr::Home) => {
                let home = self.var("HOME").unwrap_or("~").to_owned();
                out.push(home, true, false);
            }
            WordPiece::TildeExpansion(_) => return Err(Stop::not_simulated("~user in a shell word")),
            WordPiece::AnsiCQuotedText(text) => return Err(Stop::not_simulated(format!("the quoting $'{text}'"))),
            WordPiece::GettextDoubleQuotedSequence(_) => return Err(Stop::not_simulated("the quoting $\"...\"")),
        }
        Ok(())
    }

    /// Runs a script in a subshell and gives what it printed, without line feeds at the end.
    async fn substitute(&mut self, script: &str) -> Result<String, Stop> {
        let (reader, writer) = Fd::pipe();
        let mut sub = self.fork();
        sub.process.fds.insert(1, writer);
        sub.enter()?;
        let run = async move {
            let exit = sub.run_script_to_end(script).await;
            drop(sub);
            exit
        };
        let (exit, output) = futures::join!(run, reader.read_to_end(MAX_SUBSTITUTION));
        let status = finished(exit)?;
        self.substituted = Some(status);
        let Ok(Some(mut output)) = output else {
            return Err(Stop::not_simulated(format!(
                "a command substitution that prints over {MAX_SUBSTITUTION} bytes"
            )));
        };
        output.retain(|&byte| byte != 0);
        while output.last() == Some(&b'\n') {
            output.pop();
        }
        Ok(String::from_utf8(output).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

/// The status of a child; what the lab cannot do ends the parent too.
pub(super) fn finished(exit: Exit) -> Flow {
    match exit.status() {
        Some(status) => Ok(status),
        None => Err(Stop::End(exit)),
    }
}

fn is_all_params(piece: &WordPiece) -> bool {
    use brush_parser::word::{Parameter, ParameterExpr, SpecialParameter};
    matches!(
        piece,
        WordPiece::ParameterExpansion(ParameterExpr::Parameter {
            parameter: Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate: false }),
            ..
        })
    )
}

/// Inside backquotes a backslash before `$`, a backquote or a backslash goes away before the script is read.
fn unescape_backquotes(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' && matches!(chars.peek(), Some('$' | '`' | '\\')) {
            continue;
        }
        out.push(c);
        if c == '\\' {
            out.extend(chars.next());
        }
    }
    out
}
