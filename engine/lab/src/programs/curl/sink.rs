//! Where a body goes.
//!
//! Invariant: a file is made when its first byte comes, so that a refused transfer leaves none behind; a transfer that ends well
//! without a byte leaves an empty one.

use super::error::{Failure, WRITE_ERROR};
use super::options::Config;
use super::release::Release;
use crate::fs::{OpenOptions, parent};
use crate::process::{Fd, Process};

/// The output of one transfer.
pub(super) struct Sink<'a> {
    process: &'a Process,
    config: &'a Config,
    release: Release,
    /// The file; standard output if none.
    pub(super) path: Option<String>,
    out: Option<Fd>,
    err: Fd,
}

impl<'a> Sink<'a> {
    pub(super) fn new(process: &'a Process, config: &'a Config, path: Option<String>, err: Fd) -> Self {
        let release = Release::of(process.image.curl_version());
        let path = path.map(|path| match &config.output_dir {
            Some(dir) => format!("{dir}/{path}"),
            None => path,
        });
        let out = path.is_none().then(|| process.stdout());
        Self { process, config, release, path, out, err }
    }

    /// Whether the body is shown on a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.out.as_ref().is_some_and(Fd::is_terminal)
    }

    /// Writes a piece.
    ///
    /// # Errors
    /// Code 23.
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if self.out.is_none() {
            self.out = self.open().await;
        }
        let length = piece.len();
        let Some(out) = &self.out else {
            let text = format!("client returned ERROR on write of {length} bytes");
            return Err(Failure::new(
                WRITE_ERROR,
                self.release.pick("Failure writing output to destination".to_owned(), text),
            ));
        };
        out.write_all(piece).await.map_err(|_| {
            let text = format!("Failure writing output to destination, passed {length} returned 0");
            Failure::new(WRITE_ERROR, self.release.pick("Failed writing body".to_owned(), text))
        })
    }

    /// Makes the file of a transfer that ended well without a byte.
    pub(super) async fn finish(&mut self) {
        if self.out.is_none() {
            self.out = self.open().await;
        }
    }

    async fn open(&self) -> Option<Fd> {
        let path = self.path.as_deref()?;
        if self.config.create_dirs {
            // What cannot be made is told when the file cannot be opened.
            let _ = self.process.fs.create_dir_all(parent(&self.process.path(path)));
        }
        match self.process.open(path, OpenOptions::writing()) {
            Ok(out) => Some(out),
            Err(error) => {
                if !self.config.silent {
                    let text = format!("Warning: Failed to open the file {path}: {error}\n");
                    self.err.write_all(text.as_bytes()).await.ok();
                }
                None
            }
        }
    }
}
