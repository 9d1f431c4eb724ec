//! `pilot-agent`: the program of the `istio-proxy` container, and of `istio-init` before it.
//!
//! Invariant: once `istio-init` has run, a connection of the application either goes through the running sidecar or is refused,
//! as the redirect rules stay when the proxy goes.

use super::health;
use crate::net::{ControlPlane, Included, LineSink, NetNs, Redirect};
use crate::process::{Exit, Process};
use std::str::FromStr;
use std::sync::Arc;
use tokio::sync::mpsc;

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
            Self::Sidecar(netns) => netns.set_sidecar(None),
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
        // The hook before a stop: the proxy goes on with what it has, and is ended last.
        Some("request") if process.args().ends_with(&["POST".to_owned(), "drain".to_owned()]) => Exit::SUCCESS,
        Some(command) => Exit::not_simulated(format!("pilot-agent {command}")),
        None => Exit::not_simulated("pilot-agent without a command"),
    }
}

/// Sets the redirect rules that the options ask for.
fn redirect(process: &Process) -> Exit {
    match read_rules(&process.args()[1..]) {
        Ok(rules) => {
            process.net.set_redirect(rules);
            Exit::SUCCESS
        }
        Err(option) => Exit::not_simulated(format!("pilot-agent istio-iptables {option}")),
    }
}

fn read_rules(args: &[String]) -> Result<Redirect, String> {
    let mut rules = Redirect::default();
    let mut args = args.iter();
    while let Some(option) = args.next() {
        if option.starts_with("--log") {
            continue;
        }
        let value = args.next().map_or("", String::as_str);
        let refused = || format!("{option} {value:?}");
        match option.as_str() {
            "-p" if value == "15001" => {}
            "-z" if value == "15006" => {}
            "-u" if value == "1337" => {}
            "-m" if value == "REDIRECT" => {}
            "-i" if value == "*" => rules.ranges = Included::All,
            "-i" => rules.ranges = Included::These(items(value).ok_or_else(refused)?),
            "-x" => rules.excluded_ranges = items(value).ok_or_else(refused)?,
            "-q" => rules.ports = items(value).ok_or_else(refused)?,
            "-o" => rules.excluded_ports = items(value).ok_or_else(refused)?,
            "-b" if value == "*" => rules.inbound = Included::All,
            "-b" => rules.inbound = Included::These(items(value).ok_or_else(refused)?),
            "-d" => rules.excluded_inbound = items(value).ok_or_else(refused)?,
            _ => return Err(refused()),
        }
    }
    Ok(rules)
}

/// What a list with commas holds.
fn items<T: FromStr, C: FromIterator<T>>(list: &str) -> Option<C> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
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
