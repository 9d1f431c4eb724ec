//! `pilot-agent`: the program of the `istio-proxy` container, and of `istio-init` before it.
//!
//! Invariant: the pod's connections are redirected exactly as long as the program runs.

use crate::net::{LineSink, NetNs};
use crate::process::{Exit, Process, SIGINT, SIGTERM};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Redirects the pod's connections while it lives.
struct Redirect(NetNs);

impl Drop for Redirect {
    fn drop(&mut self) {
        self.0.set_sidecar(None);
    }
}

/// Runs `pilot-agent proxy …` until a signal ends it, or `pilot-agent istio-iptables …`, which has nothing to do here:
/// the redirect comes with the proxy.
pub async fn main(process: Process) -> Exit {
    match process.args().first().map(String::as_str) {
        Some("proxy") => proxy(process).await,
        Some("istio-iptables") => Exit::SUCCESS,
        Some(command) => Exit::not_simulated(format!("pilot-agent {command}")),
        None => Exit::not_simulated("pilot-agent without a command"),
    }
}

async fn proxy(process: Process) -> Exit {
    let Some(control_plane) = process.net.control_plane() else {
        return Exit::not_simulated("a sidecar in a lab without a mesh");
    };
    let (lines, mut written) = mpsc::unbounded_channel::<String>();
    let sink: LineSink = Arc::new(move |line: &str| {
        // After the program's end nobody reads the log.
        let _ = lines.send(line.to_owned());
    });
    process.net.set_sidecar(Some(control_plane.sidecar(&process.net, sink)));
    let redirect = Redirect(process.net.clone());
    let now = crate::clock::rfc3339_micros(process.clock.now());
    process.warn(format!("{now}\tinfo\tEnvoy proxy is ready\n")).await;
    let mut stop = Box::pin(stopped(&process));
    let exit = loop {
        tokio::select! {
            biased;
            line = written.recv() => match line {
                Some(line) => write(&process, &line).await,
                None => break Exit::SUCCESS,
            },
            exit = &mut stop => break exit,
        }
    };
    // Without the redirect the sidecar goes, and its last lines come with it.
    drop(redirect);
    while let Ok(line) = written.try_recv() {
        write(&process, &line).await;
    }
    exit
}

async fn write(process: &Process, line: &str) {
    // A log that cannot be written stops no connection.
    let _ = process.stdout().write_all(line.as_bytes()).await;
}

async fn stopped(process: &Process) -> Exit {
    let Some(mut signals) = process.handle_signals() else { return std::future::pending().await };
    loop {
        if signals.changed().await.is_err() {
            return std::future::pending().await;
        }
        let signal = *signals.borrow_and_update();
        match signal {
            Some(SIGTERM | SIGINT) => return Exit::SUCCESS,
            Some(signal) => return Exit::Signal(signal),
            None => {}
        }
    }
}
