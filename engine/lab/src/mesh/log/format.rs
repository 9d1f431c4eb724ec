//! Formats of access logs: Envoy's format strings, as one line of text or as JSON.
//!
//! Invariant: a format that is kept is understood as a whole; one with an operator that the lab does not know is none.

use super::record::Record;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::net::SocketAddr;

/// Istio's default for text.
const DEFAULT_TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% \
%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" \
%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \
\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/// Istio's default for JSON; keys come out in order.
const DEFAULT_JSON: [(&str, &str); 24] = [
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
];

/// One operator of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    /// With a strftime format, if it has one.
    StartTime(Option<String>),
    /// A header of the request, the one that stands in for it, and whether the query is cut off.
    Request(String, Option<String>, bool),
    /// A header of the answer, and the one that stands in for it.
    Response(String, Option<String>),
    /// Any other, by its name.
    Plain(&'static str),
}

/// Operators without arguments.
const PLAIN: [&str; 29] = [
    "PROTOCOL",
    "RESPONSE_CODE",
    "RESPONSE_FLAGS",
    "RESPONSE_CODE_DETAILS",
    "CONNECTION_TERMINATION_DETAILS",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "DURATION",
    "UPSTREAM_HOST",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_PORT",
    "REQUESTED_SERVER_NAME",
    "ROUTE_NAME",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "RESPONSE_FLAGS_LONG",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_PROTOCOL",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "PATH",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// An operator, and how long its text may be.
    Field(Field, Option<usize>),
}

/// A line of text with operators in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    Leaf(Template),
    Node(Vec<(String, Tree)>),
}

/// The format of an access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Text(Template),
    Json(Vec<(String, Tree)>),
}

impl Default for LogFormat {
    fn default() -> Self {
        Self::text(DEFAULT_TEXT).expect("invariant: the default format has known operators alone")
    }
}

impl LogFormat {
    /// Istio's default for JSON.
    pub(crate) fn default_json() -> Self {
        let leaf = |text| Tree::Leaf(Template::parse(text).expect("invariant: the default format is well-formed"));
        Self(Kind::Json(DEFAULT_JSON.map(|(key, text)| (key.to_owned(), leaf(text))).into()))
    }

    /// A format for text; the first operator that the lab does not know is the error.
    pub(crate) fn text(format: &str) -> Result<Self, String> {
        let mut format = format.to_owned();
        if !format.ends_with('\n') {
            format.push('\n');
        }
        Ok(Self(Kind::Text(Template::parse(&format)?)))
    }

    /// A format for JSON, itself written as JSON.
    pub(crate) fn json(format: &str) -> Result<Self, String> {
        let value: Map<String, Value> = serde_json::from_str(format).map_err(|error| error.to_string())?;
        Ok(Self(Kind::Json(tree(&value)?)))
    }

    /// The line about a record, with its newline.
    pub(crate) fn line(&self, record: &Record) -> String {
        match &self.0 {
            Kind::Text(template) => template.text(record),
            Kind::Json(tree) => format!("{}\n", Value::Object(shown(tree, record))),
        }
    }
}

/// A mapping's keys come out in order, however they were written.
fn tree(value: &Map<String, Value>) -> Result<Vec<(String, Tree)>, String> {
    let mut nodes = Vec::new();
    for (key, value) in value {
        let node = match value {
            Value::String(text) => Tree::Leaf(Template::parse(text)?),
            Value::Object(map) => Tree::Node(tree(map)?),
            other => return Err(format!("{other} as a value")),
        };
        nodes.push((key.clone(), node));
    }
    nodes.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(nodes)
}

fn shown(tree: &[(String, Tree)], record: &Record) -> Map<String, Value> {
    let value = |tree: &Tree| match tree {
        Tree::Leaf(template) => template.value(record),
        Tree::Node(tree) => Value::Object(shown(tree, record)),
    };
    tree.iter().map(|(key, tree)| (key.clone(), value(tree))).collect()
}

