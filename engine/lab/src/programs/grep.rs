//! `grep`, `egrep`, `fgrep`.
//!
//! Invariant: 0 means found, 1 not found, 2 trouble; with `-q` it stops at the first match.

use super::input::Lines;
use super::opts::Opts;
use super::posix_regex::{self, Fault, Syntax};
use crate::fs::FileType;
use crate::process::{Exit, Fd, Process};
use regex::bytes::Regex;

struct Grep {
    patterns: Vec<Regex>,
    invert: bool,
    only: bool,
    count: bool,
    quiet: bool,
    list: bool,
    numbers: bool,
    names: bool,
    max: Option<u64>,
    after: u64,
    before: usize,
}

/// `grep [-EFivcoqnlswxrhH] [-m N] [-A N] [-B N] [-C N] [-e PATTERN] [PATTERN] [FILE...]`
pub(super) async fn main(process: Process) -> Exit {
    match grep(&process).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn grep(process: &Process) -> Result<Exit, Exit> {
    let long = [
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("count", 'c'),
        ("only-matching", 'o'),
        ("quiet", 'q'),
        ("silent", 'q'),
        ("line-number", 'n'),
        ("files-with-matches", 'l'),
        ("no-messages", 's'),
        ("word-regexp", 'w'),
        ("line-regexp", 'x'),
        ("recursive", 'r'),
        ("no-filename", 'h'),
        ("with-filename", 'H'),
        ("max-count", 'm'),
        ("regexp", 'e'),
        ("after-context", 'A'),
        ("before-context", 'B'),
        ("context", 'C'),
        ("text", 'a'),
        ("line-buffered", 'u'),
    ];
    let opts = Opts::parse(process, "EFGivcoqnlswxrRhHm:e:A:B:C:au", &long)?;
    let mut operands = opts.operands.clone();
    let mut patterns: Vec<String> = opts.values('e').map(str::to_owned).collect();
    if patterns.is_empty() {
        if operands.is_empty() {
            if process.image.is_busybox() {
                return Err(super::usage::busybox(process));
            }
            process.warn("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n").await;
            return Ok(Exit::Code(2));
        }
        patterns.push(operands.remove(0));
    }
    let recursive = opts.has('r') || opts.has('R');
    if operands.is_empty() {
        operands.push(if recursive { ".".to_owned() } else { "-".to_owned() });
    }
    let mut files = Vec::new();
    for operand in &operands {
        if recursive && process.fs.is_dir(&process.path(operand)) {
            walk(process, operand, &mut files);
        } else {
            files.push(operand.clone());
        }
    }
    let number = |letter: char| match opts.value(letter) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| Exit::not_simulated(format!("grep -{letter} {text}"))),
    };
    let context = number('C')?;
    let grep = Grep {
        patterns: compile(process, &opts, &patterns).await?,
        invert: opts.has('v'),
        only: opts.has('o'),
        count: opts.has('c'),
        quiet: opts.has('q'),
        list: opts.has('l'),
        numbers: opts.has('n'),
        names: opts.has('H') || !opts.has('h') && (operands.len() > 1 || recursive),
        max: number('m')?,
        after: number('A')?.or(context).unwrap_or(0),
        before: usize::try_from(number('B')?.or(context).unwrap_or(0)).unwrap_or(usize::MAX).min(10_000),
    };
    let (mut found, mut trouble) = (false, false);
    for file in &files {
        match process.input(file) {
            Ok(fd) => match grep.file(process, file, fd).await? {
                Searched::Found => found = true,
                Searched::Nothing => {}
                Searched::Trouble(_) if opts.has('s') => trouble = true,
                Searched::Trouble(text) => {
                    trouble = true;
                    process.warn(format!("{}: {file}: {text}\n", process.name())).await;
                }
            },
            Err(error) => {
                trouble = true;
                if !opts.has('s') {
                    process.warn(format!("{}: {file}: {error}\n", process.name())).await;
                }
            }
        }
        if found && grep.quiet {
            return Ok(Exit::SUCCESS);
        }
    }
    Ok(if trouble { Exit::Code(2) } else { Exit::from(found) })
}

