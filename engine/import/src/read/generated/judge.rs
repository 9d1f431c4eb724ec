//! What a generated page says that must hold, as the checks of a step.
//!
//! Sentences come first, then what the commands look for, then samples. A sample of a check shows examples that are known;
//! what a run really saw is made into a pattern as on any other page.

use std::sync::LazyLock;

use periplus_core::expect::{Pattern, Token};
use periplus_core::model::ScalarType;
use regex::Regex;
use serde_json::Value;

use super::super::said::Said;
use super::super::{Context, Reader};
use super::pattern;
use crate::draft::{Check, Entry, Polling, Step, Verb};
use crate::guess::{self, Known};
use crate::outline::Unit;
use crate::shell::{Pipeline, Simple};
use crate::write::Yaml;

static VALUE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}"));

impl Reader {
    /// Takes the values of captures from what the page shows of them.
    pub(super) fn learn(&mut self, step: &Step, shown: &str) {
        for (name, _) in &step.capture {
            let value = shown.split_whitespace().find_map(|word| word.strip_prefix(name.as_str())?.strip_prefix('='));
            if let Some(value) = value.filter(|value| value.len() >= 4) {
                self.seen.push(Known { value: value.to_owned(), template: format!("{{{{{name}}}}}") });
            }
        }
    }

    /// What the shell looks for in an output becomes what must be in it.
    pub(super) fn looked_for(
        &mut self,
        step: &mut Step,
        conditions: &[Pipeline],
        at: &Context<'_>,
    ) -> Result<(), String> {
        let check = step.expect.get_or_insert_default();
        for condition in conditions.iter().filter(|condition| !condition.negated) {
            let filter = self.filter(&Simple::default(), &condition.stages, at)?;
            for select in filter.lines.iter().filter(|select| !select.invert) {
                match &select.literal {
                    Some(text) if !check.contains.contains(text) => check.contains.push(text.clone()),
                    None if check.regex.is_none() => check.regex = Some(select.regex.clone()),
                    _ => {}
                }
            }
        }
        if check.contains.is_empty() && check.regex.is_none() {
            return Ok(());
        }
        check.exit.retain(|code| *code != 0);
        Ok(())
    }

