//! What all workers of a run share: the plan, the cluster, the values, and what steps leave for one another.
//!
//! No worker reaches into another one; what passes between steps passes through here.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use periplus_core::call::Call;
use periplus_core::event::LogMark;
use periplus_core::model::verb::Verb;
use periplus_core::model::{In, ObjectRef, PodRef, Step, Text, Tree, Which};
use periplus_core::outcome::FailureKind;
use periplus_core::plan::Plan;
use periplus_core::source::{Node, NodeKind, Style};
use periplus_core::template::{Flavour, Scope, Templates};
use periplus_core::yaml_edit;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::broken::Broken;
use crate::clock::Clock;
use crate::cluster::{Cluster, ObjectAddress, PodsOf, Selector, WorkloadKind};
use crate::recorder::{Message, Recorder};
use crate::witness::Witness;

/// What a program gave back.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) exit: i32,
}

/// What all workers of a run share.
pub(crate) struct Bench {
    pub(crate) plan: Arc<Plan>,
    pub(crate) cluster: Cluster,
    facts: mpsc::UnboundedSender<Message>,
    change_ids: Arc<AtomicU32>,
    templates: Mutex<Templates>,
    scope: Mutex<Scope>,
    marks: Mutex<BTreeMap<(usize, usize), Vec<LogMark>>>,
    outputs: Mutex<BTreeMap<usize, Output>>,
    secrets: Arc<Mutex<Vec<String>>>,
    witness: Option<(Clock, Arc<dyn Witness>)>,
}

impl Bench {
    pub(crate) fn new(plan: Arc<Plan>, cluster: Cluster, scope: Scope, facts: mpsc::UnboundedSender<Message>) -> Self {
        let secrets = scope.iter().filter(|(name, _)| scope.is_secret(name));
        let secrets = secrets.filter_map(|(_, value)| value.as_str()).map(str::to_owned).collect();
        Self {
            plan,
            cluster,
            facts,
            change_ids: Arc::default(),
            templates: Mutex::default(),
            scope: Mutex::new(scope),
            marks: Mutex::default(),
            outputs: Mutex::default(),
            secrets: Arc::new(Mutex::new(secrets)),
            witness: None,
        }
    }

    /// The same, with somebody who sees the calls of programs, by this clock.
    pub(crate) fn watched(self, clock: Clock, witness: Option<Arc<dyn Witness>>) -> Self {
        Self { witness: witness.map(|witness| (clock, witness)), ..self }
    }

    /// The time, if anybody sees the calls of programs.
    pub(crate) fn watched_from(&self) -> Option<Timestamp> {
        self.witness.as_ref().map(|(clock, _)| clock.now())
    }

    /// Why the calls of a pod's programs since then went where they went, as far as anybody saw them.
    pub(crate) fn calls(&self, namespace: &str, pod: &str, since: Timestamp) -> Vec<Call> {
        self.witness.as_ref().map_or_else(Vec::new, |(_, witness)| witness.calls(namespace, pod, since))
    }

    /// A step's line to the scheduler.
    pub(crate) fn recorder(&self, step: &Step) -> Recorder {
        Recorder::new(step.id.value.clone(), self.facts.clone(), Arc::clone(&self.change_ids))
    }

    /// The values as they are now.
    pub(crate) fn scope(&self) -> Scope {
        locked(&self.scope).clone()
    }

    /// Makes a captured value known to the steps below.
    pub(crate) fn keep_capture(&self, name: &str, value: &str, secret: bool) {
        if secret {
            locked(&self.secrets).push(value.to_owned());
        }
        let mut scope = locked(&self.scope);
        if secret { scope.set_secret(name, value) } else { scope.set(name, value) }
    }

    /// Replaces the marks that were set before a step for one of its readers: those of the last attempt count.
    pub(crate) fn keep_marks(&self, before: usize, reader: usize, marks: Vec<LogMark>) {
        locked(&self.marks).insert((before, reader), marks);
    }

    /// The marks that were set before a step for one of its readers.
    pub(crate) fn marks(&self, before: usize, reader: usize) -> Vec<LogMark> {
        locked(&self.marks).get(&(before, reader)).cloned().unwrap_or_default()
    }

    /// Keeps what the last attempt of an exec gave back, for checks further below.
    pub(crate) fn keep_output(&self, exec: usize, output: Output) {
        locked(&self.outputs).insert(exec, output);
    }

    /// What the last attempt of an exec gave back.
    pub(crate) fn output(&self, exec: usize) -> Option<Output> {
        locked(&self.outputs).get(&exec).cloned()
    }

    /// Fills in a text.
    pub(crate) fn render(&self, text: &Text, flavour: Flavour) -> Result<String, Broken> {
        self.render_raw(&text.raw, flavour)
    }

    /// Fills in a text that carries no place.
    pub(crate) fn render_raw(&self, raw: &str, flavour: Flavour) -> Result<String, Broken> {
        if !raw.contains("{{") && !raw.contains("\\{{") && flavour != Flavour::Shell {
            return Ok(raw.to_owned());
        }
        let broken = |message: &str, help: Option<&String>| {
            let broken =
                Broken::failed(FailureKind::Render, format!("cannot fill in `{}`: {message}", first_line(raw)));
            match help {
                Some(help) => broken.advise(help.clone()),
                None => broken,
            }
        };
        let template = locked(&self.templates).get(raw, flavour).map_err(|problems| {
            problems.first().map_or_else(|| broken("it cannot be read", None), |p| broken(&p.message, p.help.as_ref()))
        })?;
        template.render(&locked(&self.scope)).map_err(|error| broken(&error.message, error.help.as_ref()))
    }

