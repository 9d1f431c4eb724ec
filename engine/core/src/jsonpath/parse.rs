//! From text to the steps of a path. A failure always has a place, and hostile text costs no more than its length.

use serde_json::Value;

use super::{Comparison, Filter, JsonPathError, Operand, Step};

/// Characters that a path may have.
pub const MAX_LENGTH: usize = 1_024;

/// How deep filters may stand in filters.
const MAX_NESTING: usize = 4;

/// Reads a whole path.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, JsonPathError> {
    Parser { chars: text.chars().collect(), at: 0, text }.whole()
}

struct Parser<'t> {
    chars: Vec<char>,
    at: usize,
    text: &'t str,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Vec<Step>, JsonPathError> {
        if self.chars.len() > MAX_LENGTH {
            return Err(self.error(&format!("a path has at most {MAX_LENGTH} characters; it goes on")));
        }
        self.blanks();
        let braces = self.eat('{');
        self.blanks();
        if braces && matches!(self.peek(), Some('"' | '\'')) {
            return Err(self.error("literal text is not supported: write one path"));
        }
        for word in ["range", "end"] {
            if self.rest_starts_with(word) {
                return Err(self.error(&format!("`{word}` is not supported: use `[*]` to take all items")));
            }
        }
        let started = self.eat('$') || self.eat('@');
        if !started && !matches!(self.peek(), Some('.' | '[')) {
            let what = if self.peek().is_none() || self.peek() == Some('}') {
                "the path is empty"
            } else {
                "a path starts with `.`"
            };
            return Err(self.error(what));
        }
        let steps = self.steps(0)?;
        self.blanks();
        if braces && !self.eat('}') {
            return Err(self.error("`}` is missing"));
        }
        self.blanks();
        match self.peek() {
            None => Ok(steps),
            Some('{') => Err(self.error("only one path is supported")),
            Some(_) => Err(self.error("text beside the path is not supported")),
        }
    }

    fn steps(&mut self, nesting: usize) -> Result<Vec<Step>, JsonPathError> {
        let mut steps = Vec::new();
        loop {
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    match self.peek() {
                        Some('.') => return Err(self.error("`..` is not supported: write the whole path")),
                        Some('*') => {
                            self.at += 1;
                            steps.push(Step::All);
                        }
                        // `.` alone is the value itself, and `.[0]` is `[0]`.
                        Some('[') => {}
                        _ if steps.is_empty() && self.ends() => {}
                        _ => steps.push(Step::Field(self.field()?)),
                    }
                }
                Some('[') => {
                    self.at += 1;
                    steps.push(self.bracket(nesting)?);
                }
                _ => return Ok(steps),
            }
        }
    }

    /// Whether nothing that could belong to a name stands here.
    fn ends(&self) -> bool {
        self.peek().is_none_or(|c| c.is_whitespace() || "[]{}()=!<>,$@".contains(c))
    }

    fn field(&mut self) -> Result<String, JsonPathError> {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.at += 1;
                name.push(self.peek().ok_or_else(|| self.error("a backslash must stand before a character"))?);
            } else if c == '.' || self.ends() {
                break;
            } else {
                name.push(c);
            }
            self.at += 1;
        }
        if name.is_empty() { Err(self.error("a name is missing")) } else { Ok(name) }
    }

    fn bracket(&mut self, nesting: usize) -> Result<Step, JsonPathError> {
        self.blanks();
        let step = match self.peek() {
            Some('*') => {
                self.at += 1;
                Step::All
            }
            Some('?') => {
                self.at += 1;
                self.filter(nesting)?
            }
            Some(quote @ ('"' | '\'')) => Step::Field(self.quoted(quote)?),
            _ => self.index()?,
        };
        self.blanks();
        match self.peek() {
            Some(']') => {
                self.at += 1;
                Ok(step)
            }
            Some(',') => Err(self.error("several names or numbers in brackets are not supported")),
            Some(':') => Err(self.error("a step in a slice is not supported")),
            _ => Err(self.error("`]` is missing")),
        }
    }

    fn index(&mut self) -> Result<Step, JsonPathError> {
        let from = self.integer()?;
        self.blanks();
        if self.eat(':') {
            self.blanks();
            let to = self.integer()?;
            return Ok(Step::Slice(from, to));
        }
        from.map(Step::Index).ok_or_else(|| self.error("brackets hold a number, `*`, a quoted name or a filter `?(…)`"))
    }

    fn integer(&mut self) -> Result<Option<i64>, JsonPathError> {
        let start = self.at;
        self.eat('-');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.chars[start..self.at].iter().collect();
        if digits.is_empty() {
            return Ok(None);
        }
        digits.parse().map(Some).map_err(|_| self.error(&format!("{digits} is no number of an item")))
    }

    fn filter(&mut self, nesting: usize) -> Result<Step, JsonPathError> {
        if nesting >= MAX_NESTING {
            return Err(self.error("filters stand too deep in each other"));
        }
        if !self.eat('(') {
            return Err(self.error("a filter is written `?(…)`"));
        }
        self.blanks();
        if !self.eat('@') {
            return Err(self.error("a filter starts with `@`, the item"));
        }
        let left = self.steps(nesting + 1)?;
        self.blanks();
        let test = match self.comparison()? {
            None => None,
            Some(comparison) => {
                self.blanks();
                let right = if self.eat('@') {
                    Operand::Path(self.steps(nesting + 1)?)
                } else {
                    Operand::Literal(self.literal()?)
                };
                Some((comparison, right))
            }
        };
        self.blanks();
        if self.rest_starts_with("&&") || self.rest_starts_with("||") {
            return Err(self.error("several conditions in a filter are not supported"));
        }
        if self.eat(')') { Ok(Step::Filter(Filter { left, test })) } else { Err(self.error("`)` is missing")) }
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, JsonPathError> {
        if self.rest_starts_with("=~") {
            return Err(self.error("regular expressions in a filter are not supported"));
        }
        let table = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        for (text, comparison) in table {
            if self.rest_starts_with(text) {
                self.at += text.len();
                return Ok(Some(comparison));
            }
        }
        if self.peek() == Some('=') { Err(self.error("equality is written `==`")) } else { Ok(None) }
    }

    fn literal(&mut self) -> Result<Value, JsonPathError> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote).map(Value::String);
        }
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "+-._".contains(c)) {
            self.at += 1;
        }
        let word: String = self.chars[start..self.at].iter().collect();
        match serde_json::from_str(&word) {
            Ok(value) => Ok(value),
            Err(_) => {
                self.at = start;
                Err(self.error("text to compare with is quoted"))
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, JsonPathError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == quote {
                return Ok(text);
            }
            if c == '\\' {
                text.extend(self.peek());
                self.at += 1;
            } else {
                text.push(c);
            }
        }
        self.at = start;
        Err(self.error("the quote is not closed"))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn rest_starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.chars.get(self.at + offset) == Some(&c))
    }

    fn error(&self, message: &str) -> JsonPathError {
        JsonPathError { path: self.text.to_owned(), at: self.at.min(self.chars.len()) + 1, message: message.to_owned() }
    }
}
