//! Istio's documented egress tasks and the usual mistakes, done in a lab with their manifests, and compared with what a real
//! istiod and real Envoys did with the same manifests and commands: each file names its recording or its page.
//!
//! Invariant: a recorded line judges twice: what the lab logs must be it, and what the pure decision says must fit it.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::Cluster;
use crate::verdicts::Judge;

const WORLD: &str = include_str!("tasks/world.yaml");

/// A task: what is applied, and what each command then shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    /// The page or the recording that the expectations come from.
    source: String,
    /// Settings of the mesh beside those of the world.
    #[serde(default)]
    mesh: BTreeMap<String, Value>,
    objects: Vec<Value>,
    runs: Vec<Run>,
}

/// What was seen under some policies of the mesh; each of them is a lab of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    policies: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The pod that runs the command: NAMESPACE/POD. Default: the client in the mesh.
    #[serde(rename = "in")]
    pod: Option<String>,
    run: String,
    #[serde(default)]
    exit: u8,
    /// The whole of standard output, if it is named.
    stdout: Option<String>,
    /// The whole of standard error, if it is named.
    stderr: Option<String>,
    /// Lines of the client's sidecar.
    #[serde(default)]
    sidecar: Vec<String>,
    /// Lines of the egress gateway.
    #[serde(default)]
    gateway: Vec<String>,
    /// Lines of the sidecar of the server in the mesh.
    #[serde(default)]
    server: Vec<String>,
}

