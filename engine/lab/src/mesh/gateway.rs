//! A gateway of the mesh at work: a proxy that listens on real ports, which come and go with its configuration.
//!
//! Invariant: a port is open as long as the configuration has a listener for it, and a connection keeps the configuration that was
//! there when it came.

use super::envoy::ProxyConfig;
use super::proxy::{Alive, Inner, Taken};
use crate::net::{Listener, NetNs};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running gateway; when it goes, its ports close and its log is written out.
pub(super) struct Gateway {
    _alive: Alive,
    netns: NetNs,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.netns.set_proxy(false);
    }
}

/// The ports of a configuration.
fn ports(config: &ProxyConfig) -> BTreeSet<u16> {
    config.listeners.keys().map(SocketAddr::port).collect()
}

/// Starts a gateway in a pod.
pub(super) fn start(netns: &NetNs, inner: &Arc<Inner>) -> Gateway {
    netns.set_proxy(true);
    let stop = inner.stop.clone();
    let work = follow(netns.clone(), Arc::clone(inner));
    tokio::spawn(async move {
        stop.run_until_cancelled(work).await;
    });
    Gateway { _alive: Alive::new(inner), netns: netns.clone() }
}

/// Keeps the pod's ports in step with the configuration.
async fn follow(netns: NetNs, inner: Arc<Inner>) {
    let mut changes = inner.changes();
    let mut open: BTreeMap<u16, DropGuard> = BTreeMap::new();
    loop {
        let wanted = ports(&changes.borrow_and_update());
        open.retain(|port, _| wanted.contains(port));
        for port in wanted {
            // A port that another program of the pod has stays with it.
            if !open.contains_key(&port)
                && let Ok(listener) = netns.listen(port)
            {
                let closed = CancellationToken::new();
                open.insert(port, closed.clone().drop_guard());
                tokio::spawn(listen(netns.clone(), Arc::clone(&inner), listener, closed));
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn listen(netns: NetNs, inner: Arc<Inner>, mut listener: Listener, closed: CancellationToken) {
    let stop = inner.stop.clone();
    while let Some(Ok(socket)) = closed.run_until_cancelled(listener.accept()).await {
        let destination = socket.local_addr();
        let taken = Taken::new(&inner, &netns, socket.peer_addr(), destination);
        let stop = stop.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(taken.carry(socket)).await;
        });
    }
}
