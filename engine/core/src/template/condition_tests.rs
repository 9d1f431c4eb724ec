//! Conditions: what is read, refused and computed.

use serde_json::json;

use super::*;

fn scope() -> Scope {
    let mut scope = Scope::new();
    scope.set("NAMESPACE", "");
    scope.set("PORT", 3128);
    scope.set("RATIO", 0.5);
    scope.set("ON", true);
    scope.set("HOSTS", json!(["a", "b"]));
    scope.set("OBJECT", json!({"mode": "x"}));
    scope
}

fn eval(raw: &str) -> Result<bool, EvalError> {
    Condition::parse(raw).unwrap_or_else(|problem| panic!("{raw}: {problem:?}")).eval(&scope())
}

#[test]
fn conditions_compare_typed_values() {
    for (raw, expected) in [
        ("NAMESPACE != \"\"", false),
        ("NAMESPACE == ''", true),
        ("PORT == 3128", true),
        ("PORT - 1 == 3127 && PORT > 80", true),
        ("RATIO < 1.0", true),
        ("ON && !(PORT == 1)", true),
        ("ON ? NAMESPACE == '' : false", true),
        ("'a' in HOSTS && HOSTS.exists(h, h == 'b')", true),
        ("size(HOSTS) == 2 && HOSTS[0].startsWith('a')", true),
        ("OBJECT.mode == 'x' && has(OBJECT.mode)", true),
        ("has(OBJECT.none)", false),
    ] {
        assert_eq!(eval(raw), Ok(expected), "{raw}");
    }
}

#[test]
fn what_is_neither_true_nor_false_is_an_error() {
    assert_eq!(eval("PORT"), Err(EvalError::NotBool("a number")));
    assert!(matches!(eval("OBJECT.none == 'x'"), Err(EvalError::Failed(_))));
    assert!(matches!(eval("PORT > 'a'"), Err(EvalError::Failed(_))));
    let condition = Condition::parse("NOPE == 1").expect("valid");
    assert_eq!(condition.eval(&scope()), Err(EvalError::Unknown("NOPE".into())));
}

#[test]
fn names_are_found_with_their_place() {
    let raw = "'PORT' != A && HOSTS.exists(h, h == B)";
    let condition = Condition::parse(raw).expect("valid");
    let found: Vec<_> =
        condition.references().iter().map(|found| (found.name.as_str(), &raw[found.at.clone()])).collect();
    assert_eq!(found, [("A", "A"), ("B", "B"), ("HOSTS", "HOSTS")]);
    assert_eq!(condition.references()[0].at, 10..11);
}

#[test]
fn mistakes_are_told_in_our_words() {
    for (raw, at, message) in [
        ("A ==", "", "a value is missing behind `==`"),
        ("", "", "the condition is empty"),
        ("A = 1", "=", "`=` cannot stand here"),
        ("sizee(A) == 1", "sizee", "there is no function `sizee`"),
        ("{{A}} == 1", "{{", "a condition uses names without braces"),
    ] {
        let problem = Condition::parse(raw).expect_err(raw);
        assert_eq!(
            (problem.code, problem.message.as_str(), &raw[problem.at]),
            (Code::BadCondition, message, at),
            "{raw}"
        );
    }
}

#[test]
fn bounds_hold_before_the_parser_recurses() {
    for raw in [
        format!("{}true{}", "(".repeat(400), ")".repeat(400)),
        format!("{}true", "!".repeat(1_000)),
        format!("{}1", "- ".repeat(500)),
        format!("{}A", "A ? A : ".repeat(100)),
        "A".repeat(2_000),
    ] {
        assert_eq!(Condition::parse(&raw).expect_err("refused").code, Code::TooLong);
    }
    for raw in [
        format!("ON{}", " && ON".repeat(168)),
        format!("PORT{} > 1", "+1".repeat(500)),
        format!("[{}].size() > 1", "1,".repeat(400) + "1"),
        format!("OBJECT{} == 1", ".a".repeat(480)),
    ] {
        assert!(raw.len() <= MAX_BYTES);
        let _ = Condition::parse(&raw).map(|condition| condition.eval(&scope()));
    }
}
