//! Writes the commands of one step: from the runbook's templates to text for a shell.
//!
//! Where the shell cannot say what a template says, the text is written out with example values, and the names are told.

use std::cell::RefCell;
use std::collections::BTreeSet;

use periplus_core::model::{Step, Text};
use periplus_core::template::{Expression, Flavour, Part, Template};
use serde_json::Value;

use super::book::Commands;
use super::functions::Function;
use super::names::{Shape, variable};
use super::word::{Piece, ShellText};

/// Writes the commands of one step.
pub(super) struct Scribe<'b> {
    pub(super) commands: &'b Commands<'b>,
    /// The step; none for what belongs to the runbook as a whole.
    pub(super) step: Option<&'b Step>,
    filled_in: RefCell<BTreeSet<String>>,
    /// The functions that are called, so that they must be there.
    functions: RefCell<BTreeSet<Function>>,
}

impl<'b> Scribe<'b> {
    pub(super) const fn new(commands: &'b Commands<'b>, step: Option<&'b Step>) -> Self {
        Self { commands, step, filled_in: RefCell::new(BTreeSet::new()), functions: RefCell::new(BTreeSet::new()) }
    }

    /// Names whose example value was written out.
    pub(super) fn filled_in(&self) -> Vec<String> {
        self.filled_in.borrow().iter().cloned().collect()
    }

    /// Notes that a function is called.
    pub(super) fn call(&self, function: Function) {
        self.functions.borrow_mut().insert(function);
    }

    /// The functions that the commands written so far call.
    pub(super) fn functions(&self) -> BTreeSet<Function> {
        self.functions.borrow().clone()
    }

    /// A text of the runbook.
    pub(super) fn text(&self, text: &Text) -> ShellText {
        self.raw(&text.raw, Flavour::Text)
    }

    /// A text of the runbook as one word.
    pub(super) fn word(&self, text: &Text) -> String {
        self.text(text).word()
    }

    /// A template.
    pub(super) fn raw(&self, raw: &str, flavour: Flavour) -> ShellText {
        let Ok(template) = Template::parse(raw, flavour) else { return ShellText::literal(raw) };
        let mut text = ShellText::default();
        for (number, part) in template.parts().iter().enumerate() {
            match part {
                Part::Text(literal) => text.push_literal(literal),
                Part::Value { expression, .. } => match self.expression(expression, flavour) {
                    Some(value) => text.append(&value),
                    None => text.append(&self.filled(&template.alone(number))),
                },
                Part::Block => text.append(&self.filled(&template.alone(number))),
            }
        }
        text
    }

    /// A template with example values written out. The text of a file is not known here: the shell says it, and where
    /// the template makes something else of it, the shell refuses.
    pub(super) fn filled(&self, template: &Template) -> ShellText {
        let names = &self.commands.names;
        let mut used: Vec<&str> = template.references().iter().map(|reference| reference.name.as_str()).collect();
        used.sort_unstable();
        used.dedup();
        let (files, others): (Vec<&str>, Vec<&str>) = used.into_iter().partition(|name| names.is_file(name));
        self.filled_in.borrow_mut().extend(others.iter().map(|name| (*name).to_owned()));
        if files.is_empty() {
            return ShellText::literal(template.render(&names.example).unwrap_or_default());
        }
        // Two texts that every helper changes: where both stay what they are, so does the file's.
        let [one, two] = [PLAIN_FILE, ODD_FILE].map(|of| {
            let mut scope = names.example.clone();
            files.iter().for_each(|name| scope.set(*name, of.replace('@', name)));
            template.render(&scope).unwrap_or_default()
        });
        let with = |text: String, of: &str| {
            files.iter().fold(text, |text, name| text.replace(&of.replace('@', name), &format!("\u{1}{name}\u{1}")))
        };
        let (one, two) = (with(one, PLAIN_FILE), with(two, ODD_FILE));
        if one != two {
            let name = files.first().copied().unwrap_or_default();
            let what = format!("${{TEXT_OF_{name}:?write here what the runbook makes of the file in {name}}}");
            return ShellText::expansion(what).and(if one.ends_with('\n') { "\n" } else { "" });
        }
        let mut text = ShellText::default();
        for (at, piece) in one.split('\u{1}').enumerate() {
            if at % 2 == 0 {
                text.push_literal(piece);
            } else {
                text.append(&ShellText::variable(variable(piece)));
            }
        }
        text
    }

