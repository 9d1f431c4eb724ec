//! `log-grep`, case by case.

use super::{CountSpec, Difference, LogCheck, LogJudgement, LogLine, LogSpec, Matcher, Mismatch, Note, Piece, Problem};

fn compile(spec: &LogSpec) -> LogCheck {
    spec.compile(&mut |text: &str| Ok::<_, ()>(text.replace("{{X}}", "value"))).expect("compiles")
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn lines(text: &str) -> LogSpec {
    LogSpec { lines: Some(text.to_owned()), ..LogSpec::default() }
}

fn contains(list: &[&str]) -> LogSpec {
    LogSpec { contains: texts(list), ..LogSpec::default() }
}

fn count(min: Option<u64>, max: Option<u64>, spec: LogSpec) -> LogSpec {
    LogSpec { count: Some(CountSpec { min, max }), ..spec }
}

fn judge(spec: &LogSpec, log: &[&str]) -> LogJudgement {
    compile(spec).judge(log.iter().copied())
}

/// The verdict as one letter: held, not yet, violated.
fn letter(judgement: &LogJudgement) -> char {
    match judgement {
        LogJudgement::Held { .. } => 'h',
        LogJudgement::NotYet { .. } => 'n',
        LogJudgement::Violated { .. } => 'v',
    }
}

#[test]
fn verdicts() {
    type Case<'a> = (&'a [&'a str], char);
    let table: Vec<(LogSpec, &[Case<'_>])> = vec![
        (
            contains(&[" UH ", "BlackHole"]),
            &[(&["0 UH x BlackHoleCluster"], 'h'), (&["0 UH x", "BlackHoleCluster"], 'n'), (&[], 'n')],
        ),
        (
            LogSpec { regex: Some("^a.*z$".to_owned()), ..LogSpec::default() },
            &[(&["x", "a..z\r"], 'h'), (&["a", "z"], 'n')],
        ),
        (LogSpec { regex: Some("b".to_owned()), ..contains(&["a"]) }, &[(&["ab"], 'h'), (&["a", "b"], 'n')]),
        (
            LogSpec { not_contains: texts(&["x", "y"]), ..LogSpec::default() },
            &[(&[], 'h'), (&["a"], 'h'), (&["a", "by"], 'v')],
        ),
        (
            LogSpec { not_contains: texts(&["bad"]), ..contains(&["good"]) },
            &[(&[], 'n'), (&["good"], 'h'), (&["good", "bad"], 'v'), (&["bad"], 'v')],
        ),
        (
            lines("a [int]\nb"),
            &[(&["a 1", "b"], 'h'), (&["x", "a 1", "y", "b", "z"], 'h'), (&["b", "a 1"], 'n'), (&["xa 1", "b"], 'n')],
        ),
        (lines("a\n\n...\n\nb\n"), &[(&["a", "b"], 'h'), (&["a", "x", "b"], 'h')]),
        (
            lines("open [int:N]\nclose [int:N]"),
            &[
                (&["open 1", "open 2", "close 2"], 'h'),
                (&["open 1", "close 2", "close 1"], 'h'),
                (&["open 1", "close 2"], 'n'),
            ],
        ),
        (count(None, Some(0), contains(&["a"])), &[(&[], 'h'), (&["b"], 'h'), (&["a"], 'v')]),
        (
            count(Some(2), Some(3), contains(&["a"])),
            &[(&["a"], 'n'), (&["a", "a"], 'h'), (&["a", "b", "a", "a"], 'h'), (&["a", "a", "a", "a"], 'v')],
        ),
        (count(Some(2), None, lines("a\nb")), &[(&["a", "b", "b"], 'n'), (&["a", "b", "a", "b"], 'h')]),
        (count(None, Some(1), lines("a")), &[(&[], 'h'), (&["a"], 'h'), (&["a", "a"], 'v')]),
        (count(Some(2), None, LogSpec::default()), &[(&["x"], 'n'), (&["x", "y"], 'h')]),
        (
            LogSpec { lines: Some("done".to_owned()), ..contains(&["a"]) },
            &[(&["a"], 'n'), (&["done"], 'n'), (&["done", "a"], 'h')],
        ),
    ];
    for (spec, cases) in table {
        for (log, verdict) in cases {
            assert_eq!(letter(&judge(&spec, log)), *verdict, "{spec:?} on {log:?}");
        }
    }
}

#[test]
fn upper_bounds_are_known() {
    for (spec, bound) in [
        (contains(&["a"]), false),
        (count(Some(2), None, contains(&["a"])), false),
        (count(None, Some(2), contains(&["a"])), true),
        (LogSpec { not_contains: texts(&["a"]), ..LogSpec::default() }, true),
    ] {
        assert_eq!(compile(&spec).has_upper_bound(), bound, "{spec:?}");
    }
}

#[test]
fn a_hit_names_its_lines_and_captures() {
    let found = judge(&lines("open [int:N]\nclose [int:N]"), &["open 1", "x", "open 2", "close 2"]);
    let LogJudgement::Held { captures, lines } = found else { panic!("{found:?}") };
    assert_eq!(captures["N"], "2");
    let line = |number, text: &str| LogLine { log: 0, number, text: text.to_owned() };
    assert_eq!(lines, [line(3, "open 2"), line(4, "close 2")]);
}

#[test]
fn several_logs_are_told_apart() {
    let check = compile(&lines("a\nb"));
    let mut scan = check.scan();
    scan.push(1, "a");
    scan.push(2, "b");
    assert_eq!(letter(&scan.verdict()), 'n', "the lines must be in one log");
    scan.push(2, "a");
    scan.push(1, "x");
    scan.push(1, "b");
    let LogJudgement::Held { lines, .. } = scan.verdict() else { panic!() };
    let places: Vec<(u64, u64)> = lines.iter().map(|line| (line.log, line.number)).collect();
    assert_eq!(places, [(1, 1), (1, 3)]);

    let check = compile(&count(Some(2), None, contains(&["a"])));
    let mut scan = check.scan();
    scan.push(1, "a");
    scan.push(2, "a");
    assert_eq!(letter(&scan.verdict()), 'h', "lines of all logs are counted");
}

fn only(judgement: LogJudgement) -> Mismatch {
    let (LogJudgement::NotYet { mismatches } | LogJudgement::Violated { mismatches }) = judgement else {
        panic!("held")
    };
    let [mismatch] = mismatches.try_into().expect("one mismatch");
    mismatch
}

#[test]
fn the_nearest_line_is_shown_with_its_tokens_filled() {
    let pattern = lines("[[timestamp]] \"{{X}}:3128\" outbound|3128||proxy.example [addr] -[..]");
    let log = ["unrelated", "[2026-11-23T01:19:10.776Z] \"value:3128\" BlackHoleCluster 10.0.0.1:44 -"];
    let mismatch = only(judge(&pattern, &log));
    let Difference::LogLines { found: 0, of: 1, missing } = mismatch.difference else { panic!("{mismatch:?}") };
    let text = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.as_str()).collect::<String>();
    assert_eq!(
        text(&missing.expected),
        "[2026-11-23T01:19:10.776Z] \"value:3128\" outbound|3128||proxy.example 10.0.0.1:44 -"
    );
    let actual = missing.actual.expect("a near line");
    assert_eq!((actual.number, text(&actual.pieces).as_str()), (2, log[1]));
    let emphasised: String =
        actual.pieces.iter().filter(|piece| piece.emphasised).map(|piece| piece.text.as_str()).collect();
    assert_eq!(emphasised, "BlackHoleCluster");
}

#[test]
fn nothing_near_is_said_by_absence() {
    let mismatch = only(judge(&lines("alpha [int] beta"), &["x", "y"]));
    let Difference::LogLines { missing, .. } = mismatch.difference else { panic!("{mismatch:?}") };
    assert_eq!(missing.actual, None);
}

#[test]
fn missing_texts_name_what_the_nearest_line_lacks() {
    let mismatch = only(judge(&contains(&[" UH ", "BlackHoleCluster"]), &["a", "0 - x BlackHoleCluster"]));
    assert_eq!(mismatch.matcher, Matcher::Contains);
    let Difference::Missing { texts } = mismatch.difference else { panic!("{mismatch:?}") };
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].text, " UH ");
    assert_eq!(texts[0].nearest.as_ref().map(|line| line.number), Some(2));
}

