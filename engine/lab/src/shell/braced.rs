//! What stands between the braces of `${...}`.
//!
//! Invariant: a form that the shell does not know is read to its end and kept as such.

use super::ast::{Op, Param, Word};
use super::lexer::quoted;
use super::parser::{Fault, Parser};
use super::state::{Dialect, is_name};

/// Where a word that stands in an expansion ends.
#[derive(Clone, Copy)]
struct Inside<'a> {
    quoted: bool,
    /// Characters that end it besides the closing brace.
    stops: &'a [char],
}

impl Parser {
    /// An expansion after `${`.
    pub(super) fn braced(&mut self, in_quotes: bool) -> Result<Param, Fault> {
        let bash = self.dialect == Dialect::Bash;
        let mut length = false;
        let mut indirect = false;
        if self.peek() == Some('#') && self.ahead(1).is_some_and(|c| c != '}') {
            let operator = self.ahead(1).is_some_and(|c| ":-=+?%#".contains(c)) && self.ahead(2) != Some('}');
            if !operator {
                self.at += 1;
                length = true;
            }
        } else if bash
            && self.peek() == Some('!')
            && self.ahead(1).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            self.at += 1;
            indirect = true;
        }
        let name = match self.peek() {
            Some(c) if c.is_ascii_digit() => {
                let start = self.at;
                while self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    self.at += 1;
                }
                self.src[start..self.at].iter().collect()
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name(),
            Some(c) if "@*#?$!-".contains(c) => {
                self.at += 1;
                c.to_string()
            }
            _ => String::new(),
        };
        let mut index = None;
        if bash && self.peek() == Some('[') && is_name(&name) {
            self.at += 1;
            index = Some(self.inside(Inside { quoted: true, stops: &[']'] })?);
            if self.bump() != Some(']') {
                return Err(self.error_at_end("Missing '}'", '}'));
            }
        }
        let op = if name.is_empty() { Op::Bad } else { self.operation(in_quotes, length, indirect, index.is_some())? };
        if op == Op::Bad {
            self.inside(Inside { quoted: in_quotes, stops: &[] })?;
        }
        match self.bump() {
            Some('}') => Ok(Param { name, index, op }),
            Some(_) => {
                self.inside(Inside { quoted: in_quotes, stops: &[] })?;
                if self.bump().is_none() {
                    return Err(self.missing_brace(in_quotes));
                }
                Ok(Param { name, index, op: Op::Bad })
            }
            None => Err(self.missing_brace(in_quotes)),
        }
    }

    fn operation(&mut self, in_quotes: bool, length: bool, indirect: bool, indexed: bool) -> Result<Op, Fault> {
        let rich = self.dialect != Dialect::Dash;
        let outer = Inside { quoted: in_quotes, stops: &[] };
        if length {
            return Ok(if self.peek() == Some('}') { Op::Length } else { Op::Bad });
        }
        if indirect {
            return Ok(match (self.peek() == Some('}'), indexed) {
                (true, true) => Op::Keys,
                (true, false) => Op::Indirect,
                _ => Op::Bad,
            });
        }
        let Some(c) = self.peek() else { return Ok(Op::Plain) };
        let (colon, c) = match (c, self.ahead(1)) {
            (':', Some(next @ ('-' | '=' | '?' | '+'))) => {
                self.at += 1;
                (true, next)
            }
            _ => (false, c),
        };
        if c == '}' {
            return Ok(Op::Plain);
        }
        self.at += 1;
        Ok(match c {
            '-' => Op::Default { colon, word: self.inside(outer)? },
            '=' => Op::Assign { colon, word: self.inside(outer)? },
            '?' => Op::Error { colon, word: self.inside(outer)? },
            '+' => Op::Alternative { colon, word: self.inside(outer)? },
            '#' | '%' => {
                let longest = self.peek() == Some(c);
                self.at += usize::from(longest);
                let pattern = self.inside(Inside { quoted: false, stops: &[] })?;
                Op::Trim { suffix: c == '%', longest, pattern }
            }
            ':' if rich => {
                let offset = self.inside(Inside { quoted: true, stops: &[':'] })?;
                let length = if self.peek() == Some(':') {
                    self.at += 1;
                    Some(self.inside(Inside { quoted: true, stops: &[] })?)
                } else {
                    None
                };
                Op::Substring { offset, length }
            }
            '/' if rich => {
                let all = self.peek() == Some('/');
                let anchor = self.peek().filter(|c| matches!(c, '#' | '%') && self.dialect == Dialect::Bash);
                self.at += usize::from(all || anchor.is_some());
                let pattern = self.inside(Inside { quoted: false, stops: &['/'] })?;
                let with = if self.peek() == Some('/') {
                    self.at += 1;
                    self.inside(Inside { quoted: false, stops: &[] })?
                } else {
                    Word::default()
                };
                Op::Replace { pattern, with, all, anchor }
            }
            '^' | ',' if self.dialect == Dialect::Bash => {
                let all = self.peek() == Some(c);
                self.at += usize::from(all);
                Op::Case { upper: c == '^', all }
            }
            '@' if self.dialect == Dialect::Bash => return Err(Fault::NotSimulated("${x@Q} and its like".to_owned())),
            _ => Op::Bad,
        })
    }

    /// A word inside an expansion, up to but without what ends it.
    fn inside(&mut self, inside: Inside<'_>) -> Result<Word, Fault> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if c == '}' || inside.stops.contains(&c) {
                break;
            }
            if !inside.quoted || c == '"' {
                self.unquoted(&mut parts)?;
                continue;
            }
            self.bump();
            match c {
                '\\' => match self.peek() {
                    Some('\n') => {
                        self.bump();
                    }
                    Some(next @ ('$' | '`' | '"' | '\\' | '}')) => {
                        self.bump();
                        quoted(&mut parts, next);
                    }
                    _ => quoted(&mut parts, '\\'),
                },
                '$' => self.dollar(&mut parts, true)?,
                '`' => self.backquote(&mut parts, true)?,
                c => quoted(&mut parts, c),
            }
        }
        Ok(Word { parts })
    }

    fn missing_brace(&self, in_quotes: bool) -> Fault {
        if in_quotes && self.dialect != Dialect::Bash {
            self.unterminated('"')
        } else {
            self.error_at_end("Missing '}'", '}')
        }
    }
}
