//! Arguments, exit codes and streams: what is wrong is told with place, reason and remedy, and nothing is contacted.

use crate::support::Case;

/// The smallest runbook.
const SMALL: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: small}
steps:
  - id: look
    get: {kind: Namespace, name: default}
";

#[test]
fn help_is_a_result_and_names_the_exit_codes() {
    Case::new(&["--help"]).run().code(0).prints(&["Usage: periplus", "Exit codes:", "periplus rehearse"]);
}

#[test]
fn every_command_has_an_example() {
    let help = Case::new(&["--help"]).run().code(0);
    let commands: Vec<String> = help
        .stdout()
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(commands.contains(&"lint".to_owned()), "{commands:?}");
    for command in commands {
        Case::new(&[&command, "--help"]).run().code(0).prints(&["Example", &format!("periplus {command}")]);
    }
}

#[test]
fn a_command_that_does_not_exist_is_refused_with_the_nearest() {
    Case::new(&["reherse"]).run().code(2).says(&["unrecognized subcommand", "rehearse"]);
}

#[test]
fn a_sound_runbook_is_in_order() {
    Case::new(&["lint", "small.yaml"]).file("small.yaml", SMALL).run().code(0).prints(&["small.yaml is in order"]);
    Case::new(&["lint", "book"]).file("book/runbook.yaml", SMALL).run().code(0).prints(&["book/runbook.yaml"]);
}

#[test]
fn a_folder_without_a_runbook_says_what_it_holds() {
    Case::new(&["lint", "."]).file("notes.txt", "").run().code(2).says(&["has no runbook.yaml", "it holds notes.txt"]);
    Case::new(&["lint", "."]).file("a/runbook.yaml", SMALL).run().code(2).says(&["it has runbooks in ./a"]);
}

#[test]
fn a_path_that_is_not_there_gets_the_nearest_one() {
    Case::new(&["lint", "smal.yaml"])
        .file("small.yaml", SMALL)
        .run()
        .code(2)
        .says(&["no file or folder smal.yaml", "did you mean small.yaml?"]);
}

#[test]
fn a_file_that_is_no_text_or_too_large_or_endless_is_refused() {
    Case::new(&["lint", "x"]).file("x", b"a: \xff\n").run().code(2).says(&["not UTF-8", "byte 3"]);
    Case::new(&["lint", "x"]).file("x", vec![b'a'; 100 << 20]).run().code(2).says(&["larger than 32 MiB"]);
    #[cfg(unix)]
    Case::new(&["lint", "/dev/zero"]).run().code(2).says(&["not a regular file"]);
}

#[test]
fn a_bomb_and_broken_yaml_are_refused_at_their_place() {
    let mut bomb = String::from("a: &a [x, x]\n");
    for n in 0..60 {
        bomb.push_str(&format!("b{n}: &b{n} [*a, *a]\n"));
    }
    Case::new(&["lint", "x.yaml"]).file("x.yaml", bomb).run().code(2).prints(&["not-plain-yaml", "x.yaml:1:"]);
    Case::new(&["lint", "x.yaml"]).file("x.yaml", "a: [b\nc: d\n").run().code(2).prints(&["not-yaml"]);
    let deep = "[".repeat(100_000);
    Case::new(&["lint", "x.yaml"]).file("x.yaml", deep).run().code(2);
}

