//! `wait` and `delete`.

use periplus_core::model::ObjectRef;
use periplus_core::model::verb::{Delete, WaitCondition, WaitFor};

use super::layout::{Block, Command};
use super::scribe::Scribe;
use super::word::ShellText;

impl Scribe<'_> {
    /// The block of a `wait` that names its object.
    pub(super) fn wait(&self, wait: &WaitFor) -> Block {
        let mut block = Block::default();
        let Some(object) = &wait.object else { return block };
        let timeout = timeout(wait);
        match &wait.condition {
            WaitCondition::Rollout => {
                let command = match &object.which {
                    periplus_core::model::Which::Name(name) => {
                        let named = ShellText::literal(format!("{}/", self.resource(object))).with(self.text(name));
                        Command::new(format!("kubectl rollout status {}", named.word()))
                            .args(self.object_namespace(object))
                    }
                    periplus_core::model::Which::Selector(_) => self.kubectl("rollout status", object),
                };
                block.pipeline("", &[command.arg(timeout)], "");
            }
            condition => {
                block.pipeline("", &[self.kubectl("wait", object).arg(self.condition(condition)).arg(timeout)], "");
            }
        }
        block
    }

    /// `--for=…`.
    pub(super) fn condition(&self, condition: &WaitCondition) -> String {
        match condition {
            WaitCondition::Rollout => String::new(),
            WaitCondition::Deletion => "--for=delete".to_owned(),
            WaitCondition::Condition { kind, status } => {
                let status = if status == "True" { String::new() } else { format!("={status}") };
                format!("--for={}", ShellText::literal("condition=").with(self.text(kind)).and(&status).word())
            }
            WaitCondition::JsonPath { path, value } => {
                let path = self.jsonpath(path, "");
                let path = path.trim_start_matches("-o jsonpath=");
                match value {
                    Some(value) => format!("--for=jsonpath={path}={}", self.word(value)),
                    None => format!("--for=jsonpath={path}"),
                }
            }
        }
    }

    /// What kubectl prints when it has waited, with the place of the object's name.
    pub(super) fn waited(&self, wait: &WaitFor, object: &ObjectRef) -> Option<String> {
        let periplus_core::model::Which::Name(name) = &object.which else { return None };
        match wait.condition {
            WaitCondition::Rollout => rolled_out(&object.kind.raw, &name.raw),
            WaitCondition::Deletion => None,
            WaitCondition::Condition { .. } | WaitCondition::JsonPath { .. } => {
                Some(format!("{}/{} condition met", self.printed(object)?, name.raw))
            }
        }
    }

    /// The block of a `delete`.
    pub(super) fn delete(&self, delete: &Delete) -> Block {
        let mut block = Block::default();
        block.pipeline("", &[self.kubectl("delete", &delete.object).arg("--ignore-not-found")], "");
        block
    }
}

/// What `kubectl rollout status` says at the end.
pub(super) fn rolled_out(kind: &str, name: &str) -> Option<String> {
    match kind {
        "Deployment" => Some(format!("deployment \"{name}\" successfully rolled out")),
        "DaemonSet" => Some(format!("daemon set \"{name}\" successfully rolled out")),
        // The words of a StatefulSet depend on its strategy.
        _ => None,
    }
}

/// `--timeout=5m`.
pub(super) fn timeout(wait: &WaitFor) -> String {
    format!("--timeout={}", wait.timeout)
}
