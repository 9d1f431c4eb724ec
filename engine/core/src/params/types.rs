//! What a text must look like to be of a parameter's type, and what is accepted instead of what was given.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::model::{Duration, ScalarType};

/// Why a text is not of a type: a clause that completes "`999.1.1.1` …", and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub why: String,
    pub accepted: &'static str,
}

fn wrong(why: impl Into<String>, accepted: &'static str) -> Wrong {
    Wrong { why: why.into(), accepted }
}

/// Reads a text as a type. The text of a file is fetched by the caller: here a path stays a path.
pub(super) fn read(kind: ScalarType, text: &str) -> Result<Value, Wrong> {
    if text.contains('\0') {
        return Err(wrong("holds a NUL character", "a text without NUL characters"));
    }
    if kind == ScalarType::String {
        return Ok(text.into());
    }
    if text.is_empty() {
        return Err(wrong("is empty", accepted(kind)));
    }
    if text.trim() != text {
        return Err(wrong("has blanks around it", accepted(kind)));
    }
    match kind {
        ScalarType::String | ScalarType::File => Ok(text.into()),
        ScalarType::Ip => ip(text),
        ScalarType::Host => host(text),
        ScalarType::Cidr => cidr(text),
        ScalarType::Port => port(text),
        ScalarType::Url => url(text),
        ScalarType::Name => name(text),
        ScalarType::Int => match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(wrong("is not a whole number of 64 bits", accepted(kind))),
        },
        ScalarType::Number => number(text),
        ScalarType::Bool => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(wrong("is neither `true` nor `false`", accepted(kind))),
        },
        ScalarType::Duration => match Duration::parse(text) {
            Ok(duration) => Ok(duration.to_string().into()),
            Err(_) => Err(wrong("is not a duration", accepted(kind))),
        },
    }
}

/// What a type accepts, to follow "it takes".
pub(super) const fn accepted(kind: ScalarType) -> &'static str {
    match kind {
        ScalarType::String => "any text",
        ScalarType::Ip => "an address such as 10.0.0.7 or 2001:db8::7",
        ScalarType::Host => "a host name such as proxy.example.com, or an address",
        ScalarType::Cidr => "an address with a prefix length, such as 10.0.0.0/8",
        ScalarType::Port => "a whole number from 1 to 65535",
        ScalarType::Url => "an absolute URL such as https://example.com/path",
        ScalarType::Name => "the name of a Kubernetes object: lower-case letters, digits, `-` and `.`",
        ScalarType::Int => "a whole number such as 5",
        ScalarType::Number => "a number such as 0.5",
        ScalarType::Bool => "`true` or `false`",
        ScalarType::Duration => "a duration such as 30s, 1m30s or 2h",
        ScalarType::File => "the path of a text file",
    }
}

fn ip(text: &str) -> Result<Value, Wrong> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string().into()),
        Err(_) => Err(wrong(why_no_ip(text), accepted(ScalarType::Ip))),
    }
}

/// What keeps a text from being an address, as exactly as can be told.
fn why_no_ip(text: &str) -> String {
    if text.contains("://") {
        return "is a URL, not an IP address".to_owned();
    }
    let Some(host) = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).or_else(|| text.split(':').next())
    else {
        return "is not an IP address".to_owned();
    };
    if host != text && host.parse::<IpAddr>().is_ok() {
        return "is an IP address with a port; the port goes into a parameter of its own".to_owned();
    }
    if text.split('/').next().is_some_and(|address| address != text && address.parse::<IpAddr>().is_ok()) {
        return "is an IP address with a prefix length; only the address is wanted".to_owned();
    }
    let parts: Vec<&str> = text.split('.').collect();
    if !parts.iter().all(|part| part.chars().all(|c| c.is_ascii_digit())) {
        return "is not an IP address".to_owned();
    }
    if let Some(part) = parts.iter().find(|part| part.parse::<u64>().is_ok_and(|number| number > 255)) {
        return format!("is not an IP address: {part} is above 255");
    }
    if parts.len() != 4 {
        return format!("is not an IP address: it has {} of 4 parts", parts.len());
    }
    match parts.iter().find(|part| part.len() > 1 && part.starts_with('0')) {
        Some(part) => format!("is not an IP address: {part} starts with 0, which some programs read as octal"),
        None => "is not an IP address".to_owned(),
    }
}

