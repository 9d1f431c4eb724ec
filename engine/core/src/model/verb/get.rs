//! `get`: read an object, to capture from it.

use super::super::{ObjectRef, Pick, Text};

/// Reads one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// Which. Of several pods those count that are ready, of the newest revision, and not being deleted.
    pub object: ObjectRef,
    /// Whether exactly one must be left. Default: true for a selector.
    pub one: bool,
    /// What to do when several are left.
    pub pick: Pick,
    /// JSON Pointer to a string field that holds YAML; captures then look into that.
    pub yaml_in: Option<Text>,
}