#[test]
fn unwanted_lines_are_listed_and_the_rest_counted() {
    let log: Vec<String> = (0..9).map(|i| format!("bad {i}")).collect();
    let log: Vec<&str> = log.iter().map(String::as_str).collect();
    let spec = LogSpec { not_contains: texts(&["bad"]), ..LogSpec::default() };
    let mismatch = only(judge(&spec, &log));
    let Difference::Unwanted { texts } = mismatch.difference else { panic!("{mismatch:?}") };
    assert_eq!((texts[0].lines.len(), texts[0].more), (5, 4));
}

#[test]
fn too_many_open_threads_are_cut_and_said() {
    let log: Vec<String> = (0..1_000).map(|i| format!("open {i}")).collect();
    let mismatch =
        only(judge(&lines("open [int:N]\nclose [int:N]"), &log.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(mismatch.notes, [Note::SearchCut]);
}

#[test]
fn checks_that_cannot_fail_are_told() {
    let always = |key| vec![Problem::AlwaysHolds { key }];
    let table: Vec<(LogSpec, Vec<Problem>)> = vec![
        (LogSpec::default(), vec![Problem::AssertsNothing]),
        (count(Some(0), None, contains(&["a"])), vec![Problem::AssertsNothing]),
        (count(None, None, LogSpec::default()), vec![]),
        (lines("...\n"), always(Matcher::Lines)),
        (lines(" \n"), always(Matcher::Lines)),
        (contains(&[""]), always(Matcher::Contains)),
        (
            count(Some(3), Some(1), contains(&["a"])),
            vec![Problem::Bounds { lower: "`min: 3`".to_owned(), upper: "`max: 1`".to_owned() }],
        ),
        (LogSpec { lines: Some("b".to_owned()), ..count(Some(0), None, contains(&["a"])) }, vec![]),
    ];
    for (spec, problems) in table {
        assert_eq!(spec.problems(), problems, "{spec:?}");
    }
    assert!(lines("{{X}}").compile(&mut |_| Ok::<_, ()>("\n".to_owned())).is_err(), "empty by its value");
}