fn host(text: &str) -> Result<Value, Wrong> {
    let refuse = |why: &str| Err(wrong(why, accepted(ScalarType::Host)));
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.into());
    }
    if text.contains("://") {
        return refuse("is a URL, not a host name");
    }
    if text.contains(':') {
        return refuse("is not a host name: it has a port, or a colon that belongs to nothing");
    }
    // A name of digits and dots alone was meant as an address.
    if text.split('.').all(|part| part.chars().all(|c| c.is_ascii_digit())) && text.parse::<Ipv4Addr>().is_err() {
        return refuse("is neither a host name nor an IP address");
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.trim_end_matches('.').split('.').all(label) {
        Ok(text.into())
    } else {
        refuse("is not a host name")
    }
}

fn cidr(text: &str) -> Result<Value, Wrong> {
    let accepted = accepted(ScalarType::Cidr);
    if !text.contains('/') {
        let why = if text.parse::<IpAddr>().is_ok() { "lacks its prefix length" } else { "is not an address range" };
        return Err(wrong(why, accepted));
    }
    let Ok(net) = text.parse::<ipnet::IpNet>() else {
        return Err(wrong("is not an address range", accepted));
    };
    if net.trunc() == net {
        Ok(net.to_string().into())
    } else {
        Err(wrong(format!("has bits behind its prefix: the range is {}", net.trunc()), accepted))
    }
}

fn port(text: &str) -> Result<Value, Wrong> {
    match text.parse::<u64>() {
        Ok(port @ 1..=65_535) if text.chars().all(|c| c.is_ascii_digit()) => Ok(port.into()),
        Ok(0) => Err(wrong("is not a port: ports start at 1", accepted(ScalarType::Port))),
        Ok(65_536..) => Err(wrong("is not a port: the highest is 65535", accepted(ScalarType::Port))),
        _ => Err(wrong("is not a port", accepted(ScalarType::Port))),
    }
}

fn url(text: &str) -> Result<Value, Wrong> {
    let accepted = accepted(ScalarType::Url);
    let refuse = |why: String| Err(wrong(why, accepted));
    if text.contains(char::is_whitespace) {
        return refuse("is not a URL: it has blanks".to_owned());
    }
    match url::Url::parse(text) {
        Ok(url) if url.host_str().is_none_or(str::is_empty) => refuse("names no host".to_owned()),
        // As given: normalising would change what is sent and what a page shows.
        Ok(_) => Ok(text.into()),
        Err(url::ParseError::RelativeUrlWithoutBase) => refuse("lacks its scheme, such as https://".to_owned()),
        Err(error) => refuse(format!("is not a URL: {error}")),
    }
}

fn name(text: &str) -> Result<Value, Wrong> {
    let refuse = |why: &str| Err(wrong(why, accepted(ScalarType::Name)));
    if text.len() > 253 {
        return refuse("has more than 253 characters");
    }
    if let Some(c) = text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(*c))) {
        return Err(wrong(format!("is not a name: it has {c:?}"), accepted(ScalarType::Name)));
    }
    let part = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
    if text.split('.').all(part) {
        Ok(text.into())
    } else {
        refuse("is not a name: its parts start and end with a letter or digit")
    }
}

