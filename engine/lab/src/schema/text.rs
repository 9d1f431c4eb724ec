//! Rules for single texts: names, labels, keys, addresses. Each answers with what is wrong, in the words of the API server.
//!
//! Invariant: one rule, one message; who asks decides where it is reported.

use std::net::IpAddr;

/// What is wrong with a text; empty when it is fine.
pub(crate) type Problems = Vec<String>;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
                         start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
                     with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
                     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
                          character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
                          validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
                         character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
                           start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
                           for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
                          'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Longest label of a DNS name, and longest value of a Kubernetes label, in bytes.
const LABEL_LIMIT: usize = 63;

const CHARACTERS: &str = "characters";

/// `unit` is what the server says of this rule: some limits are told in characters, some in bytes; all count bytes.
fn too_long(text: &str, limit: usize, unit: &str, problems: &mut Problems) {
    if text.len() > limit {
        problems.push(format!("must be no more than {limit} {unit}"));
    }
}

fn is_label_shaped(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

fn is_qualified_shaped(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

/// Whether `text` is a name of dot-separated RFC 1123 labels.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    dns_subdomain(text).is_empty()
}

/// A name of dot-separated RFC 1123 labels.
pub(crate) fn dns_subdomain(text: &str) -> Problems {
    let mut problems = Vec::new();
    too_long(text, 253, CHARACTERS, &mut problems);
    if !text.split('.').all(is_label_shaped) {
        problems.push(SUBDOMAIN.to_owned());
    }
    problems
}

/// An RFC 1123 label.
pub(crate) fn dns_label(text: &str) -> Problems {
    let mut problems = Vec::new();
    too_long(text, LABEL_LIMIT, CHARACTERS, &mut problems);
    if !is_label_shaped(text) {
        let dotted = text.contains('.') && text.split('.').all(is_label_shaped);
        problems.push(if dotted { "must not contain dots" } else { LABEL }.to_owned());
    }
    problems
}

/// An RFC 1035 label, as Services are named.
pub(crate) fn dns_1035_label(text: &str) -> Problems {
    let mut problems = Vec::new();
    too_long(text, LABEL_LIMIT, CHARACTERS, &mut problems);
    if !is_label_shaped(text) || !text.as_bytes()[0].is_ascii_lowercase() {
        problems.push(LABEL_1035.to_owned());
    }
    problems
}

/// The key of a label, an annotation or a resource: a name with or without a domain before it.
pub(crate) fn qualified_name(text: &str) -> Problems {
    let mut problems = Vec::new();
    let mut parts = text.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(dns_subdomain(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
            }
            name
        }
        _ => {
            let shape = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {QUALIFIED} {shape}")];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_LIMIT {
        problems.push(format!("name part must be no more than {LABEL_LIMIT} bytes"));
    }
    if !is_qualified_shaped(name) {
        problems.push(format!("name part {QUALIFIED}"));
    }
    problems
}

/// The value of a label.
pub(crate) fn label_value(text: &str) -> Problems {
    let mut problems = Vec::new();
    too_long(text, LABEL_LIMIT, "bytes", &mut problems);
    if !text.is_empty() && !is_qualified_shaped(text) {
        problems.push(LABEL_VALUE.to_owned());
    }
    problems
}

/// A name that stands in a path as it is: roles and their bindings.
pub(crate) fn path_segment(text: &str) -> Problems {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"].into_iter().filter(|part| text.contains(part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// A key of a ConfigMap or a Secret.
pub(crate) fn config_key(text: &str) -> Problems {
    let mut problems = Vec::new();
    too_long(text, 253, CHARACTERS, &mut problems);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        problems.push(CONFIG_KEY.to_owned());
    }
    problems.extend(no_dots(text));
    problems
}

/// What a file in a volume may not be called.
fn no_dots(text: &str) -> Option<String> {
    match text {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if text.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

/// The name of an environment variable: all printable ASCII but `=`.
pub(crate) fn env_name(text: &str) -> Problems {
    const RULE: &str =
        "a valid environment variable name must consist only of printable ASCII characters other than '='";
    let fits = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    if text.bytes().all(fits) { Vec::new() } else { vec![RULE.to_owned()] }
}

/// The name of a port.
pub(crate) fn port_name(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 15 {
        problems.push("must be no more than 15 characters".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        problems.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        problems.push("must not begin or end with a hyphen".to_owned());
    }
    problems
}

/// The number of a port.
pub(crate) fn port_number(number: i64) -> Problems {
    if (1..=65_535).contains(&number) {
        return Vec::new();
    }
    vec!["must be between 1 and 65535, inclusive".to_owned()]
}

/// An address, version 4 or 6.
pub(crate) fn ip(text: &str) -> Problems {
    if text.parse::<IpAddr>().is_ok() {
        return Vec::new();
    }
    vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()]
}

/// A network in CIDR notation.
pub(crate) fn cidr(text: &str) -> Problems {
    if text.parse::<ipnet::IpNet>().is_ok() {
        return Vec::new();
    }
    vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_names_all_that_is_wrong() {
        let long = "a".repeat(64);
        assert_eq!(dns_label("my-name"), Problems::new());
        assert_eq!(dns_label("My").len(), 1);
        assert_eq!(dns_1035_label("1a").len(), 1);
        assert_eq!(qualified_name("example.com/MyName"), Problems::new());
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("a/").len(), 2, "empty, and not of the right shape");
        assert_eq!(qualified_name("a/b/c").len(), 1);
        assert_eq!(label_value(&long), ["must be no more than 63 bytes"]);
        assert_eq!(path_segment("a/b%"), ["may not contain '/'", "may not contain '%'"]);
        assert_eq!(config_key("..a"), ["must not start with '..'"]);
        assert_eq!(port_name("--").len(), 3);
    }
}
