//! Loading, mistake by mistake: what is found, and at which text.

use super::*;
use crate::codes::Code;

/// Files beside a runbook: `manifests/sleep.yaml` and one with a template.
struct Beside;

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        match path {
            "manifests/sleep.yaml" => Ok("apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: sleep\n".to_owned()),
            "manifests/templated.yaml" => {
                Ok("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{NOBODY}}\n".to_owned())
            }
            _ => Err("no such file".to_owned()),
        }
    }
}

fn read(text: &str) -> Loaded {
    load(&Source { name: "runbook.yaml".to_owned(), text: text.to_owned() }, &Beside)
}

/// A runbook of these steps, with parameters SITE and PORT.
fn steps(steps: &str) -> String {
    format!(
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: x}}\nnamespace: default\nparams:\n  \
         SITE: {{type: url}}\n  PORT: {{type: port, default: 80}}\nsteps:\n{steps}"
    )
}

/// Codes and the text at their places, for a runbook of these steps.
fn found(text: &str) -> Vec<(Code, String)> {
    let text = steps(text);
    let loaded = read(&text);
    let at = |problem: &Diagnostic| problem.labels.first().map_or("", |label| &text[label.span.range()]).to_owned();
    loaded.diagnostics.iter().map(|problem| (problem.code, at(problem))).collect()
}

const EXEC: &str = "in: {workload: deploy/a, container: c}";

#[test]
fn the_example_of_the_design_loads_as_it_stands() {
    let text = include_str!("../../tests/fixtures/example.yaml");
    let loaded = read(text);
    assert_eq!(loaded.diagnostics, []);
    let (runbook, order) = loaded.runbook.zip(loaded.order).expect("usable");
    assert_eq!(runbook.steps.len(), 13);
    let position = |id: &str| runbook.position(&StepId(id.to_owned())).expect("a step");
    assert_eq!(order.captures[position("call-blocked")], [position("source-pod")]);
    assert_eq!(order.captures[position("proxy-log")], [position("source-pod")]);
    assert!(order.dag.waits_for(position("sleep-in-mesh")).next().is_none(), "`needs: []` frees it");
    assert!(order.dag.is_upstream(position("call-in-mesh"), position("sidecar-log")));
}

