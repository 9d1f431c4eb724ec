//! Loading runbooks that stand in tests and documents.

use periplus_core::load::{Files, Loaded, load};
use periplus_core::source::Source;

/// Files that a runbook names: any, with an object in it.
struct Anything;

impl Files for Anything {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: any}\n".to_owned())
    }
}

/// A runbook's text, loaded, whatever files it names.
pub(crate) fn loaded(text: &str) -> Loaded {
    load(&Source { name: "runbook.yaml".to_owned(), text: text.to_owned() }, &Anything)
}
