//! What a cluster can answer instead of what was asked for, as types.
//!
//! This file classifies; it never decides what happens next. Whether something is repeated is the caller's choice, who
//! has [`ClusterError::transient`] to go by.

use std::time::Duration;

use kube::core::Status;

use super::pods::ChoiceError;

/// What stood in the way of a request.
///
/// Causes are part of the text, so `source()` is always empty and every variant can be cloned into a report.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The kubeconfig, its context or its credentials could not be used. Nothing was sent.
    #[error("{0}")]
    Config(String),
    /// No connection to the API server could be made, or it broke before an answer came.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// URL of the API server.
        server: String,
        /// What the network or TLS said.
        cause: String,
    },
    /// The server does not know the user.
    #[error("{server} does not accept the credentials: {message}")]
    Unauthorized {
        /// URL of the API server.
        server: String,
        /// The server's words.
        message: String,
    },
    /// The user may not do this.
    #[error("{}", denial(.user.as_deref(), .verb, .resource, .namespace.as_deref()))]
    Forbidden {
        /// Such as `patch`.
        verb: String,
        /// Plural with its group, such as `deployments.apps`, or a path.
        resource: String,
        /// Absent for what lies outside namespaces.
        namespace: Option<String>,
        /// Who was refused, where the server says so.
        user: Option<String>,
        /// The server's whole sentence: admission plug-ins explain themselves in it.
        message: String,
    },
    /// The object, or the path, is not there.
    #[error("{0}")]
    NotFound(String),
    /// An object of that name is there already.
    #[error("{0}")]
    AlreadyExists(String),
    /// Someone else wrote meanwhile, or owns the fields.
    #[error("{message}")]
    Conflict {
        /// The server's words.
        message: String,
        /// Who owns which field, for conflicts of server-side apply. Empty for a stale `resourceVersion`.
        owners: Vec<FieldOwner>,
    },
    /// The server refuses the object for what it says.
    #[error("{message}")]
    Invalid {
        /// The server's words.
        message: String,
        /// The fields it complains about, where it names them.
        causes: Vec<FieldError>,
    },
    /// No answer in time.
    #[error("{what}: no answer within {}", seconds(*.after))]
    Timeout {
        /// What was asked, such as `GET /version`.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server answered with a failure that has no variant of its own.
    #[error("{}", status_text(.0))]
    Api(Box<Status>),
    /// The server serves no such kind.
    #[error("the cluster does not serve kind {kind}{}", in_version(.api_version.as_deref()))]
    KindUnknown {
        /// The `apiVersion` asked for, where one was.
        api_version: Option<String>,
        /// The kind asked for.
        kind: String,
        /// The nearest kind that is served, as `apiVersion/Kind`.
        nearest: Option<String>,
    },
    /// No pod or container fits what was named, or more than one does.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A stream ended before it was over.
    #[error("the stream was cut: {0}")]
    StreamCut(String),
    /// The lab says that it does not simulate this.
    #[error("not simulated: {0}")]
    NotSimulated(String),
    /// The answer is not what the Kubernetes API promises.
    #[error("{what} gave an answer that cannot be understood: {cause}")]
    Malformed {
        /// What was asked.
        what: String,
        /// What is wrong with the answer.
        cause: String,
    },
}

/// A field and who manages it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOwner {
    /// The field manager, such as `helm`.
    pub manager: String,
    /// The field in the server's notation, such as `.data.mesh`.
    pub field: String,
}

