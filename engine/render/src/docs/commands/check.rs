//! Conditions: what `expect-output` asks, as far as a shell can ask it.
//!
//! Each is a command that succeeds when the check holds, given the output in a variable. The judge is the runbook; a
//! condition only tells a loop when to stop, and is as strict as is still good to read.

use periplus_core::model::{Check, Exits, Text, Tree};
use periplus_core::source::{Node, NodeKind};
use periplus_core::template::Flavour;

use super::pattern::Line;
use super::regex::{self, Expression};
use super::scribe::Scribe;
use super::tree::Leaf;
use super::word::ShellText;

/// What comes before a condition: the text that it looks at.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    /// The variable with the text.
    pub(super) variable: &'static str,
    /// What narrows the text first.
    pub(super) find: Option<Expression>,
}

impl Looked {
    /// A `grep` on the text: flags and pattern.
    pub(super) fn grep(&self, (program, word): &(String, String)) -> String {
        let variable = self.variable;
        match &self.find {
            None => format!("{program} {word} <<< \"${variable}\""),
            Some(find) => {
                let (narrow, what) = find.grep("o");
                format!("{narrow} {what} <<< \"${variable}\" | {program} {word}")
            }
        }
    }

    /// The text as a word.
    fn text(&self) -> String {
        let variable = self.variable;
        match &self.find {
            None => format!("\"${variable}\""),
            Some(find) => {
                let (narrow, what) = find.grep("o");
                format!("\"$({narrow} {what} <<< \"${variable}\")\"")
            }
        }
    }
}

impl Scribe<'_> {
    /// The regular expression of `find`.
    pub(super) fn find(&self, check: &Check) -> Option<Expression> {
        check.find.as_ref().map(|find| Expression::of(&self.text(find), true))
    }

    /// The conditions of a check on a text; those on the exit code are not among them.
    pub(super) fn conditions(&self, check: &Check, looked: &Looked) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(equals) = &check.equals {
            all.push(format!("[ {} = {} ]", looked.text(), self.text(equals).chomped().word()));
        }
        all.extend(check.contains.iter().map(|text| self.holds(text, looked)));
        all.extend(check.not_contains.iter().map(|text| format!("! {}", self.holds(text, looked))));
        if let Some(regex) = &check.regex {
            all.push(looked.grep(&Expression::of(&self.text(regex), false).grep("q")));
        }
        if let Some(lines) = &check.lines {
            all.extend(all_lines(&self.pattern(&lines.raw), looked, Line::strict_grep));
        }
        for tree in check.json.iter().chain(&check.yaml) {
            all.extend(self.leaves(tree).into_iter().map(|leaf| looked.grep(&bounded(&leaf))));
        }
        for (bound, sign, word) in [(&check.at_least, "-ge", ">="), (&check.at_most, "-le", "<=")] {
            if let Some(bound) = bound {
                let number = self.text(bound);
                let whole = number.as_literal().is_none_or(|text| text.trim().parse::<i64>().is_ok());
                all.push(if whole {
                    format!("[ {} {sign} {} ]", looked.text(), number.word())
                } else {
                    format!("awk -v n={} 'BEGIN {{ exit !(n {word} {}) }}'", looked.text(), bound.raw.trim())
                });
            }
        }
        all
    }

    /// Whether a literal text is in the text.
    fn holds(&self, text: &Text, looked: &Looked) -> String {
        let text = self.text(text).chomped();
        if text.has_lines() {
            return format!("[[ {} == *{}* ]]", looked.text(), quoted(&text));
        }
        looked.grep(&regex::grep("qF", &text))
    }

    fn leaves(&self, tree: &Tree) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        if let Some(tree) = self.tree(tree) {
            self.collect(None, &tree, &mut leaves);
        }
        leaves
    }

    fn collect(&self, key: Option<&str>, node: &Node, leaves: &mut Vec<Leaf>) {
        match &node.kind {
            // Asks for nothing, or for null.
            NodeKind::Scalar(scalar) if scalar.is_null() => {}
            NodeKind::Scalar(scalar) => {
                let value = self.raw(&scalar.text, Flavour::Text);
                leaves.push(Leaf { key: key.map(str::to_owned), value });
            }
            // The key does not stand right before an item.
            NodeKind::List(items) => items.iter().for_each(|item| self.collect(None, item, leaves)),
            NodeKind::Map(entries) => {
                for (key, value) in entries {
                    let NodeKind::Scalar(key) = &key.kind else { continue };
                    self.collect(Some(&key.text), value, leaves);
                }
            }
        }
    }
}

/// What finds a value and not one that only starts with it.
fn bounded(leaf: &Leaf) -> (String, String) {
    let (program, word) = leaf.grep();
    match word.strip_suffix('\'') {
        Some(word) if program == "grep -qE" => (program, format!("{word}([^[:alnum:].]|$)'")),
        _ => (program, word),
    }
}

/// The conditions that each of some lines is there; of those of one shape, as many as there are.
pub(super) fn all_lines(
    lines: &[Line],
    looked: &Looked,
    grep: impl Fn(&Line, &str) -> (String, String),
) -> Vec<String> {
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if lines[..at].iter().any(|before| before.is_like(line)) {
            continue;
        }
        all.push(match lines.iter().filter(|other| other.is_like(line)).count() {
            1 => looked.grep(&grep(line, "q")),
            count => format!("[ \"$({})\" -ge {count} ]", looked.grep(&line.strict_grep("c"))),
        });
    }
    all
}

/// A word that is quoted for sure, since it stands in a pattern.
fn quoted(text: &ShellText) -> String {
    let word = text.word();
    if word.starts_with(['\'', '"', '$']) { word } else { format!("'{word}'") }
}

/// The condition on an exit code in a variable or `$?`; `None` for success.
pub(super) fn ended(exits: Option<&Exits>, code: &str) -> Option<String> {
    match exits? {
        Exits::Fails => Some(format!("[ {code} -ne 0 ]")),
        Exits::With(codes) => match codes.as_slice() {
            [] | [0] => None,
            [one] => Some(format!("[ {code} -eq {one} ]")),
            several => {
                let codes: Vec<String> = several.iter().map(i32::to_string).collect();
                Some(format!("[[ {code} =~ ^({})$ ]]", codes.join("|")))
            }
        },
    }
}

/// Whether a tree has lists in it.
pub(super) fn has_lists(kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Scalar(_) => false,
        NodeKind::List(_) => true,
        NodeKind::Map(entries) => entries.iter().any(|(_, value)| has_lists(&value.kind)),
    }
}
