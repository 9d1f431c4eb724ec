//! `sed`: addresses, and the commands `s`, `p`, `d`, `q`.
//!
//! Invariant: a script with anything else is refused as a whole, before a line is read.

use super::input::or_stdin;
use super::opts::Opts;
use super::posix_regex::{self, Syntax};
use super::text::ended;
use crate::process::{Exit, Process};
use regex::bytes::{Captures, Regex};

enum Address {
    Line(usize),
    Last,
    Match(Regex),
}

enum Action {
    Substitute { pattern: Regex, parts: Vec<Part>, all: bool, nth: usize, print: bool },
    Print,
    Delete,
    Quit,
}

/// A piece of a replacement.
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    action: Action,
    /// Whether a range is under way.
    active: bool,
}

/// `sed [-n] [-E] [-i] [-e SCRIPT] [SCRIPT] [FILE...]`
pub(super) async fn main(process: Process) -> Exit {
    ended(sed(&process).await)
}

async fn sed(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(
        process,
        "nErie:",
        &[("quiet", 'n'), ("regexp-extended", 'E'), ("in-place", 'i'), ("expression", 'e')],
    )?;
    let mut operands = opts.operands.clone();
    let mut script: Vec<String> = opts.values('e').map(str::to_owned).collect();
    if script.is_empty() {
        if operands.is_empty() {
            return Err(super::usage::incomplete(process, 1).await);
        }
        script.push(operands.remove(0));
    }
    let script = script.join("\n");
    let extended = opts.has('E') || opts.has('r');
    let mut commands = Parser { chars: script.chars().collect(), at: 0, extended }
        .commands()
        .map_err(|()| Exit::not_simulated(format!("the sed script {script}")))?;
    let quiet = opts.has('n');
    if opts.has('i') {
        for operand in &operands {
            let data = process.read_whole(operand).await?;
            let out = edit(&mut commands, &data, quiet).0;
            if let Err(error) = process.fs.write(&process.path(operand), &out) {
                return Ok(process.fail(4, format!("couldn't edit {operand}: {error}")).await);
            }
        }
        return Ok(Exit::SUCCESS);
    }
    let mut all = Vec::new();
    let mut exit = Exit::SUCCESS;
    for operand in or_stdin(operands) {
        match process.read_whole(&operand).await {
            Ok(data) => all.extend(data),
            Err(failed @ Exit::Code(_)) => exit = failed,
            Err(exit) => return Err(exit),
        }
    }
    let (out, _) = edit(&mut commands, &all, quiet);
    process.print(out).await?;
    Ok(exit)
}

/// Runs the commands over a text. The flag tells that `q` ended it.
fn edit(commands: &mut [Command], data: &[u8], quiet: bool) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(data.len());
    let total = data.split_inclusive(|&byte| byte == b'\n').count();
    for (index, whole) in data.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let (text, end) = match whole.strip_suffix(b"\n") {
            Some(text) => (text, &b"\n"[..]),
            None => (whole, &b""[..]),
        };
        let mut line = text.to_vec();
        let mut show = !quiet;
        let mut quit = false;
        for command in commands.iter_mut() {
            if !command.applies(index + 1, index + 1 == total, &line) {
                continue;
            }
            match &command.action {
                Action::Print => {
                    out.extend(&line);
                    out.push(b'\n');
                }
                Action::Delete => {
                    show = false;
                    break;
                }
                Action::Quit => {
                    quit = true;
                    break;
                }
                Action::Substitute { pattern, parts, all, nth, print } => {
                    if let Some(changed) = substitute(pattern, parts, *all, *nth, &line) {
                        line = changed;
                        if *print {
                            out.extend(&line);
                            out.push(b'\n');
                        }
                    }
                }
            }
        }
        if show {
            out.extend(&line);
            out.extend(end);
        }
        if quit {
            return (out, true);
        }
    }
    (out, false)
}

fn substitute(pattern: &Regex, parts: &[Part], all: bool, nth: usize, line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len());
    let mut end = 0;
    let mut changed = false;
    for (number, captures) in (1..).zip(pattern.captures_iter(line)) {
        let Some(whole) = captures.get(0) else { break };
        if number < nth || changed && !all {
            continue;
        }
        out.extend(&line[end..whole.start()]);
        fill(parts, &captures, &mut out);
        end = whole.end();
        changed = true;
    }
    out.extend(&line[end..]);
    changed.then_some(out)
}

fn fill(parts: &[Part], captures: &Captures<'_>, out: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Text(text) => out.extend(text),
            Part::Group(group) => out.extend(captures.get(*group).map_or(&b""[..], |found| found.as_bytes())),
        }
    }
}

