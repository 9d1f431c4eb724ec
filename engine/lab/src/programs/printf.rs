//! `printf`: the format is used again until the arguments are spent.
//!
//! Invariant: a malformed number prints as what could be read of it, and the status says so.

use super::echo;
use crate::process::{Exit, Process};

/// How much one call may print.
const MAX_OUTPUT: usize = 8 << 20;

#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

pub(super) async fn main(process: Process) -> Exit {
    let mut args = process.args();
    if args.first().is_some_and(|arg| arg == "--") {
        args = &args[1..];
    }
    let Some((format, args)) = args.split_first() else {
        return if process.image.is_busybox() {
            super::usage::busybox(&process)
        } else {
            process.warn("printf: usage: printf format [arg ...]\n").await;
            Exit::Code(2)
        };
    };
    if format.starts_with('-') && format.len() > 1 {
        return Exit::not_simulated(format!("printf {format}"));
    }
    let mut run = Run { args, used: 0, out: Vec::new(), complaints: Vec::new(), stopped: false };
    loop {
        let before = run.used;
        if let Err(what) = run.format(format.as_bytes()) {
            return Exit::not_simulated(format!("printf {what}"));
        }
        if run.stopped || run.used >= args.len() || run.used == before {
            break;
        }
        if run.out.len() > MAX_OUTPUT {
            return Exit::not_simulated(format!("printf of more than {MAX_OUTPUT} bytes"));
        }
    }
    for complaint in &run.complaints {
        process.warn(format!("printf: {complaint}\n")).await;
    }
    match process.print(&run.out).await {
        Ok(()) => Exit::from(run.complaints.is_empty()),
        Err(exit) => exit,
    }
}

struct Run<'a> {
    args: &'a [String],
    used: usize,
    out: Vec<u8>,
    complaints: Vec<String>,
    stopped: bool,
}

