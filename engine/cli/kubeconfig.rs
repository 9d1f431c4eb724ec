//! The kubeconfig of a lab, as a file that only its user can read.
//!
//! It holds the lab's token, so it is created private, never opened up later; a temporary one goes with the lab.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::io::Io;

/// A kubeconfig on disk.
pub(crate) struct KubeconfigFile {
    path: PathBuf,
    temporary: bool,
}

impl KubeconfigFile {
    /// Writes it to `path`, else to a temporary file.
    pub(crate) fn write(path: Option<&Path>, text: &str, io: &Io) -> Result<Self, CliError> {
        let (path, temporary) = match path {
            Some(path) => (path.to_owned(), false),
            None => {
                let folder = io.var("XDG_RUNTIME_DIR").or_else(|| io.var("TMPDIR")).unwrap_or("/tmp");
                (Path::new(folder).join(format!("periplus-lab-{}.kubeconfig", std::process::id())), true)
            }
        };
        let file = Self { path, temporary };
        let written = private(&file.path, temporary).and_then(|mut to| to.write_all(text.as_bytes()));
        written.map_err(|error| {
            CliError::target(format!("the kubeconfig {} cannot be written: {error}", file.path.display()))
                .help("name another file with --kubeconfig FILE")
        })?;
        Ok(file)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for KubeconfigFile {
    fn drop(&mut self) {
        if self.temporary {
            // The token is worthless once the lab is gone; a file that stays does no harm.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Opens a file that only the user can read. A temporary one must be new: nobody else may have prepared it.
fn private(path: &Path, must_be_new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(must_be_new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
        let file = options.open(path)?;
        // A file that was there already keeps its mode otherwise.
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}
