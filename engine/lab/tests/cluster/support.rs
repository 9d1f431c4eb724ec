//! A lab and an ordinary Kubernetes client for it, over the in-memory pipe.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, AttachParams, DynamicObject, ListParams, LogParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use periplus_lab::world::World;
use periplus_lab::{Lab, LabError};
use serde_json::Value;
use tokio::io::AsyncReadExt;

/// The world of the tutorial's rehearsal.
pub(crate) const WORLD: &str = include_str!("../../../../runbooks/external-https-proxy/world.yaml");

/// The tutorial's client.
pub(crate) const SLEEP: &str = include_str!("../../../../runbooks/external-https-proxy/manifests/sleep.yaml");

pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    pub(crate) client: Client,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: Value,
}

impl Outcome {
    pub(crate) fn code(&self) -> Option<u8> {
        if self.status["status"] == "Success" {
            return Some(0);
        }
        let causes = self.status["details"]["causes"].as_array()?;
        causes.iter().find(|cause| cause["reason"] == "ExitCode")?["message"].as_str()?.parse().ok()
    }
}

impl Cluster {
    /// A lab with this world, in virtual time.
    pub(crate) async fn start(world: &str) -> Self {
        Self::with_params(world, &[]).await.expect("the lab boots")
    }

    /// The same with parameters that win over the world's.
    pub(crate) async fn with_params(world: &str, overrides: &[(&str, &str)]) -> Result<Self, LabError> {
        let overrides: BTreeMap<_, _> = overrides.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let world = World::parse(world)?;
        let lab = Lab::builder().world(world).params(overrides).virtual_time(true).build().await?;
        let service = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
        let service = service.build::<_, kube::client::Body>(lab.connector());
        let service = tower::ServiceBuilder::new()
            .layer(tower::util::MapRequestLayer::new(|request: http::Request<kube::client::Body>| {
                let (mut parts, body) = request.into_parts();
                let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                parts.uri = format!("http://lab{path}").parse().expect("a path makes a URI");
                http::Request::from_parts(parts, body)
            }))
            .service(service);
        Ok(Self { lab, client: Client::new(service, "default") })
    }

    pub(crate) fn param(&self, name: &str) -> String {
        match &self.lab.params()[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    pub(crate) async fn apply(&self, namespace: &str, manifests: &str) {
        for object in serde_yaml::from_multiple::<Value>(manifests).expect("manifests are YAML") {
            let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api: Api<DynamicObject> = match kind {
                "Namespace" => Api::all_with(self.client.clone(), &resource),
                _ => Api::namespaced_with(self.client.clone(), namespace, &resource),
            };
            let name = object["metadata"]["name"].as_str().unwrap();
            api.patch(name, &PatchParams::apply("test"), &Patch::Apply(&object)).await.expect("the object is taken");
        }
    }

    pub(crate) async fn available(&self, namespace: &str, name: &str) {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let available = kube::runtime::wait::conditions::is_deployment_completed();
        let waiting = kube::runtime::wait::await_condition(api, name, available);
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("in time").expect("the watch holds");
    }

    pub(crate) async fn pod(&self, namespace: &str, app: &str) -> String {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pods = api.list(&ListParams::default().labels(&format!("app={app}"))).await.expect("pods are listed");
        pods.items[0].metadata.name.clone().expect("a pod has a name")
    }

    pub(crate) async fn exec(&self, namespace: &str, pod: &str, container: &str, command: &[&str]) -> Outcome {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = AttachParams::default()
            .container(container)
            .max_stdout_buf_size(1 << 20)
            .max_stderr_buf_size(1 << 20)
            .stderr(true)
            .stdin(false);
        let mut session = api.exec(pod, command.iter().copied(), &params).await.expect("the exec is let through");
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let (mut out, mut err) = (session.stdout().expect("asked for"), session.stderr().expect("asked for"));
        let status = session.take_status().expect("asked for");
        let (first, second, status) =
            tokio::join!(out.read_to_string(&mut stdout), err.read_to_string(&mut stderr), status);
        first.and(second).expect("output is text");
        Outcome { stdout, stderr, status: serde_json::to_value(status).expect("a status is JSON") }
    }

    pub(crate) async fn log(&self, namespace: &str, pod: &str, container: &str) -> String {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        api.logs(pod, &params).await.expect("the log is there")
    }
}
