//! Manifests as texts: cut into documents, with what kubectl must be told about each.

use periplus_core::manifest;
use periplus_core::model::Text;
use periplus_core::model::verb::{Apply, Manifest};
use periplus_core::source::{LIMITS, Node, NodeKind, tree};
use periplus_core::template::{Flavour, Template};
use serde_json::Value;

use super::kinds;
use super::names::Names;

/// An object of a manifest. Its texts hold templates as the runbook has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: String,
    pub(super) api_version: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

impl Object {
    pub(super) fn is_cluster_wide(&self) -> bool {
        kinds::is_cluster_wide(&self.kind, Some(&self.api_version))
    }

    /// Whether kubectl must be told a namespace for it.
    pub(super) fn needs_namespace(&self) -> bool {
        self.namespace.is_none() && !self.is_cluster_wide()
    }
}

/// A document of a manifest.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// As written; rendered unless it is from a file that is taken as it is.
    pub(super) text: String,
    pub(super) objects: Vec<Object>,
}

impl Document {
    /// The items of a list of objects, each as a tree, where they are just its objects. `text` is the document with
    /// marks for its values.
    pub(super) fn items(&self, text: &str, names: &Names) -> Option<Vec<Node>> {
        let entries = |node: Node| if let NodeKind::Map(entries) = node.kind { Some(entries) } else { None };
        let is_items = |key: &Node| matches!(&key.kind, NodeKind::Scalar(key) if key.text == "items");
        let list = entries(tree(text, LIMITS).ok()?)?.into_iter().find(|(key, _)| is_items(key))?.1;
        let NodeKind::List(mut items) = list.kind else { return None };
        items.iter_mut().for_each(|item| names.unmark_tree(item));
        // What only looks like a template would be taken for one.
        (!text.contains("{{") && items.len() == self.objects.len()).then_some(items)
    }
}

/// A text of documents.
#[derive(Clone, Debug)]
pub(super) struct Documents<'b> {
    /// The file that it stands in and that can be named as it is.
    pub(super) file: Option<&'b str>,
    pub(super) rendered: bool,
    pub(super) text: &'b str,
    pub(super) documents: Vec<Document>,
}

/// The manifests of an `apply`.
pub(super) fn documents<'b>(apply: &'b Apply, names: &Names) -> Vec<Documents<'b>> {
    let all = apply.manifests.iter().map(|manifest| {
        let (file, rendered, text) = match manifest {
            Manifest::Inline(Text { raw, .. }) => (None, true, raw.as_str()),
            Manifest::File { path, render, text } => ((!render).then_some(path.value.as_str()), *render, text.as_str()),
        };
        let documents = cut(text)
            .into_iter()
            .map(|text| {
                let objects = objects(&text, rendered, names);
                Document { text, objects }
            })
            .collect();
        Documents { file, rendered, text, documents }
    });
    all.collect()
}

/// The documents of a text, each with its own comments; blank ones are left out.
fn cut(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            documents.push(String::new());
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
        }
    }
    documents.retain(|document| !document.trim().is_empty());
    documents
}

fn objects(text: &str, rendered: bool, names: &Names) -> Vec<Object> {
    let marked = if rendered {
        Template::parse(text, Flavour::Manifest)
            .ok()
            .and_then(|template| template.render(&names.marks).or_else(|_| template.render(&names.example)).ok())
    } else {
        Some(text.to_owned())
    };
    let parsed = marked.and_then(|text| manifest::parse(&text).ok()).unwrap_or_default();
    parsed
        .iter()
        .map(|object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(|text| names.unmark(text));
            Object {
                kind: text("/kind").unwrap_or_default(),
                api_version: text("/apiVersion").unwrap_or_default(),
                name: text("/metadata/name").unwrap_or_default(),
                namespace: text("/metadata/namespace"),
            }
        })
        .collect()
}
