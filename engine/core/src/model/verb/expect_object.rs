//! `expect-object`: judge an object.

use super::super::{ObjectRef, Polling, Tree};
use crate::source::Span;

/// What an object must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectObject {
    /// Which; of several by a selector, at least one must match.
    pub object: ObjectRef,
    /// What must hold.
    pub presence: Presence,
    /// How it is repeated until it holds.
    pub polling: Polling,
    /// Where it stands.
    pub span: Span,
}

/// What must hold of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// `matches`: it is there and contains this value; lists match by subset.
    Matches(Tree),
    /// `absent: true`: it is not there.
    Absent,
}