async fn compile(process: &Process, opts: &Opts, patterns: &[String]) -> Result<Vec<Regex>, Exit> {
    let extended = opts.has('E') || process.name() == "egrep";
    let fixed = opts.has('F') || process.name() == "fgrep";
    let mut compiled = Vec::new();
    // One pattern a line.
    for pattern in patterns.iter().flat_map(|text| text.split('\n')) {
        let translated = if fixed { Ok(regex::escape(pattern)) } else { posix_regex::translate(pattern, extended) };
        let whole = translated.map(|expression| match (opts.has('x'), opts.has('w')) {
            (true, _) => format!("^(?:{expression})$"),
            (false, true) => format!(r"\b{{start-half}}(?:{expression})\b{{end-half}}"),
            (false, false) => expression,
        });
        let syntax = Syntax { extended, ignore_case: opts.has('i') };
        match whole.and_then(|expression| posix_regex::build(&expression, syntax.ignore_case)) {
            Ok(regex) => compiled.push(regex),
            Err(Fault::NotSimulated(what)) => return Err(Exit::NotSimulated(what)),
            Err(Fault::Invalid(text)) => {
                let text =
                    if process.image.is_busybox() { format!("bad regex '{pattern}': {text}") } else { text.to_owned() };
                return Err(process.fail(2, text).await);
            }
        }
    }
    Ok(compiled)
}

fn walk(process: &Process, dir: &str, files: &mut Vec<String>) {
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in process.fs.read_dir(&process.path(&dir)).unwrap_or_default().into_iter().rev() {
            let path = crate::fs::join(&dir, &entry.name);
            match entry.metadata.file_type {
                FileType::Directory => pending.push(path),
                FileType::File => files.push(path),
                FileType::Link | FileType::Device => {}
            }
        }
    }
    files.sort();
}

/// What a file gave.
enum Searched {
    Found,
    Nothing,
    Trouble(String),
}

impl Grep {
    async fn file(&self, process: &Process, name: &str, fd: Fd) -> Result<Searched, Exit> {
        let shown = if name == "-" { "(standard input)" } else { name };
        let mut lines = Lines::new(fd);
        let (mut number, mut matched, mut after) = (0u64, 0u64, 0u64);
        let mut before: std::collections::VecDeque<(u64, Vec<u8>)> = std::collections::VecDeque::new();
        let mut last_printed = 0;
        loop {
            let mut line = match lines.next().await {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => return Ok(Searched::Trouble(process.read_error(name, &error)?)),
            };
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            number += 1;
            let hit = self.patterns.iter().any(|pattern| pattern.is_match(&line)) != self.invert;
            let silent = self.quiet || self.count || self.list;
            if hit {
                matched += 1;
                if self.quiet {
                    return Ok(Searched::Found);
                }
                if self.list {
                    process.print(format!("{shown}\n")).await?;
                    return Ok(Searched::Found);
                }
            }
            if hit && !silent {
                let context = self.before > 0 || self.after > 0;
                let first = before.front().map_or(number, |(number, _)| *number);
                if context && last_printed > 0 && first > last_printed + 1 {
                    process.print("--\n").await?;
                }
                for (number, line) in std::mem::take(&mut before) {
                    self.print(process, shown, number, &line, '-').await?;
                }
                if self.only {
                    for part in self.parts(&line) {
                        self.print(process, shown, number, part, ':').await?;
                    }
                } else {
                    self.print(process, shown, number, &line, ':').await?;
                }
                last_printed = number;
                after = self.after;
            } else if !silent && after > 0 {
                after -= 1;
                self.print(process, shown, number, &line, '-').await?;
                last_printed = number;
            } else if self.before > 0 {
                if before.len() == self.before {
                    before.pop_front();
                }
                before.push_back((number, line));
            }
            if self.max.is_some_and(|max| matched >= max) && after == 0 {
                break;
            }
        }
        if self.count && !self.quiet {
            let prefix = if self.names { format!("{shown}:") } else { String::new() };
            process.print(format!("{prefix}{matched}\n")).await?;
        }
        Ok(if matched > 0 { Searched::Found } else { Searched::Nothing })
    }

    /// The parts of a line that match, from left to right, the longest of several patterns first.
    fn parts<'a>(&self, line: &'a [u8]) -> Vec<&'a [u8]> {
        let mut parts = Vec::new();
        let mut at = 0;
        while !self.invert && at <= line.len() {
            let found = self.patterns.iter().filter_map(|pattern| pattern.find_at(line, at));
            let Some(best) = found.min_by_key(|found| (found.start(), std::cmp::Reverse(found.end()))) else { break };
            if !best.is_empty() {
                parts.push(&line[best.range()]);
            }
            at = best.end().max(at + usize::from(best.is_empty()));
            if best.is_empty() && best.start() > at {
                at = best.start() + 1;
            }
        }
        parts
    }

    async fn print(&self, process: &Process, name: &str, number: u64, line: &[u8], mark: char) -> Result<(), Exit> {
        let mut out = Vec::with_capacity(line.len() + 16);
        if self.names {
            out.extend(format!("{name}{mark}").bytes());
        }
        if self.numbers {
            out.extend(format!("{number}{mark}").bytes());
        }
        out.extend(line);
        out.push(b'\n');
        process.print(&out).await
    }
}
