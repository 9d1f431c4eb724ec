//! `base64`, `sha256sum`, `getent`.
//!
//! Invariant: file contents are taken as bytes, never as text.

use super::input::or_stdin;
use super::opts::Opts;
use super::text::ended;
use crate::process::{Exit, Process};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// `base64 [-d] [-w N] [FILE]`
pub(super) async fn base64(process: Process) -> Exit {
    ended(coded(&process).await)
}

async fn coded(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "dw:", &[("decode", 'd'), ("wrap", 'w')])?;
    let operand = opts.operands.first().map_or("-", String::as_str);
    let data = process.read_whole(operand).await?;
    if opts.has('d') {
        let text: Vec<u8> = data.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return match STANDARD.decode(&text) {
            Ok(bytes) => process.print(bytes).await.map(|()| Exit::SUCCESS),
            Err(_) if process.image.is_busybox() => Ok(process.fail(1, "truncated input").await),
            Err(_) => Ok(process.fail(1, "invalid input").await),
        };
    }
    let width = match opts.value('w').map(str::parse::<usize>) {
        None => 76,
        Some(Ok(width)) => width,
        Some(Err(_)) => return Err(Exit::not_simulated("base64 -w with this width")),
    };
    let text = STANDARD.encode(data);
    let out = if width == 0 {
        text
    } else {
        let lines: Vec<String> =
            text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect();
        lines.concat()
    };
    process.print(out).await?;
    Ok(Exit::SUCCESS)
}

/// `sha256sum [FILE...]`
pub(super) async fn sha256sum(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "", &[]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let mut exit = Exit::SUCCESS;
    for operand in or_stdin(opts.operands) {
        match process.read_whole(&operand).await {
            Ok(data) => {
                let sum: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
                if let Err(exit) = process.print(format!("{sum}  {operand}\n")).await {
                    return exit;
                }
            }
            Err(failed @ Exit::Code(_)) => exit = failed,
            Err(exit) => return exit,
        }
    }
    exit
}

/// `getent hosts NAME...`, as glibc prints it.
pub(super) async fn getent(process: Process) -> Exit {
    let [database, names @ ..] = process.args() else { return Exit::not_simulated("getent without a database") };
    if database != "hosts" || names.is_empty() || process.image.is_busybox() {
        return Exit::not_simulated(format!("getent {}", process.args().join(" ")));
    }
    let mut exit = Exit::SUCCESS;
    for name in names {
        match process.net.lookup(name).await {
            Ok(answer) => {
                for address in answer.addresses {
                    if let Err(exit) = process.print(format!("{address:<15} {}\n", answer.name)).await {
                        return exit;
                    }
                }
            }
            Err(_) => exit = Exit::Code(2),
        }
    }
    exit
}
