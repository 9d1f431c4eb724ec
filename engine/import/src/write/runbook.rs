//! The whole runbook: what stands where, and which lines belong to which entry.

use std::fmt::Write as _;
use std::ops::Range;

use periplus_core::load::API_VERSION;

use super::yaml::Yaml;
use crate::draft::{
    Capture, Check, Draft, Entry, Exec, In, LogGrep, Manifests, Object, Param, Polling, Program, Step, Unread, Verb,
    Wait,
};

/// A runbook as text.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The text.
    pub(crate) text: String,
    /// The bytes of each step, with its id.
    pub(crate) steps: Vec<(String, Range<usize>)>,
}

/// Writes a draft. `schema` is where an editor finds the format's schema.
pub(crate) fn runbook(draft: &Draft, schema: Option<&str>) -> Written {
    let mut out = String::new();
    let mut steps = Vec::new();
    if let Some(schema) = schema {
        let _ = writeln!(out, "# yaml-language-server: $schema={schema}");
    }
    let _ = writeln!(out, "apiVersion: {API_VERSION}\nkind: Runbook");
    out.push_str("metadata:\n");
    Yaml::text(&draft.name).behind_key("name", 2, &mut out);
    if let Some(title) = &draft.title {
        Yaml::Prose(title.clone()).behind_key("title", 2, &mut out);
    }
    if let Some(summary) = &draft.summary {
        Yaml::Prose(summary.clone()).behind_key("summary", 0, &mut out);
    }
    // kubectl's own default where a command names none.
    out.push_str("namespace: default\n");
    if !draft.params.is_empty() {
        out.push_str("params:\n");
        for (name, param) in &draft.params {
            self::param(name, param).behind_key(name, 2, &mut out);
        }
    }
    if !draft.requires.is_empty() {
        out.push_str("requires:\n");
        draft.requires.iter().for_each(|requirement| requirement.item(2, &mut out));
    }
    out.push_str("steps:\n");
    entries(&draft.entries, 2, &mut out, &mut steps);
    if let Some(cleanup) = &draft.cleanup {
        let has_steps = cleanup.iter().any(|entry| matches!(entry, Entry::Step(_)));
        out.push_str("\n# Takes back what the steps changed, newest first, when the run ends.\n");
        if has_steps || !draft.keep.is_empty() {
            out.push_str("cleanup:\n");
        } else {
            out.push_str("cleanup: {}\n");
        }
        if !draft.keep.is_empty() {
            Yaml::List(draft.keep.iter().map(Yaml::text).collect()).behind_key("keep", 2, &mut out);
        }
        if has_steps {
            out.push_str("  steps:\n");
        }
        entries(cleanup, if has_steps { 4 } else { 0 }, &mut out, &mut steps);
    }
    if draft.on_failure.iter().any(|entry| matches!(entry, Entry::Step(_))) {
        out.push_str("\non-failure:\n");
        entries(&draft.on_failure, 2, &mut out, &mut steps);
    }
    if !draft.notes.is_empty() {
        out.push_str("\nnotes:\n");
        draft.notes.iter().for_each(|note| Yaml::Prose(note.clone()).item(2, &mut out));
    }
    Written { text: out, steps }
}

fn entries(list: &[Entry], indent: usize, out: &mut String, steps: &mut Vec<(String, Range<usize>)>) {
    for (number, entry) in list.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        match entry {
            Entry::Step(step) => {
                for remark in &step.remarks {
                    comment(remark, indent, out);
                }
                let start = out.len();
                out.push_str(&self::step(step, indent));
                steps.push((step.id.clone(), start..out.len()));
            }
            Entry::Unread(unread) => self::unread(unread, indent, out),
            Entry::Comment(text) => comment(text, indent, out),
        }
    }
}

/// Text as comment lines.
fn comment(text: &str, indent: usize, out: &mut String) {
    for line in text.lines() {
        let line: String = line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        let line = line.replace(['\u{feff}', '\u{2028}', '\u{2029}', '\u{85}'], " ");
        let _ = writeln!(out, "{}", format!("{}# {line}", " ".repeat(indent)).trim_end());
    }
}

