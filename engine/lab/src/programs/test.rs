//! `test`, `[` and ash's `[[`.
//!
//! Invariant: how many arguments there are decides the meaning first, as POSIX asks.

use crate::fs::{FileType, Metadata};
use crate::process::{Exit, Process};

/// Why an expression has no truth value.
enum Fault {
    /// The text after `test: `, status 2.
    Wrong(String),
    NotSimulated(String),
}

pub(super) async fn main(process: Process) -> Exit {
    let name = process.name().to_owned();
    let mut args: Vec<&str> = process.args().iter().map(String::as_str).collect();
    if let Some(closing) = match name.as_str() {
        "[" => Some("]"),
        "[[" => Some("]]"),
        _ => None,
    } {
        if name == "[[" {
            return Exit::not_simulated("[[ ]] in a shell script");
        }
        if args.pop() != Some(closing) {
            return process.fail(2, format!("missing {closing}")).await;
        }
    }
    let mut parser = Parser { process: &process, args: &args, at: 0, depth: 0 };
    let result = parser.whole();
    match result {
        Ok(value) => Exit::from(value),
        Err(Fault::NotSimulated(what)) => Exit::NotSimulated(what),
        Err(Fault::Wrong(text)) => complain(&process, &name, &text).await,
    }
}

async fn complain(process: &Process, name: &str, text: &str) -> Exit {
    let shell = if process.image.is_busybox() { "sh: " } else { "sh: 1: " };
    process.warn(format!("{shell}{name}: {text}\n")).await;
    Exit::Code(2)
}

struct Parser<'a> {
    process: &'a Process,
    args: &'a [&'a str],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<bool, Fault> {
        match *self.args {
            [] => return Ok(false),
            [only] => return Ok(!only.is_empty()),
            ["!", only] => return Ok(only.is_empty()),
            [left, operator, right] if is_binary(operator) => return self.binary(left, operator, right),
            ["!", left, operator, right] if is_binary(operator) => return Ok(!self.binary(left, operator, right)?),
            _ => {}
        }
        let value = self.or()?;
        match self.args.get(self.at) {
            None => Ok(value),
            Some(extra) if self.process.image.is_busybox() => Err(Fault::Wrong(format!("{extra}: unknown operand"))),
            Some(extra) => Err(Fault::Wrong(format!("{extra}: unexpected operator"))),
        }
    }

    fn next(&mut self) -> Option<&'a str> {
        let arg = self.args.get(self.at).copied()?;
        self.at += 1;
        Some(arg)
    }

    fn or(&mut self) -> Result<bool, Fault> {
        let mut value = self.and()?;
        while self.args.get(self.at) == Some(&"-o") {
            self.at += 1;
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, Fault> {
        let mut value = self.primary()?;
        while self.args.get(self.at) == Some(&"-a") {
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
        let Some(first) = self.next() else { return Err(Fault::Wrong("argument expected".to_owned())) };
        let second = self.args.get(self.at).copied();
        if let (Some(operator), Some(right)) = (second, self.args.get(self.at + 1))
            && is_binary(operator)
        {
            self.at += 2;
            return self.binary(first, operator, right);
        }
        match (first, second) {
            ("!", Some(_)) => Ok(!self.primary()?),
            ("(", Some(_)) => {
                let value = self.or()?;
                match self.next() {
                    Some(")") => Ok(value),
                    _ => Err(Fault::Wrong("closing paren expected".to_owned())),
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
        text.trim().parse().map_err(|_| {
            Fault::Wrong(if self.process.image.is_busybox() {
                format!("{text}: bad number")
            } else {
                format!("Illegal number: {text}")
            })
        })
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
