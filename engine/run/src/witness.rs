//! What a target can tell of calls between programs, beyond what the Kubernetes API says.
//!
//! A real cluster tells nothing. Nobody is asked before a step has failed, so that what is told can change no result.

use jiff::Timestamp;
use periplus_core::call::Call;

/// Saw the calls that programs in pods made. A lab is one.
pub trait Witness: Send + Sync {
    /// Why the calls that programs of this pod made since then went where they went, oldest first. Nothing where it does not know.
    fn calls(&self, namespace: &str, pod: &str, since: Timestamp) -> Vec<Call>;
}
