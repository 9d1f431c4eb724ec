//! What a block does with what a program writes, by a real bash: when a loop ends, and what is printed.

use super::support::{block, run};

/// Stands in for kubectl and for the time between two attempts: runs what comes after `--` here, counts attempts.
const HERE: &str = "kubectl() { printf x >> attempts; while [ \"$1\" != -- ]; do shift; done; shift; \"$@\"; }\n\
                    sleep() { :; }\n";

/// What a block prints, on either stream, and how often it called the program.
fn ran(program: &str, check: &str) -> (String, String, usize) {
    let text = format!("- id: s\n  exec:\n    in: {{pod: p}}\n    sh: {program}\n  expect-output: {check}\n");
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!("cd '{}' && {{\n{HERE}{}\n}}", folder.path().display(), block(&text));
    let output = run(&["bash"], &script, &[]);
    let attempts = std::fs::read_to_string(folder.path().join("attempts")).unwrap_or_default().len();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), attempts)
}

#[test]
fn a_loop_stops_early_only_when_all_of_it_holds() {
    let check = "{contains: ok, within: 3s, stop-on: {contains: [a, b]}}";
    assert_eq!(ran("echo a", check), ("a\n".to_owned(), String::new(), 3));
    assert_eq!(ran("echo a b", check), ("a b\n".to_owned(), String::new(), 1));
    let check = "{contains: ok, within: 3s, stop-on: {exit: [6, 7]}}";
    assert_eq!(ran("exit 5", check).2, 3);
    assert_eq!(ran("exit 7", check).2, 1);
    let check = "{find: 'o+', equals: oo, within: 3s, stop-on: {contains: bad}}";
    assert_eq!(ran("echo bad", check).2, 1, "what is narrowed is looked at whole");
}

#[test]
fn a_loop_stops_early_by_the_stream_that_is_named() {
    let check = "{contains: ok, within: 3s, stop-on: {stream: stderr, contains: no}}";
    assert_eq!(ran("echo no", check).2, 3);
    assert_eq!(ran("'echo out; echo no >&2'", check), ("out\n".to_owned(), "no\n".to_owned(), 1));
}

#[test]
fn standard_error_comes_after_standard_output() {
    let program = "'echo b >&2; echo a'";
    for check in [r#"{stream: both, lines: "a\nb"}"#, r#"{stream: both, equals: "a\nb", within: 3s}"#] {
        assert_eq!(ran(program, check), ("a\nb\n".to_owned(), String::new(), 1), "{check}");
    }
}
