//! Every verb and every way of matching works in a rehearsal, and each of them can fail there.

use crate::support::{Case, Done};

const RUNBOOK: &str = include_str!("fixtures/runbooks/every-verb/runbook.yaml");

/// Rehearses the runbook with one text of it replaced.
#[track_caller]
fn rehearse(old: &str, new: &str) -> Done {
    assert_eq!(RUNBOOK.matches(old).count(), 1, "{old:?} must stand in the runbook once");
    Case::new(&["rehearse", "book"])
        .file("book/runbook.yaml", RUNBOOK.replace(old, new))
        .file("book/world.yaml", include_str!("fixtures/runbooks/every-verb/world.yaml"))
        .file("book/manifests/client.yaml", include_str!("fixtures/runbooks/every-verb/manifests/client.yaml"))
        .run()
}

#[test]
fn every_verb_and_every_way_of_matching_holds() {
    let done = rehearse("name: every-verb", "name: every-verb").code(0);
    done.says(&["capture    LETTERS=8", "capture    OWNER=nobody", "after-noisy     skipped"])
        .prints(&["29 steps: 27 passed, 2 skipped"]);
}

#[test]
fn every_way_of_matching_can_fail() {
    let broken = [
        ("look", "times: \"3\"", "times: \"4\""),
        ("absent", "name: never-made", "name: page"),
        ("hello", "{equals: \"{{GREETING}}\"}", "{equals: \"{{GREETING}}!\"}"),
        ("hello-again", "contains: morning, not", "contains: mourning, not"),
        ("hello-again", "[night, evening]", "[night, morning]"),
        ("hello-again", "^good .*g$", "^good .*d$"),
        ("script", "exit: [3, 4]", "exit: [4]"),
        ("script", "line 1 for calm", "line 2 for calm"),
        ("complaint", "stream: stderr", "stream: stdout"),
        ("fails", "contains: \"8\"", "contains: \"9\""),
        ("number", "at-least: 4", "at-least: 8"),
        ("number", "at-least: 4, at-most: 9", "at-least: 2, at-most: 3"),
        ("as-json", "{b: true}]}}", "{b: false}]}}"),
        ("as-yaml", "back: ajar}}, within", "back: shut}}, within"),
        ("read-log", "{min: 3, max: 3}", "{min: 2, max: 2}"),
        ("no-errors", "contains: ERROR", "contains: entry"),
        ("calm", "Y2FsbQ== nobody", "Y2FsbQ== somebody"),
    ];
    for (step, old, new) in broken {
        rehearse(old, new).code(1).prints(&[&format!("FAILED  {step}")]);
    }
}

#[test]
fn a_failed_step_gives_the_line_to_try_by_hand() {
    rehearse("at-least: 4", "at-least: 8").prints(&["by hand  kubectl exec -n demo client-"]);
    rehearse("times: \"3\"", "times: \"4\"").prints(&["by hand  kubectl get configmaps page -n demo -o yaml"]);
}