impl Template {
    fn parse(format: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some((text, behind)) = rest.split_once('%') {
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            if let Some(behind) = behind.strip_prefix('%') {
                pieces.push(Piece::Text("%".to_owned()));
                rest = behind;
                continue;
            }
            // A percent sign may stand within the parentheses of an operator.
            let inside = behind.find('(').filter(|at| behind.find('%').is_none_or(|end| *at < end));
            let closed = inside.and_then(|at| behind[at..].find(')').map(|end| at + end)).unwrap_or(0);
            let end = behind[closed..].find('%').map(|end| closed + end).ok_or("an operator without an end")?;
            pieces.push(operator(&behind[..end])?);
            rest = &behind[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    fn text(&self, record: &Record) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Field(field, longest) => {
                    let text = match value_of(field, record) {
                        Value::Null => "-".to_owned(),
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    line.extend(text.chars().take(longest.unwrap_or(usize::MAX)));
                }
            }
        }
        line
    }

    /// A single operator keeps its type; anything else is a text.
    fn value(&self, record: &Record) -> Value {
        match self.0.as_slice() {
            [Piece::Field(field, None)] => value_of(field, record),
            _ => Value::String(self.text(record)),
        }
    }
}

fn operator(text: &str) -> Result<Piece, String> {
    let unknown = || format!("%{text}%");
    let (name, argument, behind) = match text.split_once('(') {
        Some((name, rest)) => {
            let (argument, behind) = rest.rsplit_once(')').ok_or_else(unknown)?;
            (name, Some(argument), behind)
        }
        None => text.split_once(':').map_or((text, None, ""), |(name, _)| (name, None, &text[name.len()..])),
    };
    let longest = match behind.strip_prefix(':') {
        Some(number) => Some(number.parse().map_err(|_| unknown())?),
        None if behind.is_empty() => None,
        None => return Err(unknown()),
    };
    let headers = |argument: &str| {
        let (main, other) = argument.split_once('?').map_or((argument, None), |(main, other)| (main, Some(other)));
        (main.to_ascii_lowercase(), other.map(str::to_ascii_lowercase))
    };
    let field = match (name, argument) {
        ("START_TIME", argument) => Field::StartTime(argument.map(str::to_owned)),
        ("REQ", Some(argument)) => {
            let (main, other) = headers(argument);
            Field::Request(main, other, false)
        }
        ("REQ_WITHOUT_QUERY", Some(argument)) => {
            let (main, other) = headers(argument);
            Field::Request(main, other, true)
        }
        // No message of the lab has trailers.
        ("TRAILER", Some(_)) => Field::Plain("CONNECTION_TERMINATION_DETAILS"),
        ("RESP", Some(argument)) => {
            let (main, other) = headers(argument);
            Field::Response(main, other)
        }
        (name, None) => Field::Plain(PLAIN.iter().find(|known| **known == name).copied().ok_or_else(unknown)?),
        _ => return Err(unknown()),
    };
    Ok(Piece::Field(field, longest))
}

fn text(value: &impl ToString) -> Value {
    Value::String(value.to_string())
}

fn optional(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Null, |value| text(&value))
}

fn dash(value: &str) -> Value {
    if value == "-" || value.is_empty() { Value::Null } else { Value::String(value.to_owned()) }
}

/// The upstream, if a connection to it came about.
fn connected(record: &Record) -> Option<SocketAddr> {
    record.upstream_local.and(record.upstream)
}

/// The flags by their long names.
fn long_flags(record: &Record) -> String {
    let name = |flag: &&'static str| match *flag {
        "UH" => "NoHealthyUpstream",
        "UF" => "UpstreamConnectionFailure",
        "URX" => "UpstreamRetryLimitExceeded",
        "UC" => "UpstreamConnectionTermination",
        "UR" => "UpstreamRemoteReset",
        "UT" => "UpstreamRequestTimeout",
        "UPE" => "UpstreamProtocolError",
        "NR" => "NoRouteFound",
        "NC" => "NoClusterFound",
        "DC" => "DownstreamConnectionTermination",
        "DI" => "DelayInjected",
        "FI" => "FaultInjected",
        other => other,
    };
    let names: Vec<&str> = record.flags.iter().map(name).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

