//! What the API asks of the kubelet: commands in containers, and logs.
//!
//! Invariant: a command sees the container as it is now; a container that ends takes its commands with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::pod::PodRun;
use super::service::Kubelet;
use super::state::{NOT_SIMULATED, Phase};
use super::streams;
use crate::controllers::fnv32;
use crate::log;
use crate::net::{Explanation, NetNs, not_simulated};
use crate::status::Status;
use crate::store::{ObjectKey, meta};
use crate::stream::{
    ContainerLog, Dialled, ExecRequest, ExecSession, ForwardError, LogEntry, LogPage, LogSource, LogStream, PodHost,
    Port,
};

impl PodHost for Kubelet {
    fn exec(&self, namespace: &str, pod: &str, container: &str, request: ExecRequest) -> Result<ExecSession, Status> {
        let gone = || Status::failure(format!("container not found ({container:?})"));
        let run = self.pod(namespace, pod).ok_or_else(gone)?;
        let state = run.state();
        let instance = state.containers.get(container).filter(|container| container.is_running());
        let instance = instance.and_then(|container| container.instance.clone()).ok_or_else(gone)?;
        drop(state);
        Ok(streams::exec(&instance, request))
    }

    fn attach(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        mut request: ExecRequest,
    ) -> Result<ExecSession, Status> {
        let gone = || Status::failure(format!("container {container} not found in pod {pod}_{namespace}"));
        let run = self.pod(namespace, pod).ok_or_else(gone)?;
        let state = run.state();
        let instance = state.containers.get(container).filter(|container| container.is_running());
        let instance = instance.and_then(|container| container.instance.clone()).ok_or_else(gone)?;
        drop(state);
        // Whether there is a terminal is the container's affair, not the client's.
        request.tty = instance.tty;
        Ok(streams::attach(&instance, &request))
    }

    fn dial(&self, namespace: &str, pod: &str, port: u16) -> Result<Dialled, Status> {
        let missing = || Status::failure(format!("pod not found (\"{pod}_{namespace}\")"));
        let run = self.pod(namespace, pod).filter(|run| !run.is_over()).ok_or_else(missing)?;
        let net = run.net().cloned().ok_or_else(missing)?;
        let sandbox = sandbox_id(meta::uid(&run.pod));
        Ok(Box::pin(async move {
            let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            match net.connect(address).await {
                Ok(socket) => Ok(Box::new(socket) as Box<dyn Port>),
                Err(error) => Err(refused(sandbox, port, &error)),
            }
        }))
    }

    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Result<ContainerLog, Status> {
        let waiting = |reason: &str| {
            Status::bad_request(format!("container {container:?} in pod {pod:?} is waiting to start: {reason}"))
        };
        let run = self.pod(namespace, pod).ok_or_else(|| waiting("ContainerCreating"))?;
        let state = run.state();
        let Some(found) = state.containers.get(container) else {
            return Err(Status::bad_request(format!("container {container} is not valid for pod {pod}")));
        };
        let log = if previous {
            let missing = format!("previous terminated container {container:?} in pod {pod:?} not found");
            // Between two runs, the one that has just ended is the previous one already.
            let ended = matches!(&found.phase, Phase::Waiting { .. }).then(|| found.instance.as_ref()).flatten();
            let log = ended.map(|instance| instance.log().clone()).or_else(|| found.previous_log.clone());
            log.ok_or_else(|| Status::bad_request(missing))?
        } else {
            let log = found.instance.as_ref().map(|instance| instance.log().clone());
            log.ok_or_else(|| match &found.phase {
                // The message says what the lab lacks, which no reason of a real kubelet does.
                Phase::Waiting { reason, message } if reason == NOT_SIMULATED => {
                    waiting(&format!("{reason}: {message}"))
                }
                Phase::Waiting { reason, .. } => waiting(reason),
                Phase::Running { .. } | Phase::Ended(_) => waiting("ContainerCreating"),
            })?
        };
        Ok(Arc::new(Source(log)))
    }

    fn explain(
        &self,
        namespace: &str,
        pod: &str,
        url: &str,
        proxy: Option<&str>,
    ) -> BoxFuture<'static, Result<Explanation, Status>> {
        let net = self.net(namespace, pod);
        let (url, proxy) = (url.to_owned(), proxy.map(str::to_owned));
        Box::pin(async move {
            let net = net.ok_or_else(|| Status::bad_request("the pod has no network yet"))?;
            let mesh = net.control_plane().ok_or_else(|| Status::not_simulated("an explanation without a mesh"))?;
            mesh.explain(net, url, proxy).await.map_err(Status::bad_request)
        })
    }

    fn explain_since(&self, namespace: &str, pod: &str, since: Timestamp) -> Vec<Explanation> {
        let net = self.net(namespace, pod);
        let mesh = net.as_ref().and_then(NetNs::control_plane);
        net.zip(mesh).map_or_else(Vec::new, |(net, mesh)| mesh.explain_since(&net, since))
    }
}

impl Kubelet {
    fn net(&self, namespace: &str, pod: &str) -> Option<NetNs> {
        self.pod(namespace, pod).and_then(|run| run.net().cloned())
    }

    fn pod(&self, namespace: &str, pod: &str) -> Option<Arc<PodRun>> {
        self.shared.pods().get(&ObjectKey::new(namespace, pod)).cloned()
    }
}

/// The words of containerd where no program listens.
fn refused(sandbox: String, port: u16, error: &std::io::Error) -> ForwardError {
    if let Some(what) = not_simulated(error) {
        return ForwardError { sandbox, why: format!("not simulated: {what}") };
    }
    let name = &sandbox[..32];
    let network = [&name[..8], &name[8..12], &name[12..16], &name[16..20], &name[20..]].join("-");
    let why = format!(
        "failed to execute portforward in network namespace \"/var/run/netns/cni-{network}\": failed to connect to \
         localhost:{port} inside namespace {sandbox:?}, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused \
         IPv6: dial tcp6 [::1]:{port}: connect: connection refused "
    );
    ForwardError { sandbox, why }
}

/// Sixty-four hexadecimal digits that name a pod's sandbox.
fn sandbox_id(uid: &str) -> String {
    (0..8).map(|part| format!("{:08x}", fnv32(format!("{uid}/{part}").as_bytes()))).collect()
}

/// A container's log in the form that the API reads.
struct Source(log::ContainerLog);

impl LogSource for Source {
    fn read(&self, from: u64, limit: usize) -> LogPage {
        // Asked first, so that no line can come between the last page and the end.
        let closed = self.0.is_closed();
        let (lines, next) = self.0.read(from, limit);
        let entries = lines
            .into_iter()
            .map(|line| LogEntry {
                stamp: line.at,
                stream: match line.stream {
                    log::Stream::Stdout => LogStream::Stdout,
                    log::Stream::Stderr => LogStream::Stderr,
                },
                line: line.text.into(),
            })
            .collect();
        LogPage { entries, next, ended: closed && next >= self.0.end() }
    }

    fn wait(&self, from: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.wait(from).await;
        })
    }
}
