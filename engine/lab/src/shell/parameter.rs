//! Parameter expansion: `$x`, `${x:-word}`, `${x#pattern}`, `${#x}` and the special parameters.
//!
//! Invariant: forms that the image's shell lacks give its own `bad substitution`, never a value.

use super::ast::{Op, Param, Word};
use super::expand::Fields;
use super::fields;
use super::pattern::Pattern;
use super::state::{Dialect, Shell, Stop, is_name};

/// What a parameter stands for.
#[derive(Clone)]
pub(super) enum Value {
    Unset,
    One(String),
    /// `$@` (`false`) or `$*` (`true`)
    Many(Vec<String>, bool),
}

impl Value {
    /// The value with each of its texts changed.
    fn map(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Unset => Self::One(change("")),
            Self::One(text) => Self::One(change(&text)),
            Self::Many(values, star) => Self::Many(values.iter().map(|value| change(value)).collect(), star),
        }
    }
}

impl Shell {
    pub(super) async fn parameter(&mut self, param: &Param, quoted: bool, out: &mut Fields) -> Result<(), Stop> {
        let value = match &param.op {
            Op::Plain => self.known(param).await?,
            Op::Default { colon, word } => match self.present(param, *colon).await? {
                Some(value) => value,
                None => return self.push_word(word, quoted, out).await,
            },
            Op::Alternative { colon, word } => {
                if self.present(param, *colon).await?.is_some() {
                    return self.push_word(word, quoted, out).await;
                }
                if quoted {
                    out.push("", true, false);
                }
                return Ok(());
            }
            Op::Assign { colon, word } => match self.present(param, *colon).await? {
                Some(value) => value,
                None => {
                    if !is_name(&param.name) || param.index.is_some() {
                        return Err(self.fatal(format!("{}: bad variable name", param.name)).await);
                    }
                    let text = self.single(word).await?;
                    self.set(&param.name, text.clone()).await?;
                    Value::One(text)
                }
            },
            Op::Error { colon, word } => match self.present(param, *colon).await? {
                Some(value) => value,
                None => return Err(self.missing(param, *colon, word).await?),
            },
            Op::Length => Value::One(self.length(param).await?),
            Op::Trim { suffix, longest, pattern } => {
                let value = self.known(param).await?;
                let field = self.single_field(pattern).await?;
                let pattern = Pattern::new(&fields::chars(&field));
                value.map(|text| trim(text, &pattern, *suffix, *longest))
            }
            Op::Substring { offset, length } => self.substring(param, offset, length.as_ref()).await?,
            Op::Replace { pattern, with, all, anchor } => {
                let value = self.known(param).await?;
                let field = self.single_field(pattern).await?;
                let pattern = Pattern::new(&fields::chars(&field));
                let with = self.single(with).await?;
                value.map(|text| replace(text, &pattern, &with, *all, *anchor))
            }
            Op::Case { upper, all } => self.known(param).await?.map(|text| change_case(text, *upper, *all)),
            Op::Indirect => {
                let name = self.var(&param.name).unwrap_or_default().to_owned();
                let named = Param { name, index: None, op: Op::Plain };
                self.known(&named).await?
            }
            Op::Keys => {
                let keys = self.vars.get(&param.name).and_then(|variable| variable.list.as_ref());
                Value::Many(keys.map(|list| list.keys().map(usize::to_string).collect()).unwrap_or_default(), false)
            }
            Op::Bad => return Err(self.bad_substitution(param).await),
        };
        self.push(value, quoted, out);
        Ok(())
    }

    async fn bad_substitution(&mut self, param: &Param) -> Stop {
        match self.dialect {
            Dialect::Dash => self.fatal("Bad substitution".to_owned()).await,
            Dialect::Ash => self.fatal("syntax error: bad substitution".to_owned()).await,
            Dialect::Bash => self.fatal(format!("${{{}}}: bad substitution", param.name)).await,
        }
    }

    /// The end of `${x?word}` for a parameter without a value.
    async fn missing(&mut self, param: &Param, colon: bool, word: &Word) -> Result<Stop, Stop> {
        let bash = self.is_bash();
        let text = match self.single(word).await? {
            text if !text.is_empty() => text,
            _ => match (bash, colon) {
                (true, true) => "parameter null or not set".to_owned(),
                (true, false) => "parameter not set".to_owned(),
                (false, true) => "parameter not set or null".to_owned(),
                (false, false) => "parameter not set".to_owned(),
            },
        };
        let stop = self.fatal(format!("{}: {text}", param.name)).await;
        Ok(if bash { Stop::Error(127) } else { stop })
    }

