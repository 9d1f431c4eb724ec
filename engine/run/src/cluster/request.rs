//! Requests to the API server, spelled out by hand.
//!
//! kube's typed helpers hide the `Warning` header and round times; a path, a query and a body hide nothing. Every
//! variable part of a path is one escaped segment, so no name can reach another resource.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use url::form_urlencoded;

use super::error::{Asked, ClusterError};

/// One request in the making.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    content_type: &'static str,
    accept: &'static str,
    body: Vec<u8>,
    verb: &'static str,
    resource: String,
    namespace: Option<String>,
}

impl Call {
    /// A request for `path`, whose segments are escaped already (see [`segment`]).
    ///
    /// `verb` is the API verb, for the words of errors.
    pub(crate) fn new(method: Method, verb: &'static str, path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            method,
            resource: path.clone(),
            path,
            query: Vec::new(),
            content_type: "application/json",
            accept: "application/json",
            body: Vec::new(),
            verb,
            namespace: None,
        }
    }

    /// A GET of a path.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, "get", path)
    }

    /// Names the resource and namespace, for the words of errors.
    pub(crate) fn about(mut self, resource: impl Into<String>, namespace: Option<&str>) -> Self {
        self.resource = resource.into();
        self.namespace = namespace.map(str::to_owned);
        self
    }

    /// Adds a pair to the query.
    pub(crate) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Adds a pair to the query unless the value is absent.
    pub(crate) fn query_opt(self, key: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// Sets the body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        // A `Value` has string keys only, so writing it cannot fail.
        self.body = body.to_string().into_bytes();
        self
    }

    /// Sets what the body is, for patches.
    pub(crate) const fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    /// Sets what answer is asked for.
    pub(crate) const fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// What is asked, for errors.
    pub(crate) fn asked(&self, deadline: Duration) -> Asked {
        Asked {
            verb: self.verb,
            resource: self.resource.clone(),
            namespace: self.namespace.clone(),
            path: self.path.clone(),
            deadline,
        }
    }

    /// The request as it goes out.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Config`] where path and query make no URL.
    pub(crate) fn build(self, user_agent: &HeaderValue) -> Result<Request<Vec<u8>>, ClusterError> {
        let mut url = self.path;
        if !self.query.is_empty() {
            url.push('?');
            url.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish());
        }
        let mut request = Request::builder()
            .method(self.method)
            .uri(&url)
            .header(ACCEPT, self.accept)
            .header(USER_AGENT, user_agent.clone());
        if !self.body.is_empty() {
            request = request.header(CONTENT_TYPE, self.content_type);
        }
        request.body(self.body).map_err(|error| ClusterError::Config(format!("{url} makes no request: {error}")))
    }
}

/// One segment of a path, percent-escaped.
///
/// # Errors
///
/// [`ClusterError::Config`] for text that would be no segment or another one: empty, `.` or `..`.
pub(crate) fn segment(text: &str) -> Result<String, ClusterError> {
    if matches!(text, "" | "." | "..") {
        return Err(ClusterError::Config(format!("{text:?} cannot name an object")));
    }
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(escaped)
}

/// The text of a `Warning` header: `299 - "text"`.
///
/// RFC 7234, section 5.5: code, agent, quoted text, and perhaps a date. What does not look like that is taken whole.
pub(crate) fn warning_text(header: &str) -> String {
    let Some(quoted) = header.splitn(3, ' ').nth(2).and_then(|rest| rest.trim_start().strip_prefix('"')) else {
        return header.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("system:node").unwrap(), "system:node");
        assert_eq!(segment("a/../b?x=1%2f").unwrap(), "a%2F..%2Fb%3Fx=1%252f");
        for bad in ["", ".", ".."] {
            assert!(segment(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn warnings_are_unquoted() {
        assert_eq!(warning_text(r#"299 - "unknown field \"dta\"""#), r#"unknown field "dta""#);
        assert_eq!(warning_text(r#"299 - "a" "Sun, 06 Nov 1994 08:49:37 GMT""#), "a");
        assert_eq!(warning_text("something else"), "something else");
    }

    #[test]
    fn a_query_is_escaped() {
        let call = Call::get("/api/v1/pods").query("labelSelector", "app in (a,b)").query("limit", "500");
        let request = call.build(&HeaderValue::from_static("t")).unwrap();
        assert_eq!(request.uri(), "/api/v1/pods?labelSelector=app+in+%28a%2Cb%29&limit=500");
        assert_eq!(request.headers().get(CONTENT_TYPE), None);
    }
}
