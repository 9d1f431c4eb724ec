//! What the cluster holds after a block: a command may be accepted and still be wrong.

use periplus_core::expect::{Judgement, ObjectCheck, ObjectSpec};
use periplus_core::model::verb::{PatchKind, Verb};
use periplus_core::model::{ObjectRef, Step, Text, Which};
use periplus_core::template::{Flavour, shell_quote};
use periplus_core::yaml_edit;
use serde_json::Value;

use super::book::{Book, Values};
use super::session::Session;

/// The objects that an [`ObjectRef`] means, as the cluster has them now.
pub(crate) fn objects(
    step: &Step,
    object: &ObjectRef,
    book: &Book,
    values: &mut Values,
    session: &mut Session,
) -> Result<Vec<Value>, String> {
    let namespace = book.namespace(step, object.namespace.as_ref(), values)?;
    let mut text = |text: &Text| values.text(&text.raw, Flavour::Text);
    let which = match &object.which {
        Which::Name(name) => shell_quote(&text(name)?),
        Which::Selector(labels) => format!("-l {}", shell_quote(&text(labels)?)),
    };
    let api_version = object.api_version.as_ref().map(&mut text).transpose()?.unwrap_or_default();
    get(session, &api_version, &text(&object.kind)?, &which, &namespace)
}

fn get(
    session: &mut Session,
    api_version: &str,
    kind: &str,
    which: &str,
    namespace: &str,
) -> Result<Vec<Value>, String> {
    let kind = match api_version.split_once('/') {
        Some((group, version)) => format!("{kind}.{version}.{group}"),
        None => kind.to_owned(),
    };
    let namespace = shell_quote(namespace);
    let ran = session.paste(&format!("kubectl get {kind} {which} -n {namespace} -o json --ignore-not-found"))?;
    match serde_json::from_str(&ran.stdout) {
        Ok(Value::Object(mut list)) if list.contains_key("items") => match list.remove("items") {
            Some(Value::Array(items)) => Ok(items),
            _ => Ok(Vec::new()),
        },
        Ok(one) => Ok(vec![one]),
        Err(_) if ran.stdout.trim().is_empty() && ran.exit == 0 => Ok(Vec::new()),
        Err(error) => Err(format!("{kind} {which} to be read, not {error}: {}", ran.stderr)),
    }
}

/// Judges objects: of several, one that is as it should be is enough.
pub(crate) fn judged(check: &ObjectCheck, found: &[Value]) -> Result<(), String> {
    let judge = |object: Option<&Value>| match check.judge(object) {
        Judgement::Held { .. } => Ok(()),
        Judgement::Failed { mismatches } => Err(format!("the object to be as it should: {mismatches:#?}")),
    };
    if found.iter().any(|object| judge(Some(object)).is_ok()) { Ok(()) } else { judge(found.first()) }
}

/// What a step changes must now be so.
pub(crate) fn changed(step: &Step, book: &Book, values: &mut Values, session: &mut Session) -> Result<(), String> {
    match &step.verb {
        Verb::Apply(_) => {
            for mut object in book.applied(step, values)? {
                let text =
                    |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
                let name = shell_quote(&text("/metadata/name"));
                let found = get(session, &text("/apiVersion"), &text("/kind"), &name, &text("/metadata/namespace"))?;
                if let Some(fields) = object.as_object_mut() {
                    fields.remove("apiVersion");
                }
                judged(&matching(object)?, &found)?;
            }
            Ok(())
        }
        Verb::Patch(patch) if patch.kind != PatchKind::Json => {
            let wanted = matching(values.tree(&patch.patch)?)?;
            let found = objects(step, &patch.object, book, values, session)?;
            match &patch.yaml_in {
                None => judged(&wanted, &found),
                Some(pointer) => {
                    let pointer = values.text(&pointer.raw, Flavour::Text)?;
                    let held = found.iter().filter_map(|object| object.pointer(&pointer)?.as_str());
                    judged(&wanted, &held.map(yaml_edit::parse).collect::<Result<Vec<_>, _>>()?)
                }
            }
        }
        Verb::Delete(delete) => {
            let gone = ObjectSpec { matches: None, absent: true }.compile().map_err(|problem| problem.to_string())?;
            judged(&gone, &objects(step, &delete.object, book, values, session)?)
        }
        _ => Ok(()),
    }
}

fn matching(tree: Value) -> Result<ObjectCheck, String> {
    ObjectSpec { matches: Some(tree), absent: false }.compile().map_err(|problem| problem.to_string())
}
