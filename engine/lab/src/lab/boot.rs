//! Bringing a lab up.
//!
//! Invariant: the world's objects go in through the API, as a client would send them.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use rand::RngExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::builder::LabBuilder;
use super::error::LabError;
use super::furnish::furnish;
use super::handle::{Lab, is_settled, waiting_for};
use crate::access::{Access, User};
use crate::admission::Review;
use crate::api::Api;
use crate::clock::Clock;
use crate::controllers::Controllers;
use crate::fault::Faults;
use crate::kubelet::{Ipam, Kubelet, Setup};
use crate::mesh::{Propagation, Registry};
use crate::net::Net;
use crate::status::Status;
use crate::store::{GroupResource, Store, meta};
use crate::world::{ParamSpec, World, WorldError, resolve};

/// The field manager of the world's objects.
const MANAGER: &str = "world";

/// Lab time that the world's pods have to become ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Builds a lab.
pub(super) async fn boot(builder: LabBuilder) -> Result<Lab, LabError> {
    let LabBuilder { world, overrides, virtual_time, uplink, renderer } = builder;
    let mut ipam = Ipam::default();
    let resolved = resolve(&world.params, &overrides, || ipam.reserve())?;
    ipam.pin(resolved.pins);
    let objects = world.objects(&resolved.params, &renderer)?;
    let hosts = world.hosts(&resolved.params, &renderer)?;

    let clock = if virtual_time { Clock::fixed(world.epoch) } else { Clock::system() };
    // A lab that others reach over loopback is a cluster of its own each time, told from others by its uids.
    let store = Store::new(clock.clone(), if virtual_time { world.seed } else { rand::rng().random() });
    let net = Net::new(clock, world.seed);
    for host in hosts {
        net.add_host(host);
    }
    if let Some(uplink) = uplink {
        if virtual_time {
            return Err(LabError::UplinkInVirtualTime);
        }
        net.set_uplink(uplink);
    }
    store.set_admission(Arc::new(Review::new(store.downgrade(), world.mesh.is_some())));
    let faults = Arc::new(Faults::new(world.faults.clone()));
    let kubelet = Kubelet::new(Setup {
        store: store.clone(),
        net: net.clone(),
        seed: world.seed,
        images: world.images.clone(),
        faults: Arc::clone(&faults),
        ipam,
    });
    // Tokens of a lab that others reach must not be guessed; those of a rehearsal must be the same each time.
    let key: [u8; 32] =
        if virtual_time { Sha256::digest(world.seed.to_be_bytes()).into() } else { rand::rng().random() };
    let access = Arc::new(Access::new(store.clone(), &key));
    let api = Api::new(store.clone(), Arc::new(kubelet.clone()), Arc::clone(&access));

    let mut tasks = JoinSet::new();
    tasks.spawn(access.run());
    tasks.spawn(Controllers::new(store.clone(), String::new()).run());
    tasks.spawn({
        let (net, store) = (net.clone(), store.clone());
        async move { net.follow_services(&store).await }
    });
    if let Some(mesh) = &world.mesh {
        let propagation = Propagation { min: mesh.propagation.min.0, max: mesh.propagation.max.0 };
        let registry = Registry::new(propagation, world.seed);
        net.set_control_plane(Arc::new(registry.clone()));
        let store = store.clone();
        tasks.spawn(async move { registry.follow(&store).await });
    }
    tasks.spawn(kubelet.clone().run());

    furnish(&store, &world)?;
    populate(&api, &store, objects).await?;
    settle(&store).await?;
    check_pointers(&store, &world)?;
    kubelet.boot_is_over();
    // Faults are for the lab's guests; the world itself comes up whole.
    let api = api.with_faults(faults);
    Ok(Lab { api, store, kubelet, params: resolved.params, tasks })
}

