//! `kubectl patch`, also of YAML within a field, with the state before it in a file where it must be taken back.

use periplus_core::model::verb::{Patch, PatchKind};
use periplus_core::model::{ObjectRef, Text, Tree, Which};
use periplus_core::source::{Node, NodeKind, Scalar, Style};
use periplus_core::template::Flavour;
use periplus_core::yaml_edit;
use serde_json::Value;

use super::functions::Function;
use super::layout::{Block, Command};
use super::path::segments;
use super::scribe::Scribe;
use super::word::{ShellText, quote};

/// A patch longer than this is written on lines of its own.
const SHORT: usize = 80;

impl Scribe<'_> {
    /// The block of a `patch`. `before` is the file that keeps the state before.
    pub(super) fn patch(&self, patch: &Patch, before: Option<&str>) -> Block {
        let mut block = Block::default();
        let object = &patch.object;
        if let Some(pointer) = &patch.yaml_in {
            self.patch_yaml(&mut block, patch, pointer, before.unwrap_or("before.yaml"));
            return block;
        }
        if let Some(before) = before {
            let file = format!("-o yaml > {}", quote(before));
            block.pipeline("", &[self.kubectl("get", object).arg(file)], "");
        }
        let kind = match patch.kind {
            PatchKind::Merge => "--type=merge",
            PatchKind::Json => "--type=json",
            PatchKind::Strategic => "--type=strategic",
        };
        let short = self.constant(&patch.patch).map(|value| spaced(&value)).filter(|json| json.len() <= SHORT);
        if let Which::Selector(labels) = &object.which {
            // kubectl patches by name only.
            let list = Command::new(format!("kubectl get {}", self.resource(object)))
                .args(self.object_namespace(object))
                .arg(format!("-l {}", self.word(labels)))
                .arg("-o name");
            let json = match short {
                Some(json) => ShellText::literal(json).word(),
                None => {
                    let (open, lines) = self.patch_text(&patch.patch).here_document();
                    block.line(format!("patch=$(cat{open}"));
                    block.line_below(&format!("{lines}\n)"));
                    "\"$patch\"".to_owned()
                }
            };
            block.line(format!("for object in $({}); do", list.on_one_line()));
            let each = Command::new("kubectl patch \"$object\"").args(self.object_namespace(object)).arg(kind);
            let mut body = Block::default();
            body.pipeline_at(2, "", &[each.arg(format!("-p {json}"))], "");
            block.indented(body);
            block.line("done");
            return block;
        }
        let command = self.kubectl("patch", object).arg(kind);
        match short {
            Some(json) => block.pipeline("", &[command.arg(format!("-p {}", ShellText::literal(json).word()))], ""),
            None => {
                let (open, lines) = self.patch_text(&patch.patch).here_document();
                block.pipeline("", &[command.arg("--patch-file=/dev/stdin")], &open);
                block.line_below(&lines);
            }
        }
        block
    }

    fn patch_text(&self, tree: &Tree) -> ShellText {
        match tree {
            Tree::Text(text) => self.raw(&text.raw, Flavour::Manifest),
            Tree::Node(node) => self.yaml(node),
        }
    }

    /// The YAML is edited in a file beside the one that keeps the state before, and the difference is shown. Without
    /// that file nothing goes out: an edit of nothing would leave nothing else.
    fn patch_yaml(&self, block: &mut Block, patch: &Patch, pointer: &Text, before: &str) {
        let object = &patch.object;
        self.call(Function::SetYaml);
        let mut edits = Vec::new();
        if let Some(tree) = self.tree(&patch.patch) {
            self.edits(&tree, &mut Vec::new(), &mut edits);
        }
        let after = before.replacen("-before", "-after", 1);
        let get = self.kubectl("get", object).arg(format!("{} > {}", self.pointed(pointer), quote(before)));
        block.pipeline("", &[get], " &&");
        let mut rest = Block::default();
        rest.line(format!("cp {} {} &&", quote(before), quote(&after)));
        let (last, edits) = edits.split_last().map_or((None, &[][..]), |(last, edits)| (Some(last), edits));
        let set = |(path, value): &(ShellText, ShellText)| {
            format!("set_yaml {} {} {} &&", quote(&after), path.word(), value.word())
        };
        for edit in edits {
            rest.line(set(edit));
        }
        rest.line(format!("{} {{", last.map_or_else(|| "true &&".to_owned(), set)));
        let mut change = Block::default();
        // The text of a field often ends without a line break; awk gives it one, or else that is a difference.
        change.line(format!("diff <(awk 1 {}) {}", quote(before), quote(&after)));
        match held_key(object, pointer) {
            Some(key) => change.pipeline_at(4, "", &self.put_back(object, &key, &after), ""),
            None => {
                // A full stop keeps the line breaks at the end from being cut.
                change.line(format!("edited=$(cat {}; echo .)", quote(&after)));
                let (open, lines) = self.field_text(pointer, "edited").here_document();
                let command = self.kubectl("patch", object).arg("--type=merge").arg("--patch-file=/dev/stdin");
                change.pipeline_at(4, "", &[command], &open);
                change.line_below(&lines);
            }
        }
        rest.indented(change);
        rest.line("}");
        block.indented(rest);
    }

    /// The commands that write a file as a key of a ConfigMap; the others of its keys stay.
    fn put_back(&self, object: &ObjectRef, key: &str, file: &str) -> [Command; 2] {
        let Which::Name(name) = &object.which else { return [Command::default(), Command::default()] };
        let namespace = self.object_namespace(object);
        let source = ShellText::literal(format!("{key}={file}")).word();
        [
            Command::new(format!("kubectl create configmap {}", self.word(name)))
                .args(namespace.clone())
                .arg(format!("--from-file={source}"))
                .arg("--dry-run=client")
                .arg("-o yaml"),
            Command::new(format!("kubectl patch configmap {}", self.word(name)))
                .args(namespace)
                .arg("--type=merge")
                .arg("--patch-file=/dev/stdin"),
        ]
    }

    /// A patch that gives a field the text of a shell variable, without the full stop at its end.
    fn field_text(&self, pointer: &Text, variable: &str) -> ShellText {
        let mut out = ShellText::default();
        let keys: Vec<String> = segments(&pointer.raw).collect();
        for (depth, key) in keys.iter().enumerate() {
            out.push_literal(&format!("{}{}:", "  ".repeat(depth), yaml_edit::scalar(key)));
            out.push_literal(if depth + 1 < keys.len() { "\n" } else { " " });
        }
        self.call(Function::Json);
        out.with(ShellText::expansion(format!("$(json \"${{{variable}%.}}\")"))).and("\n")
    }

    /// The fields that a merge sets, as `set_yaml` is told them.
    fn edits(&self, node: &Node, path: &mut Vec<ShellText>, edits: &mut Vec<(ShellText, ShellText)>) {
        match &node.kind {
            NodeKind::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    let NodeKind::Scalar(key) = &key.kind else { continue };
                    let text = self.raw(&key.text, Flavour::Text);
                    let text = match text.as_literal() {
                        Some(literal) => ShellText::literal(yaml_edit::scalar(literal).replace('.', "\\.")),
                        None => text,
                    };
                    path.push(text);
                    self.edits(value, path, edits);
                    path.pop();
                }
            }
            kind => {
                let mut dotted = ShellText::default();
                for (at, key) in path.iter().enumerate() {
                    dotted = if at > 0 { dotted.and(".") } else { dotted }.with(key.clone());
                }
                let removes = matches!(kind, NodeKind::Scalar(scalar) if scalar.is_null());
                edits.push((dotted, if removes { ShellText::default() } else { self.flow(node) }));
            }
        }
    }

    /// A value on one line of YAML.
    fn flow(&self, node: &Node) -> ShellText {
        match &node.kind {
            NodeKind::Scalar(scalar) => self.scalar(scalar),
            NodeKind::List(items) => {
                let mut out = ShellText::literal("[");
                for (at, item) in items.iter().enumerate() {
                    out = if at > 0 { out.and(", ") } else { out }.with(self.flow(item));
                }
                out.and("]")
            }
            NodeKind::Map(entries) => {
                let mut out = ShellText::literal("{");
                for (at, (key, value)) in entries.iter().enumerate() {
                    let key = match &key.kind {
                        NodeKind::Scalar(key) => self.scalar(&Scalar { text: key.text.clone(), style: Style::Quoted }),
                        NodeKind::List(_) | NodeKind::Map(_) => self.flow(key),
                    };
                    out = if at > 0 { out.and(", ") } else { out }.with(key).and(": ").with(self.flow(value));
                }
                out.and("}")
            }
        }
    }

    /// Takes a patch back, with what the file holds.
    pub(super) fn restore(&self, block: &mut Block, object: &ObjectRef, yaml_in: Option<&Text>, before: &str) {
        match yaml_in {
            None => {
                // Without its version the object is replaced whatever became of it since.
                let sed = Command::new(format!("sed -E '/^( {{2}}| {{4}})resourceVersion:/d' {}", quote(before)));
                block.pipeline("", &[sed, Command::new("kubectl replace -f -")], "");
            }
            Some(pointer) => match held_key(object, pointer) {
                Some(key) => block.pipeline("", &self.put_back(object, &key, before), ""),
                None => {
                    block.line(format!("before=$(cat {}; echo .)", quote(before)));
                    let (open, lines) = self.field_text(pointer, "before").here_document();
                    let command = self.kubectl("patch", object).arg("--type=merge").arg("--patch-file=/dev/stdin");
                    block.pipeline("", &[command], &open);
                    block.line_below(&lines);
                }
            },
        }
    }
}

/// The key of a ConfigMap that a pointer names.
fn held_key(object: &ObjectRef, pointer: &Text) -> Option<String> {
    let named = matches!(object.which, Which::Name(_)) && object.kind.raw == "ConfigMap" && !pointer.has_template();
    let keys: Vec<String> = segments(&pointer.raw).collect();
    match keys.as_slice() {
        [data, key] if data == "data" && named => Some(key.clone()),
        _ => None,
    }
}

/// JSON on one line, with blanks as people write it.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        single => single.to_string(),
    }
}
