//! What the kinds look like, and everything that is decided by looking: decoding, defaults, validation, merging, field ownership.
//!
//! Invariant: built-in kinds and custom ones go through the same code; only where their schema comes from differs.

mod apply;
mod catalog;
mod cel;
mod cel_types;
mod cel_values;
mod compare;
mod correlate;
mod custom;
mod custom_rules;
mod data;
mod decode;
mod definition;
mod document;
mod field_path;
mod fieldset;
mod formats;
mod managed;
mod misfit;
mod names;
mod node;
mod numbers;
pub(crate) mod quantity;
mod rules;
mod shown;
mod strategic;
mod structural;
mod swagger;
pub(crate) mod text;
mod values;

pub use catalog::{Catalog, Resource, SubresourceInfo};
pub use custom::istio_crds;
pub(crate) use custom::version_rank;
pub(crate) use custom_rules::{CustomWrite, validate_custom};
pub(crate) use decode::{Decoded, zero_value};
pub(crate) use definition::{DefinitionReview, Progress, next_status, prepare, review, set_condition};
pub(crate) use document::{fingerprint, schemas_of, swagger_definitions};
pub(crate) use managed::{ApplyRequest, Ownership, apply, keep, track_update};
pub(crate) use misfit::misfit;
pub(crate) use names::check_metadata_update;
pub(crate) use node::Node;
pub(crate) use numbers::float_text;
pub(crate) use rules::validate_builtin;
pub(crate) use shown::{Shown, members, show};
pub(crate) use strategic::strategic_merge;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod merge_tests;