fn number(text: &str) -> Result<Value, Wrong> {
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(whole.into());
    }
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite() && !text.contains(['x', 'X']));
    match float.and_then(serde_json::Number::from_f64) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(wrong("is not a number", accepted(ScalarType::Number))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_accepts_what_it_should() {
        use ScalarType as T;
        for (kind, text, value) in [
            (T::String, "", Value::from("")),
            (T::String, " a\nb ", " a\nb ".into()),
            (T::Ip, "10.0.0.7", "10.0.0.7".into()),
            (T::Ip, "2001:DB8::0007", "2001:db8::7".into()),
            (T::Host, "my-company-proxy.com", "my-company-proxy.com".into()),
            (T::Host, "10.0.0.7", "10.0.0.7".into()),
            (T::Host, "::1", "::1".into()),
            (T::Cidr, "10.0.0.0/8", "10.0.0.0/8".into()),
            (T::Cidr, "10.0.0.7/32", "10.0.0.7/32".into()),
            (T::Port, "3128", 3128.into()),
            (T::Url, "https://en.wikipedia.org/wiki/Main_Page", "https://en.wikipedia.org/wiki/Main_Page".into()),
            (T::Name, "istio-1-27", "istio-1-27".into()),
            (T::Name, "a.b", "a.b".into()),
            (T::Int, "-5", (-5).into()),
            (T::Number, "0.5", 0.5.into()),
            (T::Number, "5", 5.into()),
            (T::Bool, "true", true.into()),
            (T::Duration, "90s", "1m30s".into()),
            (T::File, "ca.pem", "ca.pem".into()),
        ] {
            assert_eq!(read(kind, text), Ok(value), "{kind:?} {text}");
        }
    }

    #[test]
    fn each_type_says_what_it_refuses() {
        use ScalarType as T;
        for (kind, text, why) in [
            (T::Ip, "999.1.1.1", "is not an IP address: 999 is above 255"),
            (T::Ip, "10.1.1", "is not an IP address: it has 3 of 4 parts"),
            (T::Ip, "10.0.0.07", "is not an IP address: 07 starts with 0, which some programs read as octal"),
            (T::Ip, "10.0.0.7:3128", "is an IP address with a port; the port goes into a parameter of its own"),
            (T::Ip, "10.0.0.7/32", "is an IP address with a prefix length; only the address is wanted"),
            (T::Ip, "http://10.0.0.7", "is a URL, not an IP address"),
            (T::Ip, "proxy", "is not an IP address"),
            (T::Ip, "", "is empty"),
            (T::Ip, " 10.0.0.7", "has blanks around it"),
            (T::Ip, "10.0.0.7\0", "holds a NUL character"),
            (T::Host, "https://a", "is a URL, not a host name"),
            (T::Host, "a:1", "is not a host name: it has a port, or a colon that belongs to nothing"),
            (T::Host, "999.1.1.1", "is neither a host name nor an IP address"),
            (T::Host, "-a", "is not a host name"),
            (T::Cidr, "10.0.0.0", "lacks its prefix length"),
            (T::Cidr, "10.0.0.1/8", "has bits behind its prefix: the range is 10.0.0.0/8"),
            (T::Cidr, "a/8", "is not an address range"),
            (T::Port, "0", "is not a port: ports start at 1"),
            (T::Port, "65536", "is not a port: the highest is 65535"),
            (T::Port, "+80", "is not a port"),
            (T::Port, "http", "is not a port"),
            (T::Url, "example.com", "lacks its scheme, such as https://"),
            (T::Url, "mailto:a", "names no host"),
            (T::Url, "https://a b", "is not a URL: it has blanks"),
            (T::Name, "Istio", "is not a name: it has 'I'"),
            (T::Name, "-a", "is not a name: its parts start and end with a letter or digit"),
            (T::Int, "5.0", "is not a whole number of 64 bits"),
            (T::Number, "inf", "is not a number"),
            (T::Bool, "yes", "is neither `true` nor `false`"),
            (T::Duration, "5", "is not a duration"),
        ] {
            assert_eq!(read(kind, text).map_err(|wrong| wrong.why), Err(why.to_owned()), "{kind:?} {text}");
        }
    }
}