#[test]
fn all_problems_are_told_at_once_and_as_json_too() {
    let book = SMALL.replace("get: {kind", "gett: {kind").replace("kind: Runbook", "kind: Runbok");
    Case::new(&["lint", "x.yaml", "--output", "json"]).file("x.yaml", &book).run().code(2).prints(&[r#""line": 2"#]);
    let shown = Case::new(&["lint", "x.yaml"]).file("x.yaml", &book).run().code(2);
    assert!(!shown.stdout().contains('\u{1b}'), "no colour in a pipe:\n{}", shown.stdout());
}

#[test]
fn colour_is_used_when_it_is_asked_for() {
    let shown = Case::new(&["lint", "x.yaml", "--color", "always"]).file("x.yaml", SMALL).env("NO_COLOR", "1").run();
    assert!(shown.stdout().contains("\u{1b}["), "{}", shown.stdout());
}

#[test]
fn without_runs_the_history_is_empty_and_says_how_to_start() {
    Case::new(&["runs"]).run().code(0).prints(&["No runs yet", "periplus rehearse"]);
    Case::new(&["runs", "--output", "json"]).run().code(0).prints(&["[]"]);
    Case::new(&["show"]).run().code(2).says(&["there is no run yet"]);
    Case::new(&["show", "nosuch"]).run().code(2).says(&["there is no run nosuch", "periplus runs"]);
    Case::new(&["show", "../../etc"]).run().code(2).says(&["there is no run"]);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_periplus"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

/// A runbook with parameters, a change and a condition.
const WIDE: &str = r#"
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: wide, title: A wide one}
namespace: default
params:
  PROXY_IP: {type: ip, env: PROXY_IP}
  PORT: {type: port, default: 3128}
  TOKEN: {type: string, secret: true, default: hidden-value}
  WHERE: {type: name, optional: true}
steps:
  - id: make
    title: Make a namespace
    impact: Nobody else notices.
    apply:
      manifest: |
        apiVersion: v1
        kind: Namespace
        metadata:
          name: wide
          annotations: {proxy: "{{PROXY_IP}}:{{PORT}}"}
  - id: look
    needs: []
    get: {kind: Namespace, name: default}
    capture: {UID: "{.metadata.uid}"}
  - id: look-again
    when: WHERE != ""
    get: {kind: Namespace, name: "{{WHERE}}", namespace: default}
"#;

fn wide(args: &[&str]) -> Case {
    Case::new(args).file("wide.yaml", WIDE)
}

#[test]
fn a_plan_shows_order_effects_parameters_and_contacts_nothing() {
    let plan = wide(&["plan", "wide.yaml", "--set", "PROXY_IP=10.1.2.3"]).run().code(0);
    insta::assert_snapshot!(plan.stdout());
}

#[test]
fn a_plan_needs_no_values_but_refuses_wrong_ones() {
    wide(&["plan", "wide.yaml"]).run().code(0).prints(&["needed for a run: --set PROXY_IP=VALUE"]);
    let wrong = ["plan", "wide.yaml", "--set", "PROXY_IP=999.1.1.1", "--set", "PROXI_IP=1"];
    wide(&wrong).run().code(2).says(&["invalid-parameter", "999 is above 255", "no parameter PROXI_IP", "PROXY_IP"]);
    wide(&["plan", "wide.yaml", "--set", "PORT"]).run().code(2).says(&["NAME=VALUE"]);
}

#[test]
fn values_have_an_order_of_precedence_and_their_source_is_shown() {
    let file = "PROXY_IP: 10.0.0.2\nPORT: 1\n";
    let shown = |args: &[&str]| {
        let args = [&["plan", "wide.yaml", "--params", "p.yaml"], args].concat();
        wide(&args).file("p.yaml", file).env("PROXY_IP", "10.0.0.3").run().code(0)
    };
    shown(&["--set", "PROXY_IP=10.0.0.1"]).prints(&["10.0.0.1  (--set)", "1  (p.yaml)"]);
    shown(&[]).prints(&["10.0.0.2  (p.yaml)"]);
    let from_env = wide(&["plan", "wide.yaml"]).env("PROXY_IP", "10.0.0.3").run().code(0);
    from_env.prints(&["10.0.0.3  (environment variable PROXY_IP)", "3128  (default)"]);
    wide(&["plan", "wide.yaml", "--set", "PROXY_IP=10.0.0.1", "--set", "PROXY_IP=10.0.0.9"])
        .run()
        .code(0)
        .prints(&["10.0.0.9"]);
}

#[test]
fn a_file_of_parameters_is_refused_at_its_place() {
    let plan = |text: &str| wide(&["plan", "wide.yaml", "--params", "p.yaml"]).file("p.yaml", text).run().code(2);
    plan("PROXY_IP: {a: b}\n").says(&["p.yaml:1:11", "maps each name to a value"]);
    plan("PORT: 1\nPORT: 2\n").says(&["p.yaml:2:1", "twice"]);
    plan("").says(&["holds nothing"]);
    wide(&["plan", "wide.yaml", "--params", "none.yaml"]).run().code(2).says(&["none.yaml"]);
}

#[test]
fn a_secret_is_never_shown() {
    for form in ["text", "json"] {
        let plan = wide(&["plan", "wide.yaml", "--output", form]).run().code(0).prints(&["***"]);
        assert!(!plan.stdout().contains("hidden-value"), "{}", plan.stdout());
    }
}

#[test]
fn steps_are_chosen_by_name() {
    let only = wide(&["plan", "wide.yaml", "--only", "look"]).run().code(0);
    assert!(only.stdout().contains("look") && !only.stdout().contains("make"), "{}", only.stdout());
    wide(&["plan", "wide.yaml", "--until", "lok"]).run().code(2).says(&["`lok`", "did you mean `look`?"]);
}

#[test]
fn a_run_without_a_context_shows_both_commands() {
    wide(&["run", "wide.yaml"]).run().code(2).says(&[
        "--context is missing",
        "periplus rehearse wide.yaml",
        "periplus run wide.yaml --context NAME",
    ]);
}

/// A kubeconfig whose server is not there: port 1 of loopback refuses at once.
const DEAD: &str = "\
apiVersion: v1
kind: Config
current-context: dead
contexts: [{name: dead, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: u, user: {token: x}}]
";

#[test]
fn a_run_without_a_context_lists_those_there_are() {
    wide(&["run", "wide.yaml"])
        .file(".kube/config", DEAD)
        .run()
        .code(2)
        .says(&["periplus run wide.yaml --context dead"]);
}

#[test]
fn a_cluster_that_is_not_there_is_named_with_cause_and_remedy() {
    let args = ["run", "wide.yaml", "--context", "@current", "--yes", "--set", "PROXY_IP=10.0.0.1"];
    let done = wide(&args).file(".kube/config", DEAD).run().code(3);
    let done = done.says(&["cannot reach https://127.0.0.1:1", "refused", "help:"]);
    assert!(!done.path("state/periplus/runs").exists(), "a run that never started leaves no trace");
    let args = ["run", "wide.yaml", "--context", "other", "--yes", "--set", "PROXY_IP=10.0.0.1"];
    wide(&args).file(".kube/config", DEAD).run().code(2).says(&["no context \"other\"", "it has dead"]);
}

#[test]
fn values_are_checked_before_anything_is_contacted() {
    let args = ["run", "wide.yaml", "--context", "dead", "--yes"];
    wide(&args).file(".kube/config", DEAD).run().code(2).says(&["missing-parameter", "PROXY_IP"]);
}

#[test]
fn an_undo_of_nothing_is_refused() {
    Case::new(&["undo", "nosuch"]).run().code(2).says(&["there is no run nosuch"]);
}

#[test]
fn reports_are_named_by_kind() {
    let run = |report: &str| {
        let args = ["run", "wide.yaml", "--context", "dead", "--set", "PROXY_IP=10.0.0.1", "--report", report];
        wide(&args).file(".kube/config", DEAD).run().code(2)
    };
    run("pdf=x").says(&["there is no report", "json and junit"]);
    run("x.json").says(&["json=FILE or junit=FILE"]);
}

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        Case::new(&["completions", shell]).run().code(0).prints(&["periplus", "rehearse"]);
    }
}
