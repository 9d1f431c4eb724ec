//! Kubernetes' HTTP API over the store.
//!
//! Invariant: all that clients can see or do goes through `Api::handle`; there is no second door.

mod accept;
mod authorize;
mod body;
mod cells;
mod collection;
mod columns;
mod decode;
mod discovery;
mod document;
mod eviction;
mod explain;
mod health;
mod jsonpath;
mod options;
mod other_columns;
mod patch;
mod paths;
mod pod_cells;
mod protobuf;
mod query;
mod review;
mod route;
mod scale;
mod selector;
mod service;
mod table;
mod verbs;
mod watch;

pub(crate) use body::{Body, encode, status_response, streamed_text, text_response};
pub(crate) use query::Query;
pub use service::Api;
