//! The helpers of templates: one table of what may be called, and what each does.
//!
//! Argument order follows Helm's, which authors of manifests know: `default "none" X`, `indent 4 X`. A helper sees the
//! values it is given and nothing else.

use std::ops::RangeInclusive;

use base64::Engine;
use handlebars::{Context, Handlebars, Helper, HelperDef, Output, RenderContext, RenderErrorReason, ScopedJson};
use serde_json::Value;
use thiserror::Error;

use super::parse::Flavour;
use super::render::{VALUE_END, VALUE_START};
use super::word::{Unsafe, is_plain, quote};

/// Where a helper may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{{#if …}} … {{/if}}`.
    Block,
    /// `{{json X}}`, also within parentheses.
    Value,
}

/// A row of the table of helpers.
#[derive(Debug)]
pub struct HelperRow {
    /// Its name.
    pub name: &'static str,
    pub(super) kind: Kind,
    pub(super) arguments: RangeInclusive<usize>,
    /// How it is called.
    pub usage: &'static str,
    /// What it gives, or what it does with the text that it holds.
    pub does: &'static str,
}

const fn block_row(name: &'static str, usage: &'static str, does: &'static str) -> HelperRow {
    HelperRow { name, kind: Kind::Block, arguments: 1..=1, usage, does }
}

const fn value_row(
    name: &'static str,
    arguments: RangeInclusive<usize>,
    usage: &'static str,
    does: &'static str,
) -> HelperRow {
    HelperRow { name, kind: Kind::Value, arguments, usage, does }
}

/// All helpers. What Handlebars brings beyond these (`log`, `raw`, partials, decorators) is refused.
pub const HELPERS: [HelperRow; 23] = [
    block_row(
        "if",
        "{{#if X}} … {{else}} … {{/if}}",
        "its text, if the value is not empty: not `\"\"`, `false`, 0, null or an empty list",
    ),
    block_row("unless", "{{#unless X}} … {{/unless}}", "its text, if the value is empty"),
    block_row(
        "each",
        "{{#each LIST}} … {{this}} … {{/each}}",
        "its text once for each item of a list; `{{this}}` is the item, `{{@index}}` its number from 0",
    ),
    block_row(
        "with",
        "{{#with X as |x|}} … {{x}} … {{/with}}",
        "its text, with the value under another name; an empty value needs an `{{else}}`",
    ),
    value_row(
        "quote",
        1..=1,
        "{{quote X}}",
        "the value in double quotes, with `\"`, `\\` and control characters escaped as JSON does",
    ),
    value_row("json", 1..=1, "{{json X}}", "the value as JSON: for manifests, and for values with line breaks"),
    value_row("yaml", 1..=1, "{{yaml X}}", "the value as YAML"),
    value_row("indent", 2..=2, "{{indent 4 X}}", "each line of the value, indented by so many columns (0 to 64)"),
    value_row("b64encode", 1..=1, "{{b64encode X}}", "the value in base64, as the `data` of a Secret wants it"),
    value_row(
        "default",
        2..=2,
        "{{default \"none\" X}}",
        "the second value, unless it is null, `\"\"` or an empty list; then the first",
    ),
    value_row("host", 1..=1, "{{host URL}}", "the host of a URL, without brackets around an IPv6 address"),
    value_row("port", 1..=1, "{{port URL}}", "the port of a URL, or the one that its scheme implies"),
    value_row("eq", 2..=2, "{{#if (eq X \"a\")}}", "whether both are equal"),
    value_row("ne", 2..=2, "{{#if (ne X \"a\")}}", "whether both differ"),
    value_row("gt", 2..=2, "{{#if (gt X 1)}}", "whether the first is greater"),
    value_row("gte", 2..=2, "{{#if (gte X 1)}}", "whether the first is greater or equal"),
    value_row("lt", 2..=2, "{{#if (lt X 1)}}", "whether the first is less"),
    value_row("lte", 2..=2, "{{#if (lte X 1)}}", "whether the first is less or equal"),
    value_row("and", 2..=2, "{{#if (and X Y)}}", "whether neither is empty"),
    value_row("or", 2..=2, "{{#if (or X Y)}}", "whether one of them is not empty"),
    value_row("not", 1..=1, "{{#if (not X)}}", "whether it is empty"),
    value_row("len", 1..=1, "{{len LIST}}", "how many items a list has, or how many bytes a text"),
    value_row("lookup", 2..=2, "{{lookup LIST 0}}", "the item of a list at a position, counted from 0"),
];

/// Whether a name is taken by a helper, so that no parameter or capture can have it.
#[must_use]
pub fn is_helper(name: &str) -> bool {
    matches!(name, "this" | "else" | "as" | "true" | "false" | "null") || HELPERS.iter().any(|row| row.name == name)
}

/// The number of arguments of a block, where there is one of that name.
pub(super) fn block(name: &str) -> Option<RangeInclusive<usize>> {
    HELPERS.iter().find(|row| row.name == name && row.kind == Kind::Block).map(|row| row.arguments.clone())
}

/// How a helper is called.
pub(super) fn usage(name: &str) -> &'static str {
    HELPERS.iter().find(|row| row.name == name).map_or("{{NAME}}", |row| row.usage)
}

/// Whether what a helper gives may go into a manifest even with line breaks.
pub(super) fn may_break_lines(name: &str) -> bool {
    matches!(name, "json" | "yaml" | "indent")
}

const WRITE_TEXT: &str = "write text";
const WRITE_LINE: &str = "write line";
const WRITE_WORD: &str = "write word";
const WRITE_PLAIN: &str = "write plain";

