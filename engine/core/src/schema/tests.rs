//! The committed schemas are those of the types.

#![expect(clippy::disallowed_methods, reason = "the committed schemas are files")]

use super::*;

/// Compares the committed schemas with the types; `UPDATE=1 cargo test -p periplus-core schema` writes them anew.
#[test]
fn committed_schemas_are_those_of_the_types() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (file, schema) in all() {
        let made = format!("{schema:#}\n");
        let path = folder.join(file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&path, &made).expect("written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "{file} is not that of the types: run UPDATE=1 cargo test -p periplus-core schema");
    }
}
