//! `$(( ))`: 64-bit integers with wrap-around.
//!
//! Invariant: a division by zero or a malformed number ends the shell as it does in life, never the lab.

use super::state::{Dialect, Shell, Stop};
use std::collections::BTreeMap;

/// How deep brackets and variables that hold expressions may nest.
const MAX_DEPTH: usize = 60;

/// Why an expression has no value.
enum Fault {
    /// It is malformed; the text says what dash expected.
    Expecting(&'static str),
    DivisionByZero,
    IllegalNumber(String),
    Unset(String),
    TooDeep,
}

/// What an expression is evaluated with.
struct Evaluation<'a> {
    shell: &'a Shell,
    /// Assignments of the expression, which the shell takes over afterwards.
    written: BTreeMap<String, i64>,
    depth: usize,
}

/// A cursor over an expression.
struct Cursor<'a> {
    rest: &'a str,
}

/// Operators of two operands with their precedence, longest first where one starts another.
const BINARY: [(&str, u8); 19] = [
    ("||", 1),
    ("&&", 2),
    ("==", 6),
    ("!=", 6),
    ("<=", 7),
    (">=", 7),
    ("<<", 8),
    (">>", 8),
    ("**", 11),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
    ("%", 10),
];

impl Shell {
    /// The value of an expression in which parameters are already expanded.
    pub(super) async fn evaluate(&mut self, text: &str) -> Result<i64, Stop> {
        let mut evaluation = Evaluation { shell: self, written: BTreeMap::new(), depth: 0 };
        let outcome = evaluation.whole(text);
        let written = std::mem::take(&mut evaluation.written);
        for (name, value) in written {
            self.set(&name, value.to_string()).await?;
        }
        match outcome {
            Ok(value) => Ok(value),
            Err(fault) => Err(self.arithmetic_fault(fault, text).await),
        }
    }

    async fn arithmetic_fault(&self, fault: Fault, text: &str) -> Stop {
        let message = match (self.dialect, fault) {
            (_, Fault::TooDeep) => return Stop::not_simulated("arithmetic that nests this deep"),
            (Dialect::Dash, Fault::Expecting(what)) => format!("arithmetic expression: expecting {what}: \"{text}\""),
            (Dialect::Dash, Fault::DivisionByZero) => format!("arithmetic expression: division by zero: \"{text}\""),
            (Dialect::Dash | Dialect::Ash, Fault::IllegalNumber(number)) => format!("Illegal number: {number}"),
            (Dialect::Dash | Dialect::Ash, Fault::Unset(name)) => format!("{name}: parameter not set"),
            (Dialect::Ash, Fault::Expecting(_)) => "arithmetic syntax error".to_owned(),
            (Dialect::Ash, Fault::DivisionByZero) => "divide by zero".to_owned(),
            (Dialect::Bash, Fault::DivisionByZero) => {
                let divisor = text.rsplit(['/', '%']).next().unwrap_or_default();
                format!("{text}: division by 0 (error token is \"{}\")", divisor.trim_start())
            }
            (Dialect::Bash, Fault::Unset(name)) => format!("{name}: unbound variable"),
            (Dialect::Bash, _) => return Stop::not_simulated(format!("bash's complaint about the expression {text}")),
        };
        self.fatal(message).await
    }
}

