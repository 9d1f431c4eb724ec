//! Reading what stands outside the steps: name, parameters, requirements, clean-up, notes.

use indexmap::IndexMap;

use super::object::Object;
use super::{API_VERSION, Decoder};
use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::model::{Can, Cleanup, Param, ParamType, Requirement, Runbook, ScalarType, StepId};
use crate::params::check_default;
use crate::source::{Node, NodeKind, Spanned};

impl Decoder<'_> {
    /// The whole file.
    pub(super) fn runbook(&mut self, root: &Node) -> Option<Runbook> {
        let mut object = self.object(root, "a runbook")?;
        if !self.is_runbook(&mut object) {
            return None;
        }
        let metadata = object.need(self, "metadata").and_then(|node| {
            let mut metadata = self.object(node, "`metadata`")?;
            let name = metadata.need(self, "name").and_then(|node| self.step_id(node));
            let title = metadata.take("title").and_then(|node| self.string(node));
            metadata.finish(self);
            Some((name?, title))
        });
        let summary = object.take("summary").and_then(|node| self.string(node));
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        let params = object.take("params").map(|node| self.params(node)).unwrap_or_default();
        let requires = object.take("requires").and_then(|node| self.list(node, Self::requirement)).unwrap_or_default();
        let steps = object.need(self, "steps").and_then(|node| self.list(node, Self::step)).unwrap_or_default();
        let cleanup = object.take("cleanup").and_then(|node| self.cleanup(node));
        let on_failure = object.take("on-failure").and_then(|node| self.list(node, Self::step)).unwrap_or_default();
        let notes = object.take("notes").and_then(|node| self.list(node, Self::string)).unwrap_or_default();
        let timeout = object.take("timeout").and_then(|node| self.duration(node));
        let object_span = object.span;
        object.finish(self);
        // Without a name the runbook cannot be used, but all the rest of it can be looked at.
        let nameless = || (Spanned::new(StepId(String::new()), object_span), None);
        let (name, title) = metadata.unwrap_or_else(nameless);
        let name = name.map(|id| id.0);
        Some(Runbook { name, title, summary, namespace, params, requires, steps, cleanup, on_failure, notes, timeout })
    }

    /// Whether the file says that it is a runbook of this version; nothing else is worth saying if not.
    fn is_runbook(&mut self, object: &mut Object<'_>) -> bool {
        let version = object.need(self, "apiVersion");
        let kind = object.need(self, "kind");
        let (Some(version), Some(kind)) = (version, kind) else { return false };
        let (Some(found_version), Some(found_kind)) = (self.spanned(version), self.spanned(kind)) else { return false };
        for (found, wanted) in [(found_kind, "Runbook"), (found_version, API_VERSION)] {
            if found.value != wanted {
                self.problems.push(
                    Diagnostic::error(Code::NotARunbook, found.span, format!("`{}` is not `{wanted}`", found.value))
                        .help(format!("a runbook has `apiVersion: {API_VERSION}` and `kind: Runbook`")),
                );
                return false;
            }
        }
        true
    }

    fn params(&mut self, node: &Node) -> IndexMap<String, Param> {
        let Some(mut object) = self.object(node, "`params`") else { return IndexMap::new() };
        let mut params = IndexMap::new();
        for (name, span, node) in object.rest() {
            if !is_identifier(name) {
                self.problems.push(
                    Diagnostic::error(Code::BadValue, span, format!("`{name}` cannot name a parameter"))
                        .help("a name has letters, digits and underscores, and does not start with a digit"),
                );
            } else if let Some(param) = self.param(name, node) {
                params.insert(name.to_owned(), param);
            } else {
                self.lost_names.insert(name.to_owned());
            }
        }
        params
    }

    fn param(&mut self, name: &str, node: &Node) -> Option<Param> {
        let mut object = self.object(node, "a parameter")?;
        let kind_node = object.need(self, "type");
        let kind_name = kind_node.and_then(|node| self.spanned(node));
        let values = object.take("values").and_then(|node| self.list(node, Self::string));
        let of = object.take("of").and_then(|node| self.word(node, &ScalarType::TABLE));
        let description = object.take("description").and_then(|node| self.string(node));
        let default = object.take("default").map(|node| (self.one_or_list(node, Self::text_or_empty), node.span));
        let env = object.take("env").and_then(|node| self.string(node));
        let optional = object.take("optional").and_then(|node| self.boolean(node)).unwrap_or(false);
        let pattern = object.take("pattern").and_then(|node| self.spanned(node));
        let secret = object.take("secret").and_then(|node| self.boolean(node)).unwrap_or(false);
        let span = object.span;
        object.finish(self);
        let kind = self.param_type(&kind_name?, values, of)?;
        if let (true, Some((_, default))) = (optional, &default) {
            self.problems.push(
                Diagnostic::error(Code::BadParameter, *default, "an optional parameter has no default")
                    .help("drop `optional: true`: a parameter with a default need not be given"),
            );
        }
        if let Some(pattern) = &pattern
            && let Err(error) = regex::Regex::new(&pattern.value)
        {
            self.problem(
                Code::BadPattern,
                pattern.span,
                format!("this is no regular expression: {}", last_line(&error)),
            );
        }
        let default =
            default.map(|(values, span)| Spanned::new(values.into_iter().map(|text| text.raw).collect(), span));
        let param = Param { kind, description, default, env, optional, pattern, secret, span };
        if let (Err(reason), Some(default)) = (check_default(name, &param), &param.default) {
            self.problem(Code::BadParameter, default.span, reason);
        }
        Some(param)
    }

    fn param_type(
        &mut self,
        name: &Spanned<String>,
        values: Option<Vec<String>>,
        of: Option<ScalarType>,
    ) -> Option<ParamType> {
        match (name.value.as_str(), values, of) {
            ("enum", Some(values), None) if !values.is_empty() => Some(ParamType::Enum(values)),
            ("enum", ..) => {
                self.problem(Code::BadParameter, name.span, "an enum lists its `values:`".to_owned());
                None
            }
            ("list", None, of) => Some(ParamType::List(of.unwrap_or(ScalarType::String))),
            (scalar, None, None) => {
                let found = ScalarType::TABLE.iter().find(|(word, _)| *word == scalar).map(|(_, kind)| *kind);
                if found.is_none() {
                    let names = ScalarType::TABLE.iter().map(|(word, _)| *word).chain(["enum", "list"]);
                    let listed: Vec<&str> = names.clone().collect();
                    let problem = Diagnostic::error(
                        Code::BadValue,
                        name.span,
                        format!("`{scalar}` is not a type; types are: {}", listed.join(", ")),
                    );
                    self.problems.push(match nearest(scalar, names) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem,
                    });
                }
                found.map(ParamType::Scalar)
            }
            (_, values, _) => {
                let key = if values.is_some() { "values" } else { "of" };
                self.problem(Code::BadParameter, name.span, format!("`{key}:` does not go with type `{}`", name.value));
                None
            }
        }
    }

    fn requirement(&mut self, node: &Node) -> Option<Requirement> {
        let mut object = self.object(node, "a requirement")?;
        let span = object.span;
        let found = [
            object.take("object").map(|node| self.object_ref(node).map(Requirement::Object)),
            object.take("serves").map(|node| self.serves(node)),
            object.take("sidecar").map(|node| self.sidecar(node)),
            object.take("access-log").map(|node| {
                let words = [("text", "text"), ("json", "json")];
                let encoding = self.word(node, &words)?;
                Some(Requirement::AccessLog(Spanned::new(encoding.to_owned(), node.span)))
            }),
            object.take("can").map(|node| self.can(node)),
        ];
        object.finish(self);
        let mut given = found.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(requirement), None) => requirement,
            _ => {
                self.problem(
                    Code::MissingKey,
                    span,
                    "a requirement is exactly one of `object`, `serves`, `sidecar`, `access-log`, `can`".to_owned(),
                );
                None
            }
        }
    }

    fn serves(&mut self, node: &Node) -> Option<Requirement> {
        let mut object = self.object(node, "`serves`")?;
        let kind = object.need(self, "kind").and_then(|node| self.text(node));
        let api_version = object.need(self, "apiVersion").and_then(|node| self.text(node));
        object.finish(self);
        Some(Requirement::Serves { kind: kind?, api_version: api_version? })
    }

    fn sidecar(&mut self, node: &Node) -> Option<Requirement> {
        let mut object = self.object(node, "`sidecar`")?;
        let selector = object.need(self, "selector").and_then(|node| self.text(node));
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        let span = object.span;
        object.finish(self);
        Some(Requirement::Sidecar { selector: selector?, namespace, span })
    }

    fn can(&mut self, node: &Node) -> Option<Requirement> {
        let mut object = self.object(node, "`can`")?;
        let verb = object.need(self, "verb").and_then(|node| self.text(node));
        let resource = object.need(self, "resource").and_then(|node| self.text(node));
        let group = object.take("group").and_then(|node| self.text_or_empty(node));
        let namespace = object.take("namespace").and_then(|node| self.text(node));
        object.finish(self);
        Some(Requirement::Can(Can { verb: verb?, resource: resource?, group, namespace }))
    }

    fn cleanup(&mut self, node: &Node) -> Option<Cleanup> {
        if matches!(&node.kind, NodeKind::Map(entries) if entries.is_empty()) {
            return Some(Cleanup::default());
        }
        let mut object = self.object(node, "`cleanup`")?;
        let keep = object.take("keep").and_then(|node| self.list(node, Self::step_id)).unwrap_or_default();
        let steps = object.take("steps").and_then(|node| self.list(node, Self::step)).unwrap_or_default();
        object.finish(self);
        Some(Cleanup { keep, steps })
    }
}

/// Whether a text can name a parameter or a capture.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The sentence of a regular expression's error, without its drawing.
pub(super) fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
