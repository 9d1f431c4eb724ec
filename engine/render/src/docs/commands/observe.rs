//! An exec with its checks: typed once where the check says nothing of time, in a loop where it may take a while.
//!
//! What the block writes to standard output ends with exactly what the step's check judges. A loop shows nothing of
//! attempts that did not satisfy the check, and ends by itself.

use periplus_core::model::verb::{Exec, Verb};
use periplus_core::model::{Capture, CaptureFrom, Check, Duration, ExpectOutput, Polling, Step, Stream};

use super::check::{Looked, ended};
use super::layout::{Block, Command};
use super::names::variable;
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
        let mut stages = self.exec(step, exec);
        if let (Some(own), Some(last)) = (own, stages.last_mut()) {
            match own.check.stream {
                Stream::Stdout => {}
                Stream::Stderr => *last = last.clone().arg("2>&1 >/dev/null"),
                Stream::Both => *last = last.clone().arg("2>&1"),
            }
            if speaks_of_codes(own) && own.polling.within.is_none() {
                stages.push(Command::new("grep -v").arg(CODE));
            }
        }
        let all: Vec<&ExpectOutput> = own.into_iter().chain(others.iter().copied()).collect();
        let polling = all.iter().map(|expect| expect.polling).find(|polling| polling.within.is_some());
        let captures = self.captures(step, &all);
        let find = own.and_then(|own| self.find(&own.check));
        let mut block = Block::default();
        match (polling, own) {
            (Some(polling), Some(own)) if others.is_empty() && captures.is_empty() && marks.is_empty() => {
                match self.chain(own) {
                    Some(greps) if polling.consecutive == 1 => {
                        stages.extend(greps);
                        let mut body = Block::default();
                        body.pipeline_at(2, "", &stages, " && break");
                        block.append(polled(&polling, body));
                        return block;
                    }
                    _ => self.poll(&mut block, &polling, &all, &stages, &[]),
                }
            }
            (Some(polling), _) => self.poll(&mut block, &polling, &all, &stages, marks),
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
        if others.is_empty() && polling.is_some() && find.is_some() {
            // The loop has narrowed the output already.
            block.line("printf '%s\\n' \"$output\"");
            return block;
        }
        block.line("printf '%s\\n' \"$output\"");
        if let Some((program, word)) = find.map(|find| find.grep("o")) {
            block.line(format!("{program} {word} <<< \"$output\""));
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
    fn poll(&self, block: &mut Block, polling: &Polling, all: &[&ExpectOutput], stages: &[Command], marks: &[String]) {
        let own = all.first().copied();
        let mut body = Block::default();
        for mark in marks {
            body.line(mark.as_str());
        }
        let exits: Vec<_> = all.iter().filter_map(|expect| expect.check.exits.as_ref()).collect();
        let mut chain: Vec<String> = exits.iter().take(1).filter_map(|exits| ended(Some(exits), "$?")).collect();
        if own.is_some_and(speaks_of_codes) {
            chain.push(format!("output=$(grep -v {CODE} <<< \"$output\" || true)"));
        }
        // What is asked of the whole output comes before the output is narrowed.
        let looked = |expect: &ExpectOutput| Looked { variable: "output", find: self.find(&expect.check) };
        for expect in all.iter().filter(|expect| all.len() > 1 || expect.check.find.is_none()) {
            if expect.check.stream == own.map_or(Stream::Stdout, |own| own.check.stream) {
                chain.extend(self.conditions(&expect.check, &looked(expect)));
            }
        }
        let alone = own.filter(|_| all.len() == 1).and_then(|own| Some((own, self.find(&own.check)?)));
        if let Some((own, find)) = alone {
            let (program, word) = find.grep("o");
            chain.push(format!("output=$({program} {word} <<< \"$output\")"));
            chain.extend(self.conditions(&own.check, &Looked { variable: "output", find: None }));
        }
        let succeed = exits.is_empty();
        let (then, otherwise) = match polling.consecutive {
            0 | 1 => ("break", None),
            n => ("in_a_row=$((in_a_row + 1)) || in_a_row=0", Some(n)),
        };
        if otherwise.is_some() {
            block.line("in_a_row=0");
        }
        chain.push(then.to_owned());
        body.pipeline_at(2, "output=$(", stages, if succeed { ") &&" } else { ")" });
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
        for expect in all {
            let Some(stop) = &expect.stop_on else { continue };
            for condition in self.conditions(stop, &Looked { variable: "output", find: self.find(stop) }) {
                body.line(format!("{condition} && break"));
            }
        }
        block.append(polled(polling, body));
    }

    /// `export` lines for what is captured from the output.
    fn captures(&self, step: &Step, all: &[&ExpectOutput]) -> Block {
        let mut block = Block::default();
        for (name, capture) in &step.capture {
            self.capture_from_output(&mut block, name, capture);
        }
        for expect in all {
            for line in expect.check.lines.iter().flat_map(|lines| self.pattern(&lines.raw)) {
                for name in line.captures() {
                    let sed = super::word::quote(&line.capture(name));
                    let variable = variable(name);
                    let stages = [Command::new("sed -nE").arg(sed).arg("<<< \"$output\""), Command::new("head -n 1")];
                    block.pipeline(&format!("export {variable}=$("), &stages, ")");
                }
            }
        }
        block
    }

    fn capture_from_output(&self, block: &mut Block, name: &str, capture: &Capture) {
        let CaptureFrom::Find(find) = &capture.from else { return };
        let text = self.text(find);
        let expression = regex::Expression::of(&text, true);
        let variable = variable(name);
        let (program, word) = expression.grep("o");
        let mut stages = vec![Command::new(program).arg(word).arg("<<< \"$output\""), Command::new("head -n 1")];
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

/// What kubectl itself adds to standard error.
const CODE: &str = "'^command terminated with exit code'";

/// Whether kubectl's own line about the exit code stands in what is judged.
fn speaks_of_codes(own: &ExpectOutput) -> bool {
    own.check.stream != Stream::Stdout && own.check.exits.is_some()
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
