//! The Kubernetes `Status` as an error: what every refused request of the lab's API comes back as.
//!
//! Invariant: code and reason always agree; only the constructors here pair them.

use serde_json::{Map, Value, json};

/// A refusal in the form that Kubernetes gives it (`meta/v1 Status` with `status: Failure`).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code, 4xx or 5xx.
    pub code: u16,
    /// Machine-readable reason such as `NotFound`.
    pub reason: &'static str,
    /// The sentence that clients print.
    pub message: String,
    /// What the refusal is about, where that is known.
    pub details: Option<Box<Details>>,
}

/// The `details` of a [`Status`]. Empty strings and lists are left out on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// API group of the object; empty for the core group.
    pub group: String,
    /// Resource (plural) or kind, whichever the real server uses for this refusal.
    pub kind: String,
    /// Uid of the object.
    pub uid: String,
    /// Single problems, for instance one per invalid field.
    pub causes: Vec<Cause>,
    /// Seconds after which to try again; 0 for none.
    pub retry_after_seconds: u32,
    /// A token with which a list that came too late can go on. It stands in the metadata of the refusal, which then has no details.
    pub continue_token: String,
}

/// One problem within a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable kind, such as `FieldValueRequired`; may be empty.
    pub reason: &'static str,
    /// What is wrong, without the field.
    pub message: String,
    /// Path of the field, such as `spec.ports[0].port`; may be empty.
    pub field: String,
}

impl Cause {
    /// A cause of kind `reason` at `field`.
    pub fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: field.into() }
    }

    /// A missing value.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self::new("FieldValueRequired", field, message)
    }

    /// A value that breaks a rule; `value` is shown as Kubernetes shows it (strings quoted).
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {}: {detail}", shown(value)))
    }

    /// A value that breaks a rule, shown with its members in the order in which they stand: that of a struct of the server's.
    pub(crate) fn invalid_struct(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let shown = escaped_html(&value.to_string());
        Self::new("FieldValueInvalid", field, format!("Invalid value: {shown}: {detail}"))
    }

    /// A value outside a closed list.
    pub fn not_supported(field: impl Into<String>, value: &Value, allowed: &[String]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(|one| format!("{one:?}")).collect();
        let message = format!("Unsupported value: {}: supported values: {}", shown(value), allowed.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    /// A field that may not be set or changed.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    /// A second entry where keys must be unique.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {}", shown(value)))
    }

    /// A value of the wrong type.
    pub fn type_invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new("FieldValueTypeInvalid", field, format!("Invalid value: {}: {detail}", shown(value)))
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [("reason", self.reason), ("message", &self.message), ("field", &self.field)] {
            if !text.is_empty() {
                map.insert(key.to_owned(), text.into());
            }
        }
        Value::Object(map)
    }
}

/// A value as Kubernetes' field errors print it: strings quoted, objects and lists as Go's compact JSON, with sorted keys.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => go_json(value),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(|| number.to_string(), crate::schema::float_text)
        }
        other => other.to_string(),
    }
}

/// JSON as Go writes it: keys sorted, and `<`, `>` and `&` escaped.
pub(crate) fn go_json(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    escaped_html(&sorted.to_string())
}

