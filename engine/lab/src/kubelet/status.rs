//! The status of a pod as clients see it, computed from its state.
//!
//! Invariant: a pure function of the state, the stored object and the time.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::node::NODE_ADDRESS;
use super::state::{ContainerState, Ended, Phase, PodState};
use crate::clock::rfc3339_seconds;
use crate::controllers::condition;
use crate::image::Image;

/// The whole `status`. `pod` is the stored object: its conditions keep their times, its class of service stays.
pub(super) fn status(pod: &Value, state: &PodState, now: Timestamp) -> Value {
    let old = pod.get("status");
    let phase = phase(pod, state);
    let generation = pod.pointer("/metadata/generation").cloned();
    let mut status = Map::new();
    if let Some(generation) = &generation {
        status.insert("observedGeneration".to_owned(), generation.clone());
    }
    let conditions = conditions(old, state, phase, now);
    let conditions = conditions.iter().map(|condition| whole_condition(condition, generation.as_ref())).collect();
    status.insert("phase".to_owned(), phase.into());
    status.insert("conditions".to_owned(), conditions);
    status.insert("hostIP".to_owned(), NODE_ADDRESS.into());
    status.insert("hostIPs".to_owned(), json!([{"ip": NODE_ADDRESS}]));
    if let Some(address) = state.address {
        status.insert("podIP".to_owned(), address.to_string().into());
        status.insert("podIPs".to_owned(), json!([{"ip": address.to_string()}]));
    }
    status.insert("startTime".to_owned(), rfc3339_seconds(state.started).into());
    for (list, specs, init) in
        [("initContainerStatuses", "initContainers", true), ("containerStatuses", "containers", false)]
    {
        // Sorted by name, as the kubelet reports the ordinary ones; init containers keep their order.
        let mut containers: Vec<_> = state.containers.iter().filter(|(_, container)| container.init == init).collect();
        if !init {
            containers.sort_by_key(|(name, _)| *name);
        }
        let spec = |name: &str| {
            let specs = pod.get("spec").and_then(|spec| spec.get(specs)).and_then(Value::as_array);
            specs.into_iter().flatten().find(|spec| spec["name"] == name).unwrap_or(&Value::Null)
        };
        if !containers.is_empty() {
            let containers = containers.into_iter().map(|(name, state)| container(name, state, spec(name))).collect();
            status.insert(list.to_owned(), containers);
        }
    }
    if let Some(class) = old.and_then(|old| old.get("qosClass")) {
        status.insert("qosClass".to_owned(), class.clone());
    }
    status.into()
}

/// A condition in the form of a pod's: with the generation that it is about, and a time of probing that nobody sets.
fn whole_condition(condition: &Value, generation: Option<&Value>) -> Value {
    let mut whole = Map::new();
    whole.insert("type".to_owned(), condition["type"].clone());
    if let Some(generation) = generation {
        whole.insert("observedGeneration".to_owned(), generation.clone());
    }
    whole.insert("status".to_owned(), condition["status"].clone());
    whole.insert("lastProbeTime".to_owned(), Value::Null);
    for key in ["lastTransitionTime", "reason", "message"] {
        if let Some(value) = condition.get(key) {
            whole.insert(key.to_owned(), value.clone());
        }
    }
    whole.into()
}

/// Whether a container that ended with `code` is started again under the pod's restart policy.
pub(super) fn is_restarted(pod: &Value, container: &ContainerState, code: u8) -> bool {
    let policy = pod.pointer("/spec/restartPolicy").and_then(Value::as_str).unwrap_or("Always");
    match policy {
        _ if container.sidecar => true,
        _ if container.init => code != 0 && policy != "Never",
        "Never" => false,
        "OnFailure" => code != 0,
        _ => true,
    }
}

/// The phase that the containers amount to, by the rules of the kubelet of 1.36 (`getPhase`).
pub(super) fn phase(pod: &Value, state: &PodState) -> &'static str {
    let (mut pending, mut running, mut waiting, mut stopped, mut succeeded, mut final_stops) = (0, 0, 0, 0, 0, 0);
    for container in state.containers.values() {
        // One that waits for its next run counts as it ended the time before.
        let ended = match &container.phase {
            Phase::Ended(ended) => Some(ended),
            Phase::Waiting { .. } => container.last.as_ref(),
            Phase::Running { .. } => None,
        };
        let is_running = container.is_running();
        match (container.init, container.sidecar) {
            (true, false) => match ended {
                Some(ended) if ended.code == 0 => {}
                Some(ended) if !is_restarted(pod, container, ended.code) => return "Failed",
                Some(_) => {}
                None => pending += 1,
            },
            (true, true) => {
                pending += usize::from(!state.initialized && !container.started && ended.is_none());
                running += usize::from(is_running);
                waiting += usize::from(!is_running && ended.is_none());
            }
            (false, _) => match ended {
                _ if is_running => running += 1,
                None => waiting += 1,
                Some(ended) => {
                    stopped += 1;
                    succeeded += usize::from(ended.code == 0 && matches!(container.phase, Phase::Ended(_)));
                    final_stops += usize::from(!is_restarted(pod, container, ended.code));
                }
            },
        }
    }
    if pending > 0 || waiting > 0 {
        return "Pending";
    }
    if running > 0 {
        return "Running";
    }
    match (stopped == final_stops || state.stopping, stopped == succeeded) {
        (false, _) => "Running",
        (true, true) => "Succeeded",
        (true, false) => "Failed",
    }
}

