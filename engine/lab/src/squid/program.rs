//! Squid as a program of a container.
//!
//! Invariant: all its connections end with the process.

use super::conf::{Conf, ConfError, DEFAULT_PATH};
use super::reply::Version;
use super::serve::Proxy;
use crate::process::{Exit, Process};
use std::sync::Arc;

/// Runs Squid in the foreground until a signal ends it.
pub async fn main(process: Process) -> Exit {
    let path = match conf_path(process.args()) {
        Ok(path) => path,
        Err(exit) => return exit,
    };
    let version = match process.image.squid_version() {
        Some("3.5.27") => Version::V3,
        Some("5.7") => Version::V5,
        other => return Exit::not_simulated(format!("squid {}", other.unwrap_or("in this image"))),
    };
    let conf = match process.fs.read(&process.path(&path)) {
        Ok(text) => Conf::parse(&String::from_utf8_lossy(&text), &path, version, &|path| {
            process.fs.read(path).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
        }),
        Err(error) => return fatal(&process, &format!("Unable to open configuration file: {path}: {error}")).await,
    };
    let conf = match conf {
        Ok(conf) => conf,
        Err(error @ ConfError::NotSimulated { .. }) => return Exit::not_simulated(error.to_string()),
        Err(error) => return fatal(&process, &error.to_string()).await,
    };
    if let Some(log) = &conf.access_log
        && let Err(error) = process.fs.append(log, b"")
    {
        return fatal(&process, &format!("Cannot open '{log}' for writing: {error}")).await;
    }
    let mut listeners = Vec::new();
    for port in &conf.ports {
        match process.net.listen(*port) {
            Ok(listener) => listeners.push(listener),
            Err(error) => return fatal(&process, &format!("Cannot bind HTTP port {port}: {error}")).await,
        }
    }
    let proxy = Proxy { conf, version, net: process.net.clone(), fs: process.fs.clone(), clock: process.clock.clone() };
    let proxy = Arc::new(proxy);
    process.serve(listeners, |socket| Arc::clone(&proxy).serve(socket)).await
}

/// The configuration file that the options name. All other options are about daemons and debug output.
fn conf_path(args: &[String]) -> Result<String, Exit> {
    let mut path = DEFAULT_PATH.to_owned();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(letters) = arg.strip_prefix('-') else { return Err(Exit::not_simulated(format!("squid {arg}"))) };
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            match letter {
                'N' | 'C' | 'Y' | 'D' | 'F' | 'R' | 's' => continue,
                'd' | 'f' => {
                    let value = if rest.is_empty() { args.next().map(String::as_str) } else { Some(rest) };
                    match (letter, value) {
                        ('f', Some(value)) => value.clone_into(&mut path),
                        ('d', Some(_)) => {}
                        _ => return Err(Exit::FAILURE),
                    }
                    break;
                }
                _ => return Err(Exit::not_simulated(format!("squid -{letter}"))),
            }
        }
    }
    Ok(path)
}

async fn fatal(process: &Process, text: &str) -> Exit {
    process.warn(format!("FATAL: {text}\n")).await;
    Exit::FAILURE
}
