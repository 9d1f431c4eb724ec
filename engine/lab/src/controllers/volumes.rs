//! Volume claims: bound to a volume that fits, or to one that the lab's provisioner makes.
//!
//! Invariant: a volume belongs to one claim, and a claim that pods use is not removed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::event::Note;
use super::object::{list, map, text};
use super::plan::{Action, Plan, View};
use super::pods;
use super::scheduler::quantity::thousandths;
use crate::store::{GroupResource, meta};

/// The class that claims get if they ask for none.
pub(crate) const DEFAULT_CLASS: &str = "standard";

/// The provisioner of that class: volumes are directories of a node, made when a pod needs them.
pub(crate) const PROVISIONER: &str = "rancher.io/local-path";

/// The finalizer of a claim that pods may use.
pub(crate) const PVC_PROTECTION: &str = "kubernetes.io/pvc-protection";

const BINDER: &str = "persistentvolume-controller";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";

/// Compares a claim with the volumes that there are.
pub(super) fn reconcile(view: &View<'_>, claim: &Value) -> Plan {
    let mut plan = Plan::default();
    if meta::is_deleting(claim) {
        let is_held = meta::finalizers(claim).any(|finalizer| finalizer == PVC_PROTECTION);
        if is_held && !is_used(view, claim) {
            let mut free = claim.clone();
            let metadata = meta::metadata(&mut free);
            if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
                finalizers.retain(|finalizer| finalizer != PVC_PROTECTION);
            }
            plan.push(Action::Update(GroupResource::CLAIMS, free));
        }
        return plan;
    }
    match text(claim, "/spec/volumeName") {
        Some(name) => match view.get(&GroupResource::VOLUMES, "", name) {
            Some(volume) => bind(claim, &volume, &mut plan),
            None => set_phase(claim, "Lost", &mut plan),
        },
        None => match fitting(view, claim) {
            Some(volume) => bind(claim, &volume, &mut plan),
            None => provision(view, claim, &mut plan),
        },
    }
    plan
}

/// What follows from a claim that is gone: its volume is deleted or kept, as the volume says.
pub(super) fn gone(view: &View<'_>, namespace: &str, name: &str) -> Plan {
    let mut plan = Plan::default();
    for volume in view.list(&GroupResource::VOLUMES, "") {
        let of = |key: &str| text(&volume, &format!("/spec/claimRef/{key}")).unwrap_or_default().to_owned();
        if of("namespace") != namespace || of("name") != name {
            continue;
        }
        let uid = of("uid");
        let is_there = view.get(&GroupResource::CLAIMS, namespace, name).is_some_and(|claim| meta::uid(&claim) == uid);
        if is_there || uid.is_empty() {
            continue;
        }
        if text(&volume, "/spec/persistentVolumeReclaimPolicy") == Some("Delete") {
            plan.push(Action::delete(&GroupResource::VOLUMES, &volume));
        } else {
            plan.set_status(&GroupResource::VOLUMES, &volume, json!({"phase": "Released"}));
        }
    }
    plan
}

fn is_used(view: &View<'_>, claim: &Value) -> bool {
    let pods = view.list(&GroupResource::PODS, meta::namespace(claim));
    pods.iter().any(|pod| !pods::is_finished(pod) && claims_of(pod).any(|name| name == meta::name(claim)))
}

/// The claims that a pod's volumes name.
pub(super) fn claims_of(pod: &Value) -> impl Iterator<Item = &str> {
    list(pod, "/spec/volumes").iter().filter_map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
}

