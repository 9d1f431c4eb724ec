//! `printf`: the format is used again until the arguments are spent.
//!
//! Invariant: a malformed number prints as what could be read of it, and the status says so.

use super::echo;
use super::usage::Wording;
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
    let wording = Wording::of(&process);
    print(process, wording).await
}

/// dash's builtin.
pub(super) async fn dash(process: Process) -> Exit {
    print(process, Wording::Dash).await
}

/// bash's builtin.
pub(super) async fn bash(process: Process) -> Exit {
    print(process, Wording::Bash).await
}

async fn print(process: Process, wording: Wording) -> Exit {
    let mut args = process.args();
    if args.first().is_some_and(|arg| arg == "--") {
        args = &args[1..];
    } else if let Some(option) = args.first().filter(|arg| arg.len() > 1 && arg.starts_with('-')) {
        match (wording, option.chars().nth(1)) {
            (Wording::Dash, Some(letter)) => return process.fail(2, format!("Illegal option -{letter}")).await,
            (Wording::BusyBox, _) => {}
            _ => return Exit::not_simulated(format!("printf {option}")),
        }
    }
    let Some((format, args)) = args.split_first() else {
        return match wording {
            Wording::BusyBox => process.fail(2, "usage: printf FORMAT [ARGUMENT...]").await,
            Wording::Dash => process.fail(2, "usage: printf format [arg ...]").await,
            Wording::Bash => process.fail(2, "usage: printf [-v var] format [arguments]").await,
            Wording::Gnu => super::usage::incomplete(&process, 1).await,
        };
    };
    let mut run = Run { args, used: 0, out: Vec::new(), complaints: Vec::new(), stopped: false, wording };
    let mut invalid = None;
    loop {
        let before = run.used;
        match run.format(format.as_bytes()) {
            Ok(()) => {}
            Err(Fault::NotSimulated(what)) => return Exit::not_simulated(format!("printf {what}")),
            Err(Fault::Invalid(directive)) => {
                invalid = Some(directive);
                break;
            }
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
    if let Err(exit) = process.print(&run.out).await {
        return exit;
    }
    match (invalid, wording) {
        (Some(directive), Wording::Dash) => process.fail(2, format!("{directive}: invalid directive")).await,
        (Some(_), Wording::BusyBox) => {
            let rest = format.split_once('%').map_or("", |(_, rest)| rest);
            process.fail(1, format!("%{}: invalid format", rest.strip_prefix('z').unwrap_or(rest))).await
        }
        (Some(directive), Wording::Bash) => {
            let letter = directive.chars().last().unwrap_or_default();
            process.fail(1, format!("`{letter}': invalid format character")).await
        }
        (Some(directive), Wording::Gnu) => {
            process.fail(1, format!("{directive}: invalid conversion specification")).await
        }
        (None, _) => Exit::from(run.complaints.is_empty()),
    }
}

/// Why a format is not carried out.
enum Fault {
    NotSimulated(String),
    /// The shell lacks this directive.
    Invalid(String),
}

struct Run<'a> {
    args: &'a [String],
    used: usize,
    out: Vec<u8>,
    complaints: Vec<String>,
    stopped: bool,
    wording: Wording,
}

impl<'a> Run<'a> {
    fn argument(&mut self) -> Option<&'a str> {
        let arg = self.args.get(self.used)?;
        self.used += 1;
        Some(arg)
    }

    fn number(&mut self) -> i64 {
        let Some(text) = self.argument() else {
            if self.wording == Wording::BusyBox {
                self.complaints.push("invalid number ''".to_owned());
            }
            return 0;
        };
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
            self.complaints.push(match (self.wording, end) {
                (Wording::BusyBox, _) => format!("invalid number '{text}'"),
                (Wording::Bash, _) => format!("{text}: invalid number"),
                (Wording::Dash, 0) => format!("{text}: expected numeric value"),
                (Wording::Dash, _) => format!("{text}: not completely converted"),
                (Wording::Gnu, 0) => format!("'{text}': expected a numeric value"),
                (Wording::Gnu, _) => format!("'{text}': value not completely converted"),
            });
            if self.wording == Wording::BusyBox {
                return 0;
            }
        }
        if negative { -value } else { value }
    }

    fn format(&mut self, format: &[u8]) -> Result<(), Fault> {
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
            // dash does not know this one.
            Some(b'x') if self.wording == Wording::Dash => {
                self.out.extend(b"\\x");
                return 2;
            }
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

    fn conversion(&mut self, format: &[u8]) -> Result<usize, Fault> {
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
        let kind = *format.get(at).ok_or_else(|| Fault::NotSimulated("a format that ends in %".to_owned()))?;
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
            b'f' | b'e' | b'g' => {
                let value = self.real()?;
                let precision = spec.precision.unwrap_or(6).min(64);
                let digits = match kind {
                    b'f' => format!("{:.precision$}", value.abs()),
                    b'e' => scientific(value.abs(), precision),
                    _ => general(value.abs(), precision),
                };
                let spec = Spec { precision: None, ..spec };
                return Ok(self.push_number(&spec, value.is_sign_negative(), &digits, at));
            }
            b'q' if self.wording == Wording::Bash || self.wording == Wording::Gnu => {
                return Err(Fault::NotSimulated("%q".to_owned()));
            }
            _ => return Err(Fault::Invalid(String::from_utf8_lossy(&format[..=at]).into_owned())),
        };
        let cut = spec.precision.unwrap_or(text.len()).min(text.len());
        self.pad(&spec, &text[..cut], b' ');
        Ok(at + 1)
    }

    /// An argument that is a number with a fraction.
    fn real(&mut self) -> Result<f64, Fault> {
        let text = self.argument().unwrap_or("0");
        text.trim().parse().map_err(|_| Fault::NotSimulated(format!("a fraction of {text}")))
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

/// `%e`
pub(super) fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%g`
pub(super) fn general(value: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let text = scientific(value, precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let short = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    let limit = i64::try_from(precision).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= limit {
        let (_, tail) = text.split_at(mantissa.len());
        return short(mantissa) + tail;
    }
    let decimals = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    short(&format!("{value:.decimals$}"))
}
