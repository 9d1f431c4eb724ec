//! Which steps are chosen, what they take along, and what is carried out as one.

use super::*;
use crate::load::{Files, load};
use crate::source::Source;

/// `read` and `use` take and use captures; `change` writes; `call` is judged by what stands below it; `grep` looks back to it.
const BOOK: &str = r#"apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: x}
namespace: default
steps:
- id: namespace
  apply: {manifest: "{apiVersion: v1, kind: Namespace, metadata: {name: a}}"}
- id: pod
  get: {kind: Pod, name: a}
  capture: {POD: "{.metadata.name}"}
- id: node
  get: {kind: Node, name: "{{POD}}"}
  capture: {NODE: "{.metadata.name}"}
- id: made
  apply: {manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"}
- id: aside
  needs: []
  get: {kind: ConfigMap, name: b}
- id: call
  exec: {in: {pod: "{{NODE}}", container: c}, command: [curl]}
- id: shows
  expect-output: {of: call, contains: a}
- id: shows-too
  expect-output: {of: call, contains: b}
- id: shows-sometimes
  when: POD != ""
  expect-output: {of: call, contains: c}
- id: grep
  log-grep: {in: {pod: "{{POD}}", container: c}, since: call, contains: d}
- id: grep-again
  log-grep: {in: {pod: "{{POD}}", container: c}, since: call, contains: e}
"#;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

fn plan_of(text: &str, selection: &Selection) -> Result<Plan, Vec<Diagnostic>> {
    let loaded = load(&Source { name: "runbook.yaml".to_owned(), text: text.to_owned() }, &NoFiles);
    assert_eq!(loaded.diagnostics, []);
    let (runbook, order) = loaded.runbook.zip(loaded.order).expect("a runbook that loads");
    Plan::new(Arc::new(runbook), order.dag, selection, &order.captures)
}

fn id(step: &str) -> StepId {
    StepId(step.to_owned())
}

fn from(step: &str) -> Selection {
    Selection { from: Some(id(step)), ..Selection::default() }
}

fn only(steps: &[&str]) -> Selection {
    Selection { only: steps.iter().map(|step| id(step)).collect(), ..Selection::default() }
}

fn until(step: &str) -> Selection {
    Selection { until: Some(id(step)), ..Selection::default() }
}

fn names(plan: &Plan, positions: impl IntoIterator<Item = usize>) -> Vec<&str> {
    positions.into_iter().map(|position| plan.step(position).id.value.as_str()).collect()
}

#[track_caller]
fn chosen(selection: &Selection, expected: &[&str]) {
    let plan = plan_of(BOOK, selection).expect("a plan");
    assert_eq!(names(&plan, plan.chosen()), expected);
    for position in 0..plan.runbook.steps.len() {
        assert_eq!(plan.is_chosen(position), expected.contains(&plan.step(position).id.value.as_str()));
    }
}

#[test]
fn without_a_selection_every_step_is_chosen() {
    let all = Selection::default();
    assert_eq!(plan_of(BOOK, &all).expect("a plan").chosen().count(), 11);
}

#[test]
fn from_takes_all_below_and_the_reads_that_they_need() {
    // `call` uses NODE, which `node` captures with the help of POD; both only read.
    let below = ["call", "shows", "shows-too", "shows-sometimes", "grep", "grep-again"];
    chosen(&from("call"), &[["pod", "node"].as_slice(), &below].concat());
    // What was freed by `needs` is not below.
    chosen(&from("made"), &[["pod", "node", "made"].as_slice(), &below].concat());
    // What stands below waits for it, although it waits for nothing.
    chosen(&from("aside"), &[["pod", "node", "aside"].as_slice(), &below].concat());
}

#[test]
fn until_takes_all_above() {
    chosen(&until("namespace"), &["namespace"]);
    chosen(&until("aside"), &["aside"]);
    chosen(&until("made"), &["namespace", "pod", "node", "made"]);
    chosen(&until("call"), &["namespace", "pod", "node", "made", "aside", "call"]);
}

#[test]
fn only_takes_what_it_names_and_the_reads_that_they_need() {
    chosen(&only(&["namespace", "aside"]), &["namespace", "aside"]);
    chosen(&only(&["node"]), &["pod", "node"]);
    chosen(&only(&["grep"]), &["pod", "grep"]);
}

#[test]
fn selections_narrow_each_other() {
    let both = Selection { from: Some(id("node")), until: Some(id("call")), only: Vec::new() };
    chosen(&both, &["pod", "node", "made", "call"]);
    let all = Selection { only: vec![id("made"), id("namespace")], ..both };
    chosen(&all, &["made"]);
    let nothing = Selection { from: Some(id("call")), until: Some(id("pod")), only: Vec::new() };
    chosen(&nothing, &[]);
}

#[test]
fn names_that_no_step_has_are_told_all_at_once() {
    let selection = Selection { from: Some(id("cal")), only: vec![id("nodes"), id("made")], until: Some(id("zzz")) };
    let problems = plan_of(BOOK, &selection).expect_err("three names are wrong");
    let told: Vec<(&str, Option<&str>)> =
        problems.iter().map(|problem| (problem.message.as_str(), problem.help.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("--from names step `cal`, which the runbook does not have", Some("did you mean `call`?")),
            ("--until names step `zzz`, which the runbook does not have", None),
            ("--only names step `nodes`, which the runbook does not have", Some("did you mean `node`?")),
        ]
    );
}

#[test]
fn a_capture_of_a_change_is_never_taken_along_unasked() {
    let book = BOOK.replace(
        "- id: made\n  apply: {manifest: \"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\"}\n",
        "- id: made\n  exec: {in: {pod: a, container: c}, command: [make], effect: change}\n  \
         capture: {MADE: {find: \"made .*\"}}\n- id: uses\n  get: {kind: Pod, name: \"{{MADE}}\"}\n",
    );
    let problems = plan_of(&book, &only(&["uses"])).expect_err("it would write unasked");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("step `uses` uses what step `made` captures"), "{}", problems[0].message);
    let plan = plan_of(&book, &only(&["uses", "made"])).expect("both were asked for");
    assert_eq!(names(&plan, plan.chosen()), ["made", "uses"]);
}

