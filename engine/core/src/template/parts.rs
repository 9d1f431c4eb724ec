//! A template taken apart, for those who say the same in another notation, such as a shell's.
//!
//! Only what can be written elsewhere has a form here: what a block would write is not told.

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use serde_json::Value;

use super::parse::{Body, Template};
use super::word::Unsafe;

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// The author's own text.
    Text(String),
    /// A value.
    Value {
        /// Which.
        expression: Expression,
        /// Where in a shell script it stands; [`ShellPlace::Word`] in all other texts.
        place: ShellPlace,
        /// Whether a shell script takes it without quotes (`{{{ … }}}`).
        raw: bool,
    },
    /// `{{#if}}` and its like, with all that is in them.
    Block,
}

/// What a template asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A parameter or a capture.
    Name(String),
    /// A value that stands in the template itself.
    Literal(Value),
    /// A helper with its arguments.
    Call {
        /// Such as `host`.
        helper: String,
        /// In the order of the helper's own documentation.
        arguments: Vec<Expression>,
    },
    /// A part of a value, such as `OBJECT.field`.
    Other,
}

/// What a shell makes of a value that stands at a place of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellPlace {
    /// A word, or a part of one, without quotes.
    Word,
    /// A part of a text in double quotes.
    DoubleQuotes,
    /// A part of a text in single quotes.
    SingleQuotes,
    /// A part of a here-document in which variables are expanded.
    HereDocument,
    /// A part of `${…}`, `$((…))` or a command in backquotes.
    Expansion,
    /// Anywhere else: a comment, a quoted here-document, behind `$` or a backslash, or where it could not be told.
    Elsewhere,
}

impl ShellPlace {
    const fn of(place: Result<(), Unsafe>) -> Self {
        match place {
            Ok(()) => Self::Word,
            Err(Unsafe::DoubleQuotes) => Self::DoubleQuotes,
            Err(Unsafe::SingleQuotes) => Self::SingleQuotes,
            Err(Unsafe::HereDocument) => Self::HereDocument,
            Err(Unsafe::Expansion) => Self::Expansion,
            Err(Unsafe::Comment | Unsafe::QuotedHereDocument | Unsafe::Glued | Unsafe::Unsure) => Self::Elsewhere,
        }
    }
}

impl Template {
    /// The template as a sequence of texts and values. Neighbouring texts are one.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let body = match &self.body {
            Body::Plain(text) => return vec![Part::Text(text.clone())],
            Body::Handlebars(body) => body,
        };
        let mut parts = Vec::new();
        for element in &body.elements {
            match (element, parts.last_mut()) {
                (TemplateElement::RawString(text), Some(Part::Text(before))) => before.push_str(text),
                (TemplateElement::RawString(text), _) => parts.push(Part::Text(text.clone())),
                (TemplateElement::HtmlExpression(value), _) => parts.push(self.value(value)),
                (TemplateElement::Comment(_), _) => {}
                _ => parts.push(Part::Block),
            }
        }
        parts
    }

    /// One of its [parts](Self::parts), by number, as a template of its own: with the names that it may use.
    #[must_use]
    pub fn alone(&self, number: usize) -> Self {
        let mut alone = self.clone();
        let Body::Handlebars(body) = &mut alone.body else { return alone };
        let (mut count, mut in_text) = (0, false);
        let own: Vec<bool> = body
            .elements
            .iter()
            .map(|element| {
                let is_text = matches!(element, TemplateElement::RawString(_));
                match element {
                    TemplateElement::Comment(_) => return false,
                    TemplateElement::RawString(_) if in_text => {}
                    _ => count += 1,
                }
                in_text = is_text;
                count == number + 1
            })
            .collect();
        let mut keep = own.iter();
        body.elements.retain(|_| keep.next().is_none_or(|own| *own));
        let mut keep = own.iter();
        body.mapping.retain(|_| keep.next().is_none_or(|own| *own));
        let written = format!("{:?}", body.elements);
        let mut words: Vec<&str> = written.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        words.sort_unstable();
        alone.references.retain(|reference| words.binary_search(&reference.name.as_str()).is_ok());
        alone
    }

    /// A value tag, which was made a call of a writer with the tag's number and the value.
    fn value(&self, tag: &HelperTemplate) -> Part {
        let number = match tag.params.first() {
            Some(Parameter::Literal(number)) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
            _ => None,
        };
        let slot = number.and_then(|number| self.slots.get(number));
        Part::Value {
            expression: tag.params.get(1).map_or(Expression::Other, expression),
            place: slot.map_or(ShellPlace::Elsewhere, |slot| ShellPlace::of(slot.shell)),
            raw: slot.is_some_and(|slot| self.raw_in_shell().contains(&slot.at)),
        }
    }
}

