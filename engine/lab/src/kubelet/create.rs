//! Making a container from its specification.
//!
//! Invariant: what the lab cannot make is refused before anything of the container exists.

use rand::RngExt;
use serde_json::Value;

use super::container::Keeper;
use super::env::{self, ConfigError};
use super::etc;
use super::state::{Input, Instance, Phase};
use super::termination;
use crate::controllers::fnv32;
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
        for which in ["postStart", "preStop"] {
            if let Some(hook) = self.spec.get("lifecycle").and_then(|lifecycle| lifecycle.get(which))
                && hook.get("exec").is_none()
                && hook.get("sleep").is_none()
            {
                return lacking(&format!("{which} hooks other than exec and sleep"));
            }
        }
        if self.spec.get("volumeDevices").is_some() {
            return lacking("block devices");
        }
        let reference = self.spec.get("image").and_then(Value::as_str).unwrap_or_default().to_owned();
        let reference = reference.as_str();
        let known = self.pod.shared.images.get(reference).map_or(reference, String::as_str);
        let image = Image::lookup(known).map_err(|_| ConfigError::NotSimulated(format!("image {reference}")))?;
        let Some(net) = self.pod.net() else {
            return Err(ConfigError::Missing("the pod has no network yet".to_owned()));
        };
        let user = user(&self.pod.pod, &self.spec, &image);
        let uid = user.unwrap_or_else(|| image.user()).0;
        if uid == 0 && must_not_be_root(&self.pod.pod, &self.spec) {
            let pod = format!(
                "{}_{}({})",
                meta::name(&self.pod.pod),
                meta::namespace(&self.pod.pod),
                meta::uid(&self.pod.pod)
            );
            let container = &self.name;
            let given = user.is_some();
            let why = if given {
                "container's runAsUser breaks non-root policy"
            } else {
                "container has runAsNonRoot and image will run as root"
            };
            return Err(ConfigError::Missing(format!("{why} (pod: \"{pod}\", container: {container})")));
        }
        let variables = env::variables(self.pod.sources(), &self.spec)?;
        let argv = env::command(&self.spec, &image, &variables);
        let container = Container::new(ContainerSpec {
            user,
            image,
            hostname: etc::hostname(&self.pod.pod),
            net: net.clone(),
            clock: self.pod.shared.clock.clone(),
            env: variables.into_iter().collect(),
            working_dir: self.spec.get("workingDir").and_then(Value::as_str).map(str::to_owned),
        })
        .map_err(|error| ConfigError::Missing(error.to_string()))?;
        let files = [
            ("/etc/hosts", etc::hosts(&self.pod.pod, net.ip())),
            ("/etc/resolv.conf", etc::resolv_conf(&self.pod.pod)),
        ];
        for (path, content) in files {
            container
                .fs()
                .write(path, content.as_bytes())
                .map_err(|error| ConfigError::Missing(format!("{path}: {error}")))?;
        }
        self.mount(&container)?;
        let words = self.spec.get("terminationMessagePath").and_then(Value::as_str);
        // Where it cannot be made, the container leaves no words.
        let _ = container.fs().write(words.unwrap_or(termination::DEFAULT_PATH), b"");
        let id = (0..4).map(|_| format!("{:016x}", self.rng.random::<u64>())).collect();
        let log = ContainerLog::new(self.pod.shared.clock.clone());
        self.pull(reference);
        self.pod.tell(&self.name, "Created", "Container created");
        let (input, stdin) = Input::of(&self.spec);
        let tty = self.spec.get("tty").and_then(Value::as_bool) == Some(true);
        Ok(Prepared { instance: Instance { id, container, console: Console::new(log), input, tty }, argv, stdin })
    }

    /// Says how the image came: pulled when it is the first time or must be pulled each time, else found on the node.
    fn pull(&mut self, reference: &str) {
        let always = self.spec.get("imagePullPolicy").and_then(Value::as_str) == Some("Always");
        let new = self.pod.shared.pulled().insert(reference.to_owned());
        if !always && !new {
            let found = "already present on machine and can be accessed by the pod";
            self.pod.tell(&self.name, "Pulled", format!("Container image {reference:?} {found}"));
            return;
        }
        let milliseconds = self.rng.random_range(400..1800_u64);
        let took = if milliseconds < 1000 {
            format!("{milliseconds}ms")
        } else {
            format!("{}s", milliseconds as f64 / 1000.0)
        };
        // The lab has no layers; their size only has to be the same each time.
        let size = 2_000_000 + u64::from(fnv32(reference.as_bytes())) % 60_000_000;
        self.pod.tell(&self.name, "Pulling", format!("Pulling image {reference:?}"));
        let done = format!("Successfully pulled image {reference:?} in {took} ({took} including waiting).");
        self.pod.tell(&self.name, "Pulled", format!("{done} Image size: {size} bytes."));
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

/// Whether the container or its pod forbids to run as root.
fn must_not_be_root(pod: &Value, container: &Value) -> bool {
    let own = container.pointer("/securityContext/runAsNonRoot");
    own.or_else(|| pod.pointer("/spec/securityContext/runAsNonRoot")).and_then(Value::as_bool) == Some(true)
}

/// Whether a volume is made from objects, which no container may write to.
fn is_config(pod: &Value, name: &str) -> bool {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let volume = volumes.into_iter().flatten().find(|volume| volume["name"] == name);
    volume.is_some_and(|volume| volume.get("emptyDir").or_else(|| volume.get("persistentVolumeClaim")).is_none())
}
