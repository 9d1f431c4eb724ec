//! Exec and logs as recorded from a real API server, with a host that plays the recorded programs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use periplus_lab::clock::Clock;
use periplus_lab::status::Status;
use periplus_lab::store::{GroupResource, Store, WriteOptions};
use periplus_lab::stream::{
    ContainerLog, Dialled, ExecOutcome, ExecRequest, ExecSession, ForwardError, LogEntry, LogPage, LogSource,
    LogStream, PodHost, Port,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Http, client, differences, store};

const RECORDED: &str = include_str!("../fixtures/streams.jsonl");
const POD: &str = "sleep-<pod>";

/// Plays the few programs that were recorded.
struct Player {
    lines: Vec<LogEntry>,
}

impl PodHost for Player {
    fn exec(&self, _: &str, _: &str, _: &str, request: ExecRequest) -> Result<ExecSession, Status> {
        let pipe = || tokio::io::duplex(1024);
        let (stdin_far, mut stdin) = pipe();
        let (mut stdout, stdout_far) = pipe();
        let (mut stderr, stderr_far) = pipe();
        let (resize, _sizes) = mpsc::channel(4);
        let (ended, exit) = oneshot::channel();
        let words = request.argv.join(" ");
        let tty = request.tty;
        tokio::spawn(async move {
            let outcome = match words.as_str() {
                "" => ExecOutcome::empty_command("<id>"),
                "no-such-program" => ExecOutcome::program_not_found("<id>", "no-such-program"),
                "cat" => {
                    let mut text = Vec::new();
                    let _ = stdin.read_to_end(&mut text).await;
                    let _ = stdout.write_all(&text).await;
                    ExecOutcome::Exited(0)
                }
                "head -n 1" => {
                    let mut text = [0; 4];
                    let _ = stdin.read_exact(&mut text).await;
                    let _ = stdout.write_all(&text).await;
                    ExecOutcome::Exited(0)
                }
                _ if words.contains("kill -9") => ExecOutcome::Exited(137),
                _ if tty => {
                    let _ = stdout.write_all(b"out\r\nerr\r\ntty\r\n").await;
                    ExecOutcome::Exited(0)
                }
                _ => {
                    let _ = stdout.write_all(b"out\n").await;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    if words.contains("echo err") {
                        let _ = stderr.write_all(b"err\n").await;
                    }
                    ExecOutcome::Exited(if words.contains("exit 3") { 3 } else { 0 })
                }
            };
            let _ = ended.send(outcome);
        });
        Ok(ExecSession {
            stdin: request.stdin.then(|| Box::new(stdin_far) as _),
            stdout: request.stdout.then(|| Box::new(stdout_far) as _),
            stderr: request.stderr.then(|| Box::new(stderr_far) as _),
            resize: tty.then_some(resize),
            exit,
        })
    }

    fn attach(&self, _: &str, _: &str, _: &str, request: ExecRequest) -> Result<ExecSession, Status> {
        self.exec("", "", "", ExecRequest { argv: vec!["echo err; exit 3".to_owned()], ..request })
    }

    /// Port 7 gives back what it gets; on no other port does anything listen.
    fn dial(&self, _: &str, _: &str, port: u16) -> Result<Dialled, Status> {
        Ok(Box::pin(async move {
            if port != 7 {
                return Err(ForwardError { sandbox: "sandbox".to_owned(), why: "connection refused".to_owned() });
            }
            let (near, far) = tokio::io::duplex(1024);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(far);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            Ok(Box::new(near) as Box<dyn Port>)
        }))
    }

    fn logs(&self, _: &str, pod: &str, container: &str, previous: bool) -> Result<ContainerLog, Status> {
        if previous {
            return Err(Status::bad_request(format!(
                "previous terminated container {container:?} in pod {pod:?} not found"
            )));
        }
        Ok(Arc::new(Lines(self.lines.clone())))
    }
}

struct Lines(Vec<LogEntry>);

impl LogSource for Lines {
    fn read(&self, from: u64, limit: usize) -> LogPage {
        let from = usize::try_from(from).expect("small").min(self.0.len());
        let entries: Vec<LogEntry> = self.0[from..].iter().take(limit).cloned().collect();
        let next = u64::try_from(from + entries.len()).expect("small");
        LogPage { entries, next, ended: true }
    }

