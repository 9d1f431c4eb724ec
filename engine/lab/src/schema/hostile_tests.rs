//! Any value against any schema: nothing panics, and what is done twice is done once.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::cel::Rules;
use super::correlate::Correlation;
use super::definition;
use super::node::Node;
use super::structural::{check_list_types, fill_defaults, lacks_defaults, prune};
use super::values::check_value;
use super::{Catalog, Decoded};

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "metadata", "kind", "spec", "x-y", ""]).prop_map(ToOwned::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9.:/é-]{0,12}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Words of schemas with values that fit them or do not.
fn keyword() -> impl Strategy<Value = (String, Value)> {
    let words = vec![
        "type",
        "format",
        "enum",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "required",
        "default",
        "nullable",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-validations",
        "additionalProperties",
        "exclusiveMinimum",
    ];
    let values = prop_oneof![
        Just(json!("object")),
        Just(json!("array")),
        Just(json!("string")),
        Just(json!("integer")),
        Just(json!("map")),
        Just(json!(["a"])),
        Just(json!(true)),
        Just(json!(2)),
        Just(json!("date-time")),
        Just(json!([{"rule": "self.a == oldSelf.b || (1 > 2)"}])),
        value(),
    ];
    (prop::sample::select(words).prop_map(ToOwned::to_owned), values)
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(keyword(), 0..4).prop_map(|words| Value::Object(words.into_iter().collect()));
    leaf.prop_recursive(3, 16, 3, |inner| {
        let parts =
            (prop::collection::vec(keyword(), 0..3), prop::collection::vec((name(), inner.clone()), 0..3), inner);
        parts.prop_map(|(words, properties, items)| {
            let mut map: Map<String, Value> = words.into_iter().collect();
            map.insert("properties".into(), Value::Object(properties.into_iter().collect()));
            map.insert("items".into(), items.clone());
            map.insert("anyOf".into(), json!([items.clone()]));
            map.insert("not".into(), items);
            Value::Object(map)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_value_breaks_a_schema(schema in schema(), value in value(), old in value()) {
        let node = Node::custom_root(&schema).expect("an object");
        let correlation = Some(Correlation::new(node, &old));
        check_value(&schema, &value, correlation, "");
        check_list_types(node, &value, "", &mut Vec::new());
        if let Some(rules) = Rules::compile(node) {
            let _ = rules.check(node, &value, correlation, "");
        }
        Decoded::custom(node, &mut value.clone());
        lacks_defaults(node, &value);
    }

    #[test]
    fn unchanged_values_are_never_refused(schema in schema(), value in value()) {
        let node = Node::custom_root(&schema).expect("an object");
        prop_assert!(check_value(&schema, &value, Some(Correlation::new(node, &value)), "").is_empty());
    }

    #[test]
    fn pruning_twice_is_pruning_once(schema in schema(), value in value()) {
        let node = Node::custom_root(&schema).expect("an object");
        let mut once = value;
        prune(node, &mut once, "", &mut Vec::new());
        let (mut twice, mut unknown) = (once.clone(), Vec::new());
        prune(node, &mut twice, "", &mut unknown);
        prop_assert_eq!(&once, &twice);
        prop_assert!(unknown.is_empty());
    }

    #[test]
    fn defaulting_twice_is_defaulting_once(schema in schema(), value in value()) {
        // A default that needs defaults itself would be refused with the definition.
        let node = Node::custom_root(&schema).expect("an object");
        let mut once = value;
        for _ in 0..4 {
            fill_defaults(node, &mut once);
        }
        let mut twice = once.clone();
        fill_defaults(node, &mut twice);
        prop_assert_eq!(&once, &twice);
    }

    #[test]
    fn no_definition_breaks_the_review(schema in schema(), spec in value()) {
        let catalog = Catalog::default();
        let resource = catalog.find("apiextensions.k8s.io", "v1", "customresourcedefinitions").expect("built in");
        for mut crd in [
            json!({"metadata": {"name": "a.b.c"}, "spec": spec}),
            json!({"metadata": {"name": "a.b.c"}, "spec": {"group": "b.c", "names": {"plural": "a", "kind": "A"}, "scope": "Cluster",
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}}),
        ] {
            definition::prepare(&mut crd, None);
            let _ = definition::review(&resource, &crd, None);
            definition::next_status(&crd, &[], "2026-01-01T00:00:00Z");
        }
    }
}
