//! The cells of a pod's row: how many containers are ready, what it is doing, how often it was restarted.
//!
//! Invariant: by the rules of the API server's own printer (1.36, `printPod`), which kubectl shows unchanged.

use jiff::Timestamp;
use serde_json::Value;

use super::cells::duration_text;
use crate::store::meta;

/// What a row says of a pod.
struct Row {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

pub(super) fn pod_ready(pod: &Value) -> Value {
    let row = Row::of(pod);
    format!("{}/{}", row.ready, row.total).into()
}

pub(super) fn pod_status(pod: &Value) -> Value {
    Row::of(pod).reason.into()
}

pub(super) fn pod_restarts(pod: &Value, now: Timestamp) -> Value {
    let row = Row::of(pod);
    match row.last_restart {
        Some(last) if row.restarts > 0 => format!("{} ({} ago)", row.restarts, duration_text(last, now)).into(),
        _ => row.restarts.to_string().into(),
    }
}

fn at<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn holds(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

fn condition_holds(pod: &Value, kind: &str) -> bool {
    list(pod, "/status/conditions").iter().any(|one| one["type"] == kind && one["status"] == "True")
}

/// How a container ended: its reason, else its signal or code.
fn ending(terminated: &Value) -> String {
    let number = |key: &str| terminated.get(key).and_then(Value::as_i64).unwrap_or(0);
    match (at(terminated, "/reason"), number("signal")) {
        ("", 0) => format!("ExitCode:{}", number("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

impl Row {
    fn of(pod: &Value) -> Self {
        let phase = at(pod, "/status/phase");
        let gated = list(pod, "/status/conditions")
            .iter()
            .any(|one| one["type"] == "PodScheduled" && one["reason"] == "SchedulingGated");
        let reason = match at(pod, "/status/reason") {
            _ if gated => "SchedulingGated",
            "" => phase,
            reason => reason,
        };
        let sidecars = list(pod, "/spec/initContainers").iter().filter(|one| at(one, "/restartPolicy") == "Always");
        let total = list(pod, "/spec/containers").len() + sidecars.count();
        let mut row = Self { ready: 0, total, reason: reason.to_owned(), restarts: 0, last_restart: None };
        if !row.initializing(pod) || condition_holds(pod, "Initialized") {
            row.running(pod);
        }
        let over = matches!(phase, "Succeeded" | "Failed");
        if meta::is_deleting(pod) && at(pod, "/status/reason") == "NodeLost" {
            row.reason = "Unknown".to_owned();
        } else if meta::is_deleting(pod) && !over {
            row.reason = "Terminating".to_owned();
        }
        row
    }

    fn count_restarts(&mut self, status: &Value) {
        self.restarts += status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
        let finished = at(status, "/lastState/terminated/finishedAt").parse().ok();
        self.last_restart = self.last_restart.max(finished);
    }

    /// Looks at the init containers; true when one of them is not done.
    fn initializing(&mut self, pod: &Value) -> bool {
        let specs = list(pod, "/spec/initContainers");
        for (index, status) in list(pod, "/status/initContainerStatuses").iter().enumerate() {
            self.count_restarts(status);
            let terminated = status.pointer("/state/terminated");
            let sidecar =
                specs.iter().any(|spec| spec["name"] == status["name"] && at(spec, "/restartPolicy") == "Always");
            let waiting = at(status, "/state/waiting/reason");
            match terminated {
                Some(terminated) if terminated["exitCode"] == 0 => continue,
                _ if sidecar && holds(status, "started") => {
                    self.ready += usize::from(holds(status, "ready"));
                    continue;
                }
                Some(terminated) => self.reason = format!("Init:{}", ending(terminated)),
                None if !matches!(waiting, "" | "PodInitializing") => self.reason = format!("Init:{waiting}"),
                None => self.reason = format!("Init:{index}/{}", specs.len()),
            }
            return true;
        }
        false
    }

    /// Looks at the containers of a pod that is initialized. Restarts of init containers count no more, but of sidecars.
    fn running(&mut self, pod: &Value) {
        (self.restarts, self.last_restart) = (0, None);
        let specs = list(pod, "/spec/initContainers");
        for status in list(pod, "/status/initContainerStatuses") {
            if specs.iter().any(|spec| spec["name"] == status["name"] && at(spec, "/restartPolicy") == "Always") {
                self.count_restarts(status);
            }
        }
        let (mut running, mut error) = (false, String::new());
        for status in list(pod, "/status/containerStatuses").iter().rev() {
            self.count_restarts(status);
            let waiting = at(status, "/state/waiting/reason");
            if !waiting.is_empty() {
                waiting.clone_into(&mut self.reason);
            } else if let Some(terminated) = status.pointer("/state/terminated") {
                self.reason = ending(terminated);
                if terminated["exitCode"] != 0 {
                    self.reason.clone_into(&mut error);
                }
            } else if holds(status, "ready") && status.pointer("/state/running").is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" {
            if running && condition_holds(pod, "Ready") {
                self.reason = "Running".to_owned();
            } else if !error.is_empty() {
                self.reason = error;
            } else if running {
                self.reason = "NotReady".to_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_tell_what_a_pod_is_doing() {
        let spec = json!({
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "c"}],
        });
        let done =
            json!({"name": "i", "restartCount": 2, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        let failed = json!({"name": "i", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}});
        let crashing = json!({"name": "i", "state": {"waiting": {"reason": "CrashLoopBackOff"}}});
        let waiting = json!({"name": "i", "state": {"waiting": {"reason": "PodInitializing"}}});
        let sidecar = json!({"name": "s", "started": true, "ready": true, "restartCount": 1, "state": {"running": {}}});
        let starting = json!({"name": "s", "started": false, "state": {"running": {}}});
        let runs = json!({"name": "c", "ready": true, "state": {"running": {}}});
        let creating = json!({"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}});
        let cases = [
            (json!([waiting, starting]), &creating, ("0/2", "Init:0/2", "0")),
            (json!([done, starting]), &creating, ("0/2", "Init:1/2", "2")),
            (json!([failed, starting]), &creating, ("0/2", "Init:Error", "0")),
            (json!([crashing, starting]), &creating, ("0/2", "Init:CrashLoopBackOff", "0")),
            (json!([done, sidecar]), &creating, ("1/2", "PodInitializing", "1")),
            (json!([done, sidecar]), &runs, ("2/2", "Running", "1")),
        ];
        for (init, main, expected) in cases {
            let status = json!({"phase": "Running", "initContainerStatuses": init, "containerStatuses": [main]});
            let pod = json!({"metadata": {"name": "p"}, "spec": spec, "status": status});
            let restarts = pod_restarts(&pod, Timestamp::UNIX_EPOCH);
            assert_eq!(
                (pod_ready(&pod), pod_status(&pod), restarts),
                (expected.0.into(), expected.1.into(), expected.2.into())
            );
        }
    }
}