    fn push(&self, value: Value, quoted: bool, out: &mut Fields) {
        match value {
            Value::Unset => out.push("", quoted, !quoted),
            Value::One(text) => out.push(text, quoted, !quoted),
            Value::Many(values, true) if quoted => {
                let separator: String = match self.var("IFS") {
                    Some(ifs) => ifs.chars().take(1).collect(),
                    None => " ".to_owned(),
                };
                out.push(values.join(&separator), true, false);
            }
            Value::Many(values, _) => {
                for (index, value) in values.into_iter().enumerate() {
                    if index > 0 {
                        out.end();
                    }
                    out.push(value, quoted, !quoted);
                }
            }
        }
    }

    /// Pushes the word of `${x:-word}` or `${x:+word}`.
    async fn push_word(&mut self, word: &Word, quoted: bool, out: &mut Fields) -> Result<(), Stop> {
        let fields = self.inner_word(word, quoted).await?;
        if fields.is_empty() {
            out.push("", quoted, !quoted);
        }
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                out.end();
            }
            for piece in field {
                let quoted = quoted || piece.quoted;
                out.push(piece.text, quoted, !quoted);
            }
        }
        Ok(())
    }

    /// The value of a parameter; with `set -u` an unset one ends the shell.
    pub(super) async fn known(&mut self, param: &Param) -> Result<Value, Stop> {
        match self.look(param).await? {
            Value::Unset if self.options.nounset => {
                let stop = if self.is_bash() {
                    let name = if param.name.starts_with(|c: char| c.is_ascii_digit()) { "$" } else { "" };
                    self.fatal(format!("{name}{}: unbound variable", param.name)).await
                } else {
                    self.fatal(format!("{}: parameter not set", param.name)).await
                };
                Err(if self.is_bash() { Stop::Error(127) } else { stop })
            }
            value => Ok(value),
        }
    }

    /// The value if there is one that is, with `colon`, not empty.
    async fn present(&mut self, param: &Param, colon: bool) -> Result<Option<Value>, Stop> {
        let value = self.look(param).await?;
        let absent = match &value {
            Value::Unset => true,
            Value::One(text) => colon && text.is_empty(),
            Value::Many(values, _) => values.is_empty() || colon && values.iter().all(String::is_empty),
        };
        Ok((!absent).then_some(value))
    }

    async fn look(&mut self, param: &Param) -> Result<Value, Stop> {
        let one = |text: Option<&str>| text.map_or(Value::Unset, |text| Value::One(text.to_owned()));
        let name = param.name.as_str();
        if let Some(index) = &param.index {
            return self.element(name, index).await;
        }
        Ok(match name {
            "@" | "*" => Value::Many(self.params.clone(), name == "*"),
            "#" => Value::One(self.params.len().to_string()),
            "?" => Value::One(self.status.to_string()),
            "-" => Value::One(self.flags()),
            "$" => Value::One(self.main_pid.to_string()),
            "!" => self.last_job.map_or(Value::Unset, |pid| Value::One(pid.to_string())),
            "0" => Value::One(self.name.clone()),
            "LINENO" if self.dialect != Dialect::Dash => Value::One(self.line.to_string()),
            "RANDOM" if self.dialect != Dialect::Dash => return Err(Stop::not_simulated("$RANDOM")),
            "SECONDS" if self.is_bash() => return Err(Stop::not_simulated("$SECONDS")),
            digits if digits.starts_with(|c: char| c.is_ascii_digit()) => {
                let number: usize = digits.parse().unwrap_or(usize::MAX);
                one(number.checked_sub(1).and_then(|index| self.params.get(index)).map(String::as_str))
            }
            name => one(self.var(name)),
        })
    }

    /// An element of an array, or all of them.
    async fn element(&mut self, name: &str, index: &Word) -> Result<Value, Stop> {
        let index = self.single(index).await?;
        if name == "PIPESTATUS" {
            let statuses = self.pipe_status.iter().enumerate().map(|(at, status)| (at, status.to_string())).collect();
            self.entry(name).list = Some(statuses);
        }
        let variable = self.vars.get(name);
        if matches!(index.as_str(), "@" | "*") {
            let values = match variable {
                Some(variable) => match &variable.list {
                    Some(list) => list.values().cloned().collect(),
                    None => variable.value.iter().cloned().collect(),
                },
                None => Vec::new(),
            };
            return Ok(Value::Many(values, index == "*"));
        }
        let at = self.evaluate(&index).await?;
        let Some(variable) = self.vars.get(name) else { return Ok(Value::Unset) };
        let found = match &variable.list {
            Some(list) => {
                let end = list.keys().next_back().map_or(0, |last| last + 1);
                let at = if at < 0 { i64::try_from(end).unwrap_or(i64::MAX) + at } else { at };
                usize::try_from(at).ok().and_then(|at| list.get(&at)).cloned()
            }
            None => variable.value.clone().filter(|_| at == 0),
        };
        Ok(found.map_or(Value::Unset, Value::One))
    }

    async fn length(&mut self, param: &Param) -> Result<String, Stop> {
        let length = match self.known(param).await? {
            Value::Unset => 0,
            // Without a locale every byte is a character.
            Value::One(text) => text.len(),
            Value::Many(values, _) if self.dialect != Dialect::Bash => values.join(" ").chars().count(),
            Value::Many(values, _) => values.len(),
        };
        Ok(length.to_string())
    }

    async fn substring(&mut self, param: &Param, offset: &Word, length: Option<&Word>) -> Result<Value, Stop> {
        let value = self.known(param).await?;
        let offset = self.single(offset).await?;
        let offset = self.evaluate(&offset).await?;
        let length = match length {
            Some(length) => {
                let length = self.single(length).await?;
                Some(self.evaluate(&length).await?)
            }
            None => None,
        };
        Ok(match value {
            Value::Many(mut values, star) => {
                if param.name == "@" || param.name == "*" {
                    values.insert(0, self.name.clone());
                }
                Value::Many(slice(&values, offset, length).to_vec(), star)
            }
            value => value.map(|text| {
                let chars: Vec<char> = text.chars().collect();
                slice(&chars, offset, length).iter().collect()
            }),
        })
    }
}

