//! The objects that a runbook names: each is in exactly one namespace, and manifests hold objects.
//!
//! Whether a kind of an extension has namespaces is known only to the server; here it counts as having one.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::checks::all_steps;
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::manifest::{self, ManifestError};
use crate::model::verb::{Apply, Manifest, Verb};
use crate::model::{In, ObjectRef, Requirement, Runbook, Step, Text};
use crate::source::{Source, Span};
use crate::template::place;

/// Kinds of Kubernetes itself that have no namespace. Extensions call theirs `Cluster…` or `…Class` as a rule.
const CLUSTER_KINDS: [&str; 18] = [
    "APIService",
    "CertificateSigningRequest",
    "ComponentStatus",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "FlowSchema",
    "IPAddress",
    "PriorityLevelConfiguration",
    "ServiceCIDR",
];

fn has_namespaces(kind: &str) -> bool {
    !(CLUSTER_KINDS.contains(&kind) || kind.starts_with("Cluster") || kind.ends_with("Class") || kind.contains("{{"))
}

/// Checks the namespaces of all that is named, and the manifests that hold no template.
pub(super) fn check(runbook: &Runbook, source: &Source, problems: &mut Vec<Diagnostic>) {
    let mut objects = Objects { source: &source.text, manifests: BTreeMap::new(), problems };
    let top = runbook.namespace.is_some();
    for requirement in &runbook.requires {
        match requirement {
            Requirement::Object(named) => objects.named(named, top),
            Requirement::Sidecar { namespace: None, span, .. } if !top => objects.missing(*span, "these pods"),
            _ => {}
        }
    }
    for step in all_steps(runbook) {
        objects.step(step, top || step.namespace.is_some());
    }
}

struct Objects<'r, 'p> {
    source: &'r str,
    manifests: BTreeMap<&'r str, Rc<Result<Vec<Value>, ManifestError>>>,
    problems: &'p mut Vec<Diagnostic>,
}

impl<'r> Objects<'r, '_> {
    fn step(&mut self, step: &'r Step, default: bool) {
        match &step.verb {
            Verb::Apply(apply) => self.apply(apply, default),
            Verb::Exec(exec) => exec.target.iter().for_each(|target| self.container(target, default)),
            Verb::LogGrep(grep) => self.container(&grep.target, default),
            Verb::Delete(delete) => self.named(&delete.object, default),
            Verb::Patch(patch) => self.named(&patch.object, default),
            Verb::Wait(wait) => wait.object.iter().for_each(|named| self.named(named, default)),
            Verb::Get(get) => self.named(&get.object, default),
            Verb::ExpectObject(expect) => self.named(&expect.object, default),
            Verb::ExpectOutput(_) => {}
        }
        if let Some(named) = step.wait.as_ref().and_then(|wait| wait.object.as_ref()) {
            self.named(named, default);
        }
        if let Some(expect) = &step.expect_object {
            self.named(&expect.object, default);
        }
    }

    fn named(&mut self, named: &ObjectRef, default: bool) {
        if named.namespace.is_none() && !default && has_namespaces(&named.kind.raw) {
            self.missing(named.span, &format!("this {}", named.kind.raw));
        }
    }

    fn container(&mut self, target: &In, default: bool) {
        if target.namespace.is_none() && !default {
            self.missing(target.span, "this pod");
        }
    }

    fn missing(&mut self, span: Span, what: &str) {
        let line = self.source.get(span.range()).and_then(|text| text.find('\n')).unwrap_or(span.end - span.start);
        let span = Span::new(span.start, span.start + line);
        self.problems.push(
            Diagnostic::error(Code::NoNamespace, span, format!("nothing says in which namespace {what} is"))
                .help("add `namespace:` here, to the step, or at the top of the runbook"),
        );
    }

    fn apply(&mut self, apply: &'r Apply, default: bool) {
        for manifest in &apply.manifests {
            let (text, span) = match manifest {
                Manifest::Inline(text) if !text.has_template() => (text.raw.as_str(), text.span),
                Manifest::File { path, render: false, text } => (text.as_str(), path.span),
                Manifest::File { path, render: true, text } if !text.contains("{{") => (text.as_str(), path.span),
                // What templates make of it is known in a run.
                _ => continue,
            };
            let read = Rc::clone(self.manifests.entry(text).or_insert_with(|| Rc::new(manifest::parse(text))));
            match read.as_ref() {
                Ok(objects) => objects.iter().for_each(|object| self.object(object, apply, span, default)),
                Err(error) => {
                    let (message, line) = told(error, text);
                    let (message, span) = match (manifest, line) {
                        (Manifest::Inline(text), Some((at, _))) => (message, place(self.source, text, at..at)),
                        (Manifest::File { path, .. }, Some((_, line))) => {
                            (format!("{}:{line}: {message}", path.value), span)
                        }
                        (Manifest::File { path, .. }, None) => (format!("{}: {message}", path.value), span),
                        (Manifest::Inline(_), None) => (message, span),
                    };
                    self.problems.push(
                        Diagnostic::error(Code::BadManifest, span, message)
                            .help("a manifest holds objects with `apiVersion`, `kind` and `metadata.name`"),
                    );
                }
            }
        }
    }

    fn object(&mut self, object: &Value, apply: &Apply, span: Span, default: bool) {
        let kind = object["kind"].as_str().unwrap_or_default();
        if !has_namespaces(kind) {
            return;
        }
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
        match (own, apply.namespace.as_ref()) {
            (None, None) if !default => self.missing(span, &format!("{kind} {name}")),
            (Some(own), Some(given)) if differ(own, given) => self.problems.push(
                Diagnostic::error(
                    Code::TwoNamespaces,
                    given.span,
                    format!("{kind} {name} is in namespace {own} by its manifest, and in {} by this key", given.raw),
                )
                .also(span, "the manifest")
                .help("drop one of the two"),
            ),
            _ => {}
        }
    }
}

/// The error on one line, and where it is: byte and line of the text.
///
/// The parser draws the place below its words; here the place is shown in the runbook instead.
fn told(error: &ManifestError, text: &str) -> (String, Option<(usize, usize)>) {
    let whole = error.to_string();
    let first = whole.lines().next().unwrap_or_default();
    let split = first.split_once("error: line ").and_then(|(before, rest)| {
        let (line, rest) = rest.split_once(" column ")?;
        let (column, reason) = rest.split_once(": ")?;
        Some((before, line.parse::<usize>().ok()?, column.parse::<usize>().ok()?, reason))
    });
    let Some((before, line, column, reason)) = split else { return (first.to_owned(), None) };
    let start = if line <= 1 { 0 } else { text.match_indices('\n').nth(line - 2).map_or(text.len(), |(at, _)| at + 1) };
    let skip = text[start..].chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>();
    (format!("{before}{reason}"), Some((start + skip, line)))
}

fn differ(own: &str, given: &Text) -> bool {
    !given.has_template() && given.raw != own
}
