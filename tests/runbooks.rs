//! Every runbook of the repository is in order and passes its rehearsal as it stands, and its checks can fail.

use std::path::{Path, PathBuf};

use crate::support::{Case, Done};

/// The folders of all runbooks, found by looking.
fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let entries = std::fs::read_dir(all).expect("the repository has runbooks");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    assert!(folders.len() > 2, "{folders:?}");
    folders
}

/// Rehearses a copy of a runbook, or of its world, with one text of it replaced.
#[track_caller]
fn rehearse(name: &str, file: &str, old: &str, new: &str) -> Done {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(name);
    let mut case = Case::new(&["rehearse", "book"]);
    let manifests = std::fs::read_dir(folder.join("manifests")).expect("it has manifests");
    let manifests = manifests.map(|entry| entry.expect("an entry").path());
    for path in manifests.chain(["runbook.yaml", "world.yaml"].map(|name| folder.join(name))) {
        let inside = path.strip_prefix(&folder).expect("a path in the folder").display().to_string();
        let mut text = std::fs::read_to_string(&path).expect("a text");
        if inside == file {
            assert!(text.contains(old), "{inside} of {name} does not hold {old:?} any more");
            text = text.replace(old, new);
        }
        case = case.file(&format!("book/{inside}"), text);
    }
    case.run()
}

#[test]
fn every_runbook_is_in_order_and_passes_its_rehearsal() {
    for folder in folders() {
        let path = folder.display().to_string();
        Case::new(&["lint", &path]).run().code(0);
        Case::new(&["rehearse", &path]).run().code(0);
    }
}

#[test]
fn allow_one_site_notices_what_is_wrong() {
    let broken = [
        // The mesh stays open.
        ("runbook.yaml", "{mode: REGISTRY_ONLY}", "{mode: ALLOW_ANY}", "site-blocked"),
        ("runbook.yaml", "- {{host SITE}}\n", "- elsewhere.example\n", "site-reached"),
        ("runbook.yaml", "- number: {{port SITE}}", "- number: 8443", "site-reached"),
        // It is opened for more than the one site.
        ("runbook.yaml", "- {{host SITE}}\n", "- {{host SITE}}\n          - www.example.com\n", "other-blocked"),
        ("world.yaml", "mode: ALLOW_ANY", "mode: REGISTRY_ONLY", ""),
        ("world.yaml", "title: \"Wikipedia, the free encyclopedia\"", "title: Down", "site-is-up"),
    ];
    for (file, old, new, step) in broken {
        let done = rehearse("allow-one-site", file, old, new);
        if step.is_empty() {
            done.code(0).prints(&["12 passed, 2 skipped"]);
        } else {
            done.code(1).prints(&[&format!("FAILED  {step}")]);
        }
    }
}

#[test]
fn http_api_for_one_namespace_notices_what_is_wrong() {
    let broken = [
        ("world.yaml", "mode: REGISTRY_ONLY", "mode: ALLOW_ANY", "refused-before"),
        ("runbook.yaml", "- {{host API}}\n", "- elsewhere.example\n", "answered"),
        ("world.yaml", "/headers:", "/elsewhere:", "answered"),
        // The entry is shown to all.
        ("runbook.yaml", "- \".\" # this namespace", "- \"*\"", "others-refused"),
    ];
    for (file, old, new, step) in broken {
        rehearse("http-api-for-one-namespace", file, old, new).code(1).prints(&[&format!("FAILED  {step}")]);
    }
}