fn unread(unread: &Unread, indent: usize, out: &mut String) {
    comment(&format!("Not read (line {}): {}", unread.line, unread.reason), indent, out);
    comment(&unread.text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"), indent, out);
}

fn text(value: &Option<String>) -> Option<Yaml> {
    value.as_ref().map(Yaml::text)
}

/// A sample is easiest to read as a block, whatever stands in it; the line break at its end means nothing there.
fn sample(value: Option<&String>) -> Option<Yaml> {
    value.map(|lines| {
        let block = lines.contains('"') || lines.contains('\n') || lines.len() > 80;
        Yaml::text(if block { format!("{lines}\n") } else { lines.clone() })
    })
}

fn bare(value: &Option<String>) -> Option<Yaml> {
    value.as_ref().map(Yaml::bare)
}

fn flag(value: bool) -> Option<Yaml> {
    value.then(|| Yaml::bare(true))
}

fn param(name: &str, param: &Param) -> Yaml {
    let kind = match (param.values.is_empty(), param.of_list) {
        (false, _) => "enum",
        (true, true) => "list",
        (true, false) => param.kind.name(),
    };
    let values = (!param.values.is_empty()).then(|| Yaml::List(param.values.iter().map(Yaml::text).collect()));
    let default = param.default.as_ref().map(|value| {
        if param.of_list {
            Yaml::List(value.split(',').map(|item| Yaml::text(item.trim())).collect())
        } else if kind == "bool"
            || (kind != "string"
                && kind != "enum"
                && value.parse::<i64>().is_ok_and(|number| number.to_string() == *value))
        {
            Yaml::bare(value)
        } else {
            Yaml::text(value)
        }
    });
    Yaml::map([
        ("type", Some(Yaml::bare(kind))),
        ("of", param.of_list.then(|| Yaml::bare(param.kind.name()))),
        ("values", values),
        ("optional", flag(param.optional)),
        ("env", param.env.then(|| Yaml::text(name))),
        ("default", default),
        ("pattern", text(&param.pattern)),
        ("secret", flag(param.secret)),
        ("description", text(&param.description)),
    ])
}

fn step(step: &Step, indent: usize) -> String {
    let inner = indent + 2;
    let mut out = String::new();
    let mut put = |key: &str, value: Option<Yaml>| {
        if let Some(value) = value {
            value.behind_key(key, inner, &mut out);
        }
    };
    put("id", Some(Yaml::text(&step.id)));
    put("title", step.title.clone().map(Yaml::Prose));
    put("doc", step.doc.clone().map(Yaml::Prose));
    put("needs", step.needs.as_ref().map(|needs| Yaml::List(needs.iter().map(Yaml::text).collect())));
    put("when", text(&step.when));
    put("impact", step.impact.clone().map(Yaml::Prose));
    let (key, value) = verb(&step.verb);
    put(key, Some(value));
    put(
        "wait",
        step.wait.as_ref().map(|wait| match &wait.timeout {
            None => Yaml::text(&wait.condition),
            Some(timeout) => {
                Yaml::map([("for", Some(Yaml::text(&wait.condition))), ("timeout", Some(Yaml::bare(timeout)))])
            }
        }),
    );
    put("expect-output", step.expect.as_ref().map(|check| self::check(check, None)));
    let captures = step.capture.iter().map(|(name, capture)| (name.clone(), self::capture(capture))).collect();
    put("capture", (!step.capture.is_empty()).then_some(Yaml::Map(captures)));
    format!("{}- {}", " ".repeat(indent), out.trim_start())
}

fn verb(verb: &Verb) -> (&'static str, Yaml) {
    match verb {
        Verb::Apply { namespace, manifests, force } => {
            let (file, manifest, render) = match manifests {
                Manifests::Inline(text) => (None, Some(Yaml::text(text)), false),
                Manifests::Files(paths, render) => (Yaml::texts(paths), None, *render),
            };
            let value = Yaml::map([
                ("namespace", text(namespace)),
                ("file", file),
                ("render", flag(render)),
                ("force", flag(*force)),
                ("manifest", manifest),
            ]);
            ("apply", value)
        }
        Verb::Exec(exec) => ("exec", self::exec(exec)),
        Verb::ExpectOutput { of, check } => ("expect-output", self::check(check, Some(of))),
        Verb::LogGrep(grep) => ("log-grep", log_grep(grep)),
        Verb::Delete(named) => ("delete", object(named)),
        Verb::Patch { object: named, yaml_in, kind, patch } => {
            let value =
                Yaml::map([("object", Some(object(named))), ("yaml-in", text(yaml_in)), (kind, Some(patch.clone()))]);
            ("patch", value)
        }
        Verb::Wait { object: named, wait } => {
            let more = Yaml::map([("for", Some(Yaml::text(&wait.condition))), ("timeout", bare(&wait.timeout))]);
            ("wait", joined(object(named), more))
        }
        Verb::Get { object: named, yaml_in, one, any } => {
            let more =
                Yaml::map([("one", flag(*one)), ("pick", any.then(|| Yaml::bare("any"))), ("yaml-in", text(yaml_in))]);
            ("get", joined(object(named), more))
        }
        Verb::ExpectObject { object: named, matches, polling } => {
            let presence = match matches {
                Some(matches) => Yaml::map([("matches", Some(matches.clone()))]),
                None => Yaml::map([("absent", flag(true))]),
            };
            ("expect-object", joined(joined(object(named), presence), self::polling(polling)))
        }
    }
}

fn joined(first: Yaml, second: Yaml) -> Yaml {
    match (first, second) {
        (Yaml::Map(mut entries), Yaml::Map(more)) => {
            entries.extend(more);
            Yaml::Map(entries)
        }
        (first, _) => first,
    }
}

/// An object by its names.
pub(crate) fn object(object: &Object) -> Yaml {
    Yaml::map([
        ("kind", Some(Yaml::text(&object.kind))),
        ("apiVersion", text(&object.api_version)),
        ("name", text(&object.name)),
        ("selector", text(&object.selector)),
        ("namespace", text(&object.namespace)),
    ])
}

fn container(target: &In) -> Yaml {
    Yaml::map([
        ("namespace", text(&target.namespace)),
        (target.pod.0, Some(Yaml::text(&target.pod.1))),
        ("container", text(&target.container)),
        ("pick", target.any.then(|| Yaml::bare("any"))),
    ])
}

fn exec(exec: &Exec) -> Yaml {
    let env = exec.env.iter().map(|(name, value)| (name.clone(), Yaml::text(value))).collect();
    let (command, sh) = match &exec.program {
        Some(Program::Command(words)) => (Some(Yaml::List(words.iter().map(Yaml::text).collect())), None),
        Some(Program::Sh(script)) => (None, Some(Yaml::text(script))),
        None => (None, None),
    };
    Yaml::map([
        ("like", text(&exec.like)),
        ("in", exec.target.as_ref().map(container)),
        ("env", (!exec.env.is_empty()).then_some(Yaml::Map(env))),
        ("effect", exec.change.then(|| Yaml::bare("change"))),
        ("timeout", bare(&exec.timeout)),
        ("command", command),
        ("sh", sh),
    ])
}

fn polling(polling: &Polling) -> Yaml {
    Yaml::map([
        ("within", bare(&polling.within)),
        ("every", bare(&polling.every)),
        ("consecutive", polling.consecutive.map(Yaml::bare)),
    ])
}

fn check(check: &Check, of: Option<&String>) -> Yaml {
    let exit = match check.exit.as_slice() {
        [] => None,
        [one] => Some(Yaml::bare(one)),
        several => Some(Yaml::List(several.iter().map(Yaml::bare).collect())),
    };
    let value = Yaml::map([
        ("of", of.map(Yaml::text)),
        ("exit", exit),
        ("fails", flag(check.fails)),
        ("stream", check.stream.map(Yaml::bare)),
        ("find", text(&check.find)),
        ("equals", text(&check.equals)),
        ("contains", Yaml::texts(&check.contains)),
        ("not-contains", Yaml::texts(&check.not_contains)),
        ("regex", text(&check.regex)),
        ("lines", sample(check.lines.as_ref())),
        ("json", check.json.clone()),
        ("yaml", check.yaml.clone()),
        ("at-least", bare(&check.at_least)),
        ("at-most", bare(&check.at_most)),
    ]);
    joined(value, polling(&check.polling))
}

fn log_grep(grep: &LogGrep) -> Yaml {
    let count = Yaml::map([("min", grep.count.0.map(Yaml::bare)), ("max", grep.count.1.map(Yaml::bare))]);
    Yaml::map([
        ("in", Some(container(&grep.target))),
        ("file", text(&grep.file)),
        ("since", text(&grep.since)),
        ("within", bare(&grep.within)),
        ("contains", Yaml::texts(&grep.contains)),
        ("not-contains", Yaml::texts(&grep.not_contains)),
        ("regex", text(&grep.regex)),
        ("count", (grep.count != (None, None)).then_some(count)),
        ("lines", sample(grep.lines.as_ref())),
    ])
}

fn capture(capture: &Capture) -> Yaml {
    match capture {
        Capture { path: Some(path), default: None, .. } => Yaml::text(path),
        Capture { path, find, default } => {
            Yaml::map([("path", text(path)), ("find", text(find)), ("default", text(default))])
        }
    }
}

impl Wait {
    /// For the rollout of what was written.
    pub(crate) fn rollout() -> Self {
        Self { condition: "rollout".to_owned(), timeout: None }
    }
}
