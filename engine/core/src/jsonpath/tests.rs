//! Paths and the values they name; every refusal with its place.

use serde_json::{Value, json};

use super::*;

fn pods() -> Value {
    json!({
        "kind": "List",
        "metadata": {"annotations": {"a.b/c": "dotted", "it's": "quoted"}, "name": "all"},
        "items": [
            {"name": "a", "phase": "Running", "restarts": 0, "ip": "10.0.0.1", "same": "a"},
            {"name": "b", "phase": "Pending", "restarts": 3, "ip": null},
            {"name": "c", "phase": "Running", "restarts": 2.5, "ready": true, "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "False"}
            ]},
        ],
    })
}

fn text(path: &str) -> Option<String> {
    JsonPath::parse(path).unwrap_or_else(|error| panic!("{error}")).text(&pods())
}

#[test]
fn paths_name_values() {
    for (path, expected) in [
        ("{.metadata.name}", Some("all")),
        (".metadata.name", Some("all")),
        ("{ .metadata.name }", Some("all")),
        ("{$.metadata.name}", Some("all")),
        ("{@.metadata.name}", Some("all")),
        ("$['metadata']['name']", Some("all")),
        ("{.metadata['name']}", Some("all")),
        (r#"{.metadata["name"]}"#, Some("all")),
        (r"{.metadata.annotations.a\.b/c}", Some("dotted")),
        ("{.metadata.annotations['a.b/c']}", Some("dotted")),
        (r"{.metadata.annotations['it\'s']}", Some("quoted")),
        ("{.items[0].name}", Some("a")),
        ("{.items.[0].name}", Some("a")),
        ("{.items[-1].name}", Some("c")),
        ("{.items[0:2].name}", Some("a b")),
        ("{.items[*].name}", Some("a b c")),
        ("{.items[ * ].name}", Some("a b c")),
        ("{.items[0].restarts}", Some("0")),
        ("{.items[2].restarts}", Some("2.5")),
        ("{.items[2].ready}", Some("true")),
        ("{.items[1].ip}", Some("null")),
        ("{.items[2].conditions[0]}", Some(r#"{"type":"Ready","status":"True"}"#)),
        ("{.items[2].conditions[0].*}", Some("Ready True")),
        (r#"{.items[?(@.phase=="Running")].name}"#, Some("a c")),
        (r#"{.items[?( @.phase == 'Pending' )].name}"#, Some("b")),
        (r#"{.items[?(@.phase!="Running")].name}"#, Some("b")),
        ("{.items[?(@.restarts>0)].name}", Some("b c")),
        ("{.items[?(@.restarts>=2.5)].name}", Some("b c")),
        ("{.items[?(@.restarts<3)].name}", Some("a c")),
        ("{.items[?(@.restarts<=0)].name}", Some("a")),
        ("{.items[?(@.ready)].name}", Some("c")),
        ("{.items[?(@.ready==true)].name}", Some("c")),
        ("{.items[?(@.ip==null)].name}", Some("b")),
        ("{.items[?(@.name==@.same)].name}", Some("a")),
        (r#"{.items[*].conditions[?(@.type=="Ready")].status}"#, Some("True")),
        (r#"{.items[?(@.conditions[?(@.type=="Ready")].status=="True")].name}"#, Some("c")),
        // A filter takes from a list; what it took are items, not a list again.
        (r#"{.items[?(@.phase=="Running")][?(@.ready)].name}"#, None),
        // What does not fit finds nothing.
        ("{.nothing}", None),
        ("{.metadata.name.deeper}", None),
        ("{.items.name}", None),
        ("{.items[7]}", None),
        ("{.items[-9]}", None),
        ("{.metadata[0]}", None),
        ("{.metadata.name[*]}", None),
        (r#"{.items[?(@.restarts=="3")].name}"#, None),
        (r#"{.items[?(@.absent!="x")].name}"#, None),
    ] {
        assert_eq!(text(path).as_deref(), expected, "{path}");
    }
}

#[test]
fn the_whole_value_has_a_path() {
    for path in [".", "{.}", "$", "{@}"] {
        assert_eq!(JsonPath::parse(path).expect(path).find(&json!(1)), [&json!(1)], "{path}");
    }
}

#[test]
fn slices_are_cut_to_the_list() {
    for (path, expected) in [
        ("[1:]", vec![2, 3]),
        ("[:1]", vec![1]),
        ("[:]", vec![1, 2, 3]),
        ("[-2:]", vec![2, 3]),
        ("[:-1]", vec![1, 2]),
        ("[2:1]", vec![]),
        ("[5:9]", vec![]),
        ("[-9:9]", vec![1, 2, 3]),
    ] {
        let found: Vec<i64> =
            JsonPath::parse(path).unwrap().find(&json!([1, 2, 3])).iter().filter_map(|v| v.as_i64()).collect();
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    for (path, at, message) in [
        ("", 1, "the path is empty"),
        ("{}", 2, "the path is empty"),
        ("metadata.name", 1, "a path starts with `.`"),
        ("{.a", 4, "`}` is missing"),
        ("{.a}x", 5, "text beside the path is not supported"),
        ("{.a}{.b}", 5, "only one path is supported"),
        ("{.a} {.b}", 6, "only one path is supported"),
        ("{range .items[*]}", 2, "`range` is not supported: use `[*]` to take all items"),
        ("{end}", 2, "`end` is not supported: use `[*]` to take all items"),
        (r#"{"\n"}"#, 2, "literal text is not supported: write one path"),
        ("{..name}", 3, "`..` is not supported: write the whole path"),
        ("{.a..b}", 5, "`..` is not supported: write the whole path"),
        ("{.a.}", 5, "a name is missing"),
        (r"{.a\", 5, "a backslash must stand before a character"),
        ("{.a[}", 5, "brackets hold a number, `*`, a quoted name or a filter `?(…)`"),
        ("{.a[0}", 6, "`]` is missing"),
        ("{.a[-]}", 6, "- is no number of an item"),
        ("{.a[99999999999999999999]}", 25, "99999999999999999999 is no number of an item"),
        ("{.a[0,1]}", 6, "several names or numbers in brackets are not supported"),
        ("{.a['b','c']}", 8, "several names or numbers in brackets are not supported"),
        ("{.a[0:2:1]}", 8, "a step in a slice is not supported"),
        ("{.a['b]}", 5, "the quote is not closed"),
        ("{.a[?@.b]}", 6, "a filter is written `?(…)`"),
        ("{.a[?(.b)]}", 7, "a filter starts with `@`, the item"),
        ("{.a[?(@.b=1)]}", 10, "equality is written `==`"),
        ("{.a[?(@.b==x)]}", 12, "text to compare with is quoted"),
        ("{.a[?(@.b==)]}", 12, "text to compare with is quoted"),
        ("{.a[?(@.b=~'x')]}", 10, "regular expressions in a filter are not supported"),
        ("{.a[?(@.b==1]}", 13, "`)` is missing"),
    ] {
        let error = JsonPath::parse(path).expect_err(path);
        assert_eq!((error.at, error.message.as_str()), (at, message), "{path}");
    }
    let and = JsonPath::parse("{.a[?(@.b==1 && @.c==2)]}").unwrap_err();
    assert!(and.message.starts_with("several conditions"), "{and}");
}

#[test]
fn hostile_paths_are_refused_without_harm() {
    let nested = format!("{{.a{}", "[?(@".repeat(200));
    assert_eq!(JsonPath::parse(&nested).unwrap_err().message, "filters stand too deep in each other");
    let long = format!(".{}", "a".repeat(MAX_LENGTH));
    assert!(JsonPath::parse(&long).unwrap_err().message.starts_with("a path has at most 1024 characters"));
}
