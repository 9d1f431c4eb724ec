//! From the text of a command to its tree, cut down to what an import understands.

use std::io::Cursor;

use brush_parser::Parser;
use brush_parser::ast::{self, AndOr, CommandPrefixOrSuffixItem as Item, CompoundCommand, CompoundListItem};

use super::split::Chunk;
use super::word::{Word, options};
use super::{bounds, marks};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Programs whose outputs go into each other.
    Pipeline(Pipeline),
    /// Commands of which each runs if the one before succeeded.
    All(Vec<Command>),
    /// Commands of which some run only if one before fails.
    Either(Vec<Command>),
    /// `for NAME in WORDS; do BODY; done`.
    For {
        /// The variable.
        name: String,
        /// What it goes through.
        words: Vec<Word>,
        /// What is repeated.
        body: Vec<Command>,
    },
    /// `while` and `until`: what is repeated until the condition is as wished.
    While {
        /// The condition.
        condition: Vec<Command>,
        /// What stands between the attempts.
        body: Vec<Command>,
        /// Whether it ends once the condition holds.
        until: bool,
    },
    /// `if CONDITION; then BODY; fi`, without an `else`.
    If {
        /// The condition.
        condition: Vec<Command>,
        /// What is done if it holds.
        body: Vec<Command>,
    },
    /// What is not understood, with its name.
    Other(&'static str),
}

/// Programs whose outputs go into each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pipeline {
    /// The programs.
    pub(crate) stages: Vec<Simple>,
    /// `! …`.
    pub(crate) negated: bool,
}

/// A program with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    /// `NAME=VALUE` before the program, or by themselves.
    pub(crate) assignments: Vec<(String, Word)>,
    /// The program and its arguments.
    pub(crate) words: Vec<Word>,
    /// Where its streams go.
    pub(crate) redirects: Vec<Redirect>,
}

/// Where a stream comes from or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// `<<EOF`: the text, and whether variables in it are filled in.
    Here(Word, bool),
    /// `< FILE`.
    In(Word),
    /// `> FILE` or `>> FILE`.
    Out(Word),
    /// `2> FILE`.
    Err,
    /// `2>&1` or `&>`.
    ErrToOut,
    /// `<(…)` as an argument.
    Process(Simple),
    /// Any other.
    Other,
}

/// Reads a command.
pub(crate) fn parse(chunk: &Chunk) -> Result<Vec<Command>, &'static str> {
    if chunk.open {
        return Err("something in it is opened and never closed");
    }
    bounds::check(&chunk.marked)?;
    let program = Parser::new(Cursor::new(chunk.marked.as_bytes()), &options())
        .parse_program()
        .map_err(|_| "it is no shell command")?;
    let reader = Reader { here: &chunk.here };
    program.complete_commands.iter().flat_map(|list| &list.0).map(|item| reader.item(item)).collect()
}

struct Reader<'c> {
    here: &'c [String],
}

