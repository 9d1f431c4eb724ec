//! Marks and windows of logs against a server that keeps a log as a kubelet does.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::server::{Reply, Seen, cluster, json, stream, text};
use crate::cluster::{ClusterError, LogMark, LogSource, LogStream};

/// The pod, the log of its present instance and of the one before.
#[derive(Default)]
struct Kubelet {
    restarts: i32,
    waiting: bool,
    gone: bool,
    current: Vec<String>,
    previous: Vec<String>,
    /// Whether the next followed log breaks off after this many lines.
    cut_after: Option<usize>,
}

type Shared = Arc<Mutex<Kubelet>>;

fn answer(kubelet: &mut Kubelet, seen: &Seen) -> Reply {
    if kubelet.gone {
        return text(
            404,
            r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"pods \"p\" not found","code":404}"#,
        );
    }
    if !seen.path.ends_with("/log") {
        return json(200, &pod(kubelet));
    }
    assert_eq!(seen.query("container").as_deref(), Some("c"));
    assert_eq!(seen.query("timestamps").as_deref(), Some("true"));
    let log = if seen.query("previous").is_some() { &kubelet.previous } else { &kubelet.current };
    let since: Option<Timestamp> = seen.query("sinceTime").map(|text| text.parse().unwrap());
    let since = since.unwrap_or(Timestamp::MIN);
    let stamp = |line: &String| line.split(' ').next().unwrap().parse::<Timestamp>().unwrap();
    let mut lines: Vec<String> = log.iter().filter(|line| stamp(line) >= since).cloned().collect();
    if let Some(tail) = seen.query("tailLines") {
        lines.drain(..lines.len().saturating_sub(tail.parse().unwrap()));
    }
    let (sender, reply) = stream();
    let cut = if seen.query("follow").is_some() { kubelet.cut_after.take() } else { None };
    for line in &lines[..cut.unwrap_or(lines.len())] {
        sender.send(Ok(format!("{line}\n"))).unwrap();
    }
    if cut.is_some() {
        // Only once the lines are through: what breaks before anything was sent is another failure.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            sender.send(Err(io::Error::from(io::ErrorKind::ConnectionReset)))
        });
    }
    reply
}

fn pod(kubelet: &Kubelet) -> Value {
    let state =
        if kubelet.waiting { json!({"waiting": {"reason": "ContainerCreating"}}) } else { json!({"running": {}}) };
    json!({"metadata": {"name": "p", "uid": "u"}, "status": {
        "initContainerStatuses": [{"name": "c", "restartCount": kubelet.restarts, "state": state}]}})
}

fn shared(kubelet: Kubelet) -> (crate::cluster::Cluster, Shared) {
    let shared = Arc::new(Mutex::new(kubelet));
    let kept = Arc::clone(&shared);
    (cluster(move |seen| answer(&mut kept.lock().unwrap(), seen)).0, shared)
}

fn source() -> LogSource {
    LogSource { namespace: "n".into(), pod: "p".into(), uid: "u".into(), container: "c".into() }
}

fn line(stamp: &str, words: &str) -> String {
    format!("2026-01-01T00:00:{stamp}Z {words}")
}

async fn take(log: &mut LogStream, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let line = log.next_line().await.expect("a line").expect("no error");
        lines.push(String::from_utf8(line.bytes.to_vec()).unwrap());
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn a_window_holds_exactly_what_came_after_its_mark() {
    let (cluster, kubelet) = shared(Kubelet {
        current: vec![line("00.1", "old"), line("00.7", "twin"), line("00.7", "twin")],
        ..Kubelet::default()
    });
    let mark = cluster.log_mark(&source()).await.unwrap();
    assert_eq!(mark, LogMark { restarts: 0, stamp: "2026-01-01T00:00:00.7Z".parse().ok(), lines_with_stamp: 2 });
    kubelet.lock().unwrap().current.extend([line("00.7", "third twin"), line("00.8", "new")]);
    let mut log = cluster.follow_log(&source(), &mark);
    assert_eq!(take(&mut log, 2).await, ["third twin", "new"]);
}

#[tokio::test(start_paused = true)]
async fn a_mark_looks_back_until_the_stamp_changes() {
    let mut current = vec![line("00.1", "old")];
    current.extend(std::iter::repeat_n(line("00.7", "burst"), 200));
    let (cluster, _) = shared(Kubelet { current: current.clone(), ..Kubelet::default() });
    assert_eq!(cluster.log_mark(&source()).await.unwrap().lines_with_stamp, 200);
    let (cluster, _) = shared(Kubelet { current: current.split_off(1), ..Kubelet::default() });
    assert_eq!(cluster.log_mark(&source()).await.unwrap().lines_with_stamp, 200);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_has_not_started_counts_from_its_first_line() {
    let (cluster, kubelet) = shared(Kubelet { waiting: true, ..Kubelet::default() });
    let mark = cluster.log_mark(&source()).await.unwrap();
    assert_eq!(mark, LogMark::default());
    let mut log = cluster.follow_log(&source(), &mark);
    let later = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut kubelet = kubelet.lock().unwrap();
        (kubelet.waiting, kubelet.current) = (false, vec![line("05", "first")]);
    };
    assert_eq!(futures::join!(take(&mut log, 1), later).0, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_goes_on_without_a_gap() {
    let words = ["a", "b", "c", "d"];
    let current = words.iter().map(|word| line("01.5", word)).collect();
    let (cluster, _) = shared(Kubelet { current, cut_after: Some(2), ..Kubelet::default() });
    let mut log = cluster.follow_log(&source(), &LogMark::default());
    assert_eq!(take(&mut log, 4).await, words);
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_neither_the_end_of_one_log_nor_the_start_of_the_next() {
    let (cluster, kubelet) = shared(Kubelet { current: vec![line("01", "before")], ..Kubelet::default() });
    let mark = cluster.log_mark(&source()).await.unwrap();
    {
        let mut kubelet = kubelet.lock().unwrap();
        kubelet.restarts = 1;
        kubelet.previous = vec![line("01", "before"), line("02", "last words")];
        kubelet.current = vec![line("03", "reborn")];
    }
    let mut log = cluster.follow_log(&source(), &mark);
    assert_eq!(take(&mut log, 2).await, ["last words", "reborn"]);
    {
        let mut kubelet = kubelet.lock().unwrap();
        kubelet.restarts = 3;
        kubelet.previous = vec![line("04", "second to last")];
        kubelet.current = vec![line("05", "third life")];
    }
    assert_eq!(take(&mut log, 2).await, ["second to last", "third life"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_ends_with_its_pod() {
    let (cluster, kubelet) = shared(Kubelet { current: vec![line("01", "only")], ..Kubelet::default() });
    let mut log = cluster.follow_log(&source(), &LogMark::default());
    assert_eq!(take(&mut log, 1).await, ["only"]);
    kubelet.lock().unwrap().gone = true;
    assert_eq!(log.next_line().await, None);
    assert!(matches!(cluster.log_mark(&source()).await, Err(ClusterError::NotFound(_))));
}

#[tokio::test(start_paused = true)]
async fn another_pod_of_the_same_name_is_another_log() {
    let (cluster, _) = shared(Kubelet { current: vec![line("01", "foreign")], ..Kubelet::default() });
    let mut log = cluster.follow_log(&LogSource { uid: "other".into(), ..source() }, &LogMark::default());
    assert_eq!(log.next_line().await, None);
}
