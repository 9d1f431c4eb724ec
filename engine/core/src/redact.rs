//! Secret values are masked at fixed width, wherever they turn up in data.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Shortest value that is masked: shorter ones turn up everywhere by chance.
const SHORTEST: usize = 4;

/// Masks every one of `secrets` in all texts of `data`.
///
/// # Panics
/// When the data does not read back from its own JSON, which its type rules out.
#[must_use]
pub fn mask<T: Serialize + DeserializeOwned>(data: T, secrets: &[String]) -> T {
    let mut value = serde_json::to_value(&data).expect("events are plain data with string keys");
    if mask_value(&mut value, secrets) { serde_json::from_value(value).expect("a masked text is a text") } else { data }
}

fn mask_value(value: &mut Value, secrets: &[String]) -> bool {
    match value {
        Value::String(text) => {
            let mut masked = false;
            for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), MASK);
                    masked = true;
                }
            }
            masked
        }
        Value::Array(items) => items.iter_mut().fold(false, |masked, item| mask_value(item, secrets) | masked),
        Value::Object(map) => map.values_mut().fold(false, |masked, item| mask_value(item, secrets) | masked),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        let secrets = ["s3cret".to_owned(), "abc".to_owned()];
        let data = serde_json::json!({"a": ["x s3cret y s3cret", 1], "b": {"c": "abc"}});
        assert_eq!(mask(data, &secrets), serde_json::json!({"a": ["x *** y ***", 1], "b": {"c": "abc"}}));
    }
}
