//! Reading the verbs.

use indexmap::IndexMap;

use super::Decoder;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::model::verb::{
    Apply, Delete, Exec, ExpectObject, Get, LogGrep, Manifest, Patch, PatchKind, Presence, Program, WaitCondition,
    WaitFor,
};
use crate::model::{Effect, Text, Which};
use crate::source::{Node, NodeKind, Spanned, Style};

impl Decoder<'_> {
    pub(super) fn apply(&mut self, node: &Node) -> Option<Apply> {
        let mut object = self.object(node, "`apply`")?;
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        let inline = object.take("manifest").and_then(|node| self.text(node)).map(Manifest::Inline);
        let render = object.take("render").and_then(|node| self.boolean(node)).unwrap_or(false);
        let files =
            object.take("file").map(|node| self.one_or_list(node, |decoder, item| decoder.manifest_file(item, render)));
        let force = object.take("force").and_then(|node| self.boolean(node)).unwrap_or(false);
        let span = object.span;
        object.finish(self);
        let manifests = match (inline, files) {
            (Some(inline), None) => vec![inline],
            (None, Some(files)) => files,
            (inline, _) => {
                let message = if inline.is_some() {
                    "`apply` takes `manifest:` or `file:`, not both"
                } else {
                    "`apply` needs `manifest:` or `file:`"
                };
                self.problem(Code::MissingKey, span, message.to_owned());
                return None;
            }
        };
        (!manifests.is_empty()).then_some(Apply { namespace, manifests, force })
    }

    fn manifest_file(&mut self, node: &Node, render: bool) -> Option<Manifest> {
        let path = self.spanned(node)?;
        let climbs = path.value.split('/').any(|part| part == "..") || path.value.starts_with('/');
        let read = if climbs {
            Err("a file lies in the runbook's folder or below it".to_owned())
        } else {
            self.files.read(&path.value)
        };
        match read {
            Ok(text) => Some(Manifest::File { path, render, text }),
            Err(reason) => {
                let message = format!("cannot read {}: {reason}", path.value);
                let problem = Diagnostic::error(Code::MissingFile, path.span, message);
                self.problems.push(problem.help("paths are relative to the runbook's folder"));
                None
            }
        }
    }

    pub(super) fn exec(&mut self, node: &Node) -> Option<Exec> {
        let mut object = self.object(node, "`exec`")?;
        let like = object.take("like").and_then(|node| self.step_id(node));
        let target_node = object.take("in");
        let target = target_node.and_then(|node| self.container(node));
        let env = object.take("env").map(|node| self.env(node)).unwrap_or_default();
        let command = object.take("command").map(|node| (self.command(node), node.span));
        let sh = object.take("sh").map(|node| (self.text(node).map(Program::Sh), node.span));
        let effects = [("change", Effect::Change), ("read", Effect::Read)];
        let effect = object.take("effect").and_then(|node| self.word(node, &effects)).unwrap_or(Effect::Read);
        let timeout = object.take("timeout").and_then(|node| self.duration(node));
        let span = object.span;
        let complete = like.is_some() || object.has("like");
        object.finish(self);
        let (program, given) = match (command, sh) {
            (Some((command, _)), None) => (command, true),
            (None, Some((sh, _))) => (sh, true),
            (None, None) => (None, false),
            (Some((_, first)), Some((_, second))) => {
                self.problems.push(
                    Diagnostic::error(Code::MisplacedKey, second, "`exec` takes `command:` or `sh:`, not both")
                        .also(first, "the other one"),
                );
                return None;
            }
        };
        if !complete && !given {
            self.problems.push(
                Diagnostic::error(Code::MissingKey, span, "`exec` needs `command:` or `sh:`")
                    .help("or `like: STEP`, to run again what another step runs"),
            );
        }
        if !complete && target_node.is_none() {
            self.problems.push(
                Diagnostic::error(Code::MissingKey, span, "`exec` needs `in:`")
                    .help("such as `in: {workload: deploy/sleep, container: sleep}`"),
            );
        }
        let wanted = (complete || (given && target_node.is_some())) && (!given || program.is_some());
        wanted.then_some(Exec { like, target, env, program, effect, timeout, span })
    }

    fn command(&mut self, node: &Node) -> Option<Program> {
        if let NodeKind::Scalar(_) = node.kind {
            self.problems.push(
                Diagnostic::error(Code::WrongType, node.span, "`command` is a list: the program and its arguments")
                    .help("write [curl, -sS, URL], or use `sh:` for a line of shell"),
            );
            return None;
        }
        let words = self.list(node, Self::text_or_empty)?;
        if words.is_empty() {
            self.problem(Code::WrongType, node.span, "`command` names no program".to_owned());
            return None;
        }
        Some(Program::Command(words))
    }

    fn env(&mut self, node: &Node) -> IndexMap<String, Text> {
        let Some(mut object) = self.object(node, "`env`") else { return IndexMap::new() };
        let mut env = IndexMap::new();
        for (name, span, node) in object.rest() {
            if name.is_empty() || name.contains(['=', '\0']) {
                self.problem(Code::BadValue, span, format!("`{name}` cannot name a variable"));
            } else if let Some(value) = self.text_or_empty(node) {
                env.insert(name.to_owned(), value);
            }
        }
        env
    }

    pub(super) fn log_grep(&mut self, node: &Node) -> Option<LogGrep> {
        let mut object = self.object(node, "`log-grep`")?;
        let target = object.need(self, "in").and_then(|node| self.container(node));
        let file = object.take("file").and_then(|node| self.text(node));
        let since = object.take("since").and_then(|node| self.step_id(node));
        let checks = self.log_checks(&mut object);
        let within = object.take("within").and_then(|node| self.duration(node)).unwrap_or(LogGrep::WITHIN);
        let settle = object.take("settle").and_then(|node| self.duration(node)).unwrap_or(LogGrep::SETTLE);
        object.finish(self);
        Some(LogGrep { target: target?, file, since, checks: checks?, within, settle })
    }

    pub(super) fn delete(&mut self, node: &Node) -> Option<Delete> {
        self.object_ref(node).map(|object| Delete { object })
    }

    pub(super) fn get(&mut self, node: &Node) -> Option<Get> {
        let mut object = self.object(node, "`get`")?;
        let named = self.object_keys(&mut object);
        let one = object.take("one").and_then(|node| self.boolean(node));
        let pick = self.pick(&mut object);
        let yaml_in = object.take("yaml-in").and_then(|node| self.pointer(node));
        object.finish(self);
        let named = named?;
        let one = one.unwrap_or(matches!(named.which, Which::Selector(_)));
        Some(Get { object: named, one, pick, yaml_in })
    }

    pub(super) fn patch(&mut self, node: &Node) -> Option<Patch> {
        let mut object = self.object(node, "`patch`")?;
        let named = object.need(self, "object").and_then(|node| self.object_ref(node));
        let yaml_in = object.take("yaml-in").map(|node| (self.pointer(node), node.span));
        let given: Vec<(PatchKind, &Node)> =
            [("merge", PatchKind::Merge), ("json", PatchKind::Json), ("strategic", PatchKind::Strategic)]
                .into_iter()
                .filter_map(|(key, kind)| object.take(key).map(|node| (kind, node)))
                .collect();
        let span = object.span;
        object.finish(self);
        let &[(kind, patch)] = given.as_slice() else {
            let message = "`patch` has exactly one of `merge:`, `json:` and `strategic:`";
            self.problem(Code::MissingKey, span, message.to_owned());
            return None;
        };
        if let Some((_, span)) = yaml_in
            && kind != PatchKind::Merge
        {
            self.problem(Code::MisplacedKey, span, "`yaml-in` goes with `merge:` only".to_owned());
        }
        let yaml_in = match yaml_in {
            Some((pointer, _)) => Some(pointer?),
            None => None,
        };
        Some(Patch { object: named?, yaml_in, kind, patch: self.tree(patch)? })
    }

    /// A JSON Pointer.
    fn pointer(&mut self, node: &Node) -> Option<Text> {
        let text = self.text(node)?;
        if text.raw.starts_with('/') {
            return Some(text);
        }
        self.problems.push(
            Diagnostic::error(Code::BadValue, node.span, format!("`{}` is not a JSON Pointer", text.raw)).help(
                format!("such as /data/mesh; did you mean `/{}`?", text.raw.trim_start_matches('.').replace('.', "/")),
            ),
        );
        None
    }

    /// `wait` as a verb: `{kind, name | selector, for, timeout}`.
    pub(super) fn wait(&mut self, node: &Node) -> Option<WaitFor> {
        let mut object = self.object(node, "`wait` on its own")?;
        let named = self.object_keys(&mut object);
        let condition = object.need(self, "for").and_then(|node| self.wait_condition(node));
        let timeout = object.take("timeout").and_then(|node| self.duration(node)).unwrap_or(WaitFor::TIMEOUT);
        let span = object.span;
        object.finish(self);
        Some(WaitFor { object: Some(named?), condition: condition?, timeout, span })
    }

    /// `wait` beside a verb: `rollout`, or `{for, timeout}`, or with an object of its own.
    pub(super) fn wait_beside(&mut self, node: &Node) -> Option<WaitFor> {
        if let NodeKind::Scalar(_) = node.kind {
            let condition = self.wait_condition(node)?;
            return Some(WaitFor { object: None, condition, timeout: WaitFor::TIMEOUT, span: node.span });
        }
        let mut object = self.object(node, "`wait`")?;
        let named = if object.has("kind") { Some(self.object_keys(&mut object)?) } else { None };
        let condition = object.need(self, "for").and_then(|node| self.wait_condition(node));
        let timeout = object.take("timeout").and_then(|node| self.duration(node)).unwrap_or(WaitFor::TIMEOUT);
        let span = object.span;
        object.finish(self);
        Some(WaitFor { object: named, condition: condition?, timeout, span })
    }

    fn wait_condition(&mut self, node: &Node) -> Option<WaitCondition> {
        let text = self.text(node)?;
        let part = |raw: &str| Text { raw: raw.to_owned(), span: text.span, style: Style::Quoted };
        let found = match text.raw.split_once('=') {
            None if text.raw == "rollout" => WaitCondition::Rollout,
            None if text.raw == "deletion" || text.raw == "delete" => WaitCondition::Deletion,
            Some(("condition", rest)) => {
                let (kind, status) = rest.split_once('=').unwrap_or((rest, "True"));
                WaitCondition::Condition { kind: part(kind), status: capitalised(status) }
            }
            Some(("jsonpath", rest)) => {
                let (path, value) = match rest.rfind("}=") {
                    Some(end) => (&rest[..=end], Some(&rest[end + 2..])),
                    None => (rest, None),
                };
                WaitCondition::JsonPath { path: part(path), value: value.map(part) }
            }
            _ => {
                self.problems.push(
                    Diagnostic::error(Code::BadValue, node.span, format!("`{}` cannot be waited for", text.raw)).help(
                        "write rollout, deletion, condition=TYPE, condition=TYPE=STATUS or jsonpath={.path}=VALUE",
                    ),
                );
                return None;
            }
        };
        Some(found)
    }

    pub(super) fn expect_object(&mut self, node: &Node) -> Option<ExpectObject> {
        let mut object = self.object(node, "`expect-object`")?;
        let named = self.object_keys(&mut object);
        let matches = object.take("matches").map(|node| self.tree(node));
        let absent = object.take("absent").and_then(|node| self.boolean(node).map(|b| Spanned::new(b, node.span)));
        let polling = self.polling(&mut object);
        let span = object.span;
        object.finish(self);
        let presence = match (matches, absent) {
            (Some(tree), None) => Presence::Matches(tree?),
            (None, Some(Spanned { value: true, .. })) => Presence::Absent,
            (_, Some(Spanned { span, .. })) => {
                let message = "`absent` is `true` and stands alone";
                self.problem(Code::BadValue, span, message.to_owned());
                return None;
            }
            (None, None) => {
                self.problems.push(
                    Diagnostic::error(Code::AssertsNothing, span, "this check can never fail")
                        .help("say what the object `matches:`, or that it is `absent: true`"),
                );
                return None;
            }
        };
        Some(ExpectObject { object: named?, presence, polling, span })
    }
}

/// `true` as Kubernetes writes the status of a condition.
fn capitalised(status: &str) -> String {
    let mut letters = status.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect(),
        None => "True".to_owned(),
    }
}
