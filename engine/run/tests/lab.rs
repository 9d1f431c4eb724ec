//! The cluster client against the lab's API server: both ends are ours, so each keeps the other honest about the wire.

use std::time::Duration;

use http::Uri;
use jiff::{SignedDuration, Timestamp};
use periplus_core::jsonpath::JsonPath;
use periplus_lab::Lab;
use periplus_lab::serve::LoopbackOptions;
use periplus_run::cluster::{
    Access, ApplyOptions, ChoiceError, Cluster, ClusterError, ConnectOptions, ContextChoice, DeleteOptions,
    ExecOutcome, ExecRequest, FileLine, FileSource, Inconclusive, LeaseError, LeaseSpec, LogSource, LogStream,
    MAX_OUTPUT, ObjectAddress, Patch, PodsOf, Selector, WaitFor, WorkloadKind, choose_container,
};
use serde_json::{Value, json};

fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A lab and a client of it. The lab ends when it is dropped.
async fn lab() -> (Lab, Cluster) {
    let lab = Lab::builder().virtual_time(true).build().await.unwrap();
    let cluster = Cluster::over(lab.connector(), &Uri::from_static("http://lab"), "periplus-test/1").unwrap();
    (lab, cluster)
}

async fn config_map(cluster: &Cluster, name: &str) -> ObjectAddress {
    let resource = cluster.resolve(None, "ConfigMap").await.unwrap();
    ObjectAddress { resource, namespace: Some("default".into()), name: name.into() }
}

#[tokio::test(start_paused = true)]
async fn the_lab_says_who_it_is() {
    let (_lab, cluster) = lab().await;
    let identity = cluster.identity().await.unwrap();
    assert!(identity.uid.is_some_and(|uid| uid.len() == 36));
    assert!(identity.version.starts_with("v1."));
    assert!(cluster.can(&Access { verb: "get".into(), resource: "pods".into(), ..Access::default() }).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn objects_are_applied_patched_listed_and_deleted() {
    let (_lab, cluster) = lab().await;
    let at = config_map(&cluster, "settings").await;
    assert_eq!(cluster.find(&at).await.unwrap(), None);
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "labels": {"t": "1"}},
        "data": {"a": "1"}});

    let dry = cluster.dry_run().apply(&at, &object, ApplyOptions::default()).await.unwrap();
    assert_eq!(dry.object["data"]["a"], "1");
    assert_eq!(cluster.find(&at).await.unwrap(), None, "a dry run leaves nothing");

    let applied = cluster.apply(&at, &object, ApplyOptions::default()).await.unwrap().object;
    assert_eq!(applied["metadata"]["managedFields"][0]["manager"], "periplus");
    let patched = cluster.patch(&at, &Patch::Merge(json!({"data": {"b": "2"}}))).await.unwrap().object;
    assert_eq!(patched["data"], json!({"a": "1", "b": "2"}));

    let stale = cluster.replace(&at, &applied).await.unwrap_err();
    assert!(matches!(&stale, ClusterError::Conflict { owners, .. } if owners.is_empty()), "{stale:?}");

    let listed = cluster.list(&at.resource, Some("default"), &Selector::labels("t=1")).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    assert_eq!(listed.items[0]["kind"], "ConfigMap");

    let other = DeleteOptions { uid: Some("not-this-one".into()), ..DeleteOptions::default() };
    assert!(matches!(cluster.delete(&at, &other).await, Err(ClusterError::Conflict { .. })));
    cluster.delete(&at, &DeleteOptions::default()).await.unwrap();
    assert!(cluster.get(&at).await.unwrap_err().is_not_found());
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_lab_are_understood() {
    let (_lab, cluster) = lab().await;
    let at = config_map(&cluster, "a").await;
    let unknown = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dta": {}});
    let refused = cluster.apply(&at, &unknown, ApplyOptions::default()).await.unwrap_err();
    assert!(matches!(refused, ClusterError::Invalid { .. }), "{refused:?}");

    let kind = cluster.resolve(Some("apps/v1"), "Deploymnt").await.unwrap_err();
    assert_eq!(kind.hint().as_deref(), Some("Did you mean apps/v1/Deployment?"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_sees_what_others_write() {
    let (_lab, cluster) = lab().await;
    let at = config_map(&cluster, "phase").await;
    let wait = WaitFor::JsonPath { path: JsonPath::parse("{.data.phase}").unwrap(), value: Some("done".into()) };
    let mut told = Vec::new();
    let others = async {
        for phase in ["new", "done"] {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "phase"},
                "data": {"phase": phase}});
            cluster.apply(&at, &object, ApplyOptions::default()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        cluster.delete(&at, &DeleteOptions::default()).await.unwrap();
    };
    let waiting = async {
        let mut progress = |text: &str| told.push(text.to_owned());
        let waited = cluster.wait(&at, &wait, Duration::from_secs(60), &mut progress).await.unwrap();
        assert!(waited.held());
        let gone = WaitFor::Deletion { uid: None };
        cluster.wait(&at, &gone, Duration::from_secs(60), &mut |_| {}).await.unwrap()
    };
    let (gone, ()) = futures::join!(waiting, others);
    assert!(gone.held());
    assert_eq!(told, ["not there yet", "{.data.phase} is new", "{.data.phase} is done"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeps_a_second_run_out_until_it_is_given_up_or_runs_out() {
    let (_lab, cluster) = lab().await;
    let spec = |holder: &str| LeaseSpec {
        namespace: "default".into(),
        runbook: "book".into(),
        holder: holder.into(),
        duration: Duration::from_secs(30),
    };
    let later = |seconds| epoch() + SignedDuration::from_secs(seconds);
    let mut first = cluster.acquire_lease(&spec("alice run 1"), later(0)).await.unwrap();
    first.renew(later(10)).await.unwrap();
    let refused = cluster.acquire_lease(&spec("bob run 2"), later(20)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "alice run 1 holds lease default/periplus-book since 2026-01-01T00:00:00.000000Z, \
         last renewed 2026-01-01T00:00:10.000000Z"
    );
    let second = cluster.acquire_lease(&spec("bob run 2"), later(60)).await.unwrap();
    let lost = first.renew(later(61)).await.unwrap_err();
    assert!(matches!(&lost, LeaseError::Lost { holder: Some(holder), .. } if holder == "bob run 2"), "{lost:?}");
    first.release().await.unwrap();
    second.release().await.unwrap();
    cluster.acquire_lease(&spec("carol run 3"), later(61)).await.unwrap();
}

/// A Deployment of one pod with one container, `main`, that runs a script; waited for until it is out.
async fn deploy(cluster: &Cluster, name: &str, script: &str) {
    let resource = cluster.resolve(Some("apps/v1"), "Deployment").await.unwrap();
    let at = ObjectAddress { resource, namespace: Some("default".into()), name: name.into() };
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [
                {"name": "main", "image": "curlimages/curl", "command": ["sh", "-c", script]}]},
        }},
    });
    cluster.apply(&at, &object, ApplyOptions::default()).await.unwrap();
    let waited = cluster.wait(&at, &WaitFor::Rollout, Duration::from_secs(60), &mut |_| {}).await.unwrap();
    assert!(waited.held(), "{waited:?}");
}

