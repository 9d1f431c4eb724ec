//! The last words of a container, which its status repeats.
//!
//! Invariant: they are bounded, whatever the container left.

use serde_json::Value;

use super::state::Instance;

/// Most bytes taken of the file.
const FILE: usize = 4096;

/// Most bytes, and most lines, taken of the log.
const LOG: usize = 2048;
const LOG_LINES: u64 = 80;

/// Where the words are left when the specification does not say.
pub(super) const DEFAULT_PATH: &str = "/dev/termination-log";

/// What the container left in its file, or the end of its log if it failed and asked for that.
pub(super) fn message(spec: &Value, instance: &Instance, code: u8) -> String {
    let text = |key: &str| spec.get(key).and_then(Value::as_str);
    let path = text("terminationMessagePath").unwrap_or(DEFAULT_PATH);
    let file = instance.container.fs().read(path).unwrap_or_default();
    if !file.is_empty() {
        return String::from_utf8_lossy(&file[..file.len().min(FILE)]).into_owned();
    }
    if code == 0 || text("terminationMessagePolicy") != Some("FallbackToLogsOnError") {
        return String::new();
    }
    let log = instance.log();
    let (lines, _) = log.read(log.end().saturating_sub(LOG_LINES), usize::MAX);
    let end: Vec<u8> = lines.into_iter().flat_map(|line| line.text).collect();
    String::from_utf8_lossy(&end[end.len().saturating_sub(LOG)..]).into_owned()
}
