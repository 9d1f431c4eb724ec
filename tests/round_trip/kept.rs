//! What a page's clean-up leaves on purpose, and what it must not leave.

use std::collections::{BTreeMap, BTreeSet};

use periplus_core::manifest;
use periplus_core::model::verb::{Manifest, Verb};
use periplus_core::model::{Step, Text, Which};
use periplus_core::template::Flavour;
use serde_json::Value;

use super::book::{Book, Values};

/// The objects of the steps that `cleanup.keep` names, as [`crate::support::Lab::objects`] names them.
pub(crate) fn kept(book: &Book, values: &mut Values) -> Result<BTreeSet<String>, String> {
    let ids = book.runbook.cleanup.iter().flat_map(|cleanup| &cleanup.keep);
    let steps = ids.filter_map(|id| book.step(id.value.as_str()).map(|(_, step)| step));
    let mut kept = BTreeSet::new();
    for step in steps {
        match &step.verb {
            Verb::Apply(apply) => {
                for manifest in &apply.manifests {
                    let text = match manifest {
                        Manifest::Inline(text) => values.text(&text.raw, Flavour::Manifest)?,
                        Manifest::File { render: true, text, .. } => values.text(text, Flavour::Manifest)?,
                        Manifest::File { text, .. } => text.clone(),
                    };
                    for object in manifest::parse(&text).map_err(|error| error.to_string())? {
                        let field = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                        let (Some(kind), Some(name)) = (field("/kind"), field("/metadata/name")) else { continue };
                        let own = match field("/metadata/namespace") {
                            Some(own) => own,
                            None => namespace(book, step, apply.namespace.as_ref(), values)?,
                        };
                        if kind == "Namespace" {
                            // They come with every namespace.
                            kept.insert(format!("ServiceAccount {name}/default"));
                            kept.insert(format!("ConfigMap {name}/kube-root-ca.crt"));
                            kept.insert(format!("{kind} -/{name}"));
                        } else {
                            kept.insert(format!("{kind} {own}/{name}"));
                        }
                    }
                }
            }
            Verb::Patch(patch) => {
                let (kind, own) = (values.text(&patch.object.kind.raw, Flavour::Text)?, &patch.object.namespace);
                let own = namespace(book, step, own.as_ref(), values)?;
                if let Which::Name(name) = &patch.object.which {
                    kept.insert(format!("{kind} {own}/{}", values.text(&name.raw, Flavour::Text)?));
                }
            }
            _ => {}
        }
    }
    Ok(kept)
}

fn namespace(book: &Book, step: &Step, own: Option<&Text>, values: &mut Values) -> Result<String, String> {
    let found = own.or(step.namespace.as_ref()).or(book.runbook.namespace.as_ref());
    found.map_or(Ok(String::new()), |text| values.text(&text.raw, Flavour::Text))
}

/// What differs between two states of the cluster, kept objects left out.
pub(crate) fn left(
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
    kept: &BTreeSet<String>,
) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| !kept.contains(*name) && before.get(*name) != after.get(*name));
    differing
        .map(|name| match (before.get(name), after.get(name)) {
            (None, _) => format!("{name} is still there"),
            (_, None) => format!("{name} is gone"),
            (Some(old), Some(new)) => format!("{name} was\n{old:#}\nand is\n{new:#}"),
        })
        .collect()
}
