//! Why a call of a program in a pod went where it went, as whoever saw it tells.
//!
//! It is told to people; no check and no outcome rests on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A call of a program in a pod, and why it went where it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// What was called, such as `CONNECT en.wikipedia.org:443 at 10.244.0.95:3128`.
    pub call: String,
    /// The proxies of the mesh on its way, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<CallStage>,
    /// How it ended, for people.
    pub end: String,
    /// What would become of the same call by the mesh's newest configuration, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// One proxy on the way of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallStage {
    /// Which proxy, such as `sidecar of default/curl`.
    pub proxy: String,
    /// The objects of its configuration that the call passed, in order.
    pub hops: Vec<String>,
    /// What it did with the call, for people.
    pub end: String,
}
