//! A server with one pod that runs `cat`: what hostile clients are let loose on, here and by the targets in `engine/lab/fuzz`.

use std::sync::Arc;

use periplus_lab::access::Access;
use periplus_lab::api::Api;
use periplus_lab::serve::Connector;
use periplus_lab::status::Status;
use periplus_lab::store::{GroupResource, Store, WriteOptions};
use periplus_lab::stream::{ContainerLog, Dialled, ExecOutcome, ExecRequest, ExecSession, PodHost};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

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

/// A server over this store, with the namespace `n` and the pod `p`.
pub(crate) fn server(store: Store) -> Connector {
    let put = |resource: &GroupResource, object: Value| {
        store.create(&WriteOptions::by("test"), resource, object).expect("created");
    };
    put(&GroupResource::NAMESPACES, json!({"metadata": {"name": "n"}}));
    put(&GroupResource::SERVICE_ACCOUNTS, json!({"metadata": {"name": "default", "namespace": "n"}}));
    let containers = json!([{"name": "c", "image": "busybox"}]);
    put(&GroupResource::PODS, json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": containers}}));
    let access = Arc::new(Access::new(store.clone(), b"a key"));
    Connector::new(Api::new(store, Arc::new(Cat), access))
}