/// A complaint about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field in the server's notation, such as `spec.hosts`. Empty where none was named.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl ClusterError {
    /// Whether the same request may well succeed a little later, unchanged: the network, an overloaded or restarting
    /// server, a lost race. Refusals for what the request says are not.
    ///
    /// A transient error of a write does not mean that nothing was written: the answer may have been lost.
    #[must_use]
    pub fn transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::StreamCut(_) => true,
            Self::Conflict { owners, .. } => owners.is_empty(),
            // "etcdserver: request timed out" and the like come as plain 500; a 500 of apply that names a schema is
            // the request's own fault.
            Self::Api(status) => match status.code {
                429 | 502 | 503 | 504 => true,
                500 => status.message.contains("etcdserver") || status.reason == "ServerTimeout",
                _ => false,
            },
            Self::Choice(choice) => choice.transient(),
            Self::Config(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::Invalid { .. }
            | Self::KindUnknown { .. }
            | Self::NotSimulated(_)
            | Self::Malformed { .. } => false,
        }
    }

    /// Whether the request may have been carried out although no answer came.
    #[must_use]
    pub const fn perhaps_done(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::StreamCut(_) | Self::Malformed { .. })
    }

    /// Whether this says that the object is not there.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// What to try next, as a sentence for people. `None` where the message says it all.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(
                "Check that the API server is up and that `kubectl cluster-info` reaches it with the same context; \
                 HTTPS_PROXY and NO_PROXY apply here as they do for kubectl."
                    .to_owned(),
            ),
            Self::Unauthorized { .. } => {
                Some("Log in again: the token or certificate of this context has probably expired.".to_owned())
            }
            Self::Forbidden { verb, resource, namespace, .. } => {
                let scope = namespace.as_ref().map_or_else(String::new, |ns| format!(" -n {ns}"));
                Some(format!(
                    "Ask for the permission, then check it with `kubectl auth can-i {verb} {resource}{scope}`."
                ))
            }
            Self::Conflict { owners, .. } if owners.is_empty() => {
                Some("Someone changed the object meanwhile: run the step again.".to_owned())
            }
            Self::Conflict { owners, .. } => {
                let mut managers: Vec<&str> = owners.iter().map(|owner| owner.manager.as_str()).collect();
                managers.sort_unstable();
                managers.dedup();
                Some(format!(
                    "These fields belong to {}: change them there, or take them over with `force: true`.",
                    managers.join(", ")
                ))
            }
            Self::Timeout { .. } => Some(
                "The server is slow or the network drops packets: try again, or give it more time with `timeout:`."
                    .to_owned(),
            ),
            Self::KindUnknown { nearest: Some(nearest), .. } => Some(format!("Did you mean {nearest}?")),
            Self::KindUnknown { nearest: None, .. } => {
                Some("Install what defines the kind first; `kubectl api-resources` lists what is served.".to_owned())
            }
            Self::Choice(choice) => choice.hint(),
            Self::NotSimulated(_) => Some("The lab does not know the answer; only a real cluster does.".to_owned()),
            Self::Api(status) if status.code == 429 => {
                Some("The server asks for patience: try again later.".to_owned())
            }
            _ => None,
        }
    }

    /// Classifies a failure that the server put in words.
    ///
    /// `server` is its URL; `asked` says what was asked, for failures that say nothing themselves.
    pub(crate) fn from_status(status: Status, server: &str, asked: &Asked) -> Self {
        if let Some(what) = status.message.strip_prefix("not simulated:") {
            return Self::NotSimulated(what.trim().to_owned());
        }
        let message = status.message.clone();
        match (status.code, status.reason.as_str()) {
            (401, _) | (_, "Unauthorized") => Self::Unauthorized { server: server.to_owned(), message },
            (403, _) | (_, "Forbidden") => Self::Forbidden {
                user: quoted_after(&message, "User ").map(str::to_owned),
                verb: asked.verb.to_owned(),
                resource: asked.resource.clone(),
                namespace: asked.namespace.clone(),
                message,
            },
            (404, _) | (_, "NotFound") => Self::NotFound(if message.is_empty() || message == "404 page not found" {
                format!("{} is not served", asked.path)
            } else {
                message
            }),
            (_, "AlreadyExists") => Self::AlreadyExists(message),
            (409, _) | (_, "Conflict") => Self::Conflict { owners: owners(&status), message },
            (422, _) | (_, "Invalid") => Self::Invalid { causes: field_errors(&status), message },
            // Server-side apply answers an unknown field with a plain 500, a strict decoder with a 400.
            (500, _) if message.contains("failed to create typed patch object") => {
                Self::Invalid { causes: Vec::new(), message }
            }
            (400, _) if message.contains("cannot be handled as a") => Self::Invalid { causes: Vec::new(), message },
            (_, "Timeout") => Self::Timeout { what: asked.to_string(), after: asked.deadline },
            _ => Self::Api(Box::new(status)),
        }
    }
}

/// What a request asks, for the words of its errors.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The API verb, such as `list`.
    pub(crate) verb: &'static str,
    /// Plural with its group, or the path.
    pub(crate) resource: String,
    /// The namespace, if the request is within one.
    pub(crate) namespace: Option<String>,
    /// The path without the query.
    pub(crate) path: String,
    /// How long an answer is waited for.
    pub(crate) deadline: Duration,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.path)
    }
}

fn owners(status: &Status) -> Vec<FieldOwner> {
    causes(status)
        .filter(|(reason, _, _)| *reason == "FieldManagerConflict")
        .map(|(_, message, field)| FieldOwner {
            manager: quoted_after(message, "conflict with ").unwrap_or(message).to_owned(),
            field: field.to_owned(),
        })
        .collect()
}

fn field_errors(status: &Status) -> Vec<FieldError> {
    causes(status)
        .map(|(_, message, field)| FieldError { field: field.to_owned(), message: message.to_owned() })
        .collect()
}

fn causes(status: &Status) -> impl Iterator<Item = (&str, &str, &str)> {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    causes.iter().map(|cause| (cause.reason.as_str(), cause.message.as_str(), cause.field.as_str()))
}

/// The quoted word after `before`, as in `User "jane" cannot …`.
fn quoted_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    let rest = rest.strip_prefix('"')?;
    rest.find('"').map(|end| &rest[..end])
}

fn denial(user: Option<&str>, verb: &str, resource: &str, namespace: Option<&str>) -> String {
    let who = user.map_or_else(|| "the user".to_owned(), |user| format!("user {user}"));
    match namespace {
        Some(namespace) => format!("{who} may not {verb} {resource} in namespace {namespace}"),
        None => format!("{who} may not {verb} {resource}"),
    }
}

fn in_version(api_version: Option<&str>) -> String {
    api_version.map_or_else(String::new, |version| format!(" in {version}"))
}

fn status_text(status: &Status) -> String {
    match (status.message.is_empty(), status.code) {
        (false, 0) => status.message.clone(),
        (false, code) => format!("{} (HTTP {code})", status.message),
        (true, code) => format!("the server answered HTTP {code} without a word"),
    }
}

/// `30 s`, or `0.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
