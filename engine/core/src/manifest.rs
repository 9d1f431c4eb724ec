//! Reading manifests as kubectl does: several YAML documents, YAML 1.1's octals and booleans, lists of objects.

use serde_json::Value;
use thiserror::Error;

/// Why a text is not a set of Kubernetes objects.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ManifestError {
    /// No YAML.
    #[error("the manifest is not valid YAML: {0}")]
    Syntax(String),
    /// There is nothing in it.
    #[error("the manifest holds no object")]
    Empty,
    /// A document is no object, or lacks what every object has.
    #[error("document {document} of the manifest {problem}")]
    NotAnObject {
        /// From 1, empty documents left out.
        document: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Reads all objects of a text, in the order in which they are to be applied: namespaces first, then custom resource
/// definitions, then all others in the order of the text.
///
/// # Errors
/// [`ManifestError`] for the first document that cannot be used.
pub fn parse(text: &str) -> Result<Vec<Value>, ManifestError> {
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    let documents: Vec<Value> = serde_yaml::from_multiple_with_options(text, options)
        .map_err(|error| ManifestError::Syntax(error.to_string()))?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        collect(document, index + 1, &mut objects)?;
    }
    if objects.is_empty() {
        return Err(ManifestError::Empty);
    }
    objects.sort_by_key(|object| match object["kind"].as_str() {
        Some("Namespace") => 0,
        Some("CustomResourceDefinition") => 1,
        _ => 2,
    });
    Ok(objects)
}

fn collect(mut document: Value, number: usize, objects: &mut Vec<Value>) -> Result<(), ManifestError> {
    let not_an_object = |problem| Err(ManifestError::NotAnObject { document: number, problem });
    if document.is_null() {
        return Ok(());
    }
    whole_numbers(&mut document);
    let Some(map) = document.as_object_mut() else { return not_an_object("is not a mapping") };
    let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(_), Some(kind)) = (text("apiVersion"), text("kind")) else {
        return not_an_object("lacks `apiVersion` or `kind`");
    };
    if kind.ends_with("List")
        && let Some(Value::Array(items)) = map.get_mut("items")
    {
        for item in std::mem::take(items) {
            collect(item, number, objects)?;
        }
        return Ok(());
    }
    if document.pointer("/metadata/name").and_then(Value::as_str).is_none_or(str::is_empty) {
        return not_an_object("lacks `metadata.name`");
    }
    objects.push(document);
    Ok(())
}

/// Kubernetes' tools read YAML by way of JSON, where `1.0` and `1e3` are whole numbers.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9.0e15) {
                #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
                let whole = float as i64;
                *value = Value::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<String> {
        parse(text)
            .expect("valid")
            .iter()
            .map(|object| object["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn documents_and_lists_become_objects_in_the_order_of_applying() {
        let text = "
---
# nothing here
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: b}}
- {apiVersion: v1, kind: Namespace, metadata: {name: c}}
";
        assert_eq!(kinds(text), ["Namespace", "ConfigMap", "Secret"]);
    }

    #[test]
    fn numbers_mean_what_they_mean_to_kubectl() {
        let text =
            "{apiVersion: v1, kind: X, metadata: {name: a}, mode: 0644, whole: 1e3, part: 1.5, on: yes, text: '0644'}";
        let object = &parse(text).expect("valid")[0];
        assert_eq!((&object["mode"], &object["whole"], &object["part"]), (&420.into(), &1000.into(), &1.5.into()));
        assert_eq!((&object["on"], &object["text"]), (&Value::Bool(true), &"0644".into()));
    }

    #[test]
    fn what_is_no_object_is_named_by_its_number() {
        assert_eq!(parse("# nothing\n"), Err(ManifestError::Empty));
        assert!(matches!(parse("a: ["), Err(ManifestError::Syntax(_))));
        for (text, problem) in [
            ("[1]", "is not a mapping"),
            ("{kind: A}", "lacks `apiVersion` or `kind`"),
            ("{apiVersion: v1, kind: A}", "lacks `metadata.name`"),
        ] {
            let text = format!("{{apiVersion: v1, kind: A, metadata: {{name: a}}}}\n---\n{text}\n");
            assert_eq!(parse(&text), Err(ManifestError::NotAnObject { document: 2, problem }));
        }
    }
}
