//! A draft as the text of a runbook that people go on with.

mod runbook;
mod scalar;
mod yaml;

pub(crate) use runbook::{Written, object, runbook};
pub(crate) use yaml::Yaml;
