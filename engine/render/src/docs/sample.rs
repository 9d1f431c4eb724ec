//! What a reader should see after a step's commands: sentences and samples made from the step's own checks.

use periplus_core::expect::Pattern;
use periplus_core::model::verb::{LogGrep, Presence, Verb};
use periplus_core::model::{Check, Exits, ExpectOutput, Polling, Step, Stream, Text, Tree};
use periplus_core::source::{Node, NodeKind, Style};

use super::commands::Commanded;
use super::example::Examples;
use super::markdown::{code, fence};
use super::verified::Verified;
use super::words;

/// What a reader should see.
#[derive(Default)]
pub(super) struct Expected {
    /// Sentences on what must hold.
    pub(super) must: Vec<String>,
    /// The output, as a text that stands in a block.
    pub(super) output: Option<String>,
    /// Whether every reader sees just this output.
    pub(super) exact: bool,
    /// A value that must be held, and by what.
    pub(super) holds: Option<(Holds, String)>,
}

/// What must hold a value.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    /// The output, as JSON.
    Json,
    /// The output, as YAML.
    Yaml,
    /// The object itself.
    Object,
}

/// What makes samples.
pub(super) struct Samples<'a> {
    pub(super) examples: &'a Examples,
    pub(super) verified: Option<&'a Verified>,
}

impl Samples<'_> {
    /// What a reader should see after a step.
    pub(super) fn of(&self, step: &Step, commands: &Commanded) -> Expected {
        let mut expected = match (&step.verb, &step.expect_output) {
            (Verb::ExpectOutput(expect), _) | (_, Some(expect)) => self.output(expect),
            (Verb::LogGrep(grep), None) => self.log(grep),
            _ => Expected::default(),
        };
        if matches!(step.verb, Verb::Exec(_)) && step.expect_output.is_none() && expected.must.is_empty() {
            expected.must.push("The command must end without an error.".to_owned());
        }
        if matches!(step.verb, Verb::Get(_)) && !step.capture.is_empty() {
            let values = step.capture.keys().map(|name| format!("{name}={}", self.examples.value(name)));
            expected.output = Some(values.collect::<Vec<_>>().join(" "));
        }
        if matches!(&step.verb, Verb::Patch(patch) if patch.yaml_in.is_some()) {
            expected.must.push("First you see the difference.".to_owned());
        }
        let object = match (&step.verb, &step.expect_object) {
            (Verb::ExpectObject(object), _) | (_, Some(object)) => Some(&object.presence),
            _ => None,
        };
        match object {
            Some(Presence::Absent) => {
                expected.must.push("`kubectl` must say that there is no such object.".to_owned());
            }
            Some(Presence::Matches(tree)) => {
                expected.holds = Some((Holds::Object, self.tree(tree)));
            }
            None => {}
        }
        if let Some(seen) = self.verified.and_then(|verified| verified.seen.get(step.id.value.as_str())) {
            let seen = seen.join("\n");
            expected.exact &= expected.output.as_ref().is_some_and(|sample| sample.trim_end() == seen);
            expected.output = Some(seen);
        } else if expected.output.is_none()
            && let Some(printed) = &commands.prints
        {
            expected.exact = self.is_exact(&printed.pattern);
            expected.output = Some(self.examples.lines(&printed.pattern));
        }
        expected
    }

    fn is_exact(&self, pattern: &str) -> bool {
        Pattern::parse(pattern).is_ok_and(|(pattern, _)| pattern.is_literal()) && self.examples.is_fixed(pattern)
    }

    fn output(&self, expect: &ExpectOutput) -> Expected {
        let check = &expect.check;
        let mut expected = Expected::default();
        let row = in_a_row(expect.polling);
        match &check.exits {
            Some(Exits::With(codes)) => {
                expected.must.push(format!("The command must end with {}{row}.", exit_codes(codes)));
            }
            Some(Exits::Fails) => expected.must.push(format!("The command must fail{row}.")),
            None if row.is_empty() => {}
            None => expected.must.push(format!("What is checked must hold{row}.")),
        }
        expected.must.extend(texts(check));
        if let Some(equals) = &check.equals {
            expected.output = Some(self.examples.fill(&equals.raw));
            expected.exact = self.examples.is_fixed(&equals.raw);
        } else if let Some(lines) = &check.lines {
            expected.output = Some(self.examples.lines(&lines.raw));
            expected.exact = self.is_exact(&lines.raw);
        } else if let Some(Exits::With(codes)) = &check.exits
            && let [code] = codes.as_slice()
            && *code != 0
        {
            expected.output = Some(format!("command terminated with exit code {code}"));
            expected.exact = true;
        }
        let tree = |notation, tree: &Option<Tree>| tree.as_ref().map(|tree| (notation, self.tree(tree)));
        expected.holds = tree(Holds::Json, &check.json).or_else(|| tree(Holds::Yaml, &check.yaml));
        expected
    }

    fn log(&self, grep: &LogGrep) -> Expected {
        let checks = &grep.checks;
        let mut expected = Expected::default();
        let what = [
            (!checks.contains.is_empty()).then(|| format!("containing {}", all(&checks.contains, " and "))),
            checks.regex.as_ref().map(|regex| format!("matching {}", words::code(&regex.raw))),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        let what = if what.is_empty() { String::new() } else { format!(" {}", what.join(" and ")) };
        match checks.count.map(|count| (count.min, count.max)) {
            Some((_, Some(0))) => expected.must.push(format!("There must be no line{what}.")),
            Some((min, Some(max))) if min == max => {
                expected
                    .must
                    .push(format!("There must be exactly {}{what}.", crate::plural::count(to_usize(min), "line")));
            }
            Some((min, Some(max))) => expected.must.push(format!("There must be {min} to {max} lines{what}.")),
            Some((min, None)) if min > 1 => expected.must.push(format!("There must be at least {min} lines{what}.")),
            _ if !what.is_empty() => expected.must.push(format!("There must be a line{what}.")),
            _ => {}
        }
        if !checks.not_contains.is_empty() {
            expected.must.push(format!("No line may contain {}.", all(&checks.not_contains, " or ")));
        }
        if let Some(lines) = &checks.lines {
            expected.output = Some(self.examples.lines(&lines.raw));
            expected.exact = self.is_exact(&lines.raw);
        }
        expected
    }

    /// A value as YAML or JSON, templates as `$NAME`.
    fn tree(&self, tree: &Tree) -> String {
        match tree {
            Tree::Text(text) => self.examples.fill(&text.raw),
            Tree::Node(node) => self.examples.fill(&flow(node)),
        }
    }
}

