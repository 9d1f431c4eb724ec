//! Builtins about variables, parameters and the working directory.
//!
//! Invariant: a variable changes through `Shell::set`, so read-only ones stay as they are.

use super::super::state::{Flow, Shell, Stop, Variable, is_name};
use crate::fs::FsError;
use crate::process::IoError;

/// `export` and `readonly`
pub(super) async fn declare(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let export = argv[0] == "export";
    if argv.len() == 1 || argv[1] == "-p" {
        let mut lines: Vec<String> = shell
            .vars
            .iter()
            .filter(|(_, variable)| if export { variable.exported } else { variable.readonly })
            .map(|(name, variable)| match &variable.value {
                Some(value) => format!("{} {name}='{}'\n", argv[0], value.replace('\'', "'\\''")),
                None => format!("{} {name}\n", argv[0]),
            })
            .collect();
        lines.sort();
        shell.say(&lines.concat()).await?;
        return Ok(0);
    }
    for arg in &argv[1..] {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg.as_str(), None),
        };
        if !is_name(name) {
            return Err(shell.fatal(format!("{}: {name}: bad variable name", argv[0])).await);
        }
        if let Some(value) = value {
            shell.set(name, value.to_owned()).await?;
        }
        let variable = shell.vars.entry(name.to_owned()).or_default();
        if export {
            variable.exported = true;
        } else {
            variable.readonly = true;
        }
    }
    Ok(0)
}

pub(super) async fn local(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if shell.locals.is_empty() {
        return Err(shell.fatal("local: not in a function".to_owned()).await);
    }
    for arg in &argv[1..] {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg.as_str(), None),
        };
        let saved = (name.to_owned(), shell.vars.get(name).cloned());
        if let Some(scope) = shell.locals.last_mut() {
            scope.push(saved);
        }
        match value {
            Some(value) => shell.set(name, value.to_owned()).await?,
            // ash forgets the outer value, dash keeps it.
            None if shell.is_busybox() => {
                shell.vars.insert(name.to_owned(), Variable::default());
            }
            None => {}
        }
    }
    Ok(0)
}

pub(super) async fn unset(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut functions = false;
    for arg in &argv[1..] {
        match arg.as_str() {
            "-f" => functions = true,
            "-v" => functions = false,
            name if functions => {
                shell.functions.remove(name);
            }
            name => {
                if shell.vars.get(name).is_some_and(|variable| variable.readonly) {
                    return Err(shell.fatal(format!("unset: {name}: is read only")).await);
                }
                shell.vars.shift_remove(name);
            }
        }
    }
    Ok(0)
}

pub(super) async fn shift(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let count = match argv.get(1).map(|text| text.parse::<usize>()) {
        None => 1,
        Some(Ok(count)) => count,
        Some(Err(_)) => return Err(shell.fatal(format!("shift: Illegal number: {}", argv[1])).await),
    };
    if count > shell.params.len() {
        // ash fails quietly, dash ends the shell.
        return if shell.is_busybox() {
            Ok(1)
        } else {
            Err(shell.fatal("shift: can't shift that many".to_owned()).await)
        };
    }
    shell.params.drain(..count);
    Ok(0)
}

pub(super) async fn cd(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let args: Vec<&String> = argv[1..].iter().filter(|arg| !matches!(arg.as_str(), "--" | "-L" | "-P")).collect();
    let target = match args.first().map(|arg| arg.as_str()) {
        Some("-") => shell.var("OLDPWD").unwrap_or("/").to_owned(),
        Some(target) => target.to_owned(),
        None => shell.var("HOME").unwrap_or("/").to_owned(),
    };
    let path = shell.process.path(&target);
    let fs = &shell.process.fs;
    let error = match fs.canonical(&path) {
        Ok(canonical) if fs.is_dir(&canonical) && fs.access(&canonical, 1) => {
            let old = std::mem::replace(&mut shell.process.cwd, canonical.clone());
            shell.set("OLDPWD", old).await?;
            shell.set("PWD", canonical.clone()).await?;
            if args.first().is_some_and(|arg| *arg == "-") {
                shell.say(&format!("{canonical}\n")).await?;
            }
            return Ok(0);
        }
        Ok(canonical) if fs.is_dir(&canonical) => FsError::PermissionDenied,
        Ok(_) => FsError::NotADirectory,
        Err(error) => error,
    };
    if shell.is_busybox() {
        shell.complain(format!("cd: can't cd to {target}: {error}")).await;
        Ok(1)
    } else {
        shell.complain(format!("cd: can't cd to {target}")).await;
        Ok(2)
    }
}