/// Why the claims of a pod keep it from every node.
pub(super) fn missing_claim(view: &View<'_>, pod: &Value) -> Option<String> {
    for name in claims_of(pod) {
        let Some(claim) = view.get(&GroupResource::CLAIMS, meta::namespace(pod), name) else {
            return Some(format!("persistentvolumeclaim {name:?} not found"));
        };
        if meta::is_deleting(&claim) {
            return Some(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
        if !is_bound(&claim) && !waits_for_pod(view, &claim) {
            return Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    None
}

/// Asks for the volumes of the claims that wait for a pod, on the node that it is to run on. True while one is missing.
pub(super) fn waits_for_volumes(view: &View<'_>, pod: &Value, node: &str, plan: &mut Plan) -> bool {
    let mut waits = false;
    for name in claims_of(pod) {
        let claim = view.get(&GroupResource::CLAIMS, meta::namespace(pod), name);
        let Some(claim) = claim.filter(|claim| !is_bound(claim)) else { continue };
        waits = true;
        if meta::annotation(&claim, SELECTED_NODE).is_none() {
            let mut asked = Value::clone(&claim);
            meta::metadata(&mut asked);
            meta::child(&mut asked["metadata"], "annotations").insert(SELECTED_NODE.to_owned(), node.into());
            plan.push(Action::Update(GroupResource::CLAIMS, asked));
        }
    }
    waits
}

fn is_bound(claim: &Value) -> bool {
    text(claim, "/status/phase") == Some("Bound")
}

fn class(view: &View<'_>, claim: &Value) -> Option<Arc<Value>> {
    view.get(&GroupResource::STORAGE_CLASSES, "", text(claim, "/spec/storageClassName")?)
}

fn waits_for_pod(view: &View<'_>, claim: &Value) -> bool {
    class(view, claim).is_some_and(|class| text(&class, "/volumeBindingMode") == Some("WaitForFirstConsumer"))
}

/// The smallest volume that nobody has and that offers what the claim asks for.
fn fitting(view: &View<'_>, claim: &Value) -> Option<Arc<Value>> {
    let size = |object: &Value, pointer: &str| text(object, pointer).and_then(thousandths).unwrap_or(0);
    let wanted = size(claim, "/spec/resources/requests/storage");
    let modes = list(claim, "/spec/accessModes");
    let mut volumes = view.list(&GroupResource::VOLUMES, "");
    volumes.retain(|volume| {
        let owner = volume.pointer("/spec/claimRef");
        let is_free = owner.is_none_or(|owner| {
            owner["namespace"] == meta::namespace(claim)
                && owner["name"] == meta::name(claim)
                && owner.get("uid").is_none_or(|uid| uid == meta::uid(claim))
        });
        is_free
            && !meta::is_deleting(volume)
            && text(volume, "/spec/storageClassName") == text(claim, "/spec/storageClassName")
            && size(volume, "/spec/capacity/storage") >= wanted
            && modes.iter().all(|mode| list(volume, "/spec/accessModes").contains(mode))
            && (claim.pointer("/spec/selector").is_none()
                || super::selector::selects(claim.pointer("/spec/selector"), volume))
    });
    let is_reserved = |volume: &Value| volume.pointer("/spec/claimRef").is_some();
    volumes.into_iter().min_by_key(|volume| (!is_reserved(volume), size(volume, "/spec/capacity/storage")))
}

/// Ties a claim and a volume to each other.
fn bind(claim: &Value, volume: &Value, plan: &mut Plan) {
    let mut bound = volume.clone();
    if bound.pointer("/spec/claimRef/uid").is_none() {
        bound["spec"]["claimRef"] = reference(claim);
        if volume.pointer("/spec/claimRef").is_none() {
            meta::child(&mut bound["metadata"], "annotations").insert(BOUND_BY_CONTROLLER.to_owned(), "yes".into());
        }
        plan.push(Action::Update(GroupResource::VOLUMES, bound.clone()));
    }
    plan.set_status(&GroupResource::VOLUMES, &bound, json!({"phase": "Bound"}));
    let mut tied = claim.clone();
    if text(claim, "/spec/volumeName").is_none() {
        tied["spec"]["volumeName"] = meta::name(volume).into();
        let annotations = meta::child(&mut tied["metadata"], "annotations");
        for key in [BIND_COMPLETED, BOUND_BY_CONTROLLER] {
            annotations.insert(key.to_owned(), "yes".into());
        }
        plan.push(Action::Update(GroupResource::CLAIMS, tied.clone()));
    }
    let mut status = json!({"phase": "Bound"});
    for key in ["accessModes", "capacity"] {
        if let Some(value) = volume.pointer(&format!("/spec/{key}")) {
            status[key] = value.clone();
        }
    }
    plan.set_status(&GroupResource::CLAIMS, &tied, status);
}

fn reference(claim: &Value) -> Value {
    json!({
        "kind": "PersistentVolumeClaim", "namespace": meta::namespace(claim), "name": meta::name(claim),
        "uid": meta::uid(claim), "apiVersion": "v1", "resourceVersion": meta::resource_version(claim),
    })
}

fn set_phase(claim: &Value, phase: &str, plan: &mut Plan) {
    plan.set_status(&GroupResource::CLAIMS, claim, json!({"phase": phase}));
}

/// Makes a volume for a claim of the lab's class, or says what the claim waits for.
fn provision(view: &View<'_>, claim: &Value, plan: &mut Plan) {
    if text(claim, "/status/phase").is_none() {
        set_phase(claim, "Pending", plan);
    }
    let tell = |plan: &mut Plan, component: &'static str, reason: &'static str, message: String| {
        plan.push(Action::Tell(Note::normal(claim, component, reason, message)));
    };
    let Some(class) = class(view, claim) else {
        match text(claim, "/spec/storageClassName") {
            None => {
                let why = "no persistent volumes available for this claim and no storage class is set";
                tell_once(view, claim, plan, |plan| tell(plan, BINDER, "FailedBinding", why.to_owned()));
            }
            Some(name) => tell_once(view, claim, plan, |plan| {
                let why = format!("storageclass.storage.k8s.io {name:?} not found");
                plan.push(Action::Tell(Note::warning(claim, BINDER, "ProvisioningFailed", why)));
            }),
        }
        return;
    };
    let node = meta::annotation(claim, SELECTED_NODE);
    if waits_for_pod(view, claim) && node.is_none() {
        let why = "waiting for first consumer to be created before binding";
        return tell_once(view, claim, plan, |plan| tell(plan, BINDER, "WaitForFirstConsumer", why.to_owned()));
    }
    let provisioner = text(&class, "/provisioner").unwrap_or_default();
    if provisioner == "kubernetes.io/no-provisioner" {
        return;
    }
    let key = "volume.kubernetes.io/storage-provisioner";
    if meta::annotation(claim, key) != Some(provisioner) {
        let mut asked = claim.clone();
        meta::metadata(&mut asked);
        let annotations = meta::child(&mut asked["metadata"], "annotations");
        annotations.insert("volume.beta.kubernetes.io/storage-provisioner".to_owned(), provisioner.into());
        annotations.insert(key.to_owned(), provisioner.into());
        plan.push(Action::Update(GroupResource::CLAIMS, asked));
        let why = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        return tell(plan, BINDER, "ExternalProvisioning", why);
    }
    if provisioner == PROVISIONER {
        let name = format!("pvc-{}", meta::uid(claim));
        let (namespace, own) = (meta::namespace(claim), meta::name(claim));
        let why = format!("External provisioner is provisioning volume for claim \"{namespace}/{own}\"");
        tell(plan, PROVISIONER, "Provisioning", why);
        plan.push(Action::Create(GroupResource::VOLUMES, new_volume(claim, &class, &name, node)));
        tell(plan, PROVISIONER, "ProvisioningSucceeded", format!("Successfully provisioned volume {name}"));
    }
}

/// Tells what a claim waits for, but only while the claim is new: later looks would only repeat it.
fn tell_once(view: &View<'_>, claim: &Value, plan: &mut Plan, tell: impl FnOnce(&mut Plan)) {
    let is_told = text(claim, "/status/phase").is_some() && super::object::created(claim) < view.now();
    if !is_told {
        tell(plan);
    }
}

fn new_volume(claim: &Value, class: &Value, name: &str, node: Option<&str>) -> Value {
    let path = format!("/opt/local-path-provisioner/{name}_{}_{}", meta::namespace(claim), meta::name(claim));
    let mut spec = json!({
        "capacity": map(claim, "/spec/resources/requests").cloned().unwrap_or_default(),
        "hostPath": {"path": path, "type": "DirectoryOrCreate"},
        "accessModes": list(claim, "/spec/accessModes"),
        "claimRef": reference(claim),
        "persistentVolumeReclaimPolicy": text(class, "/reclaimPolicy").unwrap_or("Delete"),
        "storageClassName": meta::name(class),
        "volumeMode": text(claim, "/spec/volumeMode").unwrap_or("Filesystem"),
    });
    if let Some(node) = node {
        spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]},
        ]}});
    }
    let metadata = json!({
        "name": name,
        "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
    });
    json!({"kind": "PersistentVolume", "apiVersion": "v1", "metadata": metadata, "spec": spec})
}
