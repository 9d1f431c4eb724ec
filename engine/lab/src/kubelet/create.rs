//! Making a container from its specification.
//!
//! Invariant: what the lab cannot make is refused before anything of the container exists.

use rand::RngExt;
use serde_json::Value;

use super::container::Keeper;
use super::env::{self, ConfigError};
use super::state::{Input, Instance, Phase};
use crate::fs::Mount;
use crate::image::Image;
use crate::log::ContainerLog;
use crate::process::{Console, Container, ContainerSpec, Fd};
use crate::store::meta;

/// What there is to start.
pub(super) struct Prepared {
    pub(super) instance: Instance,
    pub(super) argv: Vec<String>,
    pub(super) stdin: Fd,
}

impl Keeper {
    /// Makes the container, waiting for what it is configured from. None when it can't be, or when the pod must end.
    pub(super) async fn prepare(&mut self) -> Option<Prepared> {
        loop {
            let mut changes = self.pod.shared.store.subscribe();
            match self.create() {
                Ok(prepared) => return Some(prepared),
                Err(ConfigError::NotSimulated(what)) => {
                    self.pod.not_simulated(Some(&self.name), &format!("not simulated: {what}"));
                    return None;
                }
                Err(ConfigError::Missing(why)) => {
                    self.pod.tell(&self.name, "Failed", format!("Error: {why}"));
                    let phase = Phase::waiting("CreateContainerConfigError", why);
                    self.pod.update_container(&self.name, |container| container.phase = phase);
                    tokio::select! {
                        biased;
                        _ = self.pod.stopped() => return None,
                        () = self.pod.config_changed(&mut changes) => {}
                    }
                }
            }
        }
    }

    fn create(&mut self) -> Result<Prepared, ConfigError> {
        let lacking = |what: &str| Err(ConfigError::NotSimulated(what.to_owned()));
        if self.spec.pointer("/lifecycle/postStart").is_some() {
            return lacking("postStart hooks");
        }
        if let Some(hook) = self.spec.pointer("/lifecycle/preStop")
            && hook.get("exec").is_none()
            && hook.get("sleep").is_none()
        {
            return lacking("preStop hooks other than exec and sleep");
        }
        if self.spec.get("volumeDevices").is_some() {
            return lacking("block devices");
        }
        let reference = self.spec.get("image").and_then(Value::as_str).unwrap_or_default();
        let known = self.pod.shared.images.get(reference).map_or(reference, String::as_str);
        let image = Image::lookup(known).map_err(|_| ConfigError::NotSimulated(format!("image {reference}")))?;
        let Some(net) = self.pod.net() else {
            return Err(ConfigError::Missing("the pod has no network yet".to_owned()));
        };
        let variables = env::variables(self.pod.sources(), &self.spec)?;
        let argv = env::command(&self.spec, &image, &variables);
        let container = Container::new(ContainerSpec {
            user: user(&self.pod.pod, &self.spec, &image),
            image,
            hostname: meta::name(&self.pod.pod).to_owned(),
            net: net.clone(),
            clock: self.pod.shared.clock.clone(),
            env: variables.into_iter().collect(),
            working_dir: self.spec.get("workingDir").and_then(Value::as_str).map(str::to_owned),
        })
        .map_err(|error| ConfigError::Missing(error.to_string()))?;
        self.mount(&container)?;
        let id = (0..4).map(|_| format!("{:016x}", self.rng.random::<u64>())).collect();
        let log = ContainerLog::new(self.pod.shared.clock.clone());
        let said = format!("Container image {reference:?} already present on machine");
        self.pod.tell(&self.name, "Pulled", said);
        self.pod.tell(&self.name, "Created", format!("Created container: {}", self.name));
        let (input, stdin) = Input::of(&self.spec);
        let tty = self.spec.get("tty").and_then(Value::as_bool) == Some(true);
        Ok(Prepared { instance: Instance { id, container, console: Console::new(log), input, tty }, argv, stdin })
    }

    fn mount(&self, container: &Container) -> Result<(), ConfigError> {
        let Some(volumes) = self.pod.volumes() else { return Ok(()) };
        for mount in self.spec.get("volumeMounts").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
            if mount.get("subPathExpr").is_some() {
                return Err(ConfigError::NotSimulated("subPathExpr".to_owned()));
            }
            let Some(volume) = volumes.get(text("name")) else { continue };
            let read_only =
                mount.get("readOnly").and_then(Value::as_bool) == Some(true) || is_config(&self.pod.pod, text("name"));
            let sub_path = Some(text("subPath")).filter(|path| !path.is_empty()).map(str::to_owned);
            let mounted = Mount { volume: volume.clone(), sub_path, read_only };
            container.fs().mount(text("mountPath"), &mounted).map_err(|error| {
                ConfigError::Missing(format!("failed to mount {:?} at {}: {error}", text("name"), text("mountPath")))
            })?;
        }
        Ok(())
    }
}

/// The user and group that the container or its pod asks for.
fn user(pod: &Value, container: &Value, image: &Image) -> Option<(u32, u32)> {
    let asked = |key: &str| {
        let own = container.get("securityContext").and_then(|context| context.get(key));
        let number = own.or_else(|| pod.pointer("/spec/securityContext")?.get(key)).and_then(Value::as_u64);
        number.and_then(|number| u32::try_from(number).ok())
    };
    match (asked("runAsUser"), asked("runAsGroup")) {
        (None, None) => None,
        (user, group) => {
            let (image_user, image_group) = image.user();
            // A user by number has no group of the image's own.
            Some((user.unwrap_or(image_user), group.unwrap_or(if user.is_some() { 0 } else { image_group })))
        }
    }
}

/// Whether a volume is made from objects, which no container may write to.
fn is_config(pod: &Value, name: &str) -> bool {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let volume = volumes.into_iter().flatten().find(|volume| volume["name"] == name);
    volume.is_some_and(|volume| volume.get("emptyDir").is_none())
}
