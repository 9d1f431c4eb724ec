//! Edits that keep bytes, edits that are refused, and properties over arbitrary mappings.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const MESH: &str = "\
# managed by the platform team
accessLogFile: /dev/stdout

defaultConfig:
  discoveryAddress: istiod.istio-system.svc:15012   # do not change
  proxyMetadata: {}
enablePrometheusMerge: true
rootNamespace: istio-system
# end
";

fn merged(text: &str, patch: &Value) -> String {
    merge(text, patch).expect("can be edited").text
}

#[test]
fn an_absent_key_is_added_and_all_else_keeps_its_bytes() {
    let patch = json!({"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}});
    let edited = merge(MESH, &patch).expect("can be edited");
    assert_eq!(
        edited.text,
        MESH.replace(
            "rootNamespace: istio-system\n",
            "rootNamespace: istio-system\noutboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n"
        )
    );
    assert_eq!(edited.fields.len(), 1);
    assert_eq!(edited.fields[0].path, "/outboundTrafficPolicy/mode");
    assert_eq!(edited.fields[0].before, None);
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    assert_eq!(
        merged(MESH, &json!({"defaultConfig": {"discoveryAddress": "other:1"}})),
        MESH.replace("istiod.istio-system.svc:15012", "\"other:1\"")
    );
    assert_eq!(merged("a: 'x' # c\nb: 2\n", &json!({"a": "z"})), "a: z # c\nb: 2\n");
    assert_eq!(merged("p: {mode: ALLOW_ANY, x: 1}\n", &json!({"p": {"mode": "B"}})), "p: {mode: B, x: 1}\n");
    assert_eq!(merged("p: |\n  x\n  y\nq: 1\n", &json!({"p": "z"})), "p: z\nq: 1\n");
    assert_eq!(merged("p:\n  - 1\n  - 2\nq: 1\n", &json!({"p": [3]})), "p: [3]\nq: 1\n");
    assert_eq!(merged("p:\nq: 1\n", &json!({"p": {"m": 1}})), "p: {m: 1}\nq: 1\n");
}

#[test]
fn a_key_is_added_within_nested_and_flow_mappings() {
    assert_eq!(
        merged("a:\n  b: 1\n\n# c\nd: 2\n", &json!({"a": {"x": {"w": 1}}})),
        "a:\n  b: 1\n  x:\n    w: 1\n\n# c\nd: 2\n"
    );
    assert_eq!(merged("a: {b: 1}\n", &json!({"a": {"c": "on"}})), "a: {b: 1, c: \"on\"}\n");
    assert_eq!(merged("a: {}\n", &json!({"a": {"c": 1}})), "a: {c: 1}\n");
    assert_eq!(merged("", &json!({"a": {"c": 1}})), "a:\n  c: 1\n");
    assert_eq!(merged("# only a comment\n", &json!({"a": 1})), "# only a comment\na: 1\n");
    assert_eq!(merged("a: 1", &json!({"b": 1})), "a: 1\nb: 1\n");
}

#[test]
fn null_removes_and_a_removal_undoes_an_addition() {
    assert_eq!(merged("a: 1\nb: 2 # c\nc: 3\n", &json!({"b": null})), "a: 1\nc: 3\n");
    assert_eq!(merged("a: {b: 1, c: 2}\n", &json!({"a": {"c": null}})), "a: {b: 1}\n");
    let added = merge(MESH, &json!({"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}})).expect("can be edited");
    let back = set(&added.text, &[("/outboundTrafficPolicy".to_owned(), None)]).expect("can be edited");
    assert_eq!(back, MESH);
}

#[test]
fn what_already_says_so_is_untouched() {
    let edited = merge("a: {mode: X}   # fine\n", &json!({"a": {"mode": "X"}})).expect("can be edited");
    assert_eq!((edited.text.as_str(), edited.fields.len()), ("a: {mode: X}   # fine\n", 0));
}

#[test]
fn what_cannot_be_edited_with_certainty_is_refused() {
    assert!(matches!(merge("[1, 2]\n", &json!({"a": 1})), Err(EditError::NotAMapping(_))));
    assert!(matches!(merge("a: [", &json!({"a": 1})), Err(EditError::Syntax(_))));
    assert!(merge("x: &a {m: 1}\ny: *a\n", &json!({"y": {"m": 2}})).is_err());
}

/// Mappings with nested mappings, lists and scalars, hostile texts among them.
fn mapping() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~é\n]{0,12}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(key(), value, 0..5).prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]", "[a-z/~. ]{1,6}"]
}

/// RFC 7386, but that a patch which only removes leaves alone what is no mapping.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else { return };
    for (key, value) in patch {
        let mut pointer = String::new();
        push_segment(&mut pointer, key);
        match value {
            Value::Null => crate::change::write(target, &pointer, None),
            Value::Object(inner) if !inner.is_empty() => {
                if !sets_something(value) && !target[key.as_str()].is_object() {
                    continue;
                }
                if !target[key.as_str()].is_object() {
                    crate::change::write(target, &pointer, Some(json!({})));
                }
                merge_patch(&mut target[key.as_str()], value);
            }
            value => crate::change::write(target, &pointer, Some(value.clone())),
        }
    }
}

proptest! {
    #[test]
    fn an_edit_means_what_the_patch_means_or_is_refused(before in mapping(), patch in mapping()) {
        let text = serde_yaml::to_string(&before).expect("plain data");
        if let Ok(edited) = merge(&text, &patch) {
            let mut wanted = parse(&text).expect("it was written so");
            merge_patch(&mut wanted, &patch);
            let found = parse(&edited.text).expect("an edit leaves valid YAML");
            prop_assert_eq!(strip_empty(found), strip_empty(wanted));
        }
    }

    #[test]
    fn hostile_text_is_edited_or_refused_and_never_panics(text in ".{0,80}", patch in mapping()) {
        drop(merge(&text, &patch));
    }
}

fn sets_something(patch: &Value) -> bool {
    match patch {
        Value::Object(map) => map.is_empty() || map.values().any(sets_something),
        value => !value.is_null(),
    }
}

/// A mapping that lost its last field may be left empty or be gone.
fn strip_empty(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (key, strip_empty(value)))
                .filter(|(_, value)| value.as_object().is_none_or(|map| !map.is_empty()))
                .collect(),
        ),
        value => value,
    }
}