pub(super) async fn pwd(shell: &mut Shell, _argv: Vec<String>) -> Flow {
    let cwd = shell.process.cwd.clone();
    shell.say(&format!("{cwd}\n")).await?;
    Ok(0)
}

/// `read [-r] NAME...`: one line from standard input, byte by byte, so that the rest stays for others.
pub(super) async fn read(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut raw = false;
    let mut names = Vec::new();
    for arg in &argv[1..] {
        match arg.as_str() {
            "-r" => raw = true,
            option if option.starts_with('-') && names.is_empty() => {
                return Err(Stop::not_simulated(format!("read {option}")));
            }
            name if is_name(name) => names.push(name.to_owned()),
            name => return Err(shell.fatal(format!("read: {name}: bad variable name")).await),
        }
    }
    if names.is_empty() {
        if !shell.is_busybox() {
            return Err(shell.fatal("read: arg count".to_owned()).await);
        }
        names.push("REPLY".to_owned());
    }
    // Characters, each with whether a backslash quoted it.
    let mut line: Vec<(u8, bool)> = Vec::new();
    let mut complete = false;
    let mut escaped = false;
    let stdin = shell.process.stdin();
    loop {
        let byte = match stdin.read(1).await {
            Ok(data) if data.is_empty() => break,
            Ok(data) => data[0],
            Err(IoError::BadDescriptor) => return Ok(1),
            Err(error) => return Err(Stop::not_simulated(format!("read: {error}"))),
        };
        if escaped {
            escaped = false;
            if byte != b'\n' {
                line.push((byte, true));
            }
        } else if byte == b'\\' && !raw {
            escaped = true;
        } else if byte == b'\n' {
            complete = true;
            break;
        } else {
            line.push((byte, false));
        }
        if line.len() > 1 << 20 {
            return Err(Stop::not_simulated("a line of more than 1 MiB in read"));
        }
    }
    let ifs = shell.var("IFS").unwrap_or(" \t\n").to_owned();
    let values = split_line(&line, ifs.as_bytes(), names.len());
    for (name, value) in names.iter().zip(values) {
        shell.set(name, value).await?;
    }
    Ok(u8::from(!complete))
}

/// Splits a line into `count` values; the last takes what remains, without blanks at its end.
fn split_line(line: &[(u8, bool)], ifs: &[u8], count: usize) -> Vec<String> {
    let is_separator = |&(byte, quoted): &(u8, bool)| !quoted && ifs.contains(&byte);
    let is_blank = |item: &(u8, bool)| is_separator(item) && item.0.is_ascii_whitespace();
    let text =
        |part: &[(u8, bool)]| String::from_utf8_lossy(&part.iter().map(|item| item.0).collect::<Vec<_>>()).into_owned();
    let mut values = Vec::new();
    let mut at = line.iter().take_while(|item| is_blank(item)).count();
    while values.len() + 1 < count {
        let end = line[at..].iter().position(is_separator).map_or(line.len(), |found| at + found);
        values.push(text(&line[at..end]));
        at = end + line[end..].iter().take_while(|item| is_blank(item)).count();
        if line.get(at).is_some_and(|item| is_separator(item) && !is_blank(item)) {
            at += 1;
            at += line[at..].iter().take_while(|item| is_blank(item)).count();
        }
    }
    let mut rest = &line[at..];
    while rest.last().is_some_and(is_blank) {
        rest = &rest[..rest.len() - 1];
    }
    // One separator that ends the last field is not part of it.
    if let Some((last, before)) = rest.split_last()
        && is_separator(last)
        && !before.iter().any(is_separator)
    {
        rest = before;
    }
    values.push(text(rest));
    values
}
