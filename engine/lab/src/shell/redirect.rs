//! Redirections: which descriptors a command gets.
//!
//! Invariant: they are carried out from left to right, each seeing what the ones before it did.

use super::state::{Shell, Stop};
use crate::fs::{Device, FsError, OpenOptions};
use crate::process::Fd;
use brush_parser::ast::{IoFileRedirectKind, IoFileRedirectTarget, IoRedirect};
use std::collections::BTreeMap;

/// Why a command with redirections does not run.
pub(super) enum Refusal {
    /// The shell has complained; the command fails with this status.
    Failed(u8),
    Stop(Stop),
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Shell {
    /// Carries out redirections on a copy of the shell's descriptors.
    pub(super) async fn redirect(&mut self, redirects: &[&IoRedirect]) -> Result<BTreeMap<u32, Fd>, Refusal> {
        let mut fds = self.process.fds.clone();
        for redirect in redirects {
            self.redirect_one(redirect, &mut fds).await?;
        }
        Ok(fds)
    }

    async fn redirect_one(&mut self, redirect: &IoRedirect, fds: &mut BTreeMap<u32, Fd>) -> Result<(), Refusal> {
        match redirect {
            IoRedirect::File(number, kind, IoFileRedirectTarget::Filename(word)) => {
                let path = self.single(&word.value).await?;
                let (default, options) = options(kind)?;
                let fd = self.open(&path, options, fds).await?;
                fds.insert(fd_number(*number, default)?, fd);
            }
            IoRedirect::File(number, kind, IoFileRedirectTarget::Fd(source)) => {
                let source = u32::try_from(*source).map_err(|_| bad("a negative descriptor"))?;
                self.duplicate(*number, kind, &source.to_string(), fds).await?;
            }
            IoRedirect::File(number, kind, IoFileRedirectTarget::Duplicate(word)) => {
                let source = self.single(&word.value).await?;
                self.duplicate(*number, kind, &source, fds).await?;
            }
            IoRedirect::HereDocument(number, document) => {
                let text = if document.requires_expansion {
                    self.text(&document.doc.value).await?
                } else {
                    document.doc.value.clone()
                };
                let (reader, writer) = Fd::pipe();
                // A pipe holds 64 KiB; a longer document is handed over while it is read.
                tokio::spawn(async move { writer.write_all(text.as_bytes()).await });
                fds.insert(fd_number(*number, 0)?, reader);
            }
            IoRedirect::HereString(..) => return Err(bad("the redirection <<<")),
            IoRedirect::OutputAndError(..) => return Err(bad("the redirection &>")),
            IoRedirect::File(_, _, IoFileRedirectTarget::ProcessSubstitution(..)) => {
                return Err(bad("process substitution"));
            }
        }
        Ok(())
    }

    async fn duplicate(
        &mut self,
        number: Option<i32>,
        kind: &IoFileRedirectKind,
        source: &str,
        fds: &mut BTreeMap<u32, Fd>,
    ) -> Result<(), Refusal> {
        let default = u32::from(!matches!(kind, IoFileRedirectKind::DuplicateInput));
        let number = fd_number(number, default)?;
        if source == "-" {
            fds.remove(&number);
            return Ok(());
        }
        let Ok(from) = source.parse::<u32>() else {
            return Err(Refusal::Stop(self.fatal("Bad fd number".to_owned()).await));
        };
        match fds.get(&from).cloned().filter(Fd::is_open) {
            Some(fd) => {
                fds.insert(number, fd);
                Ok(())
            }
            None => {
                let text = if self.is_busybox() {
                    format!("dup2({from},{number}): Bad file descriptor")
                } else {
                    format!("{from}: Bad file descriptor")
                };
                self.complain(text).await;
                Err(Refusal::Failed(self.redirect_status()))
            }
        }
    }

    async fn open(&mut self, path: &str, options: OpenOptions, fds: &BTreeMap<u32, Fd>) -> Result<Fd, Refusal> {
        let error = match self.process.fs.open(&self.process.path(path), options) {
            Ok(file) => {
                // `/dev/stdout` and its like mean the descriptors as they are at this point.
                return Ok(match file.device() {
                    Some(Device::Descriptor(number)) => fds.get(&number).cloned().unwrap_or_else(Fd::closed),
                    _ => Fd::file(file),
                });
            }
            Err(FsError::NotSimulated) => return Err(bad(&format!("the content of {path}"))),
            Err(error) => error,
        };
        let text = match (options.create, self.is_busybox(), error) {
            (false, true, FsError::NotFound) => format!("can't open {path}: no such file"),
            (false, true, _) => format!("can't open {path}: {error}"),
            (true, true, FsError::NotFound) => format!("can't create {path}: nonexistent directory"),
            (true, true, _) => format!("can't create {path}: {error}"),
            (false, false, FsError::NotFound) => format!("cannot open {path}: No such file"),
            (false, false, _) => format!("cannot open {path}: {error}"),
            (true, false, FsError::NotFound) => format!("cannot create {path}: Directory nonexistent"),
            (true, false, _) => format!("cannot create {path}: {error}"),
        };
        self.complain(text).await;
        Err(Refusal::Failed(self.redirect_status()))
    }

    fn redirect_status(&self) -> u8 {
        if self.is_busybox() { 1 } else { 2 }
    }
}

fn bad(what: &str) -> Refusal {
    Refusal::Stop(Stop::not_simulated(what))
}

fn fd_number(number: Option<i32>, default: u32) -> Result<u32, Refusal> {
    match number {
        None => Ok(default),
        Some(number) => u32::try_from(number).map_err(|_| bad("a negative descriptor")),
    }
}

/// The descriptor a redirection is for by default, and how it opens the file.
fn options(kind: &IoFileRedirectKind) -> Result<(u32, OpenOptions), Refusal> {
    Ok(match kind {
        IoFileRedirectKind::Read => (0, OpenOptions::reading()),
        IoFileRedirectKind::Write | IoFileRedirectKind::Clobber => (1, OpenOptions::writing()),
        IoFileRedirectKind::Append => (1, OpenOptions::appending()),
        IoFileRedirectKind::ReadAndWrite => (0, OpenOptions { write: true, create: true, ..OpenOptions::reading() }),
        IoFileRedirectKind::DuplicateInput | IoFileRedirectKind::DuplicateOutput => {
            return Err(bad("a redirection of this kind to a file"));
        }
    })
}
