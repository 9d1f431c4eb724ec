//! Values that a page shows where only a reader or a run has them.
//!
//! Addresses and names are those that the standards set aside for documents (RFC 5737, RFC 2606).

use std::collections::BTreeSet;

use indexmap::IndexMap;
use periplus_core::expect::{Pattern, PatternPart};
use periplus_core::model::verb::Verb;
use periplus_core::model::{CaptureFrom, Param, ParamType, Runbook, ScalarType, Step, Which};
use periplus_core::params::{Given, NothingOutside, bind};
use periplus_core::template::{Flavour, Scope, Template};

use serde_json::Value;

use super::verified::Verified;

/// What a secret looks like on a page.
const SECRET: &str = "***";

/// Stands for a value that nothing is known of.
const UNKNOWN: &str = "…";

/// The values of a page's samples.
pub(super) struct Examples {
    scope: Scope,
    /// Names whose value differs from reader to reader.
    varies: BTreeSet<String>,
}

impl Examples {
    /// The values that were really used, else the defaults, else plausible ones.
    pub(super) fn new(runbook: &Runbook, verified: Option<&Verified>) -> Self {
        let mut examples = Self { scope: Scope::new(), varies: BTreeSet::new() };
        for (name, param) in &runbook.params {
            examples.param(name, param, verified.and_then(|verified| verified.params.get(name)));
        }
        for step in all_steps(runbook) {
            for (name, value) in captured(step) {
                let seen = verified.and_then(|verified| verified.captures.get(&name).cloned());
                examples.scope.set(name.clone(), seen.unwrap_or(value));
                examples.varies.insert(name);
            }
        }
        examples
    }

    fn param(&mut self, name: &str, param: &Param, seen: Option<&String>) {
        if param.secret {
            self.scope.set_secret(name, SECRET);
            return;
        }
        let fixed = param.default.as_ref().map(|default| default.value.join(","));
        if fixed.is_none() && !param.optional {
            self.varies.insert(name.to_owned());
        }
        let absent = if param.optional { String::new() } else { plausible(param).to_owned() };
        let text = seen.cloned().or(fixed).unwrap_or(absent);
        let alone = IndexMap::from([(name.to_owned(), param.clone())]);
        let given = Given { set: vec![(name.to_owned(), text.clone())], ..Given::default() };
        let typed = bind(&alone, &given, &NothingOutside).ok().and_then(|bound| Some(bound.get(name)?.value.clone()));
        self.scope.set(name, typed.unwrap_or_else(|| text.into()));
    }

    /// A text with its templates filled in; as written where that cannot be done.
    pub(super) fn fill(&self, raw: &str) -> String {
        self.try_fill(raw).unwrap_or_else(|| raw.to_owned())
    }

    fn try_fill(&self, raw: &str) -> Option<String> {
        Template::parse(raw, Flavour::Text).ok()?.render(&self.scope).ok()
    }

    /// A text that a pattern of lines takes; the pattern itself where it cannot be read.
    pub(super) fn lines(&self, raw: &str) -> String {
        let example = Pattern::parse(raw)
            .ok()
            .and_then(|(pattern, _)| pattern.example(&mut |text: &str| self.try_fill(text).ok_or(())).ok());
        example.unwrap_or_else(|| raw.to_owned())
    }

    /// Whether a text is the same for every reader who takes the defaults.
    pub(super) fn is_fixed(&self, raw: &str) -> bool {
        Template::parse(raw, Flavour::Text)
            .is_ok_and(|template| !template.references().iter().any(|name| self.varies.contains(&name.name)))
    }

    /// The value of a name as text; a list with commas.
    pub(super) fn value(&self, name: &str) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.scope.get(name) {
            Some(Value::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join(","),
            Some(value) => text(value),
            None => String::new(),
        }
    }
}

const fn plausible(param: &Param) -> &'static str {
    let scalar = match &param.kind {
        ParamType::Enum(_) => return "",
        ParamType::Scalar(scalar) | ParamType::List(scalar) => *scalar,
    };
    match scalar {
        ScalarType::String => "example",
        ScalarType::Ip => "192.0.2.10",
        ScalarType::Host => "example.com",
        ScalarType::Cidr => "192.0.2.0/24",
        ScalarType::Port => "3128",
        ScalarType::Url => "https://example.com/",
        ScalarType::Name => "example-name",
        ScalarType::Int | ScalarType::Number => "1",
        ScalarType::Bool => "true",
        ScalarType::Duration => "30s",
        ScalarType::File => "example.txt",
    }
}

/// All steps that a page shows.
pub(super) fn all_steps(runbook: &Runbook) -> impl Iterator<Item = &Step> {
    runbook.steps.iter().chain(runbook.cleanup.iter().flat_map(|cleanup| &cleanup.steps)).chain(&runbook.on_failure)
}

/// The captures of a step, each with a plausible value.
fn captured(step: &Step) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = step
        .capture
        .iter()
        .map(|(name, capture)| {
            let default = capture.default.as_ref().filter(|default| !default.has_template());
            let value = match (&capture.from, default) {
                (_, Some(default)) => default.raw.clone(),
                (CaptureFrom::Path(path), None) => found_at(step, &path.raw),
                (CaptureFrom::Find(_), None) => UNKNOWN.to_owned(),
            };
            (name.clone(), value)
        })
        .collect();
    let checks = step.expect_output.iter().map(|expect| &expect.check);
    let patterns = match &step.verb {
        Verb::ExpectOutput(expect) => expect.check.lines.as_ref(),
        Verb::LogGrep(grep) => grep.checks.lines.as_ref(),
        _ => None,
    };
    for lines in checks.filter_map(|check| check.lines.as_ref()).chain(patterns) {
        let Ok((pattern, _)) = Pattern::parse(&lines.raw) else { continue };
        found.extend(pattern.parts().filter_map(|part| match part {
            PatternPart::Token { token, name: Some(name) } => Some((name.to_owned(), token.example(0).to_owned())),
            _ => None,
        }));
    }
    found
}

/// What may stand at a path of an object.
fn found_at(step: &Step, path: &str) -> String {
    let lower = path.to_lowercase();
    if lower.ends_with("ip}") {
        return "10.244.0.12".to_owned();
    }
    if lower.ends_with(".metadata.name}")
        && let Verb::Get(get) = &step.verb
        && let Which::Selector(selector) = &get.object.which
        && let Some((_, app)) = selector.raw.split(',').next().and_then(|label| label.split_once('='))
    {
        return format!("{app}-7d4f8b9c6d-x2k4l");
    }
    UNKNOWN.to_owned()
}
