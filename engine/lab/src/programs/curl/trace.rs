//! What `-v` shows on standard error.
//!
//! Invariant: of data that follows on data only the first piece is told, and none of it when the body goes to a terminal.

use crate::process::Fd;
use std::sync::atomic::{AtomicBool, Ordering};

/// The notes of one transfer.
#[derive(Debug)]
pub(super) struct Trace {
    out: Option<Fd>,
    data: bool,
    told: AtomicBool,
}

impl Trace {
    /// Notes that go to `out`, or nowhere; `data` says whether pieces of data are told.
    pub(super) fn new(out: Option<Fd>, data: bool) -> Self {
        Self { out, data, told: AtomicBool::new(false) }
    }

    async fn write(&self, text: &[u8]) {
        if let Some(out) = &self.out {
            self.told.store(false, Ordering::Relaxed);
            // As curl does, the notes do not care whether anybody reads them.
            out.write_all(text).await.ok();
        }
    }

    /// A remark.
    pub(super) async fn note(&self, text: &str) {
        self.write(format!("* {text}\n").as_bytes()).await;
    }

    /// Lines of a head, each behind `<` or `>`.
    pub(super) async fn lines(&self, mark: char, lines: &[u8]) {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let mut text = format!("{mark} ").into_bytes();
            text.extend(line);
            self.write(&text).await;
        }
    }

    /// A piece of data that came (`{`) or went (`}`).
    pub(super) async fn data(&self, mark: char, length: usize) {
        if self.data && !self.told.load(Ordering::Relaxed) {
            self.write(format!("{mark} [{length} bytes data]\n").as_bytes()).await;
            self.told.store(true, Ordering::Relaxed);
        }
    }
}
