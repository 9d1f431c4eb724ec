//! `sh` and `bash`: their options, and where the script comes from.
//!
//! Invariant: an option that is accepted has its effect.

use super::state::{Dialect, Shell};
use crate::fs::FsError;
use crate::process::{Exit, Process};

/// `sh [-eux...] [-c SCRIPT [NAME [ARG...]]] [FILE [ARG...]]`
pub(crate) async fn main(process: Process) -> Exit {
    let dialect = if process.image.is_busybox() { Dialect::Ash } else { Dialect::Dash };
    start(process, dialect).await
}

/// `bash`, called as `sh` is.
pub(crate) async fn bash(process: Process) -> Exit {
    start(process, Dialect::Bash).await
}

async fn start(process: Process, dialect: Dialect) -> Exit {
    let args = process.args().to_vec();
    let mut shell = Shell::new(process, dialect);
    let mut at = 0;
    while let Some(arg) = args.get(at).filter(|arg| arg.len() > 1 && arg.starts_with(['-', '+'])) {
        at += 1;
        if arg == "--" {
            break;
        }
        match arg.strip_prefix("--") {
            Some("norc" | "noprofile" | "login" | "posix") if dialect == Dialect::Bash => continue,
            Some("version") if dialect == Dialect::Bash => return version(&shell).await,
            Some(_) if dialect != Dialect::Dash => return Exit::not_simulated(format!("{} {arg}", shell.name)),
            _ => {}
        }
        if let Err(exit) = flags(&mut shell, arg, &args, &mut at).await {
            return exit;
        }
    }
    let rest = args.get(at..).unwrap_or_default();
    if shell.options.command {
        let Some((script, rest)) = rest.split_first() else {
            return without_command(&shell).await;
        };
        if let Some((name, params)) = rest.split_first() {
            shell.name.clone_from(name);
            shell.params = params.to_vec();
        }
        return shell.run_to_end(script).await;
    }
    if shell.options.stdin || rest.is_empty() {
        shell.params = rest.to_vec();
        shell.options.stdin = true;
        if shell.process.stdin().is_terminal() {
            return Exit::not_simulated("an interactive shell");
        }
        return shell.run_input().await;
    }
    file(shell, &rest[0], rest[1..].to_vec()).await
}

/// One group of option letters.
async fn flags(shell: &mut Shell, arg: &str, args: &[String], at: &mut usize) -> Result<(), Exit> {
    let on = arg.starts_with('-');
    for letter in arg[1..].chars() {
        match letter {
            'c' if on => shell.options.command = true,
            's' if on => shell.options.stdin = true,
            'o' => {
                let Some(name) = args.get(*at) else { return Err(Exit::not_simulated("sh -o without a name")) };
                *at += 1;
                if let Err(text) = shell.set_named(name, on) {
                    return Err(refuse(shell, &text).await);
                }
            }
            // Reading the profile: the images have none.
            'l' => {}
            'i' => return Err(Exit::not_simulated("an interactive shell")),
            letter if shell.set_letter(letter, on) => {}
            letter if shell.dialect == Dialect::Dash && !letter.is_alphanumeric() => {
                return Err(refuse(shell, &format!("Illegal option -{letter}")).await);
            }
            letter => return Err(Exit::not_simulated(format!("{} -{letter}", shell.name))),
        }
    }
    Ok(())
}

async fn refuse(shell: &Shell, text: &str) -> Exit {
    let name = &shell.name;
    let message = match shell.dialect {
        Dialect::Dash => format!("{name}: 0: {text}\n"),
        Dialect::Ash | Dialect::Bash => format!("{name}: {text}\n"),
    };
    shell.process.warn(message).await;
    Exit::Code(2)
}

async fn without_command(shell: &Shell) -> Exit {
    let name = &shell.name;
    let (text, code) = match shell.dialect {
        Dialect::Dash => (format!("{name}: 0: -c requires an argument\n"), 2),
        Dialect::Ash => (format!("{name}: -c requires an argument\n"), 2),
        Dialect::Bash => (format!("{name}: -c: option requires an argument\n"), 2),
    };
    shell.process.warn(text).await;
    Exit::Code(code)
}

async fn version(shell: &Shell) -> Exit {
    let text = "GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\n\
        Copyright (C) 2022 Free Software Foundation, Inc.\n\
        License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>\n\n\
        This is free software; you are free to change and redistribute it.\n\
        There is NO WARRANTY, to the extent permitted by law.\n";
    match shell.process.print(text).await {
        Ok(()) => Exit::SUCCESS,
        Err(exit) => exit,
    }
}

/// A script in a file.
async fn file(mut shell: Shell, file: &str, params: Vec<String>) -> Exit {
    let called = shell.name.clone();
    let path = shell.process.path(file);
    let read = shell.process.fs.read(&path);
    let (text, code) = match (read, shell.dialect) {
        (Ok(data), _) => {
            file.clone_into(&mut shell.name);
            shell.params = params;
            shell.from_file = true;
            let script = String::from_utf8_lossy(&data).into_owned();
            return shell.run_to_end(&script).await;
        }
        (Err(FsError::NotSimulated), _) => return Exit::not_simulated(format!("the content of {file}")),
        (Err(error), Dialect::Ash) => (format!("{called}: can't open '{file}': {error}\n"), 2),
        (Err(FsError::NotFound), Dialect::Dash) => (format!("{called}: 0: cannot open {file}: No such file\n"), 2),
        (Err(error), Dialect::Dash) => (format!("{called}: 0: cannot open {file}: {error}\n"), 2),
        (Err(FsError::IsADirectory), Dialect::Bash) => (format!("{file}: {file}: Is a directory\n"), 126),
        (Err(error), Dialect::Bash) => (format!("{called}: {file}: {error}\n"), 127),
    };
    shell.process.warn(text).await;
    Exit::Code(code)
}
