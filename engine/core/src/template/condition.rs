//! `when:` conditions: CEL over parameters and captures by bare name.
//!
//! A condition gives true or false or an error, never something that is taken for either. The target is not in scope.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::{Context, Program, Value};
use thiserror::Error;

use super::parse::{Problem, Reference, TemplateLimits};
use super::scope::Scope;
use crate::codes::Code;
use crate::diag::nearest;

/// The bounds of conditions: the parser recurses, and would abort the process on deep input. Depth counts parentheses,
/// brackets and braces.
pub const CONDITION_LIMITS: TemplateLimits = TemplateLimits { bytes: MAX_BYTES, depth: MAX_DEPTH };

const MAX_BYTES: usize = 1 << 10;
const MAX_DEPTH: usize = 16;

/// A condition that was read and whose names are known.
#[derive(Clone, Debug)]
pub struct Condition {
    program: Arc<Program>,
    references: Vec<Reference>,
}

/// Why a condition gave neither true nor false.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvalError {
    /// A name has no value.
    #[error("{0} has no value")]
    Unknown(String),
    /// It gives something else.
    #[error("the condition gives {0}, not true or false")]
    NotBool(&'static str),
    /// It cannot be computed. Holds the reason.
    #[error("the condition cannot be computed: {0}")]
    Failed(String),
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it: too long, too deep, no CEL, or a function that does not exist.
    pub fn parse(raw: &str) -> Result<Self, Problem> {
        let whole = 0..raw.len();
        if raw.len() > MAX_BYTES {
            return Err(Problem::new(
                Code::TooLong,
                whole,
                format!("a condition may have {MAX_BYTES} bytes, this one has {}", raw.len()),
            ));
        }
        let words = words(raw);
        if let Some(at) = words.too_deep {
            return Err(Problem::new(
                Code::TooLong,
                at..at + 1,
                format!("a condition may be nested {MAX_DEPTH} levels deep"),
            ));
        }
        if let Some(at) = raw.find("{{") {
            return Err(Problem::new(Code::BadCondition, at..at + 2, "a condition uses names without braces")
                .help("write the bare name, such as `when: NAME != \"\"`"));
        }
        let program = Program::compile(raw).map_err(|errors| syntax(raw, &errors))?;
        let mut names = Names::default();
        names.walk(program.expression());
        for name in &names.functions {
            if !FUNCTIONS.contains(&name.as_str()) && !is_operator(name) {
                let at = words.found.iter().find(|(word, _)| word == name).map_or(whole, |(_, at)| at.clone());
                let problem = Problem::new(Code::BadCondition, at, format!("there is no function `{name}`"));
                return Err(match nearest(name, FUNCTIONS) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("there are {}", FUNCTIONS.join(", "))),
                });
            }
        }
        let references = names
            .variables
            .into_iter()
            .map(|name| {
                let found = words.found.iter().find(|(word, _)| *word == name);
                Reference { at: found.map_or(0..raw.len(), |(_, at)| at.clone()), name }
            })
            .collect();
        Ok(Self { program: Arc::new(program), references })
    }

    /// The parameters and captures it uses, by name, each once.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// [`EvalError`].
    pub fn eval(&self, scope: &Scope) -> Result<bool, EvalError> {
        let mut context = Context::default();
        for Reference { name, .. } in &self.references {
            let value = scope.get(name).ok_or_else(|| EvalError::Unknown(name.clone()))?;
            context.add_variable_from_value(name.as_str(), to_cel(value));
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(EvalError::NotBool(kind(&other))),
            Err(error) => Err(EvalError::Failed(reason(&error))),
        }
    }
}

/// The functions of conditions. CEL has more, for time stamps, bytes and optional values, which runbooks have no use for.
pub const FUNCTIONS: [&str; 10] =
    ["size", "contains", "startsWith", "endsWith", "matches", "int", "double", "string", "min", "max"];

/// Operators are functions with names such as `_==_`; the parser makes them, authors cannot.
fn is_operator(name: &str) -> bool {
    name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '.') || name.starts_with('@')
}

/// JSON numbers enter CEL as signed integers: the library's own conversion makes them unsigned, and then no number of
/// the parameters equals one of the condition.
fn to_cel(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(to_cel).collect())),
        serde_json::Value::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), to_cel(value)))
                .collect::<std::collections::HashMap<_, _>>()
                .into(),
        ),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::String(_) => "a text",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
        _ => "something else",
    }
}

