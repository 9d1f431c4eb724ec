//! `true`, `false` and `sleep`.
//!
//! Invariant: waiting is done on the lab's clock alone.

use crate::process::{Exit, Process};
use std::time::Duration;

/// `true`
pub(super) async fn succeed(_process: Process) -> Exit {
    Exit::SUCCESS
}

/// `false`
pub(super) async fn fail(_process: Process) -> Exit {
    Exit::FAILURE
}

/// `sleep NUMBER[smhd]...` or `sleep infinity`
pub(super) async fn sleep(process: Process) -> Exit {
    if process.args().is_empty() {
        return super::usage::incomplete(&process, 1).await;
    }
    let mut total = Duration::ZERO;
    for arg in process.args() {
        match duration(arg) {
            Some(Some(duration)) => total = total.saturating_add(duration),
            Some(None) => std::future::pending::<()>().await,
            None if process.image.is_busybox() => {
                return process.fail(1, format!("invalid number '{arg}'")).await;
            }
            None => {
                process.warn(format!("sleep: invalid time interval '{arg}'\n")).await;
                process.warn("Try 'sleep --help' for more information.\n").await;
                return Exit::FAILURE;
            }
        }
    }
    process.clock.sleep(total).await;
    Exit::SUCCESS
}

/// A time as `sleep` and `timeout` read it; the inner `None` is infinity.
pub(super) fn duration(text: &str) -> Option<Option<Duration>> {
    if matches!(text.to_ascii_lowercase().as_str(), "inf" | "infinity") {
        return Some(None);
    }
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.as_bytes()[text.len() - 1]),
        None => (text, b's'),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let factor = match unit {
        b'm' => 60.0,
        b'h' => 3_600.0,
        b'd' => 86_400.0,
        _ => 1.0,
    };
    let seconds: f64 = number.parse().ok()?;
    // A time beyond what the clock can hold never ends within a lab.
    Some(Duration::try_from_secs_f64(seconds * factor).ok().filter(|duration| duration.as_secs() < 1 << 32))
}
