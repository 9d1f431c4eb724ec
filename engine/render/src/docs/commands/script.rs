//! Scripts of `sh:`: their values travel as environment variables.
//!
//! The container's shell expands a variable once and never reads its value as code. So whatever a value holds, it
//! arrives as the one word or the part of a text that the engine would have made of it.

use periplus_core::model::Text;
use periplus_core::template::{Expression, Flavour, Part, ShellPlace, Template};

use super::names::{Shape, variable};
use super::scribe::Scribe;
use super::word::ShellText;

/// A script without templates, and the variables that it needs.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) text: ShellText,
    pub(super) env: Vec<(String, ShellText)>,
}

impl Scribe<'_> {
    /// A script for `sh -c`. `taken` holds the variables that the exec sets itself.
    pub(super) fn script(&self, raw: &Text, taken: &[(String, ShellText)]) -> Script {
        let Ok(template) = Template::parse(&raw.raw, Flavour::Shell) else {
            return Script { text: ShellText::literal(raw.raw.as_str()), env: Vec::new() };
        };
        let parts = template.parts();
        let own: Vec<&str> = parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .collect();
        let mut script = Script::default();
        for (at, part) in parts.iter().enumerate() {
            let (expression, place, is_raw) = match part {
                Part::Text(text) => {
                    script.text.push_literal(text);
                    continue;
                }
                Part::Block => return self.written_out(&template),
                Part::Value { expression, place, raw } => (expression, *place, *raw),
            };
            let Some(value) = self.expression(expression, Flavour::Shell) else { return self.written_out(&template) };
            if is_raw || (place == ShellPlace::Elsewhere && self.is_tame(expression)) {
                // The author's own wish, or nothing that any quoting could change: the text itself goes in.
                script.text.append(&value);
                continue;
            }
            let joins = match parts.get(at + 1) {
                Some(Part::Text(next)) => next.starts_with(|c: char| c.is_alphanumeric() || c == '_'),
                _ => false,
            };
            let name = script.hand_over(expression, value, taken, &own);
            let name = if joins && place != ShellPlace::Word { format!("{{{name}}}") } else { name };
            script.text.push_literal(&match place {
                ShellPlace::Word => format!("\"${name}\""),
                ShellPlace::SingleQuotes => format!("'\"${name}\"'"),
                ShellPlace::DoubleQuotes | ShellPlace::HereDocument | ShellPlace::Expansion => format!("${name}"),
                ShellPlace::Elsewhere => return self.written_out(&template),
            });
        }
        script.text = script.text.chomped();
        script
    }

    fn written_out(&self, template: &Template) -> Script {
        Script { text: self.filled(template).chomped(), env: Vec::new() }
    }

    /// Whether a value has nothing in it that a shell could take for a sign of its own.
    fn is_tame(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Name(name) => matches!(self.shape(name), Shape::Plain | Shape::Number),
            Expression::Call { helper, .. } => helper == "b64encode" || helper == "port",
            Expression::Literal(_) | Expression::Other => false,
        }
    }
}

impl Script {
    /// The variable that carries a value: one that carries it already, or a new one whose name nothing else uses.
    fn hand_over(
        &mut self,
        expression: &Expression,
        value: ShellText,
        taken: &[(String, ShellText)],
        script: &[&str],
    ) -> String {
        if let Some((name, _)) = self.env.iter().chain(taken).find(|(_, known)| *known == value) {
            return name.clone();
        }
        let mut name = variable(&name_of(expression));
        while self.env.iter().chain(taken).any(|(known, _)| *known == name)
            || script.iter().any(|text| has_word(text, &name))
        {
            name.push_str("_VALUE");
        }
        self.env.push((name.clone(), value));
        name
    }
}

/// A name for a value: `SITE` for `{{SITE}}`, `SITE_HOST` for `{{host SITE}}`.
fn name_of(expression: &Expression) -> String {
    match expression {
        Expression::Name(name) => name.clone(),
        Expression::Call { helper, arguments } => {
            let of = arguments.last().map_or_else(|| "VALUE".to_owned(), name_of);
            format!("{of}_{}", helper.to_uppercase())
        }
        Expression::Literal(_) | Expression::Other => "VALUE".to_owned(),
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}
