//! `openssl` of Debian 12 and Ubuntu 22.04 (OpenSSL 3.0): `s_client`, `x509` and `version`.
//!
//! Invariant: what was recorded from OpenSSL 3.0.19 is printed; releases that print otherwise are not simulated.

mod client;
mod print;
#[cfg(test)]
mod tests;

use crate::process::{Exit, Process};

/// The release that was recorded.
const VERSION: &str = "OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)\n";

/// `openssl COMMAND [OPTION...]`
pub(super) async fn main(process: Process) -> Exit {
    if process.image.is_busybox() {
        return Exit::not_simulated("the openssl of Alpine");
    }
    let args = process.args().to_vec();
    match args.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("s_client", options)) => client::main(&process, options).await,
        Some(("x509", options)) => print::main(&process, options).await,
        Some(("version", [])) => match process.print(VERSION).await {
            Ok(()) => Exit::SUCCESS,
            Err(exit) => exit,
        },
        _ => Exit::not_simulated(format!("openssl {}", args.join(" "))),
    }
}
