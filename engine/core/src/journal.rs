//! The journal's format: one record a line, each with a checksum, over any reader.
//!
//! A line is eight hex digits of CRC-32 (IEEE) over the rest, a blank, and a JSON text. The first record is the
//! [`Header`], all others are [`Event`]s. Text that was torn off by a crash can only be at the end and is dropped and
//! counted; damage anywhere else is reported with its line. This file writes nothing to disk itself.

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::Event;
use crate::state::{IllegalEvent, RunState};

/// Version of the format; readers refuse others.
pub const VERSION: u32 = 1;

/// Longest record that is read, in bytes: an event holds at most a few objects of 1.5 MiB, the limit of etcd.
const MAX_RECORD_BYTES: u64 = 16 << 20;

/// The first record of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `periplus-journal`.
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
}

impl Default for Header {
    fn default() -> Self {
        Self { format: "periplus-journal".to_owned(), version: VERSION }
    }
}

/// Writes a record as one line, newline included.
///
/// # Panics
/// When the record cannot be JSON, which the types rule out.
#[must_use]
pub fn line(record: &impl Serialize) -> String {
    let json = serde_json::to_string(record).expect("journal records are plain data with string keys");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// A journal that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// All events that are whole, in order.
    pub events: Vec<Event>,
    /// The state they fold into.
    pub state: RunState,
    /// Bytes at the end that a crash tore off; 0 where the end is whole.
    pub torn_bytes: u64,
    /// Bytes up to the end of the last whole record: where a writer goes on.
    pub whole_bytes: u64,
}

/// Why a journal could not be read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Reading failed.
    #[error("cannot read the journal")]
    Io(#[from] std::io::Error),
    /// The first record is missing or is none of ours.
    #[error("this is no journal: its first line is not a journal header")]
    NoHeader,
    /// Written by another version.
    #[error("the journal has format version {found}; this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A byte was flipped, or a line was edited.
    #[error("line {line} of the journal is damaged: {reason}")]
    Damaged {
        /// From 1.
        line: u64,
        /// What does not fit.
        reason: String,
    },
    /// A whole record that cannot follow what came before it.
    #[error("line {line} of the journal cannot follow what stands before it")]
    Illegal {
        /// From 1.
        line: u64,
        /// What does not fit.
        source: IllegalEvent,
    },
}

/// Reads a journal and folds its events.
///
/// # Errors
/// [`JournalError`]. A last line without its newline is no error: a crash tore it off, and it is counted in
/// [`Journal::torn_bytes`].
pub fn read(mut reader: impl BufRead) -> Result<Journal, JournalError> {
    let mut journal = Journal { events: Vec::new(), state: RunState::default(), torn_bytes: 0, whole_bytes: 0 };
    let mut number = 0;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let length = std::io::Read::take(&mut reader, MAX_RECORD_BYTES).read_until(b'\n', &mut buffer)? as u64;
        if length == 0 {
            break;
        }
        number += 1;
        let Some(record) = buffer.strip_suffix(b"\n") else {
            if length == MAX_RECORD_BYTES {
                return Err(JournalError::Damaged { line: number, reason: "it is longer than 16 MiB".to_owned() });
            }
            journal.torn_bytes = length;
            break;
        };
        let json = verify(record).map_err(|reason| JournalError::Damaged { line: number, reason })?;
        journal.take(number, json)?;
        journal.whole_bytes += length;
    }
    if journal.whole_bytes == 0 {
        return Err(JournalError::NoHeader);
    }
    Ok(journal)
}

fn verify(record: &[u8]) -> Result<&[u8], String> {
    let (Some(sum), Some(b' '), Some(json)) = (record.get(..8), record.get(8), record.get(9..)) else {
        return Err("it does not start with a checksum".to_owned());
    };
    let written = std::str::from_utf8(sum).ok().and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if written == Some(crc32fast::hash(json)) { Ok(json) } else { Err("its checksum does not fit".to_owned()) }
}

impl Journal {
    fn take(&mut self, line: u64, json: &[u8]) -> Result<(), JournalError> {
        if line == 1 {
            let header: Header = serde_json::from_slice(json).map_err(|_| JournalError::NoHeader)?;
            return match header {
                Header { version, .. } if version != VERSION => Err(JournalError::Version { found: version }),
                header if header == Header::default() => Ok(()),
                _ => Err(JournalError::NoHeader),
            };
        }
        let event: Event = serde_json::from_slice(json)
            .map_err(|error| JournalError::Damaged { line, reason: format!("it is no event ({error})") })?;
        self.state.apply(&event).map_err(|source| JournalError::Illegal { line, source })?;
        self.events.push(event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::event::{EventKind, RunId, RunStarted, RunbookRef, Target};

    fn event(seq: u64, kind: EventKind) -> Event {
        Event { seq, at: Timestamp::UNIX_EPOCH, elapsed_ms: seq, kind }
    }

    fn sample() -> (Vec<Event>, String) {
        let started = RunStarted {
            run: RunId("r".to_owned()),
            engine: "0".to_owned(),
            kubernetes: None,
            runbook: RunbookRef {
                name: "n".to_owned(),
                title: "Straße".to_owned(),
                path: "p".to_owned(),
                hash: String::new(),
            },
            target: Target::Lab { seed: 1 },
            params: vec![],
            steps: vec![],
            keep: vec![],
        };
        let events = vec![
            event(0, EventKind::RunStarted(started)),
            event(1, EventKind::Interrupted { times: 1 }),
            event(2, EventKind::RunFinished { result: crate::outcome::RunResult::Interrupted }),
        ];
        let text = std::iter::once(line(&Header::default())).chain(events.iter().map(line)).collect();
        (events, text)
    }

    #[test]
    fn what_was_written_is_read() {
        let (events, text) = sample();
        let journal = read(text.as_bytes()).expect("whole");
        assert_eq!((journal.events, journal.torn_bytes), (events, 0));
        assert_eq!(journal.whole_bytes, text.len() as u64);
    }

    #[test]
    fn a_crash_at_any_byte_keeps_all_whole_records() {
        let (events, text) = sample();
        let header = line(&Header::default()).len();
        for cut in header..text.len() {
            let journal = read(&text.as_bytes()[..cut]).expect("a torn end is no error");
            let whole = text.as_bytes()[..cut].iter().filter(|byte| **byte == b'\n').count() - 1;
            assert_eq!(journal.events, events[..whole]);
            assert_eq!(journal.whole_bytes + journal.torn_bytes, cut as u64);
        }
    }

    #[test]
    fn a_flipped_byte_is_reported_or_makes_a_torn_end_but_never_passes() {
        let (events, text) = sample();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 0x04;
            match read(bytes.as_slice()) {
                Err(_) => {}
                Ok(journal) => {
                    assert_eq!(place, text.len() - 1, "only a lost last newline looks like a torn end");
                    assert_eq!(journal.events, events[..2]);
                }
            }
        }
    }

    #[test]
    fn other_files_and_versions_are_refused() {
        assert!(matches!(read(&b""[..]), Err(JournalError::NoHeader)));
        let other = line(&Header { format: "periplus-journal".to_owned(), version: VERSION + 1 });
        assert!(matches!(read(other.as_bytes()), Err(JournalError::Version { found }) if found == VERSION + 1));
    }
}
