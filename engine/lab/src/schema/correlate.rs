//! Which part of the old object a part of the new one was.
//!
//! Invariant: only what has a name is correlated: members of maps that are not atomic, and items of lists with keys.

use serde_json::Value;

use super::node::{ListType, Node};

/// A part of the old object, and the schema that tells its parts apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correlation<'a> {
    node: Option<Node<'a>>,
    value: &'a Value,
}

impl<'a> Correlation<'a> {
    /// The whole old object.
    pub(super) fn new(node: Node<'a>, value: &'a Value) -> Self {
        Self { node: Some(node), value }
    }

    /// The old value.
    pub(super) fn value(self) -> &'a Value {
        self.value
    }

    /// Whether the old value is the same as `new`.
    pub(super) fn is_unchanged(self, new: &Value) -> bool {
        self.value == new
    }

    /// What the member of that name was.
    pub(super) fn member(self, name: &str) -> Option<Self> {
        let member = self.node?.member(name)?;
        Some(Self { node: Some(member), value: self.value.as_object()?.get(name)? })
    }

    /// What this item of the new list was.
    pub(super) fn item(self, new: &Value) -> Option<Self> {
        let node = self.node?;
        let by @ ListType::Map(_) = node.list_type() else { return None };
        let items = node.items();
        let name = super::compare::element_of(&by, items, new)?;
        let is_same = |old: &&Value| super::compare::element_of(&by, items, old).as_ref() == Some(&name);
        let value = self.value.as_array()?.iter().find(is_same)?;
        Some(Self { node: items, value })
    }
}
