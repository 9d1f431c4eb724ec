//! `test`, `[` and ash's `[[`.
//!
//! Invariant: how many arguments there are decides the meaning first, as POSIX asks.

use super::usage::Wording;
use crate::fs::{FileType, Metadata};
use crate::process::{Exit, Process};
use crate::shell::pattern::Pattern;

/// Why an expression has no truth value; the status is then 2.
enum Fault {
    /// An operator without what it needs.
    ArgumentExpected(String),
    /// What stands where nothing can: the argument, and the one before it.
    Unexpected(String, String),
    BadNumber(String),
    ClosingParen,
    NotSimulated(String),
}

pub(super) async fn main(process: Process) -> Exit {
    let wording = Wording::of(&process);
    run(process, wording).await
}

/// dash's builtin.
pub(super) async fn dash(process: Process) -> Exit {
    run(process, Wording::Dash).await
}

/// bash's builtin.
pub(super) async fn bash(process: Process) -> Exit {
    run(process, Wording::Bash).await
}

async fn run(process: Process, wording: Wording) -> Exit {
    let name = process.name().to_owned();
    let mut args: Vec<&str> = process.args().iter().map(String::as_str).collect();
    let closing = match name.as_str() {
        "[" => Some("]"),
        "[[" => Some("]]"),
        _ => None,
    };
    if let Some(closing) = closing
        && args.pop() != Some(closing)
    {
        let text = match wording {
            Wording::Bash => format!("missing `{closing}'"),
            Wording::Gnu => format!("missing '{closing}'"),
            Wording::Dash | Wording::BusyBox => format!("missing {closing}"),
        };
        return process.fail(2, text).await;
    }
    let mut parser = Parser { process: &process, args: &args, at: 0, depth: 0, wording, patterns: name == "[[" };
    let text = match parser.whole() {
        Ok(value) => return Exit::from(value),
        Err(Fault::NotSimulated(what)) => return Exit::NotSimulated(what),
        Err(fault) => match parser.told(fault) {
            Some(text) => text,
            None => return Exit::not_simulated(format!("the complaint of {name} about {:?}", process.args())),
        },
    };
    process.fail(2, text).await
}

