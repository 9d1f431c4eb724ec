//! `echo` in its three dialects.
//!
//! Invariant: dash reads backslashes and knows only `-n`; GNU and BusyBox read them only after `-e`.

use crate::process::{Exit, IoError, Process, SIGPIPE};

/// `/bin/echo` of GNU, and BusyBox's, builtin or not.
pub(super) async fn main(process: Process) -> Exit {
    let mut args = process.args();
    let (mut newline, mut escapes) = (true, false);
    while let Some((first, rest)) = args.split_first() {
        let Some(letters) = first.strip_prefix('-') else { break };
        if letters.is_empty() || !letters.chars().all(|letter| "neE".contains(letter)) {
            break;
        }
        for letter in letters.chars() {
            match letter {
                'n' => newline = false,
                letter => escapes = letter == 'e',
            }
        }
        args = rest;
    }
    say(&process, args, newline, escapes).await
}

/// dash's builtin.
pub(super) async fn dash(process: Process) -> Exit {
    match process.args().split_first() {
        Some((first, rest)) if first == "-n" => say(&process, rest, false, true).await,
        _ => say(&process, process.args(), true, true).await,
    }
}

async fn say(process: &Process, args: &[String], newline: bool, escapes: bool) -> Exit {
    let text = args.join(" ");
    let (mut out, stopped) = if escapes { unescape(&text) } else { (text.into_bytes(), false) };
    if newline && !stopped {
        out.push(b'\n');
    }
    match process.stdout().write_all(&out).await {
        Ok(()) => Exit::SUCCESS,
        Err(IoError::BrokenPipe) => Exit::Signal(SIGPIPE),
        // In dash, whose echo reads backslashes, this is all one learns.
        Err(_) if escapes && !process.image.is_busybox() => process.fail(1, "echo: I/O error").await,
        Err(error) => process.fail(1, format!("write error: {error}")).await,
    }
}

/// Reads backslash sequences as `echo -e` and `printf %b` do; true when `\c` asks to stop all output.
pub(super) fn unescape(text: &str) -> (Vec<u8>, bool) {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' || at + 1 == bytes.len() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        at += 2;
        match bytes[at - 1] {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'c' => return (out, true),
            b'e' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'0' => {
                let (byte, used) = number(&bytes[at..], 8, 3);
                out.push(byte);
                at += used;
            }
            b'x' => {
                let (byte, used) = number(&bytes[at..], 16, 2);
                if used == 0 {
                    out.extend(b"\\x");
                } else {
                    out.push(byte);
                }
                at += used;
            }
            other => out.extend([b'\\', other]),
        }
    }
    (out, false)
}

/// Reads the backslash sequences of `$'...'`.
pub(crate) fn ansi_c(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let Some(c) = escape.chars().next() else {
            out.push(b'\\');
            rest = escape;
            break;
        };
        let mut used = c.len_utf8();
        match c {
            '\'' | '"' | '?' => out.push(c as u8),
            '0'..='7' => {
                let (byte, digits) = number(escape.as_bytes(), 8, 3);
                out.push(byte);
                used = digits;
            }
            'u' | 'U' => {
                let digits: String = escape[1..]
                    .chars()
                    .take(if c == 'u' { 4 } else { 8 })
                    .take_while(char::is_ascii_hexdigit)
                    .collect();
                let scalar = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.extend(scalar.map(String::from).unwrap_or_default().bytes());
                used += digits.len();
            }
            'x' => {
                let (byte, digits) = number(&escape.as_bytes()[1..], 16, 2);
                out.push(byte);
                used += digits;
            }
            c => out.extend(unescape(&format!("\\{c}")).0),
        }
        rest = &escape[used..];
    }
    out.extend(rest.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// At most `max` digits of a number; the low byte and how many there were.
pub(super) fn number(bytes: &[u8], base: u32, max: usize) -> (u8, usize) {
    let digits: Vec<u32> = bytes.iter().take(max).map_while(|&byte| char::from(byte).to_digit(base)).collect();
    let value = digits.iter().fold(0, |value, digit| value * base + digit);
    (u8::try_from(value & 0xff).unwrap_or(0), digits.len())
}
