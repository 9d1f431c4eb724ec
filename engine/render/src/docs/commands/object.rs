//! `expect-object`: the fields that are expected, read from the object.

use periplus_core::model::verb::{ExpectObject, Presence};
use periplus_core::model::{Tree, Which};
use periplus_core::source::{Node, Scalar};

use super::check::{Looked, has_lists};
use super::layout::{Block, Command};
use super::observe::{joined, polled};
use super::path::{field, output};
use super::regex;
use super::scribe::Scribe;
use super::tree::{Leaf, Leaves};
use super::word::{Piece, ShellText};

impl Scribe<'_> {
    /// The block of an `expect-object`.
    pub(super) fn expect_object(&self, expect: &ExpectObject) -> Block {
        match &expect.presence {
            Presence::Absent => self.absent(expect),
            Presence::Matches(tree) => self.matches(expect, tree),
        }
    }

    fn absent(&self, expect: &ExpectObject) -> Block {
        let words = match expect.object.which {
            Which::Name(_) => "NotFound",
            Which::Selector(_) => "'No resources found'",
        };
        let stages = [self.kubectl("get", &expect.object).arg("2>&1"), Command::new(format!("grep {words}"))];
        let mut block = Block::default();
        if expect.polling.within.is_none() {
            block.pipeline("", &stages, "");
            return block;
        }
        let mut body = Block::default();
        body.pipeline_at(2, "", &stages, " && break");
        block.append(polled(&expect.polling, body));
        block
    }

    fn matches(&self, expect: &ExpectObject, tree: &Tree) -> Block {
        let get = self.kubectl("get", &expect.object);
        let node = self.tree(tree);
        let fields =
            node.as_ref().filter(|node| !has_lists(&node.kind) && matches!(expect.object.which, Which::Name(_)));
        let mut block = Block::default();
        let (command, chain) = match fields {
            Some(node) => self.fields(get, node),
            None => self.all_of(get, node.as_ref()),
        };
        if expect.polling.within.is_none() {
            block.pipeline("", &[command], "");
            return block;
        }
        let mut body = Block::default();
        body.pipeline_at(2, "output=$(", &[command], ")");
        let in_a_row = expect.polling.consecutive > 1;
        let mut chain = chain;
        chain.push(if in_a_row { "in_a_row=$((in_a_row + 1)) || in_a_row=0" } else { "break" }.to_owned());
        for line in joined(&chain, 90) {
            body.line(line);
        }
        if in_a_row {
            block.line("in_a_row=0");
            body.line(format!("[ \"$in_a_row\" -eq {} ] && break", expect.polling.consecutive));
        }
        block.append(polled(&expect.polling, body));
        block.line("printf '%s\\n' \"$output\"");
        block
    }

    /// Each expected field on a line of its own.
    fn fields(&self, get: Command, node: &Node) -> (Command, Vec<String>) {
        let mut leaves = Leaves::default();
        leaves.collect(node);
        let mut path = ShellText::default();
        let mut expected = ShellText::default();
        for (at, (keys, scalar)) in leaves.found.iter().enumerate() {
            let dotted: String = keys.iter().map(|key| field(key)).collect();
            path.push_literal("{");
            path.append(&self.raw(&dotted, periplus_core::template::Flavour::Text));
            path.push_literal("}{\"\\n\"}");
            if at > 0 {
                expected.push_literal("\n");
            }
            expected.append(&self.expected(scalar));
        }
        // One line for each, the last one ended by the shell.
        let condition = format!("[ \"$output\" = {} ]", with_line_breaks(&expected));
        (get.arg(output(&path)), vec![condition])
    }

    fn expected(&self, scalar: &Scalar) -> ShellText {
        if scalar.is_null() {
            ShellText::default()
        } else {
            self.raw(&scalar.text, periplus_core::template::Flavour::Text)
        }
    }

    fn all_of(&self, get: Command, node: Option<&Node>) -> (Command, Vec<String>) {
        let mut leaves = Leaves::default();
        if let Some(node) = node {
            leaves.collect(node);
        }
        let looked = Looked { variable: "output", find: None };
        let chain = leaves.found.into_iter().filter(|(_, scalar)| !scalar.is_null()).map(|(path, scalar)| {
            let leaf = Leaf { key: path.last().cloned(), value: self.expected(&scalar) };
            looked.grep(&leaf.grep())
        });
        let mut chain: Vec<String> = chain.collect();
        if chain.is_empty() {
            chain.push(looked.grep(&regex::grep("q", &ShellText::literal("."))));
        }
        (get.arg("-o yaml"), chain)
    }
}

/// A word whose line breaks are written `$'\n'`.
fn with_line_breaks(text: &ShellText) -> String {
    let mut lines = vec![ShellText::default()];
    for piece in text.pieces() {
        match piece {
            Piece::Literal(literal) => {
                for (at, part) in literal.split('\n').enumerate() {
                    if at > 0 {
                        lines.push(ShellText::default());
                    }
                    if let Some(line) = lines.last_mut() {
                        line.push_literal(part);
                    }
                }
            }
            piece => {
                if let Some(line) = lines.last_mut() {
                    line.push(piece);
                }
            }
        }
    }
    let words = lines.iter().map(|line| if line.pieces().is_empty() { String::new() } else { line.word() });
    let joined = words.collect::<Vec<_>>().join("$'\\n'");
    if joined.is_empty() { "''".to_owned() } else { joined }
}