struct Parser<'a> {
    process: &'a Process,
    args: &'a [&'a str],
    at: usize,
    depth: usize,
    wording: Wording,
    /// Whether `==` matches a pattern, as in `[[`.
    patterns: bool,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<bool, Fault> {
        match *self.args {
            [] => return Ok(false),
            [only] => return Ok(!only.is_empty()),
            ["!", only] => return Ok(only.is_empty()),
            [operator, operand] if is_unary(operator) => return self.unary(operator, operand),
            [left, operator, right] if self.is_binary(operator) => return self.binary(left, operator, right),
            ["!", left, operator, right] if self.is_binary(operator) => return Ok(!self.binary(left, operator, right)?),
            _ => {}
        }
        let value = self.or()?;
        match self.args.get(self.at) {
            None => Ok(value),
            Some(extra) => {
                let before = self.args[self.at.saturating_sub(1)];
                Err(Fault::Unexpected((*extra).to_owned(), before.to_owned()))
            }
        }
    }

    /// A complaint in the image's words.
    fn told(&self, fault: Fault) -> Option<String> {
        Some(match (fault, self.wording) {
            (Fault::ArgumentExpected(operator), Wording::Dash | Wording::BusyBox) => {
                format!("{operator}: argument expected")
            }
            (Fault::Unexpected(_, before), Wording::Dash) => format!("{before}: unexpected operator"),
            (Fault::Unexpected(extra, _), Wording::BusyBox) => format!("{extra}: unknown operand"),
            (Fault::BadNumber(text), Wording::Dash) => format!("Illegal number: {text}"),
            (Fault::BadNumber(text), Wording::BusyBox) => format!("{text}: bad number"),
            (Fault::BadNumber(text), Wording::Bash) => format!("{text}: integer expression expected"),
            (Fault::BadNumber(text), Wording::Gnu) => format!("invalid integer '{text}'"),
            (Fault::ClosingParen, Wording::Dash | Wording::BusyBox) => "closing paren expected".to_owned(),
            (Fault::Unexpected(..) | Fault::ArgumentExpected(_), Wording::Bash) => match *self.args {
                [first, _] => format!("{first}: unary operator expected"),
                [_, operator, _] => format!("{operator}: binary operator expected"),
                _ => "too many arguments".to_owned(),
            },
            _ => return None,
        })
    }

    fn next(&mut self) -> Option<&'a str> {
        let arg = self.args.get(self.at).copied()?;
        self.at += 1;
        Some(arg)
    }

    fn or(&mut self) -> Result<bool, Fault> {
        let mut value = self.and()?;
        while self.args.get(self.at).is_some_and(|arg| *arg == "-o" || self.patterns && *arg == "||") {
            self.at += 1;
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, Fault> {
        let mut value = self.primary()?;
        while self.args.get(self.at).is_some_and(|arg| *arg == "-a" || self.patterns && *arg == "&&") {
            self.at += 1;
            value &= self.primary()?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<bool, Fault> {
        self.depth += 1;
        if self.depth > 50 {
            return Err(Fault::NotSimulated("a test expression of more than 50 levels".to_owned()));
        }
        let value = self.operand();
        self.depth -= 1;
        value
    }

    fn operand(&mut self) -> Result<bool, Fault> {
        let Some(first) = self.next() else {
            let last = self.args.last().copied().unwrap_or_default();
            return Err(Fault::ArgumentExpected(last.to_owned()));
        };
        let second = self.args.get(self.at).copied();
        if let (Some(operator), Some(right)) = (second, self.args.get(self.at + 1))
            && self.is_binary(operator)
        {
            self.at += 2;
            return self.binary(first, operator, right);
        }
        if self.args.get(self.at + 1).is_none()
            && let Some(operator) = second.filter(|operator| self.is_binary(operator))
        {
            return Err(Fault::ArgumentExpected(operator.to_owned()));
        }
        match (first, second) {
            ("!", Some(_)) => Ok(!self.primary()?),
            ("(", Some(_)) => {
                let value = self.or()?;
                match self.next() {
                    Some(")") => Ok(value),
                    _ => Err(Fault::ClosingParen),
                }
            }
            (operator, Some(operand)) if is_unary(operator) => {
                self.at += 1;
                self.unary(operator, operand)
            }
            _ => Ok(!first.is_empty()),
        }
    }

    fn unary(&self, operator: &str, operand: &str) -> Result<bool, Fault> {
        let path = self.process.path(operand);
        let fs = &self.process.fs;
        let is = |check: fn(&Metadata) -> bool| fs.metadata(&path).is_ok_and(|metadata| check(&metadata));
        Ok(match operator {
            "-n" => !operand.is_empty(),
            "-z" => operand.is_empty(),
            "-e" => fs.exists(&path),
            "-f" => is(|metadata| metadata.file_type == FileType::File),
            "-d" => is(|metadata| metadata.file_type == FileType::Directory),
            "-c" => is(|metadata| metadata.file_type == FileType::Device),
            "-b" | "-p" | "-S" => false,
            "-h" | "-L" => fs.symlink_metadata(&path).is_ok_and(|metadata| metadata.file_type == FileType::Link),
            "-s" => is(|metadata| metadata.len != Some(0)),
            "-r" => fs.access(&path, 4),
            "-w" => fs.access(&path, 2),
            "-x" => fs.access(&path, 1),
            "-t" => operand.parse().is_ok_and(|number| self.process.fd(number).is_terminal()),
            other => return Err(Fault::NotSimulated(format!("test {other}"))),
        })
    }

    fn binary(&self, left: &str, operator: &str, right: &str) -> Result<bool, Fault> {
        let fs = &self.process.fs;
        let modified = |path: &str| fs.metadata(&self.process.path(path)).ok().map(|metadata| metadata.modified);
        Ok(match operator {
            "=" | "==" | "!=" if self.patterns => Pattern::from_text(right).matches(left) == (operator != "!="),
            "=" | "==" => left == right,
            "!=" => left != right,
            "<" => left < right,
            ">" => left > right,
            "-nt" => modified(left) > modified(right),
            "-ot" => modified(left) < modified(right),
            "-ef" => {
                let inode = |path: &str| fs.canonical(&self.process.path(path)).ok();
                inode(left).is_some() && inode(left) == inode(right)
            }
            _ => {
                let (left, right) = (self.number(left)?, self.number(right)?);
                match operator {
                    "-eq" => left == right,
                    "-ne" => left != right,
                    "-lt" => left < right,
                    "-le" => left <= right,
                    "-gt" => left > right,
                    _ => left >= right,
                }
            }
        })
    }

    fn number(&self, text: &str) -> Result<i64, Fault> {
        text.trim().parse().map_err(|_| Fault::BadNumber(text.to_owned()))
    }

    fn is_binary(&self, operator: &str) -> bool {
        (operator != "==" || self.wording != Wording::Dash) && is_binary(operator)
    }
}

fn is_binary(operator: &str) -> bool {
    matches!(
        operator,
        "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef"
    )
}

fn is_unary(operator: &str) -> bool {
    matches!(operator.strip_prefix('-'), Some(letter) if letter.len() == 1 && "nzefdcbpShLsrwxtugkOG".contains(letter))
}
