//! Whole trees of files: copying and removing them.
//!
//! Invariant: a tree is walked with a list, not by recursion, so its depth costs no stack.

use super::{FileType, Fs, FsError, OpenOptions, path};

impl Fs {
    /// Takes away a file, or a directory with all that is in it.
    ///
    /// # Errors
    /// As of `unlink(2)` and `rmdir(2)`; what stands before the failure is gone.
    pub fn remove_tree(&self, path: &str) -> Result<(), FsError> {
        let mut directories = Vec::new();
        let mut pending = vec![path.to_owned()];
        while let Some(path) = pending.pop() {
            if self.symlink_metadata(&path)?.file_type == FileType::Directory {
                pending.extend(self.read_dir(&path)?.iter().map(|entry| path::join(&path, &entry.name)));
                directories.push(path);
            } else {
                self.remove_file(&path)?;
            }
        }
        directories.iter().rev().try_for_each(|path| self.remove_dir(path))
    }

    /// Copies a file, or a directory with all that is in it; links are followed. `to` is the copy's own path.
    ///
    /// # Errors
    /// As of `open(2)`; [`FsError::NotSimulated`] for a program.
    pub fn copy_tree(&self, from: &str, to: &str) -> Result<(), FsError> {
        if path::join(&self.canonical(path::parent(to))?, path::file_name(to))
            .starts_with(&format!("{}/", self.canonical(from)?))
        {
            return Err(FsError::Invalid);
        }
        let mut pending = vec![(from.to_owned(), to.to_owned())];
        while let Some((from, to)) = pending.pop() {
            let metadata = self.metadata(&from)?;
            if metadata.file_type == FileType::Directory {
                if !self.is_dir(&to) {
                    self.create_dir(&to, metadata.mode)?;
                }
                for entry in self.read_dir(&from)? {
                    pending.push((path::join(&from, &entry.name), path::join(&to, &entry.name)));
                }
            } else {
                let data = self.read(&from)?;
                self.open(&to, OpenOptions { mode: metadata.mode, ..OpenOptions::writing() })?.write(&data)?;
            }
        }
        Ok(())
    }
}