#[test]
fn names_are_checked_wherever_they_stand() {
    let text = "- id: a
  when: NOBODY == \"\"
  exec:
    in: {workload: \"deploy/{{NOBODY}}\", container: c}
    env: {X: \"{{NOBODY}}\"}
    command: [curl, \"{{#if NOBODY}}x{{/if}}\"]
  expect-output:
    lines: |
      [ip] {{NOBODY}}
    json: {a: [\"{{NOBODY}}\"]}
- id: b
  apply: {file: manifests/templated.yaml, render: true}
- id: c
  patch:
    object: {kind: ConfigMap, name: \"{{SITTE}}\"}
    merge: {x: \"{{SITE}}\"}
";
    let found = found(text);
    assert!(found.iter().all(|(code, _)| *code == Code::UnknownName), "{found:?}");
    let places: Vec<&str> = found.iter().map(|(_, place)| place.as_str()).collect();
    let file = "manifests/templated.yaml";
    assert_eq!(places, ["NOBODY", "NOBODY", "NOBODY", "NOBODY", "NOBODY", "NOBODY", file, "SITTE"]);
}

#[test]
fn captures_are_used_downstream_only() {
    let get = |id: &str, extra: &str| {
        format!("- id: {id}\n{extra}  get: {{kind: Pod, selector: a=b}}\n  capture: {{POD: '{{.metadata.name}}'}}\n")
    };
    let exec = |id: &str| format!("- id: {id}\n  exec: {{in: {{pod: '{{{{POD}}}}'}}, command: [a]}}\n");
    let late = (Code::CaptureUpstream, "POD".to_owned());
    assert_eq!(found(&(get("a", "") + &exec("b"))), []);
    assert_eq!(found(&(exec("b") + &get("a", ""))), std::slice::from_ref(&late));
    assert_eq!(found(&(exec("b") + &get("a", "  needs: []\n"))), []);
    assert_eq!(found(&(exec("b") + &get("a", "  needs: [b]\n"))), [late]);
    // What is taken over is filled in where it runs.
    let like = "- id: z\n  needs: []\n  exec: {like: b}\n";
    assert_eq!(found(&(get("a", "") + &exec("b") + like)), []);
}

#[test]
fn a_log_is_known_before_it_is_marked() {
    let text = format!(
        "- id: call\n  exec: {{{EXEC}, command: [a]}}
- id: pod\n  get: {{kind: Pod, selector: a=b}}\n  capture: {{POD: '{{.metadata.name}}', IP: '{{.status.podIP}}'}}
- id: log\n  log-grep: {{in: {{pod: '{{{{POD}}}}'}}, since: call, contains: '{{{{IP}}}}'}}\n"
    );
    assert_eq!(found(&text), [(Code::CaptureUpstream, "POD".to_owned())]);
}

#[test]
fn circles_are_told_with_their_path() {
    let text = steps(&format!(
        "- {{id: a, needs: [c], exec: {{{EXEC}, command: [a]}}}}
- {{id: b, needs: [a], exec: {{{EXEC}, command: [a]}}}}
- {{id: c, needs: [b], exec: {{{EXEC}, command: [a]}}}}
- {{id: d, needs: [d], exec: {{{EXEC}, command: [a]}}}}\n"
    ));
    let messages: Vec<String> = read(&text).diagnostics.into_iter().map(|problem| problem.message).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].ends_with("a → c → b → a"), "{messages:?}");
    assert!(messages[1].ends_with("d → d"), "{messages:?}");
}

#[test]
fn shell_variables_of_parameters_are_refused_unless_passed() {
    let text = format!("- id: a\n  exec:\n    {EXEC}\n    sh: curl $SITE ${{PORT}} $HOME\n");
    let expected = [(Code::ShellVariable, "$SITE".to_owned()), (Code::ShellVariable, "${PORT".to_owned())];
    assert_eq!(found(&text), expected);
    let passed = format!("- id: a\n  exec:\n    {EXEC}\n    env: {{SITE: '{{{{SITE}}}}'}}\n    sh: curl $SITE\n");
    assert_eq!(found(&passed), []);
}

#[test]
fn what_a_template_fills_in_is_no_variable_of_the_shell() {
    let sum = "$(({{PORT}} + 1)) $(( {{PORT}} * 2 )) $((16#{{PORT}}))";
    let text = format!("- id: a\n  exec:\n    {EXEC}\n    sh: 'echo {sum}{{{{#if PORT}}}} {sum}{{{{/if}}}}'\n");
    assert_eq!(found(&text), []);
    let mixed = format!("- id: a\n  exec:\n    {EXEC}\n    sh: 'echo $(({{{{PORT}}}} + PORT))'\n");
    assert_eq!(found(&mixed), [(Code::ShellVariable, "PORT".to_owned())]);
}

#[test]
fn names_have_one_value() {
    let text = "- id: a\n  get: {kind: Pod, selector: a=b}\n  capture: {SITE: '{.a}', POD: '{.a}', json: '{.a}'}
- id: b\n  get: {kind: Pod, selector: a=b}\n  capture: {POD: '{.a}'}\n";
    let codes: Vec<Code> = found(text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::CaptureTaken, Code::BadValue, Code::CaptureTaken]);
}

#[test]
fn taking_over_in_a_circle_is_refused() {
    let text = "- id: a\n  exec: {like: b}\n- id: b\n  exec: {like: a}\n";
    assert!(found(text).iter().all(|(code, _)| *code == Code::Cycle));
    assert!(!found(text).is_empty());
}

#[test]
fn one_mistake_does_not_bring_forth_others() {
    // A step that cannot be read is still a step, and what it captures is still a name.
    let text = "- id: a\n  get: {kin: Pod, selector: a=b}\n  capture: {POD: '{.a}'}
- id: b\n  needs: [a]\n  exec: {in: {pod: '{{POD}}'}, command: [x]}\n";
    let codes: Vec<Code> = found(text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::MissingKey, Code::UnknownKey]);
}

#[test]
fn lines_capture_as_well() {
    let text = |below: &str| {
        format!(
            "- id: a\n  exec: {{{EXEC}, command: [a]}}\n  expect-output:\n    lines: |\n      from [ip:PEER]\n\
             - id: b\n  exec: {{{EXEC}, command: [a, '{{{{PEER}}}}']}}\n{below}"
        )
    };
    assert_eq!(found(&text("")), []);
    let twice = "- id: c\n  get: {kind: Pod, name: a}\n  capture: {PEER: '{.status.podIP}'}\n";
    assert_eq!(found(&text(twice)), [(Code::CaptureTaken, "PEER".to_owned())]);
}

#[test]
fn scripts_have_a_bound() {
    let text = format!("- id: a\n  exec:\n    {EXEC}\n    sh: |\n      : {}\n", "x".repeat(70_000));
    assert_eq!(found(&text), [(Code::TooLong, String::new())]);
}

#[test]
fn a_list_of_no_exit_code_asserts_nothing() {
    let exec =
        |check: &str| format!("- id: a\n  exec: {{in: {{pod: p}}, command: [x]}}\n  expect-output: {{{check}}}\n");
    let problems = found(&exec("exit: []"));
    assert!(matches!(problems.as_slice(), [(Code::AssertsNothing, _)]), "{problems:?}");
    assert!(found(&exec("exit: [0, 3]")).is_empty());
}
