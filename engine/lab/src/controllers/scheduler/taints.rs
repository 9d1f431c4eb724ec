//! Taints of nodes and what pods tolerate.
//!
//! Invariant: a toleration without a key tolerates every key, one without an effect every effect.

use serde_json::Value;

use crate::controllers::object::{list, text};

/// The first taint with one of these effects that the tolerations do not cover.
pub(in crate::controllers) fn untolerated<'a>(
    tolerations: &[Value],
    node: &'a Value,
    effects: &[&str],
) -> Option<&'a Value> {
    let taints = list(node, "/spec/taints").iter();
    let mut feared = taints.filter(|taint| text(taint, "/effect").is_some_and(|effect| effects.contains(&effect)));
    feared.find(|taint| !is_tolerated(tolerations, taint))
}

/// Whether one of the tolerations covers the taint.
pub(in crate::controllers) fn is_tolerated(tolerations: &[Value], taint: &Value) -> bool {
    tolerations.iter().any(|toleration| covers(toleration, taint))
}

/// Whether a toleration covers a taint.
pub(in crate::controllers) fn covers(toleration: &Value, taint: &Value) -> bool {
    let own = |key: &str| text(toleration, key);
    let value = |object: &Value| text(object, "/value").unwrap_or_default().to_owned();
    own("/effect").is_none_or(|effect| taint["effect"] == effect)
        && own("/key").is_none_or(|key| taint["key"] == key)
        && match own("/operator").unwrap_or("Equal") {
            "Exists" => true,
            "Equal" => own("/key").is_some() && value(toleration) == value(taint),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tolerations_cover_as_the_api_says() {
        let taint = json!({"key": "a", "value": "b", "effect": "NoSchedule"});
        for (toleration, expected) in [
            (json!({"operator": "Exists"}), true),
            (json!({"key": "a", "operator": "Exists"}), true),
            (json!({"key": "a", "value": "b"}), true),
            (json!({"key": "a", "operator": "Equal", "value": "c"}), false),
            (json!({"key": "c", "operator": "Exists"}), false),
            (json!({"key": "a", "operator": "Exists", "effect": "NoSchedule"}), true),
            (json!({"key": "a", "operator": "Exists", "effect": "NoExecute"}), false),
        ] {
            assert_eq!(covers(&toleration, &taint), expected, "{toleration}");
        }
    }
}
