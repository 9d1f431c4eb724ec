//! `kubectl exec`: a program in a container.
//!
//! A secret never stands on the command line, which the API server logs: it travels on standard input, as in a run.

use periplus_core::model::verb::{Exec, Program, WholeExec};
use periplus_core::model::{In, Step};
use periplus_core::template::{Flavour, Template};

use super::layout::Command;
use super::scribe::Scribe;
use super::word::ShellText;

impl<'b> Scribe<'b> {
    /// The commands of an exec, to be joined by pipes; `redirect` is put behind the last.
    pub(super) fn exec(&self, step: &'b Step, exec: &'b Exec) -> Vec<Command> {
        let whole = WholeExec::of(&self.commands.runbook.steps, step, exec);
        let (Some((owner, target)), Some(program)) = (whole.target, whole.program) else { return Vec::new() };
        let (secret, open): (Vec<_>, Vec<_>) = whole.env.iter().partition(|(_, value)| self.is_secret(&value.raw));
        let mut env: Vec<(String, ShellText)> =
            open.iter().map(|(name, value)| ((*name).to_owned(), self.text(value))).collect();
        let argv: Vec<String> = match program {
            Program::Command(words) => words.iter().map(|word| self.word(word)).collect(),
            Program::Sh(script) => {
                let script = self.script(script, &env);
                env.extend(script.env);
                vec!["sh -c".to_owned(), script.text.word()]
            }
        };
        let namespace = target.namespace.as_ref().or(owner.namespace.as_ref());
        let interactive = if secret.is_empty() { "" } else { " -i" };
        let mut command = Command::new(format!("kubectl exec{interactive} {}", self.pod_of(owner, target)))
            .args(self.in_namespace(namespace))
            .args(self.container(target))
            .last_before_break("--");
        let mut stages = Vec::new();
        if !secret.is_empty() {
            let words = secret.iter().map(|(_, value)| self.word(value));
            stages.push(Command::new("printf '%s\\n'").args(words));
            let reads: String =
                secret.iter().map(|(name, _)| format!("IFS= read -r {name} && export {name} && ")).collect();
            command = command.arg(format!("sh -c '{reads}exec \"$@\" </dev/null' sh"));
        }
        let set: Vec<String> = env.iter().map(|(name, value)| assignment(name, value)).collect();
        if let Some((first, rest)) = set.split_first() {
            command = command.arg(format!("env {first}")).args(rest.to_vec());
        }
        stages.push(command.args(argv));
        stages
    }

    /// The pod of an exec, which may have come from another step with a namespace of its own.
    fn pod_of(&self, owner: &'b Step, target: &In) -> String {
        match (&target.namespace, &owner.namespace) {
            (None, Some(_)) => Scribe::new(self.commands, Some(owner)).pod(target),
            _ => self.pod(target),
        }
    }

    /// Whether a text holds the value of a secret parameter.
    fn is_secret(&self, raw: &str) -> bool {
        let Ok(template) = Template::parse(raw, Flavour::Text) else { return false };
        let params = &self.commands.runbook.params;
        template.references().iter().any(|name| params.get(&name.name).is_some_and(|param| param.secret))
    }
}

/// `NAME=value` as a word.
fn assignment(name: &str, value: &ShellText) -> String {
    if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let word = value.word();
        format!("{name}={}", if word == "''" { "" } else { &word })
    } else {
        ShellText::literal(format!("{name}=")).with(value.clone()).word()
    }
}
