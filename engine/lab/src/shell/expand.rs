//! Expansion of words: tilde, parameters, substitutions, arithmetic, then splitting, file names and quote removal.
//!
//! Invariant: expansions happen from left to right, and a substitution runs in a subshell.

use super::ast::{Node, Op, Part, RedirectKind, Target, Word};
use super::fields::{self, Field, Piece};
use super::state::{Flow, Shell, Stop};
use crate::process::{Exit, Fd};
use futures::future::BoxFuture;

/// How much a command substitution may print.
const MAX_SUBSTITUTION: usize = 8 << 20;

/// Where a tilde stands for a home directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tilde {
    /// At the start of a word.
    Start,
    /// After every colon, too.
    Assignment,
}

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
    pub(super) async fn arguments(&mut self, words: &[Word]) -> Result<Vec<String>, Stop> {
        let mut arguments = Vec::new();
        for word in words {
            let alternatives = if self.is_bash() { super::braces::expand(word)? } else { vec![word.clone()] };
            for word in &alternatives {
                let fields = self.word(word, Tilde::Start, false).await?;
                let ifs = self.var("IFS").unwrap_or(" \t\n").to_owned();
                arguments.extend(self.glob(fields::split(fields, &ifs)));
            }
        }
        Ok(arguments)
    }

    /// Expands a word into one text, neither split nor matched with files: for redirections and `case`.
    pub(super) async fn single(&mut self, word: &Word) -> Result<String, Stop> {
        Ok(fields::text(&self.single_field(word).await?))
    }

    /// As [`Shell::single`], but still telling what was quoted: for patterns.
    pub(super) async fn single_field(&mut self, word: &Word) -> Result<Field, Stop> {
        let fields = self.word(word, Tilde::Start, false).await?;
        Ok(joined(fields))
    }

    /// The value of an assignment.
    pub(super) async fn assigned(&mut self, word: &Word) -> Result<String, Stop> {
        let fields = self.word(word, Tilde::Assignment, false).await?;
        Ok(fields::text(&joined(fields)))
    }

    /// Expands pieces in which quotes mean nothing more: here-documents and arithmetic.
    pub(super) async fn text(&mut self, parts: &[Part]) -> Result<String, Stop> {
        let mut fields = Fields::default();
        self.parts(parts, true, &mut fields).await?;
        Ok(fields.finish().iter().map(|field| fields::text(field)).collect::<Vec<_>>().join(" "))
    }

    /// Expands a word that stands inside an expansion, in double quotes or not.
    pub(super) async fn inner_word(&mut self, word: &Word, quoted: bool) -> Result<Vec<Field>, Stop> {
        self.word(word, Tilde::Start, quoted).await
    }

    async fn word(&mut self, word: &Word, tilde: Tilde, quoted: bool) -> Result<Vec<Field>, Stop> {
        let mut fields = Fields::default();
        let mut parts = word.parts.as_slice();
        if !quoted && let Some(Part::Text(text)) = parts.first() {
            let alone = parts.len() == 1;
            self.with_home(text, tilde, alone, &mut fields);
            parts = &parts[1..];
        }
        self.parts(parts, quoted, &mut fields).await?;
        Ok(fields.finish())
    }

    /// Pushes the first text of a word with its tilde replaced.
    fn with_home(&self, text: &str, tilde: Tilde, alone: bool, out: &mut Fields) {
        let pieces: Vec<&str> = if tilde == Tilde::Assignment { text.split(':').collect() } else { vec![text] };
        let last = pieces.len() - 1;
        for (index, piece) in pieces.into_iter().enumerate() {
            if index > 0 {
                out.push(":", false, false);
            }
            let name = piece.strip_prefix('~').map(|rest| rest.split('/').next().unwrap_or_default());
            // What follows without a slash would belong to the name.
            let whole = name.filter(|name| alone || index < last || name.len() + 1 < piece.len());
            match whole.and_then(|name| Some((name, self.home(name)?))) {
                Some((name, home)) => {
                    out.push(home, true, false);
                    out.push(&piece[1 + name.len()..], false, false);
                }
                None => out.push(piece, false, false),
            }
        }
    }

    fn home(&self, user: &str) -> Option<String> {
        if user.is_empty() {
            return self.var("HOME").map(str::to_owned);
        }
        let data = self.process.fs.as_user(0, 0).read("/etc/passwd").ok()?;
        let text = String::from_utf8_lossy(&data).into_owned();
        let row = text.lines().find(|line| line.split(':').next() == Some(user))?;
        row.split(':').nth(5).map(str::to_owned)
    }

    fn parts<'a>(
        &'a mut self,
        parts: &'a [Part],
        quoted: bool,
        out: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            self.enter()?;
            for part in parts {
                self.part(part, quoted, out).await?;
            }
            self.leave();
            Ok(())
        })
    }

    async fn part(&mut self, part: &Part, quoted: bool, out: &mut Fields) -> Result<(), Stop> {
        match part {
            Part::Text(text) => out.push(text, quoted, false),
            Part::Quoted(text) => out.push(text, true, false),
            Part::Double(inner) => {
                // `"$@"` without parameters is no argument at all; any other quotes make one, even if it is empty.
                let only_lists = !inner.is_empty() && inner.iter().all(is_list);
                if !only_lists {
                    out.push("", true, false);
                }
                self.parts(inner, true, out).await?;
            }
            Part::Param(param) => Box::pin(self.parameter(param, quoted, out)).await?,
            Part::Command(node) => {
                let text = Box::pin(self.substitute(node)).await?;
                out.push(text, quoted, !quoted);
            }
            Part::Arithmetic(parts) => {
                let text = self.text(parts).await?;
                let value = self.evaluate(&text).await?;
                out.push(value.to_string(), quoted, !quoted);
            }
        }
        Ok(())
    }

    /// Runs a list in a subshell and gives what it printed, without line feeds at the end.
    async fn substitute(&mut self, node: &Node) -> Result<String, Stop> {
        if let Some(file) = only_input(node).filter(|_| self.is_bash()) {
            let path = self.single(file).await?;
            if let Ok(data) = self.process.fs.read(&self.process.path(&path)) {
                self.substituted = Some(0);
                return Ok(String::from_utf8_lossy(&data).trim_end_matches('\n').to_owned());
            }
        }
        let (reader, writer) = Fd::pipe();
        let mut sub = self.fork().await?;
        sub.process.fds.insert(1, writer);
        if self.is_bash() {
            // bash forgets `-e` in a substitution.
            sub.options.errexit = false;
        }
        sub.tested = 0;
        sub.substitutions += 1;
        sub.enter()?;
        let run = async move {
            let flow = sub.node(node).await;
            let exit = sub.end(flow).await;
            drop(sub);
            exit
        };
        let both = async { futures::join!(run, reader.read_to_end(MAX_SUBSTITUTION)) };
        let (exit, output) = self.attend(both).await?;
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

/// The file of `$(< file)`.
fn only_input(node: &Node) -> Option<&Word> {
    let Node::Simple(simple) = node else { return None };
    match simple.redirects.as_slice() {
        [only] if simple.words.is_empty() && simple.assignments.is_empty() && only.kind == RedirectKind::Input => {
            match &only.target {
                Target::Word(word) => Some(word),
                Target::Document(_) => None,
            }
        }
        _ => None,
    }
}

/// `$@` gives several fields; where only one can be, blanks join them.
fn joined(fields: Vec<Field>) -> Field {
    let mut joined = Field::new();
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            joined.push(Piece { text: " ".to_owned(), quoted: true, split: false });
        }
        joined.extend(field);
    }
    joined
}

/// The status of a child; what the lab cannot do ends the parent too.
pub(super) fn finished(exit: Exit) -> Flow {
    match exit.status() {
        Some(status) => Ok(status),
        None => Err(Stop::End(exit)),
    }
}

/// Whether a piece of quoted text is a list that may be empty, such as `$@`.
fn is_list(part: &Part) -> bool {
    let Part::Param(param) = part else { return false };
    let all = |word: &Word| matches!(word.parts.as_slice(), [Part::Quoted(text)] if text == "@");
    let list = param.name == "@" || param.index.as_ref().is_some_and(all);
    list && matches!(
        param.op,
        Op::Plain | Op::Keys | Op::Substring { .. } | Op::Trim { .. } | Op::Replace { .. } | Op::Case { .. }
    )
}
