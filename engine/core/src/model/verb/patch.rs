//! `patch`: change fields of an object.

use super::super::{ObjectRef, Text, Tree};

/// Changes fields of an object that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Which.
    pub object: ObjectRef,
    /// JSON Pointer to a string field that holds YAML, which is then patched in place of the object; only with `merge`.
    pub yaml_in: Option<Text>,
    /// The notation of the patch.
    pub kind: PatchKind,
    /// The patch.
    pub patch: Tree,
}

/// The notation of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// JSON merge patch (RFC 7386).
    Merge,
    /// JSON patch (RFC 6902).
    Json,
    /// Kubernetes' strategic merge patch.
    Strategic,
}