impl Reader<'_> {
    fn list(&self, list: &ast::CompoundList) -> Result<Vec<Command>, &'static str> {
        list.0.iter().map(|item| self.item(item)).collect()
    }

    fn item(&self, item: &CompoundListItem) -> Result<Command, &'static str> {
        let mut found = vec![self.pipeline(&item.0.first)?];
        let mut either = false;
        for more in &item.0.additional {
            let (AndOr::And(next) | AndOr::Or(next)) = more;
            either |= matches!(more, AndOr::Or(_));
            found.push(self.pipeline(next)?);
        }
        if either {
            return Ok(Command::Either(found));
        }
        Ok(if found.len() == 1 { found.remove(0) } else { Command::All(found) })
    }

    fn pipeline(&self, pipeline: &ast::Pipeline) -> Result<Command, &'static str> {
        if let [ast::Command::Compound(compound, _)] = pipeline.seq.as_slice()
            && !pipeline.bang
        {
            return self.compound(compound);
        }
        let mut stages = Vec::new();
        for command in &pipeline.seq {
            match command {
                ast::Command::Simple(command) => stages.push(self.simple(command)?),
                ast::Command::Compound(..) => return Ok(Command::Other("a group of commands in a pipeline")),
                ast::Command::Function(_) => return Ok(Command::Other("a function")),
                ast::Command::ExtendedTest(..) => return Ok(Command::Other("`[[ … ]]`")),
            }
        }
        Ok(Command::Pipeline(Pipeline { stages, negated: pipeline.bang }))
    }

    fn compound(&self, compound: &CompoundCommand) -> Result<Command, &'static str> {
        Ok(match compound {
            CompoundCommand::ForClause(clause) => Command::For {
                name: clause.variable_name.clone(),
                words: clause.values.iter().flatten().map(|word| Word::parse(&word.value)).collect::<Result<_, _>>()?,
                body: self.list(&clause.body.list)?,
            },
            CompoundCommand::WhileClause(clause) => {
                Command::While { condition: self.list(&clause.0)?, body: self.list(&clause.1.list)?, until: false }
            }
            CompoundCommand::UntilClause(clause) => {
                Command::While { condition: self.list(&clause.0)?, body: self.list(&clause.1.list)?, until: true }
            }
            CompoundCommand::IfClause(clause) if clause.elses.is_none() => {
                Command::If { condition: self.list(&clause.condition)?, body: self.list(&clause.then)? }
            }
            CompoundCommand::IfClause(_) => Command::Other("`if` with `else`"),
            CompoundCommand::BraceGroup(group) => Command::All(self.list(&group.list)?),
            CompoundCommand::Subshell(group) => Command::All(self.list(&group.list)?),
            CompoundCommand::CaseClause(_) => Command::Other("`case`"),
            _ => Command::Other("a compound command"),
        })
    }

    fn simple(&self, command: &ast::SimpleCommand) -> Result<Simple, &'static str> {
        let mut simple = Simple::default();
        for item in command.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                Item::AssignmentWord(assignment, word) => simple.assignments.push(self::assignment(assignment, word)?),
                Item::IoRedirect(io) => simple.redirects.push(self.redirect(io)?),
                Item::Word(word) => simple.words.push(Word::parse(&word.value)?),
                Item::ProcessSubstitution(..) => simple.redirects.push(Redirect::Other),
            }
        }
        if let Some(word) = &command.word_or_name {
            simple.words.push(Word::parse(&word.value)?);
        }
        for item in command.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::AssignmentWord(_, word) | Item::Word(word) => simple.words.push(Word::parse(&word.value)?),
                Item::IoRedirect(io) => simple.redirects.push(self.redirect(io)?),
                Item::ProcessSubstitution(ast::ProcessSubstitutionKind::Read, shell) => {
                    simple.redirects.push(self.process(shell)?);
                    simple.words.push(Word::text("/dev/fd/63"));
                }
                Item::ProcessSubstitution(..) => simple.redirects.push(Redirect::Other),
            }
        }
        Ok(simple)
    }

    fn process(&self, shell: &ast::SubshellCommand) -> Result<Redirect, &'static str> {
        Ok(match self.list(&shell.list)?.as_slice() {
            [Command::Pipeline(Pipeline { stages, negated: false })] if stages.len() == 1 => {
                Redirect::Process(stages[0].clone())
            }
            _ => Redirect::Other,
        })
    }

    fn redirect(&self, io: &ast::IoRedirect) -> Result<Redirect, &'static str> {
        use ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as Target};
        Ok(match io {
            ast::IoRedirect::HereDocument(_, here) => {
                let number = marks::here_document(&here.doc.value);
                let text = number.and_then(|number| self.here.get(number)).ok_or("its here-document cannot be read")?;
                if here.requires_expansion {
                    Redirect::Here(Word::here_document(text)?, true)
                } else {
                    Redirect::Here(Word::text(text), false)
                }
            }
            ast::IoRedirect::HereString(_, word) => Redirect::Here(Word::parse(&word.value)?, true),
            ast::IoRedirect::OutputAndError(..) => Redirect::ErrToOut,
            ast::IoRedirect::File(fd, kind, target) => match (kind, target) {
                (Kind::Write | Kind::Append | Kind::Clobber, Target::Filename(_)) if *fd == Some(2) => Redirect::Err,
                (Kind::Write | Kind::Append | Kind::Clobber, Target::Filename(word)) if fd.is_none_or(|fd| fd == 1) => {
                    Redirect::Out(Word::parse(&word.value)?)
                }
                (Kind::Read, Target::Filename(word)) if fd.is_none_or(|fd| fd == 0) => {
                    Redirect::In(Word::parse(&word.value)?)
                }
                (Kind::DuplicateOutput, Target::Duplicate(word)) if *fd == Some(2) && word.value == "1" => {
                    Redirect::ErrToOut
                }
                (Kind::DuplicateOutput, Target::Fd(1)) if *fd == Some(2) => Redirect::ErrToOut,
                _ => Redirect::Other,
            },
        })
    }
}

