//! Appending to the journal, beside the disk's own price for the same bytes. Reach: a flush at most 1.5 times the disk's.

use std::fs::File;
use std::io::Write as _;

use divan::Bencher;
use jiff::Timestamp;
use periplus_core::change::{ChangeId, ObjectKey};
use periplus_core::event::{Before, ChangeIntent, Event, EventKind, Operation};
use periplus_core::journal::line;
use periplus_core::model::StepId;
use periplus_run::{Durability, StateDir};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// How many events come at once.
const BATCHES: [u64; 2] = [1, 32];

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn event(seq: u64, kind: EventKind) -> Event {
    Event { seq, at: Timestamp::UNIX_EPOCH, elapsed_ms: seq, kind }
}

/// Facts that no flush is owed for.
fn facts(count: u64) -> Vec<Event> {
    let step = StepId("call-in-mesh".to_owned());
    (0..count).map(|seq| event(seq, EventKind::StepStarted { step: step.clone() })).collect()
}

/// The announcement of a change to a small object, which must be on disk before the change goes out.
fn announcements(count: u64) -> Vec<Event> {
    let object = ObjectKey {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istio".to_owned(),
    };
    let before =
        serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"mesh": "accessLogFile: /dev/stdout\n"}});
    let announce = |seq| {
        let intent = ChangeIntent {
            change: ChangeId(1),
            object: object.clone(),
            operation: Operation::Apply,
            before: Before::Present { object: before.clone() },
        };
        event(seq, EventKind::ChangeIntended { step: StepId("registry-only".to_owned()), intent })
    };
    (0..count).map(announce).collect()
}

fn append(bencher: Bencher<'_, '_>, events: &[Event]) {
    let (runtime, folder) = (runtime(), TempDir::new().expect("a folder"));
    let mut journal = StateDir::new(folder.path()).create("bench", Durability::Disk).expect("a journal");
    bencher.bench_local(|| runtime.block_on(journal.append(events)).expect("appended"));
}

#[divan::bench(args = BATCHES)]
fn facts_without_flush(bencher: Bencher<'_, '_>, count: u64) {
    append(bencher, &facts(count));
}

#[divan::bench(args = BATCHES)]
fn changes_with_one_flush(bencher: Bencher<'_, '_>, count: u64) {
    append(bencher, &announcements(count));
}

/// The same bytes by the shortest way there is.
#[divan::bench(args = BATCHES)]
fn the_disk_itself(bencher: Bencher<'_, '_>, count: u64) {
    let folder = TempDir::new().expect("a folder");
    let mut file = File::create(folder.path().join("bench")).expect("a file");
    let text: String = announcements(count).iter().map(line).collect();
    bencher.bench_local(|| {
        file.write_all(text.as_bytes()).expect("written");
        file.sync_data().expect("flushed");
    });
}
