//! What form of answer a client asks for: `Accept`, `pretty`, `Accept-Encoding`.
//!
//! Invariant: the first form that the server has wins; a client that accepts none of them gets a 406, never something else.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, USER_AGENT};

use super::decode::go_type;
use super::query::Query;
use super::table::{Beside, Representation};
use crate::schema::Resource;
use crate::status::{Details, Status};

/// How the bytes of an answer are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writing {
    /// YAML instead of JSON.
    pub(super) yaml: bool,
    /// JSON over many lines.
    pub(super) pretty: bool,
    /// Large answers may be compressed.
    pub(super) gzip: bool,
}

/// What a request is about, for the forms that are not there for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// One object.
    Single,
    /// A list.
    List,
    /// A stream of events.
    Watch,
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// How a client that accepts these headers wants its answer written. Never fails, so that refusals can be written, too.
pub(super) fn writing(headers: &HeaderMap, query: &Query) -> Writing {
    let accept = text(headers, &ACCEPT);
    let yaml = clauses(accept).find_map(|clause| match clause.media {
        YAML => Some(true),
        JSON | "*/*" => Some(false),
        _ => None,
    });
    let gzip =
        text(headers, &ACCEPT_ENCODING).split(',').any(|one| one.split(';').next().unwrap_or("").trim() == "gzip");
    Writing { yaml: yaml.unwrap_or(false), pretty: is_pretty(headers, query, accept), gzip }
}

/// Tools that people type get readable answers without asking.
fn is_pretty(headers: &HeaderMap, query: &Query, accept: &str) -> bool {
    if clauses(accept).next().is_some_and(|clause| clause.param("pretty") == Some("1")) {
        return true;
    }
    if let Some(asked) = query.get("pretty") {
        return matches!(asked, "1" | "t" | "T" | "true" | "TRUE" | "True");
    }
    let agent = text(headers, &USER_AGENT);
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|tool| agent.starts_with(tool))
}

/// The form in which objects of `resource` are shown.
///
/// # Errors
/// 406 when the server has none of the forms that are accepted, 400 for a wrong `includeObject`.
pub(super) fn representation(
    headers: &HeaderMap,
    query: &Query,
    subject: Subject,
    resource: &Resource,
) -> Result<Representation, Status> {
    let accept = text(headers, &ACCEPT);
    if accept.is_empty() {
        return Ok(Representation::Plain);
    }
    if !clauses(accept).any(|clause| matches!(clause.media, JSON | YAML | PROTOBUF | "*/*")) {
        return Err(no_media(subject));
    }
    for clause in clauses(accept) {
        // Objects in protobuf are not simulated; every client that prefers them takes JSON as well.
        if !matches!(clause.media, JSON | YAML | "*/*") {
            continue;
        }
        let Some(form) = clause.param("as") else { return Ok(Representation::Plain) };
        if clause.media == "*/*" || clause.param("g") != Some("meta.k8s.io") || clause.param("v") != Some("v1") {
            continue;
        }
        match form {
            "Table" => return Ok(Representation::Table(beside(query)?)),
            "PartialObjectMetadata" if subject == Subject::List => {
                let own = go_type(resource, "List");
                return Err(Status::not_acceptable(format!(
                    "you requested {form}, but the requested object is a list (*{own})"
                )));
            }
            "PartialObjectMetadataList" if subject != Subject::List => {
                let own = go_type(resource, "");
                return Err(Status::not_acceptable(format!(
                    "you requested {form}, but the requested object is not a list (*{own})"
                )));
            }
            "PartialObjectMetadata" | "PartialObjectMetadataList" => return Ok(Representation::Metadata),
            _ => {}
        }
    }
    Err(Status::not_acceptable(format!("only the following media types are accepted: {JSON}, {YAML}, {PROTOBUF}")))
}

fn no_media(subject: Subject) -> Status {
    let streams = match subject {
        Subject::Watch => format!(", {JSON};stream=watch, {PROTOBUF};stream=watch"),
        Subject::Single | Subject::List => String::new(),
    };
    let message = format!("406: Not Acceptable\n\nAvailable representations: {JSON}, {YAML}, {PROTOBUF}{streams}");
    Status::not_acceptable(message).with_details(Details::default())
}

fn beside(query: &Query) -> Result<Beside, Status> {
    match query.get("includeObject") {
        None | Some("Metadata") => Ok(Beside::Metadata),
        Some("Object") => Ok(Beside::Object),
        Some("None") => Ok(Beside::Nothing),
        Some(other) => {
            let rule = "must be 'Metadata', 'Object', 'None', or empty";
            let problem = format!("includeObject: Invalid value: {other:?}: {rule}");
            Err(Status::bad_request(format!("Unable to convert to Table as requested: {problem}")))
        }
    }
}

/// One of the forms in `Accept`.
struct Clause<'a> {
    media: &'a str,
    params: Vec<&'a str>,
}

impl<'a> Clause<'a> {
    fn param(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find_map(|param| param.strip_prefix(name)?.strip_prefix('='))
    }
}

fn clauses(accept: &str) -> impl Iterator<Item = Clause<'_>> {
    accept.split(',').map(|part| {
        let mut words = part.split(';').map(str::trim);
        Clause { media: words.next().unwrap_or_default(), params: words.collect() }
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
