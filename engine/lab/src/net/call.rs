//! Why a call of a program in a pod went where it went, as the proxies on its way decided on it.
//!
//! Invariant: plain data, made for people; no decision rests on it.

use serde::Serialize;

/// One proxy on the way of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// `sidecar of default/curl`, or `gateway istio-system/egress-0`.
    pub proxy: String,
    /// The objects of its configuration that the connection and its request pass, in order.
    pub hops: Vec<String>,
    /// What it does with the call, in words.
    pub end: String,
}

/// The way of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was called, such as `CONNECT en.wikipedia.org:443 at 10.244.0.95:3128`.
    pub call: String,
    /// The proxies, in order; none if the pod has none.
    pub stages: Vec<Stage>,
    /// The end of it all, in words; with `not simulated: ` before it if the lab cannot carry the call.
    pub end: String,
    /// What would become of the same call by the mesh's newest configuration, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}
