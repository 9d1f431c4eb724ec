//! Masks what differs from machine to machine, so that outputs can be compared.

use std::path::Path;

/// The text with the case's folder masked.
pub(crate) fn redact(text: &str, folder: &Path) -> String {
    text.replace(&folder.display().to_string(), "[folder]")
}