/// Takes out what differs between two runs: times, ports, ids, versions, addresses that a cluster gives, and how much was sent,
/// unless a proxy has said it all itself.
fn mask(text: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"(?m)^\[\d{4}-[^\]]+\]", "[T]"),
            (r#"(?m)( via_upstream - "-"|"- - -".*?) \d+ \d+ \d+ (-|\d+) ""#, r#"$1 N N N S ""#),
            (r#"(?m) (\d+ \d+) \d+ (-|\d+) ""#, r#" $1 N S ""#),
            (r#""(bytes_sent|bytes_received|duration|upstream_service_time|start_time)":("[^"]*"|\d+)"#, r#""$1":N"#),
            (r"10\.244\.\d+\.\d+:(80\d\d|8443)\b", "POD:$1"),
            (r"10\.244\.\d+\.\d+:\d{4,5}", "CLIENT"),
            (r"127\.0\.0\.6:\d+", "127.0.0.6:P"),
            (r#""10\.244\.\d+\.\d+""#, r#""POD""#),
            (r"\b10\.244\.\d+\.\d+\b", "POD"),
            (r"10\.96\.\d+\.\d+", "SERVICE"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[49][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID"),
            (r"curl/[0-9.]+", "CURL"),
            (r"(?m)^(date|x-envoy-upstream-service-time): .*$", "$1: N"),
            (r"_certificate_SANs_are_\[[^\]]*\]", "_certificate_SANs_are_[]"),
            (r"after \d+ m", "after N m"),
            (r"(?m)[ \r]+$", ""),
        ];
        rules.map(|(rule, by)| (Regex::new(rule).expect("a pattern"), by)).into()
    });
    RULES.iter().fold(text.to_owned(), |text, (rule, by)| rule.replace_all(&text, *by).into_owned())
}

/// The lines of an access log among what a proxy has written.
fn access_lines(log: &str) -> Vec<String> {
    log.lines().filter(|line| line.starts_with("[20") || line.starts_with('{')).map(str::to_owned).collect()
}

fn all(lines: &[String]) -> String {
    lines.iter().map(|line| mask(line)).collect::<Vec<_>>().join("\n         ")
}

/// The logs that are compared: namespace and labels of the proxy's pod.
const LOGS: [(&str, &str, &str); 3] = [
    ("sidecar", "default", "app=curl"),
    ("gateway", "istio-system", "istio=egressgateway"),
    ("server", "shop", "app=server"),
];

/// Does a task under one policy; what was found to differ.
async fn carry_out(name: &str, task: &Task, policy: &str, steps: &[Step]) -> Vec<String> {
    let cluster = Cluster::with(WORLD, &BTreeMap::from([("POLICY".to_owned(), policy.to_owned())])).await;
    if !task.mesh.is_empty() {
        cluster.apply(&settings(policy, &task.mesh)).await;
    }
    for object in &task.objects {
        cluster.apply(object).await;
        // Of two objects, the older one goes first.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let judge = Judge::new(&cluster).await;
    let mut wrong = Vec::new();
    let mut seen = [0; LOGS.len()];
    for step in steps {
        let (namespace, pod) = step.pod.as_deref().and_then(|pod| pod.split_once('/')).unwrap_or(("default", "curl"));
        let (exit, stdout, stderr) = cluster.exec(namespace, pod, "curl", &["sh", "-c", &step.run]).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut differ = |what: &str, found: String, wanted: String| {
            if found != wanted {
                wrong.push(format!(
                    "{name}, {policy} ({})\n$ {}\n{what}\n  found  {found}\n  wanted {wanted}",
                    task.source, step.run
                ));
            }
        };
        differ("exit", format!("{exit:?} {stderr}"), format!("{:?} {stderr}", Some(step.exit)));
        let text = |text: &str| mask(text).trim_end().to_owned();
        if let Some(wanted) = &step.stdout {
            differ("stdout", text(&stdout), text(wanted));
        }
        if let Some(wanted) = &step.stderr {
            let own = stderr.split("command terminated").next().unwrap_or_default();
            differ("stderr", text(own), text(wanted));
        }
        if exit == Some(0) || step.exit == 0 {
            differ("stderr of a failure", stderr.matches("not simulated").collect(), String::new());
        }
        for (at, (what, namespace, labels)) in LOGS.into_iter().enumerate() {
            let log = access_lines(&cluster.log(namespace, &cluster.pod_of(namespace, labels).await).await);
            let wanted = [&step.sidecar, &step.gateway, &step.server][at];
            differ(what, all(&log[seen[at]..]), all(wanted));
            for line in &log[seen[at]..] {
                differ("verdict", judge.verdict(what, line, &step.run), judge.recorded(line));
            }
            seen[at] = log.len();
        }
    }
    wrong
}

/// The mesh's settings, with these beside those of the world.
fn settings(policy: &str, more: &BTreeMap<String, Value>) -> Value {
    let mut mesh = json!({
        "accessLogFile": "/dev/stdout", "rootNamespace": "istio-system", "outboundTrafficPolicy": {"mode": policy},
    });
    for (key, value) in more {
        mesh[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
        "data": {"mesh": mesh.to_string()}})
}

async fn carry_out_all(tasks: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (name, text) in tasks {
        let task: Task = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for run in &task.runs {
            assert!(!run.steps.is_empty(), "{name} does nothing");
            for policy in &run.policies {
                wrong.extend(carry_out(name, &task, policy, &run.steps).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n\n{}", wrong.len(), wrong.join("\n\n"));
}

macro_rules! tasks {
    ($($group:ident: $($name:literal),* $(,)?;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $group() {
            carry_out_all(&[$(($name, include_str!(concat!("tasks/", $name, ".yaml")))),*]).await;
        }
    )*};
}

tasks! {
    egress_gateways_forward_and_refuse_as_recorded:
        "egw-gateway-port-443",
        "egw-host-mismatch",
        "egw-hosts-mismatch",
        "egw-http",
        "egw-https",
        "egw-no-entry",
        "egw-no-rule",
        "egw-no-subset",
        "egw-orig-missing",
        "egw-orig-mutual",
        "egw-orig-simple",
        "egw-selector",
        "egw-tls-gateway-host",
        "egw-tls-no-sni",
        "egw-tls-sni",
        "egw-tls-unknown-destination",
        "egw-wildcard",
        "egw-without-gateway",
        "egw-without-mesh",
        "egw-wrong-port";
    tls_is_originated_as_recorded:
        "orig-badsan",
        "orig-cred-sidecar",
        "orig-insecure",
        "orig-istio-mutual",
        "orig-lines-bad",
        "orig-mutual-needed",
        "orig-plain80",
        "orig-simple",
        "orig-sni",
        "rule-missing",
        "rule-other-namespace",
        "rule-root-namespace",
        "rule-tls-on-https",
        "rule-wildcard",
        "rules-merged";
    requests_are_routed_as_recorded:
        "client-aborts",
        "connect-on-http-port",
        "request-forms",
        "vs-direct",
        "vs-fault",
        "vs-fault-headers",
        "vs-gateway-only",
        "vs-headers",
        "vs-headers-route",
        "vs-host-without-entry",
        "vs-matches",
        "vs-mesh-server",
        "vs-missing",
        "vs-no-catch-all",
        "vs-other-namespace",
        "vs-per-try",
        "vs-per-try-and-timeout",
        "vs-redirect",
        "vs-redirects",
        "vs-retries",
        "vs-retries-503",
        "vs-retries-codes",
        "vs-retries-off",
        "vs-rewrite",
        "vs-rewrites",
        "vs-tcp-tls",
        "vs-timeout",
        "vs-timeout-fault",
        "vs-two-for-a-host",
        "vs-unknown-host",
        "vs-wild-and-exact",
        "weights";
    entries_are_matched_as_recorded:
        "address-http",
        "address-shared",
        "addresses-several",
        "cidr-http",
        "cidr-nested",
        "cidr-overlap",
        "cidr-tls",
        "conflict",
        "control-http",
        "control-https",
        "control-none",
        "control-timeout",
        "dns-endpoints",
        "dns-round-robin",
        "dns-unknown",
        "export-by-name",
        "export-other-namespace",
        "se-wildcard-none",
        "sidecar-leaves-out",
        "sidecar-only",
        "sidecar-other-selector",
        "sidecar-policy",
        "sidecar-policy-any",
        "sidecar-root",
        "static-none",
        "static-ports",
        "two-same-host",
        "wildcard-any",
        "wildcard-http";
    ports_are_what_they_are_called_as_recorded:
        "auto-port",
        "k8s-endpoints",
        "k8s-endpoints-http",
        "k8s-external",
        "k8s-external-name",
        "k8s-external-name-entry",
        "k8s-external-name-tls",
        "k8s-headless-external",
        "k8s-unnamed-port",
        "port-8080-http",
        "port-8443-tls",
        "port-http-as-https-8080",
        "port-http-as-tcp",
        "port-http-as-tcp-address",
        "port-http-as-tls",
        "port-mixed-443",
        "port-names",
        "port-target",
        "port-tls-as-http",
        "port-tls-as-tcp",
        "port-unnamed-protocol",
        "service-without-pods";
    connections_without_requests_go_as_recorded:
        "tcp-routes",
        "tcp-weights",
        "tls-route-no-subset",
        "tls-route-wild",
        "tls-routes";
    upstreams_fail_as_recorded:
        "connect-timeout-http",
        "connect-timeout-mesh",
        "connect-timeout-tcp",
        "connect-timeout-tls",
        "upstream-broken-http",
        "upstream-broken-passthrough",
        "upstream-broken-tcp";
    servers_in_the_mesh_are_reached_as_recorded:
        "mesh-calls",
        "mesh-disable",
        "mesh-mutual-to-plain",
        "mesh-root-strict",
        "mesh-strict",
        "mesh-strict-disabled-client",
        "mesh-strict-port";
    lines_are_written_in_the_set_format_as_recorded:
        "log-json",
        "log-json-own",
        "log-text-1",
        "log-text-2";
}