    /// Gives a step the checks that the page's sentences and samples say.
    pub(super) fn judge(
        &mut self,
        step: &mut Step,
        said: &Said,
        output: Option<&str>,
        unit: &Unit,
    ) -> Result<(), String> {
        match &mut step.verb {
            Verb::Exec(_) => {
                let asked = step.expect.take().unwrap_or_default();
                let polling = Polling { consecutive: said.consecutive, ..asked.polling };
                let find = said.find.clone().or(asked.find);
                let exact = asked.equals.clone().into_iter().collect::<Vec<_>>();
                let mut check = self.check_said(said, output, find, &exact);
                // What stands in the command itself need not be guessed from a sample.
                if check.equals.is_some() && asked.equals.is_some() {
                    check.equals = asked.equals;
                }
                if let Some((notation, text)) = &unit.holds
                    && let Ok(value) = serde_yaml::from_str::<Value>(text)
                {
                    let place = if notation == "json" { &mut check.json } else { &mut check.yaml };
                    *place = Some(Yaml::from(&value));
                }
                if !check.asserts() && (check.find.is_some() || polling.within.is_some()) {
                    check.exit = vec![0];
                    check.find = None;
                }
                check.polling = polling;
                step.expect = check.asserts().then_some(check);
            }
            Verb::LogGrep(grep) => {
                let filters = std::mem::take(&mut grep.contains);
                grep.regex = None;
                let since = grep.since.take();
                grep.not_contains.clone_from(&said.not_contains);
                grep.contains.clone_from(&said.contains);
                grep.regex.clone_from(&said.regex);
                grep.count = said.count;
                grep.since = since;
                // What was seen once is more than what is asked, where the page says what that is.
                let told = self.shows_seen && (!said.contains.is_empty() || said.regex.is_some());
                grep.lines = output.filter(|_| !told).map(|output| self.sample(output, &filters));
                if !grep.asserts() {
                    grep.contains = filters;
                }
                if !grep.asserts() {
                    return Err("the page does not say what must be in the log".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn check_said(
        &self,
        said: &Said,
        output: Option<&str>,
        find: Option<String>,
        texts: &[String],
    ) -> Check {
        let mut check = Check {
            find: find.or_else(|| said.find.clone()),
            stream: said.stream,
            contains: said.contains.clone(),
            not_contains: said.not_contains.clone(),
            regex: said.regex.clone(),
            exit: said.exit.clone(),
            fails: said.fails,
            at_least: said.at_least.clone(),
            at_most: said.at_most.clone(),
            ..Check::default()
        };
        let output = output.filter(|output| !output.starts_with("command terminated with exit code"));
        if let Some(output) = output {
            let pattern = self.sample(output, texts);
            let one = pattern.lines().count() == 1;
            let literal = Pattern::parse(&pattern).is_ok_and(|(pattern, _)| pattern.is_literal());
            if literal && (one || check.find.is_some()) {
                check.equals = Some(pattern);
            } else {
                check.lines = Some(pattern);
            }
        }
        check
    }

    /// An address with a port that is known is that of the parameter which stands before it elsewhere.
    pub(super) fn pairs(&self, output: &str, known: &mut Vec<Known>) {
        let execs = self.draft.entries.iter().filter_map(|entry| match entry {
            Entry::Step(Step { verb: Verb::Exec(exec), .. }) => Some(exec),
            _ => None,
        });
        let texts: Vec<&String> = execs.flat_map(|exec| exec.env.values()).collect();
        for (name, param) in &self.draft.params {
            if param.kind != ScalarType::Ip || param.default.is_some() {
                continue;
            }
            for (port, value) in
                self.draft.params.iter().filter_map(|(port, param)| Some((port, param.default.as_ref()?)))
            {
                let template = format!("{{{{{name}}}}}:{{{{{port}}}}}");
                if !texts.iter().any(|text| text.contains(&template)) {
                    continue;
                }
                let address = Regex::new(&format!(r"\b(?:\d{{1,3}}\.){{3}}\d{{1,3}}:{}\b", regex::escape(value)));
                let found = address
                    .into_iter()
                    .filter_map(|address| address.find(output).map(|found| found.as_str().to_owned()));
                known.extend(found.map(|value| Known { value, template: template.clone() }));
            }
        }
    }

    /// The pattern of a sample: the page fills tokens and parameters with values that are known here.
    pub(super) fn sample(&self, output: &str, texts: &[String]) -> String {
        let mut known = self.known();
        known.extend(self.seen.iter().cloned());
        self.pairs(output, &mut known);
        for (name, param) in &self.draft.params {
            let template = format!("{{{{{name}}}}}");
            match (&param.default, param.kind) {
                (None, ScalarType::Ip) => known.push(Known { value: "192.0.2.10".to_owned(), template }),
                (None, ScalarType::Cidr) => known.push(Known { value: "192.0.2.0/24".to_owned(), template }),
                (None, ScalarType::Name) => known.push(Known { value: "example-name".to_owned(), template }),
                (Some(url), ScalarType::Url) => {
                    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', ':', '?']).next());
                    if let Some(host) = host.filter(|host| host.contains('.')) {
                        known.push(Known { value: host.to_owned(), template: format!("{{{{host {name}}}}}") });
                    }
                }
                _ => {}
            }
        }
        // Where the command looks for a text with values in it, the sample shows which.
        for text in texts.iter().filter(|text| text.contains("{{")) {
            let mut regex = String::new();
            let mut from = 0;
            for found in VALUE.find_iter(text) {
                regex.push_str(&regex::escape(&text[from..found.start()]));
                regex.push_str(r"\S+?");
                from = found.end();
            }
            regex.push_str(&regex::escape(&text[from..]));
            if let Ok(regex) = Regex::new(&regex) {
                known.extend(
                    regex
                        .find_iter(output)
                        .map(|found| Known { value: found.as_str().to_owned(), template: text.clone() }),
                );
            }
        }
        for token in Token::ALL.into_iter().filter(|_| !self.shows_seen) {
            let telling =
                matches!(token, Token::Number | Token::Duration | Token::Hash | Token::Hex | Token::Int | Token::Port);
            for number in (0..4).filter(|_| telling) {
                let value = token.example(number).to_owned();
                if value.len() > 1 && !known.iter().any(|known| known.value == value) {
                    known.push(Known { value, template: token.to_string() });
                }
            }
        }
        guess::pattern(output, &known)
    }
}