/// The helper that every value goes through, by what its place asks for. Their names cannot be written in a template.
pub(super) const fn writer(
    flavour: Flavour,
    raw: bool,
    may_break_lines: bool,
    shell: Result<(), Unsafe>,
) -> &'static str {
    match flavour {
        Flavour::Manifest if !may_break_lines => WRITE_LINE,
        Flavour::Shell if !raw && shell.is_ok() => WRITE_WORD,
        Flavour::Shell if !raw => WRITE_PLAIN,
        Flavour::Text | Flavour::Manifest | Flavour::Shell => WRITE_TEXT,
    }
}

/// Why a value cannot be written where it stands.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("the value does not exist")]
    Missing { slot: usize },
    #[error("the value is {what}, not text")]
    NotText { slot: usize, what: &'static str },
    #[error("the value has a line break")]
    LineBreak { slot: usize },
    #[error("the value needs quotes")]
    NeedsQuotes { slot: usize },
    #[error("{0}")]
    Helper(String),
}

impl From<Refusal> for handlebars::RenderError {
    fn from(refusal: Refusal) -> Self {
        RenderErrorReason::NestedError(Box::new(refusal)).into()
    }
}

/// A registry with the helpers of the table. With `marked`, values are put between marks.
pub(super) fn registry(marked: bool) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(handlebars::no_escape);
    for name in ["log", "raw"] {
        registry.unregister_helper(name);
    }
    for (name, form) in
        [(WRITE_TEXT, Form::Text), (WRITE_LINE, Form::Line), (WRITE_WORD, Form::Word), (WRITE_PLAIN, Form::Plain)]
    {
        registry.register_helper(name, Box::new(Writer { form, marked }));
    }
    let values: [(&str, Compute); 8] = [
        ("quote", |given| Ok(Value::String(Value::String(text(given[0])?).to_string()))),
        ("json", |given| Ok(Value::String(given[0].to_string()))),
        ("yaml", |given| {
            let written = serde_yaml::to_string(given[0]).map_err(|error| error.to_string())?;
            Ok(Value::String(written.trim_end_matches('\n').to_owned()))
        }),
        ("indent", |given| {
            let columns = given[0].as_u64().filter(|columns| *columns <= 64).ok_or("`indent` takes 0 to 64 columns")?;
            let space = " ".repeat(usize::try_from(columns).unwrap_or_default());
            let text = text(given[1])?;
            Ok(Value::String(text.lines().map(|line| format!("{space}{line}")).collect::<Vec<_>>().join("\n")))
        }),
        ("b64encode", |given| Ok(Value::String(base64::engine::general_purpose::STANDARD.encode(text(given[0])?)))),
        ("default", |given| Ok(if is_empty(given[1]) { given[0] } else { given[1] }.clone())),
        ("host", |given| {
            let url = url(given[0])?;
            // Brackets belong to the URL, not to the address.
            let host = url.host_str().unwrap_or_default();
            Ok(Value::String(host.trim_start_matches('[').trim_end_matches(']').to_owned()))
        }),
        ("port", |given| {
            let url = url(given[0])?;
            url.port_or_known_default().map(Value::from).ok_or_else(|| format!("{url} names no port"))
        }),
    ];
    for (name, compute) in values {
        registry.register_helper(name, Box::new(Function { compute }));
    }
    registry
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        // `false` and 0 are values like any other.
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// How messages name a value's type.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
        _ => "a single value",
    }
}

fn text(value: &Value) -> Result<String, String> {
    plain_text(value).ok_or_else(|| format!("a text is needed here, not {}", kind(value)))
}

/// A single value as text; nothing for lists and mappings.
pub(super) fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn url(value: &Value) -> Result<url::Url, String> {
    let text = text(value)?;
    let url = url::Url::parse(&text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("the URL `{text}` names no host"));
    }
    Ok(url)
}

/// What a helper makes of its arguments, or why it cannot.
type Compute = fn(&[&Value]) -> Result<Value, String>;

/// A helper that is a function of its arguments. Their number was checked when the template was read.
struct Function {
    compute: Compute,
}

impl HelperDef for Function {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, handlebars::RenderError> {
        let given: Vec<&Value> = helper.params().iter().map(handlebars::PathAndJson::value).collect();
        Ok(ScopedJson::Derived((self.compute)(&given).map_err(Refusal::Helper)?))
    }
}

#[derive(Clone, Copy)]
enum Form {
    /// As it is.
    Text,
    /// As it is, on one line.
    Line,
    /// As one shell word.
    Word,
    /// Where the shell's quotes cannot be added: only what needs none.
    Plain,
}

/// Writes a value as its place asks for: called with the number of the tag and the value.
struct Writer {
    form: Form,
    marked: bool,
}

impl HelperDef for Writer {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> Result<(), handlebars::RenderError> {
        let slot = helper.param(0).and_then(|index| index.value().as_u64()).unwrap_or_default();
        let slot = usize::try_from(slot).unwrap_or_default();
        let Some(value) = helper.param(1).filter(|value| !value.is_value_missing()) else {
            return Err(Refusal::Missing { slot }.into());
        };
        let value = value.value();
        let text = plain_text(value).ok_or(Refusal::NotText { slot, what: kind(value) })?;
        let text = match self.form {
            Form::Text => text,
            Form::Line if text.contains(['\n', '\r']) => return Err(Refusal::LineBreak { slot }.into()),
            Form::Line => text,
            Form::Word => quote(&text),
            Form::Plain if text.is_empty() || is_plain(&text) => text,
            Form::Plain => return Err(Refusal::NeedsQuotes { slot }.into()),
        };
        if self.marked {
            let text = text.replace([VALUE_START, VALUE_END], "\u{fffd}");
            out.write(&format!("{VALUE_START}{text}{VALUE_END}"))?;
        } else {
            out.write(&text)?;
        }
        Ok(())
    }
}
