//! What holds on both targets, shown with a runbook of two steps: a rehearsal, and a run on the lab served on loopback,
//! give one result, and what was run is taken back without a trace.

use std::path::Path;

use crate::support::Case;

/// Makes a ConfigMap and looks at it.
const HELLO: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: hello, title: Say hello}
namespace: default
params:
  WORD: {type: string, default: hello}
steps:
  - id: settings
    apply:
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
        data:
          text: hello
  - id: check
    expect-object:
      kind: ConfigMap
      name: greeting
      matches: {data: {text: \"{{WORD}}\"}}
      within: 120s
";

fn hello(args: &[&str]) -> Case {
    Case::new(args).file("hello/runbook.yaml", HELLO)
}

const TARGET: &str = "REHEARSAL in the embedded lab. No cluster is contacted.";

#[test]
fn a_rehearsal_passes_and_gives_the_command_for_the_real_run() {
    let done = hello(&["rehearse", "hello"]).run().code(0).says(&[TARGET, "ConfigMap default/greeting created"]);
    let done = done.prints(&["2 steps: 2 passed", "periplus run hello --context NAME"]);
    assert!(done.stdout().ends_with(&format!("{TARGET}\n")), "{}", done.stdout());
}

#[test]
fn a_check_that_never_holds_fails_in_lab_time_and_shows_the_difference() {
    let done = hello(&["rehearse", "hello", "--set", "WORD=hallo"]).run().code(1);
    done.prints(&["FAILED  check", "/data/text", "\"hallo\"", "\"hello\"", "of lab time", "1 failed"]);
}

#[test]
fn two_rehearsals_write_the_same_events() {
    let events = || {
        let done = hello(&["rehearse", "hello", "--output", "json", "--state-dir", "state"]).run().code(0);
        let runs = done.path("state/runs");
        let run = std::fs::read_dir(runs).expect("a folder of runs").next().expect("one run").expect("an entry");
        let journal = std::fs::read_to_string(run.path().join("journal.jsonl")).expect("a journal");
        (done.stdout().to_owned(), run.file_name(), journal)
    };
    assert_eq!(events(), events());
}

#[test]
fn another_seed_is_another_rehearsal() {
    let id = |seed: &str| {
        let done = hello(&["rehearse", "hello", "--seed", seed, "--output", "json"]).run().code(0);
        let first: serde_json::Value =
            done.stdout().lines().next().and_then(|l| serde_json::from_str(l).ok()).expect("JSON");
        first["run"].as_str().expect("an id").to_owned()
    };
    assert_ne!(id("1"), id("2"));
}

#[test]
fn reports_are_written_and_their_paths_checked_first() {
    let args = ["rehearse", "hello", "--report", "json=r.json,junit=r.xml"];
    let done = hello(&args).run().code(0);
    let json = std::fs::read_to_string(done.path("r.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&report["result"], &report["target"]["type"]), (&"passed".into(), &"lab".into()));
    assert!(std::fs::read_to_string(done.path("r.xml")).expect("a report").contains("<testsuite name=\"hello\""));
    hello(&["rehearse", "hello", "--report", "json=no/such/folder/r.json"]).run().code(2).says(&["no/such/folder"]);
}

#[test]
fn a_rehearsal_cannot_be_undone() {
    let script = |bin: &str| {
        format!("{bin} rehearse hello >/dev/null 2>&1; {bin} undo $({bin} runs --output json | grep -o 'hello-[^\"]*')")
    };
    let bin = env!("CARGO_BIN_EXE_periplus");
    Case::new(&["lab", "--", "/bin/sh", "-c", &script(bin)])
        .file("hello/runbook.yaml", HELLO)
        .env("PATH", "/usr/bin:/bin")
        .run()
        .code(2)
        .says(&["was a rehearsal: its lab is gone"]);
}

#[test]
fn a_world_that_is_wrong_is_refused() {
    let rehearse = |world: &str| hello(&["rehearse", "hello"]).file("hello/world.yaml", world).run().code(2);
    rehearse("objcts: []\n").says(&["hello/world.yaml", "line 1", "objcts"]);
    rehearse("params: {NOPE: 1}\n").says(&["hello/world.yaml", "no parameter NOPE"]);
}

#[test]
fn the_lab_serves_runs_and_ends_with_its_commands_exit_code() {
    let bin = env!("CARGO_BIN_EXE_periplus");
    let script = format!(
        "set -e; {bin} run hello --context @current --yes > out; run=$(sed -n 's/.*periplus undo //p' out)
         {bin} undo $run --yes > undone; cat out undone; {bin} undo $run --yes; exit 7"
    );
    let done = Case::new(&["lab", "--", "/bin/sh", "-c", &script])
        .file("hello/runbook.yaml", HELLO)
        .env("PATH", "/usr/bin:/bin")
        .run()
        .code(7);
    let done = done.prints(&["2 steps: 2 passed", "Left in the cluster: 1 change", "1 of 1 change taken back"]);
    done.says(&["RUN on periplus-lab", "undone     ConfigMap default/greeting deleted", "nothing to take back"]);
}

#[test]
fn the_kubeconfig_of_a_lab_is_private_and_goes_with_it() {
    let done = Case::new(&["lab", "--", "/bin/sh", "-c", "ls -l $KUBECONFIG; echo $KUBECONFIG > path"])
        .env("PATH", "/usr/bin:/bin")
        .run()
        .code(0)
        .prints(&["-rw-------"]);
    let path = std::fs::read_to_string(done.path("path")).expect("the command ran");
    assert!(!Path::new(path.trim()).exists(), "{path}");
}
