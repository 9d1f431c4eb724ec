//! Hashes in the form that Kubernetes shows them.
//!
//! Invariant: the same template has the same hash in every lab.

use serde_json::Value;

/// FNV-1a with 32 bits.
pub(crate) fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The `pod-template-hash` of a template: eight to ten characters without vowels. `collisions` varies it when the name is taken.
pub(super) fn template_hash(template: &Value, collisions: u64) -> String {
    let mut text = String::new();
    canonical(template, &mut text);
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    safe(&fnv32(text.as_bytes()).to_string())
}

/// Characters that form no word and cannot be mistaken for each other.
fn safe(digits: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    digits.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

/// A text that is the same for equal values, whatever the order of their members.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (key, member) in members {
                out.push_str(key);
                out.push(':');
                canonical(member, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_templates_have_equal_hashes() {
        let one = template_hash(&json!({"a": 1, "b": [true]}), 0);
        assert_eq!(one, template_hash(&json!({"b": [true], "a": 1}), 0));
        assert_ne!(one, template_hash(&json!({"a": 2, "b": [true]}), 0));
        assert_ne!(one, template_hash(&json!({"a": 1, "b": [true]}), 1));
        assert!((5..=10).contains(&one.len()), "{one}");
        // The published test vector of FNV-1a.
        assert_eq!(fnv32(b"foobar"), 0xbf9c_f968);
    }
}
