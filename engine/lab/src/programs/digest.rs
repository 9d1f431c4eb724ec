//! `base64`, `md5sum` and its like, `getent`.
//!
//! Invariant: file contents are taken as bytes, never as text.

use super::input::or_stdin;
use super::opts::Opts;
use super::text::ended;
use crate::process::{Exit, Process};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

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

/// The sum of some bytes, in the way that the program's name says.
fn hex_sum(name: &str, data: &[u8]) -> String {
    let bytes = match name {
        "md5sum" => Md5::digest(data).to_vec(),
        "sha1sum" => Sha1::digest(data).to_vec(),
        "sha512sum" => Sha512::digest(data).to_vec(),
        _ => Sha256::digest(data).to_vec(),
    };
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `md5sum`, `sha1sum`, `sha256sum`, `sha512sum`: `[-c] [FILE...]`
pub(super) async fn sum(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "c", &[("check", 'c')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    if opts.has('c') {
        return ended(check(&process, opts.operands).await);
    }
    let mut exit = Exit::SUCCESS;
    for operand in or_stdin(opts.operands) {
        match process.read_whole(&operand).await {
            Ok(data) => {
                let sum = hex_sum(process.name(), &data);
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

/// Compares files with the sums in a list.
async fn check(process: &Process, lists: Vec<String>) -> Result<Exit, Exit> {
    let (mut wrong, mut total) = (0, 0);
    for list in or_stdin(lists) {
        let text = String::from_utf8_lossy(&process.read_whole(&list).await?).into_owned();
        for line in text.lines() {
            let Some((sum, file)) = line.split_once("  ") else {
                return Err(Exit::not_simulated("a list of sums in another form"));
            };
            let data = process.read_whole(file).await?;
            let same = hex_sum(process.name(), &data) == sum;
            total += 1;
            wrong += usize::from(!same);
            process.print(format!("{file}: {}\n", if same { "OK" } else { "FAILED" })).await?;
        }
    }
    if wrong == 0 {
        return Ok(Exit::SUCCESS);
    }
    let text = if process.image.is_busybox() {
        format!("WARNING: {wrong} of {total} computed checksums did NOT match")
    } else {
        format!("WARNING: {wrong} computed checksum{} did NOT match", if wrong == 1 { "" } else { "s" })
    };
    Ok(process.fail(1, text).await)
}

/// `getent hosts NAME...` and `getent ahosts NAME...`, as glibc prints them.
pub(super) async fn getent(process: Process) -> Exit {
    let [database, names @ ..] = process.args() else { return Exit::not_simulated("getent without a database") };
    let every_type = matches!(database.as_str(), "ahosts" | "ahostsv4");
    if (database != "hosts" && !every_type) || names.is_empty() || process.image.is_busybox() {
        return Exit::not_simulated(format!("getent {}", process.args().join(" ")));
    }
    let mut exit = Exit::SUCCESS;
    for name in names {
        match process.net.lookup(name).await {
            Ok(answer) => {
                for address in &answer.addresses {
                    let address = address.to_string();
                    let text = if every_type {
                        let first = answer.addresses[0].to_string() == address;
                        let named = if first { answer.name.as_str() } else { "" };
                        format!("{address:<15} STREAM {named}\n{address:<15} DGRAM  \n{address:<15} RAW    \n")
                    } else {
                        format!("{address:<15} {}\n", answer.name)
                    };
                    if let Err(exit) = process.print(text).await {
                        return exit;
                    }
                }
            }
            Err(_) => exit = Exit::Code(2),
        }
    }
    exit
}
