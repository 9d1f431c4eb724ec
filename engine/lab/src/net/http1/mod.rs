//! HTTP/1.1 on any byte stream, for sites, the sidecar and the proxy.
//!
//! Invariant: what is read is bounded; nothing here knows who speaks.

mod message;
mod stream;

pub(crate) use message::{Body, Headers, HttpError, Request, Response, reason};
pub(crate) use stream::Http;
