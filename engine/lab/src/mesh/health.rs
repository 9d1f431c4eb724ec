//! The sidecar's readiness page, which kubelets probe.
//!
//! Invariant: the page answers as soon as the sidecar has its configuration, which it has from its start.

use crate::clock::Clock;
use crate::net::http1::{Headers, Http, Response, reason};
use crate::net::{Listener, Socket, http_date};
use tokio::task::JoinSet;

/// The port of the page; inbound connections to it are not redirected.
pub(super) const PORT: u16 = 15021;

/// The path of the page.
const PATH: &str = "/healthz/ready";

/// Serves the page until the pod goes.
pub(super) async fn serve(mut listener: Listener, clock: Clock) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(socket) => {
                    connections.spawn(answer(socket, clock.clone()));
                }
                Err(_) => return,
            },
        }
    }
}

async fn answer(socket: Socket, clock: Clock) {
    let mut http = Http::new(socket);
    while let Ok(Some(request)) = http.request().await {
        let status = if request.target == PATH { 200 } else { 404 };
        let mut headers = Headers::default();
        headers.push("date", http_date(&clock));
        headers.push("server", "envoy");
        headers.push("content-length", "0");
        let response = Response { status, reason: reason(status).to_owned(), minor: 1, headers };
        if http.send(&response.encode()).await.is_err() || !request.keep_alive() {
            return;
        }
    }
}