/// A node as flow YAML, which is JSON where its scalars are.
fn flow(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(scalar) if scalar.style == Style::Plain && stands_bare(&scalar.text) => scalar.text.clone(),
        NodeKind::Scalar(scalar) => serde_json::Value::from(scalar.text.as_str()).to_string(),
        NodeKind::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        NodeKind::Map(entries) => {
            let pairs = entries.iter().map(|(key, value)| {
                let key = match &key.kind {
                    NodeKind::Scalar(scalar) => serde_json::Value::from(scalar.text.as_str()).to_string(),
                    NodeKind::List(_) | NodeKind::Map(_) => flow(key),
                };
                format!("{key}: {}", flow(value))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether JSON reads a plain scalar as YAML does, or it is not known yet what it will be.
fn stands_bare(text: &str) -> bool {
    text.contains("{{") || serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| !value.is_string())
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn in_a_row(polling: Polling) -> String {
    match polling.consecutive {
        0 | 1 => String::new(),
        2 => ", twice in a row".to_owned(),
        3 => ", three times in a row".to_owned(),
        times => format!(", {times} times in a row"),
    }
}

fn exit_codes(codes: &[i32]) -> String {
    match codes {
        [code] => format!("exit code {code}"),
        codes => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            format!("one of the exit codes {}", codes.join(", "))
        }
    }
}

fn all(texts: &[Text], between: &str) -> String {
    texts.iter().map(|text| words::code(&text.raw)).collect::<Vec<_>>().join(between)
}

/// What must hold of a program's output beyond a sample of it.
fn texts(check: &Check) -> Vec<String> {
    let stream = match check.stream {
        Stream::Stdout => "The output",
        Stream::Stderr => "Standard error",
        Stream::Both => "The output, standard error included,",
    };
    let mut must = Vec::new();
    let has_sample = check.equals.is_some() || check.lines.is_some();
    if let Some(find) = check.find.as_ref().filter(|_| !has_sample) {
        must.push(format!("Of the output only what matches {} counts.", words::code(&find.raw)));
    }
    if !check.contains.is_empty() {
        must.push(format!("{stream} must contain {}.", all(&check.contains, " and ")));
    }
    if !check.not_contains.is_empty() {
        must.push(format!("{stream} must not contain {}.", all(&check.not_contains, " or ")));
    }
    if let Some(regex) = &check.regex {
        must.push(format!("{stream} must match {}.", words::code(&regex.raw)));
    }
    let bound = |text: &Text| code(&words::shell_names(&text.raw));
    match (&check.at_least, &check.at_most) {
        (Some(least), Some(most)) => {
            must.push(format!("The number must be between {} and {}.", bound(least), bound(most)));
        }
        (Some(least), None) => must.push(format!("The number must be at least {}.", bound(least))),
        (None, Some(most)) => must.push(format!("The number must be at most {}.", bound(most))),
        (None, None) => {}
    }
    if check.stream == Stream::Stderr && has_sample {
        must.push("It is printed on standard error.".to_owned());
    }
    must
}

impl Expected {
    /// The Markdown of it.
    pub(super) fn markdown(&self, polling: Option<&str>) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut lead: Vec<&str> = self.must.iter().map(String::as_str).collect();
        lead.extend(polling);
        match (&self.output, self.exact) {
            (None, _) => {}
            (Some(_), true) => lead.push("You should see:"),
            (Some(_), false) => lead.push("You should see something like this:"),
        }
        if !lead.is_empty() {
            blocks.push(lead.join(" "));
        }
        if let Some(output) = &self.output {
            blocks.push(fence("text", &crate::clean::block(output.trim_end())));
        }
        if let Some((by, value)) = &self.holds {
            let (what, notation) = match by {
                Holds::Json => ("The output is JSON that holds", "json"),
                Holds::Yaml => ("The output is YAML that holds", "yaml"),
                Holds::Object => ("The object must hold", "yaml"),
            };
            blocks.push(format!("{what} this, perhaps beside other keys:"));
            blocks.push(fence(notation, value));
        }
        blocks
    }
}
