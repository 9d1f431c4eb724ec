//! What a sidecar remembers of the calls that it carried lately.
//!
//! Invariant: a call is kept as the facts and the configuration by which it was decided, and is decided again when somebody asks;
//! so what is told is what happened, whatever the configuration has become since. All that is kept is bounded.

use super::Head;
use crate::mesh::decide::{Connection, RequestHead};
use crate::mesh::envoy::ProxyConfig;
use crate::mesh::log::Record;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections are remembered.
const CONNECTIONS: usize = 16;

/// How many requests of each are remembered.
const REQUESTS: usize = 8;

/// The connections that a sidecar carried lately, oldest first.
#[derive(Debug, Default)]
pub(in crate::mesh) struct Lately(Mutex<VecDeque<Carried>>);

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) at: Timestamp,
    pub(super) config: Arc<ProxyConfig>,
    pub(super) facts: Connection,
    pub(super) requests: VecDeque<Asked>,
    /// How it ended, once it has.
    pub(super) record: Option<Record>,
}

/// One request on a connection.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) config: Arc<ProxyConfig>,
    pub(super) head: Head,
    /// How it ended, once it has.
    pub(super) record: Option<Record>,
}

impl Lately {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Carried>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a connection that was decided.
    pub(in crate::mesh) fn connection(&self, at: Timestamp, config: &Arc<ProxyConfig>, facts: &Connection) {
        let mut all = self.lock();
        make_room(&mut all, CONNECTIONS, config, |carried| &carried.config);
        let (config, facts) = (Arc::clone(config), facts.clone());
        all.push_back(Carried { at, config, facts, requests: VecDeque::new(), record: None });
    }

    /// Remembers a request that was decided, on the connection from `source`.
    pub(in crate::mesh) fn request(&self, source: SocketAddr, config: &Arc<ProxyConfig>, head: &RequestHead<'_>) {
        let mut all = self.lock();
        let Some(carried) = newest(&mut all, source) else { return };
        make_room(&mut carried.requests, REQUESTS, config, |asked| &asked.config);
        carried.requests.push_back(Asked { config: Arc::clone(config), head: Head::of(head), record: None });
    }

    /// Remembers how a connection, or the latest request on it, ended.
    pub(in crate::mesh) fn ended(&self, record: &Record) {
        let mut all = self.lock();
        let Some(carried) = newest(&mut all, record.source) else { return };
        match carried.requests.back_mut().filter(|_| record.request.is_some()) {
            Some(asked) => asked.record = Some(record.clone()),
            None => carried.record = Some(record.clone()),
        }
    }

    /// The connections that began at this time or later.
    pub(super) fn since(&self, since: Timestamp) -> Vec<Carried> {
        self.lock().iter().filter(|carried| carried.at >= since).cloned().collect()
    }
}

/// Makes room for another one, decided by `config`. A configuration may be large, so that of what was kept only what was decided by
/// this one or by the one before stays.
fn make_room<T>(
    kept: &mut VecDeque<T>,
    room: usize,
    config: &Arc<ProxyConfig>,
    decided_by: fn(&T) -> &Arc<ProxyConfig>,
) {
    if kept.len() == room {
        kept.pop_front();
    }
    let Some(before) = kept.back().map(|last| Arc::clone(decided_by(last))) else { return };
    kept.retain(|one| Arc::ptr_eq(decided_by(one), config) || Arc::ptr_eq(decided_by(one), &before));
}

/// Ports are given out again, so the newest connection from an address is meant.
fn newest(all: &mut VecDeque<Carried>, source: SocketAddr) -> Option<&mut Carried> {
    all.iter_mut().rev().find(|carried| carried.facts.source == source)
}
