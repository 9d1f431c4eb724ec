//! `periplus completions`: the completion script of a shell.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use periplus_core::outcome::ExitCode;

use crate::args::Cli;
use crate::error::CliError;
use crate::io::Io;

/// Arguments of `periplus completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus completions bash > ~/.local/share/bash-completion/completions/periplus
  periplus completions zsh > \"${fpath[1]}/_periplus\"
  periplus completions fish > ~/.config/fish/completions/periplus.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "periplus", &mut script);
        io.stdout.write_all(&script)?;
        Ok(ExitCode::Passed)
    }
}
