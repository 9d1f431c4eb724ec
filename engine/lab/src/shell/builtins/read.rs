//! `read`: one line from standard input.
//!
//! Invariant: it takes byte by byte and no byte too many, so that the rest stays for others.

use super::super::state::{Dialect, Flow, Shell, Stop, is_name};
use crate::process::IoError;
use std::time::Duration;

/// What a call asks for.
#[derive(Default)]
struct Call {
    raw: bool,
    prompt: Option<String>,
    timeout: Option<Duration>,
    /// How many characters at most.
    count: Option<usize>,
    delimiter: Option<u8>,
    descriptor: u32,
    array: Option<String>,
    names: Vec<String>,
}

/// `read [-r] [-p PROMPT] [-t SECONDS] [-n COUNT] [-d DELIMITER] [-u FD] NAME...`
pub(super) async fn read(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let call = parse(shell, &argv).await?;
    if let Some(prompt) = call.prompt.as_ref().filter(|_| shell.process.stdin().is_terminal() || shell.is_busybox()) {
        shell.process.warn(prompt).await;
    }
    let reading = line(shell, &call);
    let outcome = match call.timeout {
        Some(limit) => match tokio::time::timeout(limit, reading).await {
            Ok(outcome) => outcome?,
            Err(_) => return Ok(if shell.is_bash() { 142 } else { 1 }),
        },
        None => reading.await?,
    };
    let Some((line, complete)) = outcome else {
        return Ok(1);
    };
    let ifs = shell.var("IFS").unwrap_or(" \t\n").to_owned();
    if let Some(array) = &call.array {
        let mut values = split_line(&line, ifs.as_bytes(), line.len() + 1);
        while values.last().is_some_and(String::is_empty) {
            values.pop();
        }
        shell.assign_list(array, values, false).await?;
        return Ok(u8::from(!complete));
    }
    if call.names.is_empty() {
        let bytes: Vec<u8> = line.iter().map(|item| item.0).collect();
        shell.set("REPLY", String::from_utf8_lossy(&bytes).into_owned()).await?;
        return Ok(u8::from(!complete));
    }
    let values = split_line(&line, ifs.as_bytes(), call.names.len());
    for (name, value) in call.names.iter().zip(values) {
        shell.set(name, value).await?;
    }
    Ok(u8::from(!complete))
}

async fn parse(shell: &mut Shell, argv: &[String]) -> Result<Call, Stop> {
    let mut call = Call::default();
    let mut args = argv[1..].iter();
    while let Some(arg) = args.next() {
        let letters = match arg.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && call.names.is_empty() => letters,
            _ => {
                if !is_name(arg) && shell.is_busybox() {
                    shell.process.warn(format!("{}: read: '{arg}': bad variable name\n", shell.name)).await;
                    return Err(Stop::Error(1));
                }
                if !is_name(arg) {
                    let text = if shell.is_bash() {
                        format!("`{arg}': not a valid identifier")
                    } else {
                        format!("{arg}: bad variable name")
                    };
                    return Err(shell.fatal(text).await);
                }
                call.names.push(arg.clone());
                continue;
            }
        };
        if letters == "-" {
            continue;
        }
        for (at, letter) in letters.char_indices() {
            let rich = shell.dialect != Dialect::Dash;
            let takes = letter == 'p' || rich && "tndu".contains(letter) || shell.is_bash() && letter == 'a';
            if !takes {
                match letter {
                    'r' => call.raw = true,
                    's' if rich => {}
                    letter if shell.dialect == Dialect::Dash => {
                        return Err(shell.fatal(format!("Illegal option -{letter}")).await);
                    }
                    letter if shell.is_busybox() => {
                        return Err(shell.fatal(format!("illegal option -{letter}")).await);
                    }
                    letter => return Err(Stop::not_simulated(format!("read -{letter}"))),
                }
                continue;
            }
            let glued = &letters[at + 1..];
            let value = if glued.is_empty() { args.next().cloned() } else { Some(glued.to_owned()) };
            let Some(value) = value else { return Err(Stop::not_simulated(format!("read -{letter} without a value"))) };
            let odd = || Stop::not_simulated(format!("read -{letter} {value}"));
            match letter {
                'p' => call.prompt = Some(value),
                't' => {
                    let seconds = value.parse().ok().and_then(|t| Duration::try_from_secs_f64(t).ok());
                    call.timeout = Some(seconds.ok_or_else(odd)?);
                }
                'n' => call.count = Some(value.parse().map_err(|_| odd())?),
                'd' => call.delimiter = Some(value.bytes().next().unwrap_or(0)),
                'u' => call.descriptor = value.parse().map_err(|_| odd())?,
                _ => call.array = Some(value),
            }
            break;
        }
    }
    if call.names.is_empty() && shell.dialect == Dialect::Dash {
        return Err(shell.fatal("arg count".to_owned()).await);
    }
    Ok(call)
}

/// Characters, each with whether a backslash quoted it, and whether the line was ended; `None` for a bad descriptor.
async fn line(shell: &mut Shell, call: &Call) -> Result<Option<(Vec<(u8, bool)>, bool)>, Stop> {
    let mut line: Vec<(u8, bool)> = Vec::new();
    let mut escaped = false;
    let end = call.delimiter.unwrap_or(b'\n');
    let input = shell.process.fd(call.descriptor);
    while call.count.is_none_or(|count| line.len() < count) {
        let byte = match shell.attend(input.read(1)).await? {
            Ok(data) if data.is_empty() => return Ok(Some((line, false))),
            Ok(data) => data[0],
            Err(IoError::BadDescriptor) => {
                if shell.is_bash() {
                    shell.complain(format!("read error: {}: Bad file descriptor", call.descriptor)).await;
                }
                return Ok(None);
            }
            Err(error) => return Err(Stop::not_simulated(format!("read: {error}"))),
        };
        if escaped {
            escaped = false;
            if byte != b'\n' {
                line.push((byte, true));
            }
        } else if byte == b'\\' && !call.raw {
            escaped = true;
        } else if byte == end {
            break;
        } else if byte != 0 {
            line.push((byte, false));
        }
        if line.len() > 1 << 20 {
            return Err(Stop::not_simulated("a line of more than 1 MiB in read"));
        }
    }
    Ok(Some((line, true)))
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
