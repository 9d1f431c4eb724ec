//! Builtins about variables, parameters and the working directory.
//!
//! Invariant: a variable changes through `Shell::set`, so read-only ones stay as they are.

use super::super::state::{Dialect, Flow, Shell, Stop, Variable, is_name};
use crate::fs::FsError;
use std::sync::Arc;

/// `export`, `readonly` and bash's `declare`
pub(super) async fn declare(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut export = argv[0] == "export";
    let mut readonly = argv[0] == "readonly";
    let (mut list, mut undo) = (false, false);
    let mut args = &argv[1..];
    while let Some((option, rest)) = args.split_first() {
        let Some(letters) = option.strip_prefix('-').filter(|letters| !letters.is_empty()) else { break };
        args = rest;
        if letters == "-" {
            break;
        }
        for letter in letters.chars() {
            match letter {
                'p' => list = true,
                'x' if shell.is_bash() && !readonly => export = true,
                'r' if shell.is_bash() && !export => readonly = true,
                'n' if export && shell.is_bash() => undo = true,
                'a' | 'g' if argv[0] == "declare" || argv[0] == "typeset" => {}
                letter if shell.is_bash() => return Err(Stop::not_simulated(format!("{} -{letter}", argv[0]))),
                letter => {
                    let text = if shell.is_busybox() { "illegal option" } else { "Illegal option" };
                    return Err(shell.fatal(format!("{text} -{letter}")).await);
                }
            }
        }
    }
    if args.is_empty() || list {
        if !(export || readonly) || list && !args.is_empty() {
            return Err(Stop::not_simulated(format!("{} as a list", argv[0])));
        }
        let prefix = match (shell.is_bash(), export) {
            (true, true) => "declare -x ",
            (true, false) => "declare -r ",
            (false, true) => "export ",
            (false, false) => "readonly ",
        };
        let lines = shell.listing(prefix, |variable| if export { variable.exported } else { variable.readonly });
        shell.say(&lines).await?;
        return Ok(0);
    }
    let in_function = argv[0].starts_with(['d', 't']) && !shell.locals.is_empty();
    let mut status = 0;
    for arg in args {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg.as_str(), None),
        };
        if !is_name(name) {
            if shell.is_bash() {
                shell.complain(format!("`{arg}': not a valid identifier")).await;
                status = 1;
                continue;
            }
            return Err(shell.fatal(format!("{name}: bad variable name")).await);
        }
        if in_function {
            make_local(shell, name);
        }
        if let Some(value) = value {
            shell.set(name, value.to_owned()).await?;
        }
        let variable = shell.entry(name);
        if export {
            variable.exported = !undo;
        }
        variable.readonly |= readonly;
    }
    Ok(status)
}

/// Keeps a variable's value until the function is left.
fn make_local(shell: &mut Shell, name: &str) {
    let saved = (name.to_owned(), shell.vars.get(name).cloned());
    if let Some(scope) = shell.locals.last_mut()
        && !scope.iter().any(|(known, _)| known == name)
    {
        scope.push(saved);
    }
}

pub(super) async fn local(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if shell.locals.is_empty() {
        let text = match shell.dialect {
            Dialect::Bash => "can only be used in a function",
            _ => "not in a function",
        };
        return Err(shell.fatal(text.to_owned()).await);
    }
    for arg in &argv[1..] {
        if arg.starts_with('-') {
            return Err(Stop::not_simulated(format!("local {arg}")));
        }
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg.as_str(), None),
        };
        if !is_name(name) {
            return Err(shell.fatal(format!("{name}: bad variable name")).await);
        }
        make_local(shell, name);
        match value {
            Some(value) => shell.set(name, value.to_owned()).await?,
            // The others forget the outer value, dash keeps it.
            None if shell.dialect != Dialect::Dash => {
                let variable = Variable {
                    exported: shell.vars.get(name).is_some_and(|outer| outer.exported),
                    ..Variable::default()
                };
                shell.restore(name.to_owned(), Some(variable));
            }
            None => {}
        }
    }
    Ok(0)
}