fn deployment(name: &str) -> PodsOf {
    PodsOf::Workload { kind: WorkloadKind::Deployment, name: name.into() }
}

async fn pod(cluster: &Cluster, name: &str) -> Value {
    cluster.choose_pod("default", &deployment(name), false).await.unwrap()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

async fn exec(cluster: &Cluster, pod: &Value, argv: &[&str], stdin: Option<&str>) -> ExecOutcome {
    let request = ExecRequest {
        namespace: "default".into(),
        pod: text(pod, "/metadata/name").to_owned(),
        container: choose_container(pod, None).unwrap(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        stdin: stdin.map(|text| text.as_bytes().to_vec()),
        deadline: Duration::from_secs(30),
        max_output: MAX_OUTPUT,
    };
    cluster.exec(&request).await
}

#[tokio::test(start_paused = true)]
async fn programs_run_in_the_pod_of_the_newest_revision() {
    let (_lab, cluster) = lab().await;
    deploy(&cluster, "it", "sleep infinity").await;
    let old = pod(&cluster, "it").await;
    deploy(&cluster, "it", "while true; do sleep 60; done").await;
    let new = pod(&cluster, "it").await;
    assert_ne!(text(&old, "/metadata/uid"), text(&new, "/metadata/uid"));

    let script = "echo out; echo err >&2; exit 3";
    let ExecOutcome::Finished { exit, stdout, stderr } = exec(&cluster, &new, &["sh", "-c", script], None).await else {
        panic!("it has an exit code")
    };
    assert_eq!((exit, &stdout.bytes[..], &stderr.bytes[..]), (3, &b"out\n"[..], &b"err\n"[..]));

    let script = "read -r word && echo \"<$word>\"; cat";
    let outcome = exec(&cluster, &new, &["sh", "-c", script], Some("secret\nrest")).await;
    let ExecOutcome::Finished { stdout, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(String::from_utf8_lossy(&stdout.bytes), "<secret>\nrest");

    let outcome = exec(&cluster, &new, &["no-such-program"], None).await;
    assert!(
        matches!(&outcome, ExecOutcome::Inconclusive { reason: Inconclusive::NotStarted(why), .. }
            if why == "exec: \"no-such-program\": executable file not found in $PATH"),
        "{outcome:?}"
    );
    let outcome = exec(&cluster, &new, &["sh", "-c", "sleep 31"], None).await;
    assert!(matches!(outcome, ExecOutcome::Inconclusive { reason: Inconclusive::Timeout(_), .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_workload_without_ready_pods_says_so() {
    let (_lab, cluster) = lab().await;
    let missing = cluster.choose_pod("default", &deployment("none"), false).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing:?}");
    let none = cluster.choose_pod("default", &PodsOf::Selector("app=none".into()), false).await.unwrap_err();
    assert_eq!(none.to_string(), "selector app=none in namespace default has no pods");
    assert!(matches!(none, ClusterError::Choice(ChoiceError::NoPods { .. })) && none.transient());
}

async fn lines(log: &mut LogStream, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let line = log.next_line().await.unwrap().unwrap();
        lines.push(String::from_utf8_lossy(&line.bytes).into_owned());
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn a_logs_window_opens_at_its_mark() {
    let (_lab, cluster) = lab().await;
    let script = "n=0; while true; do n=$((n+1)); echo line $n; sleep 1; done";
    deploy(&cluster, "ticker", script).await;
    let pod = pod(&cluster, "ticker").await;
    let source = LogSource {
        namespace: "default".into(),
        pod: text(&pod, "/metadata/name").into(),
        uid: text(&pod, "/metadata/uid").into(),
        container: "main".into(),
    };
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let mark = cluster.log_mark(&source).await.unwrap();
    let mut log = cluster.follow_log(&source, &mark);
    let after = lines(&mut log, 3).await;
    let number = |line: &String| line.strip_prefix("line ").and_then(|n| n.parse::<u32>().ok()).unwrap();
    assert!(number(&after[0]) > 3, "{after:?}");
    assert_eq!(after.iter().map(number).collect::<Vec<_>>(), (number(&after[0])..).take(3).collect::<Vec<_>>());

    // From the very start, and gone with its pod.
    let mut all = cluster.follow_log(&source, &Default::default());
    assert_eq!(lines(&mut all, 2).await, ["line 1", "line 2"]);
    let resource = cluster.resolve(Some("apps/v1"), "Deployment").await.unwrap();
    let at = ObjectAddress { resource, namespace: Some("default".into()), name: "ticker".into() };
    cluster.delete(&at, &DeleteOptions::default()).await.unwrap();
    while let Some(line) = all.next_line().await {
        line.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_files_window_opens_at_its_mark_also_when_the_file_comes_or_is_rotated_later() {
    let (_lab, cluster) = lab().await;
    deploy(&cluster, "writer", "sleep infinity").await;
    let pod = pod(&cluster, "writer").await;
    let run = async |script: &str| {
        let outcome = exec(&cluster, &pod, &["sh", "-c", script], None).await;
        assert!(matches!(outcome, ExecOutcome::Finished { exit: 0, .. }), "{script}: {outcome:?}");
    };
    let source = |path: &str| FileSource {
        namespace: "default".into(),
        pod: text(&pod, "/metadata/name").into(),
        container: "main".into(),
        path: path.into(),
    };
    let second = Duration::from_secs(1);
    run("printf 'old 1\\nold 2\\n' > /tmp/log").await;
    for path in ["/tmp/log", "/tmp/later"] {
        let source = source(path);
        let mark = cluster.file_mark(&source, 10 * second).await.unwrap();
        assert_eq!((mark.inode.is_some(), mark.length), if path == "/tmp/log" { (true, 12) } else { (false, 0) });
        let mut file = cluster.follow_file(&source, &mark, 20 * second).await.unwrap();
        let writing = async {
            tokio::time::sleep(3 * second).await;
            run(&format!("echo new >> {path}")).await;
            tokio::time::sleep(3 * second).await;
            run(&format!("rm {path}; echo rotated > {path}")).await;
        };
        let reading = async {
            let mut seen = Vec::new();
            while let Some(line) = file.next_line().await {
                let FileLine { bytes, .. } = line.unwrap();
                seen.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            seen
        };
        let (seen, ()) = futures::join!(reading, writing);
        assert_eq!(seen, ["new", "rotated"], "{path}");
    }
}

#[tokio::test]
async fn a_lab_on_loopback_is_reached_like_any_cluster() {
    let lab = Lab::builder().build().await.unwrap();
    let served = lab.serve(LoopbackOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, &served.kubeconfig).unwrap();
    let options = ConnectOptions { kubeconfig: Some(path), ..ConnectOptions::new(ContextChoice::Current) };
    let cluster = Cluster::connect(&options).await.unwrap();
    assert!(cluster.identity().await.unwrap().server.starts_with("https://127.0.0.1:"));
}
