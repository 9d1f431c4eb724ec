//! Label selectors of objects: `matchLabels` and `matchExpressions`.
//!
//! Invariant: an absent selector selects nothing, an empty one everything.

use serde_json::{Map, Value};

use super::object::list;
use crate::store::meta;

/// Whether a `metav1.LabelSelector` selects the object.
pub(super) fn selects(selector: Option<&Value>, object: &Value) -> bool {
    let Some(selector) = selector.filter(|selector| selector.is_object()) else { return false };
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    labels.is_none_or(|labels| contains(labels, object))
        && list(selector, "/matchExpressions").iter().all(|term| holds(term, |key| meta::label(object, key)))
}

/// Whether the selector has no terms, so that it would select everything.
pub(super) fn is_empty(selector: Option<&Value>) -> bool {
    let Some(selector) = selector else { return true };
    let none = |labels: Option<&Value>| labels.and_then(Value::as_object).is_none_or(Map::is_empty);
    none(selector.get("matchLabels")) && list(selector, "/matchExpressions").is_empty()
}

/// Whether an object has all these labels.
pub(super) fn contains(labels: &Map<String, Value>, object: &Value) -> bool {
    labels.iter().all(|(key, value)| meta::label(object, key) == value.as_str())
}

/// Whether one expression holds for what `value` knows. `Gt` and `Lt`, which node selectors have too, compare whole numbers.
pub(super) fn holds<'a>(term: &Value, value: impl Fn(&str) -> Option<&'a str>) -> bool {
    let found = value(term["key"].as_str().unwrap_or_default());
    let listed = || list(term, "/values").iter().any(|one| one.as_str() == found);
    let compared = |wanted: std::cmp::Ordering| {
        let bound: Option<i64> =
            list(term, "/values").first().and_then(Value::as_str).and_then(|text| text.parse().ok());
        let found: Option<i64> = found.and_then(|text| text.parse().ok());
        found.zip(bound).is_some_and(|(found, bound)| found.cmp(&bound) == wanted)
    };
    match term["operator"].as_str() {
        Some("In") => found.is_some() && listed(),
        Some("NotIn") => found.is_none() || !listed(),
        Some("Exists") => found.is_some(),
        Some("DoesNotExist") => found.is_none(),
        Some("Gt") => compared(std::cmp::Ordering::Greater),
        Some("Lt") => compared(std::cmp::Ordering::Less),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_hold_as_the_api_says() {
        let object = json!({"metadata": {"labels": {"app": "web", "size": "5"}}});
        let term = |key: &str, operator: &str, values: Value| {
            selects(Some(&json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})), &object)
        };
        assert!(term("app", "In", json!(["web", "db"])) && !term("app", "In", json!(["db"])));
        assert!(term("app", "NotIn", json!(["db"])) && term("other", "NotIn", json!(["db"])));
        assert!(term("app", "Exists", json!([])) && !term("other", "Exists", json!([])));
        assert!(term("other", "DoesNotExist", json!([])) && !term("app", "DoesNotExist", json!([])));
        assert!(
            term("size", "Gt", json!(["4"])) && !term("size", "Lt", json!(["4"])) && !term("app", "Gt", json!(["4"]))
        );
        assert!(selects(Some(&json!({"matchLabels": {"app": "web"}})), &object));
        assert!(selects(Some(&json!({})), &object) && !selects(None, &object));
        assert!(is_empty(Some(&json!({"matchLabels": {}}))) && !is_empty(Some(&json!({"matchLabels": {"a": "b"}}))));
    }
}
