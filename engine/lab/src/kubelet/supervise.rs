//! Watching over a running container by its probes.
//!
//! Invariant: nothing here ends a container; it only says that it has to be started anew.

use std::time::Duration;

use super::container::Keeper;
use super::probe::Probe;
use super::state::{Instance, Phase};

impl Keeper {
    /// Probes the container while it runs. Returns when it has to be started anew.
    pub(super) async fn supervise(&self, instance: &Instance) {
        let probe = |kind: &str| Probe::of(&self.spec, kind);
        if let Some(startup) = probe("startupProbe") {
            if !self.watch(instance, &startup, "Startup", |_| {}).await {
                return;
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
            () = liveness => {}
            () = readiness => {}
        }
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
                    self.pod.tell(&self.name, "Unhealthy", format!("{kind} probe failed: {why}"));
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
