//! The part of kubectl's JSONPath dialect that names values: what `capture`, `wait: jsonpath=…` and `get` are written in.
//!
//! One path, in braces or bare: `{.metadata.name}`, `.items[*].spec.nodeName`, `{.data.app\.yaml}`,
//! `{.metadata.labels['a.b/c']}`, `{.items[-1]}`, `{.items[0:2]}`,
//! `{.status.conditions[?(@.type=="Ready")].status}`. What kubectl has beside that (`range`, literal text, unions,
//! recursive descent) is refused by name. A path that does not fit the value finds nothing and never fails.

use serde_json::Value;

mod parse;
#[cfg(test)]
mod tests;

pub use parse::MAX_LENGTH;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    source: String,
    steps: Vec<Step>,
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {at} of {path:?}")]
pub struct JsonPathError {
    /// The path as written.
    pub path: String,
    /// Where, counted in characters from 1.
    pub at: usize,
    /// What is wrong, as a fragment.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// `.name`, `['name']`
    Field(String),
    /// `[*]`, `.*`
    All,
    /// `[2]`, `[-1]`
    Index(i64),
    /// `[from:to]`
    Slice(Option<i64>, Option<i64>),
    /// `[?(…)]`
    Filter(Filter),
}

#[derive(Clone, Debug, PartialEq)]
struct Filter {
    left: Vec<Step>,
    /// Absent for `[?(@.name)]`, which asks whether it is there.
    test: Option<(Comparison, Operand)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Path(Vec<Step>),
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// [`JsonPathError`] with the place, for text that is no path or uses what this dialect leaves out.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Ok(Self { source: text.to_owned(), steps: parse::steps(text)? })
    }

    /// The path as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All values that the path names, in document order. Empty where it names none.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        walk(&self.steps, value)
    }

    /// What kubectl prints for the path: strings bare, everything else as JSON, several values with blanks between.
    /// `None` where it names nothing.
    #[must_use]
    pub fn text(&self, value: &Value) -> Option<String> {
        let found = self.find(value);
        if found.is_empty() {
            return None;
        }
        Some(found.into_iter().map(text).collect::<Vec<_>>().join(" "))
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)
    }
}

/// A value as kubectl prints it: a string bare, everything else as JSON.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn walk<'v>(steps: &[Step], root: &'v Value) -> Vec<&'v Value> {
    let mut found = vec![root];
    for step in steps {
        found = found.into_iter().flat_map(|value| take(step, value)).collect();
    }
    found
}

fn take<'v>(step: &Step, value: &'v Value) -> Vec<&'v Value> {
    match (step, value) {
        (Step::Field(name), Value::Object(map)) => map.get(name).into_iter().collect(),
        (Step::All, Value::Object(map)) => map.values().collect(),
        (Step::All, Value::Array(items)) => items.iter().collect(),
        (Step::Index(index), Value::Array(items)) => {
            let index = if *index < 0 { index + length(items) } else { *index };
            usize::try_from(index).ok().and_then(|index| items.get(index)).into_iter().collect()
        }
        (Step::Slice(from, to), Value::Array(items)) => {
            let bound = |bound: i64| {
                let bound = if bound < 0 { bound + length(items) } else { bound };
                usize::try_from(bound).unwrap_or(0).min(items.len())
            };
            let (from, to) = (from.map_or(0, bound), to.map_or(items.len(), bound));
            items.get(from..to).unwrap_or_default().iter().collect()
        }
        (Step::Filter(filter), Value::Array(items)) => items.iter().filter(|item| filter.holds(item)).collect(),
        _ => Vec::new(),
    }
}

fn length(items: &[Value]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

impl Filter {
    /// Whether the item passes. A path that names nothing passes nothing, `!=` included.
    fn holds(&self, item: &Value) -> bool {
        let Some(left) = walk(&self.left, item).into_iter().next() else {
            return false;
        };
        let Some((comparison, right)) = &self.test else {
            return true;
        };
        match right {
            Operand::Literal(right) => comparison.holds(left, right),
            Operand::Path(steps) => walk(steps, item).first().is_some_and(|right| comparison.holds(left, right)),
        }
    }
}

impl Comparison {
    /// Numbers are compared by value, text by its bytes. Values of different types are never equal, nor in any order.
    fn holds(self, left: &Value, right: &Value) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (left, right) {
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right)),
            },
            _ => (left == right).then_some(Equal),
        };
        match self {
            Self::Equal => order == Some(Equal),
            Self::NotEqual => order != Some(Equal),
            Self::Less => order == Some(Less),
            Self::LessOrEqual => matches!(order, Some(Less | Equal)),
            Self::Greater => order == Some(Greater),
            Self::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        }
    }
}
