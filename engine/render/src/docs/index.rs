//! The page that lists the pages of a folder of runbooks.

use periplus_core::model::{Param, Runbook};

use super::markdown::{cell, code, inline};
use super::page::counts;
use super::verified::Verified;

/// A runbook as the index lists it.
#[derive(Clone, Copy, Debug)]
pub struct IndexEntry<'a> {
    /// Name of its page in the index's folder.
    pub page: &'a str,
    /// The runbook.
    pub runbook: &'a Runbook,
    /// What a run saw, if one vouches for its page.
    pub verified: Option<&'a Verified>,
}

/// The first line of every index.
pub const INDEX_MARKER: &str =
    "<!-- Made by `periplus docs` from a folder of runbooks. Edit the runbooks, not this page. -->";

/// The Markdown page that lists these runbooks, in the order given.
#[must_use]
pub fn index(entries: &[IndexEntry<'_>]) -> String {
    let mut text = format!("{INDEX_MARKER}\n\n# Runbooks\n\n");
    text.push_str(
        "| Runbook | What it achieves | Steps | You must give | Output seen |\n| --- | --- | --- | --- | --- |\n",
    );
    for entry in entries {
        let runbook = entry.runbook;
        let summary = runbook.summary.as_deref().map(inline).unwrap_or_default();
        let required: Vec<String> =
            runbook.params.iter().filter(|(_, param)| is_required(param)).map(|(name, _)| code(name)).collect();
        let seen = match entry.verified {
            Some(verified) if verified.simulated => format!("{}, in a rehearsal", inline(&verified.date)),
            Some(verified) => format!("{}, in a run", inline(&verified.date)),
            None => "not yet".to_owned(),
        };
        let required = if required.is_empty() { "nothing".to_owned() } else { required.join(", ") };
        let row = [format!("[{}]({})", inline(runbook.title()), entry.page), summary, counts(runbook), required, seen];
        text.push_str(&format!("| {} |\n", row.map(|column| cell(&column)).join(" | ")));
    }
    text
}

const fn is_required(param: &Param) -> bool {
    param.default.is_none() && !param.optional
}
