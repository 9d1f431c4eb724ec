//! `exec`: one attempt to run a program in a container.
//!
//! A secret never becomes part of the request: it would stand in its URL, hence in the audit log. It travels on standard
//! input, and a line of `sh` in the container sets it.

use std::time::Duration;

use periplus_core::event::ExecReport;
use periplus_core::expect::Excerpt;
use periplus_core::model::verb::{Exec, Program, WholeExec};
use periplus_core::model::{Effect, Step, Text};
use periplus_core::outcome::FailureKind;
use periplus_core::template::{Flavour, shell_quote};
use serde_json::Value;

use crate::bench::Bench;
use crate::broken::Broken;
use crate::cluster::{ExecOutcome, ExecRequest, Inconclusive, MAX_OUTPUT, PodsOf, choose_container};
use crate::kubectl;

/// Default of `exec.timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A program and where it runs, with all values filled in; the pod is chosen at each attempt.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) namespace: String,
    pub(crate) pods: PodsOf,
    any: bool,
    container: Option<String>,
    argv: Vec<String>,
    stdin: Option<Vec<u8>>,
    timeout: Duration,
    pub(crate) effect: Effect,
}

/// How one attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    /// The program ran to its end.
    Finished { report: ExecReport, stdout: Vec<u8>, stderr: Vec<u8>, exit: i32 },
    /// It says nothing about the program.
    Inconclusive { report: Option<ExecReport>, broken: Broken },
}

impl Invocation {
    /// Fills in an exec.
    pub(crate) fn of(bench: &Bench, step: &Step, exec: &Exec) -> Result<Self, Broken> {
        let found = WholeExec::of(&bench.plan.runbook.steps, step, exec);
        let (Some((owner, target)), Some(program)) = (found.target, found.program) else {
            return Err(Broken::failed(
                FailureKind::Render,
                "neither this step nor the one it is like says what runs where",
            ));
        };
        let (namespace, pods) = bench.pods_of(owner, target)?;
        let container = target.container.as_ref().map(|text| bench.text(text)).transpose()?;
        let argv = match program {
            Program::Command(words) => {
                words.iter().map(|word| open(bench, word, Flavour::Text)).collect::<Result<Vec<_>, _>>()?
            }
            Program::Sh(script) => vec!["sh".to_owned(), "-c".to_owned(), open(bench, script, Flavour::Shell)?],
        };
        let (argv, stdin) = with_env(bench, &found.env, argv)?;
        Ok(Self {
            namespace,
            pods,
            any: target.pick == periplus_core::model::Pick::Any,
            container,
            argv,
            stdin,
            timeout: found.timeout.map_or(TIMEOUT, periplus_core::model::Duration::get),
            effect: exec.effect,
        })
    }

    /// The program's name, for advice.
    pub(crate) fn program(&self) -> &str {
        let own = if self.argv.first().is_some_and(|word| word == "env") {
            self.argv.iter().skip(1).find(|word| !word.contains('='))
        } else {
            self.argv.first()
        };
        own.map_or("", String::as_str)
    }

