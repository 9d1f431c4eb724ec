//! Why a command could not do its work, and which exit code that is.
//!
//! Everything that is wrong is shown here, in one form: what, then what to do about it.

use std::io::{self, Write as _};

use periplus_core::diag::Diagnostic;
use periplus_core::outcome::ExitCode;
use periplus_core::source::Source;
use periplus_render::clean;
use periplus_render::diag;
use periplus_render::style::{Role, Theme};

use crate::io::Io;

/// The number that the program ends with: one of [`ExitCode`], or that of a command that was run for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(u8);

impl Status {
    /// As the operating system wants it.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The end of a process as a shell tells it: 128 and the signal's number for one that was killed.
    pub(crate) fn of_process(ended: std::process::ExitStatus) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended);
        #[cfg(not(unix))]
        let signal: Option<i32> = None;
        let code = ended.code().or(signal.map(|signal| 128 + signal));
        Self(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }
}

impl From<ExitCode> for Status {
    fn from(code: ExitCode) -> Self {
        Self(code.code())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The runbook, or what was given for it, is wrong.
    Diagnostics {
        /// What is wrong.
        list: Vec<Diagnostic>,
        /// The text that places are in, where there is one.
        source: Option<Source>,
    },
    /// A sentence that says what is wrong, and what to do about it.
    Message {
        /// The exit code.
        code: ExitCode,
        /// What is wrong, as a fragment that follows `error: `.
        what: String,
        /// What to do, in one or more lines.
        help: Option<String>,
    },
    /// Whoever read standard output has gone, and has had enough.
    ReaderGone,
}

impl CliError {
    /// Wrong arguments or a wrong file: exit code 2.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Message { code: ExitCode::Invalid, what: what.into(), help: None }
    }

    /// What was looked at is not as it should be: exit code 1.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Message { code: ExitCode::Failed, what: what.into(), help: None }
    }

    /// The target, or this machine, does not let us: exit code 3.
    pub(crate) fn target(what: impl Into<String>) -> Self {
        Self::Message { code: ExitCode::Target, what: what.into(), help: None }
    }

    /// Says what to do.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Message { code, what, .. } => Self::Message { code, what, help: Some(help.into()) },
            other => other,
        }
    }

    /// Shows the error on standard error and returns its exit code.
    pub(crate) fn show(&self, io: &mut Io) -> ExitCode {
        let theme = io.stderr.theme();
        let (text, code) = match self {
            Self::Diagnostics { list, source } => (diag::graphical(list, source.as_ref(), theme), ExitCode::Invalid),
            Self::Message { code, what, help } => (message(what, help.as_deref(), theme), *code),
            Self::ReaderGone => return ExitCode::Passed,
        };
        io.message(&text);
        code
    }
}

fn message(what: &str, help: Option<&str>, theme: Theme) -> String {
    let mut text = format!("{} {}\n", theme.paint(Role::Bad, "error:"), clean::block(what));
    if let Some(help) = help {
        for (number, line) in clean::block(help).lines().enumerate() {
            let label =
                if number == 0 { theme.paint(Role::Command, "help:") } else { theme.paint(Role::Plain, "     ") };
            text.push_str(format!("  {label} {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

impl From<io::Error> for CliError {
    /// For errors of standard output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::target(format!("cannot write to standard output: {error}"))
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Shows what the argument parser has to say: help and version are results, all else is wrong.
pub(crate) fn refuse(refused: &clap::Error, io: &mut Io) -> ExitCode {
    io.choose_colour(clap::ColorChoice::Auto);
    let (stream, code) =
        if refused.use_stderr() { (&mut io.stderr, ExitCode::Invalid) } else { (&mut io.stdout, ExitCode::Passed) };
    let rendered = refused.render();
    let text = if stream.theme().colour() { rendered.ansi().to_string() } else { rendered.to_string() };
    // Where the stream cannot be written there is nobody left to tell.
    drop(stream.write_all(text.as_bytes()));
    code
}
