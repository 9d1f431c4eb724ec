//! What a page's clean-up leaves on purpose, and what it must not leave.

use std::collections::{BTreeMap, BTreeSet};

use periplus_core::model::Which;
use periplus_core::model::verb::Verb;
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
            Verb::Apply(_) => {
                for object in book.applied(step, values)? {
                    let field = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                    let (kind, name) = (field("/kind"), field("/metadata/name"));
                    if kind == "Namespace" {
                        // They come with every namespace.
                        kept.insert(format!("ServiceAccount {name}/default"));
                        kept.insert(format!("ConfigMap {name}/kube-root-ca.crt"));
                        kept.insert(format!("{kind} -/{name}"));
                    } else {
                        kept.insert(format!("{kind} {}/{name}", field("/metadata/namespace")));
                    }
                }
            }
            Verb::Patch(patch) => {
                let (kind, own) = (values.text(&patch.object.kind.raw, Flavour::Text)?, &patch.object.namespace);
                let own = book.namespace(step, own.as_ref(), values)?;
                if let Which::Name(name) = &patch.object.which {
                    kept.insert(format!("{kind} {own}/{}", values.text(&name.raw, Flavour::Text)?));
                }
            }
            _ => {}
        }
    }
    Ok(kept)
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
