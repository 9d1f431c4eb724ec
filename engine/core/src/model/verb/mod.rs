//! What a step does: one file a verb, and the one table of them.

mod apply;
mod delete;
mod exec;
mod expect_object;
mod get;
mod log_grep;
mod patch;
mod wait;

pub use apply::{Apply, Manifest};
pub use delete::Delete;
pub use exec::{Exec, Program, WholeExec};
pub use expect_object::{ExpectObject, Presence};
pub use get::Get;
pub use log_grep::LogGrep;
pub use patch::{Patch, PatchKind};
pub use wait::{WaitCondition, WaitFor};

use super::ExpectOutput;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "every step holds one, and none is moved about after loading")]
pub enum Verb {
    /// Server-side apply of manifests.
    Apply(Apply),
    /// Run a program in a container.
    Exec(Exec),
    /// Judge the output of an exec above.
    ExpectOutput(ExpectOutput),
    /// Find lines in a log.
    LogGrep(LogGrep),
    /// Delete objects.
    Delete(Delete),
    /// Change fields of an object.
    Patch(Patch),
    /// Wait for objects.
    Wait(WaitFor),
    /// Read an object, to capture from it.
    Get(Get),
    /// Judge an object.
    ExpectObject(ExpectObject),
}

/// The keys of all verbs, in the order in which documents list them.
pub const VERBS: [&str; 9] =
    ["apply", "exec", "expect-output", "log-grep", "delete", "patch", "wait", "get", "expect-object"];

/// Verbs that the format reserves and this version does not carry out.
pub const RESERVED_VERBS: [&str; 4] = ["manual", "local", "use", "foreach"];

impl Verb {
    /// The verb's key in the file.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Exec(_) => "exec",
            Self::ExpectOutput(_) => "expect-output",
            Self::LogGrep(_) => "log-grep",
            Self::Delete(_) => "delete",
            Self::Patch(_) => "patch",
            Self::Wait(_) => "wait",
            Self::Get(_) => "get",
            Self::ExpectObject(_) => "expect-object",
        }
    }

    /// A sentence fragment for steps without a title.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Apply(apply) => apply.sentence(),
            Self::Exec(exec) => exec.sentence(),
            Self::ExpectOutput(expect) => match &expect.of {
                Some(of) => format!("Check the output of {}", of.value),
                None => "Check the output".to_owned(),
            },
            Self::LogGrep(grep) => grep.sentence(),
            Self::Delete(delete) => format!("Delete {}", delete.object.sentence()),
            Self::Patch(patch) => format!("Change {}", patch.object.sentence()),
            Self::Wait(wait) => wait.sentence(),
            Self::Get(get) => format!("Read {}", get.object.sentence()),
            Self::ExpectObject(expect) => format!("Check {}", expect.object.sentence()),
        }
    }
}

impl super::ObjectRef {
    /// `ConfigMap istio` or `Pod app=sleep`, templates as written.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (super::Which::Name(which) | super::Which::Selector(which)) = &self.which;
        format!("{} {}", self.kind.raw, which.raw)
    }
}
