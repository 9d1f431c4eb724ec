//! An exec with its checks: typed once where the check says nothing of time, in a loop where it may take a while.
//!
//! What the block writes to standard output ends with exactly what the step's check judges. A loop shows nothing of
//! attempts that did not satisfy the check, and ends by itself.

use periplus_core::model::verb::{Exec, Verb};
use periplus_core::model::{Capture, CaptureFrom, Check, Duration, ExpectOutput, Polling, Step, Stream};

use super::check::{Looked, ended};
use super::layout::{Block, Command};
use super::names::variable;
use super::pattern::Line;
use super::regex;
use super::scribe::Scribe;

impl<'b> Scribe<'b> {
    /// The block of an exec with all that judges it.
    pub(super) fn observation(&self, step: &'b Step, exec: &'b Exec, marks: &[String]) -> Block {
        let own = step.expect_output.as_ref();
        let others: Vec<&ExpectOutput> = self
            .commands
            .judges(step)
            .filter_map(|judge| match &judge.verb {
                Verb::ExpectOutput(expect) => Some(expect),
                _ => None,
            })
            .collect();
        let all: Vec<&ExpectOutput> = own.into_iter().chain(others.iter().copied()).collect();
        let polling = all.iter().map(|expect| expect.polling).find(|polling| polling.within.is_some());
        let heard = Heard::of(step, own, &others, polling.is_some());
        let mut stages = self.exec(step, exec);
        if let Some(last) = stages.last_mut() {
            match heard.kept {
                Kept::Stdout => {}
                Kept::Stderr => *last = last.clone().arg("2>&1 >/dev/null"),
                Kept::Mixed => *last = last.clone().arg("2>&1"),
                Kept::Apart => *last = last.clone().arg(format!("2> {ERRORS}")),
            }
            if heard.without_code && heard.kept != Kept::Apart && polling.is_none() {
                stages.push(Command::new("grep -v").arg(CODE));
            }
        }
        let captures = self.captures(step, &all, heard);
        let find = own.and_then(|own| self.find(&own.check));
        let mut block = Block::default();
        match (&polling, own) {
            (Some(polling), Some(own)) if others.is_empty() && captures.is_empty() && marks.is_empty() => {
                match self.chain(own) {
                    Some(greps) if polling.consecutive == 1 => {
                        stages.extend(greps);
                        let mut body = Block::default();
                        body.pipeline_at(2, "", &stages, " && break");
                        block.append(polled(polling, body));
                        return block;
                    }
                    _ => self.poll(&mut block, polling, &all, &stages, &[], heard),
                }
            }
            (Some(polling), _) => self.poll(&mut block, polling, &all, &stages, marks, heard),
            (None, _) if heard.kept == Kept::Apart => {
                if captures.is_empty() && find.is_none() && own.is_some_and(|own| own.check.stream == Stream::Both) {
                    block.pipeline("", &stages, &format!("; {}", heard.errors()));
                    return block;
                }
                block.pipeline("output=$(", &stages, ")");
                heard.sort(&mut block);
            }
            (None, _) if captures.is_empty() && (others.is_empty() || find.is_none()) => {
                if let Some((program, word)) = find.map(|find| find.grep("o")) {
                    stages.push(Command::new(program).arg(word));
                }
                block.pipeline("", &stages, "");
                return block;
            }
            (None, _) => block.pipeline("output=$(", &stages, ")"),
        }
        block.append(captures);
        let judged = heard.variable(own.map_or(Stream::Stdout, |own| own.check.stream));
        // What was kept apart is shown where it belongs, kubectl's own line on the exit code with it.
        match judged {
            "errors" if find.is_none() => {
                block.line("printf '%s\\n' \"$output\"");
                block.line(format!("cat {ERRORS} >&2"));
            }
            "errors" => {
                block.line("printf '%s\\n' \"$output\"");
                block.line("printf '%s\\n' \"$errors\"");
            }
            _ => {
                if judged == "output" && heard.kept == Kept::Apart {
                    block.line(format!("cat {ERRORS} >&2"));
                }
                block.line(format!("printf '%s\\n' \"${judged}\""));
            }
        }
        // The loop may have narrowed the output already.
        let narrowed = polling.is_some() && own.is_some_and(|own| narrows(&all, own));
        if let Some((program, word)) = find.filter(|_| !narrowed).map(|find| find.grep("o")) {
            block.line(format!("{program} {word} <<< \"${judged}\""));
        }
        block
    }

