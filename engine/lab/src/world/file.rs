//! The form of `world.yaml`.
//!
//! Invariant: reading a world has no effect and needs no parameter; texts with `{{` stay as they are until it is rendered.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::duration::DurationText;
use super::error::WorldError;
use super::params::{ParamSpec, Params};
use super::template::{Renderer, render_value};
use super::yaml;
use crate::clock::Clock;
use crate::fault::FaultSpec;
use crate::net::HostSpec;

/// What a lab starts with.
#[derive(Clone, Debug)]
pub struct World {
    /// Decides everything that a real cluster would draw at random. Default: 1.
    pub seed: u64,
    /// The time at which a lab with virtual time starts. Default: 2026-01-01T00:00:00Z.
    pub epoch: Timestamp,
    /// Values of parameters.
    pub params: IndexMap<String, ParamSpec>,
    /// Objects of the cluster: maps, or texts with one or more YAML documents. Unrendered.
    pub objects: Vec<Value>,
    /// Hosts outside the cluster, each in the form of [`HostSpec`]. Unrendered.
    pub hosts: Vec<Value>,
    /// Further image names and the known image that each stands for.
    pub images: BTreeMap<String, String>,
    /// The service mesh; none when the cluster has no mesh.
    pub mesh: Option<MeshSpec>,
    /// What goes wrong.
    pub faults: Vec<FaultSpec>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            seed: 1,
            epoch: Clock::virtual_epoch(),
            params: IndexMap::new(),
            objects: Vec::new(),
            hosts: Vec::new(),
            images: BTreeMap::new(),
            mesh: None,
            faults: Vec::new(),
        }
    }
}

/// The mesh of a world. Its settings live where Istio keeps them, in the ConfigMap `istio` among the objects.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MeshSpec {
    /// How long a change takes to reach a sidecar.
    #[serde(default)]
    pub propagation: Propagation,
}

/// Bounds of the delay with which sidecars learn of a change; where in between is drawn by the seed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Propagation {
    /// The shortest delay. Default: 300 ms.
    #[serde(default = "shortest_propagation")]
    pub min: DurationText,
    /// The longest delay. Default: 1.2 s.
    #[serde(default = "longest_propagation")]
    pub max: DurationText,
}

impl Default for Propagation {
    fn default() -> Self {
        Self { min: shortest_propagation(), max: longest_propagation() }
    }
}

fn shortest_propagation() -> DurationText {
    DurationText(Duration::from_millis(300))
}

fn longest_propagation() -> DurationText {
    DurationText(Duration::from_millis(1200))
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    seed: Option<u64>,
    epoch: Option<String>,
    #[serde(default)]
    params: IndexMap<String, Value>,
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    hosts: Vec<Value>,
    #[serde(default)]
    images: BTreeMap<String, String>,
    mesh: Option<MeshSpec>,
    #[serde(default)]
    faults: Vec<FaultSpec>,
}

