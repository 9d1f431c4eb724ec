//! `expr`
//!
//! Invariant: an expression that is false or empty ends with 1, a wrong one with 2.

use super::posix_regex::{self, Syntax};
use crate::process::{Exit, Process};

enum Fault {
    Syntax(Option<String>, bool),
    NotANumber,
    DivisionByZero,
    NotSimulated(String),
}

struct Cursor<'a> {
    words: &'a [String],
    at: usize,
    depth: usize,
}

/// `expr EXPRESSION`
pub(super) async fn main(process: Process) -> Exit {
    let words = process.args();
    if words.is_empty() {
        return super::usage::incomplete(&process, 2).await;
    }
    let busybox = process.image.is_busybox();
    let mut cursor = Cursor { words, at: 0, depth: 0 };
    let value = cursor.or().and_then(|value| match words.get(cursor.at) {
        None => Ok(value),
        Some(extra) => Err(Fault::Syntax(Some(extra.clone()), true)),
    });
    match value {
        Ok(value) => match process.print(format!("{value}\n")).await {
            Ok(()) => Exit::from(truth(&value)),
            Err(exit) => exit,
        },
        Err(Fault::NotSimulated(what)) => Exit::NotSimulated(what),
        Err(Fault::DivisionByZero) => process.fail(2, "division by zero").await,
        Err(Fault::NotANumber) if busybox => process.fail(2, "syntax error").await,
        Err(Fault::NotANumber) => process.fail(2, "non-integer argument").await,
        Err(Fault::Syntax(..)) if busybox => process.fail(2, "syntax error").await,
        Err(Fault::Syntax(Some(word), true)) => {
            process.fail(2, format!("syntax error: unexpected argument '{word}'")).await
        }
        Err(Fault::Syntax(Some(word), false)) => {
            process.fail(2, format!("syntax error: missing argument after '{word}'")).await
        }
        Err(Fault::Syntax(None, _)) => process.fail(2, "syntax error").await,
    }
}

fn truth(value: &str) -> bool {
    !value.is_empty() && value.parse() != Ok(0i64)
}

impl Cursor<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<String, Fault> {
        let before = self.at.checked_sub(1).and_then(|at| self.words.get(at)).cloned();
        let word = self.words.get(self.at).cloned().ok_or(Fault::Syntax(before, false))?;
        self.at += 1;
        Ok(word)
    }

    fn or(&mut self) -> Result<String, Fault> {
        self.depth += 1;
        if self.depth > 60 {
            return Err(Fault::NotSimulated("an expression of expr that nests this deep".to_owned()));
        }
        let mut left = self.and()?;
        while self.take("|") {
            let right = self.and()?;
            if !truth(&left) {
                left = if right.is_empty() { "0".to_owned() } else { right };
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<String, Fault> {
        let mut left = self.comparison()?;
        while self.take("&") {
            let right = self.comparison()?;
            if !truth(&left) || !truth(&right) {
                "0".clone_into(&mut left);
            }
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<String, Fault> {
        let mut left = self.sum()?;
        while let Some(operator) =
            ["<", "<=", "=", "==", "!=", ">=", ">"].into_iter().find(|operator| self.take(operator))
        {
            let right = self.sum()?;
            let order = match (left.parse::<i64>(), right.parse::<i64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                _ => left.cmp(&right),
            };
            let holds = match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                "=" | "==" => order.is_eq(),
                "!=" => order.is_ne(),
                ">=" => order.is_ge(),
                _ => order.is_gt(),
            };
            left = u8::from(holds).to_string();
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<String, Fault> {
        let mut left = self.product()?;
        while let Some(operator) = ["+", "-"].into_iter().find(|operator| self.take(operator)) {
            let (a, b) = (number(&left)?, number(&self.product()?)?);
            left = if operator == "+" { a.wrapping_add(b) } else { a.wrapping_sub(b) }.to_string();
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<String, Fault> {
        let mut left = self.matching()?;
        while let Some(operator) = ["*", "/", "%"].into_iter().find(|operator| self.take(operator)) {
            let (a, b) = (number(&left)?, number(&self.matching()?)?);
            if b == 0 && operator != "*" {
                return Err(Fault::DivisionByZero);
            }
            left = match operator {
                "*" => a.wrapping_mul(b),
                "/" => a.wrapping_div(b),
                _ => a.wrapping_rem(b),
            }
            .to_string();
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<String, Fault> {
        let mut left = self.primary()?;
        while self.take(":") {
            let pattern = self.primary()?;
            left = matched(&left, &pattern)?;
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<String, Fault> {
        let word = self.next()?;
        let more = self.words.get(self.at).is_some();
        match word.as_str() {
            "(" => {
                let value = self.or()?;
                if self.take(")") { Ok(value) } else { Err(Fault::Syntax(None, false)) }
            }
            "length" if more => Ok(self.primary()?.chars().count().to_string()),
            "match" if more => {
                let text = self.primary()?;
                let pattern = self.primary()?;
                matched(&text, &pattern)
            }
            "index" if more => {
                let (text, wanted) = (self.primary()?, self.primary()?);
                Ok(text.chars().position(|c| wanted.contains(c)).map_or(0, |at| at + 1).to_string())
            }
            "substr" if more => {
                let text: Vec<char> = self.primary()?.chars().collect();
                let (start, length) = (number(&self.primary()?)?, number(&self.primary()?)?);
                let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else {
                    return Ok(String::new());
                };
                Ok(text.iter().skip(start.saturating_sub(1)).take(if start == 0 { 0 } else { length }).collect())
            }
            ")" | "|" | "&" | "=" | "<" | ">" | "*" | "/" | "%" | "+" if self.depth > 0 && more => {
                Err(Fault::Syntax(Some(word), true))
            }
            _ => Ok(word),
        }
    }
}

fn number(text: &str) -> Result<i64, Fault> {
    text.parse().map_err(|_| Fault::NotANumber)
}

/// What a pattern that starts at the text's beginning takes: its first group, or how many characters.
fn matched(text: &str, pattern: &str) -> Result<String, Fault> {
    let odd = |_| Fault::NotSimulated(format!("the regular expression {pattern}"));
    let anchored = format!("^{}", pattern.trim_start_matches('^'));
    let regex = posix_regex::compile(&anchored, Syntax::default()).map_err(odd)?;
    let groups = regex.captures_len() > 1;
    Ok(match regex.captures(text.as_bytes()) {
        Some(found) if groups => {
            found.get(1).map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned()).unwrap_or_default()
        }
        Some(found) => {
            found.get(0).map_or(0, |whole| String::from_utf8_lossy(whole.as_bytes()).chars().count()).to_string()
        }
        None if groups => String::new(),
        None => "0".to_owned(),
    })
}