impl Command {
    fn applies(&mut self, number: usize, last: bool, line: &[u8]) -> bool {
        let is = |address: &Address| match address {
            Address::Line(wanted) => *wanted == number,
            Address::Last => last,
            Address::Match(pattern) => pattern.is_match(line),
        };
        let hit = match (&self.from, &self.to) {
            (None, _) => true,
            (Some(from), None) => is(from),
            (Some(_), Some(to)) if self.active => {
                self.active = !(is(to) || matches!(to, Address::Line(wanted) if *wanted <= number));
                true
            }
            (Some(from), Some(to)) => {
                let starts = is(from);
                // A range whose end has passed already is one line long; a pattern is looked for from the next line on.
                self.active = starts
                    && !matches!(to, Address::Line(wanted) if *wanted <= number)
                    && !(last && matches!(to, Address::Last));
                starts
            }
        };
        hit != self.negated
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    extended: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip(&mut self, which: &str) {
        while self.peek().is_some_and(|c| which.contains(c)) {
            self.at += 1;
        }
    }

    fn commands(mut self) -> Result<Vec<Command>, ()> {
        let mut commands = Vec::new();
        loop {
            self.skip(" \t\n;");
            if self.peek().is_none() {
                return Ok(commands);
            }
            let from = self.address()?;
            let mut to = None;
            self.skip(" ");
            if self.peek() == Some(',') && from.is_some() {
                self.at += 1;
                self.skip(" ");
                to = Some(self.address()?.ok_or(())?);
            }
            self.skip(" ");
            let negated = self.peek() == Some('!');
            self.at += usize::from(negated);
            let action = match self.next()? {
                'p' => Action::Print,
                'd' => Action::Delete,
                'q' => Action::Quit,
                's' => self.substitution()?,
                _ => return Err(()),
            };
            self.skip(" ");
            if !matches!(self.peek(), None | Some(';' | '\n')) {
                return Err(());
            }
            commands.push(Command { from, to, negated, action, active: false });
        }
    }

    fn next(&mut self) -> Result<char, ()> {
        let c = self.peek().ok_or(())?;
        self.at += 1;
        Ok(c)
    }

    fn address(&mut self) -> Result<Option<Address>, ()> {
        match self.peek() {
            Some('$') => {
                self.at += 1;
                Ok(Some(Address::Last))
            }
            Some('/') => {
                self.at += 1;
                let text = self.until('/')?;
                Ok(Some(Address::Match(self.regex(&text, false)?)))
            }
            Some(c) if c.is_ascii_digit() => {
                let mut digits = String::new();
                while let Some(c) = self.peek().filter(char::is_ascii_digit) {
                    digits.push(c);
                    self.at += 1;
                }
                let number = digits.parse().map_err(|_| ())?;
                if number == 0 || matches!(self.peek(), Some('~')) { Err(()) } else { Ok(Some(Address::Line(number))) }
            }
            _ => Ok(None),
        }
    }

    /// The text up to an unescaped delimiter, which may stand escaped inside.
    fn until(&mut self, delimiter: char) -> Result<String, ()> {
        let mut text = String::new();
        let mut in_set = false;
        loop {
            match self.next()? {
                c if c == delimiter && !in_set => return Ok(text),
                '\\' => match self.next()? {
                    c if c == delimiter => text.push(c),
                    c => text.extend(['\\', c]),
                },
                c => {
                    in_set = c == '[' || in_set && c != ']';
                    text.push(c);
                }
            }
        }
    }

    fn regex(&self, text: &str, ignore_case: bool) -> Result<Regex, ()> {
        // An empty pattern means the last one used, which depends on the run.
        if text.is_empty() {
            return Err(());
        }
        posix_regex::compile(text, Syntax { extended: self.extended, ignore_case }).map_err(|_| ())
    }

    fn substitution(&mut self) -> Result<Action, ()> {
        let delimiter = self.next()?;
        let pattern = self.until(delimiter)?;
        let mut replacement = String::new();
        loop {
            match self.next()? {
                c if c == delimiter => break,
                '\\' => match self.next()? {
                    c if c == delimiter => replacement.push(c),
                    c => replacement.extend(['\\', c]),
                },
                c => replacement.push(c),
            }
        }
        let (mut all, mut print, mut ignore_case, mut nth) = (false, false, false, 1);
        while let Some(c) = self.peek() {
            match c {
                'g' => all = true,
                'p' => print = true,
                'i' | 'I' => ignore_case = true,
                '1'..='9' => nth = c.to_digit(10).ok_or(())? as usize,
                _ => break,
            }
            self.at += 1;
        }
        let pattern = self.regex(&pattern, ignore_case)?;
        let parts = parts(&replacement).filter(|parts| {
            parts.iter().all(|part| !matches!(part, Part::Group(group) if *group >= pattern.captures_len()))
        });
        Ok(Action::Substitute { parts: parts.ok_or(())?, pattern, all, nth, print })
    }
}

fn parts(replacement: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut chars = replacement.chars();
    let mut buffer = [0; 4];
    while let Some(c) = chars.next() {
        let group = match c {
            '&' => Some(0),
            '\\' => match chars.next()? {
                'n' => {
                    text.push(b'\n');
                    continue;
                }
                't' => {
                    text.push(b'\t');
                    continue;
                }
                digit @ '0'..='9' => Some(digit.to_digit(10)? as usize),
                // Case conversion of GNU.
                'L' | 'U' | 'E' | 'l' | 'u' => return None,
                other => {
                    text.extend(other.encode_utf8(&mut buffer).bytes());
                    None
                }
            },
            other => {
                text.extend(other.encode_utf8(&mut buffer).bytes());
                None
            }
        };
        if let Some(group) = group {
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Group(group));
        }
    }
    parts.push(Part::Text(text));
    Some(parts)
}