/// What an operator stands for: a number, a text, or nothing.
fn value_of(field: &Field, record: &Record) -> Value {
    let request = record.request.as_ref();
    match field {
        Field::StartTime(format) => {
            let start = record.start.to_zoned(TimeZone::UTC);
            text(&start.strftime(format.as_deref().unwrap_or("%Y-%m-%dT%H:%M:%S%.3fZ")))
        }
        Field::Request(main, other, without_query) => {
            let found = record.header(main).or_else(|| record.header(other.as_deref()?));
            optional(found.map(|value| match (without_query, value.find('?')) {
                (true, Some(at)) => value[..at].to_owned(),
                _ => value,
            }))
        }
        Field::Response(main, other) => {
            optional(record.answer_header(main).or_else(|| record.answer_header(other.as_deref()?)))
        }
        Field::Plain(name) => match *name {
            "PROTOCOL" => optional(request.map(|request| request.protocol)),
            "RESPONSE_CODE" => record.code.into(),
            "RESPONSE_FLAGS" => text(&record.shown_flags()),
            "RESPONSE_FLAGS_LONG" => text(&long_flags(record)),
            "RESPONSE_CODE_DETAILS" => dash(&record.details),
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => dash(&record.transport_failure),
            "BYTES_RECEIVED" => record.received.into(),
            "BYTES_SENT" => record.sent.into(),
            "DURATION" => u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX).into(),
            "UPSTREAM_HOST" => optional(record.upstream),
            "UPSTREAM_REMOTE_ADDRESS" => optional(connected(record)),
            "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => optional(connected(record).map(|upstream| upstream.ip())),
            "UPSTREAM_REMOTE_PORT" => connected(record).map_or(Value::Null, |upstream| upstream.port().into()),
            // The name for statistics ends in a semicolon.
            "UPSTREAM_CLUSTER" => optional(record.cluster.as_ref().map(|name| format!("{name};"))),
            "UPSTREAM_CLUSTER_RAW" => optional(record.cluster.as_ref()),
            "UPSTREAM_LOCAL_ADDRESS" => optional(record.upstream_local),
            "DOWNSTREAM_LOCAL_ADDRESS" => text(&record.destination),
            "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => text(&record.source),
            "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => text(&record.destination.ip()),
            "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
                text(&record.source.ip())
            }
            "DOWNSTREAM_LOCAL_PORT" => record.destination.port().into(),
            "REQUESTED_SERVER_NAME" => optional(record.server_name.as_ref()),
            "ROUTE_NAME" => dash(&record.route),
            "PATH" => optional(record.header(":path")),
            "UPSTREAM_PROTOCOL" => optional(request.and(connected(record)).map(|_| "HTTP/1.1")),
            "UPSTREAM_REQUEST_ATTEMPT_COUNT" => record.attempts.into(),
            // The reason why a connection was ended is never given.
            _ => Value::Null,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::RequestFields;
    use super::*;
    use crate::net::testing::address;
    use std::time::Duration;

    /// The request of the recording: `curl http://httpbin.org/headers?a=b`.
    fn request() -> Record {
        let start = "2026-11-25T22:19:59.560Z".parse().unwrap();
        let mut record = Record::new(start, address("10.244.0.0:36510"), address("198.51.100.34:80"));
        record.request = Some(RequestFields {
            method: "GET".to_owned(),
            protocol: "HTTP/1.1",
            path: Some("/headers?a=b".to_owned()),
            forwarded_for: None,
            user_agent: Some("curl/7.88.1".to_owned()),
            request_id: "f62cd81d-3fca-4e77-8169-e913eb9f0ecb".to_owned(),
            authority: "httpbin.org".to_owned(),
            scheme: "http",
            headers: vec![("accept".to_owned(), "*/*".to_owned())],
        });
        record.code = 200;
        record.details = "via_upstream".to_owned();
        record.sent = 291;
        record.duration = Duration::from_millis(1);
        record.service_time = Some(Duration::ZERO);
        record.upstream = Some(address("198.51.100.34:80"));
        record.upstream_local = Some(address("10.244.0.0:40732"));
        record.cluster = Some("PassthroughCluster".to_owned());
        record.route = "allow_any".to_owned();
        record.answer = vec![("content-type".to_owned(), "application/json".to_owned())];
        record.attempts = 1;
        record
    }

    /// Recorded on 2026-11-25 from Envoy 1.40.0, configured by istiod of Istio master 86c9f01fd7.
    #[test]
    fn lines_are_those_recorded() {
        let json = r#"{"authority":"httpbin.org","bytes_received":0,"bytes_sent":291,"connection_termination_details":null,"downstream_local_address":"198.51.100.34:80","downstream_remote_address":"10.244.0.0:36510","duration":1,"method":"GET","path":"/headers?a=b","protocol":"HTTP/1.1","request_id":"f62cd81d-3fca-4e77-8169-e913eb9f0ecb","requested_server_name":null,"response_code":200,"response_code_details":"via_upstream","response_flags":"-","route_name":"allow_any","start_time":"2026-11-25T22:19:59.560Z","upstream_cluster":"PassthroughCluster","upstream_host":"198.51.100.34:80","upstream_local_address":"10.244.0.0:40732","upstream_service_time":"0","upstream_transport_failure_reason":null,"user_agent":"curl/7.88.1","x_forwarded_for":null}"#;
        let own = r#"{"b":"%RESPONSE_CODE%","a":"x %DURATION% y","m":"%REQ(:METHOD)%","n":{"z":"%PROTOCOL%","y":"%BYTES_SENT%"}}"#;
        let text = "[%START_TIME(%Y/%m/%d)%] %REQ(:METHOD)% %REQ(X-NOPE?:AUTHORITY):4% %REQ_WITHOUT_QUERY(:PATH)% %RESPONSE_CODE% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% %UPSTREAM_CLUSTER% %RESP(CONTENT-TYPE)% %REQ(ACCEPT)% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %PROTOCOL% %CONNECTION_TERMINATION_DETAILS% end";
        let cases = [
            (LogFormat::default_json(), json),
            (LogFormat::json(own).unwrap(), r#"{"a":"x 1 y","b":200,"m":"GET","n":{"y":291,"z":"HTTP/1.1"}}"#),
            (
                LogFormat::text(text).unwrap(),
                "[2026/11/25] GET http /headers 200 10.244.0.0 80 PassthroughCluster; application/json */* 1 HTTP/1.1 - end",
            ),
        ];
        for (format, recorded) in cases {
            assert_eq!(format.line(&request()), format!("{recorded}\n"));
        }
    }

    #[test]
    fn an_operator_that_is_not_known_makes_no_format() {
        for format in ["%DYNAMIC_METADATA(a:b)%", "%REQ(A", "%NOPE%", "%PROTOCOL:x%", "%"] {
            assert!(LogFormat::text(format).is_err(), "{format}");
        }
        assert!(LogFormat::json("[]").is_err() && LogFormat::json(r#"{"a":"%NOPE%"}"#).is_err());
        assert_eq!(LogFormat::text("100%%").unwrap().line(&request()), "100%\n");
    }
}
