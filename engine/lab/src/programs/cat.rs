//! `cat` and `tee`.
//!
//! Invariant: bytes go on as soon as they arrive, so a pipe through them does not wait for its end.

use super::input::or_stdin;
use super::opts::Opts;
use crate::fs::{FsError, OpenOptions};
use crate::process::{Exit, IoError, Process};

/// `cat [FILE...]`
pub(super) async fn cat(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "u", &[]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let mut exit = Exit::SUCCESS;
    for operand in or_stdin(opts.operands) {
        let fd = match process.input(&operand) {
            Ok(fd) => fd,
            Err(error) => {
                exit = match error {
                    FsError::NotSimulated => return Exit::not_simulated(format!("the content of {operand}")),
                    _ => process.fail_on(&operand, error).await,
                };
                continue;
            }
        };
        loop {
            let data = match fd.read(1 << 16).await {
                Ok(data) if data.is_empty() => break,
                Ok(data) => data,
                Err(IoError::Fs(FsError::IsADirectory)) if process.image.is_busybox() => {
                    exit = process.fail(1, "read error: Is a directory").await;
                    break;
                }
                Err(error) => match process.read_error(&operand, &error) {
                    Ok(text) => {
                        exit = process.fail(1, format!("{operand}: {text}")).await;
                        break;
                    }
                    Err(exit) => return exit,
                },
            };
            if let Err(exit) = process.print(&data).await {
                return exit;
            }
        }
    }
    exit
}

/// `tee [-a] [FILE...]`
pub(super) async fn tee(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "ai", &[("append", 'a')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let how = if opts.has('a') { OpenOptions::appending() } else { OpenOptions::writing() };
    let mut exit = Exit::SUCCESS;
    let mut outputs = Vec::new();
    for operand in &opts.operands {
        match process.open(operand, how) {
            Ok(fd) => outputs.push(fd),
            Err(error) => exit = process.fail(1, format!("{operand}: {error}")).await,
        }
    }
    let stdin = process.stdin();
    loop {
        match stdin.read(1 << 16).await {
            Ok(data) if data.is_empty() => return exit,
            Ok(data) => {
                if let Err(exit) = process.print(&data).await {
                    return exit;
                }
                for output in &outputs {
                    if let Err(error) = output.write_all(&data).await {
                        return process.fail(1, format!("write error: {error}")).await;
                    }
                }
            }
            Err(error) => return process.fail(1, format!("read error: {error}")).await,
        }
    }
}