fn escaped_html(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// Attaches what the refusal is about.
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    fn about(self, group: &str, resource: &str, name: &str) -> Self {
        self.with_details(Details {
            name: name.into(),
            group: group.into(),
            kind: resource.into(),
            ..Details::default()
        })
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: no or a wrong token.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: known, but not allowed.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", qualified(group, resource));
        Self::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// 403 for a request that nobody allowed; `resource` is empty for what is no resource, `name` for more than one object.
    pub fn denied(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = match (resource, name) {
            ("", _) => String::new(),
            (_, "") => format!("{} is ", qualified(group, resource)),
            _ => format!("{} {name:?} is ", qualified(group, resource)),
        };
        Self::new(403, "Forbidden", format!("{what}forbidden: {why}")).about(group, resource, name)
    }

    /// 404 for an object.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} not found", qualified(group, resource));
        Self::new(404, "NotFound", message).about(group, resource, name)
    }

    /// 404 for a resource that the server does not have.
    pub fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(Details::default())
    }

    /// 405: the resource has no such verb.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(Details::default())
    }

    /// 406: the server has no form that the client accepts.
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(406, "NotAcceptable", message)
    }

    /// 504: the client knows of a revision that the server has not reached.
    pub fn revision_too_large(asked: u64, current: u64) -> Self {
        const CAUSE: &str = "Too large resource version";
        let causes = vec![Cause { reason: "ResourceVersionTooLarge", message: CAUSE.into(), ..Cause::default() }];
        let details = Details { causes, retry_after_seconds: 1, ..Details::default() };
        Self::new(504, "Timeout", format!("Timeout: {CAUSE}: {asked}, current: {current}")).with_details(details)
    }

    /// 409 for a create.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", qualified(group, resource));
        Self::new(409, "AlreadyExists", message).about(group, resource, name)
    }

    /// 409 for a stale `resourceVersion` or a failed precondition.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", qualified(group, resource));
        Self::new(409, "Conflict", message).about(group, resource, name)
    }

    /// 409 for an apply that would take fields from other managers. Each conflict is (manager, field).
    pub fn apply_conflict(conflicts: Vec<(String, String)>) -> Self {
        let mut managers: Vec<(&str, Vec<&str>)> = Vec::new();
        for (manager, field) in &conflicts {
            match managers.iter_mut().find(|(known, _)| known == manager) {
                Some((_, fields)) => fields.push(field),
                None => managers.push((manager, vec![field])),
            }
        }
        let text = match conflicts.as_slice() {
            [(manager, field)] => format!("1 conflict: conflict with {manager}: {field}"),
            many => {
                let groups = managers
                    .iter()
                    .map(|(manager, fields)| format!("conflicts with {manager}:\n- {}", fields.join("\n- ")));
                format!("{} conflicts: {}", many.len(), groups.collect::<Vec<_>>().join("\n"))
            }
        };
        let message = format!("Apply failed with {text}");
        let causes = conflicts
            .into_iter()
            .map(|(manager, field)| Cause::new("FieldManagerConflict", field, format!("conflict with {manager}")))
            .collect();
        Self::new(409, "Conflict", message).with_details(Details { causes, ..Details::default() })
    }

    /// 410: a watch or a list asks for history that is gone.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 410: the rest of a list is asked for too late. With `token` the rest of a newer state can be had.
    pub fn continue_expired(token: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list \
                       without the continue parameter, or use the continue token in this response to retrieve the remainder of \
                       the results. Continuing with the provided token results in an inconsistent list - objects that were \
                       created, modified, or deleted between the time the first chunk was returned and now may show up in the \
                       list.";
        Self::expired(message).with_details(Details { continue_token: token, ..Details::default() })
    }

    /// 413: the body is larger than the lab accepts.
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("limit is {limit}"))
    }

    /// 415: a body type that the resource does not take.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let accepted = accepted.join(", ");
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
        )
    }

    /// 415 where a patch comes in a dialect that the resource does not take at all.
    pub fn unsupported_patch() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with_details(Details::default())
    }

    /// 422: the object breaks rules. `kind` is the kind, as the real server says here, not the plural.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        // What is told twice stands once in the sentence.
        let mut texts: Vec<String> = Vec::new();
        for cause in &causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let problems = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let shown = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let message = format!("{shown} {name:?} is invalid: {problems}");
        let details =
            Details { name: name.into(), group: group.into(), kind: kind.into(), causes, ..Details::default() };
        Self::new(422, "Invalid", message).with_details(details)
    }

    /// 422 where a JSON patch does not fit its object. The real server says no more than this: neither which operation
    /// failed nor of which object.
    #[must_use]
    pub fn unfitting_patch() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with_details(Details::default())
    }

    /// 422 where a patch leaves something that is no object of the kind; `patched` is what it leaves, as JSON.
    #[must_use]
    pub fn unfitting_result(patched: &str, problem: &str) -> Self {
        let cause = Cause::invalid("patch", &patched.into(), problem);
        let message = format!(" \"\" is invalid: {}: {}", cause.field, cause.message);
        Self::new(422, "Invalid", message).with_details(Details { causes: vec![cause], ..Details::default() })
    }

    /// 429: try again later.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(429, "TooManyRequests", message).with_details(Details { retry_after_seconds, ..Details::default() })
    }

    /// 500 whose message is `Internal error occurred: ` and the cause.
    pub fn internal(cause: impl Into<String>) -> Self {
        let cause = cause.into();
        let message = format!("Internal error occurred: {cause}");
        let causes = vec![Cause { message: cause, ..Cause::default() }];
        Self::new(500, "InternalError", message).with_details(Details { causes, ..Details::default() })
    }

    /// 500 without a reason, for the few places where the real server gives none.
    pub fn failure(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 501: something that the lab does not simulate. Never a plausible answer in its place.
    pub fn not_simulated(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("not simulated: {what}"))
    }

    /// 503: the server can't answer now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// The `Status` object without `kind` and `apiVersion`, as the exec status channel carries it.
    pub fn to_stream_json(&self) -> Value {
        let mut map = Map::new();
        self.fill(&mut map);
        Value::Object(map)
    }

    /// The whole `Status` object, as an HTTP body carries it.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("kind".into(), "Status".into());
        map.insert("apiVersion".into(), "v1".into());
        self.fill(&mut map);
        Value::Object(map)
    }

    fn fill(&self, map: &mut Map<String, Value>) {
        let token =
            self.details.as_ref().map(|details| details.continue_token.as_str()).filter(|token| !token.is_empty());
        let metadata = token.map_or_else(|| json!({}), |token| json!({"continue": token}));
        map.insert("metadata".into(), metadata);
        map.insert("status".into(), "Failure".into());
        if !self.message.is_empty() {
            map.insert("message".into(), self.message.as_str().into());
        }
        if !self.reason.is_empty() {
            map.insert("reason".into(), self.reason.into());
        }
        if let Some(details) = self.details.as_ref().filter(|_| token.is_none()) {
            map.insert("details".into(), details.to_json());
        }
        map.insert("code".into(), self.code.into());
    }
}