fn expression(parameter: &Parameter) -> Expression {
    match parameter {
        Parameter::Literal(value) => Expression::Literal(value.clone()),
        Parameter::Name(_) | Parameter::Path(_) => match parameter.as_name() {
            Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                Expression::Name(name.to_owned())
            }
            _ => Expression::Other,
        },
        Parameter::Subexpression(call) => Expression::Call {
            helper: call.name().to_owned(),
            arguments: call.params().into_iter().flatten().map(expression).collect(),
        },
        _ => Expression::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Flavour;
    use super::*;

    fn parts(raw: &str, flavour: Flavour) -> Vec<Part> {
        Template::parse(raw, flavour).unwrap_or_else(|problems| panic!("{raw}: {problems:?}")).parts()
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn value(expression: Expression) -> Part {
        Part::Value { expression, place: ShellPlace::Word, raw: false }
    }

    fn call(helper: &str, arguments: impl Into<Vec<Expression>>) -> Expression {
        Expression::Call { helper: helper.to_owned(), arguments: arguments.into() }
    }

    #[test]
    fn texts_and_values_follow_each_other() {
        let name = |name: &str| Expression::Name(name.to_owned());
        assert_eq!(parts("plain", Flavour::Text), [text("plain")]);
        assert_eq!(parts("{{A}}", Flavour::Text), [value(name("A"))]);
        assert_eq!(
            parts(r"a {{A}}:{{port B}} \{{C}}", Flavour::Text),
            [text("a "), value(name("A")), text(":"), value(call("port", [name("B")])), text(" {{C}}")]
        );
        assert_eq!(
            parts("{{default 'x' (host A)}}{{! none }}.", Flavour::Text),
            [value(call("default", [Expression::Literal(json!("x")), call("host", [name("A")])])), text(".")]
        );
        assert_eq!(parts("{{A.b}}", Flavour::Text), [value(Expression::Other)]);
        assert_eq!(parts("{{(A)}}", Flavour::Text), [value(name("A"))]);
    }

    #[test]
    fn a_part_can_be_filled_in_by_itself() {
        let raw = "a {{A}}{{! none }} b\n{{#if B}}\n{{C}}!\n{{/if}}\nx{{A}}";
        let template = Template::parse(raw, Flavour::Text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let scope: super::super::Scope = ["A", "B", "C"].iter().fold(super::super::Scope::new(), |mut scope, name| {
            scope.set(*name, name.to_lowercase());
            scope
        });
        let alone: Vec<(Result<String, _>, Vec<String>)> = (0..template.parts().len())
            .map(|number| template.alone(number))
            .map(|one| (one.render(&scope), one.references().iter().map(|name| name.name.clone()).collect()))
            .collect();
        let expected: [(&str, &[&str]); 6] =
            [("a ", &[]), ("a", &["A", "A"]), (" b\n", &[]), ("c!\n", &["B", "C"]), ("x", &[]), ("a", &["A", "A"])];
        let expected: Vec<_> = expected
            .iter()
            .map(|(text, names)| (Ok((*text).to_owned()), names.iter().map(|name| (*name).to_owned()).collect()))
            .collect();
        assert_eq!(alone, expected);
    }

    #[test]
    fn blocks_are_not_looked_into() {
        assert_eq!(
            parts("a\n{{#if A}}\nb {{B}}\n{{/if}}\nc", Flavour::Manifest),
            [text("a\n"), Part::Block, text("c")]
        );
    }

    #[test]
    fn places_in_a_script_are_told() {
        let places: Vec<(ShellPlace, bool)> = parts(
            "a {{X}} \"{{X}}\" '{{X}}' $(({{X}})) {{{X}}} `{{X}}` # {{X}}\ncat <<E <<'F'\n{{X}}\nE\n{{X}}\nF\n",
            Flavour::Shell,
        )
        .into_iter()
        .filter_map(|part| match part {
            Part::Value { place, raw, .. } => Some((place, raw)),
            Part::Text(_) | Part::Block => None,
        })
        .collect();
        assert_eq!(
            places,
            [
                (ShellPlace::Word, false),
                (ShellPlace::DoubleQuotes, false),
                (ShellPlace::SingleQuotes, false),
                (ShellPlace::Expansion, false),
                (ShellPlace::Word, true),
                (ShellPlace::Expansion, false),
                (ShellPlace::Elsewhere, false),
                (ShellPlace::HereDocument, false),
                (ShellPlace::Elsewhere, false),
            ]
        );
    }
}
