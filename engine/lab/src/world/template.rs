//! Filling parameters into the texts of a world.
//!
//! Invariant: only texts that hold `{{` are touched.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::params::Params;

/// Fills parameters into a text; an error is a sentence about what is wrong with the text.
pub type Renderer = Arc<dyn Fn(&str, &Params) -> Result<String, String> + Send + Sync>;

/// The renderer of a lab that is given none: `{{NAME}}` alone, every name known.
///
/// # Errors
/// A sentence about the expression that it cannot fill in.
pub fn substitute(text: &str, params: &Params) -> Result<String, String> {
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or_else(|| "a `{{` has no `}}`".to_owned())?;
        let name = name.trim();
        let value = params.get(name).ok_or_else(|| format!("no parameter is called {name:?}"))?;
        rendered.push_str(before);
        match value {
            Value::String(text) => rendered.push_str(text),
            other => rendered.push_str(&other.to_string()),
        }
        rest = after;
    }
    rendered.push_str(rest);
    Ok(rendered)
}

/// Renders every text of a value, names of members included.
pub(super) fn render_value(value: &Value, params: &Params, renderer: &Renderer) -> Result<Value, String> {
    let text = |text: &String| if text.contains("{{") { renderer(text, params) } else { Ok(text.clone()) };
    Ok(match value {
        Value::String(string) => Value::String(text(string)?),
        Value::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| render_value(item, params, renderer)).collect();
            Value::Array(items?)
        }
        Value::Object(members) => {
            let mut map = Map::with_capacity(members.len());
            for (key, member) in members {
                map.insert(text(key)?, render_value(member, params, renderer)?);
            }
            Value::Object(map)
        }
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_filled_in_and_unknown_ones_refused() {
        let params = Params::from_iter([("IP".to_owned(), json!("10.0.0.1")), ("PORT".to_owned(), json!(3128))]);
        assert_eq!(substitute("{{IP}}:{{ PORT }}!", &params), Ok("10.0.0.1:3128!".to_owned()));
        assert_eq!(substitute("{{NO}}", &params), Err("no parameter is called \"NO\"".to_owned()));
        let renderer: Renderer = Arc::new(substitute);
        let value = render_value(&json!({"{{PORT}}": ["{{IP}}", 1]}), &params, &renderer);
        assert_eq!(value, Ok(json!({"3128": ["10.0.0.1", 1]})));
    }
}
