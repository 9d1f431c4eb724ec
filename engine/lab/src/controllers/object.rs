//! Reading untyped objects.
//!
//! Invariant: reading never fails; an absent or mistyped field reads as none.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// A whole number.
pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// A whole number, 0 when absent.
pub(super) fn count(object: &Value, pointer: &str) -> i64 {
    number(object, pointer).unwrap_or(0)
}

/// A text that is not empty.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Whether a field is `true`.
pub(super) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// The members of a list; none when it is absent.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A map; none when it is absent.
pub(super) fn map<'a>(object: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    object.pointer(pointer).and_then(Value::as_object)
}

/// A moment.
pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer)?.parse().ok()
}

/// When the object was created; long ago if it does not say.
pub(super) fn created(object: &Value) -> Timestamp {
    time(object, "/metadata/creationTimestamp").unwrap_or(Timestamp::MIN)
}

/// A moment `seconds` later; the end of time if that lies beyond it.
pub(super) fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// A number, or a percentage of `whole`, rounded up or down. Absent or mistyped reads as none.
pub(super) fn share(value: Option<&Value>, whole: i64, round_up: bool) -> Option<i64> {
    match value? {
        Value::Number(number) => Some(number.as_i64()?.max(0)),
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let product = percent.max(0).saturating_mul(whole);
            Some(if round_up { product.saturating_add(99) / 100 } else { product / 100 })
        }
        _ => None,
    }
}

/// Sets a member of a status, or leaves it out when it is 0, as Go's `omitempty` does.
pub(super) fn set_count(status: &mut Value, key: &str, count: i64) {
    if count != 0 {
        status[key] = count.into();
    }
}
