//! Giving each parameter its value: `--set`, then the parameters' file, then the environment or the world, then the
//! default.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde_json::Value;

use super::types::{Wrong, accepted, read};
use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::event::ParamShown;
use crate::model::{Param, ParamType, ScalarType};
use crate::template::Scope;

/// What stands outside a runbook and may be asked for values.
pub trait Outside {
    /// The value of an environment variable; `None` when it is not set.
    fn env(&self, name: &str) -> Option<String>;

    /// The text of a file that a parameter of type `file` names.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// Nothing outside may be asked: there is no environment, and every file is empty.
#[derive(Clone, Copy, Debug)]
pub struct NothingOutside;

impl Outside for NothingOutside {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &str) -> Result<String, String> {
        Ok(String::new())
    }
}

/// Values by name from one place, such as a file of parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedValues {
    /// The place as the user knows it, such as the file's path.
    pub origin: String,
    /// The values. Numbers and booleans count as their text, lists as lists.
    pub values: IndexMap<String, Value>,
}

/// All values that were given for a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// `--set NAME=VALUE`, in order; the last one of a name counts.
    pub set: Vec<(String, String)>,
    /// `--params FILE`.
    pub file: Option<NamedValues>,
    /// A world's `params`. They take the place of the environment: a rehearsal does not depend on it.
    pub world: Option<NamedValues>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamSource {
    /// `--set`.
    Set,
    /// The file of `--params`. Holds its path.
    File(String),
    /// An environment variable. Holds its name.
    Env(String),
    /// The world of a rehearsal. Holds its path.
    World(String),
    /// The runbook's default.
    Default,
    /// Nowhere: it is optional and was not given.
    Absent,
}

impl fmt::Display for ParamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set => f.write_str("--set"),
            Self::File(path) | Self::World(path) => f.write_str(path),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Default => f.write_str("default"),
            Self::Absent => f.write_str("not given"),
        }
    }
}

/// A parameter with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundParam {
    /// The typed value: text, number, boolean or a list of these. The empty text where an optional one is absent.
    pub value: Value,
    /// Where it came from.
    pub source: ParamSource,
    /// Whether it must never be shown.
    pub secret: bool,
}

/// The parameters of a run with their values, in the runbook's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    params: IndexMap<String, BoundParam>,
}

impl Bound {
    /// A parameter by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&BoundParam> {
        self.params.get(name)
    }

    /// All parameters, in the runbook's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BoundParam)> {
        self.params.iter().map(|(name, param)| (name.as_str(), param))
    }

    /// The values for templates and conditions.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let mut scope = Scope::new();
        for (name, param) in &self.params {
            if param.secret {
                scope.set_secret(name, param.value.clone());
            } else {
                scope.set(name, param.value.clone());
            }
        }
        scope
    }

    /// As reports show them: secrets are masked.
    #[must_use]
    pub fn shown(&self) -> Vec<ParamShown> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let texts: Vec<String> = items.iter().map(plain).collect();
                texts.join(",")
            }
            other => other.to_string(),
        };
        self.params
            .iter()
            .map(|(name, param)| ParamShown {
                name: name.clone(),
                value: if param.secret { "***".to_owned() } else { text(&param.value) },
                source: param.source.to_string(),
            })
            .collect()
    }
}

/// Binds the parameters of a runbook.
///
/// # Errors
/// All that is wrong, in the runbook's order, values for unknown parameters first.
pub fn bind(params: &IndexMap<String, Param>, given: &Given, outside: &dyn Outside) -> Result<Bound, Vec<Diagnostic>> {
    let mut problems = unknown(params, given);
    let set: BTreeMap<&str, &str> = given.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut bound = Bound::default();
    for (name, param) in params {
        let Some((written, source)) = find(name, param, &set, given, outside) else {
            if param.optional {
                let value = if matches!(param.kind, ParamType::List(_)) { Value::Array(Vec::new()) } else { "".into() };
                let absent = BoundParam { value, source: ParamSource::Absent, secret: param.secret };
                bound.params.insert(name.clone(), absent);
            } else {
                problems.push(missing(name, param, given));
            }
            continue;
        };
        match value(param, &written, outside) {
            Ok(value) => {
                bound.params.insert(name.clone(), BoundParam { value, source, secret: param.secret });
            }
            Err(wrong) => problems.push(invalid(name, param, &wrong, &source)),
        }
    }
    if problems.is_empty() { Ok(bound) } else { Err(problems) }
}

