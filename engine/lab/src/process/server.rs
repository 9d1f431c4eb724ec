//! The loop of a server: it takes connections until a signal ends it.
//!
//! Invariant: its connections end with the process; a server that holds too many lets the next ones wait.

use futures::stream::{SelectAll, Stream, StreamExt};
use tokio::task::JoinSet;

use super::{Exit, Process};
use crate::net::{Listener, Socket};

/// How many connections a server holds at a time: the descriptors that a process has by default.
const MAX_CONNECTIONS: usize = 1024;

impl Process {
    /// Hands each connection that comes to one of the listeners to `connection`, until a signal ends the process.
    pub async fn serve<F>(&self, listeners: Vec<Listener>, connection: impl Fn(Socket) -> F) -> Exit
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut arrivals: SelectAll<_> = listeners.into_iter().map(|listener| Box::pin(arrivals(listener))).collect();
        let mut connections = JoinSet::new();
        let mut stop = Box::pin(self.stopped());
        loop {
            tokio::select! {
                biased;
                exit = &mut stop => return exit,
                Some(_) = connections.join_next() => {}
                Some(socket) = arrivals.next(), if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(connection(socket));
                }
            }
        }
    }
}

/// The connections to one port, until the pod goes.
fn arrivals(listener: Listener) -> impl Stream<Item = Socket> {
    futures::stream::unfold(listener, |mut listener| async move {
        let socket = listener.accept().await.ok()?;
        Some((socket, listener))
    })
}
