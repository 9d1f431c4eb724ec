//! A value with its place, and a list of what is wrong: what every rule is written with.
//!
//! Invariant: a rule that looks at an absent or mistyped value sees nothing; decoding has settled types before.

use serde_json::Value;

use crate::schema::text::Problems;
use crate::status::Cause;

/// A value of an object and the path that messages name it by.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub(super) value: Option<&'a Value>,
    pub(super) path: String,
}

impl<'a> At<'a> {
    pub(super) fn new(value: Option<&'a Value>, path: impl Into<String>) -> Self {
        Self { value: value.filter(|value| !value.is_null()), path: path.into() }
    }

    /// A member. Below nothing there is nothing, but it has a path.
    pub(super) fn field(&self, name: &str) -> At<'a> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self::new(self.value.and_then(|value| value.get(name)), path)
    }

    pub(super) fn items(&self) -> impl Iterator<Item = At<'a>> + use<'a, '_> {
        let list = self.value.and_then(Value::as_array).into_iter().flatten();
        list.enumerate().map(|(index, value)| Self::new(Some(value), format!("{}[{index}]", self.path)))
    }

    /// The members of a map, in its order, at `path[key]`.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + use<'a, '_> {
        let map = self.value.and_then(Value::as_object).into_iter().flatten();
        map.map(|(key, value)| (key.as_str(), Self::new(Some(value), format!("{}[{key}]", self.path))))
    }

    pub(super) fn text(&self) -> &'a str {
        self.value.and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(&self) -> Option<i64> {
        self.value.and_then(Value::as_i64)
    }

    pub(super) fn is(&self, flag: bool) -> bool {
        self.value == Some(&Value::Bool(flag))
    }

    pub(super) fn is_set(&self) -> bool {
        self.value.is_some()
    }

    /// Absent, or a list or a map or a text without anything in it.
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            None => true,
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        }
    }

    /// The value, or null.
    pub(super) fn shown(&self) -> Value {
        self.value.cloned().unwrap_or(Value::Null)
    }
}

/// A struct as Go writes it in messages: all fields in their order, by their Go names.
pub(super) fn go_struct(at: &At<'_>, fields: &[(&str, &str)]) -> String {
    let shown = |json: &str| at.field(json).value.map_or_else(|| "null".to_owned(), Value::to_string);
    let fields: Vec<String> = fields.iter().map(|(go, json)| format!("\"{go}\":{}", shown(json))).collect();
    format!("{{{}}}", fields.join(","))
}

/// What is wrong with an object, in the order of the server.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) causes: Vec<Cause>,
}

impl Report {
    pub(super) fn required(&mut self, at: &At<'_>, detail: &str) {
        self.causes.push(Cause::required(at.path.as_str(), detail));
    }

    /// Requires something other than nothing.
    pub(super) fn filled(&mut self, at: &At<'_>) {
        if at.is_empty() {
            self.required(at, "");
        }
    }

    pub(super) fn invalid(&mut self, at: &At<'_>, detail: &str) {
        self.causes.push(Cause::invalid(at.path.as_str(), &at.shown(), detail));
    }

    /// As [`Self::invalid`], with another value than the one that stands there.
    pub(super) fn invalid_as(&mut self, at: &At<'_>, shown: &Value, detail: &str) {
        self.causes.push(Cause::invalid(at.path.as_str(), shown, detail));
    }

    /// As [`Self::invalid`], with a struct as Go writes it.
    pub(super) fn invalid_go(&mut self, at: &At<'_>, shown: &str, detail: &str) {
        let message = format!("Invalid value: {shown}: {detail}");
        self.causes.push(Cause::new("FieldValueInvalid", at.path.as_str(), message));
    }

    /// As [`Self::unsupported`], with a struct as Go writes it.
    pub(super) fn unsupported_go(&mut self, at: &At<'_>, shown: &str, allowed: &[&str]) {
        let allowed: Vec<String> = allowed.iter().map(|one| format!("{one:?}")).collect();
        let message = format!("Unsupported value: {shown}: supported values: {}", allowed.join(", "));
        self.causes.push(Cause::new("FieldValueNotSupported", at.path.as_str(), message));
    }

    pub(super) fn forbidden(&mut self, at: &At<'_>, detail: &str) {
        self.causes.push(Cause::forbidden(at.path.as_str(), detail));
    }

    pub(super) fn duplicate(&mut self, at: &At<'_>, shown: &Value) {
        self.causes.push(Cause::duplicate(at.path.as_str(), shown));
    }

    pub(super) fn unsupported(&mut self, at: &At<'_>, shown: &Value, allowed: &[&str]) {
        let allowed: Vec<String> = allowed.iter().map(|one| (*one).to_owned()).collect();
        self.causes.push(Cause::not_supported(at.path.as_str(), shown, &allowed));
    }

    /// Requires one of a few texts. What is absent has its default, or is asked for elsewhere.
    pub(super) fn one_of(&mut self, at: &At<'_>, allowed: &[&str]) {
        if at.is_set() && !allowed.contains(&at.text()) {
            self.unsupported(at, &at.text().into(), allowed);
        }
    }

    /// Reports each problem of a text.
    pub(super) fn text(&mut self, at: &At<'_>, rule: impl Fn(&str) -> Problems) {
        for problem in rule(at.text()) {
            self.invalid_as(at, &at.text().into(), &problem);
        }
    }

    /// Reports each problem of a text that is not empty.
    pub(super) fn text_if_any(&mut self, at: &At<'_>, rule: impl Fn(&str) -> Problems) {
        if !at.text().is_empty() {
            self.text(at, rule);
        }
    }

    /// Requires a number that is not negative, if there is one.
    pub(super) fn not_negative(&mut self, at: &At<'_>) {
        if at.number().is_some_and(|number| number < 0) {
            self.invalid(at, "must be greater than or equal to 0");
        }
    }

    /// Requires a number within a range, if there is one.
    pub(super) fn within(&mut self, at: &At<'_>, range: std::ops::RangeInclusive<i64>) {
        if at.number().is_some_and(|number| !range.contains(&number)) {
            self.invalid(at, &format!("must be between {} and {}, inclusive", range.start(), range.end()));
        }
    }

    /// Requires the number of a port; 0 where there is none.
    pub(super) fn port(&mut self, at: &At<'_>) {
        let number = at.number().unwrap_or(0);
        for problem in crate::schema::text::port_number(number) {
            self.invalid_as(at, &number.into(), &problem);
        }
    }

    /// Requires a port by number or by name.
    pub(super) fn port_or_name(&mut self, at: &At<'_>) {
        match at.value {
            Some(Value::String(_)) => self.text(at, crate::schema::text::port_name),
            _ => self.port(at),
        }
    }

    /// Requires a count or a percentage.
    pub(super) fn count_or_percent(&mut self, at: &At<'_>) {
        const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                               regex used for validation is '[0-9]+%')";
        match at.value {
            Some(Value::String(text)) => {
                let digits = text.strip_suffix('%').unwrap_or_default();
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.invalid(at, PERCENT);
                }
            }
            _ => self.not_negative(at),
        }
    }

    /// Refuses more than all.
    pub(super) fn at_most_all(&mut self, at: &At<'_>) {
        let percent = at.text().strip_suffix('%').and_then(|digits| digits.parse::<u64>().ok());
        if percent.is_some_and(|percent| percent > 100) {
            self.invalid(at, "must not be greater than 100%");
        }
    }

    /// Requires a field to be what it was.
    pub(super) fn immutable(&mut self, old: &At<'_>, new: &At<'_>) {
        if old.value != new.value {
            self.invalid(new, "field is immutable");
        }
    }
}
