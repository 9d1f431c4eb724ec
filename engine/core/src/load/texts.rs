//! Every text of a step that may hold a template, with what it becomes once it is filled in.
//!
//! The one list of them: what is not visited here is never checked, so every new key of the format belongs here.

use crate::model::verb::{
    Apply, Exec, ExpectObject, LogGrep, Manifest, Presence, Program, Verb, WaitCondition, WaitFor,
};
use crate::model::{
    CaptureFrom, Check, ExpectOutput, In, LogChecks, ObjectRef, PodRef, Requirement, Step, Text, Tree, Which,
};
use crate::source::{Node, NodeKind};
use crate::template::Flavour;

/// Receives each text.
pub(super) type Visit<'v> = dyn FnMut(&Text, Flavour) + 'v;

/// All texts of a step but its condition, what it takes over by `like`, which log it reads, and files.
pub(super) fn step(step: &Step, visit: &mut Visit<'_>) {
    some(&[&step.impact, &step.namespace], visit);
    match &step.verb {
        Verb::Apply(apply) => manifests(apply, visit),
        Verb::Exec(run) => exec(run, visit),
        Verb::ExpectOutput(expect) => output(expect, visit),
        Verb::LogGrep(grep) => log(grep, visit),
        Verb::Delete(delete) => object(&delete.object, visit),
        Verb::Patch(patch) => {
            object(&patch.object, visit);
            some(&[&patch.yaml_in], visit);
            tree(&patch.patch, visit);
        }
        Verb::Wait(wait) => wait_for(wait, visit),
        Verb::Get(get) => {
            object(&get.object, visit);
            some(&[&get.yaml_in], visit);
        }
        Verb::ExpectObject(expect) => expected(expect, visit),
    }
    step.wait.iter().for_each(|wait| wait_for(wait, visit));
    step.expect_output.iter().for_each(|expect| output(expect, visit));
    step.expect_object.iter().for_each(|expect| expected(expect, visit));
    for capture in step.capture.values() {
        let (CaptureFrom::Path(from) | CaptureFrom::Find(from)) = &capture.from;
        visit(from, Flavour::Text);
        some(&[&capture.default], visit);
    }
}

/// All texts of a requirement.
pub(super) fn requirement(requirement: &Requirement, visit: &mut Visit<'_>) {
    match requirement {
        Requirement::Object(named) => object(named, visit),
        Requirement::Serves { kind, api_version } => {
            visit(kind, Flavour::Text);
            visit(api_version, Flavour::Text);
        }
        Requirement::Sidecar { selector, namespace, .. } => {
            visit(selector, Flavour::Text);
            some(&[namespace], visit);
        }
        Requirement::AccessLog(_) => {}
        Requirement::Can(can) => {
            visit(&can.verb, Flavour::Text);
            visit(&can.resource, Flavour::Text);
            some(&[&can.group, &can.namespace], visit);
        }
    }
}

/// The texts of an exec by themselves.
fn exec(exec: &Exec, visit: &mut Visit<'_>) {
    exec.target.iter().for_each(|target| container(target, visit));
    exec.env.values().for_each(|value| visit(value, Flavour::Text));
    exec.program.iter().for_each(|run| program(run, visit));
}

/// The texts of a program.
pub(super) fn program(program: &Program, visit: &mut Visit<'_>) {
    match program {
        Program::Command(words) => words.iter().for_each(|word| visit(word, Flavour::Text)),
        Program::Sh(script) => visit(script, Flavour::Shell),
    }
}

/// The texts of `in`.
pub(super) fn container(target: &In, visit: &mut Visit<'_>) {
    let (PodRef::Workload(pod) | PodRef::Pod(pod) | PodRef::Selector(pod)) = &target.pod;
    visit(pod, Flavour::Text);
    some(&[&target.namespace, &target.container], visit);
}

fn some(texts: &[&Option<Text>], visit: &mut Visit<'_>) {
    texts.iter().copied().flatten().for_each(|text| visit(text, Flavour::Text));
}

fn manifests(apply: &Apply, visit: &mut Visit<'_>) {
    some(&[&apply.namespace], visit);
    for manifest in &apply.manifests {
        if let Manifest::Inline(text) = manifest {
            visit(text, Flavour::Manifest);
        }
    }
}

fn object(object: &ObjectRef, visit: &mut Visit<'_>) {
    let (Which::Name(which) | Which::Selector(which)) = &object.which;
    visit(&object.kind, Flavour::Text);
    visit(which, Flavour::Text);
    some(&[&object.api_version, &object.namespace], visit);
}

fn wait_for(wait: &WaitFor, visit: &mut Visit<'_>) {
    wait.object.iter().for_each(|named| object(named, visit));
    match &wait.condition {
        WaitCondition::Rollout | WaitCondition::Deletion => {}
        WaitCondition::Condition { kind, .. } => visit(kind, Flavour::Text),
        WaitCondition::JsonPath { path, value } => {
            visit(path, Flavour::Text);
            some(&[value], visit);
        }
    }
}

fn expected(expect: &ExpectObject, visit: &mut Visit<'_>) {
    object(&expect.object, visit);
    match &expect.presence {
        Presence::Matches(wanted) => tree(wanted, visit),
        Presence::Absent => {}
    }
}

fn output(expect: &ExpectOutput, visit: &mut Visit<'_>) {
    check(&expect.check, visit);
    expect.stop_on.iter().for_each(|stop| check(stop, visit));
}

fn check(check: &Check, visit: &mut Visit<'_>) {
    some(&[&check.find, &check.equals, &check.regex, &check.lines, &check.at_least, &check.at_most], visit);
    check.contains.iter().chain(&check.not_contains).for_each(|text| visit(text, Flavour::Text));
    check.json.iter().chain(&check.yaml).for_each(|value| tree(value, visit));
}

/// The texts that say which log is read.
pub(super) fn log_place(grep: &LogGrep, visit: &mut Visit<'_>) {
    container(&grep.target, visit);
    some(&[&grep.file], visit);
}

fn log(grep: &LogGrep, visit: &mut Visit<'_>) {
    let LogChecks { contains, not_contains, regex, lines, count: _ } = &grep.checks;
    some(&[regex, lines], visit);
    contains.iter().chain(not_contains).for_each(|text| visit(text, Flavour::Text));
}

fn tree(tree: &Tree, visit: &mut Visit<'_>) {
    match tree {
        Tree::Text(text) => visit(text, Flavour::Manifest),
        Tree::Node(root) => node(root, visit),
    }
}

/// The scalars of a tree, keys included: each is filled in by itself.
fn node(at: &Node, visit: &mut Visit<'_>) {
    match &at.kind {
        NodeKind::Scalar(scalar) if scalar.text.contains("{{") => {
            visit(&Text { raw: scalar.text.clone(), span: at.span, style: scalar.style }, Flavour::Text);
        }
        NodeKind::Scalar(_) => {}
        NodeKind::List(items) => items.iter().for_each(|item| node(item, visit)),
        NodeKind::Map(entries) => entries.iter().for_each(|(key, value)| {
            node(key, visit);
            node(value, visit);
        }),
    }
}