    /// The check as a chain of greps whose output is what is judged: `find` that must give one line, this one.
    fn chain(&self, own: &ExpectOutput) -> Option<Vec<Command>> {
        let Check { find: Some(find), equals: Some(equals), .. } = &own.check else { return None };
        let only = Check { find: Some(find.clone()), equals: Some(equals.clone()), ..Check::default() };
        let equals = self.text(equals).chomped();
        if own.check != only || own.stop_on.is_some() || equals.has_lines() {
            return None;
        }
        let greps = [self.find(&own.check)?.grep("o"), regex::grep("Fx", &equals)];
        Some(greps.into_iter().map(|(program, word)| Command::new(program).arg(word)).collect())
    }

    /// The loop whose last output stays in a variable.
    fn poll(
        &self,
        block: &mut Block,
        polling: &Polling,
        all: &[&ExpectOutput],
        stages: &[Command],
        marks: &[String],
        heard: Heard,
    ) {
        let mut body = Block::default();
        for mark in marks {
            body.line(mark.as_str());
        }
        let exits = all.iter().find_map(|expect| expect.check.exits.as_ref());
        // The code is asked for again, or after something else has ended with a code of its own.
        let stops_by_code = all.iter().filter_map(|expect| expect.stop_on.as_ref()).any(|stop| stop.exits.is_some());
        let apart = heard.kept == Kept::Apart;
        let keeps_code = apart || stops_by_code;
        let code = if keeps_code { "\"$code\"" } else { "$?" };
        let mut chain: Vec<String> = ended(exits, code).into_iter().collect();
        if keeps_code && chain.is_empty() && exits.is_none() {
            chain.push(format!("[ {code} -eq 0 ]"));
        }
        if heard.without_code && !apart {
            chain.push(format!("output=$(grep -v {CODE} <<< \"$output\" || true)"));
        }
        let looked = |check: &Check, find| Looked { variable: heard.variable(check.stream), find };
        for expect in all {
            let check = &expect.check;
            match self.find(check) {
                Some(find) if narrows(all, expect) => {
                    let (program, word) = find.grep("o");
                    let variable = heard.variable(check.stream);
                    chain.push(format!("{variable}=$({program} {word} <<< \"${variable}\")"));
                    chain.extend(self.conditions(check, &looked(check, None)));
                }
                find => chain.extend(self.conditions(check, &looked(check, find))),
            }
        }
        let succeed = exits.is_none() && !keeps_code;
        let (then, otherwise) = match polling.consecutive {
            0 | 1 => ("break", None),
            n => ("in_a_row=$((in_a_row + 1)) || in_a_row=0", Some(n)),
        };
        if otherwise.is_some() {
            block.line("in_a_row=0");
        }
        chain.push(then.to_owned());
        body.pipeline_at(2, "output=$(", stages, if succeed { ") &&" } else { ")" });
        if keeps_code {
            body.line("code=$?");
        }
        if apart {
            heard.sort(&mut body);
        }
        let mut rest = Block::default();
        for line in joined(&chain, 90) {
            rest.line(line);
        }
        if succeed {
            body.indented(rest);
        } else {
            body.append(rest);
        }
        if let Some(n) = otherwise {
            body.line(format!("[ \"$in_a_row\" -eq {n} ] && break"));
        }
        for stop in all.iter().filter_map(|expect| expect.stop_on.as_ref()) {
            // All of it must hold.
            let mut chain: Vec<String> = Vec::new();
            if let Some(exits) = &stop.exits {
                chain.push(ended(Some(exits), code).unwrap_or_else(|| format!("[ {code} -eq 0 ]")));
            }
            chain.extend(self.conditions(stop, &looked(stop, self.find(stop))));
            if chain.is_empty() {
                continue;
            }
            chain.push("break".to_owned());
            for line in joined(&chain, 90) {
                body.line(line);
            }
        }
        block.append(polled(polling, body));
    }

