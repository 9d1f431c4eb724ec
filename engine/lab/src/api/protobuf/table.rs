//! The messages of Kubernetes' protobuf and their fields, read when the first such body comes.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::DeflateDecoder;

/// See `data/README.md`.
const RECORDED: &[u8] = include_bytes!("../../../data/protobuf.tsv.deflate");

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::new();
    DeflateDecoder::new(RECORDED)
        .read_to_string(&mut text)
        .expect("invariant: committed data inflates, a test reads all of it");
    text
});

static MESSAGES: LazyLock<HashMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut messages: HashMap<&str, Vec<Field>> = HashMap::new();
    for (message, field) in TEXT.lines().filter_map(row) {
        messages.entry(message).or_default().push(field);
    }
    messages
});

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u64,
    /// Its name in JSON.
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    pub(super) times: Times,
    /// Go holds a pointer, so that what is empty differs from what is not there.
    pub(super) pointer: bool,
    /// JSON leaves it out when it is empty.
    pub(super) omit_empty: bool,
    /// Its fields are those of the message around it.
    pub(super) inline: bool,
}

/// What a field holds, or each of the things that it holds.
#[derive(Debug)]
pub(super) enum Holds {
    Text,
    Bytes,
    Flag,
    Number,
    Fraction,
    Message(&'static str),
}

/// How many things a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Times {
    Once,
    List,
    /// By text.
    Map,
}

fn row(line: &'static str) -> Option<(&'static str, Field)> {
    let mut columns = line.split('\t');
    let (message, number, name, held) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let flags = columns.next().unwrap_or_default();
    let (times, held) = match held.split_at_checked(2) {
        Some(("[]", held)) => (Times::List, held),
        Some(("{}", held)) => (Times::Map, held),
        _ => (Times::Once, held),
    };
    let holds = match held {
        "string" => Holds::Text,
        "bytes" => Holds::Bytes,
        "bool" => Holds::Flag,
        "int" => Holds::Number,
        "double" => Holds::Fraction,
        message => Holds::Message(message),
    };
    let (pointer, omit_empty, inline) = (flags.contains('p'), flags.contains('o'), flags.contains('i'));
    Some((message, Field { number: number.parse().ok()?, name, holds, times, pointer, omit_empty, inline }))
}

/// The fields of a message.
pub(super) fn fields(message: &str) -> &'static [Field] {
    MESSAGES.get(message).map(Vec::as_slice).unwrap_or_default()
}

/// The message of a kind, if there is one.
pub(super) fn name_of_kind(api_version: &str, kind: &str) -> Option<&'static str> {
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    // Packages are named after the group's first label. Options belong to every group.
    let package = group.split('.').next().unwrap_or(group);
    let name = if kind == "DeleteOptions" {
        "meta.v1.DeleteOptions".to_owned()
    } else {
        format!("{package}.{version}.{kind}")
    };
    MESSAGES.get_key_value(name.as_str()).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn data_is_what_its_readme_says_and_all_of_it_is_read() {
        let hex: String = Sha256::digest(TEXT.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(include_str!("../../../data/README.md").contains(&hex), "{hex}");
        assert_eq!(MESSAGES.values().map(Vec::len).sum::<usize>(), TEXT.lines().count());
        for field in MESSAGES.values().flatten() {
            if let Holds::Message(name) = field.holds {
                // One has no fields at all.
                let known = MESSAGES.contains_key(name) || name == "apiextensions.v1.CustomResourceSubresourceStatus";
                assert!(known, "{field:?}");
            }
        }
    }

    #[test]
    fn kinds_are_found_in_their_groups() {
        for (api_version, kind, name) in [
            ("v1", "Pod", Some("core.v1.Pod")),
            ("batch/v1", "Job", Some("batch.v1.Job")),
            ("rbac.authorization.k8s.io/v1", "Role", Some("rbac.v1.Role")),
            ("apps/v1", "DeleteOptions", Some("meta.v1.DeleteOptions")),
            ("example.com/v1", "Boat", None),
        ] {
            assert_eq!(name_of_kind(api_version, kind), name);
        }
    }
}
