//! What contains what.

use serde_json::{Value, json};

use super::value::difference;
use super::{Difference, Judgement, ObjectSpec, PathDifference, Problem};

#[test]
fn a_structure_contains_another_or_not() {
    let table = [
        (json!({}), json!({"a": 1}), true),
        (json!({"a": 1}), json!({"a": 1, "b": 2}), true),
        (json!({"a": 1}), json!({"a": 2}), false),
        (json!({"a": 1}), json!({}), false),
        (json!({"a": null}), json!({}), true),
        (json!({"a": null}), json!({"a": null}), true),
        (json!({"a": null}), json!({"a": 1}), false),
        (json!({"a": {"b": []}}), json!({"a": {"b": []}}), true),
        (json!([]), json!([1]), false),
        (json!([2, 1]), json!([1, 3, 2]), true),
        (json!([1, 1]), json!([1]), false),
        (json!([1, 1]), json!([1, 1]), true),
        // The general item comes first; it must leave the only fitting one to the second.
        (json!([{"a": 1}, {"a": 1, "b": 2}]), json!([{"a": 1, "b": 2}, {"a": 1}]), true),
        (json!([{}, {"a": 1}, {"b": 1}]), json!([{"a": 1}, {"b": 1}, {"c": 1}]), true),
        (json!([{}, {"a": 1}, {"b": 1}]), json!([{"a": 1}, {"b": 1}]), false),
        (json!(1), json!(1.0), true),
        (json!("1"), json!(1), false),
        (json!({"a": [{"type": "Ready"}]}), json!({"a": [{"type": "X"}, {"type": "Ready", "s": true}]}), true),
        (json!({"a": 1}), json!([{"a": 1}]), false),
        (json!(null), json!(0), false),
    ];
    for (expected, actual, contained) in table {
        assert_eq!(difference(&expected, &actual).is_none(), contained, "{expected} in {actual}");
    }
}

fn paths(expected: &Value, actual: &Value) -> Vec<(String, String, Option<String>)> {
    let Some(Difference::Values { paths, more: 0 }) = difference(expected, actual) else { panic!("differs") };
    paths.into_iter().map(|PathDifference { path, expected, actual }| (path, expected, actual)).collect()
}

#[test]
fn differences_are_named_by_path() {
    let own = |path: &str, expected: &str, actual: Option<&str>| {
        (path.to_owned(), expected.to_owned(), actual.map(ToOwned::to_owned))
    };
    assert_eq!(
        paths(&json!({"a": {"b/c": 1, "d~": 2}, "e": "x"}), &json!({"a": {"b/c": 3}, "e": "x"})),
        [own("/a/b~1c", "1", Some("3")), own("/a/d~0", "2", None)]
    );
    assert_eq!(
        paths(&json!([{"n": "a", "v": 1}]), &json!([{"n": "a", "v": 2}])),
        [own("/0/v", "1", Some("2"))],
        "what is left on both sides is compared"
    );
    assert_eq!(paths(&json!([7, 1]), &json!([1, 2, 3])), [own("/-", "7", None)]);
    assert_eq!(paths(&json!({"a": []}), &json!({"a": [1]})), [own("/a", "[]", Some("[1]"))]);
}

#[test]
fn many_and_large_differences_are_bounded() {
    let expected: serde_json::Map<String, Value> =
        (0..1_000).map(|i| (i.to_string(), json!("x".repeat(10_000)))).collect();
    let Some(Difference::Values { paths, more }) = difference(&Value::Object(expected), &json!({})) else { panic!() };
    assert_eq!((paths.len(), more), (50, 950));
    assert!(paths.iter().all(|path| path.expected.len() < 1_200));
    let long: Vec<Value> = (0..3_000).map(|i| json!({"n": i})).collect();
    let mut other = long.clone();
    other.reverse();
    assert!(difference(&Value::Array(long), &Value::Array(other)).is_none(), "beyond the search, items still pair");
}

#[test]
fn objects_are_there_or_absent() {
    let matches = ObjectSpec { matches: Some(json!({"a": "x"})), absent: false };
    let check = matches.compile().expect("compiles");
    assert!(check.judge(Some(&json!({"a": "x", "b": 1}))).held());
    assert!(!check.judge(Some(&json!({"a": "y"}))).held());
    let Judgement::Failed { mismatches } = check.judge(None) else { panic!() };
    assert_eq!(mismatches[0].difference, Difference::NoObject);

    let absent = ObjectSpec { matches: None, absent: true }.compile().expect("compiles");
    assert!(absent.judge(None).held());
    assert!(!absent.judge(Some(&json!({}))).held());

    assert_eq!(ObjectSpec::default().problems(), [Problem::AssertsNothing]);
    let both = ObjectSpec { matches: Some(json!({})), absent: true };
    assert_eq!(both.problems(), [Problem::AbsentAndMatches]);
}
