//! YAML as kubectl reads it.
//!
//! Invariant: `0644` is 420 and `1.0` in place of an integer is 1, as with `kubectl apply`.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::WorldError;

/// Nodes of one text. A world is written by hand; this bounds what a hostile one costs.
const MAX_NODES: usize = 1_000_000;

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_yaml::budget! { max_nodes: MAX_NODES, max_events: MAX_NODES * 2 },
    }
}

fn error(error: &serde_yaml::Error) -> WorldError {
    let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let text = error.to_string();
    // The library ends its messages with the position that is reported on its own here.
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    WorldError::Syntax { line, column, message }
}

/// Reads one document into a type.
pub(super) fn typed<T: DeserializeOwned>(text: &str) -> Result<T, WorldError> {
    serde_yaml::from_str_with_options(text, options()).map_err(|found| error(&found))
}

/// Reads all documents of a text; empty ones are left out.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, WorldError> {
    let mut documents: Vec<Value> =
        serde_yaml::from_multiple_with_options(text, options()).map_err(|found| error(&found))?;
    documents.retain(|document| !document.is_null());
    for document in &mut documents {
        make_integers(document);
    }
    Ok(documents)
}

/// Turns whole floats into integers: the parser reads legacy octal numbers as floats.
pub(super) fn make_integers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() < 9_007_199_254_740_992.0
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits, as checked above")]
                let integer = float as i64;
                *value = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_integers),
        Value::Object(map) => map.values_mut().for_each(make_integers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn manifests_read_as_kubectl_reads_them() {
        let read = documents("mode: 0644\non: yes\nport: 3128\nname: \"0644\"\n---\n# nothing\n---\nb: 1.5\n").unwrap();
        assert_eq!(read, [json!({"mode": 420, "on": true, "port": 3128, "name": "0644"}), json!({"b": 1.5})]);
    }

    #[test]
    fn a_syntax_error_has_a_line() {
        let WorldError::Syntax { line, .. } = documents("a: 1\nb: [1\nc: 2\n").unwrap_err() else { panic!("syntax") };
        assert!(line >= 2, "{line}");
    }
}