#[test]
fn checks_right_below_an_exec_are_one_observation_with_it() {
    let plan = plan_of(BOOK, &Selection::default()).expect("a plan");
    let at = |step: &str| plan.runbook.position(&id(step)).expect("a step");
    assert_eq!(names(&plan, plan.judged_by(at("call")).iter().copied()), ["shows", "shows-too"]);
    for (step, by) in [("shows", Some("call")), ("shows-too", Some("call")), ("shows-sometimes", None), ("call", None)]
    {
        let by = by.map(at);
        assert_eq!(plan.carried_out_by(at(step)), by, "{step}");
    }
    assert!(plan.judged_by(at("pod")).is_empty());
}

#[test]
fn a_check_that_is_not_chosen_judges_nothing_and_cuts_off_those_below_it() {
    let plan = plan_of(BOOK, &only(&["call", "shows-too"])).expect("a plan");
    let call = plan.runbook.position(&id("call")).expect("a step");
    assert!(plan.judged_by(call).is_empty(), "`shows-too` is not right below any more: it looks at the last output");
    let plan = plan_of(BOOK, &only(&["shows"])).expect("a plan");
    assert!(plan.judged_by(call).is_empty(), "its exec is not chosen");
}

#[test]
fn chosen_readers_of_logs_are_known_to_the_step_that_they_look_back_to() {
    let plan = plan_of(BOOK, &Selection::default()).expect("a plan");
    let call = plan.runbook.position(&id("call")).expect("a step");
    assert_eq!(names(&plan, plan.read_by(call).iter().copied()), ["grep", "grep-again"]);
    assert!(plan.read_by(0).is_empty());
    let plan = plan_of(BOOK, &only(&["call", "grep-again"])).expect("a plan");
    assert_eq!(names(&plan, plan.read_by(call).iter().copied()), ["grep-again"]);
}

#[test]
fn only_chosen_steps_count_as_changes() {
    assert!(plan_of(BOOK, &Selection::default()).expect("a plan").has_changes());
    assert!(!plan_of(BOOK, &only(&["pod", "call"])).expect("a plan").has_changes());
    assert!(plan_of(BOOK, &only(&["made"])).expect("a plan").has_changes());
}
