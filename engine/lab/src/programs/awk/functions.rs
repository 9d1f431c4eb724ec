//! awk's own functions.
//!
//! Invariant: positions in texts count from one.

use super::eval::{Machine, Ran, not_simulated, size};
use super::parser::Expr;
use super::value::Value;

impl Machine<'_> {
    pub(super) async fn call(&mut self, name: &str, args: &[Expr]) -> Ran<Value> {
        match (name, args) {
            ("length", [Expr::Var(array)]) if self.arrays.contains_key(array) => {
                return Ok(count(self.array(array).len()));
            }
            ("length", []) => return Ok(count(self.whole_record().len())),
            ("split", [text, Expr::Var(array), rest @ ..]) => {
                let text = self.value(text).await?.text();
                return self.split_into(&text, array, rest.first()).await;
            }
            ("sub" | "gsub", [pattern, with, rest @ ..]) => {
                return self.substitute(name == "gsub", pattern, with, rest.first()).await;
            }
            ("match", [text, pattern]) => return self.find(text, pattern).await,
            _ => {}
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.value(arg).await?);
        }
        let text = |index: usize| values.get(index).map(Value::text).unwrap_or_default();
        let number = |index: usize| values.get(index).map_or(0.0, Value::number);
        Ok(match (name, values.len()) {
            ("length", 1) => count(text(0).len()),
            ("substr", 2 | 3) => Value::Text(substring(&text(0), number(1), values.get(2).map(Value::number))),
            ("index", 2) => count(text(0).find(&text(1)).map_or(0, |at| at + 1)),
            ("tolower", 1) => Value::Text(text(0).to_lowercase()),
            ("toupper", 1) => Value::Text(text(0).to_uppercase()),
            ("sprintf", 1..) => Value::Text(super::format::format(&text(0), &values[1..])?),
            ("int", 1) => Value::Number(number(0).trunc()),
            ("sqrt", 1) => Value::Number(number(0).sqrt()),
            ("exp", 1) => Value::Number(number(0).exp()),
            ("log", 1) => Value::Number(number(0).ln()),
            ("sin", 1) => Value::Number(number(0).sin()),
            ("cos", 1) => Value::Number(number(0).cos()),
            ("atan2", 2) => Value::Number(number(0).atan2(number(1))),
            ("fflush", _) => {
                self.io.flush().await?;
                Value::Number(0.0)
            }
            ("close", 1) => Value::Number(self.io.close(self.process, &text(0)).await?),
            ("system", 1) => Value::Number(self.io.system(self.process, &text(0)).await?),
            ("rand", 0) => Value::Number(self.random()),
            ("srand", _) => return Err(not_simulated("awk's srand")),
            _ => return Err(not_simulated(format!("awk's {name} with these arguments"))),
        })
    }

    async fn find(&mut self, text: &Expr, pattern: &Expr) -> Ran<Value> {
        let text = self.value(text).await?.text();
        let regex = self.pattern(pattern).await?;
        let found = regex.find(text.as_bytes());
        let start = found.map_or(0, |found| found.start() + 1);
        self.globals.insert("RSTART".to_owned(), count(start));
        let length = found.map_or(Value::Number(-1.0), |found| count(found.len()));
        self.globals.insert("RLENGTH".to_owned(), length);
        Ok(count(start))
    }

    async fn substitute(&mut self, all: bool, pattern: &Expr, with: &Expr, target: Option<&Expr>) -> Ran<Value> {
        let record = Expr::Field(Box::new(Expr::Number(0.0)));
        let target = target.unwrap_or(&record);
        let regex = self.pattern(pattern).await?;
        let with = self.value(with).await?.text();
        let text = self.value(target).await?.text();
        let mut out = Vec::new();
        let (mut last, mut replaced) = (0, 0);
        for found in regex.find_iter(text.as_bytes()) {
            out.extend(&text.as_bytes()[last..found.start()]);
            out.extend(replacement(&with, found.as_bytes()));
            last = found.end();
            replaced += 1;
            if out.len() > 8 << 20 {
                return Err(not_simulated("a text this long in awk"));
            }
            if !all {
                break;
            }
        }
        if replaced > 0 {
            out.extend(&text.as_bytes()[last..]);
            self.assign_to(target, Value::Text(String::from_utf8_lossy(&out).into_owned())).await?;
        }
        Ok(count(replaced))
    }
}

/// The text put in, where `&` stands for what was found.
fn replacement(with: &str, found: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = with.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if matches!(bytes.peek(), Some(b'&' | b'\\')) => out.extend(bytes.next()),
            b'&' => out.extend(found),
            byte => out.push(byte),
        }
    }
    out
}

fn substring(text: &str, start: f64, length: Option<f64>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let start = start.round();
    let end = length.map_or(f64::INFINITY, |length| start + length.round());
    let from = size(start.max(1.0)) - 1;
    let to = size((end - 1.0).max(0.0)).min(chars.len());
    chars.get(from..to.max(from)).unwrap_or_default().iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "lengths here are far below what a float counts exactly")]
fn count(value: usize) -> Value {
    Value::Number(value as f64)
}
