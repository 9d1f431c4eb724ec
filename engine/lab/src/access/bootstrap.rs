//! The roles and bindings that every cluster starts with.
//!
//! Invariant: they come into the store when somebody first asks for roles, or when a rule must first be read. A lab that is used by
//! its administrator alone never pays for them.

use std::io::Read;

use flate2::read::DeflateDecoder;
use serde_json::Value;

use super::rbac::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES};
use crate::store::{FieldValidation, GroupResource, Store, WriteOptions, meta};

/// Recorded from a kube-apiserver; see `data/README.md`.
const RECORDED: &[u8] = include_bytes!("../../data/rbac.tsv.deflate");

/// Creates what is not there yet.
pub(super) fn create(store: &Store) {
    let options = WriteOptions { field_validation: FieldValidation::Ignore, ..WriteOptions::by("kube-apiserver") };
    for (kind, object) in objects() {
        let namespace = meta::namespace(&object);
        // A store without the usual namespaces has no use for their roles.
        if !namespace.is_empty() && store.get(&GroupResource::NAMESPACES, "", namespace).is_none() {
            continue;
        }
        // One of the same name came first, as it would if somebody had edited the role.
        let _ = store.create(&options, &resource(&kind), object);
    }
}

fn resource(kind: &str) -> GroupResource {
    match kind {
        "ClusterRole" => CLUSTER_ROLES,
        "ClusterRoleBinding" => CLUSTER_ROLE_BINDINGS,
        "Role" => ROLES,
        _ => ROLE_BINDINGS,
    }
}

fn objects() -> Vec<(String, Value)> {
    let mut text = String::new();
    DeflateDecoder::new(RECORDED)
        .read_to_string(&mut text)
        .expect("invariant: committed data inflates, a test reads all of it");
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    rows.map(|(kind, json)| {
        (
            kind.to_owned(),
            serde_json::from_str(json).expect("invariant: committed data is JSON, a test reads all of it"),
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn data_is_what_its_readme_says() {
        let mut bytes = Vec::new();
        DeflateDecoder::new(RECORDED).read_to_end(&mut bytes).expect("inflates");
        let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(include_str!("../../data/README.md").contains(&hex), "{hex}");
        let objects = objects();
        assert_eq!(objects.len(), 133);
        assert!(objects.iter().all(|(kind, object)| object["kind"] == kind.as_str()));
    }
}
