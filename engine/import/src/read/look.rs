//! Commands that only look: `get`, `wait`, `rollout status`.

use periplus_core::jsonpath::JsonPath;
use periplus_core::model::Duration;

use super::filter::text_of;
use super::names::Name;
use super::{Context, Read, Reader};
use crate::draft::{Capture, Object, Polling, Step, Verb, Wait};
use crate::kubectl::{Call, Kind};
use crate::shell::{Simple, Word};
use crate::write::Yaml;

impl Reader {
    /// An object that a call names.
    pub(super) fn object(
        &mut self,
        call: &Call,
        kind: &Kind,
        name: Option<&Word>,
        at: &Context<'_>,
    ) -> Result<Object, String> {
        let selector = call.flag("selector").map(|word| self.template(word, at)).transpose()?;
        let name = name.map(|word| self.name(word, at)).transpose()?;
        if call.is_set("all-namespaces") {
            return Err("it goes through all namespaces".to_owned());
        }
        let namespace = call.flag("namespace").filter(|_| kind.namespaced);
        let namespace = namespace.map(|word| self.name(word, at)).transpose()?;
        if name.is_none() && selector.is_none() {
            return Err(format!("it lists every {}: a step names one, or its labels", kind.name));
        }
        let selector = selector.filter(|_| name.is_none());
        Ok(Object { kind: kind.name.clone(), api_version: None, name, selector, namespace })
    }

    pub(super) fn get(&mut self, call: &Call, rest: &[Simple], at: &Context<'_>) -> Read {
        let objects = call.objects()?;
        let [(kind, name)] = objects.as_slice() else { return Err("it names several objects".to_owned()) };
        let object = self.object(call, kind, name.as_ref(), at)?;
        if let Some(steps) = self.mesh(&object, rest, at)? {
            return Ok(steps);
        }
        if rest.iter().any(|stage| stage.words.first().and_then(Word::literal) == Some("kubectl")) {
            return Err("which fields it changes cannot be read from `sed`: write a `patch:`".to_owned());
        }
        let output = text_of(at.output);
        let selected = object.selector.is_some();
        if let (Some(path), true) = (jsonpath(call), rest.is_empty()) {
            let path = self.path(&path, selected, at)?;
            if let Some(value) = output.filter(|value| value.lines().count() == 1)
                && let Some(matches) = nested(&path, &value)
            {
                let verb = Verb::ExpectObject { object, matches: Some(matches), polling: Polling::default() };
                return Ok(vec![Step::new(verb, at.line, at.source)]);
            }
            return Ok(vec![Step::new(
                Verb::Get { object, yaml_in: None, one: selected, any: false },
                at.line,
                at.source,
            )]);
        }
        if kind.name == "Pod" && output.as_deref().is_some_and(|output| output.contains("Running")) {
            let wait = Wait { condition: "condition=Ready".to_owned(), timeout: None };
            return Ok(vec![Step::new(Verb::Wait { object, wait }, at.line, at.source)]);
        }
        if !rest.is_empty() {
            let shown: Vec<&str> =
                rest.iter().flat_map(|stage| stage.words.iter().map(|word| word.raw.as_str())).collect();
            let reason = "what a filter makes of an object has no meaning in a step; the object must be there";
            self.leave_out(at, &format!("| {}", shown.join(" ")), reason);
        }
        Ok(vec![Step::new(Verb::Get { object, yaml_in: None, one: selected, any: false }, at.line, at.source)])
    }

    /// `NAME=$(kubectl get … -o jsonpath=…)`
    pub(super) fn captured_by_get(&mut self, name: &str, call: &Call, rest: &[Simple], at: &Context<'_>) -> Read {
        if !rest.is_empty() {
            return Err("what a filter makes of a value cannot be captured".to_owned());
        }
        let objects = call.objects()?;
        let [(kind, named)] = objects.as_slice() else { return Err("it names several objects".to_owned()) };
        let object = self.object(call, kind, named.as_ref(), at)?;
        let Some(path) = jsonpath(call) else {
            return Err("its value is not taken by a JSONPath".to_owned());
        };
        let selected = object.selector.is_some();
        let path = self.path(&path, selected, at)?;
        let own = self.free_name(name);
        self.names.insert(name.to_owned(), Name::Value(own.clone()));
        let mut step = Step::new(Verb::Get { object, yaml_in: None, one: selected, any: false }, at.line, at.source);
        step.capture.push((own, Capture { path: Some(path), find: None, default: None }));
        Ok(vec![step])
    }

