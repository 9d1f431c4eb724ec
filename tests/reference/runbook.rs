//! `runbook.md`: every key of the format, from its schema.

use periplus_core::codes::Code;
use periplus_core::jsonpath;
use periplus_core::model::verb::{LogGrep, WaitFor};
use periplus_core::model::{Polling, Retry};
use periplus_core::source::LIMITS;
use periplus_core::template::{CONDITION_LIMITS, TEMPLATE_LIMITS};
use serde_json::Value;

use super::markdown::{code, fill, plain, table};
use super::schema::{Format, PAGE};
use crate::support::loaded;

pub(super) fn page() -> String {
    let format = Format::on(PAGE);
    let sections: Vec<String> = format
        .objects()
        .iter()
        .map(|object| {
            let places = format.places(object);
            let stands = if places.is_empty() { String::new() } else { format!(" Stands under {places}.") };
            let purpose = format.purpose(object);
            format!("## {}\n\n{purpose}{stands}\n\n{}", format.heading(&object.name), format.describe(object))
        })
        .collect();
    fill(
        include_str!("frame/runbook.md"),
        &[("objects", sections.join("\n")), ("types", types()), ("limits", limits())],
    )
}

/// Per type a value that it takes, and one that it does not.
const VALUES: [(&str, &str, &str); 14] = [
    ("string", "any text at all", "a\0b"),
    ("ip", "10.0.0.7", "10.0.0.7:3128"),
    ("host", "proxy.example.com", "https://proxy.example.com"),
    ("cidr", "10.0.0.0/8", "10.0.0.1/8"),
    ("port", "3128", "65536"),
    ("url", "https://example.com/path", "example.com"),
    ("name", "istio-1-27", "Istio"),
    ("int", "-5", "5.0"),
    ("number", "0.5", "1,5"),
    ("bool", "true", "yes"),
    ("duration", "1m30s", "90"),
    ("file", "ca.pem", " "),
    ("enum", "red", "green"),
    ("list", "a,b", "a\0b"),
];

fn types() -> String {
    let schema = periplus_core::schema::runbook();
    let types = schema["$defs"]["ParamType"]["oneOf"].as_array().expect("the types are listed").clone();
    let rows = types.iter().map(|kind| {
        let name = kind["const"].as_str().expect("a type has a name");
        let (_, taken, refused) = VALUES.iter().find(|(of, ..)| *of == name).expect("each type has examples");
        let description = kind["description"].as_str().unwrap_or_default();
        assert!(wrong(name, taken).is_empty(), "{name} takes {taken}: {:?}", wrong(name, taken));
        let why = wrong(name, refused);
        assert!(!why.is_empty(), "{name} does not take {refused}");
        let why = why.split_once("its type: ").map_or(why.as_str(), |(_, why)| why);
        let refused = if refused.contains('\0') || refused.trim().is_empty() { "" } else { why };
        vec![code(name), plain(description), code(taken), plain(refused)]
    });
    table(&["Type", "Takes", "Example", "But not"], rows)
}

/// What is said of a default that is not of its type.
fn wrong(kind: &str, value: &str) -> String {
    let value = Value::from(value);
    let more = if kind == "enum" { ", values: [red, blue]" } else { "" };
    let book = format!(
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: x}}\nnamespace: x\nparams: {{X: {{type: {kind}, \
         default: {value}{more}}}}}\nsteps: [{{id: a, get: {{kind: Pod, name: a}}}}]\n"
    );
    loaded(&book).diagnostics.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
}

