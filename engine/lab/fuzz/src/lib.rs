//! A server with one pod for each case, and one exchange with it.
//!
//! Invariant: a case depends on its bytes alone; time is virtual.

use std::sync::Arc;
use std::time::Duration;

use periplus_lab::access::Access;
use periplus_lab::api::Api;
use periplus_lab::clock::Clock;
use periplus_lab::serve::Connector;
use periplus_lab::status::Status;
use periplus_lab::store::{GroupResource, Store, WriteOptions};
use periplus_lab::stream::{ContainerLog, Dialled, ExecOutcome, ExecRequest, ExecSession, PodHost};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// Lab time after which a connection hangs: longer than any watch lasts.
const PATIENCE: Duration = Duration::from_secs(10_000);

/// Runs `cat` in every pod.
struct Cat;

impl PodHost for Cat {
    fn exec(&self, _: &str, _: &str, _: &str, request: ExecRequest) -> Result<ExecSession, Status> {
        let (stdin, mut input) = tokio::io::duplex(1024);
        let (mut output, stdout) = tokio::io::duplex(1024);
        let (resize, mut sizes) = mpsc::channel(4);
        let (ended, exit) = oneshot::channel();
        tokio::spawn(async move { while sizes.recv().await.is_some() {} });
        tokio::spawn(async move {
            let _ = tokio::io::copy(&mut input, &mut output).await;
            let _ = ended.send(ExecOutcome::Exited(0));
        });
        Ok(ExecSession {
            stdin: request.stdin.then(|| Box::new(stdin) as _),
            stdout: request.stdout.then(|| Box::new(stdout) as _),
            stderr: None,
            resize: request.tty.then_some(resize),
            exit,
        })
    }

    fn attach(&self, namespace: &str, pod: &str, container: &str, request: ExecRequest) -> Result<ExecSession, Status> {
        self.exec(namespace, pod, container, request)
    }

    fn dial(&self, _: &str, pod: &str, _: u16) -> Result<Dialled, Status> {
        Err(Status::not_found("", "pods", pod))
    }

    fn logs(&self, _: &str, pod: &str, _: &str, _: bool) -> Result<ContainerLog, Status> {
        Err(Status::not_found("", "pods", pod))
    }
}

fn server() -> Connector {
    let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 7);
    let put = |resource: &GroupResource, object: Value| {
        store.create(&WriteOptions::by("fuzz"), resource, object).expect("created");
    };
    put(&GroupResource::NAMESPACES, json!({"metadata": {"name": "n"}}));
    let containers = json!([{"name": "c", "image": "busybox"}]);
    put(&GroupResource::PODS, json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": containers}}));
    let access = Arc::new(Access::new(store.clone(), b"a key"));
    Connector::new(Api::new(store, Arc::new(Cat), access))
}

async fn exchange(connector: &Connector, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = tokio::io::split(connector.connect_raw());
    let mut answer = Vec::new();
    let sending = async {
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    };
    let both = async { tokio::join!(sending, from.read_to_end(&mut answer)) };
    assert!(tokio::time::timeout(PATIENCE, both).await.is_ok(), "the connection hangs");
    answer
}

/// Sends bytes to a new server, and asks it for its version afterwards.
pub fn attack(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let server = server();
        exchange(&server, bytes).await;
        let answer = exchange(&server, b"GET /version HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "the next request is not answered");
    });
}