    /// A JSONPath of a list as one of the object that is taken from it.
    fn path(&mut self, path: &Word, selected: bool, at: &Context<'_>) -> Result<String, String> {
        let text = self.template(path, at)?;
        let mut text = text.trim().trim_matches(['\'', '"']).to_owned();
        if !text.starts_with('{') {
            text = format!("{{{text}}}");
        }
        if selected {
            for list in ["{.items..", "{.items[0].", "{.items[*].", "{.items[:1].", "{.items[-1:]."] {
                if let Some(rest) = text.strip_prefix(list) {
                    text = format!("{{.{rest}");
                    break;
                }
            }
        }
        match JsonPath::parse(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("its JSONPath is not read: {}", error.message)),
        }
    }

    pub(super) fn wait(&mut self, call: &Call, at: &Context<'_>) -> Read {
        let condition = match call.flag("for") {
            Some(word) => self.template(word, at)?,
            None => return Err("it does not say for what".to_owned()),
        };
        let condition = match condition.as_str() {
            "delete" => "deletion".to_owned(),
            other if other.starts_with("jsonpath=") => other.replace(['\'', '"'], ""),
            other => other.to_owned(),
        };
        if !(condition == "deletion" || condition.starts_with("condition=") || condition.starts_with("jsonpath=")) {
            return Err(format!("`--for={condition}` is not read"));
        }
        let timeout = self.timeout(call);
        let mut steps = Vec::new();
        for (kind, name) in call.objects()? {
            let object = self.object(call, &kind, name.as_ref(), at)?;
            let wait = Wait { condition: condition.clone(), timeout: timeout.clone() };
            steps.push(Step::new(Verb::Wait { object, wait }, at.line, at.source));
        }
        Ok(steps)
    }

    pub(super) fn rollout_status(&mut self, call: &Call, at: &Context<'_>) -> Read {
        let timeout = self.timeout(call);
        let mut steps = Vec::new();
        for (kind, name) in call.objects()? {
            let object = self.object(call, &kind, name.as_ref(), at)?;
            let wait = Wait { condition: "rollout".to_owned(), timeout: timeout.clone() };
            steps.push(Step::new(Verb::Wait { object, wait }, at.line, at.source));
        }
        Ok(steps)
    }

    /// `--timeout`, where it is one that a step can have and not the default.
    fn timeout(&mut self, call: &Call) -> Option<String> {
        let text = call.flag("timeout")?.literal()?;
        let text = if text.chars().all(|c| c.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
        let found = Duration::parse(&text).ok().filter(|found| !found.get().is_zero())?;
        (found != Duration::from_secs(300)).then(|| found.to_string())
    }
}

/// The path of `-o jsonpath=…`.
fn jsonpath(call: &Call) -> Option<Word> {
    let output = call.flag("output")?;
    let lead = output.lead();
    if lead == "jsonpath" {
        return call.flag("template").cloned();
    }
    lead.starts_with("jsonpath=").then(|| output.without_lead("jsonpath=".len()))
}

/// `{.a.b}` and a value as `{a: {b: value}}`; `None` for paths that go through lists.
fn nested(path: &str, value: &str) -> Option<Yaml> {
    let inner = path.strip_prefix("{.")?.strip_suffix('}')?;
    if inner.contains(['[', '*', '\\', '?', '(', '{']) || value.contains("{{") {
        return None;
    }
    let value = if value.parse::<i64>().is_ok() || matches!(value, "true" | "false") {
        // Whether the field is a number or a text cannot be seen from what is printed.
        return None;
    } else {
        Yaml::text(value)
    };
    Some(inner.rsplit('.').fold(value, |value, key| Yaml::Map(vec![(key.to_owned(), value)])))
}
