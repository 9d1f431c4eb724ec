//! The door: arguments in, exit code out, everything in between wired together.
//!
//! No decision about a run is made here. Each command is one file in `cmd`; [`main_with`] takes the whole outside world
//! as an argument and can be called any number of times in one process.

mod args;
mod book;
mod cluster;
mod cmd;
mod confirm;
mod error;
mod io;
mod kubeconfig;
mod output;
mod pages;
mod params;
mod prepare;
mod session;
mod state;
mod whole;
mod witness;
mod world;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};

pub use error::Status;
pub use io::{Io, Stream};

use crate::args::Cli;

/// All commands with their arguments, as the program itself reads them: for the pages that are made from them.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with these arguments (the first is the program's name) and returns how it ended.
pub fn main_with(args: impl IntoIterator<Item = OsString>, mut io: Io) -> Status {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(refused) => return error::refuse(&refused, &mut io).into(),
    };
    io.choose_colour(cli.color);
    match cmd::dispatch(cli.command, &mut io) {
        Ok(status) => status,
        Err(error) => error.show(&mut io).into(),
    }
}