/// Applies the world's objects: namespaces and definitions first, the rest in the order of the file.
async fn populate(api: &Api, store: &Store, objects: Vec<Value>) -> Result<(), LabError> {
    let is_first = |object: &Value| matches!(object["kind"].as_str(), Some("Namespace" | "CustomResourceDefinition"));
    let (first, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_first);
    for object in first {
        apply(api, store, object).await?;
    }
    // Pods need their namespace's account, which a controller makes.
    until(store, || {
        let namespaces = store.list(&GroupResource::NAMESPACES, "").items;
        namespaces.iter().all(|one| store.get(&GroupResource::SERVICE_ACCOUNTS, meta::name(one), "default").is_some())
    })
    .await;
    for object in rest {
        apply(api, store, object).await?;
    }
    Ok(())
}

async fn apply(api: &Api, store: &Store, mut object: Value) -> Result<(), LabError> {
    let version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let refused =
        |object: &Value, status: Status| LabError::Refused { object: describe(object), status: Box::new(status) };
    let Some(resource) = store.catalog().find_kind(group, version, &kind) else {
        let reason = format!(
            "the lab's API server has no kind {kind:?} in {:?}",
            object["apiVersion"].as_str().unwrap_or_default()
        );
        return Err(WorldError::invalid(describe(&object), reason).into());
    };
    let mut path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    if resource.namespaced {
        if meta::namespace(&object).is_empty() {
            meta::metadata(&mut object).insert("namespace".to_owned(), "default".into());
        }
        path.push_str(&format!("/namespaces/{}", meta::namespace(&object)));
    }
    path.push_str(&format!("/{}/{}", resource.plural, meta::name(&object)));
    path.push_str(&format!("?fieldManager={MANAGER}&force=true&fieldValidation=Strict"));
    let request = Request::builder()
        .method(Method::PATCH)
        .uri(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(Full::new(bytes::Bytes::from(object.to_string())))
        .map_err(|error| refused(&object, Status::bad_request(error.to_string())))?;
    let response = api.handle(&Arc::new(User::admin()), request).await;
    if response.status().is_success() {
        return Ok(());
    }
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = answer["message"].as_str().unwrap_or("refused").to_owned();
    let mut status = Status::failure(message);
    status.code = code;
    Err(refused(&object, status))
}

/// `Deployment corp/squid`.
pub(super) fn describe(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or("object without a kind");
    match (meta::namespace(object), meta::name(object)) {
        ("", name) => format!("{kind} {name}"),
        (namespace, name) => format!("{kind} {namespace}/{name}"),
    }
}

/// Waits for a state of the store, at most for [`PATIENCE`].
async fn until(store: &Store, holds: impl Fn() -> bool) {
    let mut changes = store.subscribe();
    let reached = async {
        while !holds() {
            if changes.next().await.is_err() {
                changes = store.subscribe();
            }
        }
    };
    // A world whose pods crash is a world, too.
    let _ = timeout(PATIENCE, reached).await;
}

/// Waits until every pod is ready.
async fn settle(store: &Store) -> Result<(), LabError> {
    let number = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let lacking = || {
        let pods = store.list(&GroupResource::PODS, "").items;
        pods.into_iter().find(|pod| waiting_for(pod).contains("not simulated: "))
    };
    until(store, || {
        let rolled_out = store.list(&GroupResource::DEPLOYMENTS, "").items.iter().all(|one| {
            number(one, "/status/observedGeneration") >= number(one, "/metadata/generation")
                && number(one, "/status/availableReplicas") >= number(one, "/spec/replicas")
        });
        lacking().is_some()
            || rolled_out && store.list(&GroupResource::PODS, "").items.iter().all(|pod| is_settled(pod))
    })
    .await;
    match lacking() {
        None => Ok(()),
        Some(pod) => Err(LabError::NotSimulated {
            pod: format!("{}/{}", meta::namespace(&pod), meta::name(&pod)),
            message: waiting_for(&pod),
        }),
    }
}

/// Refuses a parameter whose pod nobody made: its address would lead nowhere.
fn check_pointers(store: &Store, world: &World) -> Result<(), LabError> {
    let pods = store.list(&GroupResource::PODS, "").items;
    for (name, spec) in &world.params {
        if let ParamSpec::Pod(selector) = spec
            && !pods.iter().any(|pod| selector.matches(pod))
        {
            return Err(LabError::NoSuchPod { param: name.clone(), selector: selector.to_string() });
        }
    }
    Ok(())
}
