//! The pure core of Periplus: what a runbook says, what order its steps have, what a check means, what a run was.
//!
//! Nothing here reads a file, a clock, the environment or a cluster, and nothing prints.

pub mod advice;
pub mod call;
pub mod change;
pub mod codes;
pub mod diag;
pub mod event;
pub mod expect;
pub mod graph;
pub mod journal;
pub mod jsonpath;
pub mod load;
pub mod manifest;
pub mod model;
pub mod outcome;
pub mod params;
pub mod plan;
pub mod redact;
pub mod schema;
pub mod source;
pub mod state;
pub mod template;
pub mod yaml_edit;
