//! Amounts of resources as the downward API gives them.
//!
//! Invariant: a number is rounded up to the divisor, as the kubelet does.

use serde_json::Value;

use super::env::ConfigError;

/// What stands in for a limit that is not set: all that the node has.
const NODE: [(&str, &str); 3] = [("cpu", "8"), ("memory", "16Gi"), ("ephemeral-storage", "100Gi")];

/// The amount that `reference` names, as a whole number of its divisor. In a volume it says which container it means.
pub(super) fn resource_field(pod: &Value, container: Option<&Value>, reference: &Value) -> Result<String, ConfigError> {
    let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    let lists = ["/spec/containers", "/spec/initContainers"];
    let mut all = lists.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    let named = text("containerName");
    let container = if named.is_empty() { container } else { all.find(|container| container["name"] == named) };
    let lacking = || ConfigError::NotSimulated(format!("the amount {} of the downward API", text("resource")));
    let (kind, resource) = text("resource").split_once('.').ok_or_else(lacking)?;
    let given = |kind: &str| container?.pointer(&format!("/resources/{kind}/{resource}")).cloned();
    let amount = match kind {
        "limits" => {
            let node = NODE.iter().find(|(name, _)| *name == resource).map(|(_, amount)| (*amount).into());
            given("limits").or(node).ok_or_else(lacking)?
        }
        // Only what is asked for counts; without any there is nothing.
        "requests" => given("requests").unwrap_or_else(|| "0".into()),
        _ => return Err(lacking()),
    };
    let divisor = reference.get("divisor").filter(|divisor| milli(divisor) != Some(0)).cloned();
    let (amount, divisor) = (milli(&amount), divisor.map_or(Some(1000), |divisor| milli(&divisor)));
    let (amount, divisor) = amount.zip(divisor).ok_or_else(lacking)?;
    Ok(amount.div_ceil(divisor).to_string())
}

/// A quantity in thousandths.
fn milli(quantity: &Value) -> Option<u128> {
    let text = match quantity {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor: u128 = match suffix {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.get(..part.len().min(9))?;
    let scale = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let whole = whole.parse::<u64>().ok().or(whole.is_empty().then_some(0))?;
    let part = if part.is_empty() { 0 } else { part.parse::<u64>().ok()? };
    let all = u128::from(whole).checked_mul(scale)?.checked_add(u128::from(part))?;
    Some(all.checked_mul(factor)?.div_ceil(scale))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_rounded_up_to_their_divisor() {
        let container = json!({"resources": {"limits": {"cpu": "250m", "memory": "64Mi"}, "requests": {"cpu": "1.5"}}});
        let field = |resource: &str, divisor: &str| {
            let reference = json!({"resource": resource, "divisor": divisor});
            resource_field(&json!({}), Some(&container), &reference).unwrap()
        };
        let cases = [
            ("limits.cpu", "0", "1"),
            ("limits.cpu", "1m", "250"),
            ("limits.memory", "0", "67108864"),
            ("limits.memory", "1Mi", "64"),
            ("requests.cpu", "1m", "1500"),
            ("requests.memory", "0", "0"),
            ("limits.ephemeral-storage", "1Gi", "100"),
        ];
        for (resource, divisor, expected) in cases {
            assert_eq!(field(resource, divisor), expected, "{resource} {divisor}");
        }
    }
}
