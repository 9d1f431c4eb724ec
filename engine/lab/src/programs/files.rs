//! `mkdir`, `rm`, `rmdir`, `mv`, `cp`, `touch`, `chmod`, `ln`, `readlink`: changing files.
//!
//! Invariant: an error is worded as the image's tools word it, and the other operands are still done.

use super::opts::Opts;
use super::text::ended;
use crate::fs::{self, FileType, FsError, OpenOptions};
use crate::process::{Exit, Process};

/// Complains in GNU's or BusyBox's words and gives the failure.
async fn complain(process: &Process, gnu: &str, busybox: &str, operand: &str, error: FsError) -> Exit {
    if error == FsError::NotSimulated {
        return Exit::not_simulated(format!("the content of {operand}"));
    }
    let text = if process.image.is_busybox() {
        format!("{busybox} '{operand}': {error}")
    } else {
        format!("{gnu} '{operand}': {error}")
    };
    process.fail(1, text).await
}

/// `mkdir [-p] [-m MODE] DIR...`
pub(super) async fn mkdir(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "pm:", &[("parents", 'p'), ("mode", 'm')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let Some(mode) = opts.value('m').map_or(Some(0o755), octal) else {
        return Exit::not_simulated("mkdir -m with this mode");
    };
    if opts.operands.is_empty() {
        return super::usage::incomplete(&process, 1).await;
    }
    let mut exit = Exit::SUCCESS;
    for operand in &opts.operands {
        let path = process.path(operand);
        let made = if opts.has('p') { process.fs.create_dir_all(&path) } else { process.fs.create_dir(&path, mode) };
        let made = made.and_then(|()| if opts.has('m') { process.fs.set_mode(&path, mode) } else { Ok(()) });
        if let Err(error) = made {
            let gnu = "cannot create directory";
            exit = if process.image.is_busybox() {
                complain(&process, gnu, "can't create directory", operand, error).await
            } else {
                process.fail(1, format!("{gnu} '{operand}': {error}")).await
            };
        }
    }
    exit
}

/// `rm [-rf] FILE...` and `rmdir DIR...`
pub(super) async fn remove(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "rRfdv", &[("recursive", 'r'), ("force", 'f')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    if opts.has('v') {
        return Exit::not_simulated(format!("{} -v", process.name()));
    }
    let only_directories = process.name() == "rmdir";
    if opts.operands.is_empty() && !opts.has('f') {
        return super::usage::incomplete(&process, 1).await;
    }
    let mut exit = Exit::SUCCESS;
    for operand in &opts.operands {
        let path = process.path(operand);
        let removed = match process.fs.symlink_metadata(&path) {
            Err(FsError::NotFound) if opts.has('f') => Ok(()),
            Err(error) => Err(error),
            Ok(_) if only_directories => process.fs.remove_dir(&path),
            Ok(metadata) if metadata.file_type == FileType::Directory => {
                if opts.has('r') || opts.has('R') {
                    process.fs.remove_tree(&path)
                } else {
                    Err(FsError::IsADirectory)
                }
            }
            Ok(_) => process.fs.remove_file(&path),
        };
        if let Err(error) = removed {
            exit = if process.image.is_busybox() {
                let text = if error == FsError::IsADirectory { "is a directory".to_owned() } else { error.to_string() };
                let before = if error == FsError::IsADirectory { "" } else { "can't remove " };
                process.fail(1, format!("{before}'{operand}'{} {text}", if before.is_empty() { "" } else { ":" })).await
            } else if only_directories {
                process.fail(1, format!("failed to remove '{operand}': {error}")).await
            } else {
                process.fail(1, format!("cannot remove '{operand}': {error}")).await
            };
        }
    }
    exit
}

/// Where an operand goes: into `target` if that is a directory.
fn destination(process: &Process, target: &str, operand: &str) -> String {
    let path = process.path(target);
    if process.fs.is_dir(&path) { fs::join(&path, fs::file_name(operand)) } else { path }
}

/// `mv [-f] SOURCE... TARGET` and `cp [-fpra] SOURCE... TARGET`
pub(super) async fn transfer(process: Process) -> Exit {
    let moving = process.name() == "mv";
    let opts = match Opts::parse(&process, if moving { "fn" } else { "fprRa" }, &[("force", 'f'), ("recursive", 'r')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let recursive = opts.last_of("rRa").is_some();
    let [sources @ .., target] = opts.operands.as_slice() else { return super::usage::incomplete(&process, 1).await };
    if sources.is_empty() {
        return super::usage::incomplete(&process, 1).await;
    }
    if sources.len() > 1 && !process.fs.is_dir(&process.path(target)) {
        return Exit::not_simulated(format!("{} of several files to one that is no directory", process.name()));
    }
    let mut exit = Exit::SUCCESS;
    for operand in sources {
        let (from, to) = (process.path(operand), destination(&process, target, operand));
        let done = if moving {
            match process.fs.rename(&from, &to) {
                // Between volumes a file is copied and then removed.
                Err(FsError::CrossDevice) => {
                    process.fs.copy_tree(&from, &to).and_then(|()| process.fs.remove_tree(&from))
                }
                other => other,
            }
        } else if process.fs.is_dir(&from) && !recursive {
            let text = if process.image.is_busybox() {
                format!("omitting directory '{operand}'")
            } else {
                format!("-r not specified; omitting directory '{operand}'")
            };
            exit = process.fail(1, text).await;
            continue;
        } else {
            process.fs.copy_tree(&from, &to)
        };
        if let Err(error) = done {
            exit = match (moving, process.fs.symlink_metadata(&from)) {
                (true, Err(missing)) => complain(&process, "cannot stat", "can't rename", operand, missing).await,
                (false, Err(missing)) => complain(&process, "cannot stat", "can't stat", operand, missing).await,
                (true, Ok(_)) => {
                    let text = if process.image.is_busybox() {
                        format!("can't rename '{operand}': {error}")
                    } else {
                        format!("cannot move '{operand}' to '{target}': {error}")
                    };
                    process.fail(1, text).await
                }
                (false, Ok(_)) => complain(&process, "cannot create regular file", "can't create", target, error).await,
            };
        }
    }
    exit
}

/// `touch [-c] FILE...`
pub(super) async fn touch(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "c", &[("no-create", 'c')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let mut exit = Exit::SUCCESS;
    for operand in &opts.operands {
        let path = process.path(operand);
        let touched = if process.fs.exists(&path) {
            process.fs.set_modified(&path, process.clock.now())
        } else if opts.has('c') {
            Ok(())
        } else {
            process.fs.open(&path, OpenOptions { truncate: false, ..OpenOptions::writing() }).map(|_| ())
        };
        if let Err(error) = touched {
            exit = if process.image.is_busybox() {
                process.fail(1, format!("{operand}: {error}")).await
            } else {
                process.fail(1, format!("cannot touch '{operand}': {error}")).await
            };
        }
    }
    exit
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// A mode such as `644`, `+x`, `u+x,go-w` applied to an old one.
fn changed_mode(text: &str, old: u32) -> Option<u32> {
    if let Some(mode) = octal(text) {
        return Some(mode);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, change) = clause.split_at(at);
        let mut mask = 0;
        for letter in if who.is_empty() { "a" } else { who }.chars() {
            mask |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let mut bits = 0;
        for letter in change[1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                _ => return None,
            };
        }
        match change.as_bytes()[0] {
            b'+' => mode |= bits & mask,
            b'-' => mode &= !(bits & mask),
            _ => mode = mode & !mask | bits & mask,
        }
    }
    Some(mode)
}

/// `chmod MODE FILE...`
pub(super) async fn chmod(process: Process) -> Exit {
    let [mode, operands @ ..] = process.args() else { return super::usage::incomplete(&process, 1).await };
    if mode.starts_with('-') && mode.len() > 2 {
        return Exit::not_simulated(format!("chmod {mode}"));
    }
    let mut exit = Exit::SUCCESS;
    for operand in operands {
        let path = process.path(operand);
        let old = match process.fs.metadata(&path) {
            Ok(metadata) => metadata.mode,
            Err(error) if process.image.is_busybox() => {
                exit = process.fail(1, format!("{operand}: {error}")).await;
                continue;
            }
            Err(error) => {
                exit = process.fail(1, format!("cannot access '{operand}': {error}")).await;
                continue;
            }
        };
        let Some(new) = changed_mode(mode, old) else { return Exit::not_simulated(format!("chmod {mode}")) };
        if let Err(error) = process.fs.set_mode(&path, new) {
            exit = if process.image.is_busybox() {
                process.fail(1, format!("{operand}: {error}")).await
            } else {
                process.fail(1, format!("changing permissions of '{operand}': {error}")).await
            };
        }
    }
    exit
}

/// `ln -s [-f] TARGET NAME`
pub(super) async fn link(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "sfn", &[("symbolic", 's'), ("force", 'f')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let ([target, name], true) = (opts.operands.as_slice(), opts.has('s')) else {
        return Exit::not_simulated(format!("ln {}", process.args().join(" ")));
    };
    let path = destination(&process, name, target);
    if opts.has('f') && process.fs.symlink_metadata(&path).is_ok() {
        process.fs.remove_file(&path).unwrap_or_default();
    }
    match process.fs.symlink(target, &path) {
        Ok(()) => Exit::SUCCESS,
        Err(error) if process.image.is_busybox() => process.fail(1, format!("{name}: {error}")).await,
        Err(error) => process.fail(1, format!("failed to create symbolic link '{name}': {error}")).await,
    }
}

/// `readlink [-f] PATH` and `realpath PATH`
pub(super) async fn readlink(process: Process) -> Exit {
    let canonical = process.name() == "realpath";
    let opts = match Opts::parse(&process, "f", &[("canonicalize", 'f')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let mut exit = Exit::SUCCESS;
    for operand in &opts.operands {
        let path = process.path(operand);
        let found = if canonical || opts.has('f') { process.fs.canonical(&path) } else { process.fs.read_link(&path) };
        match found {
            Ok(found) => match process.print(format!("{found}\n")).await {
                Ok(()) => {}
                Err(exit) => return exit,
            },
            Err(error) if canonical => exit = process.fail(1, format!("{operand}: {error}")).await,
            Err(_) => exit = Exit::FAILURE,
        }
    }
    ended(Ok(exit))
}

#[cfg(test)]
mod tests {
    use super::changed_mode;

    #[test]
    fn modes_are_octal_or_changes() {
        let cases = [
            ("644", 0, Some(0o644)),
            ("+x", 0o644, Some(0o755)),
            ("u+x,go-r", 0o644, Some(0o700)),
            ("a=r", 0o777, Some(0o444)),
            ("q", 0, None),
        ];
        for (text, old, expected) in cases {
            assert_eq!(changed_mode(text, old), expected, "{text}");
        }
    }
}
