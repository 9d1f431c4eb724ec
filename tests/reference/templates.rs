//! `templates.md`: every helper and every function of conditions, each with an example that is worked out here.

use periplus_core::template::{Condition, FUNCTIONS, Flavour, HELPERS, Scope, Template};
use serde_json::{Value, json};

use super::markdown::{code, fence, fill, table};

/// The values of the examples.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("SITE", json!("https://en.wikipedia.org/wiki/Main_Page")),
        ("PORT", json!(3128)),
        ("NAME", json!("sleep")),
        ("TITLE", json!("Wikipedia, the \"free\" encyclopedia")),
        ("CERT", json!("line one\nline two")),
        ("EMPTY", json!("")),
        ("DEBUG", json!(false)),
        ("ZONES", json!(["a", "b"])),
    ]
}

fn scope() -> Scope {
    let mut scope = Scope::new();
    for (name, value) in values() {
        scope.set(name, value);
    }
    scope
}

pub(super) fn page() -> String {
    let given: Vec<String> = values().iter().map(|(name, value)| format!("{name}: {value}")).collect();
    fill(
        include_str!("frame/templates.md"),
        &[
            ("helpers", helpers()),
            ("values", fence("yaml", &given.join("\n"))),
            ("functions", functions()),
            ("conditions", conditions()),
        ],
    )
}

/// An example of each helper, by its name.
fn example(helper: &str) -> &'static str {
    match helper {
        "if" => "{{#if EMPTY}}some{{else}}none{{/if}}",
        "unless" => "{{#unless DEBUG}}quiet{{/unless}}",
        "each" => "{{#each ZONES}}{{@index}}={{this}} {{/each}}",
        "with" => "{{#with NAME as |pod|}}pod {{pod}}{{/with}}",
        "quote" => "{{quote TITLE}}",
        "json" => "{{json CERT}}",
        "yaml" => "{{yaml ZONES}}",
        "indent" => "{{indent 2 CERT}}",
        "b64encode" => "{{b64encode NAME}}",
        "default" => "{{default \"none\" EMPTY}}",
        "host" => "{{host SITE}}",
        "port" => "{{port SITE}}",
        "eq" => "{{#if (eq NAME \"sleep\")}}yes{{/if}}",
        "ne" => "{{#if (ne NAME \"sleep\")}}yes{{else}}no{{/if}}",
        "gt" => "{{#if (gt PORT 1024)}}yes{{/if}}",
        "gte" => "{{#if (gte PORT 3128)}}yes{{/if}}",
        "lt" => "{{#if (lt PORT 1024)}}yes{{else}}no{{/if}}",
        "lte" => "{{#if (lte PORT 3128)}}yes{{/if}}",
        "and" => "{{#if (and NAME EMPTY)}}yes{{else}}no{{/if}}",
        "or" => "{{#if (or NAME EMPTY)}}yes{{/if}}",
        "not" => "{{#if (not EMPTY)}}yes{{/if}}",
        "len" => "{{len ZONES}}",
        "lookup" => "{{lookup ZONES 1}}",
        other => panic!("the helper {other} has no example"),
    }
}

fn helpers() -> String {
    let rows = HELPERS.iter().map(|row| {
        let raw = example(row.name);
        let template = Template::parse(raw, Flavour::Text).unwrap_or_else(|problem| panic!("{raw}: {problem:?}"));
        let text = template.render(&scope()).unwrap_or_else(|error| panic!("{raw}: {error:?}"));
        vec![code(row.name), row.does.to_owned(), code(raw), code(&text.replace('\n', "⏎"))]
    });
    table(&["Helper", "Gives", "For example", "Becomes"], rows)
}

/// An example of each function, by its name.
fn condition(function: &str) -> (&'static str, &'static str) {
    match function {
        "size" => ("how long a text or a list is", "size(ZONES) == 2"),
        "contains" => ("whether a text holds another", "SITE.contains(\"wiki\")"),
        "startsWith" => ("whether a text begins with another", "SITE.startsWith(\"https://\")"),
        "endsWith" => ("whether a text ends with another", "NAME.endsWith(\"x\")"),
        "matches" => ("whether a regular expression matches somewhere in a text", "NAME.matches(\"^sl\")"),
        "int" => ("a text or number as a whole number", "int(\"42\") == 42"),
        "double" => ("a text or number as a number with a fraction", "double(\"0.5\") < 1.0"),
        "string" => ("a value as text", "string(PORT) == \"3128\""),
        "min" => ("the least of some values", "min(PORT, 80) == 80"),
        "max" => ("the greatest of some values", "max(PORT, 80) == 3128"),
        other => panic!("the function {other} has no example"),
    }
}

fn judged(raw: &str) -> String {
    let condition = Condition::parse(raw).unwrap_or_else(|problem| panic!("{raw}: {problem:?}"));
    code(&condition.eval(&scope()).unwrap_or_else(|error| panic!("{raw}: {error}")).to_string())
}

/// What the table says beyond its examples.
#[test]
fn what_is_empty_is_empty() {
    for (raw, text) in [
        ("{{#if ZERO}}y{{else}}n{{/if}}{{#if NONE}}y{{else}}n{{/if}}{{#if DEBUG}}y{{else}}n{{/if}}", "nnn"),
        ("{{#if PORT}}y{{else}}n{{/if}}{{#with EMPTY as |e|}}y{{else}}n{{/with}}{{#each NONE}}y{{/each}}", "yn"),
        ("{{len UMLAUT}} {{default \"x\" ZERO}} {{default \"x\" DEBUG}} {{default \"x\" NONE}}", "2 0 false x"),
    ] {
        let mut scope = scope();
        scope.set("ZERO", json!(0));
        scope.set("NONE", json!([]));
        scope.set("UMLAUT", json!("ü"));
        let template = Template::parse(raw, Flavour::Text).expect("a template");
        assert_eq!(template.render(&scope).expect("a text"), text, "{raw}");
    }
}

fn functions() -> String {
    let rows = FUNCTIONS.iter().map(|function| {
        let (gives, raw) = condition(function);
        assert!(raw.contains(function), "{raw} shows {function}");
        vec![code(function), gives.to_owned(), code(raw), judged(raw)]
    });
    table(&["Function", "Gives", "For example", "Is"], rows)
}

fn conditions() -> String {
    let raws = [
        "EMPTY != \"\"",
        "PORT > 1024 && !DEBUG",
        "NAME in [\"sleep\", \"curl\"]",
        "\"a\" in ZONES",
        "NAME == \"sleep\" ? PORT == 3128 : DEBUG",
        "PORT % 2 == 0 || PORT / 2 * 2 != PORT - 1 + 1",
    ];
    table(&["Condition", "Is"], raws.iter().map(|raw| vec![code(raw), judged(raw)]))
}
