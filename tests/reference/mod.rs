//! The reference pages in `docs/reference` are made from the code, and are what it makes of them now.
//!
//! What is shown there was really printed: by the program, the loader or a rehearsal. Only frames, examples and remedies
//! are written by hand, and they are held to the code as well.

mod commands;
mod diagnostics;
mod exit_codes;
mod markdown;
mod matching;
mod runbook;
mod schema;
mod templates;
mod verbs;

use std::path::{Path, PathBuf};

use similar::TextDiff;

/// How the pages are written anew.
const COMMAND: &str = "PERIPLUS_UPDATE=1 cargo test --test periplus reference";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference")
}

/// A page as it is committed: with a word on where it comes from.
fn whole(page: &str) -> String {
    let page = page.trim_end();
    format!("<!-- Made from the code by tests/reference. Change the code, then: {COMMAND} -->\n\n{page}\n")
}

/// The committed page is the one that the code gives. With `PERIPLUS_UPDATE=1` it is written instead.
#[track_caller]
fn is_committed(name: &str, page: &str) {
    let path = folder().join(name);
    let made = whole(page);
    if std::env::var("PERIPLUS_UPDATE").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(folder()).expect("a folder can be made");
        std::fs::write(&path, &made).expect("a page can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != made {
        let diff = TextDiff::from_lines(&committed, &made);
        let diff = diff.unified_diff().header("committed", "of the code").to_string();
        panic!("docs/reference/{name} is not what the code gives. To write it anew:\n  {COMMAND}\n\n{diff}");
    }
}

#[test]
fn the_page_of_runbooks_is_that_of_the_code() {
    is_committed("runbook.md", &runbook::page());
}

#[test]
fn the_page_of_verbs_is_that_of_the_code() {
    is_committed("verbs.md", &verbs::page());
}

#[test]
fn the_page_of_matching_is_that_of_the_code() {
    is_committed("matching.md", &matching::page());
}

#[test]
fn the_page_of_templates_is_that_of_the_code() {
    is_committed("templates.md", &templates::page());
}

#[test]
fn the_page_of_commands_is_that_of_the_code() {
    is_committed("commands.md", &commands::page());
}

#[test]
fn the_page_of_diagnostics_is_that_of_the_code() {
    is_committed("diagnostics.md", &diagnostics::page());
}

#[test]
fn the_page_of_exit_codes_is_that_of_the_code() {
    is_committed("exit-codes.md", &exit_codes::page());
}
