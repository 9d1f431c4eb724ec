//! Redirections: which descriptors a command gets.
//!
//! Invariant: they are carried out from left to right, each seeing what the ones before it did.

use super::ast::{Redirect, RedirectKind, Target};
use super::state::{Dialect, Shell, Stop};
use crate::fs::{Device, FsError, OpenOptions};
use crate::process::Fd;
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
    pub(super) async fn redirect(&mut self, redirects: &[Redirect]) -> Result<BTreeMap<u32, Fd>, Refusal> {
        let mut fds = self.process.fds.clone();
        for redirect in redirects {
            self.redirect_one(redirect, &mut fds).await?;
        }
        Ok(fds)
    }

    async fn redirect_one(&mut self, redirect: &Redirect, fds: &mut BTreeMap<u32, Fd>) -> Result<(), Refusal> {
        let number = |default| redirect.number.unwrap_or(default);
        let text = match &redirect.target {
            Target::Document(document) => match document.get() {
                Some(word) => self.text(&word.parts).await?,
                None => String::new(),
            },
            Target::Word(word) => self.single(word).await?,
        };
        if text.is_empty() && self.is_bash() && !matches!(redirect.kind, RedirectKind::Here | RedirectKind::HereString)
        {
            return Err(Refusal::Stop(Stop::not_simulated("bash's complaint about a redirection to nothing")));
        }
        match redirect.kind {
            RedirectKind::Here | RedirectKind::HereString => {
                let text = if redirect.kind == RedirectKind::HereString { text + "\n" } else { text };
                let (reader, writer) = Fd::pipe();
                // A pipe holds 64 KiB; a longer document is handed over while it is read.
                tokio::spawn(async move { writer.write_all(text.as_bytes()).await });
                fds.insert(number(0), reader);
            }
            RedirectKind::DuplicateInput => self.duplicate(number(0), &text, fds).await?,
            RedirectKind::DuplicateOutput if self.is_both(redirect, &text) => {
                let fd = self.open(&text, OpenOptions::writing(), fds).await?;
                fds.insert(1, fd.clone());
                fds.insert(2, fd);
            }
            RedirectKind::DuplicateOutput => self.duplicate(number(1), &text, fds).await?,
            RedirectKind::Both | RedirectKind::BothAppend => {
                let append = redirect.kind == RedirectKind::BothAppend;
                let options = if append { OpenOptions::appending() } else { OpenOptions::writing() };
                let fd = self.open(&text, options, fds).await?;
                fds.insert(1, fd.clone());
                fds.insert(2, fd);
            }
            RedirectKind::Input => {
                let fd = self.open(&text, OpenOptions::reading(), fds).await?;
                fds.insert(number(0), fd);
            }
            RedirectKind::Output | RedirectKind::Clobber => {
                let fd = self.open(&text, OpenOptions::writing(), fds).await?;
                fds.insert(number(1), fd);
            }
            RedirectKind::Append => {
                let fd = self.open(&text, OpenOptions::appending(), fds).await?;
                fds.insert(number(1), fd);
            }
            RedirectKind::ReadWrite => {
                let options = OpenOptions { write: true, create: true, ..OpenOptions::reading() };
                let fd = self.open(&text, options, fds).await?;
                fds.insert(number(0), fd);
            }
        }
        Ok(())
    }

    /// Whether `>&word` is the way of bash and ash to send both outputs to a file.
    fn is_both(&self, redirect: &Redirect, text: &str) -> bool {
        self.dialect != Dialect::Dash
            && redirect.number.is_none()
            && text != "-"
            && !text.bytes().all(|byte| byte.is_ascii_digit())
    }

    async fn duplicate(&mut self, number: u32, source: &str, fds: &mut BTreeMap<u32, Fd>) -> Result<(), Refusal> {
        if source == "-" {
            fds.remove(&number);
            return Ok(());
        }
        // `2>&1-` moves a descriptor.
        let (source, moves) = match source.strip_suffix('-') {
            Some(source) if self.is_bash() => (source, true),
            _ => (source, false),
        };
        let Ok(from) = source.parse::<u32>() else {
            let text = match self.dialect {
                Dialect::Dash => "Syntax error: Bad fd number".to_owned(),
                Dialect::Ash => "syntax error: bad fd number".to_owned(),
                Dialect::Bash => format!("{source}: ambiguous redirect"),
            };
            let stop = self.fatal(text).await;
            return Err(if self.is_bash() { Refusal::Failed(1) } else { Refusal::Stop(stop) });
        };
        match fds.get(&from).cloned().filter(Fd::is_open) {
            Some(fd) => {
                fds.insert(number, fd);
                if moves {
                    fds.remove(&from);
                }
                Ok(())
            }
            None => {
                self.complain(format!("{from}: Bad file descriptor")).await;
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
        if self.is_bash() {
            self.complain(format!("{path}: {error}")).await;
            return Err(Refusal::Failed(1));
        }
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
        if self.dialect == Dialect::Dash { 2 } else { 1 }
    }
}

fn bad(what: &str) -> Refusal {
    Refusal::Stop(Stop::not_simulated(what))
}