    /// `export` lines for what is captured from the output.
    fn captures(&self, step: &Step, all: &[&ExpectOutput], heard: Heard) -> Block {
        let mut block = Block::default();
        let judged = step.expect_output.as_ref().map_or(Stream::Stdout, |own| own.check.stream);
        for (name, capture) in &step.capture {
            self.capture_from_output(&mut block, name, capture, heard.variable(judged));
        }
        for expect in all {
            let output = format!("<<< \"${}\"", heard.variable(expect.check.stream));
            let lines: Vec<Line> = expect.check.lines.iter().flat_map(|lines| self.pattern(&lines.raw)).collect();
            capture_lines(&mut block, &lines, &output);
        }
        block
    }

    fn capture_from_output(&self, block: &mut Block, name: &str, capture: &Capture, output: &str) {
        let CaptureFrom::Find(find) = &capture.from else { return };
        let text = self.text(find);
        let expression = regex::Expression::of(&text, true);
        let variable = variable(name);
        let (program, word) = expression.grep("o");
        let mut stages =
            vec![Command::new(program).arg(word).arg(format!("<<< \"${output}\"")), Command::new("head -n 1")];
        if expression.notation == "E" && find.raw.contains('(') {
            let literal = expression.text.as_literal();
            let delimiter =
                ['/', ',', '#', '~', '%', '\u{1}'].into_iter().find(|c| literal.is_none_or(|text| !text.contains(*c)));
            let mark = delimiter.unwrap_or('/').to_string();
            let sed = super::word::ShellText::literal(format!("s{mark}"))
                .with(expression.text)
                .and(&format!("{mark}\\1{mark}"));
            stages.push(Command::new("sed -E").arg(sed.word()));
        }
        block.pipeline(&format!("export {variable}=$("), &stages, ")");
        self.default_of(block, &variable, capture);
    }

    /// The value of a capture that found none.
    pub(super) fn default_of(&self, block: &mut Block, variable: &str, capture: &Capture) {
        if let Some(default) = &capture.default {
            let default = self.text(default);
            let tame = default.as_literal().is_some_and(|text| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c))
            });
            if tame {
                block.line(format!("export {variable}=\"${{{variable}:-{}}}\"", default.word()));
            } else {
                block.line(format!("[ -n \"${variable}\" ] || export {variable}={}", default.word()));
            }
        }
    }
}

/// `export` lines for what lines of a pattern capture. Of lines of one shape each takes its own.
pub(super) fn capture_lines(block: &mut Block, lines: &[Line], output: &str) {
    for (at, line) in lines.iter().enumerate() {
        let like = lines[..at].iter().filter(|before| before.is_like(line)).count();
        let take = if like == 0 { "head -n 1".to_owned() } else { format!("sed -n {}p", like + 1) };
        for name in line.captures() {
            let sed = super::word::quote(&line.capture(name));
            let stages = [Command::new("sed -nE").arg(sed).arg(output), Command::new(take.as_str())];
            block.pipeline(&format!("export {}=$(", variable(name)), &stages, ")");
        }
    }
}

/// What kubectl itself adds to standard error.
const CODE: &str = "'^command terminated with exit code'";

/// Where standard error is kept when it is looked at apart from standard output.
const ERRORS: &str = "errors.txt";

/// What the commands keep of what a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Stdout,
    Stderr,
    /// Both, in the order in which they come.
    Mixed,
    /// Each by itself.
    Apart,
}

/// Which streams something is said about, and hence what has to be kept.
#[derive(Clone, Copy, Debug)]
struct Heard {
    kept: Kept,
    /// Whether both streams, one after the other, are looked at as well.
    joins: bool,
    /// Whether kubectl's own line about the exit code would be taken for the program's.
    without_code: bool,
}

