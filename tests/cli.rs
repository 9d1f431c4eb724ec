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
    Case::new(&["lnt"]).run().code(2).says(&["unrecognized subcommand", "lint"]);
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

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        Case::new(&["completions", shell]).run().code(0).prints(&["periplus", "lint"]);
    }
}
