//! The values that templates and conditions see: parameters and captures, by bare name.

use std::collections::BTreeSet;

use handlebars::Context;
use serde_json::{Map, Value};

/// Values by name. A parameter that was left out is the empty string.
#[derive(Clone, Debug)]
pub struct Scope {
    context: Context,
    secrets: BTreeSet<String>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { context: Context::from(Value::Object(Map::new())), secrets: BTreeSet::new() }
    }
}

impl Scope {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a name its value; a value it had is replaced.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        if let Value::Object(values) = self.context.data_mut() {
            values.insert(name.into(), value.into());
        }
    }

    /// Gives a name a value that must never be shown, journaled or put on a command line.
    pub fn set_secret(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let name = name.into();
        self.secrets.insert(name.clone());
        self.set(name, value);
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.context.data().get(name)
    }

    /// Whether the value of a name must never be shown.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        self.secrets.contains(name)
    }

    /// All names and values, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.context.data().as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }
}
