//! The parameters of a world: values, and pointers at pods whose address is the value.
//!
//! Invariant: parameters are resolved before anything starts; a pointer reserves an address that its pod then gets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use indexmap::IndexMap;
use serde_json::Value;

use super::error::WorldError;
use crate::store::meta;

/// Resolved parameters by name, in the order of the world.
pub type Params = IndexMap<String, Value>;

/// A parameter as a world gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamSpec {
    /// The value itself.
    Value(Value),
    /// The address of the first pod that matches.
    Pod(PodSelector),
}

/// Pods by namespace and one label, written `NAMESPACE/LABEL=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSelector {
    /// The pod's namespace.
    pub namespace: String,
    /// The label's name.
    pub label: String,
    /// The label's value.
    pub value: String,
}

impl PodSelector {
    /// Reads `NAMESPACE/LABEL=VALUE`. The label may hold a `/` itself.
    ///
    /// # Errors
    /// A sentence that shows the form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(namespace, rest)| {
            let (label, value) = rest.split_once('=')?;
            Some((namespace.trim(), label.trim(), value.trim()))
        });
        match parts {
            Some((namespace, label, value)) if !namespace.is_empty() && !label.is_empty() => {
                Ok(Self { namespace: namespace.into(), label: label.into(), value: value.into() })
            }
            _ => Err(format!("{text:?} names no pod; write NAMESPACE/LABEL=VALUE, such as corp/app=squid")),
        }
    }

    /// Whether a Pod object is meant.
    pub fn matches(&self, pod: &Value) -> bool {
        meta::namespace(pod) == self.namespace && meta::label(pod, &self.label) == Some(&self.value)
    }
}

impl fmt::Display for PodSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}={}", self.namespace, self.label, self.value)
    }
}

impl ParamSpec {
    pub(super) fn read(name: &str, value: Value) -> Result<Self, WorldError> {
        let place = format!("params.{name}");
        match value {
            Value::Object(map) => match (map.len(), map.get("pod")) {
                (1, Some(Value::String(text))) => {
                    PodSelector::parse(text).map(Self::Pod).map_err(|reason| WorldError::invalid(place, reason))
                }
                _ => Err(WorldError::invalid(place, "a value or {pod: NAMESPACE/LABEL=VALUE} is expected here")),
            },
            Value::Null => Err(WorldError::invalid(place, "has no value")),
            value => Ok(Self::Value(value)),
        }
    }
}

/// What became of the parameters: their values, and which pod gets which address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) params: Params,
    pub(crate) pins: Vec<(PodSelector, IpAddr)>,
}

/// Gives every parameter its value. `overrides` win; one that overrides a pod's address moves the pod. `next_address` yields
/// addresses of the pod network that nobody has.
pub(crate) fn resolve(
    specs: &IndexMap<String, ParamSpec>,
    overrides: &BTreeMap<String, String>,
    mut next_address: impl FnMut() -> IpAddr,
) -> Result<Resolved, WorldError> {
    let mut resolved = Resolved::default();
    for (name, spec) in specs {
        let value = match (spec, overrides.get(name)) {
            (ParamSpec::Value(_), Some(text)) => Value::String(text.clone()),
            (ParamSpec::Value(value), None) => value.clone(),
            (ParamSpec::Pod(selector), given) => {
                let known = resolved.pins.iter().find(|(pinned, _)| pinned == selector).map(|(_, address)| *address);
                let address = match given {
                    Some(text) => text.parse().map_err(|_| {
                        let reason = format!("{text:?} is no IP address, and the world gives it to the pod {selector}");
                        WorldError::invalid(format!("params.{name}"), reason)
                    })?,
                    None => known.unwrap_or_else(&mut next_address),
                };
                if known.is_some_and(|known| known != address) {
                    let reason = format!("the pod {selector} cannot have a second address, {address}");
                    return Err(WorldError::invalid(format!("params.{name}"), reason));
                }
                if known.is_none() {
                    resolved.pins.push((selector.clone(), address));
                }
                Value::String(address.to_string())
            }
        };
        resolved.params.insert(name.clone(), value);
    }
    for (name, text) in overrides {
        resolved.params.entry(name.clone()).or_insert_with(|| Value::String(text.clone()));
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::json;

    use super::*;

    fn specs() -> IndexMap<String, ParamSpec> {
        let pod = ParamSpec::read("IP", json!({"pod": "corp/app=squid"})).unwrap();
        [("IP".to_owned(), pod), ("PORT".to_owned(), ParamSpec::Value(json!(3128)))].into_iter().collect()
    }

    fn address() -> IpAddr {
        Ipv4Addr::new(10, 244, 0, 9).into()
    }

    #[test]
    fn a_pod_gets_the_reserved_address() {
        let resolved = resolve(&specs(), &BTreeMap::new(), address).unwrap();
        assert_eq!(resolved.params["IP"], json!("10.244.0.9"));
        assert_eq!(resolved.params["PORT"], json!(3128));
        assert_eq!(resolved.pins, [(PodSelector::parse("corp/app=squid").unwrap(), address())]);
    }

    #[test]
    fn an_override_moves_the_pod() {
        let overrides = BTreeMap::from([("IP".to_owned(), "192.0.2.7".to_owned()), ("NEW".to_owned(), "x".to_owned())]);
        let resolved = resolve(&specs(), &overrides, address).unwrap();
        assert_eq!(resolved.pins[0].1.to_string(), "192.0.2.7");
        assert_eq!(resolved.params["NEW"], json!("x"));
        let overrides = BTreeMap::from([("IP".to_owned(), "proxy.corp".to_owned())]);
        assert!(resolve(&specs(), &overrides, address).unwrap_err().to_string().contains("is no IP address"));
    }

    #[test]
    fn a_pointer_at_nothing_is_refused() {
        for value in [json!({"pod": "squid"}), json!({"svc": "a/b=c"}), json!(null), json!({"pod": "/a=b"})] {
            assert!(ParamSpec::read("X", value.clone()).is_err(), "{value}");
        }
    }
}