/// Checks the default of a parameter against its own declaration.
///
/// # Errors
/// Why it is not of its type, as one sentence.
pub(crate) fn check_default(name: &str, param: &Param) -> Result<(), String> {
    let Some(default) = &param.default else { return Ok(()) };
    match value(param, &Written::of_default(param, &default.value), &NothingOutside) {
        Ok(_) => Ok(()),
        Err(misfit) => Err(format!("the default of {name} does not fit its type: {misfit}")),
    }
}

fn unknown(params: &IndexMap<String, Param>, given: &Given) -> Vec<Diagnostic> {
    let set = given.set.iter().map(|(name, _)| (name, "--set".to_owned()));
    let named = given.file.iter().chain(&given.world);
    let named = named.flat_map(|from| from.values.keys().map(|name| (name, from.origin.clone())));
    let mut problems: Vec<Diagnostic> = Vec::new();
    for (name, origin) in set.chain(named) {
        if params.contains_key(name) {
            continue;
        }
        let problem = Diagnostic::argument(Code::UnknownParameter, format!("{origin}: there is no parameter {name}"));
        problems.push(match nearest(name, params.keys().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean {near}?")),
            None if params.is_empty() => problem.help("this runbook has no parameters"),
            None => {
                let names: Vec<&str> = params.keys().map(String::as_str).collect();
                problem.help(format!("this runbook has: {}", names.join(", ")))
            }
        });
    }
    problems
}

/// A value before its type is known.
enum Written {
    One(String),
    Several(Vec<String>),
}

impl Written {
    fn of_default(param: &Param, values: &[String]) -> Self {
        match (&param.kind, values) {
            (ParamType::List(_), values) => Self::Several(values.to_vec()),
            (_, [one]) => Self::One(one.clone()),
            (_, values) => Self::Several(values.to_vec()),
        }
    }

    fn of_json(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::Several(items.iter().map(plain).collect()),
            one => Self::One(plain(one)),
        }
    }
}

/// A JSON value as the text that a command line would give.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn find(
    name: &str,
    param: &Param,
    set: &BTreeMap<&str, &str>,
    given: &Given,
    outside: &dyn Outside,
) -> Option<(Written, ParamSource)> {
    if let Some(value) = set.get(name) {
        return Some((Written::One((*value).to_owned()), ParamSource::Set));
    }
    if let Some(file) = &given.file
        && let Some(value) = file.values.get(name)
    {
        return Some((Written::of_json(value), ParamSource::File(file.origin.clone())));
    }
    let from_outside = match &given.world {
        Some(world) => {
            let value = world.values.get(name).map(Written::of_json);
            value.map(|value| (value, ParamSource::World(world.origin.clone())))
        }
        None => param.env.as_ref().and_then(|variable| {
            // A variable that is set but empty says nothing, as with most programs.
            let value = outside.env(variable).filter(|value| !value.is_empty())?;
            Some((Written::One(value), ParamSource::Env(variable.clone())))
        }),
    };
    from_outside.or_else(|| {
        let default = param.default.as_ref()?;
        Some((Written::of_default(param, &default.value), ParamSource::Default))
    })
}

/// Why a value does not fit its parameter.
struct Misfit {
    /// As it was given.
    value: String,
    why: Wrong,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.value, self.why.why)
    }
}