    /// A manifest that can be read as YAML: with marks for its values, or written out where a mark would not come
    /// back from it as it went in.
    pub(super) fn marked(&self, raw: &str) -> String {
        let Ok(template) = Template::parse(raw, Flavour::Manifest) else { return raw.to_owned() };
        let comes_back = |expression: &Expression| match expression {
            Expression::Name(name) => self.shape(name) != Shape::List,
            Expression::Call { helper, arguments } => match (helper.as_str(), arguments.as_slice()) {
                ("quote", [Expression::Name(_)]) => true,
                ("json" | "yaml", [Expression::Name(name)]) => !matches!(self.shape(name), Shape::Number | Shape::List),
                _ => false,
            },
            Expression::Literal(_) | Expression::Other => false,
        };
        let simple = template.parts().iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Value { expression, .. } => comes_back(expression),
            Part::Block => false,
        });
        match template.render(&self.commands.names.marks) {
            Ok(text) if simple => text,
            _ => self.filled(&template).as_literal().unwrap_or_default().to_owned(),
        }
    }

    /// A value, if the shell can say it.
    pub(super) fn expression(&self, expression: &Expression, flavour: Flavour) -> Option<ShellText> {
        match expression {
            Expression::Name(name) if self.shape(name) == Shape::List => None,
            Expression::Name(name) => Some(match self.shape(name) {
                Shape::Plain => ShellText::tame_variable(variable(name)),
                _ => ShellText::variable(variable(name)),
            }),
            Expression::Literal(Value::String(text)) => Some(ShellText::literal(text.as_str())),
            Expression::Literal(Value::Array(_) | Value::Object(_)) | Expression::Other => None,
            Expression::Literal(value) => Some(ShellText::literal(value.to_string())),
            Expression::Call { helper, arguments } => self.helper(helper, arguments, flavour),
        }
    }

    fn helper(&self, helper: &str, arguments: &[Expression], flavour: Flavour) -> Option<ShellText> {
        let of = arguments.last()?;
        let value = self.expression(of, flavour)?;
        let word = value.word();
        let code = match helper {
            "b64encode" => format!("$(printf '%s' {word} | base64 | tr -d '\\n')"),
            "host" => format!("$(echo {word} | sed -E 's,^[^/]*//([^/?#]*@)?(\\[([^]]*)\\]|([^:/?#]*)).*,\\3\\4,')"),
            "port" => format!(
                "$(echo {word} | sed -E 's,^([^/]*)//([^/?#]*@)?(\\[[^]]*\\]|[^:/?#]*):?([0-9]*).*,\\4 \\1,; \
                 s,^ (https|wss):,443,; s,^ (http|ws):,80,; s,^ ftp:,21,; s, .*,,')"
            ),
            "default" => {
                let otherwise = self.expression(arguments.first()?, flavour)?;
                return default(&otherwise, &value);
            }
            "indent" => {
                let Expression::Literal(columns) = arguments.first()? else { return None };
                let space = " ".repeat(usize::try_from(columns.as_u64()?).ok()?.min(64));
                format!("$(printf '%s\\n' {word} | sed 's/^/{space}/')")
            }
            // As YAML a value may be written in many ways; in a manifest that of JSON will do.
            "json" | "yaml" | "quote" if flavour == Flavour::Manifest || helper != "yaml" => {
                let shape = if let Expression::Name(name) = of { self.shape(name) } else { Shape::Text };
                return Some(match shape {
                    Shape::Number if helper != "quote" => value,
                    shape => self.json_string(&value, shape != Shape::Text),
                });
            }
            _ => return None,
        };
        Some(ShellText::expansion(code))
    }

    /// A text as a string of JSON. Where no value in it can hold a sign of JSON's, the quotes are enough.
    pub(super) fn json_string(&self, text: &ShellText, plain: bool) -> ShellText {
        if plain || text.as_literal().is_some() {
            let mut quoted = ShellText::literal("\"");
            for piece in text.pieces() {
                match piece {
                    Piece::Literal(literal) => {
                        let json = Value::String(literal.clone()).to_string();
                        quoted.push_literal(&json[1..json.len() - 1]);
                    }
                    piece => quoted.push(piece),
                }
            }
            return quoted.and("\"");
        }
        self.call(Function::Json);
        ShellText::expansion(format!("$(json {})", text.word()))
    }

    /// Whether nothing that a template fills in can hold a sign of some notation.
    pub(super) fn is_plain(&self, raw: &str) -> bool {
        let Ok(template) = Template::parse(raw, Flavour::Text) else { return false };
        template.parts().iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Value { expression: Expression::Name(name), .. } => {
                matches!(self.shape(name), Shape::Plain | Shape::Number)
            }
            Part::Value { expression: Expression::Call { helper, .. }, .. } => {
                matches!(helper.as_str(), "host" | "port" | "b64encode")
            }
            Part::Value { .. } | Part::Block => false,
        })
    }

    pub(super) fn shape(&self, name: &str) -> Shape {
        self.commands.names.shape(name)
    }

    /// The namespace of something: its own, else the step's, else the runbook's.
    pub(super) fn namespace<'t>(&'t self, own: Option<&'t Text>) -> Option<&'t Text> {
        own.or_else(|| self.step.and_then(|step| step.namespace.as_ref())).or(self.commands.runbook.namespace.as_ref())
    }

    /// `-n NAMESPACE`.
    pub(super) fn in_namespace(&self, own: Option<&Text>) -> Option<String> {
        self.namespace(own).map(|namespace| format!("-n {}", self.word(namespace)))
    }
}

/// What stands for the text of the file `@`.
const PLAIN_FILE: &str = "qqz@qqz";
const ODD_FILE: &str = "qqx @ \" \\\nqqx";

fn has_bang(piece: &Piece) -> bool {
    matches!(piece, Piece::Literal(text) if text.contains('!'))
}

/// `${X:-otherwise}`.
fn default(otherwise: &ShellText, value: &ShellText) -> Option<ShellText> {
    let is_tame = |c: char| c.is_ascii_alphanumeric() || " _./:@%+,=-".contains(c);
    match (value.pieces(), otherwise.as_literal()) {
        ([Piece::Variable { name, .. }], Some(text)) if text.chars().all(is_tame) => {
            Some(ShellText::expansion(format!("${{{name}:-{text}}}")))
        }
        ([Piece::Variable { name, .. }], Some(text)) => {
            // Within double quotes, where quotes do not keep bash from reading a `!` as history.
            let format = text.replace('\\', "\\\\").replace('%', "%%").replace('!', "\\041");
            let word = super::word::quote(&format);
            Some(ShellText::expansion(format!("${{{name}:-$(printf {word})}}")))
        }
        ([Piece::Variable { name, .. }], None) if !otherwise.pieces().iter().any(has_bang) => {
            let word = otherwise.word();
            Some(ShellText::expansion(format!("${{{name}:-$(printf '%s' {word})}}")))
        }
        _ => None,
    }
}