    /// Whether a text uses a value that must never be shown.
    pub(crate) fn uses_secret(&self, raw: &str) -> bool {
        let template = locked(&self.templates).get(raw, Flavour::Text);
        template.is_ok_and(|template| template.uses_secret(&locked(&self.scope)))
    }

    /// Plain text.
    pub(crate) fn text(&self, text: &Text) -> Result<String, Broken> {
        self.render(text, Flavour::Text)
    }

    /// YAML data with its templates filled in.
    pub(crate) fn tree(&self, tree: &Tree) -> Result<Value, Broken> {
        match tree {
            Tree::Text(text) => parse_yaml(&self.render(text, Flavour::Manifest)?),
            Tree::Node(node) => self.node(node),
        }
    }

    fn node(&self, node: &Node) -> Result<Value, Broken> {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let text = self.render_raw(&scalar.text, Flavour::Text)?;
                if scalar.style == Style::Plain { parse_yaml(&text) } else { Ok(Value::String(text)) }
            }
            NodeKind::List(items) => items.iter().map(|item| self.node(item)).collect(),
            NodeKind::Map(entries) => entries
                .iter()
                .map(|(key, value)| match &key.kind {
                    NodeKind::Scalar(key) => Ok((self.render_raw(&key.text, Flavour::Text)?, self.node(value)?)),
                    _ => Err(Broken::failed(FailureKind::Render, "a key must be a single value")),
                })
                .collect(),
        }
    }

    /// The namespace of something: its own, else the step's, else the runbook's.
    pub(crate) fn namespace(&self, step: &Step, own: Option<&Text>) -> Result<String, Broken> {
        match own.or(step.namespace.as_ref()).or(self.plan.runbook.namespace.as_ref()) {
            Some(text) => self.text(text),
            None => Err(Broken::failed(FailureKind::Render, "nothing says in which namespace this is")
                .advise("Give the step, or the runbook, a `namespace:`.")),
        }
    }

    /// Where the lease of this runbook is kept: in its own namespace, else in `default`.
    pub(crate) fn lease_namespace(&self) -> String {
        let own = self.plan.runbook.namespace.as_ref().and_then(|text| self.text(text).ok());
        own.filter(|own| !self.creates_namespace(own)).unwrap_or_else(|| "default".to_owned())
    }

    /// Whether a step applies this namespace itself: then it may not be there yet, and may go while the run goes on.
    fn creates_namespace(&self, name: &str) -> bool {
        let applied = self.plan.runbook.steps.iter().filter_map(|step| match &step.verb {
            Verb::Apply(apply) => crate::verbs::apply_objects(self, apply).ok(),
            _ => None,
        });
        let is_it = |object: &Value| object["kind"] == "Namespace" && object["metadata"]["name"] == name;
        applied.flatten().any(|object| is_it(&object))
    }

    /// The values that must never be shown or journaled.
    pub(crate) fn secrets(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.secrets)
    }

    /// Where an object is that is named by name; for a selector, its kind, namespace and selector.
    pub(crate) async fn locate(&self, step: &Step, object: &ObjectRef) -> Result<Located, Broken> {
        let api_version = object.api_version.as_ref().map(|text| self.text(text)).transpose()?;
        let kind = self.text(&object.kind)?;
        let resource = self.cluster.resolve(api_version.as_deref(), &kind).await?;
        let namespace = if resource.namespaced { Some(self.namespace(step, object.namespace.as_ref())?) } else { None };
        Ok(match &object.which {
            Which::Name(name) => Located::One(ObjectAddress { resource, namespace, name: self.text(name)? }),
            Which::Selector(labels) => {
                Located::Some { selector: Selector::labels(self.text(labels)?), resource, namespace }
            }
        })
    }

    /// Which pods an `in:` means, and in which namespace.
    pub(crate) fn pods_of(&self, step: &Step, target: &In) -> Result<(String, PodsOf), Broken> {
        let namespace = self.namespace(step, target.namespace.as_ref())?;
        let pods = match &target.pod {
            PodRef::Pod(name) => PodsOf::Pod(self.text(name)?),
            PodRef::Selector(labels) => PodsOf::Selector(self.text(labels)?),
            PodRef::Workload(workload) => {
                let written = self.text(workload)?;
                let parsed = written.split_once('/').and_then(|(kind, name)| Some((WorkloadKind::parse(kind)?, name)));
                let Some((kind, name)) = parsed.filter(|(_, name)| !name.is_empty()) else {
                    return Err(Broken::failed(FailureKind::Render, format!("`{written}` names no workload"))
                        .advise("Write KIND/NAME, such as deploy/sleep, sts/db, ds/agent or job/once."));
                };
                PodsOf::Workload { kind, name: name.to_owned() }
            }
        };
        Ok((namespace, pods))
    }
}

/// Where an [`ObjectRef`] points.
pub(crate) enum Located {
    One(ObjectAddress),
    Some { resource: crate::cluster::Resolved, namespace: Option<String>, selector: Selector },
}

/// A lock whose holder died holds plain data that is whole all the same.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse_yaml(text: &str) -> Result<Value, Broken> {
    yaml_edit::parse(text).map_err(|error| {
        Broken::failed(FailureKind::Render, format!("`{}` is not valid YAML once filled in: {error}", first_line(text)))
    })
}

fn first_line(text: &str) -> &str {
    text.trim_start().lines().next().unwrap_or_default()
}
