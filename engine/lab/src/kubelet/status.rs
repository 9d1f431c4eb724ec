//! The status of a pod as clients see it, computed from its state.
//!
//! Invariant: a pure function of the state, the stored object and the time.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::node::NODE_ADDRESS;
use super::state::{ContainerState, Ended, Phase, PodState};
use crate::clock::rfc3339_seconds;
use crate::controllers::condition;

/// The whole `status`. `pod` is the stored object: its conditions keep their times, its class of service stays.
pub(super) fn status(pod: &Value, state: &PodState, now: Timestamp) -> Value {
    let old = pod.get("status");
    let phase = phase(pod, state);
    let mut status = Map::new();
    let conditions = conditions(old, state, phase, now);
    status.insert("phase".to_owned(), phase.into());
    status.insert("conditions".to_owned(), conditions.into());
    status.insert("hostIP".to_owned(), NODE_ADDRESS.into());
    status.insert("hostIPs".to_owned(), json!([{"ip": NODE_ADDRESS}]));
    if let Some(address) = state.address {
        status.insert("podIP".to_owned(), address.to_string().into());
        status.insert("podIPs".to_owned(), json!([{"ip": address.to_string()}]));
    }
    status.insert("startTime".to_owned(), rfc3339_seconds(state.started).into());
    for (list, init) in [("initContainerStatuses", true), ("containerStatuses", false)] {
        // Sorted by name, as the kubelet reports the ordinary ones; init containers keep their order.
        let mut containers: Vec<_> = state.containers.iter().filter(|(_, container)| container.init == init).collect();
        if !init {
            containers.sort_by_key(|(name, _)| *name);
        }
        if !containers.is_empty() {
            let containers = containers.into_iter().map(|(name, state)| container(name, state)).collect();
            status.insert(list.to_owned(), containers);
        }
    }
    if let Some(class) = old.and_then(|old| old.get("qosClass")) {
        status.insert("qosClass".to_owned(), class.clone());
    }
    status.into()
}

/// The phase that the containers amount to under the pod's restart policy.
pub(super) fn phase(pod: &Value, state: &PodState) -> &'static str {
    let policy = pod.pointer("/spec/restartPolicy").and_then(Value::as_str).unwrap_or("Always");
    let failed_init = state.containers.values().any(|container| {
        container.init && policy == "Never" && matches!(&container.phase, Phase::Ended(ended) if ended.code != 0)
    });
    if failed_init {
        return "Failed";
    }
    if !state.initialized {
        return "Pending";
    }
    let mut codes = Vec::new();
    let mut begun = false;
    for (_, container) in state.main() {
        match &container.phase {
            Phase::Ended(ended) => codes.push(ended.code),
            Phase::Running { .. } => begun = true,
            Phase::Waiting { .. } => begun |= container.last.is_some(),
        }
    }
    let finished = codes.len() == state.main().count();
    match (finished && (policy != "Always" || state.stopping), codes.iter().all(|code| *code == 0)) {
        (true, true) => "Succeeded",
        (true, false) => "Failed",
        (false, _) if begun || !codes.is_empty() => "Running",
        (false, _) => "Pending",
    }
}

fn conditions(old: Option<&Value>, state: &PodState, phase: &str, now: Timestamp) -> Vec<Value> {
    let mut conditions =
        old.and_then(|old| old.get("conditions")).and_then(Value::as_array).cloned().unwrap_or_default();
    let unready = |wanted: bool, ok: fn(&ContainerState) -> bool| {
        let names: Vec<&str> = state
            .containers
            .iter()
            .filter(|(_, container)| container.init == wanted && !ok(container))
            .map(|(name, _)| name.as_str())
            .collect();
        format!("[{}]", names.join(" "))
    };
    let mut set = |kind: &str, holds: bool, reason: &str, message: &str| {
        let (status, reason, message) = if holds { ("True", "", "") } else { ("False", reason, message) };
        condition::set(&mut conditions, kind, status, reason, message, now, false);
    };
    let done = phase == "Succeeded";
    set("PodReadyToStartContainers", state.address.is_some() && !matches!(phase, "Succeeded" | "Failed"), "", "");
    let incomplete = format!(
        "containers with incomplete status: {}",
        unready(true, |container| matches!(&container.phase, Phase::Ended(ended) if ended.code == 0)
            || container.started)
    );
    set("Initialized", state.initialized || done, "ContainersNotInitialized", &incomplete);
    let ready = state.main().all(|(_, container)| container.ready)
        && state.containers.values().all(|container| !container.sidecar || container.ready);
    let message = format!("containers with unready status: {}", unready(false, |container| container.ready));
    let (reason, message) = if done { ("PodCompleted", "") } else { ("ContainersNotReady", message.as_str()) };
    set("Ready", ready && !done, reason, message);
    set("ContainersReady", ready && !done, reason, message);
    set("PodScheduled", true, "", "");
    conditions
}

fn container(name: &str, state: &ContainerState) -> Value {
    let mut status = Map::new();
    status.insert("name".to_owned(), name.into());
    status.insert("state".to_owned(), phase_json(&state.phase));
    let last = state.last.as_ref().map_or_else(|| json!({}), |ended| json!({"terminated": ended_json(ended)}));
    status.insert("lastState".to_owned(), last);
    let ready = if state.init && !state.sidecar {
        matches!(&state.phase, Phase::Ended(ended) if ended.code == 0)
    } else {
        state.ready
    };
    status.insert("ready".to_owned(), ready.into());
    status.insert("restartCount".to_owned(), state.restarts.into());
    status.insert("image".to_owned(), full_name(&state.image).into());
    let instance = state.instance.as_ref();
    status.insert("imageID".to_owned(), instance.map(|_| image_id(&state.image)).unwrap_or_default().into());
    if let Some(instance) = instance {
        status.insert("containerID".to_owned(), format!("containerd://{}", instance.id).into());
    }
    status.insert("started".to_owned(), state.started.into());
    status.into()
}

