//! `expect-output`, case by case.

use serde_json::json;

use super::{
    Captures, CompileError, DiffLine, Difference, ExecOutput, ExitSpec, Judgement, Matcher, Mismatch, Note,
    OutputCheck, OutputSpec, Piece, Problem, Stream,
};

fn compile(spec: &OutputSpec) -> OutputCheck {
    spec.compile(&mut |text: &str| Ok::<_, ()>(text.replace("{{X}}", "value"))).expect("compiles")
}

fn output(stdout: &str) -> ExecOutput<'_> {
    ExecOutput { stdout: stdout.as_bytes(), stderr: b"", exit: 0 }
}

fn holds(spec: &OutputSpec, stdout: &str) -> bool {
    compile(spec).judge(&output(stdout)).held()
}

fn mismatches(spec: &OutputSpec, output: &ExecOutput<'_>) -> Vec<Mismatch> {
    match compile(spec).judge(output) {
        Judgement::Held { .. } => panic!("held"),
        Judgement::Failed { mismatches } => mismatches,
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn equals(text: &str) -> OutputSpec {
    OutputSpec { equals: Some(text.to_owned()), ..OutputSpec::default() }
}

fn regex(text: &str) -> OutputSpec {
    OutputSpec { regex: Some(text.to_owned()), ..OutputSpec::default() }
}

#[test]
fn each_matcher_holds_and_fails() {
    let contains = |list: &[&str]| OutputSpec { contains: texts(list), ..OutputSpec::default() };
    let without = |list: &[&str]| OutputSpec { not_contains: texts(list), ..OutputSpec::default() };
    let lines = |text: &str| OutputSpec { lines: Some(text.to_owned()), ..OutputSpec::default() };
    let json = |value| OutputSpec { json: Some(value), ..OutputSpec::default() };
    let yaml = |value| OutputSpec { yaml: Some(value), ..OutputSpec::default() };
    let least = |text: &str| OutputSpec { at_least: Some(text.to_owned()), ..OutputSpec::default() };
    let most = |text: &str| OutputSpec { at_most: Some(text.to_owned()), ..OutputSpec::default() };
    let table: Vec<(OutputSpec, &[&str], &[&str])> = vec![
        (equals("a\nb"), &["a\nb", "a\nb\n", "a  \r\nb\t\r\n\n"], &["a", "a\nb\nc", " a\nb", "a\n\nb"]),
        (equals(""), &["", "\n", " \r\n"], &["a"]),
        (equals("a\r\nb\n"), &["a\nb"], &["a b"]),
        (equals("{{X}}"), &["value"], &["{{X}}"]),
        (contains(&["b c"]), &["a b c d"], &["b  c", "B C", ""]),
        (contains(&["a", "d"]), &["d a", "a\nd"], &["a", "d"]),
        (contains(&["a\nb\n"]), &["a\nb", "a\r\nb"], &["a b"]),
        (contains(&[" UH "]), &["x UH y"], &["UH", "x UHx"]),
        (without(&["x", "y"]), &["", "a"], &["x", "aya"]),
        (regex("^b$"), &["a\nb\nc", "a\r\nb\r\nc", "b"], &["ab", "a\nbc"]),
        (regex("mode: [A-Z_]+"), &["x mode: ALLOW_ANY"], &["mode: "]),
        (lines("a [int]\n..."), &["a 1", "a 1\nb\n"], &["b\na 1", ""]),
        (json(json!({"a": [1]})), &[r#"{"a": [2, 1], "b": null}"#], &[r#"{"a": [2]}"#, "{", ""]),
        (json(json!("value")), &["\"value\""], &["\"{{X}}\"", "value"]),
        (yaml(json!({"mode": 420})), &["mode: 0644\n", "mode: 420"], &["mode: 644", "a: [", "mode: 1\n---\nmode: 420"]),
        (least("2"), &["2", " 10\n", "2.0"], &["1.9", "", "two", "2 3", "inf", "NaN"]),
        (most("-1.5"), &["-1.5", "-2"], &["-1", "x"]),
    ];
    for (spec, yes, no) in table {
        for text in yes {
            assert!(holds(&spec, text), "{spec:?} holds on {text:?}");
        }
        for text in no {
            assert!(!holds(&spec, text), "{spec:?} fails on {text:?}");
        }
    }
}

#[test]
fn find_narrows_to_its_matches() {
    let spec = OutputSpec { find: Some("<title>.*</title>".to_owned()), ..equals("<title>{{X}}</title>") };
    assert!(holds(&spec, "<html>\n  <title>value</title><p>\n"));
    let [mismatch] = mismatches(&spec, &output("<html>")).try_into().expect("one");
    assert_eq!(mismatch.find.as_deref(), Some("<title>.*</title>"));
    assert_eq!(mismatch.notes, [Note::FindMatchedNothing]);

    let several = OutputSpec { find: Some("[0-9]*".to_owned()), ..equals("1\n22") };
    assert_eq!(compile(&several).text(&output("a1b\nc22")), "1\n22");
    assert!(holds(&several, "a1b\nc22"), "matches are joined by line breaks and empty ones are left out");
    let number =
        OutputSpec { find: Some("[0-9]+".to_owned()), at_least: Some("10".to_owned()), ..OutputSpec::default() };
    assert!(holds(&number, "count: 12 items"));
    let anchored = OutputSpec { find: Some("^b.*$".to_owned()), ..equals("bc") };
    assert!(holds(&anchored, "ab\r\nbc\r\n"), "a carriage return is no part of a line");
}

#[test]
fn streams_are_chosen() {
    let output = ExecOutput { stdout: b"out", stderr: b"err", exit: 0 };
    for (stream, text) in [(Stream::Stdout, "out"), (Stream::Stderr, "err"), (Stream::Both, "out\nerr")] {
        assert!(compile(&OutputSpec { stream, ..equals(text) }).judge(&output).held(), "{stream:?}");
    }
}

#[test]
fn exit_codes_are_judged() {
    let with = |exit: ExitSpec| OutputSpec { exit, ..equals("") };
    let table = [
        (with(ExitSpec::Zero), vec![0], vec![1, 127, -1]),
        (with(ExitSpec::Codes(vec![35, 56])), vec![35, 56], vec![0, 1]),
        (with(ExitSpec::Codes(vec![127])), vec![127], vec![0]),
        (with(ExitSpec::Failure), vec![1, 125], vec![0, 126, 127, 137, -1]),
        (with(ExitSpec::Any), vec![0, 1, 127, -1], vec![]),
    ];
    for (spec, yes, no) in table {
        let held = |exit| compile(&spec).judge(&ExecOutput { stdout: b"", stderr: b"", exit }).held();
        assert!(yes.iter().all(|&exit| held(exit)) && !no.iter().any(|&exit| held(exit)), "{:?}", spec.exit);
    }
    assert!(compile(&with(ExitSpec::Failure)).is_inconclusive(127));
    assert!(compile(&with(ExitSpec::Zero)).is_inconclusive(126));
    assert!(!compile(&with(ExitSpec::Codes(vec![127]))).is_inconclusive(127));
    assert!(!compile(&with(ExitSpec::Zero)).is_inconclusive(1));
}

#[test]
fn all_that_fails_is_reported_exit_first() {
    let spec = OutputSpec { contains: texts(&["a"]), not_contains: texts(&["b"]), ..regex("z") };
    let output = ExecOutput { stdout: b"b", stderr: b"could not resolve\n", exit: 6 };
    let found = mismatches(&spec, &output);
    let matchers: Vec<Matcher> = found.iter().map(|mismatch| mismatch.matcher).collect();
    assert_eq!(matchers, [Matcher::Exit, Matcher::Contains, Matcher::NotContains, Matcher::Regex]);
    let Difference::Exit { actual: 6, stderr, .. } = &found[0].difference else { panic!("{:?}", found[0]) };
    assert_eq!(stderr.head, "could not resolve\n");
}

#[test]
fn a_nearest_line_is_named() {
    let spec = OutputSpec { contains: texts(&["mode: REGISTRY_ONLY"]), ..OutputSpec::default() };
    let found = mismatches(&spec, &output("kind: ConfigMap\n  mode: ALLOW_ANY\nenable: true\n"));
    let Difference::Missing { texts } = &found[0].difference else { panic!("{found:?}") };
    let nearest = texts[0].nearest.as_ref().map(|line| (line.number, line.text.as_str()));
    assert_eq!(nearest, Some((2, "  mode: ALLOW_ANY")));
    let found = mismatches(&spec, &output("mode: x\nmode:  REGISTRY_ONLY\n"));
    let Difference::Missing { texts } = &found[0].difference else { panic!("{found:?}") };
    assert_eq!(texts[0].nearest.as_ref().map(|line| line.number), Some(2), "the one with more of it");
    let found = mismatches(&spec, &output("kind: ConfigMap\n"));
    let Difference::Missing { texts } = &found[0].difference else { panic!("{found:?}") };
    assert_eq!(texts[0].nearest, None);
}

fn pieces(list: &[(&str, bool)]) -> Vec<Piece> {
    list.iter().map(|(text, emphasised)| Piece { text: (*text).to_owned(), emphasised: *emphasised }).collect()
}

#[test]
fn a_difference_shows_tokens_that_match_as_what_they_took() {
    let lines = "start [int]\n...\nfrom [addr] to {{X}}:80 in [duration] - ok\nend";
    let spec = OutputSpec { lines: Some(lines.to_owned()), ..OutputSpec::default() };
    let text = "start 5\nx\ny\nfrom 10.0.0.1:443 to   value:81 in 12ms - ok\nend";
    let found = mismatches(&spec, &output(text));
    let Difference::Text { lines } = &found[0].difference else { panic!("{found:?}") };
    assert_eq!(
        *lines,
        [
            DiffLine::Equal { text: "start 5".to_owned() },
            DiffLine::AnyLines { count: 2 },
            DiffLine::Delete {
                pieces: pieces(&[("from 10.0.0.1:443 to   value:", false), ("80", true), (" in 12ms - ok", false)])
            },
            DiffLine::Insert {
                pieces: pieces(&[("from 10.0.0.1:443 to   value:", false), ("81", true), (" in 12ms - ok", false)])
            },
            DiffLine::Equal { text: "end".to_owned() },
        ]
    );
}

#[test]
fn a_token_that_does_not_match_stands_as_written() {
    let spec = OutputSpec { lines: Some("took [int:MS] ms at [ip]".to_owned()), ..OutputSpec::default() };
    let found = mismatches(&spec, &output("took - ms at 10.0.0.1"));
    let Difference::Text { lines } = &found[0].difference else { panic!("{found:?}") };
    let DiffLine::Delete { pieces } = &lines[0] else { panic!("{lines:?}") };
    let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(text, "took [int:MS] ms at 10.0.0.1");
}

#[test]
fn names_that_disagree_are_noted() {
    let spec = OutputSpec { lines: Some("a [int:N]\nb [int:N]".to_owned()), ..OutputSpec::default() };
    let found = mismatches(&spec, &output("a 1\nb 2"));
    assert_eq!(found[0].notes, [Note::CapturesDiffer { name: "N".to_owned(), values: texts(&["1", "2"]) }]);
}

#[test]
fn captures_come_with_success() {
    let spec = OutputSpec { lines: Some("a [int:N]".to_owned()), ..OutputSpec::default() };
    let expected = Captures::from([("N".to_owned(), "7".to_owned())]);
    assert_eq!(compile(&spec).judge(&output("a 7\n")), Judgement::Held { captures: expected });
}

#[test]
fn broken_utf8_is_matched_as_replaced_and_said() {
    let broken = ExecOutput { stdout: b"a\xff\0b", stderr: b"", exit: 0 };
    assert!(compile(&equals("a\u{fffd}\0b")).judge(&broken).held());
    assert_eq!(mismatches(&equals("ab"), &broken)[0].notes, [Note::NotUtf8]);
}

#[test]
fn hostile_output_gives_a_small_mismatch() {
    let line = "x".repeat(3_000_000);
    let many = "line\n".repeat(200_000);
    let all = OutputSpec {
        equals: Some("a\nb".to_owned()),
        contains: texts(&["zzz yyy"]),
        not_contains: texts(&["x", "e"]),
        regex: Some("zzz".to_owned()),
        lines: Some("a [int]\n...\nb [..] z".to_owned()),
        json: Some(json!({"a": 1})),
        yaml: Some(json!({"a": 1})),
        at_least: Some("1".to_owned()),
        ..OutputSpec::default()
    };
    for text in [line.as_str(), many.as_str()] {
        let found = mismatches(&all, &output(text));
        assert!(found.len() >= 7, "{}", found.len());
        let size = serde_json::to_string(&found).expect("plain data").len();
        assert!(size < 120_000, "{size} bytes");
    }
    let expected = format!("{line}a{line}");
    let found = mismatches(&equals(&expected), &output(&format!("{line}b{line}")));
    let Difference::Text { lines } = &found[0].difference else { panic!("{found:?}") };
    assert_ne!(
        format!("{:?}", lines[0]).replace("Delete", ""),
        format!("{:?}", lines[1]).replace("Insert", ""),
        "the place where long lines part is kept"
    );
}

#[test]
fn long_differences_keep_what_differs() {
    let numbered = |range: std::ops::Range<usize>, tail: &str| {
        range.map(|i| format!("{i} {}{tail}\n", "x".repeat(900))).collect::<String>()
    };
    // What is equal before the difference must not push it out.
    let before = numbered(0..500, "");
    let found = mismatches(&equals(&format!("{before}a\n{before}")), &output(&format!("{before}b\n{before}")));
    let Difference::Text { lines } = &found[0].difference else { panic!("{found:?}") };
    assert_eq!(lines.first(), Some(&DiffLine::Omitted { expected: 480, actual: 480 }));
    assert!(lines.contains(&DiffLine::Delete { pieces: pieces(&[("a", false)]) }));
    assert_eq!(lines.last(), Some(&DiffLine::Omitted { expected: 480, actual: 480 }));
    // Where all differs, both sides are counted to the end.
    let found = mismatches(&equals(&numbered(0..700, "a")), &output(&numbered(0..600, "b")));
    let Difference::Text { lines } = &found[0].difference else { panic!("{found:?}") };
    let mut counted = (0, 0);
    for line in lines {
        match line {
            DiffLine::Delete { .. } => counted.0 += 1,
            DiffLine::Insert { .. } => counted.1 += 1,
            DiffLine::Omitted { expected, actual } => counted = (counted.0 + expected, counted.1 + actual),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counted, (700, 600));
    assert!(serde_json::to_string(&found).expect("plain data").len() < 100_000);
}

#[test]
fn long_lines_are_aligned_in_time() {
    let pattern = format!("{}[word]a [..] [word]a\n", "[addr] x ".repeat(20)).repeat(30);
    let text = format!("{} b\n", "a".repeat(2_000)).repeat(30);
    let spec = OutputSpec { lines: Some(pattern), ..OutputSpec::default() };
    assert_eq!(mismatches(&spec, &output(&text)).len(), 1);
}

#[test]
fn a_mismatch_survives_serialization() {
    let spec = OutputSpec { contains: texts(&["a"]), lines: Some("a [int]".to_owned()), ..equals("b\nc") };
    let found = mismatches(&spec, &ExecOutput { stdout: b"c\nd\xff", stderr: b"e", exit: 3 });
    let text = serde_json::to_string(&found).expect("plain data");
    assert_eq!(serde_json::from_str::<Vec<Mismatch>>(&text).expect("reads back"), found);
}

#[test]
fn checks_that_cannot_fail_or_hold_are_told() {
    let table: Vec<(OutputSpec, Vec<Problem>)> = vec![
        (OutputSpec::default(), vec![Problem::AssertsNothing]),
        (OutputSpec { find: Some("a".to_owned()), ..OutputSpec::default() }, vec![Problem::AssertsNothing]),
        (OutputSpec { exit: ExitSpec::Codes(vec![0]), ..OutputSpec::default() }, vec![]),
        (OutputSpec { exit: ExitSpec::Failure, ..OutputSpec::default() }, vec![]),
        (
            OutputSpec { contains: texts(&["a", "\n"]), ..OutputSpec::default() },
            vec![Problem::AlwaysHolds { key: Matcher::Contains }],
        ),
        (
            OutputSpec { not_contains: texts(&[""]), ..OutputSpec::default() },
            vec![Problem::NeverHolds { key: Matcher::NotContains }],
        ),
        (regex(""), vec![Problem::AlwaysHolds { key: Matcher::Regex }]),
        (regex(".*"), vec![Problem::AlwaysHolds { key: Matcher::Regex }]),
        (regex("^$"), vec![]),
        (
            OutputSpec { lines: Some("...".to_owned()), ..OutputSpec::default() },
            vec![Problem::AlwaysHolds { key: Matcher::Lines }],
        ),
        (OutputSpec { lines: Some(String::new()), ..OutputSpec::default() }, vec![]),
        (equals(""), vec![]),
        (
            OutputSpec { at_least: Some("2".to_owned()), at_most: Some("1".to_owned()), ..OutputSpec::default() },
            vec![Problem::Bounds { lower: "`at-least: 2`".to_owned(), upper: "`at-most: 1`".to_owned() }],
        ),
        (
            OutputSpec { at_least: Some("many".to_owned()), ..OutputSpec::default() },
            vec![Problem::NotANumber { key: Matcher::AtLeast, written: "many".to_owned() }],
        ),
        (
            OutputSpec { exit: ExitSpec::Codes(vec![256]), ..OutputSpec::default() },
            vec![Problem::ExitCode { code: 256 }],
        ),
    ];
    for (spec, problems) in table {
        assert_eq!(spec.problems(), problems, "{spec:?}");
    }
    assert!(matches!(regex("(").problems().as_slice(), [Problem::Regex { key: "regex", .. }]));
    assert!(regex("{{X}}(").problems().is_empty(), "a template is judged once its values are known");
}

#[test]
fn values_can_make_a_check_wrong() {
    let empty = &mut |_: &str| Ok::<_, ()>(String::new());
    let spec = OutputSpec { contains: texts(&["{{X}}"]), ..OutputSpec::default() };
    assert_eq!(
        spec.compile(empty).expect_err("empty"),
        CompileError::Problem(Problem::AlwaysHolds { key: Matcher::Contains })
    );
    assert!(matches!(
        regex("{{X}}").compile(&mut |_| Ok::<_, ()>("(".to_owned())),
        Err(CompileError::Problem(Problem::Regex { .. }))
    ));
    assert_eq!(regex("{{X}}").compile(&mut |_| Err("no X")).expect_err("fails"), CompileError::Render("no X"));
    assert_eq!(
        OutputSpec::default().compile(empty).expect_err("nothing"),
        CompileError::Problem(Problem::AssertsNothing)
    );
}