fn conditions(old: Option<&Value>, state: &PodState, phase: &str, now: Timestamp) -> Vec<Value> {
    let mut conditions =
        old.and_then(|old| old.get("conditions")).and_then(Value::as_array).cloned().unwrap_or_default();
    let names = |wanted: &dyn Fn(&ContainerState) -> bool| {
        let names = state.containers.iter().filter(|(_, container)| wanted(container));
        format!("[{}]", names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "))
    };
    let mut set = |kind: &str, holds: bool, reason: &str, message: &str| {
        let (status, message) = if holds { ("True", "") } else { ("False", message) };
        condition::set(&mut conditions, kind, status, reason, message, now, false);
    };
    let over = matches!(phase, "Succeeded" | "Failed");
    set("PodReadyToStartContainers", state.address.is_some() && !over, "", "");
    let is_done = |container: &ContainerState| match &container.phase {
        _ if container.sidecar => container.started,
        Phase::Ended(ended) => ended.code == 0,
        Phase::Waiting { .. } | Phase::Running { .. } => false,
    };
    let incomplete =
        format!("containers with incomplete status: {}", names(&|container| container.init && !is_done(container)));
    match phase {
        "Succeeded" => set("Initialized", true, "PodCompleted", ""),
        _ if state.initialized => set("Initialized", true, "", ""),
        _ => set("Initialized", false, "ContainersNotInitialized", &incomplete),
    }
    let is_unready = |container: &ContainerState| (!container.init || container.sidecar) && !container.ready;
    let mut unready = format!("containers with unready status: {}", names(&is_unready));
    if let Some(what) = &state.not_simulated {
        unready = format!("{unready}, {what}");
    }
    let (ready, reason, message) = match phase {
        "Succeeded" => (false, "PodCompleted", ""),
        "Failed" => (false, "PodFailed", ""),
        _ if state.containers.values().any(is_unready) => (false, "ContainersNotReady", unready.as_str()),
        _ => (true, "", ""),
    };
    set("Ready", ready, reason, message);
    set("ContainersReady", ready, reason, message);
    set("PodScheduled", true, "", "");
    // The kubelet puts its own last, in this order, whoever set one of them first.
    let own = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    conditions.sort_by_key(|condition| own.iter().position(|kind| condition["type"] == *kind).map(|at| at + 1));
    conditions
}

fn container(name: &str, state: &ContainerState, spec: &Value) -> Value {
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
    let instance = state.instance.as_ref();
    // Before there is a container, its image is reported as it is written.
    let image = if instance.is_some() { full_name(&state.image) } else { state.image.clone() };
    status.insert("image".to_owned(), image.into());
    status.insert("imageID".to_owned(), instance.map(|_| image_id(&state.image)).unwrap_or_default().into());
    if let Some(instance) = instance {
        status.insert("containerID".to_owned(), format!("containerd://{}", instance.id).into());
    }
    status.insert("started".to_owned(), state.started.into());
    let resources = spec.get("resources").cloned().unwrap_or_else(|| json!({}));
    if instance.is_some() {
        if let Some(requests) = resources.get("requests").filter(|requests| *requests != &json!({})) {
            status.insert("allocatedResources".to_owned(), requests.clone());
        }
        status.insert("resources".to_owned(), resources);
    }
    let mounts: Vec<Value> =
        spec.get("volumeMounts").and_then(Value::as_array).into_iter().flatten().map(mount_json).collect();
    if !mounts.is_empty() {
        status.insert("volumeMounts".to_owned(), mounts.into());
    }
    if let Some(instance) = instance {
        let (uid, gid) = instance.container.user();
        let groups = supplemental_groups(&instance.container.spec().image, uid, gid);
        let user = json!({"linux": {"uid": uid, "gid": gid, "supplementalGroups": groups}});
        status.insert("user".to_owned(), user);
    }
    status.into()
}

/// The groups of a user as the image's `/etc/group` has them: root is in `wheel` with BusyBox.
fn supplemental_groups(image: &Image, uid: u32, gid: u32) -> Vec<u32> {
    if uid == 0 && image.reference().repository() == "library/busybox" { vec![gid, 10] } else { vec![gid] }
}

/// A mount as the status repeats it. No runtime class of the lab mounts below a read-only mount read-only as well.
fn mount_json(mount: &Value) -> Value {
    let mut json = Map::new();
    for key in ["name", "mountPath"] {
        json.insert(key.to_owned(), mount.get(key).cloned().unwrap_or_default());
    }
    if mount.get("readOnly").and_then(Value::as_bool) == Some(true) {
        json.insert("readOnly".to_owned(), true.into());
        json.insert("recursiveReadOnly".to_owned(), "Disabled".into());
    }
    json.into()
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
            // One that has never run keeps the whole pod pending.
            ("Always", [ended(0), running(), waiting()], "Pending"),
            ("Always", [ended(0), running(), ended(1)], "Running"),
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