fn phase_json(phase: &Phase) -> Value {
    match phase {
        Phase::Waiting { reason, message } if message.is_empty() => json!({"waiting": {"reason": reason}}),
        Phase::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        Phase::Running { since } => json!({"running": {"startedAt": rfc3339_seconds(*since)}}),
        Phase::Ended(ended) => json!({"terminated": ended_json(ended)}),
    }
}

fn ended_json(ended: &Ended) -> Value {
    let mut json = json!({"exitCode": ended.code, "reason": ended.reason});
    if !ended.message.is_empty() {
        json["message"] = ended.message.as_str().into();
    }
    json["startedAt"] = rfc3339_seconds(ended.started).into();
    json["finishedAt"] = rfc3339_seconds(ended.finished).into();
    json["containerID"] = format!("containerd://{}", ended.id).into();
    json
}

/// The image with registry and tag, as a runtime reports it.
fn full_name(image: &str) -> String {
    match crate::image::Reference::parse(image) {
        Some(reference) => {
            let tag = reference.tag().unwrap_or("latest");
            format!("{}/{}:{tag}", reference.registry(), reference.repository())
        }
        None => image.to_owned(),
    }
}

/// A digest that stands for the image; the lab has no layers to take one of.
fn image_id(image: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(full_name(image));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = full_name(image);
    let repository = name.rsplit_once(':').map_or(name.as_str(), |(repository, _)| repository);
    format!("{repository}@sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(policy: &str) -> Value {
        json!({
            "spec": {
                "restartPolicy": policy,
                "initContainers": [{"name": "i", "image": "busybox"}],
                "containers": [{"name": "b", "image": "busybox"}, {"name": "a", "image": "busybox"}],
            },
            "status": {"qosClass": "BestEffort"},
        })
    }

    fn ended(code: u8) -> Phase {
        let at = Timestamp::UNIX_EPOCH;
        let reason = if code == 0 { "Completed" } else { "Error" };
        Phase::Ended(Ended { code, reason, message: String::new(), started: at, finished: at, id: "f".into() })
    }

    fn state(pod: &Value, phases: [Phase; 3]) -> PodState {
        let mut state = PodState::new(pod, Timestamp::UNIX_EPOCH);
        for (container, phase) in state.containers.values_mut().zip(phases) {
            container.ready = matches!(phase, Phase::Running { .. });
            container.started = container.ready;
            container.phase = phase;
        }
        state.initialized = matches!(&state.containers["i"].phase, Phase::Ended(ended) if ended.code == 0);
        state
    }

    #[test]
    fn phases_follow_the_restart_policy() {
        let running = || Phase::Running { since: Timestamp::UNIX_EPOCH };
        let waiting = || Phase::waiting("PodInitializing", "");
        let cases = [
            ("Always", [waiting(), waiting(), waiting()], "Pending"),
            ("Always", [ended(1), waiting(), waiting()], "Pending"),
            ("Never", [ended(1), waiting(), waiting()], "Failed"),
            ("Always", [ended(0), waiting(), waiting()], "Pending"),
            ("Always", [ended(0), running(), waiting()], "Running"),
            ("Always", [ended(0), ended(0), ended(0)], "Running"),
            ("OnFailure", [ended(0), ended(0), ended(0)], "Succeeded"),
            ("Never", [ended(0), ended(1), ended(0)], "Failed"),
            ("Never", [ended(0), ended(1), running()], "Running"),
        ];
        for (policy, phases, expected) in cases {
            let pod = pod(policy);
            let case = format!("{policy} {phases:?}");
            assert_eq!(phase(&pod, &state(&pod, phases)), expected, "{case}");
        }
    }

    #[test]
    fn a_pod_is_ready_with_all_its_containers() {
        let pod = pod("Always");
        let running = || Phase::Running { since: Timestamp::UNIX_EPOCH };
        let half = state(&pod, [ended(0), running(), Phase::waiting("ContainerCreating", "")]);
        let status = status(&pod, &half, Timestamp::UNIX_EPOCH);
        let object = json!({"status": status});
        let ready = condition::find(&object, "Ready").unwrap();
        assert_eq!(
            (&ready["status"], &ready["message"]),
            (&json!("False"), &json!("containers with unready status: [a]"))
        );
        assert!(condition::is_true(&object, "Initialized"));
        assert_eq!(object["status"]["containerStatuses"][0]["name"], "a");
        assert_eq!(object["status"]["initContainerStatuses"][0]["ready"], true);
        let whole = state(&pod, [ended(0), running(), running()]);
        let status = super::status(&object, &whole, Timestamp::from_second(5).unwrap());
        let object = json!({"status": status});
        assert!(condition::is_true(&object, "Ready"));
        let ready = condition::find(&object, "Ready").unwrap();
        assert_eq!(ready["lastTransitionTime"], "1970-01-01T00:00:05Z");
        let scheduled = condition::find(&object, "PodScheduled").unwrap();
        assert_eq!(scheduled["lastTransitionTime"], "1970-01-01T00:00:00Z");
    }
}