/// The library's reasons hold debug output of values; values may be secret.
fn reason(error: &cel::ExecutionError) -> String {
    use cel::ExecutionError as E;
    match error {
        E::NoSuchKey(key) => format!("there is no field `{key}`"),
        E::UndeclaredReference(name) => format!("there is no `{name}`"),
        E::NoSuchOverload | E::ValuesNotComparable(..) | E::UnsupportedBinaryOperator(..) => {
            "values of different types are compared or combined".to_owned()
        }
        E::DivisionByZero(_) | E::RemainderByZero(_) => "a number is divided by zero".to_owned(),
        E::Overflow(..) => "a number becomes too large".to_owned(),
        E::IndexOutOfBounds(_) => "a list is shorter than that".to_owned(),
        E::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} arguments and was given {actual}")
        }
        E::FunctionError { function, .. } => format!("`{function}` cannot be computed of this value"),
        _ => "an operation does not fit the type of its value".to_owned(),
    }
}

/// Says what the parser could not read, in words of our own.
fn syntax(raw: &str, errors: &cel::ParseErrors) -> Problem {
    let (line, column) = errors.errors.first().map_or((1, 1), |error| error.pos);
    let line_start = match usize::try_from(line - 2) {
        Ok(above) => raw.match_indices('\n').nth(above).map_or(0, |(at, _)| at + 1),
        Err(_) => 0,
    };
    let rest = &raw[line_start..];
    let skip = usize::try_from(column.max(1)).unwrap_or(1) - 1;
    let at = line_start + rest.char_indices().nth(skip).map_or(rest.len(), |(at, _)| at);
    let before = raw[..at].trim_end();
    let message = match raw[at..].trim_start().chars().next() {
        None if before.is_empty() => "the condition is empty".to_owned(),
        None => format!("a value is missing behind `{}`", last_word(before)),
        Some(_) if raw.trim_start().starts_with('=') => "the condition starts with `=`".to_owned(),
        Some(c) => format!("`{c}` cannot stand here"),
    };
    let end = raw[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    Problem::new(Code::BadCondition, at..end, message)
        .help("write a CEL expression, such as `NAME != \"\"` or `PORT == 3128 && SITE.startsWith(\"https:\")`")
}

fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or(text)
}

/// The names of an expression, those of its own macros left out.
#[derive(Default)]
struct Names {
    variables: BTreeSet<String>,
    functions: BTreeSet<String>,
    bound: Vec<String>,
}

impl Names {
    fn walk(&mut self, expression: &IdedExpr) {
        match &expression.expr {
            Expr::Ident(name) if !name.starts_with('@') && !self.bound.contains(name) => {
                self.variables.insert(name.clone());
            }
            Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
            Expr::Call(call) => {
                self.functions.insert(call.func_name.clone());
                call.target.iter().for_each(|target| self.walk(target));
                call.args.iter().for_each(|argument| self.walk(argument));
            }
            Expr::Select(select) => self.walk(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|element| self.walk(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(fields) => fields.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(all) => {
                self.walk(&all.iter_range);
                self.walk(&all.accu_init);
                let outer = self.bound.len();
                self.bound.extend([all.iter_var.clone(), all.accu_var.clone()]);
                self.bound.extend(all.iter_var2.clone());
                for inner in [&all.loop_cond, &all.loop_step, &all.result] {
                    self.walk(inner);
                }
                self.bound.truncate(outer);
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key);
                self.walk(&entry.value);
            }
        }
    }
}

/// The words of a condition outside its strings, and the first bracket that is nested too deep.
struct Words {
    found: Vec<(String, Range<usize>)>,
    too_deep: Option<usize>,
}

fn words(raw: &str) -> Words {
    let mut words = Words { found: Vec::new(), too_deep: None };
    let (mut quote, mut escaped, mut start) = (None, false, None);
    let (mut depth, mut signs, mut choices) = (0_usize, 0_usize, 0_usize);
    for (at, c) in raw.char_indices().chain([(raw.len(), ' ')]) {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == open => quote = None,
                _ => {}
            }
            continue;
        }
        if c.is_ascii_alphanumeric() || c == '_' {
            start = start.or(Some(at));
            signs = 0;
            continue;
        }
        if let Some(from) = start.take() {
            words.found.push((raw[from..at].to_owned(), from..at));
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '?' => choices += 1,
            _ => {}
        }
        // Signs in a row and choices within choices nest just as brackets do.
        match c {
            '!' | '-' => signs += 1,
            c if c.is_whitespace() => {}
            _ => signs = 0,
        }
        if depth.max(signs).max(choices) > MAX_DEPTH && words.too_deep.is_none() {
            words.too_deep = Some(at);
        }
    }
    words
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
