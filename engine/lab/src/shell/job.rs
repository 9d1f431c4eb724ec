//! Commands in the background.
//!
//! Invariant: a job goes on when nobody waits for it, until it or its container ends.

use super::ast::Node;
use super::state::{Shell, Stop};
use crate::process::{Exit, Fd, Process};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A command in the background.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) pid: u32,
    pub(super) text: String,
    pub(super) task: JoinHandle<Exit>,
}

impl Shell {
    /// Starts a command that nobody waits for.
    pub(super) async fn background(&mut self, node: &Arc<Node>, text: &str) -> Result<(), Stop> {
        let mut sub = self.fork().await?;
        let node = Arc::clone(node);
        // Without job control a background command reads nothing.
        sub.process.fds.insert(0, Fd::null());
        sub.process.pid = self.process.child(Vec::new()).pid;
        sub.process.parent = self.process.pid;
        (sub.depth, sub.base) = (0, 0);
        let pid = sub.process.pid;
        let supervisor = Process { fds: BTreeMap::new(), ..sub.process.clone() };
        let task = tokio::spawn(supervisor.supervise(async move {
            let flow = sub.node(&node).await;
            sub.end(flow).await
        }));
        self.jobs.push(Job { pid, text: text.to_owned(), task });
        self.last_job = Some(pid);
        Ok(())
    }
}
