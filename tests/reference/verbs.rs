//! `verbs.md`: each verb with its keys, what may stand beside it, and an example that is rehearsed.

use std::collections::BTreeMap;

use periplus_core::codes::Code;
use periplus_core::model::verb::VERBS;
use serde_json::Value;

use super::markdown::{code, fence, fill, table};
use super::schema::Format;
use crate::support::{Case, loaded};

const BOOK: &str = include_str!("verbs/runbook.yaml");

pub(super) fn page() -> String {
    let format = Format::on("verbs.md");
    let lines = kubectl();
    let mut parts: Vec<(&str, String)> = vec![("beside", beside())];
    for verb in VERBS {
        parts.push((verb, section(&format, verb, &lines)));
    }
    for (place, name) in [("stop-on", "StopOn"), ("log-count", "LogCount")] {
        let object = format.object(name);
        parts.push((place, format!("{}\n\n{}", format.purpose(&object), format.describe(&object))));
    }
    fill(include_str!("frame/verbs.md"), &parts)
}

fn section(format: &Format, verb: &str, kubectl: &BTreeMap<String, String>) -> String {
    let steps = example(verb);
    let ids = steps.lines().filter_map(|line| line.strip_prefix("- id: "));
    // A check of its own has no line: that of its exec says it.
    let lines: Vec<&str> = ids.filter_map(|id| kubectl.get(id).map(String::as_str)).collect();
    let lines = if lines.is_empty() { String::new() } else { format!("\n{}", fence("sh", &lines.join("\n"))) };
    format!("{}\n{}{lines}", format.describe(&format.verb(verb)), fence("yaml", &steps))
}

/// The steps of the runbook from the one that is named after a verb to the next such, without their indent.
fn example(verb: &str) -> String {
    let id = |line: &str| line.strip_prefix("  - id: ").map(str::to_owned);
    let mut taken = String::new();
    let mut inside = false;
    for line in BOOK.lines() {
        if let Some(id) = id(line).filter(|id| VERBS.contains(&id.as_str())) {
            inside = id == verb;
        }
        if inside {
            taken.push_str(line.get(2..).unwrap_or_default());
            taken.push('\n');
        }
    }
    assert!(!taken.is_empty(), "the runbook has no step {verb}");
    taken
}

/// What a rehearsal of the examples says that each step is for kubectl, by its id. All of them pass.
fn kubectl() -> BTreeMap<String, String> {
    let done = Case::new(&["rehearse", ".", "--output", "json"])
        .file("runbook.yaml", BOOK)
        .file("world.yaml", include_str!("verbs/world.yaml"))
        .file("manifests/client.yaml", include_str!("verbs/manifests/client.yaml"))
        .run()
        .code(0);
    let events = done.stdout().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = events.filter(|event| event["kind"]["type"] == "step-finished").filter_map(|event| {
        let text = |key: &str| event["kind"][key].as_str().map(str::to_owned);
        // An `expect-output` repeats the line of its exec.
        Some((text("step")?, text("kubectl")?)).filter(|(step, _)| step != "expect-output")
    });
    lines.collect()
}

/// The smallest step of each verb.
fn smallest(verb: &str) -> &'static str {
    match verb {
        "apply" => "apply: {file: a.yaml}",
        "exec" => "exec: {in: {pod: p}, command: [a]}",
        "expect-output" => "expect-output: {of: before, contains: x}",
        "log-grep" => "log-grep: {in: {pod: p}, contains: x}",
        "delete" => "delete: {kind: Pod, name: p}",
        "patch" => "patch: {object: {kind: Pod, name: p}, merge: {a: b}}",
        "wait" => "wait: {kind: Pod, name: p, for: deletion}",
        "get" => "get: {kind: Pod, name: p}",
        "expect-object" => "expect-object: {kind: Pod, name: p, absent: true}",
        other => panic!("the verb {other} has no smallest step"),
    }
}

/// What may stand beside a verb, with the smallest form of it.
const BESIDE: [(&str, &str, &str); 7] = [
    ("`wait` alone", "wait", "wait: rollout"),
    ("`wait` with an object", "wait", "wait: {kind: Pod, name: q, for: condition=Ready}"),
    ("`expect-output`", "expect-output", "expect-output: {contains: y}"),
    ("`expect-object`", "expect-object", "expect-object: {kind: Pod, name: q, absent: true}"),
    ("`capture` by path", "capture", "capture: {X: \"{.a}\"}"),
    ("`capture` by `find`", "capture", "capture: {X: {find: a}}"),
    ("`retry`", "retry", "retry: {attempts: 2}"),
];

/// Which of them each verb takes, as the loader says.
fn beside() -> String {
    let head: Vec<&str> = std::iter::once("Verb").chain(BESIDE.iter().map(|(name, ..)| *name)).collect();
    let rows = VERBS.into_iter().map(|verb| {
        let cells = BESIDE.iter().map(|(_, key, form)| {
            if *key == verb {
                return String::new();
            }
            let book = format!(
                "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: x}}\nnamespace: x\nsteps:\n- id: before\n  \
                 exec: {{in: {{pod: p}}, command: [a]}}\n- id: a\n  {}\n  {form}\n",
                smallest(verb)
            );
            let found = loaded(&book);
            let takes = found.runbook.as_ref().is_some_and(|book| book.steps[1].verb.key() == verb);
            let refusals = [Code::MisplacedKey, Code::UnknownKey, Code::MissingKey, Code::WrongType];
            let refused = found.diagnostics.iter().all(|problem| refusals.contains(&problem.code));
            assert!(refused, "{verb} beside {key}: {:?}", found.diagnostics);
            if takes { "yes".to_owned() } else { String::new() }
        });
        std::iter::once(format!("[{}](#{verb})", code(verb))).chain(cells).collect()
    });
    table(&head, rows)
}