impl Heard {
    fn of(step: &Step, own: Option<&ExpectOutput>, others: &[&ExpectOutput], polled: bool) -> Self {
        let mut checks: Vec<&Check> = own.iter().map(|own| &own.check).collect();
        let hides = own.is_some_and(|own| own.check.stream != Stream::Stdout);
        // What is only shown, and not looked at, may come from where it wants, as long as it comes.
        let counts = |check: &Check| polled || hides || check.lines.is_some();
        checks.extend(others.iter().map(|other| &other.check).filter(|check| counts(check)));
        let stops = own.into_iter().chain(others.iter().copied()).filter_map(|expect| expect.stop_on.as_ref());
        checks.extend(stops.filter(|stop| polled && speaks_of_text(stop)));
        let has = |stream| checks.iter().any(|check| check.stream == stream);
        let captures = !step.capture.is_empty();
        let ordered = captures || checks.iter().any(|check| check.equals.is_some() || check.lines.is_some());
        let kept = match (has(Stream::Stdout), has(Stream::Stderr), has(Stream::Both)) {
            (_, false, false) => Kept::Stdout,
            (false, true, false) => Kept::Stderr,
            (false, false, true) if !ordered => Kept::Mixed,
            _ => Kept::Apart,
        };
        let strict = |check: &Check| check.equals.is_some() || check.lines.is_some() || check.find.is_some();
        let without_code =
            checks.iter().any(|check| strict(check) && check.stream != Stream::Stdout && check.exits.is_some());
        Self { kept, joins: has(Stream::Both), without_code }
    }

    /// The variable that holds a stream.
    const fn variable(self, stream: Stream) -> &'static str {
        match (self.kept, stream) {
            (Kept::Apart, Stream::Stderr) => "errors",
            (Kept::Apart, Stream::Both) => "both",
            _ => "output",
        }
    }

    /// A command that prints standard error.
    fn errors(self) -> String {
        if self.without_code { format!("grep -v {CODE} {ERRORS}") } else { format!("cat {ERRORS}") }
    }

    /// Reads what was kept apart into variables.
    fn sort(self, block: &mut Block) {
        block.line(format!("errors=$({})", self.errors()));
        if self.joins {
            block.line("both=${output:+$output$'\\n'}$errors");
        }
    }
}

/// Whether a check asks for more than an exit code.
fn speaks_of_text(check: &Check) -> bool {
    *check != Check { exits: check.exits.clone(), stream: check.stream, ..Check::default() }
}

/// Whether a loop narrows the output to what `find` finds: where nothing else looks at the rest of it.
fn narrows(all: &[&ExpectOutput], own: &ExpectOutput) -> bool {
    all.len() == 1 && own.stop_on.is_none() && own.check.find.is_some()
}

/// A loop of as many attempts as fit in the time, with the time between them.
pub(super) fn polled(polling: &Polling, body: Block) -> Block {
    let within = polling.within.unwrap_or_default().get();
    let every = polling.every.get();
    let pace = if every.is_zero() { Duration::from_secs(1).get() } else { every };
    let attempts = within.as_millis().div_ceil(pace.as_millis()).max(1).max(u128::from(polling.consecutive));
    let mut block = Block::default();
    block.line(format!("for attempt in {{1..{attempts}}}; do"));
    block.indented(body);
    let mut end = Block::default();
    end.line(format!("sleep {}", seconds(pace)));
    block.indented(end);
    block.line("done");
    block
}

/// A time as `sleep` takes it.
pub(super) fn seconds(time: std::time::Duration) -> String {
    match time.subsec_millis() {
        0 => time.as_secs().to_string(),
        _ => format!("{:.3}", time.as_secs_f64()).trim_end_matches('0').to_owned(),
    }
}

/// Conditions joined by `&&`, on lines of a width.
pub(super) fn joined(chain: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for condition in chain {
        match lines.last_mut() {
            Some(line) if line.chars().count() + condition.chars().count() + 4 <= width => {
                line.push_str(" && ");
                line.push_str(condition);
            }
            Some(line) => {
                line.push_str(" &&");
                lines.push(format!("  {condition}"));
            }
            None => lines.push(condition.clone()),
        }
    }
    lines
}
