//! Files that are written whole or not at all.

use std::path::Path;

use crate::error::CliError;

/// Writes a file, and makes its folder. Whoever reads it meanwhile sees the old text or the new one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = folder.join(beside);
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, text))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // Perhaps it was never made.
        drop(std::fs::remove_file(&beside));
        CliError::target(format!("{} cannot be written: {error}", path.display()))
    })
}
