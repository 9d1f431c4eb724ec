//! A lab with the world of the recordings, and a client that runs commands in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    Api, ApiResource, AttachParams, DynamicObject, GroupVersionKind, ListParams, LogParams, Patch, PatchParams,
    TypeMeta,
};
use kube::{Client, ResourceExt};
use periplus_lab::Lab;
use periplus_lab::mesh::MeshObjects;
use periplus_lab::world::World;
use regex::Regex;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::cases::{Case, Found};

const WORLD: &str = include_str!("world.yaml");

pub(crate) struct Cluster {
    _lab: Lab,
    client: Client,
}

/// kube leaves the authority to its own layer; the pipe needs some.
fn with_host(mut request: http::Request<kube::client::Body>) -> http::Request<kube::client::Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("http://lab{path}").parse().expect("a URI");
    request
}

impl Cluster {
    /// A new lab in the state that a case begins with.
    pub(crate) async fn start(case: &Case) -> Self {
        let params = [
            ("PROXY_IP", "10.244.0.95"),
            ("POLICY", case.policy),
            ("SQUID_PORT", case.squid_port),
            ("SQUID_TAG", case.squid),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let cluster = Self::with(WORLD, &params).await;
        for entry in &case.entries {
            cluster.apply(entry).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        cluster
    }

    /// A new lab with this world.
    pub(crate) async fn with(world: &str, params: &BTreeMap<String, String>) -> Self {
        let world = World::parse(world).expect("the world is well-formed");
        let builder = Lab::builder().world(world).params(params.clone()).virtual_time(true);
        let lab = builder.build().await.expect("a lab");
        assert_eq!(lab.unready(), []);
        let service =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build(lab.connector());
        let client = Client::new(tower::ServiceExt::map_request(service, with_host), "default");
        Self { _lab: lab, client }
    }

    /// Applies an object; without a namespace, in `default`.
    pub(crate) async fn apply(&self, object: &Value) {
        let version = object["apiVersion"].as_str().expect("a version");
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let kind = GroupVersionKind::gvk(group, version, object["kind"].as_str().expect("a kind"));
        let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
        let resource = ApiResource::from_gvk(&kind);
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &namespace, &resource);
        let patch = PatchParams::apply("test").force();
        api.patch(&object.name_any(), &patch, &Patch::Apply(&object)).await.expect("applied");
    }

    /// The name of the pod with these labels.
    pub(crate) async fn pod_of(&self, namespace: &str, labels: &str) -> String {
        let pods = self.pods(namespace).list(&ListParams::default().labels(labels)).await.expect("pods");
        pods.items.first().expect("a pod").name_any()
    }

    /// What the mesh's control plane reads.
    pub(crate) async fn mesh_objects(&self) -> MeshObjects {
        let istio = |kind: &str| ("networking.istio.io", "v1", kind.to_owned());
        let mut objects = MeshObjects {
            config_maps: self.all("", "v1", "ConfigMap").await,
            services: self.all("", "v1", "Service").await,
            endpoint_slices: self.all("discovery.k8s.io", "v1", "EndpointSlice").await,
            secrets: self.all("", "v1", "Secret").await,
            pods: self.all("", "v1", "Pod").await,
            istio: Vec::new(),
        };
        objects.config_maps.retain(|map| map["metadata"]["namespace"] == "istio-system");
        let kinds = ["DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "VirtualService"].map(istio);
        let policy = ("security.istio.io", "v1", "PeerAuthentication".to_owned());
        for (group, version, kind) in kinds.into_iter().chain([policy]) {
            objects.istio.extend(self.all(group, version, &kind).await);
        }
        objects
    }

    async fn all(&self, group: &str, version: &str, kind: &str) -> Vec<Arc<Value>> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let found = api.list(&ListParams::default()).await.expect("a list").items;
        let whole = found.into_iter().map(|mut object| {
            object.types.get_or_insert_with(|| TypeMeta { api_version: String::new(), kind: kind.to_owned() });
            Arc::new(serde_json::to_value(object).expect("an object"))
        });
        whole.collect()
    }

    /// The log of a pod's proxy.
    pub(crate) async fn log(&self, namespace: &str, pod: &str) -> String {
        let container = LogParams { container: Some("istio-proxy".to_owned()), ..LogParams::default() };
        self.pods(namespace).logs(pod, &container).await.expect("a log")
    }

    /// Runs the case's command, and what it left in the logs, with time, ports and counters masked.
    pub(crate) async fn run(&self, case: &Case) -> Found {
        let (namespace, pod) = if case.inside { ("default", "inside") } else { ("external", "outside") };
        let (exit, stdout, stderr) = self.exec(namespace, pod, "sleep", &["sh", "-c", case.command]).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Found {
            exit,
            stdout,
            stderr,
            sidecar: mask_sidecar(&self.sidecar_log().await),
            squid: mask_squid(&self.squid_log().await),
        }
    }

    /// The access log of the client's sidecar.
    pub(crate) async fn sidecar_log(&self) -> String {
        let log = self.log("default", "inside").await;
        log.lines().filter(|line| line.starts_with('[')).map(|line| format!("{line}\n")).collect()
    }

    /// The access log of the proxy.
    pub(crate) async fn squid_log(&self) -> String {
        let (exit, log, error) = self.exec("external", "squid", "squid", &["cat", "/var/log/squid/access.log"]).await;
        assert_eq!(exit, Some(0), "{error}");
        log
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        argv: &[&str],
    ) -> (Option<u8>, String, String) {
        let params = AttachParams::default().container(container).stderr(true).max_stdout_buf_size(1 << 20);
        let mut session = self.pods(namespace).exec(pod, argv.to_vec(), &params).await.expect("an exec");
        let (mut out, mut err) = (session.stdout().expect("stdout"), session.stderr().expect("stderr"));
        let status = session.take_status().expect("a status");
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let (_, _, status) = tokio::join!(out.read_to_string(&mut stdout), err.read_to_string(&mut stderr), status);
        let status = status.expect("the command ended");
        let code = match status.status.as_deref() {
            Some("Success") => Some(0),
            _ => status
                .details
                .and_then(|details| {
                    details.causes?.into_iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))
                })
                .and_then(|cause| cause.message?.parse().ok()),
        };
        (code, stdout, stderr + status.message.as_deref().unwrap_or_default())
    }
}

fn mask_sidecar(log: &str) -> Vec<String> {
    let rules = [
        (r"^\[[^\]]+\]", "[T]"),
        (r#" \d+ \d+ \d+ (-|\d+) "-""#, r#" N N N $1 "-""#),
        (r"10\.244\.\d+\.\d+:[3-6]\d{4}", "CLIENT"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID"),
        (r#""curl/[0-9.]+""#, r#""CURL""#),
    ];
    let rules = rules.map(|(rule, by)| (Regex::new(rule).expect("a pattern"), by));
    let mask =
        |line: &str| rules.iter().fold(line.to_owned(), |line, (rule, by)| rule.replace_all(&line, *by).into_owned());
    log.lines().map(mask).collect()
}

fn mask_squid(log: &str) -> Vec<String> {
    let rule = Regex::new(r"^\d{10}\.\d{3} +\d+ 10\.244\.\d+\.\d+ (\w+/\d{3}) (\d+) ").expect("a pattern");
    log.lines().map(|line| rule.replace(line, "$1 N ").into_owned()).collect()
}
