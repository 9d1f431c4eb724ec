//! From a `world.yaml` to a lab: reading it, filling in its parameters, starting it.
//!
//! The lab knows nothing of runbooks: it is given texts and values, and a way to fill the one into the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use periplus_core::params::{Bound, NamedValues, ParamSource};
use periplus_core::template::{Flavour, Scope, Template};
use periplus_lab::net::Uplink;
use periplus_lab::world::{ParamSpec, Params, World};
use periplus_lab::{Lab, LabBuilder, LabError};
use serde_json::Value;

use crate::book::read_text;
use crate::error::{CliError, chain};

/// The world's name beside its runbook.
const WORLD: &str = "world.yaml";

/// Largest world that is read, in bytes.
const WORLD_BYTES: u64 = 16 << 20;

/// Stands for a pod's address until the lab has given it one.
const SOME_ADDRESS: &str = "10.244.0.1";

/// What a lab starts with, and where it was read.
pub(crate) struct Setting {
    world: World,
    /// The file; `no world` where there is none.
    origin: String,
    /// The text, which is part of what a rehearsal depends on.
    pub(crate) text: String,
}

impl Setting {
    /// Reads the world that is named, else the one in `folder`, else the empty one.
    pub(crate) fn read(named: Option<&Path>, folder: Option<&Path>) -> Result<Self, CliError> {
        let beside = || folder.map(|folder| folder.join(WORLD)).filter(|path| path.exists());
        let within = |path: &Path| if path.is_dir() { path.join(WORLD) } else { path.to_owned() };
        let path: Option<PathBuf> = named.map(within).or_else(beside);
        let Some(path) = path else {
            return Ok(Self { world: World::default(), origin: "no world".to_owned(), text: String::new() });
        };
        let origin = path.display().to_string();
        let text = read_text(&path, WORLD_BYTES)
            .map_err(|problem| CliError::invalid(format!("the world {origin}: {}", problem.text())))?;
        let world = World::parse(&text).map_err(|error| {
            let invalid = CliError::invalid(format!("the world {origin}: {error}"));
            match text.contains("kind: Runbook") {
                true => invalid.help("this is a runbook; its world is a file of its own, usually world.yaml beside it"),
                false => invalid,
            }
        })?;
        Ok(Self { world, origin, text })
    }

    /// Adds the objects of a file of YAML documents, in which the world's parameters are filled in.
    pub(crate) fn add_objects(&mut self, path: &Path) -> Result<(), CliError> {
        let text = read_text(path, WORLD_BYTES)
            .map_err(|problem| CliError::invalid(format!("{}: {}", path.display(), problem.text())))?;
        self.world.objects.push(Value::String(text));
        Ok(())
    }

    /// Whether no world was named or found, so that the lab starts empty.
    pub(crate) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Draws what varies from another seed.
    pub(crate) const fn set_seed(&mut self, seed: u64) {
        self.world.seed = seed;
    }

    /// Decides everything that varies.
    pub(crate) const fn seed(&self) -> u64 {
        self.world.seed
    }

    /// The time at which a rehearsal starts.
    pub(crate) const fn epoch(&self) -> jiff::Timestamp {
        self.world.epoch
    }

    /// The world's parameters before the lab has started: a pod's address is not known yet, but that it is one.
    pub(crate) fn expected(&self) -> NamedValues {
        let value = |spec: &ParamSpec| match spec {
            ParamSpec::Value(value) => value.clone(),
            ParamSpec::Pod(_) => SOME_ADDRESS.into(),
        };
        let values = self.world.params.iter().map(|(name, spec)| (name.clone(), value(spec))).collect();
        NamedValues { origin: self.origin.clone(), values }
    }

    /// The world's parameters as the lab resolved them.
    pub(crate) fn resolved(&self, params: &Params) -> NamedValues {
        let own = |name: &String| Some((name.clone(), params.get(name)?.clone()));
        let values: IndexMap<String, Value> = self.world.params.keys().filter_map(own).collect();
        NamedValues { origin: self.origin.clone(), values }
    }

    fn builder(&self, overrides: BTreeMap<String, String>) -> LabBuilder {
        Lab::builder().world(self.world.clone()).params(overrides).renderer(fill)
    }

    /// Starts the lab in virtual time. `overrides` win over the world's own values.
    pub(crate) async fn start(&self, overrides: BTreeMap<String, String>) -> Result<Lab, CliError> {
        self.builder(overrides).virtual_time(true).build().await.map_err(|error| self.refused(&error))
    }

    /// Starts the lab in real time, with a way out to real hosts if one is given.
    pub(crate) async fn start_in_real_time(
        &self,
        overrides: BTreeMap<String, String>,
        uplink: Option<Arc<dyn Uplink>>,
    ) -> Result<Lab, CliError> {
        let mut builder = self.builder(overrides);
        if let Some(uplink) = uplink {
            builder = builder.uplink(uplink);
        }
        builder.build().await.map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &LabError) -> CliError {
        CliError::invalid(format!("{}: {}", self.origin, chain(error)))
    }
}

/// The values of a runbook that a world does not give itself: the lab needs them to fill in its texts.
pub(crate) fn overrides(bound: &Bound) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    bound
        .iter()
        .filter(|(_, param)| !matches!(param.source, ParamSource::World(_)))
        .map(|(name, param)| (name.to_owned(), text(&param.value)))
        .collect()
}

/// Fills values into a text of a world by the rules that runbooks have.
fn fill(text: &str, params: &Params) -> Result<String, String> {
    let mut scope = Scope::new();
    for (name, value) in params {
        scope.set(name, value.clone());
    }
    let template = Template::parse(text, Flavour::Text)
        .map_err(|problems| problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))?;
    template.render(&scope).map_err(|error| error.problem().message)
}