impl World {
    /// Reads a world from YAML. An empty text is the empty world.
    ///
    /// # Errors
    /// The first problem of the text, with its place.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        // The option covers a text without any content.
        let Some(file) = yaml::typed::<Option<WorldFile>>(text)? else { return Ok(Self::default()) };
        let mut world = Self { images: file.images, mesh: file.mesh, faults: file.faults, ..Self::default() };
        world.seed = file.seed.unwrap_or(world.seed);
        if let Some(epoch) = file.epoch {
            world.epoch = epoch.parse().map_err(|_| {
                WorldError::invalid("epoch", format!("{epoch:?} is no time; write it as 2026-01-01T00:00:00Z"))
            })?;
        }
        for (name, value) in file.params {
            let spec = ParamSpec::read(&name, value)?;
            world.params.insert(name, spec);
        }
        let propagation = world.mesh.unwrap_or_default().propagation;
        if propagation.min > propagation.max {
            return Err(WorldError::invalid("mesh.propagation", "min is longer than max"));
        }
        for (index, fault) in world.faults.iter().enumerate() {
            fault.check(&format!("faults[{index}]"))?;
        }
        world.objects = file.objects;
        world.objects.iter_mut().for_each(yaml::make_integers);
        for (index, object) in world.objects.iter().enumerate() {
            if !object.is_object() && !object.is_string() {
                let reason = "an object, or a text with YAML documents, is expected here";
                return Err(WorldError::invalid(format!("objects[{index}]"), reason));
            }
        }
        world.hosts = file.hosts;
        Ok(world)
    }

    /// The world's objects with all parameters filled in, in the order of the file.
    ///
    /// # Errors
    /// The first object whose text cannot be rendered or read.
    pub fn objects(&self, params: &Params, renderer: &Renderer) -> Result<Vec<Value>, WorldError> {
        let mut objects = Vec::new();
        for (index, item) in self.objects.iter().enumerate() {
            let place = format!("objects[{index}]");
            let rendered =
                render_value(item, params, renderer).map_err(|reason| WorldError::invalid(&place, reason))?;
            match rendered {
                Value::String(text) => {
                    let read =
                        yaml::documents(&text).map_err(|error| WorldError::invalid(&place, error.to_string()))?;
                    objects.extend(read);
                }
                object => objects.push(object),
            }
        }
        Ok(objects)
    }

    /// The hosts outside the cluster with all parameters filled in.
    ///
    /// # Errors
    /// The first host that cannot be rendered or is not of the form of [`HostSpec`].
    pub fn hosts(&self, params: &Params, renderer: &Renderer) -> Result<Vec<HostSpec>, WorldError> {
        let host = |(index, item): (usize, &Value)| {
            let place = format!("hosts[{index}]");
            let mut rendered =
                render_value(item, params, renderer).map_err(|reason| WorldError::invalid(&place, reason))?;
            yaml::make_integers(&mut rendered);
            serde_json::from_value(rendered).map_err(|error| WorldError::invalid(&place, error.to_string()))
        };
        self.hosts.iter().enumerate().map(host).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::world::substitute;

    const TEXT: &str = r#"
seed: 7
params:
  PROXY_IP: {pod: corp/app=squid}
  PROXY_PORT: 3128
mesh:
  propagation: {min: 0, max: 2s}
objects:
  - {apiVersion: v1, kind: Namespace, metadata: {name: corp}}
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: squid, namespace: corp}
    data:
      squid.conf: |
        http_port {{PROXY_PORT}}
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: other}
hosts:
  - name: en.wikipedia.org
    address: 198.51.100.192
    ports:
      443: {https: {pages: {/wiki/Main_Page: {title: Wikipedia, size: 80432}}}}
      9443: closed
"#;

    #[test]
    fn a_world_is_read_and_rendered() {
        let world = World::parse(TEXT).unwrap();
        assert_eq!((world.seed, world.epoch), (7, Clock::virtual_epoch()));
        assert_eq!(world.mesh.unwrap().propagation.max.0, Duration::from_secs(2));
        let params = Params::from_iter([("PROXY_PORT".to_owned(), json!(3128))]);
        let renderer: Renderer = Arc::new(substitute);
        let objects = world.objects(&params, &renderer).unwrap();
        let names: Vec<_> = objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["corp", "squid", "other"]);
        assert_eq!(objects[1]["data"]["squid.conf"], "http_port 3128\n");
        let hosts = world.hosts(&params, &renderer).unwrap();
        assert_eq!(hosts[0].ports.keys().copied().collect::<Vec<_>>(), [443, 9443]);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = World::parse("seed: 1\nobject: []\n").unwrap_err();
        let WorldError::Syntax { line, message, .. } = error else { panic!("{error}") };
        assert_eq!(line, 2);
        assert!(message.contains("object"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        let cases = [
            ("mesh: {propagation: {min: 2s, max: 1s}}", "mesh.propagation: min is longer than max"),
            ("objects: [1]", "objects[0]: an object, or a text with YAML documents, is expected here"),
            ("epoch: yesterday", "epoch: \"yesterday\" is no time; write it as 2026-01-01T00:00:00Z"),
        ];
        for (text, message) in cases {
            assert_eq!(World::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_empty_text_is_the_empty_world() {
        assert!(World::parse("").unwrap().objects.is_empty());
        assert!(World::parse("# nothing\n").unwrap().params.is_empty());
    }
}