pub(super) async fn unset(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let (mut functions, mut variables) = (false, false);
    for arg in &argv[1..] {
        match arg.as_str() {
            "-f" => functions = true,
            "-v" => variables = true,
            name if functions => {
                Arc::make_mut(&mut shell.functions).remove(name);
            }
            name => {
                if let Some((name, index)) =
                    name.strip_suffix(']').and_then(|name| name.split_once('[')).filter(|_| shell.is_bash())
                {
                    let index = shell.evaluate(index).await?;
                    if let (Some(list), Ok(index)) = (&mut shell.entry(name).list, usize::try_from(index)) {
                        list.remove(&index);
                    }
                    continue;
                }
                if !is_name(name) {
                    if shell.is_bash() {
                        return Err(Stop::not_simulated(format!("unset {name}")));
                    }
                    return Err(shell.fatal(format!("{name}: bad variable name")).await);
                }
                if shell.vars.get(name).is_some_and(|variable| variable.readonly) {
                    if shell.is_bash() {
                        shell.complain(format!("{name}: cannot unset: readonly variable")).await;
                        return Ok(1);
                    }
                    return Err(shell.fatal(format!("{name}: is read only")).await);
                }
                if shell.is_bash() && !variables && !shell.vars.contains_key(name) {
                    Arc::make_mut(&mut shell.functions).remove(name);
                }
                shell.restore(name.to_owned(), None);
            }
        }
    }
    Ok(0)
}

pub(super) async fn shift(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let count = match argv.get(1).map(|text| text.parse::<usize>()) {
        None => 1,
        Some(Ok(count)) => count,
        Some(Err(_)) if shell.is_bash() => {
            shell.complain(format!("{}: numeric argument required", argv[1])).await;
            return Ok(1);
        }
        Some(Err(_)) => return Err(shell.fatal(format!("Illegal number: {}", argv[1])).await),
    };
    if count > shell.params.len() {
        // dash ends the shell, the others fail quietly.
        return if shell.dialect == Dialect::Dash {
            Err(shell.fatal("can't shift that many".to_owned()).await)
        } else {
            Ok(1)
        };
    }
    shell.params.drain(..count);
    Ok(0)
}

pub(super) async fn cd(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let mut physical = false;
    let mut operands = Vec::new();
    for arg in &argv[1..] {
        match arg.as_str() {
            "-P" if operands.is_empty() => physical = true,
            "-L" | "--" if operands.is_empty() => {}
            option if option.len() > 1 && option.starts_with('-') && operands.is_empty() => {
                return Err(Stop::not_simulated(format!("cd {option}")));
            }
            operand => operands.push(operand.to_owned()),
        }
    }
    if operands.len() > 1 && shell.is_bash() {
        shell.complain("too many arguments").await;
        return Ok(1);
    }
    let target = match operands.first().map(String::as_str) {
        Some("-") => match shell.var("OLDPWD").map(str::to_owned) {
            Some(old) => old,
            None if shell.is_bash() => {
                shell.complain("OLDPWD not set").await;
                return Ok(1);
            }
            None => shell.process.cwd.clone(),
        },
        Some(target) => target.to_owned(),
        None => match shell.var("HOME").map(str::to_owned) {
            Some(home) => home,
            None if shell.is_bash() => {
                shell.complain("HOME not set").await;
                return Ok(1);
            }
            None => return Ok(0),
        },
    };
    if target.is_empty() {
        return Ok(0);
    }
    if !target.starts_with(['/', '.']) && shell.var("CDPATH").is_some() {
        return Err(Stop::not_simulated("CDPATH"));
    }
    let path = shell.process.path(&target);
    let fs = &shell.process.fs;
    let error = match fs.canonical(&path) {
        Ok(canonical) if fs.is_dir(&canonical) && fs.access(&canonical, 1) => {
            let new = if physical { canonical } else { crate::fs::normal(&path) };
            let old = std::mem::replace(&mut shell.process.cwd, new.clone());
            shell.set("OLDPWD", old).await?;
            shell.set("PWD", new.clone()).await?;
            if operands.first().is_some_and(|arg| arg == "-") {
                shell.say(&format!("{new}\n")).await?;
            }
            return Ok(0);
        }
        Ok(canonical) if fs.is_dir(&canonical) => FsError::PermissionDenied,
        Ok(_) => FsError::NotADirectory,
        Err(error) => error,
    };
    match shell.dialect {
        Dialect::Dash => {
            shell.complain(format!("can't cd to {target}")).await;
            Ok(2)
        }
        Dialect::Ash => {
            shell.complain(format!("can't cd to {target}: {error}")).await;
            Ok(2)
        }
        Dialect::Bash => {
            shell.complain(format!("{target}: {error}")).await;
            Ok(1)
        }
    }
}

pub(super) async fn pwd(shell: &mut Shell, _argv: Vec<String>) -> Flow {
    let cwd = shell.process.cwd.clone();
    shell.say(&format!("{cwd}\n")).await?;
    Ok(0)
}
