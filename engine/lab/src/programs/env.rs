//! `env`, `printenv`, `timeout`, `xargs`, `which`: programs about running other programs.
//!
//! Invariant: what a child comes to is passed on unchanged, also when it was not simulated.

use super::input::MAX_MEMORY;
use super::opts::Opts;
use crate::process::{Exit, Located, Process, SIGKILL, SIGTERM};

/// Runs a command as a child and gives its ending; 127 or 126 when there is no such program.
pub(super) async fn run(process: &Process, child: Process) -> Exit {
    let name = child.argv[0].clone();
    let (code, text) = match process.locate(&name) {
        Located::At(path) => return child.run_at(path).await,
        Located::NotFound => (127, "No such file or directory"),
        Located::NotExecutable(_) => (126, "Permission denied"),
        Located::Unknown => {
            let image = &process.image;
            return Exit::not_simulated(format!("whether image {image} has the program {name}"));
        }
    };
    let text = match (process.name(), process.image.is_busybox()) {
        (_, true) => format!("can't execute '{name}': {text}"),
        ("timeout" | "nohup", false) => format!("failed to run command '{name}': {text}"),
        (_, false) if process.name() == "xargs" => format!("{name}: {text}"),
        (_, false) => format!("'{name}': {text}"),
    };
    process.fail(code, text).await
}

/// `env [-i] [-u NAME] [NAME=VALUE...] [COMMAND [ARG...]]`
pub(super) async fn env(mut process: Process) -> Exit {
    let long = [("ignore-environment", 'i'), ("unset", 'u')];
    let opts = match Opts::parse(&process, "+iu:", &long) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    if opts.has('i') {
        process.env.clear();
    }
    for name in opts.values('u') {
        process.env.shift_remove(name);
    }
    let mut operands = opts.operands.as_slice();
    while let Some((first, rest)) = operands.split_first() {
        let Some((name, value)) = first.split_once('=') else { break };
        process.env.insert(name.to_owned(), value.to_owned());
        operands = rest;
    }
    if operands.is_empty() {
        let lines: String = process.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        return match process.print(lines).await {
            Ok(()) => Exit::SUCCESS,
            Err(exit) => exit,
        };
    }
    let child = process.child(operands.to_vec());
    run(&process, child).await
}

/// `printenv [NAME...]`
pub(super) async fn printenv(process: Process) -> Exit {
    let mut found_all = true;
    let mut lines = String::new();
    if process.args().is_empty() {
        lines = process.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    }
    for name in process.args() {
        match process.var(name) {
            Some(value) => lines.push_str(&format!("{value}\n")),
            None if name.starts_with('-') => return Exit::not_simulated(format!("printenv {name}")),
            None => found_all = false,
        }
    }
    match process.print(lines).await {
        Ok(()) => Exit::from(found_all),
        Err(exit) => exit,
    }
}

/// `timeout [-s SIGNAL] [-k TIME] TIME COMMAND [ARG...]`
pub(super) async fn timeout(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "+s:k:", &[("signal", 's'), ("kill-after", 'k')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let signal = match opts.value('s').map(super::signals::number) {
        None => SIGTERM,
        Some(Some(signal)) => signal,
        Some(None) => return Exit::not_simulated("timeout with this signal"),
    };
    let [time, command @ ..] = opts.operands.as_slice() else {
        if process.image.is_busybox() {
            return super::usage::busybox(&process);
        }
        process.warn("Try 'timeout --help' for more information.\n").await;
        return Exit::Code(125);
    };
    let Some(limit) = super::basic::duration(time) else {
        return Exit::not_simulated(format!("timeout {time}"));
    };
    if command.is_empty() {
        return super::usage::incomplete(&process, 125).await;
    }
    let child = process.child(command.to_vec());
    let expired = async {
        match limit {
            Some(limit) if !limit.is_zero() => tokio::time::sleep(limit).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        exit = run(&process, child) => exit,
        // The child is dropped here, which ends it whatever it would have done with the signal.
        () = expired => match (signal, process.image.is_busybox()) {
            (SIGKILL, _) => Exit::Code(137),
            (_, true) => Exit::Code(143),
            (_, false) => Exit::Code(124),
        },
    }
}

/// `xargs [-n N] [-r] [-0] [-I WORD] [COMMAND [ARG...]]`
pub(super) async fn xargs(process: Process) -> Exit {
    let long = [("max-args", 'n'), ("no-run-if-empty", 'r'), ("null", '0')];
    let opts = match Opts::parse(&process, "+n:r0I:", &long) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let data = match process.stdin().read_to_end(MAX_MEMORY).await {
        Ok(Some(data)) => data,
        Ok(None) => return Exit::not_simulated(format!("xargs of more than {MAX_MEMORY} bytes")),
        Err(error) => return process.fail(1, error).await,
    };
    let text = String::from_utf8_lossy(&data);
    if !opts.has('0') && text.contains(['\'', '"', '\\']) {
        return Exit::not_simulated("quotes in the input of xargs");
    }
    let items: Vec<&str> = if opts.has('0') {
        text.split('\0').filter(|item| !item.is_empty()).collect()
    } else if opts.has('I') {
        text.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect()
    } else {
        text.split_whitespace().collect()
    };
    let command = if opts.operands.is_empty() { vec!["echo".to_owned()] } else { opts.operands.clone() };
    let mut calls: Vec<Vec<String>> = Vec::new();
    if let Some(mark) = opts.value('I') {
        calls.extend(items.iter().map(|item| command.iter().map(|word| word.replace(mark, item)).collect()));
    } else {
        let size = match opts.value('n').map(str::parse::<usize>) {
            None => items.len().max(1),
            Some(Ok(size)) if size > 0 => size,
            Some(_) => return Exit::not_simulated("xargs -n with this number"),
        };
        let with = |items: &[&str]| command.iter().cloned().chain(items.iter().map(|&item| item.to_owned())).collect();
        calls.extend(items.chunks(size).map(with));
        if items.is_empty() && !opts.has('r') {
            calls.push(command.clone());
        }
    }
    let mut failed = false;
    for call in calls {
        let child = process.child(call);
        match run(&process, child).await {
            Exit::Code(0) => {}
            Exit::Code(code @ (126 | 127)) => return Exit::Code(code),
            Exit::Code(255) => return Exit::Code(124),
            Exit::Code(_) => failed = true,
            Exit::Signal(_) => return Exit::Code(125),
            exit => return exit,
        }
    }
    Exit::Code(if failed { 123 } else { 0 })
}

/// `which NAME...`
pub(super) async fn which(process: Process) -> Exit {
    let mut found_all = true;
    let mut lines = String::new();
    for name in process.args() {
        match process.locate(name) {
            Located::At(path) => lines.push_str(&format!("{path}\n")),
            Located::NotFound | Located::NotExecutable(_) => found_all = false,
            Located::Unknown => {
                let image = &process.image;
                return Exit::not_simulated(format!("whether image {image} has the program {name}"));
            }
        }
    }
    match process.print(lines).await {
        Ok(()) => Exit::from(found_all),
        Err(exit) => exit,
    }
}
