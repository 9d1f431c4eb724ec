//! `GET …/pods/NAME/explain`: why calls of a pod go where they go. The lab's own: no real API server has it, and no discovery shows it.
//!
//! Invariant: it tells, and changes nothing.

use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::body::{Body, json_response};
use super::query::Query;
use super::service::Api;
use crate::net::Explanation;
use crate::status::Status;
use crate::store::GroupResource;

impl Api {
    /// Explains the calls that a pod's programs have made since a time.
    pub(crate) fn explain_since(&self, namespace: &str, pod: &str, since: Timestamp) -> Vec<Explanation> {
        self.pods.explain_since(namespace, pod, since)
    }

    /// Explains the call `?to=URL` (with `&proxy=URL`, through an HTTP proxy), or the calls that were made `?since=` a time.
    pub(super) async fn explain(&self, namespace: &str, pod: &str, query: &Query) -> Result<Response<Body>, Status> {
        if self.store.get(&GroupResource::PODS, namespace, pod).is_none() {
            return Err(Status::not_found("", "pods", pod));
        }
        let told = match (query.get("to"), query.get("since")) {
            (Some(url), _) => shown(&self.pods.explain(namespace, pod, url, query.get("proxy")).await?),
            (None, Some(since)) => {
                let since: Timestamp = since
                    .parse()
                    .map_err(|_| Status::bad_request(format!("since={since:?} is no time of RFC 3339")))?;
                let calls = self.explain_since(namespace, pod, since);
                json!({"calls": calls.iter().map(shown).collect::<Vec<_>>()})
            }
            (None, None) => {
                return Err(Status::bad_request(
                    "say what to explain: ?to=URL, or ?since=TIME for calls that were made",
                ));
            }
        };
        Ok(json_response(StatusCode::OK, &told))
    }
}

fn shown(explanation: &Explanation) -> Value {
    serde_json::to_value(explanation).expect("invariant: an explanation is JSON")
}
