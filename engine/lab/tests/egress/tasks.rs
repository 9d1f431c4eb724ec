//! Istio's documented egress tasks and the usual mistakes, done in a lab with their manifests, and compared with what a real
//! istiod and real Envoys did with the same manifests and commands: each file names its recording or its page.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::support::Cluster;

const WORLD: &str = include_str!("tasks/world.yaml");

/// A task: what is applied, and what each command then shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    /// The page or the recording that the expectations come from.
    source: String,
    #[serde(default = "allow_any")]
    policy: String,
    objects: Vec<Value>,
    steps: Vec<Step>,
}

fn allow_any() -> String {
    "ALLOW_ANY".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    run: String,
    #[serde(default)]
    exit: u8,
    /// The whole of standard output, if it is named.
    stdout: Option<String>,
    /// Lines of the sidecar's access log.
    #[serde(default)]
    sidecar: Vec<String>,
    /// Lines of the egress gateway's access log.
    #[serde(default)]
    gateway: Vec<String>,
}

/// Takes out what differs between two runs: times, ports, ids, counters, versions and addresses that a cluster gives.
fn mask(text: &str) -> String {
    let rules = [
        (r"(?m)^\[\d{4}-[^\]]+\]", "[T]"),
        (r#"(?m) \d+ \d+ \d+ (-|\d+) "(-|10\.[0-9.]+)""#, r#" N N N S "$2""#),
        (r"10\.244\.\d+\.\d+:(8080|8443)", "GATEWAY:$1"),
        (r"10\.244\.\d+\.\d+:[3-6]\d{4}", "CLIENT"),
        (r#""10\.244\.\d+\.\d+""#, r#""POD""#),
        (r"10\.96\.\d+\.\d+", "SERVICE"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[49][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID"),
        (r"curl/[0-9.]+", "CURL"),
        (r"(?m)^date: .*$", "date: D"),
        (r"_certificate_SANs_are_\[[^\]]*\]", "_certificate_SANs_are_[]"),
        (r"(?m)[ \r]+$", ""),
    ];
    rules.iter().fold(text.to_owned(), |text, (rule, by)| {
        Regex::new(rule).expect("a pattern").replace_all(&text, *by).into_owned()
    })
}

fn lines(log: &str) -> Vec<String> {
    mask(log).lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

async fn carry_out(name: &str, text: &str) -> Vec<String> {
    let task: Task = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let cluster = Cluster::with(WORLD, &BTreeMap::from([("POLICY".to_owned(), task.policy.clone())])).await;
    for object in &task.objects {
        cluster.apply(object).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let gateway = cluster.pod_of("istio-system", "istio=egressgateway").await;
    let mut wrong = Vec::new();
    let (mut seen_here, mut seen_there) = (0, 0);
    for step in &task.steps {
        let (exit, stdout, stderr) = cluster.exec("default", "curl", "curl", &["sh", "-c", &step.run]).await;
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let here = lines(&cluster.log("default", "curl").await);
        let there = lines(&cluster.log("istio-system", &gateway).await);
        let mut differ = |what: &str, found: String, wanted: String| {
            if found != wanted {
                wrong.push(format!(
                    "{name} ({})\n$ {}\n{what}\n  found  {found}\n  wanted {wanted}",
                    task.source, step.run
                ));
            }
        };
        differ("exit", format!("{exit:?}"), format!("{:?}", Some(step.exit)));
        if let Some(wanted) = &step.stdout {
            differ("stdout", mask(&stdout).trim_end().to_owned(), mask(wanted).trim_end().to_owned());
        }
        if exit == Some(0) || step.exit == 0 {
            differ("stderr of a failure", stderr.matches("not simulated").collect(), String::new());
        }
        let all = |lines: &[String]| lines.join("\n         ");
        let wanted = |lines: &[String]| all(&lines.iter().map(|line| mask(line)).collect::<Vec<_>>());
        differ("sidecar", all(&here[seen_here..]), wanted(&step.sidecar));
        differ("gateway", all(&there[seen_there..]), wanted(&step.gateway));
        (seen_here, seen_there) = (here.len(), there.len());
    }
    wrong
}

macro_rules! tasks {
    ($($name:literal),* $(,)?) => {
        const TASKS: &[(&str, &str)] = &[$(($name, include_str!(concat!("tasks/", $name, ".yaml")))),*];
    };
}

tasks! {
    "auto-port",
    "conflict",
    "egw-http",
    "egw-https",
    "egw-orig-missing",
    "egw-orig-mutual",
    "egw-orig-simple",
    "egw-wildcard",
    "k8s-external",
    "orig-badsan",
    "orig-cred-sidecar",
    "orig-insecure",
    "orig-istio-mutual",
    "orig-lines-bad",
    "orig-mutual-needed",
    "orig-plain80",
    "orig-simple",
    "orig-sni",
    "se-wildcard-none",
    "sidecar-only",
    "vs-fault",
    "vs-headers",
    "vs-missing",
    "vs-redirect",
    "vs-retries",
    "vs-rewrite",
    "vs-tcp-tls",
    "vs-timeout",
    "weights",
}

#[tokio::test(start_paused = true)]
async fn every_task_shows_what_a_real_mesh_shows() {
    let mut wrong = Vec::new();
    for (name, text) in TASKS {
        wrong.extend(carry_out(name, text).await);
    }
    assert!(wrong.is_empty(), "{} differences\n\n{}", wrong.len(), wrong.join("\n\n"));
}