/// A text without what matches at one of its ends.
fn trim(text: &str, pattern: &Pattern, suffix: bool, longest: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut lengths: Vec<usize> = (0..=chars.len()).collect();
    if longest {
        lengths.reverse();
    }
    for length in lengths {
        let (cut, kept) = if suffix {
            let (kept, cut) = chars.split_at(chars.len() - length);
            (cut, kept)
        } else {
            chars.split_at(length)
        };
        if pattern.matches_chars(cut) {
            return kept.iter().collect();
        }
    }
    text.to_owned()
}

fn slice<T>(items: &[T], offset: i64, length: Option<i64>) -> &[T] {
    let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { total.saturating_add(offset) } else { offset };
    if !(0..=total).contains(&start) {
        return &[];
    }
    let end = match length {
        None => total,
        Some(length) if length < 0 => total.saturating_add(length),
        Some(length) => start.saturating_add(length).min(total),
    };
    let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    items.get(start..end).unwrap_or_default()
}

fn replace(text: &str, pattern: &Pattern, with: &str, all: bool, anchor: Option<char>) -> String {
    let chars: Vec<char> = text.chars().collect();
    if anchor == Some('%') {
        let found = (0..=chars.len()).find(|&start| pattern.matches_chars(&chars[start..]));
        return match found {
            Some(start) => chars[..start].iter().collect::<String>() + with,
            None => text.to_owned(),
        };
    }
    let mut out = String::new();
    let mut at = 0;
    let mut done = false;
    while at < chars.len() {
        let tried = !done && (anchor.is_none() || at == 0);
        // The longest match counts.
        let found = tried.then(|| (at + 1..=chars.len()).rev().find(|&end| pattern.matches_chars(&chars[at..end])));
        match found.flatten() {
            Some(end) => {
                out.push_str(with);
                at = end;
                done = !all;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

fn change_case(text: &str, upper: bool, all: bool) -> String {
    let change = |text: &str| if upper { text.to_uppercase() } else { text.to_lowercase() };
    if all {
        return change(text);
    }
    let end = text.chars().next().map_or(0, char::len_utf8);
    change(&text[..end]) + &text[end..]
}
