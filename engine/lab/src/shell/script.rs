//! Running scripts: a command is read, then run, then the next is read.
//!
//! Invariant: a shell ends with the status of its last command unless something ended it earlier.

use super::parser::{Fault, Parser};
use super::state::{Dialect, Flow, Shell, Stop};
use crate::process::{Exit, Fd};
use futures::future::BoxFuture;
use std::sync::Arc;

/// How much a script read from standard input may hold.
const MAX_INPUT: usize = 1 << 20;

impl Shell {
    /// A parser for a script of this shell.
    fn parser(&self, script: &str) -> Parser {
        // ash counts the lines of a script that is no file from zero.
        let line = usize::from(self.dialect != Dialect::Ash || self.from_file);
        Parser::new(script, self.dialect, line)
    }

    /// Runs a script as the whole life of this shell.
    pub(super) async fn run_to_end(&mut self, script: &str) -> Exit {
        let flow = self.script(script).await;
        self.end(flow).await
    }

    /// Runs a script inside this shell, as `eval` and `.` do.
    pub(super) fn script<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Flow> {
        Box::pin(async move {
            let mut parser = self.parser(script);
            let mut status = 0;
            while let Some(node) = self.next_command(&mut parser).await? {
                status = self.node(&node).await?;
            }
            self.handle_signals().await?;
            Ok(status)
        })
    }

    async fn next_command(&mut self, parser: &mut Parser) -> Result<Option<super::ast::Node>, Stop> {
        if !self.is_bash() {
            parser.aliases = Arc::clone(&self.aliases);
        }
        match parser.next() {
            Ok(node) => Ok(node),
            Err(fault) => Err(self.misread(fault).await),
        }
    }

    /// Tells a mistake in a script as the shell tells it.
    async fn misread(&mut self, fault: Fault) -> Stop {
        let (line, text, shown) = match fault {
            Fault::Syntax { line, text, shown } => (line, text, shown),
            Fault::NotSimulated(what) => return Stop::not_simulated(what),
            Fault::Incomplete => return Stop::Error(2),
        };
        self.line = line;
        if !self.is_bash() {
            self.complain(text).await;
            return Stop::Error(2);
        }
        let name = &self.name;
        let eval = self.builtin.as_deref().or((self.evals > 0).then_some("eval"));
        let source = match (eval, self.options.command) {
            (Some(builtin), _) => format!("{name}: {builtin}: line {line}: "),
            (None, true) => format!("{name}: -c: line {line}: "),
            (None, false) => format!("{name}: line {line}: "),
        };
        let lines: String = [Some(text), shown].into_iter().flatten().map(|text| format!("{source}{text}\n")).collect();
        self.process.warn(lines).await;
        Stop::Error(2)
    }

    /// Runs the commands that arrive on standard input, each as soon as it is complete.
    pub(super) async fn run_input(&mut self) -> Exit {
        let stdin = self.process.stdin();
        let flow = self.input(&stdin).await;
        self.end(flow).await
    }

    async fn input(&mut self, stdin: &Fd) -> Flow {
        let mut parser = self.parser("");
        parser.complete = false;
        let mut rest: Vec<u8> = Vec::new();
        let mut total = 0;
        let mut status = 0;
        loop {
            let read = stdin.read(1 << 16);
            let data = self.attend(read).await?.unwrap_or_default();
            total += data.len();
            if total > MAX_INPUT {
                return Err(Stop::not_simulated(format!("a shell script of more than {MAX_INPUT} bytes")));
            }
            parser.complete = data.is_empty();
            rest.extend(data);
            // Only whole lines are looked at before the end.
            let end = if parser.complete {
                rest.len()
            } else {
                rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
            };
            let lines: Vec<u8> = rest.drain(..end).collect();
            parser.feed(&String::from_utf8_lossy(&lines));
            loop {
                if !self.is_bash() {
                    parser.aliases = Arc::clone(&self.aliases);
                }
                match parser.next() {
                    Ok(Some(node)) => status = self.node(&node).await?,
                    Ok(None) => return Ok(status),
                    Err(Fault::Incomplete) => break,
                    Err(fault) => return Err(self.misread(fault).await),
                }
            }
            if parser.complete {
                return Ok(status);
            }
        }
    }

    /// Expands a text as if it stood in double quotes.
    pub(super) async fn expand_text(&mut self, text: &str) -> Result<String, Stop> {
        let mut parser = self.parser(text);
        match parser.whole_text() {
            Ok(parts) => self.text(&parts).await,
            Err(fault) => Err(self.misread(fault).await),
        }
    }
}

/// Whether a text is a token that starts no command by itself: a keyword of this shell.
pub(super) fn is_keyword(text: &str, dialect: Dialect) -> bool {
    super::parser::keyword(text, dialect).is_some()
}