impl<'a> Run<'a> {
    fn argument(&mut self) -> Option<&'a str> {
        let arg = self.args.get(self.used)?;
        self.used += 1;
        Some(arg)
    }

    fn number(&mut self) -> i64 {
        let Some(text) = self.argument() else { return 0 };
        if let Some(c) = text.strip_prefix(['\'', '"']).and_then(|rest| rest.chars().next()) {
            return i64::from(u32::from(c));
        }
        let trimmed = text.trim_start();
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let (base, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(digits) => (16, digits),
            None if digits.starts_with('0') => (8, digits),
            None => (10, digits),
        };
        let end = digits.find(|c: char| !c.is_digit(base)).unwrap_or(digits.len());
        let value = i64::from_str_radix(&digits[..end], base).unwrap_or(0);
        if digits.is_empty() || end < digits.len() {
            let what = if end == 0 { "expected numeric value" } else { "not completely converted" };
            self.complaints.push(format!("{text}: {what}"));
        }
        if negative { -value } else { value }
    }

    fn format(&mut self, format: &[u8]) -> Result<(), String> {
        let mut at = 0;
        while at < format.len() && !self.stopped {
            match format[at] {
                b'\\' => at += self.escape(&format[at..]),
                b'%' if format.get(at + 1) == Some(&b'%') => {
                    self.out.push(b'%');
                    at += 2;
                }
                b'%' => at += self.conversion(&format[at..])?,
                byte => {
                    self.out.push(byte);
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// A backslash sequence of the format itself: octal without a leading zero, and no `\c`.
    fn escape(&mut self, format: &[u8]) -> usize {
        let (octal, used) = echo::number(&format[1..], 8, 3);
        if used > 0 {
            self.out.push(octal);
            return 1 + used;
        }
        let end = match format.get(1) {
            Some(b'x') => 4.min(format.len()),
            Some(b'"') => {
                self.out.push(b'"');
                return 2;
            }
            _ => 2.min(format.len()),
        };
        let text = String::from_utf8_lossy(&format[..end]).into_owned();
        let (bytes, stopped) = echo::unescape(&text);
        self.out.extend(bytes);
        self.stopped = stopped;
        end
    }

    fn conversion(&mut self, format: &[u8]) -> Result<usize, String> {
        let mut spec = Spec::default();
        let mut at = 1;
        while let Some(flag) = format.get(at) {
            match flag {
                b'-' => spec.left = true,
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                _ => break,
            }
            at += 1;
        }
        let (width, used) = self.count(&format[at..]);
        at += used;
        spec.left |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(0).min(MAX_OUTPUT);
        if format.get(at) == Some(&b'.') {
            let (precision, used) = self.count(&format[at + 1..]);
            at += 1 + used;
            spec.precision = usize::try_from(precision).ok();
        }
        let kind = *format.get(at).ok_or("a format that ends in %")?;
        let text = match kind {
            b's' => self.argument().unwrap_or_default().as_bytes().to_vec(),
            b'b' => {
                let (bytes, stopped) = echo::unescape(self.argument().unwrap_or_default());
                self.stopped = stopped;
                bytes
            }
            b'c' => self.argument().and_then(|text| text.bytes().next()).into_iter().collect(),
            b'd' | b'i' => {
                let value = self.number();
                return Ok(self.push_number(&spec, value < 0, &value.unsigned_abs().to_string(), at));
            }
            b'u' => {
                let value = self.number().cast_unsigned();
                return Ok(self.push_number(&spec, false, &value.to_string(), at));
            }
            b'x' => {
                let digits = format!("{}{:x}", if spec.alternate { "0x" } else { "" }, self.number());
                return Ok(self.push_number(&spec, false, &digits, at));
            }
            b'X' => {
                let digits = format!("{}{:X}", if spec.alternate { "0X" } else { "" }, self.number());
                return Ok(self.push_number(&spec, false, &digits, at));
            }
            b'o' => {
                let digits = format!("{}{:o}", if spec.alternate { "0" } else { "" }, self.number());
                return Ok(self.push_number(&spec, false, &digits, at));
            }
            b'f' => {
                let text = self.argument().unwrap_or("0");
                let value: f64 = text.parse().map_err(|_| format!("%f of {text}"))?;
                format!("{value:.*}", spec.precision.unwrap_or(6)).into_bytes()
            }
            other => return Err(format!("%{}", char::from(other))),
        };
        let cut = if kind == b'f' { text.len() } else { spec.precision.unwrap_or(text.len()).min(text.len()) };
        self.pad(&spec, &text[..cut], b' ');
        Ok(at + 1)
    }

    /// A width or precision: digits, or `*` for an argument.
    fn count(&mut self, format: &[u8]) -> (i64, usize) {
        if format.first() == Some(&b'*') {
            return (self.number(), 1);
        }
        let digits: Vec<u8> = format.iter().copied().take_while(u8::is_ascii_digit).collect();
        (String::from_utf8_lossy(&digits).parse().unwrap_or(0), digits.len())
    }

    fn push_number(&mut self, spec: &Spec, negative: bool, digits: &str, at: usize) -> usize {
        let sign = match (negative, spec.plus, spec.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let mut least = spec.precision.unwrap_or(0);
        if spec.zero && !spec.left && spec.precision.is_none() {
            least = spec.width.saturating_sub(sign.len());
        }
        let zeros = "0".repeat(least.min(MAX_OUTPUT).saturating_sub(digits.len()));
        self.pad(spec, format!("{sign}{zeros}{digits}").as_bytes(), b' ');
        at + 1
    }

    fn pad(&mut self, spec: &Spec, text: &[u8], with: u8) {
        let length = String::from_utf8_lossy(text).chars().count();
        let padding = vec![with; spec.width.saturating_sub(length)];
        if spec.left {
            self.out.extend(text);
            self.out.extend(padding);
        } else {
            self.out.extend(padding);
            self.out.extend(text);
        }
    }
}