fn assignment(assignment: &ast::Assignment, word: &ast::Word) -> Result<(String, Word), &'static str> {
    match (&assignment.name, &assignment.value) {
        (ast::AssignmentName::VariableName(name), ast::AssignmentValue::Scalar(value)) if !assignment.append => {
            Ok((name.clone(), Word::parse(&value.value)?))
        }
        _ => Word::parse(&word.value).and(Err("it sets a list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::chunks;

    fn all(script: &str) -> Vec<Command> {
        parse(&chunks(script).remove(0)).expect("a command")
    }

    fn one(script: &str) -> Simple {
        match all(script).remove(0) {
            Command::Pipeline(mut pipeline) => pipeline.stages.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_come_with_their_words_and_redirections() {
        let simple = one("A=1 kubectl apply -n x -f - <<'EOF' 2>&1\na: $B\nEOF\n");
        assert_eq!(simple.assignments, [("A".to_owned(), Word::text("1"))]);
        assert_eq!(
            simple.words.iter().map(|word| word.raw.as_str()).collect::<Vec<_>>().join(" "),
            "kubectl apply -n x -f -"
        );
        assert_eq!(simple.redirects[0], Redirect::Here(Word::text("a: $B\n"), false));
        assert_eq!(simple.redirects[1], Redirect::ErrToOut);
    }

    #[test]
    fn the_deepest_within_the_bounds_parse_on_a_small_stack_and_in_time() {
        let n = 60;
        for script in [
            format!("{}true{}", "if true; then ".repeat(n), "; fi".repeat(n)),
            format!("{}true{}", "(".repeat(16), ")".repeat(16)),
            "(".repeat(16),
            "{ ".repeat(16),
            format!("echo {}", "$(".repeat(12)),
            format!("echo {}", "\"$(echo ".repeat(12)),
            format!("echo {}x{}", "\"$(echo ".repeat(12), ")\"".repeat(12)),
            format!("echo {}x{}", "${a:-".repeat(12), "}".repeat(12)),
            format!("echo $({}", "(".repeat(11)),
            "`".repeat(12),
            format!("echo $(({}", "(".repeat(9)),
        ] {
            let chunk = Chunk { open: false, ..chunks(&script).remove(0) };
            drop(parse(&Chunk { marked: script, ..chunk }));
        }
    }

    #[test]
    fn loops_and_lists_keep_their_shape() {
        let commands = all("for i in {1..3}; do a && break; sleep 1; done");
        let Command::For { name, body, .. } = &commands[0] else { panic!("{commands:?}") };
        assert_eq!((name.as_str(), body.len()), ("i", 2));
        assert!(matches!(&all("a && b || c")[0], Command::Either(found) if found.len() == 3));
        assert!(matches!(&all("until a; do sleep 1; done")[0], Command::While { until: true, .. }));
    }
}
