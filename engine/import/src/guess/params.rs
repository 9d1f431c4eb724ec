//! The type of a parameter, from its name, from how it is used, and from its value.

use indexmap::IndexMap;
use periplus_core::model::{Param, ParamType, ScalarType};
use periplus_core::params::{self, Given, NothingOutside};
use periplus_core::source::{Span, Spanned};

/// How a page uses a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// As the name of an object, a namespace or a container.
    Name,
    /// As a port.
    Port,
    /// As an address.
    Ip,
    /// As a host.
    Host,
}

/// Guesses a type that takes the value, where there is one. Also tells whether it must be kept secret.
pub(crate) fn param_type(name: &str, value: Option<&str>, hints: &[Hint]) -> (ScalarType, bool) {
    let words: Vec<String> = name.split(['_', '-']).map(str::to_ascii_uppercase).collect();
    let last = words.last().map_or("", String::as_str);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let secret =
        matches!(last, "PASSWORD" | "PASSWD" | "TOKEN" | "SECRET" | "CREDENTIALS") || name.ends_with("API_KEY");
    let by_name = match last {
        _ if secret => ScalarType::String,
        "IP" | "ADDR" | "ADDRESS" | "IPADDRESS" => ScalarType::Ip,
        "PORT" => ScalarType::Port,
        "HOST" | "HOSTNAME" | "DOMAIN" | "FQDN" => ScalarType::Host,
        "URL" | "URI" => ScalarType::Url,
        "CIDR" | "SUBNET" => ScalarType::Cidr,
        "NAMESPACE" | "NS" | "NAME" | "POD" | "SERVICE" | "DEPLOYMENT" | "CONFIGMAP" => ScalarType::Name,
        "COUNT" | "REPLICAS" => ScalarType::Int,
        "TIMEOUT" | "DURATION" => ScalarType::Duration,
        _ if has(&["IP"]) => ScalarType::Ip,
        _ if has(&["PORT"]) => ScalarType::Port,
        _ if has(&["NAMESPACE"]) => ScalarType::Name,
        _ => match hints.first() {
            Some(Hint::Name) => ScalarType::Name,
            Some(Hint::Port) => ScalarType::Port,
            Some(Hint::Ip) => ScalarType::Ip,
            Some(Hint::Host) => ScalarType::Host,
            None if value.is_some_and(|value| value.contains("://")) => ScalarType::Url,
            None => ScalarType::String,
        },
    };
    let fits = value.is_none_or(|value| takes(name, by_name, value));
    (if fits { by_name } else { ScalarType::String }, secret)
}

/// Whether a type takes a value.
fn takes(name: &str, kind: ScalarType, value: &str) -> bool {
    let span = Span::default();
    let param = Param {
        kind: ParamType::Scalar(kind),
        description: None,
        default: Some(Spanned::new(vec![value.to_owned()], span)),
        env: None,
        optional: false,
        pattern: None,
        secret: false,
        span,
    };
    params::bind(&IndexMap::from([(name.to_owned(), param)]), &Given::default(), &NothingOutside).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_uses_and_values_tell_the_type() {
        let guess = |name, value, hints: &[Hint]| param_type(name, value, hints).0;
        assert_eq!(guess("PROXY_IP", None, &[]), ScalarType::Ip);
        assert_eq!(guess("PROXY_IP", Some("proxy.corp"), &[]), ScalarType::String);
        assert_eq!(guess("PROXY_PORT", Some("3128"), &[]), ScalarType::Port);
        assert_eq!(guess("WHERE", None, &[Hint::Name]), ScalarType::Name);
        assert_eq!(guess("SITE", Some("https://a.b/c"), &[]), ScalarType::Url);
        assert_eq!(guess("INGRESS_HOST", Some("a b"), &[]), ScalarType::String);
        assert_eq!(guess("GREETING", Some("hello"), &[]), ScalarType::String);
        assert!(param_type("DB_PASSWORD", None, &[]).1);
    }
}
