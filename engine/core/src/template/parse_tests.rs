//! Templates: which names are found, and what is refused.

use super::*;

fn names(raw: &str) -> Vec<(String, String)> {
    let template = Template::parse(raw, Flavour::Text).unwrap_or_else(|problems| panic!("{raw}: {problems:?}"));
    template.references().iter().map(|found| (found.name.clone(), raw[found.at.clone()].to_owned())).collect()
}

fn problems(raw: &str, flavour: Flavour) -> Vec<(Code, String)> {
    let found = Template::parse(raw, flavour).expect_err(raw);
    found.into_iter().map(|problem| (problem.code, raw[problem.at].to_owned())).collect()
}

#[test]
fn every_name_is_found_with_its_place() {
    let found = names(
        "{{A}} {{#if B}}{{C}}{{else if (eq D \"E\")}}{{default F G.h}}{{/if}} {{{I}}} {{#each J as |k|}}{{k}}{{L}}{{/each}}",
    );
    let expected = ["A", "B", "C", "D", "F", "G", "I", "J", "L"];
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
    for (name, written) in found {
        assert_eq!(name, written);
    }
}

#[test]
fn a_name_in_a_string_is_not_taken_for_the_name() {
    let raw = "{{default \"X-X\" X}}";
    let template = Template::parse(raw, Flavour::Text).expect("valid");
    assert_eq!(template.references()[0].at, 16..17);
}

#[test]
fn mistakes_are_reported_all_at_once() {
    assert_eq!(
        problems("{{jsn X}} {{quote}} {{this}} {{../X}} {{indent X}} {{#iff X}}{{/iff}}", Flavour::Text),
        [
            (Code::UnknownHelper, "jsn".to_owned()),
            (Code::BadTemplate, "quote".to_owned()),
            (Code::BadTemplate, "this".to_owned()),
            (Code::BadTemplate, "../X".to_owned()),
            (Code::BadTemplate, "{{indent X}}".to_owned()),
            (Code::UnknownHelper, "iff".to_owned()),
        ]
    );
}

#[test]
fn what_runbooks_do_without_is_refused() {
    for raw in [
        "{{> partial}}",
        "{{#> layout}}{{/layout}}",
        "{{#*inline \"x\"}}{{/inline}}",
        "{{{{raw}}}}{{X}}{{{{/raw}}}}",
        "{{log X}}",
        "{{@root.X}}",
        "{{quote X y=Z}}",
        "{{#each X}}{{@foo}}{{/each}}",
    ] {
        assert!(Template::parse(raw, Flavour::Text).is_err(), "{raw}");
    }
}

#[test]
fn broken_syntax_is_placed_on_its_tag() {
    for (raw, at) in [
        ("a {{X", "{{X"),
        ("a {{X}} {{}} b", "{{}}"),
        ("-f '{{.Id}}'", "{{.Id}}"),
        ("{{X}}\n{{#if X}} b {{Y}}", "{{#if X}}"),
        ("{{X}} b{{/if}} c", "{{/if}}"),
        ("{{#if X}} b{{/each}} c", "{{/each}}"),
    ] {
        assert_eq!(problems(raw, Flavour::Text), [(Code::BadTemplate, at.to_owned())], "{raw}");
    }
}

#[test]
fn bounds_hold_before_anything_recurses() {
    let deep = format!("{}{}", "{{#if X}}".repeat(5_000), "{{/if}}".repeat(5_000));
    assert_eq!(problems(&deep, Flavour::Text)[0].0, Code::TooLong);
    let chain = format!("{{{{#if X}}}}{}{{{{/if}}}}", "{{else if X}}".repeat(5_000));
    assert_eq!(problems(&chain, Flavour::Text)[0].0, Code::TooLong);
    let parentheses = format!("{{{{json {}X{}}}}}", "(json ".repeat(5_000), ")".repeat(5_000));
    assert_eq!(problems(&parentheses, Flavour::Text)[0].0, Code::TooLong);
    let long = format!("{{{{X}}}}{}", "x".repeat(TEMPLATE_LIMITS.bytes));
    assert_eq!(problems(&long, Flavour::Text)[0].0, Code::TooLong);
}

#[test]
fn quotes_must_close_in_their_block() {
    assert_eq!(problems("{{#if X}}\"{{/if}}a\"", Flavour::Shell)[0].0, Code::ShellQuoting);
    assert_eq!(problems("# x\n{{~X}}", Flavour::Shell)[0].0, Code::ShellQuoting);
    assert_eq!(problems("echo {{quote X}}", Flavour::Shell)[0].0, Code::ShellQuoting);
    for fine in ["{{#if X}}\"a\"{{else}}'b'{{/if}}\"c\"", "cat <<EOF\n{{#if X}}\na'\n{{/if}}\nEOF\necho 'x'\n"] {
        assert!(Template::parse(fine, Flavour::Shell).is_ok(), "{fine}");
    }
}

#[test]
fn values_without_quotes_are_noted() {
    let raw = "echo {{X}} {{{Y}}}";
    let template = Template::parse(raw, Flavour::Shell).expect("valid");
    assert_eq!(template.raw_in_shell().iter().map(|at| &raw[at.clone()]).collect::<Vec<_>>(), ["{{{Y}}}"]);
}

#[test]
fn templates_are_read_once() {
    let mut templates = Templates::default();
    let one = templates.get("{{X}}", Flavour::Text).expect("valid");
    assert!(Arc::ptr_eq(&one, &templates.get("{{X}}", Flavour::Text).expect("valid")));
    assert!(!Arc::ptr_eq(&one, &templates.get("{{X}}", Flavour::Shell).expect("valid")));
    assert!(templates.get("{{X", Flavour::Text).is_err());
}
