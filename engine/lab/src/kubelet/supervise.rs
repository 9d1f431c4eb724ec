//! Watching over a running container by its probes.
//!
//! Invariant: nothing here ends a container; it only says that it has to be started anew.

use std::time::Duration;

use super::container::Keeper;
use super::probe::Probe;
use super::state::{Instance, Phase};

impl Keeper {
    /// Probes the container while it runs. Returns when it has to be ended, with the words for why.
    pub(super) async fn supervise(&self, instance: &Instance) -> String {
        let probe = |kind: &str| Probe::of(&self.spec, kind);
        if !self.hook(instance, "postStart").await {
            self.pod.tell(&self.name, "FailedPostStartHook", "PostStartHook failed");
            return "FailedPostStartHook".to_owned();
        }
        if let Some(startup) = probe("startupProbe") {
            if !self.watch(instance, &startup, "Startup", |_| {}).await {
                return self.failed("startup");
            }
            let waits = probe("readinessProbe").is_some();
            self.pod.update_container(&self.name, |container| {
                container.started = true;
                container.ready = !waits;
            });
        }
        let readiness = async {
            let Some(probe) = probe("readinessProbe") else { return std::future::pending().await };
            loop {
                self.watch(instance, &probe, "Readiness", |ready| {
                    if self.pod.state().containers.get(&self.name).is_some_and(|container| container.ready != ready) {
                        self.pod.update_container(&self.name, |container| container.ready = ready);
                    }
                })
                .await;
                self.pod.shared.clock.sleep(probe.period).await;
            }
        };
        let liveness = async {
            let Some(probe) = probe("livenessProbe") else { return std::future::pending().await };
            while self.watch(instance, &probe, "Liveness", |_| {}).await {
                self.pod.shared.clock.sleep(probe.period).await;
            }
        };
        tokio::select! {
            biased;
            () = liveness => self.failed("liveness"),
            () = readiness => self.failed("readiness"),
        }
    }

    fn failed(&self, probe: &str) -> String {
        let init = if self.is_init() { "Init container" } else { "Container" };
        let never = self.pod.pod.pointer("/spec/restartPolicy").and_then(serde_json::Value::as_str) == Some("Never");
        let then = if never && !self.is_init() { "" } else { ", will be restarted" };
        format!("{init} {} failed {probe} probe{then}", self.name)
    }

    fn is_init(&self) -> bool {
        self.pod.state().containers.get(&self.name).is_some_and(|container| container.init)
    }

    /// Probes until enough attempts in a row agree; true when they succeeded.
    async fn watch(&self, instance: &Instance, probe: &Probe, kind: &str, outcome: impl Fn(bool)) -> bool {
        let Some(net) = self.pod.net() else { return false };
        let clock = &self.pod.shared.clock;
        let phase = self.pod.state().containers.get(&self.name).map(|container| container.phase.clone());
        let Some(Phase::Running { since }) = phase else { return false };
        let age = Duration::try_from(clock.now().duration_since(since)).unwrap_or_default();
        clock.sleep(probe.initial_delay.saturating_sub(age)).await;
        let (mut good, mut bad) = (0, 0);
        loop {
            match probe.attempt(&self.pod.shared.node, net, &instance.container).await {
                Ok(()) => (good, bad) = (good + 1, 0),
                Err(why) => {
                    (good, bad) = (0, bad + 1);
                    self.pod.tell(&self.name, "Unhealthy", format!("{kind} probe {why}"));
                }
            }
            if good >= probe.successes {
                outcome(true);
                return true;
            }
            if bad >= probe.failures {
                outcome(false);
                return false;
            }
            clock.sleep(probe.period).await;
        }
    }
}
