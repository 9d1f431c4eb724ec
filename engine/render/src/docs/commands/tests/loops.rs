//! What a block does with what a program writes, by a real bash: when a loop ends, and what is printed.

use super::support::{block, run};

/// Stands in for kubectl and for the time between two attempts: runs what comes after `--` here, counts attempts.
const HERE: &str = "kubectl() { [ -z \"$COUNT\" ] || printf x >> \"$COUNT\"; while [ \"$1\" != -- ]; do shift; done; shift; \"$@\"; }\n\
                    sleep() { :; }\n";

/// What a block prints, on either stream, and how often it called the program.
fn ran(program: &str, check: &str) -> (String, String, usize) {
    let text = format!("- id: s\n  exec:\n    in: {{pod: p}}\n    sh: {program}\n  expect-output: {check}\n");
    let folder = tempfile::tempdir().expect("a folder");
    let count = "printf '#%s' \"$(wc -c < attempts)\"";
    let script = format!("cd '{}' && {{\nCOUNT=attempts\n{HERE}{}\n{count}\n}}", folder.path().display(), block(&text));
    let output = run(&["bash"], &script, &[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = text(&output.stdout);
    let (printed, attempts) = printed.rsplit_once('#').expect("a number at the end");
    (printed.to_owned(), text(&output.stderr), attempts.trim().parse().expect("a number"))
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

#[test]
fn lines_of_one_shape_are_told_apart() {
    let text = "- id: s\n  exec: {in: {pod: p}, sh: 'printf \"p 10.0.0.1\\np 10.0.0.2\\n\"'}\n  \
                expect-output: {lines: \"p [ip:A]\\np [ip:B]\"}\n";
    let output = run(&["bash"], &format!("{HERE}{}\necho $A $B", block(text)), &[]);
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n10.0.0.1 10.0.0.2\n"), "{output:?}");
}

#[test]
fn values_are_found_whole() {
    let check = "{json: {n: 2, z: null, e: [x]}, within: 3s}";
    for (json, attempts) in [
        (r#"{"n": 2, "e": ["x"]}"#, 1),
        (r#"{"e":["x"],"n":2}"#, 1),
        (r#"{"n": 27, "e": ["x"]}"#, 3),
        (r#"{"n": 2.5, "e": ["x"]}"#, 3),
    ] {
        let program = format!("|\n      echo '{json}'");
        assert_eq!(ran(&program, check).2, attempts, "{json}");
    }
}
