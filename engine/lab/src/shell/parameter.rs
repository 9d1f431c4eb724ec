//! Parameter expansion: `$x`, `${x:-word}`, `${x#pattern}`, `${#x}` and the special parameters.
//!
//! Invariant: forms that the image's shell lacks give its own `bad substitution`, never a value.

use super::expand::Fields;
use super::fields;
use super::pattern::Pattern;
use super::state::{Shell, Stop};
use brush_parser::word::{Parameter, ParameterExpr, ParameterTestType, SpecialParameter, SubstringMatchKind};

/// What a parameter stands for.
enum Value {
    Unset,
    One(String),
    /// `$@` (`false`) or `$*` (`true`)
    Many(Vec<String>, bool),
}

impl Shell {
    pub(super) async fn parameter(
        &mut self,
        expression: &ParameterExpr,
        quoted: bool,
        out: &mut Fields,
    ) -> Result<(), Stop> {
        match expression {
            ParameterExpr::Parameter { parameter, indirect: false } => {
                let value = self.known(parameter).await?;
                self.push(value, quoted, out);
            }
            ParameterExpr::UseDefaultValues { parameter, indirect: false, test_type, default_value } => {
                match self.look(parameter, test_type)? {
                    Some(value) => self.push(value, quoted, out),
                    None => self.push_word(default_value.as_deref(), quoted, out).await?,
                }
            }
            ParameterExpr::UseAlternativeValue { parameter, indirect: false, test_type, alternative_value } => {
                if self.look(parameter, test_type)?.is_some() {
                    self.push_word(alternative_value.as_deref(), quoted, out).await?;
                } else if quoted {
                    out.push("", true, false);
                }
            }
            ParameterExpr::AssignDefaultValues { parameter, indirect: false, test_type, default_value } => {
                let value = match self.look(parameter, test_type)? {
                    Some(value) => value,
                    None => {
                        let Parameter::Named(name) = parameter else {
                            return Err(self.fatal(format!("{parameter}: bad variable name")).await);
                        };
                        let text = self.single(default_value.as_deref().unwrap_or_default()).await?;
                        self.set(name, text.clone()).await?;
                        Value::One(text)
                    }
                };
                self.push(value, quoted, out);
            }
            ParameterExpr::IndicateErrorIfNullOrUnset { parameter, indirect: false, test_type, error_message } => {
                match self.look(parameter, test_type)? {
                    Some(value) => self.push(value, quoted, out),
                    None => {
                        let text = match error_message {
                            Some(message) => self.single(message).await?,
                            None if matches!(test_type, ParameterTestType::UnsetOrNull) => {
                                "parameter not set or null".to_owned()
                            }
                            None => "parameter not set".to_owned(),
                        };
                        return Err(self.fatal(format!("{}: {text}", name_of(parameter))).await);
                    }
                }
            }
            ParameterExpr::ParameterLength { parameter, indirect: false } => {
                let length = match self.known(parameter).await? {
                    Value::Unset => 0,
                    Value::One(text) => text.chars().count(),
                    Value::Many(values, _) => values.len(),
                };
                out.push(length.to_string(), quoted, !quoted);
            }
            ParameterExpr::RemoveSmallestSuffixPattern { parameter, indirect: false, pattern } => {
                self.trim(parameter, pattern.as_deref(), Trim { suffix: true, largest: false }, quoted, out).await?;
            }
            ParameterExpr::RemoveLargestSuffixPattern { parameter, indirect: false, pattern } => {
                self.trim(parameter, pattern.as_deref(), Trim { suffix: true, largest: true }, quoted, out).await?;
            }
            ParameterExpr::RemoveSmallestPrefixPattern { parameter, indirect: false, pattern } => {
                self.trim(parameter, pattern.as_deref(), Trim { suffix: false, largest: false }, quoted, out).await?;
            }
            ParameterExpr::RemoveLargestPrefixPattern { parameter, indirect: false, pattern } => {
                self.trim(parameter, pattern.as_deref(), Trim { suffix: false, largest: true }, quoted, out).await?;
            }
            ParameterExpr::Substring { parameter, indirect: false, offset, length } if self.is_busybox() => {
                let text = self.one(parameter).await?;
                let offset = self.text(&offset.value).await?;
                let offset = self.evaluate(&offset).await?;
                let length = match length {
                    Some(length) => {
                        let length = self.text(&length.value).await?;
                        Some(self.evaluate(&length).await?)
                    }
                    None => None,
                };
                out.push(substring(&text, offset, length), quoted, !quoted);
            }
            ParameterExpr::ReplaceSubstring { parameter, indirect: false, pattern, replacement, match_kind }
                if self.is_busybox() =>
            {
                let all = match match_kind {
                    SubstringMatchKind::FirstOccurrence => false,
                    SubstringMatchKind::Anywhere => true,
                    SubstringMatchKind::Prefix | SubstringMatchKind::Suffix => {
                        return Err(Stop::not_simulated("${x/#a/b} and ${x/%a/b}"));
                    }
                };
                let text = self.one(parameter).await?;
                let field = self.single_field(pattern).await?;
                let pattern = Pattern::new(&fields::chars(&field));
                let replacement = self.single(replacement.as_deref().unwrap_or_default()).await?;
                out.push(replace(&text, &pattern, &replacement, all), quoted, !quoted);
            }
            _ if self.is_busybox() => return Err(self.fatal("syntax error: bad substitution".to_owned()).await),
            _ => return Err(self.fatal("Bad substitution".to_owned()).await),
        }
        Ok(())
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
    async fn push_word(&mut self, word: Option<&str>, quoted: bool, out: &mut Fields) -> Result<(), Stop> {
        let word = word.unwrap_or_default();
        // Quotes inside quotes, as in "${x:-"a b"}", end and resume the outer ones.
        let quoted_text = quoted && !word.contains('"');
        let fields = self.fields(word, quoted_text).await?;
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
    async fn known(&mut self, parameter: &Parameter) -> Result<Value, Stop> {
        match self.find(parameter)? {
            Value::Unset if self.options.nounset => {
                Err(self.fatal(format!("{}: parameter not set", name_of(parameter))).await)
            }
            value => Ok(value),
        }
    }

    async fn one(&mut self, parameter: &Parameter) -> Result<String, Stop> {
        match self.known(parameter).await? {
            Value::Unset => Ok(String::new()),
            Value::One(text) => Ok(text),
            Value::Many(..) => Err(Stop::not_simulated("cutting $@ or $* in an expansion")),
        }
    }

    /// The value if the parameter passes the test of `:-` (set and not empty) or `-` (set).
    fn look(&mut self, parameter: &Parameter, test: &ParameterTestType) -> Result<Option<Value>, Stop> {
        let value = self.find(parameter)?;
        let null_counts = matches!(test, ParameterTestType::UnsetOrNull);
        let absent = match &value {
            Value::Unset => true,
            Value::One(text) => null_counts && text.is_empty(),
            Value::Many(values, _) => values.is_empty() || null_counts && values.iter().all(String::is_empty),
        };
        Ok((!absent).then_some(value))
    }

    fn find(&self, parameter: &Parameter) -> Result<Value, Stop> {
        let one = |text: Option<&str>| text.map_or(Value::Unset, |text| Value::One(text.to_owned()));
        Ok(match parameter {
            Parameter::Named(name) => one(self.var(name)),
            Parameter::Positional(0) | Parameter::Special(SpecialParameter::ShellName) => Value::One(self.name.clone()),
            Parameter::Positional(number) => one(self.params.get(*number as usize - 1).map(String::as_str)),
            Parameter::Special(special) => match special {
                SpecialParameter::AllPositionalParameters { concatenate } => {
                    Value::Many(self.params.clone(), *concatenate)
                }
                SpecialParameter::PositionalParameterCount => Value::One(self.params.len().to_string()),
                SpecialParameter::LastExitStatus => Value::One(self.status.to_string()),
                SpecialParameter::CurrentOptionFlags => Value::One(self.flags()),
                SpecialParameter::ProcessId => Value::One(self.main_pid.to_string()),
                SpecialParameter::LastBackgroundProcessId => {
                    Value::One(self.last_job.map(|pid| pid.to_string()).unwrap_or_default())
                }
                SpecialParameter::ShellName => Value::One(self.name.clone()),
            },
            Parameter::NamedWithIndex { .. } | Parameter::NamedWithAllIndices { .. } => {
                return Err(Stop::not_simulated("arrays in a shell script"));
            }
        })
    }

    async fn trim(
        &mut self,
        parameter: &Parameter,
        pattern: Option<&str>,
        trim: Trim,
        quoted: bool,
        out: &mut Fields,
    ) -> Result<(), Stop> {
        let text = self.one(parameter).await?;
        let field = self.single_field(pattern.unwrap_or_default()).await?;
        let pattern = Pattern::new(&fields::chars(&field));
        out.push(trim.apply(&text, &pattern), quoted, !quoted);
        Ok(())
    }
}

/// Which end of a text is cut, and whether as much or as little as possible.
#[derive(Clone, Copy)]
struct Trim {
    suffix: bool,
    largest: bool,
}

impl Trim {
    fn apply(self, text: &str, pattern: &Pattern) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut lengths: Vec<usize> = (0..=chars.len()).collect();
        if self.largest {
            lengths.reverse();
        }
        for length in lengths {
            let (cut, kept) = if self.suffix {
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
}

fn substring(text: &str, offset: i64, length: Option<i64>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let total = i64::try_from(chars.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { total.saturating_add(offset) } else { offset };
    if !(0..=total).contains(&start) {
        return String::new();
    }
    let end = match length {
        None => total,
        Some(length) if length < 0 => total.saturating_add(length),
        Some(length) => start.saturating_add(length).min(total),
    };
    let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    chars.get(start..end).unwrap_or_default().iter().collect()
}

fn replace(text: &str, pattern: &Pattern, replacement: &str, all: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let mut done = false;
    while at < chars.len() {
        // The longest match counts.
        let found = (!done).then(|| (at + 1..=chars.len()).rev().find(|&end| pattern.matches_chars(&chars[at..end])));
        match found.flatten() {
            Some(end) => {
                out.push_str(replacement);
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

fn name_of(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Named(name) => name.clone(),
        Parameter::Positional(number) => number.to_string(),
        other => other.to_string().trim_start_matches('$').to_owned(),
    }
}
