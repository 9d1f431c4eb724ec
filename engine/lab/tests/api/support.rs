//! A small server, a plain HTTP client, and comparison with recordings.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use periplus_lab::access::Access;
use periplus_lab::admission::Review;
use periplus_lab::api::Api;
use periplus_lab::clock::Clock;
use periplus_lab::schema::istio_crds;
use periplus_lab::serve::Connector;
use periplus_lab::status::Status;
use periplus_lab::store::{GroupResource, Store, WriteOptions};
use periplus_lab::stream::{ContainerLog, Dialled, ExecRequest, ExecSession, PodHost};
use serde_json::Value;

/// A host without pods.
pub(crate) struct NoPods;

impl PodHost for NoPods {
    fn exec(&self, _: &str, pod: &str, _: &str, _: ExecRequest) -> Result<ExecSession, Status> {
        Err(Status::not_found("", "pods", pod))
    }

    fn attach(&self, _: &str, pod: &str, _: &str, _: ExecRequest) -> Result<ExecSession, Status> {
        Err(Status::not_found("", "pods", pod))
    }

    fn dial(&self, _: &str, pod: &str, _: u16) -> Result<Dialled, Status> {
        Err(Status::not_found("", "pods", pod))
    }

    fn logs(&self, _: &str, pod: &str, _: &str, _: bool) -> Result<ContainerLog, Status> {
        Err(Status::not_found("", "pods", pod))
    }
}

/// A store with Istio's CRDs and the admission of a real lab.
pub(crate) fn store() -> Store {
    let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 7);
    store.set_admission(Arc::new(Review::new(store.downgrade(), false)));
    for crd in istio_crds() {
        store.create(&WriteOptions::by("istio"), &GroupResource::CRDS, crd).expect("a CRD");
    }
    store
}

/// The API over `store`.
pub(crate) fn api(store: &Store, pods: Arc<dyn PodHost>) -> Api {
    Api::new(store.clone(), pods, Arc::new(Access::new(store.clone(), b"a key")))
}

/// A client of the API over `store`.
pub(crate) fn client(store: &Store, pods: Arc<dyn PodHost>) -> Http {
    Http::new(Connector::new(api(store, pods)))
}

/// A plain HTTP client.
pub(crate) struct Http {
    client: Client<Connector, Full<Bytes>>,
    pub(crate) connector: Connector,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&self.body).into_owned()))
    }

    /// The events of a watch that ended.
    pub(crate) fn events(&self) -> Value {
        let lines = self.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice::<Value>(line).expect("JSON")).collect()
    }
}

impl Http {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector.clone()), connector }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://lab{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// Where `found` differs from `recorded`. Masked text such as `<uid>` stands for anything.
pub(crate) fn differences(path: &str, recorded: &Value, found: &Value, out: &mut Vec<String>) {
    match (recorded, found) {
        (Value::Object(recorded), Value::Object(found)) => {
            for (key, value) in recorded {
                let at = format!("{path}/{key}");
                match found.get(key) {
                    Some(found) => differences(&at, value, found, out),
                    None => out.push(format!("{at}: missing, recorded {value}")),
                }
            }
            out.extend(
                found
                    .keys()
                    .filter(|key| !recorded.contains_key(*key))
                    .map(|key| format!("{path}/{key}: not recorded: {}", found[key])),
            );
        }
        (Value::Array(recorded), Value::Array(found)) => {
            if recorded.len() != found.len() {
                out.push(format!("{path}: {} items, recorded {}: {found:?}", found.len(), recorded.len()));
            }
            for (index, (recorded, found)) in recorded.iter().zip(found).enumerate() {
                differences(&format!("{path}/{index}"), recorded, found, out);
            }
        }
        (Value::String(recorded), Value::String(found)) if is_masked(recorded, found) => {}
        _ if recorded == found => {}
        _ => out.push(format!("{path}: {found}, recorded {recorded}")),
    }
}

/// Whether `found` is `recorded` with each `<…>` filled in.
fn is_masked(recorded: &str, found: &str) -> bool {
    const MASKS: [&str; 6] = ["<uid>", "<rv>", "<time>", "<rand>", "<continue>", "<id>"];
    let Some((at, mask)) = MASKS.iter().filter_map(|mask| Some((recorded.find(mask)?, mask))).min() else {
        return recorded == found;
    };
    let (before, after) = (&recorded[..at], &recorded[at + mask.len()..]);
    let Some(rest) = found.strip_prefix(before) else { return false };
    (1..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| is_masked(after, &rest[at..]))
}
