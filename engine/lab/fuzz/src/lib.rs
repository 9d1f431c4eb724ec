//! A server with one pod for each case, and one exchange with it.
//!
//! Invariant: a case depends on its bytes alone; time is virtual.

#[path = "../../tests/api/cat.rs"]
mod cat;

use std::time::Duration;

use periplus_lab::clock::Clock;
use periplus_lab::serve::Connector;
use periplus_lab::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Lab time after which a connection hangs: longer than any watch lasts.
const PATIENCE: Duration = Duration::from_secs(10_000);

async fn exchange(connector: &Connector, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = tokio::io::split(connector.connect_raw());
    let mut answer = Vec::new();
    let sending = async {
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    };
    let both = async { tokio::join!(sending, from.read_to_end(&mut answer)) };
    assert!(tokio::time::timeout(PATIENCE, both).await.is_ok(), "the connection hangs");
    answer
}

/// Sends bytes to a new server, and asks it for its version afterwards.
pub fn attack(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let server = cat::server(Store::new(Clock::fixed(Clock::virtual_epoch()), 7));
        exchange(&server, bytes).await;
        let answer = exchange(&server, b"GET /version HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "the next request is not answered");
    });
}
