//! `pilot-agent`: the program of the `istio-proxy` container, and of `istio-init` before it.
//!
//! Invariant: once `istio-init` has run, a connection of the application either goes through the running sidecar or is refused,
//! as the redirect rules stay when the proxy goes.

use super::health;
use crate::net::{ControlPlane, Interceptor, LineSink, NetNs, Socket};
use crate::process::{Exit, Process};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Redirect rules with nobody behind them.
struct NoProxy;

impl Interceptor for NoProxy {
    fn captures(&self, _destination: SocketAddr) -> bool {
        true
    }

    fn accepts(&self) -> bool {
        false
    }

    fn accept(&self, _netns: &NetNs, client: Socket) {
        client.reset();
    }

    fn intercept(&self, _netns: &NetNs, app: Socket, _destination: SocketAddr) {
        app.reset();
    }
}

/// The proxy's place in the pod, while the program lives: a sidecar's is behind the redirect rules.
enum Place {
    Sidecar(NetNs),
    Gateway(Box<dyn Send>),
}

impl Place {
    fn take(process: &Process, control_plane: &dyn ControlPlane, gateway: bool, log: LineSink) -> Self {
        let revision = revision(process);
        if gateway {
            return Self::Gateway(control_plane.gateway(&process.net, &revision, log));
        }
        process.net.set_sidecar(Some(control_plane.sidecar(&process.net, &revision, log)));
        Self::Sidecar(process.net.clone())
    }

    fn leave(self) {
        match self {
            Self::Sidecar(netns) => netns.set_sidecar(Some(Arc::new(NoProxy))),
            Self::Gateway(gateway) => drop(gateway),
        }
    }
}

/// The revision of the control plane that the proxy asks, from its address.
fn revision(process: &Process) -> String {
    let address = process.var("CA_ADDR").unwrap_or_default();
    let service = address.split('.').next().unwrap_or_default();
    service.strip_prefix("istiod-").unwrap_or("default").to_owned()
}

/// Runs `pilot-agent istio-iptables …`, which sets up the redirect, or `pilot-agent proxy …` until a signal ends it.
pub async fn main(process: Process) -> Exit {
    match process.args().first().map(String::as_str) {
        Some("proxy") => match process.args().get(1).map(String::as_str) {
            None | Some("sidecar") => proxy(process, false).await,
            Some("router") => proxy(process, true).await,
            Some(kind) => Exit::not_simulated(format!("pilot-agent proxy {kind}")),
        },
        Some("istio-iptables") => redirect(&process),
        Some(command) => Exit::not_simulated(format!("pilot-agent {command}")),
        None => Exit::not_simulated("pilot-agent without a command"),
    }
}

/// Redirects all outgoing connections. Rules that would leave some out are not simulated.
fn redirect(process: &Process) -> Exit {
    let mut args = process.args().iter().skip(1);
    while let Some(option) = args.next() {
        if option.starts_with("--log") {
            continue;
        }
        let value = args.next().map_or("", String::as_str);
        let known = match option.as_str() {
            "-p" => value == "15001",
            "-u" => value == "1337",
            "-m" => value == "REDIRECT",
            "-i" => value == "*",
            "-x" | "-o" => value.is_empty(),
            // Ports of inbound traffic, which the lab does not redirect.
            "-z" | "-b" | "-d" => true,
            _ => false,
        };
        if !known {
            return Exit::not_simulated(format!("pilot-agent istio-iptables {option} {value:?}"));
        }
    }
    process.net.set_sidecar(Some(Arc::new(NoProxy)));
    Exit::SUCCESS
}

async fn proxy(process: Process, gateway: bool) -> Exit {
    let Some(control_plane) = process.net.control_plane() else {
        return Exit::not_simulated("a proxy of the mesh in a lab without a mesh");
    };
    let Ok(health) = process.net.listen(health::PORT) else {
        process.warn(format!("error\tlisten on port {} failed: address already in use\n", health::PORT)).await;
        return Exit::FAILURE;
    };
    let (lines, mut written) = mpsc::unbounded_channel::<String>();
    let sink: LineSink = Arc::new(move |line: &str| {
        // After the program's end nobody reads the log.
        let _ = lines.send(line.to_owned());
    });
    let place = Place::take(&process, &*control_plane, gateway, sink);
    let now = crate::clock::rfc3339_micros(process.clock.now());
    process.warn(format!("{now}\tinfo\tEnvoy proxy is ready\n")).await;
    let mut stop = Box::pin(process.stopped());
    let mut health = Box::pin(health::serve(health, process.clock.clone()));
    let exit = loop {
        tokio::select! {
            biased;
            Some(line) = written.recv() => write(&process, &line).await,
            exit = &mut stop => break exit,
            () = &mut health => break Exit::SUCCESS,
        }
    };
    // The proxy goes with its place, and its last lines come with it.
    place.leave();
    while let Ok(line) = written.try_recv() {
        write(&process, &line).await;
    }
    exit
}

async fn write(process: &Process, line: &str) {
    // A log that cannot be written stops no connection.
    let _ = process.stdout().write_all(line.as_bytes()).await;
}