fn value(param: &Param, written: &Written, outside: &dyn Outside) -> Result<Value, Misfit> {
    let one = |kind: ScalarType, text: &str| -> Result<Value, Misfit> {
        let misfit = |why: Wrong| Misfit { value: text.to_owned(), why };
        let value = read(kind, text).map_err(misfit)?;
        fits_pattern(param, text).map_err(misfit)?;
        if kind != ScalarType::File {
            return Ok(value);
        }
        outside.read(text).map(Value::String).map_err(|reason| {
            misfit(Wrong { why: format!("cannot be read: {reason}"), accepted: accepted(ScalarType::File) })
        })
    };
    match (&param.kind, written) {
        // An optional value that is given as empty is absent.
        (ParamType::Scalar(_) | ParamType::Enum(_), Written::One(text)) if text.is_empty() && param.optional => {
            Ok("".into())
        }
        (ParamType::Scalar(kind), Written::One(text)) => one(*kind, text),
        (ParamType::Enum(words), Written::One(text)) => {
            if words.contains(text) {
                return Ok(text.as_str().into());
            }
            let near = nearest(text, words.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let why = format!("is not one of: {}{near}", words.join(", "));
            Err(Misfit { value: text.clone(), why: Wrong { why, accepted: "one of these words" } })
        }
        (ParamType::Scalar(_) | ParamType::Enum(_), Written::Several(values)) => Err(Misfit {
            value: values.join(", "),
            why: Wrong { why: "is a list, and one value is wanted".to_owned(), accepted: "one value" },
        }),
        (ParamType::List(kind), Written::One(text)) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| one(*kind, part)).collect::<Result<_, _>>().map(Value::Array)
        }
        (ParamType::List(kind), Written::Several(values)) => {
            values.iter().map(|part| one(*kind, part)).collect::<Result<_, _>>().map(Value::Array)
        }
    }
}

fn fits_pattern(param: &Param, text: &str) -> Result<(), Wrong> {
    let Some(pattern) = &param.pattern else { return Ok(()) };
    // A pattern that cannot be read was reported when the runbook was loaded.
    let Ok(whole) = regex::Regex::new(&format!(r"\A(?:{})\z", pattern.value)) else { return Ok(()) };
    if whole.is_match(text) {
        return Ok(());
    }
    Err(Wrong {
        why: format!("does not match the pattern {}", pattern.value),
        accepted: "a text that matches the whole pattern",
    })
}

fn missing(name: &str, param: &Param, given: &Given) -> Diagnostic {
    let what = param.description.as_ref().map_or_else(String::new, |description| format!(" ({description})"));
    let message = format!("{name} has no value{what}");
    let mut ways = vec![format!("--set {name}=VALUE")];
    match &given.world {
        Some(world) => ways.push(format!("`params:` of {}", world.origin)),
        None => ways.extend(param.env.as_ref().map(|variable| format!("the environment variable {variable}"))),
    }
    let kind = match &param.kind {
        ParamType::Scalar(kind) => accepted(*kind).to_owned(),
        ParamType::Enum(words) => format!("one of {}", words.join(", ")),
        ParamType::List(kind) => format!("a comma-separated list, each item {}", accepted(*kind)),
    };
    Diagnostic::argument(Code::MissingParameter, message)
        .help(format!("give it by {}; it takes {kind}", ways.join(" or ")))
}

fn invalid(name: &str, param: &Param, misfit: &Misfit, source: &ParamSource) -> Diagnostic {
    let from = match source {
        ParamSource::Default => "the runbook's default".to_owned(),
        source => format!("from {source}"),
    };
    // The value of a secret stays secret even when it is wrong.
    let message = if param.secret {
        format!("{name} ({from}): the value is not what is wanted")
    } else {
        format!("{name} ({from}): {misfit}")
    };
    Diagnostic::argument(Code::InvalidParameter, message).help(format!("{name} takes {}", misfit.why.accepted))
}

#[cfg(test)]
#[path = "bind_tests.rs"]
mod tests;