impl Details {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        let texts = [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)];
        for (key, text) in texts {
            if !text.is_empty() {
                map.insert(key.to_owned(), text.as_str().into());
            }
        }
        if !self.causes.is_empty() {
            map.insert("causes".into(), self.causes.iter().map(Cause::to_json).collect());
        }
        if self.retry_after_seconds != 0 {
            map.insert("retryAfterSeconds".into(), self.retry_after_seconds.into());
        }
        Value::Object(map)
    }
}

/// `deployments.apps`, or the bare resource for the core group.
fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_conflict_reads_as_recorded() {
        let status = Status::apply_conflict(vec![("\"one\"".into(), ".data.m".into())]);
        assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"one\": .data.m");
        let json = status.to_json();
        assert_eq!(json["details"]["causes"][0]["reason"], "FieldManagerConflict");
        assert_eq!(json["code"], 409);
    }

    #[test]
    fn conflicts_are_grouped_by_manager() {
        let conflicts =
            vec![("\"a\"".into(), ".x".into()), ("\"a\"".into(), ".y".into()), ("\"b\"".into(), ".z".into())];
        assert_eq!(
            Status::apply_conflict(conflicts).message,
            "Apply failed with 3 conflicts: conflicts with \"a\":\n- .x\n- .y\nconflicts with \"b\":\n- .z"
        );
    }
}
