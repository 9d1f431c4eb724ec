//! The lab as a witness of what programs in its pods call.
//!
//! It translates and adds nothing: the lab knows no events, and the engine knows no lab.

use std::sync::Arc;

use jiff::Timestamp;
use periplus_core::call::{Call, CallStage};
use periplus_lab::Lab;
use periplus_lab::net::Explanation;
use periplus_run::Witness;

/// Tells what a lab saw.
pub(crate) struct LabWitness(pub(crate) Arc<Lab>);

impl Witness for LabWitness {
    fn calls(&self, namespace: &str, pod: &str, since: Timestamp) -> Vec<Call> {
        self.0.explain_since(namespace, pod, since).into_iter().map(call).collect()
    }
}

/// An explanation as events tell it.
fn call(explanation: Explanation) -> Call {
    let Explanation { call, stages, end, now } = explanation;
    let stages = stages.into_iter().map(|stage| CallStage { proxy: stage.proxy, hops: stage.hops, end: stage.end });
    Call { call, stages: stages.collect(), end, now }
}