    /// The command line, for people.
    pub(crate) fn shown(&self) -> String {
        self.argv.iter().map(|word| shell_quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// The equivalent `kubectl` line. Before a pod was chosen it names what the pod is chosen by.
    pub(crate) fn kubectl(&self, pod: Option<(&str, &str)>) -> String {
        kubectl::exec(&self.namespace, &self.pods, self.container.as_deref(), pod, &self.shown(), self.stdin.is_some())
    }

    /// Chooses a pod and runs the program once.
    pub(crate) async fn attempt(&self, bench: &Bench, at_most: Option<Duration>) -> Attempt {
        let chosen = async {
            let pod = bench.cluster.choose_pod(&self.namespace, &self.pods, self.any).await?;
            let container = choose_container(&pod, self.container.as_deref())?;
            let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok::<_, crate::cluster::ClusterError>((name, container))
        };
        let (pod, container) = match chosen.await {
            Ok(chosen) => chosen,
            Err(error) => {
                let mut broken = Broken::from(error);
                broken.inconclusive = true;
                return Attempt::Inconclusive { report: None, broken };
            }
        };
        let request = ExecRequest {
            namespace: self.namespace.clone(),
            pod: pod.clone(),
            container: container.clone(),
            argv: self.argv.clone(),
            stdin: self.stdin.clone(),
            deadline: at_most.map_or(self.timeout, |most| most.min(self.timeout)),
            max_output: MAX_OUTPUT,
        };
        let report = |exit, stdout: &[u8], stderr: &[u8]| ExecReport {
            namespace: self.namespace.clone(),
            pod: pod.clone(),
            container: container.clone(),
            exit,
            stdout: Excerpt::of(&String::from_utf8_lossy(stdout)),
            stderr: Excerpt::of(&String::from_utf8_lossy(stderr)),
        };
        match bench.cluster.exec(&request).await {
            ExecOutcome::Finished { exit, stdout, stderr } if stdout.dropped + stderr.dropped == 0 => {
                Attempt::Finished {
                    report: report(Some(exit), &stdout.bytes, &stderr.bytes),
                    stdout: stdout.bytes,
                    stderr: stderr.bytes,
                    exit,
                }
            }
            ExecOutcome::Finished { exit, stdout, stderr } => {
                let what = format!(
                    "the program wrote more than {} MiB, so that its output cannot be judged",
                    MAX_OUTPUT >> 20
                );
                let broken = Broken::inconclusive(FailureKind::Target, what)
                    .advise("Narrow the output in the container, for instance with `sh: PROGRAM | head`.");
                Attempt::Inconclusive { report: Some(report(Some(exit), &stdout.bytes, &stderr.bytes)), broken }
            }
            ExecOutcome::Inconclusive { reason, stdout, stderr } => Attempt::Inconclusive {
                report: Some(report(None, &stdout.bytes, &stderr.bytes)),
                broken: inconclusive(reason),
            },
        }
    }
}

fn inconclusive(reason: Inconclusive) -> Broken {
    let text = reason.to_string();
    match reason {
        Inconclusive::Api(error) => Broken { inconclusive: true, ..Broken::from(error) },
        Inconclusive::NotSimulated(_) => Broken::inconclusive(FailureKind::NotSimulated, text)
            .advise("The lab cannot answer this; `periplus run` on a real cluster can."),
        Inconclusive::Timeout(_) => Broken::inconclusive(FailureKind::Timeout, text)
            .worth_another()
            .advise("Give the program a time limit of its own (curl: `-m 10`), or raise `timeout:` of the exec."),
        Inconclusive::NotStarted(_) => {
            Broken::inconclusive(FailureKind::Target, text).advise("Check that the container's image has the program.")
        }
        Inconclusive::StreamCut(_) => Broken::inconclusive(FailureKind::Target, text).worth_another(),
    }
}

/// Fills in a word of the command line, which must not hold a secret.
fn open(bench: &Bench, text: &Text, flavour: Flavour) -> Result<String, Broken> {
    if bench.uses_secret(&text.raw) {
        return Err(Broken::failed(
            FailureKind::Render,
            "a secret must not stand on a command line: the API server logs it",
        )
        .advise("Hand it over with `exec.env`; the program then finds it in its environment."));
    }
    bench.render(text, flavour)
}

/// Puts `env NAME=value` before the program; secrets are read from standard input instead.
fn with_env(bench: &Bench, env: &[(&str, &Text)], argv: Vec<String>) -> Result<(Vec<String>, Option<Vec<u8>>), Broken> {
    let (mut open, mut script, mut stdin) = (Vec::new(), String::new(), Vec::new());
    for (name, value) in env {
        let filled = bench.text(value)?;
        if !bench.uses_secret(&value.raw) {
            open.push(format!("{name}={filled}"));
            continue;
        }
        let plain_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if filled.contains(['\n', '\0']) || !plain_name {
            let what = format!(
                "the secret for {name} cannot be handed over: it has a line break, or its name is no shell variable"
            );
            return Err(Broken::failed(FailureKind::Render, what));
        }
        script.push_str(&format!("IFS= read -r {name} && export {name} && "));
        stdin.extend_from_slice(filled.as_bytes());
        stdin.push(b'\n');
    }
    let mut command = Vec::new();
    if !script.is_empty() {
        script.push_str("exec \"$@\" </dev/null");
        command.extend(["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]);
    }
    if !open.is_empty() {
        command.push("env".to_owned());
        command.append(&mut open);
    }
    command.extend(argv);
    Ok((command, (!stdin.is_empty()).then_some(stdin)))
}
