//! A runbook with the values of one walk through its page: parameters as the lab's world gives them, captures as the
//! reader's shell holds them.

use std::collections::BTreeMap;
use std::path::Path;

use periplus_core::graph::{Dag, EdgeKind};
use periplus_core::load::{Files, load};
use periplus_core::manifest;
use periplus_core::model::verb::{Manifest, Verb};
use periplus_core::model::{Runbook, Step, Text, Tree};
use periplus_core::params::{Given, NamedValues, Outside, bind};
use periplus_core::source::{Node, NodeKind, Source, Style};
use periplus_core::template::{Condition, Flavour, Scope, Templates};
use periplus_core::yaml_edit;
use serde_json::Value;

/// A runbook of the repository.
pub(crate) struct Book {
    pub(crate) runbook: Runbook,
    pub(crate) dag: Dag,
    /// The text of its `world.yaml`; empty where it has none, as the lab then is.
    pub(crate) world: String,
}

struct Beside<'p>(&'p Path);

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }
}

/// No environment and no files: a page's parameters come from its world.
struct Nothing;

impl Outside for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not there"))
    }
}

impl Book {
    pub(crate) fn load(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the repository");
        let name = folder.join("runbook.yaml").display().to_string();
        let loaded = load(&Source { name: name.clone(), text: read("runbook.yaml") }, &Beside(folder));
        let (Some(runbook), Some(order)) = (loaded.runbook, loaded.order) else {
            panic!("{name} is not in order: {:?}", loaded.diagnostics)
        };
        let world = std::fs::read_to_string(folder.join("world.yaml")).unwrap_or_default();
        Self { runbook, dag: order.dag, world }
    }

    pub(crate) fn step(&self, id: &str) -> Option<(usize, &Step)> {
        self.runbook.steps.iter().enumerate().find(|(_, step)| step.id.value.as_str() == id)
    }

    /// The steps of their own that judge the output of this exec.
    pub(crate) fn judges_of(&self, exec: &Step) -> impl Iterator<Item = &Step> {
        self.runbook.steps.iter().filter(|step| match &step.verb {
            Verb::ExpectOutput(expect) => expect.of.as_ref().is_some_and(|of| of.value == exec.id.value),
            _ => false,
        })
    }

    /// The parameters, where the world gives these values.
    pub(crate) fn values(&self, world: &BTreeMap<String, String>) -> Values {
        let known = world.iter().filter(|(name, _)| self.runbook.params.contains_key(*name));
        let values = known.map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let given = Given { world: Some(NamedValues { origin: "the world".to_owned(), values }), ..Given::default() };
        let bound = bind(&self.runbook.params, &given, &Nothing)
            .unwrap_or_else(|problems| panic!("the world gives every parameter that needs a value: {problems:?}"));
        Values { scope: bound.scope(), templates: Templates::default() }
    }
}

/// Parameters and captures.
pub(crate) struct Values {
    scope: Scope,
    templates: Templates,
}

impl Values {
    pub(crate) fn keep(&mut self, name: &str, value: &str) {
        self.scope.set(name, value);
    }

    /// A value as a shell variable holds it; `None` where shells have no one way to hold it.
    pub(crate) fn in_shell(&self, name: &str) -> Option<String> {
        match self.scope.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(_) | Value::Object(_) => None,
            other => Some(other.to_string()),
        }
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&self, when: &Text) -> Result<bool, String> {
        let condition = Condition::parse(&when.raw).map_err(|problem| problem.message)?;
        condition.eval(&self.scope).map_err(|error| error.to_string())
    }

    pub(crate) fn text(&mut self, raw: &str, flavour: Flavour) -> Result<String, String> {
        let template = self.templates.get(raw, flavour).map_err(|problems| format!("{problems:?}"))?;
        template.render(&self.scope).map_err(|error| error.message)
    }

    /// YAML data with its templates filled in.
    pub(crate) fn tree(&mut self, tree: &Tree) -> Result<Value, String> {
        match tree {
            Tree::Text(text) => yaml_edit::parse(&self.text(&text.raw, Flavour::Manifest)?),
            Tree::Node(node) => self.node(node),
        }
    }

    fn node(&mut self, node: &Node) -> Result<Value, String> {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let text = self.text(&scalar.text, Flavour::Text)?;
                if scalar.style == Style::Plain { yaml_edit::parse(&text) } else { Ok(Value::String(text)) }
            }
            NodeKind::List(items) => items.iter().map(|item| self.node(item)).collect(),
            NodeKind::Map(entries) => entries
                .iter()
                .map(|(key, value)| match &key.kind {
                    NodeKind::Scalar(key) => Ok((self.text(&key.text, Flavour::Text)?, self.node(value)?)),
                    _ => Err("a key must be a single value".to_owned()),
                })
                .collect(),
        }
    }
}

impl Book {
    /// The namespace of what names this one, or none.
    pub(crate) fn namespace(&self, step: &Step, own: Option<&Text>, values: &mut Values) -> Result<String, String> {
        let found = own.or(step.namespace.as_ref()).or(self.runbook.namespace.as_ref());
        found.map_or(Ok(String::new()), |text| values.text(&text.raw, Flavour::Text))
    }

    /// The objects that a step applies, each with its namespace.
    pub(crate) fn applied(&self, step: &Step, values: &mut Values) -> Result<Vec<Value>, String> {
        let Verb::Apply(apply) = &step.verb else { return Ok(Vec::new()) };
        let mut objects = Vec::new();
        for manifest in &apply.manifests {
            let text = match manifest {
                Manifest::Inline(text) => values.text(&text.raw, Flavour::Manifest)?,
                Manifest::File { render: true, text, .. } => values.text(text, Flavour::Manifest)?,
                Manifest::File { text, .. } => text.clone(),
            };
            for mut object in manifest::parse(&text).map_err(|error| error.to_string())? {
                if object["kind"] != "Namespace" && object.pointer("/metadata/namespace").is_none() {
                    object["metadata"]["namespace"] = self.namespace(step, apply.namespace.as_ref(), values)?.into();
                }
                objects.push(object);
            }
        }
        Ok(objects)
    }

    /// Whether a step is skipped: by its own condition, or since one that it names was.
    pub(crate) fn is_skipped(&self, position: usize, skipped: &[usize], values: &Values) -> Result<bool, String> {
        let named = |(before, kind)| kind == EdgeKind::Use && skipped.contains(&before);
        if self.dag.waits_for(position).any(named) {
            return Ok(true);
        }
        let when = self.runbook.steps[position].when.as_ref();
        when.map_or(Ok(false), |when| values.holds(when).map(|holds| !holds))
    }
}