fn limits() -> String {
    let kib = |bytes: usize| format!("{} KiB", bytes >> 10);
    let levels = |depth: usize| format!("{depth} levels");
    let nested = |depth: usize| "{{#if X}}".repeat(depth) + &"{{/if}}".repeat(depth);
    let exec = |argument: &str| format!("exec: {{in: {{pod: p}}, command: [a, {}]}}", Value::from(argument));
    let when = |condition: &str| format!("when: {}\n  get: {{kind: Pod, name: p}}", Value::from(condition));
    let path = |bytes: usize| format!("get: {{kind: Pod, name: p}}\n  capture: {{C: .{}}}", "x".repeat(bytes - 1));
    let timeout = |hours: u32| format!("timeout: {hours}h\n  get: {{kind: Pod, name: p}}");
    let needs = |length: usize| {
        format!("get: {{kind: Pod, name: p}}\n- id: {}\n  get: {{kind: Pod, name: p}}", "i".repeat(length))
    };
    // What is bounded, by how much, what is said beyond, and a step at the bound and beyond it.
    let steps: [(&str, String, Code, [String; 2]); 7] = [
        (
            "A text or a script that is not prose",
            kib(TEMPLATE_LIMITS.bytes),
            Code::TooLong,
            [TEMPLATE_LIMITS.bytes, TEMPLATE_LIMITS.bytes + 1]
                .map(|bytes| exec(&format!("{{{{X}}}}{}", "x".repeat(bytes - 5)))),
        ),
        (
            "Nesting of a template's blocks",
            levels(TEMPLATE_LIMITS.depth),
            Code::TooLong,
            [TEMPLATE_LIMITS.depth, TEMPLATE_LIMITS.depth + 1].map(|depth| exec(&nested(depth))),
        ),
        (
            "A condition",
            kib(CONDITION_LIMITS.bytes),
            Code::TooLong,
            [CONDITION_LIMITS.bytes, CONDITION_LIMITS.bytes + 1]
                .map(|bytes| when(&format!("true{}", " ".repeat(bytes - 4)))),
        ),
        (
            "Nesting of a condition",
            levels(CONDITION_LIMITS.depth),
            Code::TooLong,
            [CONDITION_LIMITS.depth, CONDITION_LIMITS.depth + 1]
                .map(|depth| when(&format!("{}true{}", "(".repeat(depth), ")".repeat(depth)))),
        ),
        (
            "A JSONPath",
            format!("{} bytes", jsonpath::MAX_LENGTH),
            Code::BadPattern,
            [jsonpath::MAX_LENGTH, jsonpath::MAX_LENGTH + 1].map(path),
        ),
        ("An id", "63 characters".to_owned(), Code::BadValue, [63, 64].map(needs)),
        ("A duration", "10,000 hours".to_owned(), Code::BadValue, [10_000, 10_001].map(timeout)),
    ];
    let row = |what: &str, bound: String, code: Code| {
        vec![what.to_owned(), bound, format!("[`{code}`](diagnostics.md#{code})")]
    };
    let mut rows = vec![
        row("The file", format!("{} MiB", LIMITS.file_bytes >> 20), Code::FileTooLarge),
        row("Values in the file", format!("{} million", LIMITS.nodes / 1_000_000), Code::TooManyNodes),
        row("Nesting of the file", levels(LIMITS.depth), Code::TooDeep),
    ];
    for (what, bound, code, [within, beyond]) in steps {
        let head = "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {name: x}\nnamespace: x\nparams: {X: {type: string}}";
        let codes = |step: &str| {
            let found = loaded(&format!("{head}\nsteps:\n- id: a\n  {step}\n")).diagnostics;
            found.iter().map(|problem| problem.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&within), [], "{what} at its bound");
        assert!(codes(&beyond).contains(&code), "{what} beyond its bound: {:?}", codes(&beyond));
        rows.push(row(what, bound, code));
    }
    table(&["What", "At most", "Beyond it"], rows)
}

/// The defaults of the descriptions, held to the model's.
#[test]
fn defaults_are_those_of_the_model() {
    let schema = periplus_core::schema::runbook();
    let (polling, retry) = (Polling::default(), Retry::default());
    for (object, key, value) in [
        ("LogGrep", "within", LogGrep::WITHIN.to_string()),
        ("LogGrep", "settle", LogGrep::SETTLE.to_string()),
        ("ExpectOutput", "every", polling.every.to_string()),
        ("ExpectOutput", "consecutive", polling.consecutive.to_string()),
        ("ExpectObject", "every", polling.every.to_string()),
        ("ExpectObject", "consecutive", polling.consecutive.to_string()),
        ("Retry", "attempts", retry.attempts.to_string()),
    ] {
        let described = schema["$defs"][object]["properties"][key]["description"].as_str().unwrap_or_default();
        assert!(described.ends_with(&format!("Default: {value}.")), "{key} of {object}: {described}, and is {value}");
    }
    let either = |object: &str, key: &str| {
        let arms = schema["$defs"][object]["anyOf"].as_array().expect("a short form").clone();
        let long = arms.iter().find(|arm| arm["properties"].is_object()).expect("a long form").clone();
        long["properties"][key]["description"].as_str().unwrap_or_default().to_owned()
    };
    assert!(either("Wait", "timeout").ends_with(&format!("Default: {}.", WaitFor::TIMEOUT)));
    assert!(either("Backoff", "initial").ends_with(&format!("Default: {}.", retry.backoff.initial)));
    assert!(either("Backoff", "max").ends_with(&format!("Default: {}.", retry.backoff.max)));
}

#[test]
fn every_key_of_the_schema_is_on_the_page() {
    let page = page();
    let format = Format::on(PAGE);
    for (object, key) in format.keys() {
        let heading = format!("\n## {}\n", format.heading(&object));
        let section = page.split_once(&heading).unwrap_or_else(|| panic!("there is no section {object}")).1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let listed = [format!("| `{key}` |"), format!("| [`{key}`](")].iter().any(|cell| section.contains(cell));
        assert!(listed, "{key} of {object} is not on the page");
        let row = section.lines().find(|line| line.contains(&format!("`{key}`"))).unwrap_or_default();
        let meaning = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        assert!(meaning.len() > 12, "{key} of {object} has no meaning: {row}");
    }
}
