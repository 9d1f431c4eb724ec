//! What each verb does: the twin of its file in the core's model.

mod apply;
mod change;
mod delete;
mod exec;
mod expect_object;
mod get;
mod log_grep;
mod patch;
mod wait;

pub(crate) use apply::objects as apply_objects;
pub(crate) use change::Change;
pub(crate) use exec::{Attempt, Invocation};
pub(crate) use log_grep::{grep, mark_logs};
pub(crate) use patch::{patch, write_text};
pub(crate) use wait::{await_objects, until_gone};
pub(crate) use {apply::apply, delete::delete, expect_object::expect_object, get::get};

use serde_json::Value;

use crate::cluster::ObjectAddress;

/// What came of a verb.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// In a few words.
    pub(crate) note: String,
    /// Text that a check saw and that held.
    pub(crate) seen: Vec<String>,
    /// The equivalent `kubectl` line.
    pub(crate) kubectl: Option<String>,
    /// What was written, for a `wait` beside it.
    pub(crate) written: Vec<ObjectAddress>,
    /// What captures look into.
    pub(crate) object: Option<Value>,
    /// Whether that comes from a Secret, so that captures from it must never be shown.
    pub(crate) secret: bool,
}