impl Evaluation<'_> {
    fn whole(&mut self, text: &str) -> Result<i64, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let mut cursor = Cursor { rest: text };
        cursor.skip();
        if cursor.rest.is_empty() {
            self.depth -= 1;
            // dash wants something between the brackets, the others take nothing for zero.
            return if self.shell.dialect == Dialect::Dash { Err(Fault::Expecting("primary")) } else { Ok(0) };
        }
        let mut value = self.assignment(&mut cursor, true)?;
        while self.shell.dialect != Dialect::Dash && cursor.take(",") {
            value = self.assignment(&mut cursor, true)?;
        }
        cursor.skip();
        self.depth -= 1;
        if cursor.rest.is_empty() { Ok(value) } else { Err(Fault::Expecting("EOF")) }
    }

    /// `name = value` and its like, or a condition. Where `live` is false nothing has an effect.
    fn assignment(&mut self, cursor: &mut Cursor<'_>, live: bool) -> Result<i64, Fault> {
        let start = cursor.rest;
        if let Some(name) = cursor.name() {
            for operator in ["<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "="] {
                if operator == "=" && cursor.follows("==") || !cursor.take(operator) {
                    continue;
                }
                let right = self.assignment(cursor, live)?;
                if !live {
                    return Ok(0);
                }
                let value = match operator.strip_suffix('=') {
                    Some("") | None => right,
                    Some(operator) => apply(operator, self.variable(name)?, right)?,
                };
                self.written.insert(name.to_owned(), value);
                return Ok(value);
            }
        }
        cursor.rest = start;
        self.condition(cursor, live)
    }

    fn condition(&mut self, cursor: &mut Cursor<'_>, live: bool) -> Result<i64, Fault> {
        let chosen = self.binary(cursor, 0, live)?;
        if !cursor.take("?") {
            return Ok(chosen);
        }
        let yes = self.assignment(cursor, live && chosen != 0)?;
        if !cursor.take(":") {
            return Err(Fault::Expecting("':'"));
        }
        let no = self.assignment(cursor, live && chosen == 0)?;
        Ok(if chosen != 0 { yes } else { no })
    }

    fn binary(&mut self, cursor: &mut Cursor<'_>, least: u8, live: bool) -> Result<i64, Fault> {
        let mut left = self.unary(cursor, live)?;
        loop {
            cursor.skip();
            let dash = self.shell.dialect == Dialect::Dash;
            let found =
                BINARY.iter().find(|(operator, _)| cursor.rest.starts_with(operator) && !(dash && *operator == "**"));
            let Some(&(operator, level)) = found.filter(|(_, level)| *level > least) else { return Ok(left) };
            // `a |= b` is no operator of two values.
            let compound = cursor.rest[operator.len()..].starts_with('=') && !matches!(level, 1 | 2 | 6 | 7);
            if compound {
                return Ok(left);
            }
            cursor.rest = &cursor.rest[operator.len()..];
            let needed = match operator {
                "&&" => left != 0,
                "||" => left == 0,
                _ => true,
            };
            // Powers bind to the right.
            let right = self.binary(cursor, if operator == "**" { level - 1 } else { level }, live && needed)?;
            if live {
                left = if needed || !matches!(operator, "&&" | "||") {
                    apply(operator, left, right)?
                } else {
                    i64::from(operator == "||")
                };
            }
        }
    }

    fn unary(&mut self, cursor: &mut Cursor<'_>, live: bool) -> Result<i64, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let value = self.operand(cursor, live);
        self.depth -= 1;
        value
    }

    fn operand(&mut self, cursor: &mut Cursor<'_>, live: bool) -> Result<i64, Fault> {
        cursor.skip();
        let rich = self.shell.dialect != Dialect::Dash;
        for (operator, step) in [("++", 1), ("--", -1)] {
            if rich && cursor.follows(operator) {
                let start = cursor.rest;
                cursor.take(operator);
                if let Some(name) = cursor.name() {
                    return self.step(name, step, live).map(|old| old.wrapping_add(step));
                }
                cursor.rest = start;
            }
        }
        if cursor.take("!") {
            return Ok(i64::from(self.unary(cursor, live)? == 0));
        }
        if cursor.take("~") {
            return Ok(!self.unary(cursor, live)?);
        }
        if cursor.take("-") {
            return Ok(self.unary(cursor, live)?.wrapping_neg());
        }
        if cursor.take("+") {
            return self.unary(cursor, live);
        }
        if cursor.take("(") {
            let mut value = self.assignment(cursor, live)?;
            while rich && cursor.take(",") {
                value = self.assignment(cursor, live)?;
            }
            return if cursor.take(")") { Ok(value) } else { Err(Fault::Expecting("')'")) };
        }
        if let Some(name) = cursor.name() {
            for (operator, step) in [("++", 1), ("--", -1)] {
                if rich && cursor.take(operator) {
                    return self.step(name, step, live);
                }
            }
            return if live { self.variable(name) } else { Ok(0) };
        }
        let end = cursor
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "#@_".contains(c) && rich))
            .unwrap_or(cursor.rest.len());
        let (digits, rest) = cursor.rest.split_at(end);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Fault::Expecting("primary"));
        }
        cursor.rest = rest;
        literal(digits, rich).ok_or(Fault::Expecting("EOF"))
    }

    fn step(&mut self, name: &str, by: i64, live: bool) -> Result<i64, Fault> {
        if !live {
            return Ok(0);
        }
        let old = self.variable(name)?;
        self.written.insert(name.to_owned(), old.wrapping_add(by));
        Ok(old)
    }

    fn variable(&mut self, name: &str) -> Result<i64, Fault> {
        if let Some(value) = self.written.get(name) {
            return Ok(*value);
        }
        let text = match self.shell.var(name) {
            None if self.shell.options.nounset && self.shell.is_bash() => return Err(Fault::Unset(name.to_owned())),
            None => return Ok(0),
            Some(text) => text.trim().to_owned(),
        };
        if text.is_empty() {
            return Ok(0);
        }
        if let Some(value) = signed(&text) {
            return Ok(value);
        }
        if self.shell.dialect == Dialect::Dash {
            return Err(Fault::IllegalNumber(text));
        }
        self.whole(&text)
    }
}

impl<'a> Cursor<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn follows(&mut self, text: &str) -> bool {
        self.skip();
        self.rest.starts_with(text)
    }

    fn take(&mut self, text: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        self.skip();
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }
}

/// A number with a sign, as a variable may hold it.
fn signed(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = literal(digits, false)?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// A number as a shell reads it: decimal, octal with a leading zero, hexadecimal with `0x`; where `rich`, `base#digits`.
fn literal(digits: &str, rich: bool) -> Option<i64> {
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok();
    }
    if rich && let Some((base, digits)) = digits.split_once('#') {
        let base: u32 = base.parse().ok().filter(|base| (2..=36).contains(base))?;
        return i64::from_str_radix(digits, base).ok();
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return i64::from_str_radix(digits, 8).ok();
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Too large a number is the largest one.
    Some(digits.parse().unwrap_or(i64::MAX))
}

fn apply(operator: &str, left: i64, right: i64) -> Result<i64, Fault> {
    let count = u32::try_from(right & 63).unwrap_or(0);
    Ok(match operator {
        "*" => left.wrapping_mul(right),
        "/" | "%" if right == 0 => return Err(Fault::DivisionByZero),
        "/" => left.wrapping_div(right),
        "%" => left.wrapping_rem(right),
        "**" => left.wrapping_pow(u32::try_from(right).map_err(|_| Fault::Expecting("primary"))?),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        // The processor takes the count modulo 64.
        "<<" => left.wrapping_shl(count),
        ">>" => left.wrapping_shr(count),
        "<" => i64::from(left < right),
        "<=" => i64::from(left <= right),
        ">" => i64::from(left > right),
        ">=" => i64::from(left >= right),
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "&" => left & right,
        "^" => left ^ right,
        "|" => left | right,
        "&&" => i64::from(left != 0 && right != 0),
        "||" => i64::from(left != 0 || right != 0),
        _ => return Err(Fault::Expecting("EOF")),
    })
}
