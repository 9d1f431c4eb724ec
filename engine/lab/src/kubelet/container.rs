//! One container of a pod: created, watched over, restarted, ended.
//!
//! Invariant: the task of a container returns only when its process is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::Value;

use super::create::Prepared;
use super::pod::PodRun;
use super::state::{Ended, Instance, Phase};
use super::status::is_restarted;
use super::termination;
use crate::controllers::fnv32;
use crate::log::Stream;
use crate::process::{Exit, Fd, SIGTERM};
use crate::store::meta;

/// How long a container takes to start, in milliseconds of lab time; where in between is drawn by the seed.
const START_DELAY: std::ops::Range<u64> = 300..1000;

/// The first wait before a container is started a third time; it doubles from there.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);

/// The longest wait before a container is started again.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// A container that has run for this long starts with a clean record.
const GOOD_RUN: Duration = Duration::from_secs(600);

/// Keeps one container as the pod's restart policy asks, until it must end or is done.
pub(super) async fn run(pod: Arc<PodRun>, name: String) {
    let Some(spec) = specification(&pod.pod, &name).cloned() else { return };
    let salt = format!("{}/{}/{name}", meta::namespace(&pod.pod), meta::name(&pod.pod));
    let rng = Pcg64::seed_from_u64(pod.shared.seed ^ u64::from(fnv32(salt.as_bytes())));
    Keeper { pod, name, spec, rng, back_off: Duration::ZERO }.keep().await;
}

fn specification<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let lists = ["/spec/initContainers", "/spec/containers"];
    let mut specs = lists.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    specs.find(|spec| spec["name"] == name)
}