    fn wait(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn server(lines: Vec<LogEntry>) -> (Http, Store) {
    let store = store();
    let put = |resource: &GroupResource, object: Value| {
        store.create(&WriteOptions::by("test"), resource, object).expect("created");
    };
    put(&GroupResource::NAMESPACES, json!({"metadata": {"name": "external"}}));
    put(&GroupResource::SERVICE_ACCOUNTS, json!({"metadata": {"name": "default", "namespace": "external"}}));
    let spec = json!({"nodeName": "lab", "containers": [{"name": "sleep", "image": "curlimages/curl"}]});
    put(&GroupResource::PODS, json!({"metadata": {"name": "sleep-pod", "namespace": "external"}, "spec": spec}));
    (client(&store, Arc::new(Player { lines })), store)
}

#[tokio::test(start_paused = true)]
async fn every_recorded_stream_is_answered_alike() {
    let (http, _store) = server(Vec::new());
    let mut problems = Vec::new();
    for line in RECORDED.lines() {
        let line = line.replace(POD, "sleep-pod");
        let exchange: Value = serde_json::from_str(&line).expect("a recorded stream");
        let name = exchange["name"].as_str().expect("a name");
        let found = if name.starts_with("log") {
            replay_log(&http, &exchange).await
        } else {
            replay_exec(&http, &exchange).await
        };
        let mut recorded = exchange.clone();
        recorded.as_object_mut().expect("an object").retain(|key, _| !matches!(key.as_str(), "name" | "request"));
        let mut different = Vec::new();
        differences("", &recorded, &found, &mut different);
        problems.extend(different.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

async fn replay_log(http: &Http, exchange: &Value) -> Value {
    let answer = http.send("GET", exchange["request"]["path"].as_str().expect("a path"), &[], "").await;
    let content_type = answer.headers["content-type"].to_str().expect("text").to_owned();
    json!({"response": {"status": answer.status.as_u16(), "content-type": content_type, "body": answer.json()}})
}

async fn replay_exec(http: &Http, exchange: &Value) -> Value {
    let request = &exchange["request"];
    let mut wanted =
        format!("ws://lab{}", request["path"].as_str().expect("a path")).into_client_request().expect("a request");
    let protocol = request["protocol"].as_str().expect("a protocol");
    wanted.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
    let stream = tokio_pipe(http);
    let (mut socket, response) = match tokio_tungstenite::client_async(wanted, stream).await {
        Ok(connected) => connected,
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            return json!({"frames": [], "response": {"status": response.status().as_u16(), "body": body}});
        }
        Err(error) => panic!("{error}"),
    };
    for sent in request["sent"].as_array().into_iter().flatten() {
        let mut frame = vec![u8::try_from(sent[0].as_u64().expect("a channel")).expect("a byte")];
        frame.extend_from_slice(sent[1].as_str().expect("text").as_bytes());
        // A command that does not read may have ended already.
        let _ = socket.send(Message::Binary(frame.into())).await;
    }
    let mut frames: Vec<(u64, String)> = Vec::new();
    let mut close = Value::Null;
    // A forwarded connection stays until somebody closes it.
    while let Ok(Some(Ok(message))) = tokio::time::timeout(Duration::from_secs(5), socket.next()).await {
        match message {
            message @ (Message::Binary(_) | Message::Text(_)) => {
                let bytes = message.into_data();
                let text = String::from_utf8_lossy(&bytes[1..]).into_owned();
                let channel = u64::from(bytes[0]);
                // Output comes in pieces of any size; neighbours of one channel are one frame to the recording.
                match frames.last_mut() {
                    Some((last, so_far)) if *last == channel => so_far.push_str(&text),
                    _ => frames.push((channel, text)),
                }
            }
            Message::Close(Some(frame)) => close = json!([u16::from(frame.code), frame.reason.as_str()]),
            _ => {}
        }
    }
    let protocol = response.headers()["sec-websocket-protocol"].to_str().expect("text");
    json!({"frames": frames, "response": {"status": 101, "protocol": protocol}, "close": close})
}

/// What was not recorded but follows from the source of Kubernetes 1.36.2 (`pkg/registry/core/pod`, `pkg/kubelet/server`, and
/// the streaming library that kubelet and container runtimes share).
#[tokio::test(start_paused = true)]
async fn variations_are_answered_as_the_source_says() {
    let (http, _store) = server(Vec::new());
    let path = |rest: &str| format!("/api/v1/namespaces/external/pods/sleep-pod/{rest}");
    let close = json!([1000, ""]);
    let upgraded = |protocol: &str| json!({"status": 101, "protocol": protocol});
    let success = "{\"metadata\":{},\"status\":\"Success\"}";
    let cases = [
        // Base64 in both directions; the channel is a digit.
        (
            path("exec?command=head&command=-n&command=1&stdin=true&stdout=true"),
            "v4.base64.channel.k8s.io",
            json!([[48, "b25lCg=="]]),
            json!({
                "frames": [[49, "b25lCg=="], [51, "eyJtZXRhZGF0YSI6e30sInN0YXR1cyI6IlN1Y2Nlc3MifQ=="]],
                "response": upgraded("v4.base64.channel.k8s.io"), "close": close,
            }),
        ),
        // The oldest protocol says nothing of success, and of failure in plain text.
        (
            path("exec?command=echo&stdout=true"),
            "channel.k8s.io",
            json!([]),
            json!({"frames": [[1, "out\n"]], "response": upgraded("channel.k8s.io"), "close": close}),
        ),
        (
            path("exec?command=exit+3&stderr=true"),
            "channel.k8s.io",
            json!([]),
            json!({
                "frames": [[2, ""], [3, "command terminated with non-zero exit code: error executing command [exit 3], exit code 3"]],
                "response": upgraded("channel.k8s.io"), "close": close,
            }),
        ),
        // Who is attached does not learn of exit codes.
        (
            path("attach?stdout=true"),
            "v5.channel.k8s.io",
            json!([]),
            json!({"frames": [[1, "out\n"], [3, success]], "response": upgraded("v5.channel.k8s.io"), "close": close}),
        ),
        // Two channels a port, each of which begins with the port's number.
        (
            path("portforward?ports=7,9"),
            "v4.channel.k8s.io",
            json!([[0, "ping"]]),
            json!({
                "frames": [
                    [0, "\u{7}\0"], [1, "\u{7}\0"], [2, "\t\0"], [3, "\t\0error forwarding port 9 to pod sandbox, uid : connection refused"],
                    [0, "ping"],
                ],
                "response": upgraded("v4.channel.k8s.io"), "close": Value::Null,
            }),
        ),
        (
            path("portforward"),
            "v4.channel.k8s.io",
            json!([]),
            json!({"frames": [], "response": {"status": 400, "body": "query parameter \"port\" is required"}}),
        ),
        (
            path("portforward?ports=7"),
            "channel.k8s.io",
            json!([]),
            json!({"frames": [], "response": {"status": 403, "body": ""}}),
        ),
    ];
    let mut problems = Vec::new();
    for (path, protocol, sent, wanted) in cases {
        let exchange = json!({"request": {"path": path, "protocol": protocol, "sent": sent}});
        let found = replay_exec(&http, &exchange).await;
        let mut different = Vec::new();
        differences("", &wanted, &found, &mut different);
        problems.extend(different.into_iter().map(|problem| format!("{path} {protocol}: {problem}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A connection as tokio's traits.
fn tokio_pipe(http: &Http) -> hyper_util::rt::TokioIo<periplus_lab::serve::Pipe> {
    hyper_util::rt::TokioIo::new(http.connector.connect())
}

#[tokio::test(start_paused = true)]
async fn log_options_select_lines() {
    let epoch = Clock::virtual_epoch();
    let at = |millis: i64, line: &'static str| LogEntry {
        stamp: epoch.checked_add(jiff::SignedDuration::from_millis(millis)).expect("in range"),
        stream: LogStream::Stdout,
        line: Bytes::from_static(line.as_bytes()),
    };
    let (http, _store) = server(vec![at(100, "a\n"), at(1_200, "b\n"), at(1_900, "c\n"), at(2_500, "d\n")]);
    let cases = [
        ("", "a\nb\nc\nd\n"),
        ("tailLines=2", "c\nd\n"),
        ("tailLines=0", ""),
        ("tailLines=9", "a\nb\nc\nd\n"),
        // Cut to the whole second before.
        ("sinceTime=2026-01-01T00:00:01.5Z", "b\nc\nd\n"),
        ("sinceTime=2026-01-01T00:00:02Z&follow=true", "d\n"),
        ("limitBytes=5", "a\nb\nc"),
        ("tailLines=1&timestamps=true", "2026-01-01T00:00:02.500000000Z d\n"),
    ];
    for (query, wanted) in cases {
        let path = format!("/api/v1/namespaces/external/pods/sleep-pod/log?{query}");
        let answer = http.send("GET", &path, &[], "").await;
        assert_eq!(String::from_utf8_lossy(&answer.body), wanted, "{query}");
    }
}