/// What the task of a container works with.
pub(super) struct Keeper {
    pub(super) pod: Arc<PodRun>,
    pub(super) name: String,
    pub(super) spec: Value,
    pub(super) rng: Pcg64,
    back_off: Duration,
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            let drawn = Duration::from_millis(self.rng.random_range(START_DELAY));
            let delay = if self.pod.shared.is_booting() { Duration::ZERO } else { drawn };
            let delay = delay + self.pod.shared.faults.start_delay(&self.pod.pod);
            if !self.wait(delay).await {
                return;
            }
            let Some(prepared) = self.prepare().await else { return };
            let began = self.pod.shared.clock.now();
            let Some(ended) = self.live(prepared, began).await else { return };
            if !self.starts_again(&ended) {
                let phase = Phase::Ended(ended);
                self.pod.update_container(&self.name, |container| {
                    container.phase = phase;
                    container.started = false;
                    container.ready = false;
                });
                return;
            }
            if !self.rest(ended).await {
                return;
            }
        }
    }

    /// Waits; false when the pod must end.
    async fn wait(&self, delay: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.must_end() => false,
            () = self.pod.shared.clock.sleep(delay) => true,
        }
    }

    /// Waits until the container must end: with its pod, or as a sidecar when what it stood by is over.
    async fn must_end(&self) {
        let sidecar = self.pod.state().containers.get(&self.name).is_some_and(|container| container.sidecar);
        if sidecar {
            self.pod.sidecars_over().await;
        } else {
            self.pod.stopped().await;
        }
    }

    /// Whether a container that ended so is started again.
    fn starts_again(&self, ended: &Ended) -> bool {
        let state = self.pod.state();
        let Some(container) = state.containers.get(&self.name) else { return false };
        let ends = state.stopping || container.sidecar && self.pod.are_sidecars_over();
        !ends && is_restarted(&self.pod.pod, container, ended.code)
    }

    /// Waits between two runs; false when the pod must end meanwhile.
    async fn rest(&mut self, ended: Ended) -> bool {
        let ran = ended.finished.duration_since(ended.started);
        if Duration::try_from(ran).is_ok_and(|ran| ran >= GOOD_RUN) {
            self.back_off = Duration::ZERO;
        }
        let pause = self.back_off;
        self.back_off = if pause.is_zero() { FIRST_BACK_OFF } else { (pause * 2).min(LONGEST_BACK_OFF) };
        let message = format!(
            "back-off {} restarting failed container={} pod={}_{}({})",
            go_duration(pause),
            self.name,
            meta::name(&self.pod.pod),
            meta::namespace(&self.pod.pod),
            meta::uid(&self.pod.pod)
        );
        self.pod.update_container(&self.name, |container| {
            container.started = false;
            container.ready = false;
            if pause.is_zero() {
                container.phase = Phase::Ended(ended);
            } else {
                container.last = Some(ended);
                container.phase = Phase::waiting("CrashLoopBackOff", message.as_str());
            }
        });
        if !pause.is_zero() {
            let (namespace, pod) = (meta::namespace(&self.pod.pod), meta::name(&self.pod.pod));
            let uid = meta::uid(&self.pod.pod);
            let message = format!("Back-off restarting failed container {} in pod {pod}_{namespace}({uid})", self.name);
            self.pod.tell(&self.name, "BackOff", message);
        }
        self.wait(pause).await
    }

    /// Runs one instance from start to end. None when the lab cannot run it.
    async fn live(&mut self, prepared: Prepared, began: Timestamp) -> Option<Ended> {
        let Prepared { instance, argv, stdin } = prepared;
        let mut stdout = Fd::console(instance.console.clone(), Stream::Stdout);
        let mut stderr = Fd::console(instance.console.clone(), Stream::Stderr);
        if instance.tty {
            stdout = stdout.into_terminal();
            stderr = stdout.clone();
        }
        let process = instance.container.process(argv, stdin, stdout, stderr);
        let mut process = process.run().boxed();
        // What cannot be started ends at once and never counts as running.
        let exit = match futures::poll!(&mut process) {
            std::task::Poll::Ready(exit) => {
                self.adopt(&instance, None);
                if exit.status().is_some() {
                    self.pod.tell(&self.name, "Started", "Container started");
                }
                exit
            }
            std::task::Poll::Pending => {
                self.adopt(&instance, Some(began));
                self.pod.tell(&self.name, "Started", "Container started");
                let accident = self.accident();
                let ended = tokio::select! {
                    biased;
                    exit = &mut process => Ok(exit),
                    () = self.must_end() => Err(format!("Stopping container {}", self.name)),
                    why = self.supervise(&instance) => Err(why),
                    () = accident => {
                        instance.container.kill_all();
                        Ok((&mut process).await)
                    }
                };
                match ended {
                    Ok(exit) => exit,
                    Err(why) => self.end(process, &instance, why).await,
                }
            }
        };
        instance.container.kill_all();
        instance.console.close();
        let finished = self.pod.shared.clock.now();
        let ended = |code: u8, reason: &'static str, message: String| {
            Some(Ended { code, reason, message, started: began, finished, id: instance.id.clone() })
        };
        let last_words = |code: u8| termination::message(&self.spec, &instance, code);
        match exit {
            Exit::Code(0) => ended(0, "Completed", last_words(0)),
            Exit::Code(code) => ended(code, "Error", last_words(code)),
            Exit::Signal(signal) => {
                let code = 128_u8.saturating_add(signal);
                ended(code, "Error", last_words(code))
            }
            Exit::NotFound(why) => {
                let message = format!(
                    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                     failed: unable to start container process: error during container init: {why}"
                );
                self.pod.tell(&self.name, "Failed", format!("Error: {message}"));
                ended(128, "StartError", message)
            }
            Exit::NotSimulated(what) => {
                self.pod.not_simulated(Some(&self.name), &format!("not simulated: {what}"));
                None
            }
        }
    }

    /// Makes the instance the container's present one.
    fn adopt(&self, instance: &Instance, since: Option<Timestamp>) {
        self.pod.update_container(&self.name, |container| {
            if let Some(previous) = container.instance.replace(instance.clone()) {
                container.previous_log = Some(previous.log().clone());
                container.restarts += 1;
            }
            if let Phase::Ended(ended) = &container.phase {
                container.last = Some(ended.clone());
            }
            if let Some(since) = since {
                container.phase = Phase::Running { since };
                let has = |probe: &str| self.spec.get(probe).is_some_and(|probe| !probe.is_null());
                container.started = !has("startupProbe");
                container.ready = container.started && !has("readinessProbe");
            }
        });
    }

    /// Waits for the moment at which the world lets the main process die; it does so once.
    async fn accident(&self) {
        let after = self.pod.shared.faults.restart_after(&self.pod.pod, &self.name);
        let first = self.pod.state().containers.get(&self.name).is_some_and(|container| container.restarts == 0);
        match after.filter(|_| first) {
            Some(after) => self.pod.shared.clock.sleep(after).await,
            None => std::future::pending().await,
        }
    }

    /// Asks the process to end, and kills it when its grace is over.
    async fn end(
        &self,
        mut process: Pin<Box<dyn Future<Output = Exit> + Send>>,
        instance: &Instance,
        why: String,
    ) -> Exit {
        let stopping = self.pod.state().stopping;
        self.pod.tell(&self.name, "Killing", why);
        let grace = async {
            if stopping || self.pod.is_stopped() {
                self.pod.killed().await;
            } else {
                let seconds = self.pod.pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_u64);
                self.pod.shared.clock.sleep(Duration::from_secs(seconds.unwrap_or(30))).await;
            }
        };
        let polite = async {
            self.before_stop(instance).await;
            instance.container.signal(1, SIGTERM);
            (&mut process).await
        };
        tokio::select! {
            biased;
            exit = polite => return exit,
            () = grace => {}
        }
        instance.container.kill_all();
        process.await
    }

    /// The preStop hook. One that fails has no effect but an event, as in life.
    async fn before_stop(&self, instance: &Instance) {
        if !self.hook(instance, "preStop").await {
            self.pod.tell(&self.name, "FailedPreStopHook", "PreStopHook failed");
        }
    }

    /// Carries a hook out, if there is one; false when it fails. Hooks of other kinds are refused before the start.
    pub(super) async fn hook(&self, instance: &Instance, which: &str) -> bool {
        let Some(hook) = self.spec.get("lifecycle").and_then(|lifecycle| lifecycle.get(which)) else { return true };
        if let Some(seconds) = hook.pointer("/sleep/seconds").and_then(Value::as_u64) {
            self.pod.shared.clock.sleep(Duration::from_secs(seconds)).await;
            return true;
        }
        let Some(words) = hook.pointer("/exec/command").and_then(Value::as_array) else { return true };
        let argv = words.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let process = instance.container.process(argv, Fd::null(), Fd::null(), Fd::null());
        process.run().await == Exit::SUCCESS
    }
}

/// A duration of whole seconds as Go writes it: `10s`, `1m20s`, `5m0s`.
pub(super) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}
