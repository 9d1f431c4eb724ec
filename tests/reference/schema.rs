//! The JSON Schema of runbooks as tables for people: an object, its keys, and the rules between them.
//!
//! Everything is read from the schema; the only names known here are those of the small shapes that it is made of.

use periplus_core::model::verb::VERBS;
use periplus_core::schema;
use serde_json::{Map, Value};

use super::markdown::{code, listed, plain, table, without_default};

/// Where the objects of the format are described.
pub(super) const PAGE: &str = "runbook.md";

/// The schema of runbooks.
pub(super) struct Format {
    root: Value,
    /// The page that is being written: links within it are short.
    page: &'static str,
}

/// An object of the format.
pub(super) struct Object<'a> {
    /// Its name among the schema's definitions.
    pub name: String,
    schema: &'a Value,
}

impl Format {
    pub(super) fn on(page: &'static str) -> Self {
        Self { root: schema::runbook(), page }
    }

    /// The object of a definition.
    pub(super) fn object(&self, name: &str) -> Object<'_> {
        Object { name: name.to_owned(), schema: self.definition(name) }
    }

    /// The definition that a key of a step refers to.
    pub(super) fn verb(&self, key: &str) -> Object<'_> {
        let target = &self.definition("Step")["properties"][key]["$ref"];
        self.object(reference(target).expect("a verb is an object"))
    }

    /// All objects, each below the first that uses it; the runbook itself first.
    pub(super) fn objects(&self) -> Vec<Object<'_>> {
        let mut names = vec![self.root["title"].as_str().unwrap_or_default().to_owned()];
        self.collect(&self.root["properties"], &mut names);
        names.iter().map(|name| self.object(name)).collect()
    }

    fn collect(&self, within: &Value, names: &mut Vec<String>) {
        match within {
            Value::Object(entries) => {
                if let Some(name) = entries.get("$ref").and_then(reference)
                    && !names.iter().any(|known| known == name)
                    && self.properties(self.definition(name)).is_some()
                {
                    names.push(name.to_owned());
                    self.collect(self.definition(name), names);
                }
                for value in entries.values() {
                    self.collect(value, names);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, names)),
            _ => {}
        }
    }

    fn definition(&self, name: &str) -> &Value {
        if self.root["title"] == name {
            return &self.root;
        }
        let found = &self.root["$defs"][name];
        assert!(!found.is_null(), "the schema has no {name}");
        found
    }

    /// The keys of an object, also of one that may be written shorter.
    fn properties<'a>(&self, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        self.keyed(schema)?["properties"].as_object()
    }

    /// The arm of a definition that has keys.
    fn keyed<'a>(&self, schema: &'a Value) -> Option<&'a Value> {
        let arms = schema["anyOf"].as_array().into_iter().flatten();
        std::iter::once(schema).chain(arms).find(|arm| arm["properties"].is_object())
    }

    /// Each key of the format with the object that has it.
    pub(super) fn keys(&self) -> Vec<(String, String)> {
        let objects = self.objects();
        let keys = objects.iter().flat_map(|object| {
            let keys = self.properties(object.schema).into_iter().flat_map(Map::keys);
            keys.map(|key| (object.name.clone(), key.clone())).collect::<Vec<_>>()
        });
        keys.collect()
    }

    /// The name of an object as a heading: the key where it is one.
    pub(super) fn heading(&self, name: &str) -> String {
        let kebab = kebab(name);
        if self.keys().iter().any(|(_, key)| *key == kebab) {
            return code(&kebab);
        }
        let mut letters = kebab.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        format!("{first}{}", letters.as_str()).replace('-', " ")
    }

    /// A link to an object.
    pub(super) fn link(&self, name: &str) -> String {
        let heading = self.heading(name);
        let page = if self.page == PAGE { "" } else { PAGE };
        format!("[{heading}]({page}#{})", kebab(name))
    }

    /// The keys of an object as a table, the rules between them, and where it stands.
    pub(super) fn describe(&self, object: &Object<'_>) -> String {
        let mut text = String::new();
        let keyed = self.keyed(object.schema).expect("an object has keys");
        let required: Vec<&str> = strings(&keyed["required"]);
        let properties = keyed["properties"].as_object().expect("an object has keys");
        let rows = properties.iter().map(|(key, schema)| {
            let described = schema["description"].as_str().unwrap_or_default();
            let (meaning, default) = without_default(described);
            let default = match default {
                _ if required.contains(&key.as_str()) => "**required**".to_owned(),
                Some(default) => self.default(&default),
                None => String::new(),
            };
            let meaning = format!("{}{}", plain(&meaning), self.choices(schema));
            vec![self.key(object, key), self.kind(schema), default, meaning]
        });
        text.push_str(&table(&["Key", "Type", "Default", "Meaning"], rows));
        for rule in self.rules(object.schema) {
            text.push('\n');
            text.push_str(&rule);
            text.push('\n');
        }
        text
    }

    /// A key; that of a verb leads to the page of verbs.
    fn key(&self, object: &Object<'_>, key: &str) -> String {
        let verb = object.name == "Step" && VERBS.contains(&key);
        if verb { format!("[`{key}`](verbs.md#{key})") } else { code(key) }
    }

    /// A default: one word is what is written, more are a sentence.
    fn default(&self, text: &str) -> String {
        let literal = matches!(text, "true" | "false") || text.starts_with(|c: char| c.is_ascii_digit());
        if literal && !text.contains(' ') { code(text) } else { plain(text) }
    }

    /// What an object is for, in the words of its type.
    pub(super) fn purpose(&self, object: &Object<'_>) -> String {
        plain(object.schema["description"].as_str().unwrap_or_default())
    }

    /// Under which keys an object stands.
    pub(super) fn places(&self, object: &Object<'_>) -> String {
        let mut places = Vec::new();
        for owner in self.objects() {
            let properties = self.properties(owner.schema).into_iter().flatten();
            for (key, _) in properties.filter(|(_, schema)| mentions(schema, &object.name)) {
                let of =
                    if owner.name == "Runbook" { String::new() } else { format!(" of {}", self.link(&owner.name)) };
                places.push(format!("`{key}`{of}"));
            }
        }
        listed(&places, "and")
    }

    /// The type of a value in a few words.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = schema.get("$ref").and_then(reference) {
            let definition = self.definition(name);
            if name == "ParamType" {
                return format!("[a type]({}#types-of-parameters)", if self.page == PAGE { "" } else { PAGE });
            }
            if name == "ItemType" {
                return format!(
                    "[a type]({}#types-of-parameters), but `enum` and `list`",
                    if self.page == PAGE { "" } else { PAGE }
                );
            }
            if self.properties(definition).is_some() {
                return self.link(name);
            }
            return self.kind(definition);
        }
        if let Some(value) = schema.get("const") {
            return code(&value.to_string().replace('"', ""));
        }
        if let Some(arms) = schema.get("oneOf").and_then(Value::as_array) {
            let words: Vec<String> = arms.iter().filter_map(|arm| arm["const"].as_str()).map(code).collect();
            return listed(&words, "or");
        }
        if let Some([one, many]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
            && many["type"] == "array"
        {
            return format!("{}, or a list", self.kind(one));
        }
        match &schema["type"] {
            Value::String(name) => match name.as_str() {
                "array" => format!("list of {}", self.kind(&schema["items"])),
                "boolean" => "`true` or `false`".to_owned(),
                "integer" => match (&schema["minimum"], &schema["maximum"]) {
                    (Value::Number(least), Value::Number(most)) => format!("{least} to {most}"),
                    _ => "whole number".to_owned(),
                },
                "object" => match schema["patternProperties"].as_object().and_then(|patterns| patterns.values().next())
                {
                    Some(values) => format!("mapping of names to {}", self.kind(values)),
                    None => format!("mapping of names to {}", self.kind(&schema["additionalProperties"])),
                },
                _ => string(schema).to_owned(),
            },
            Value::Array(_) if schema["$comment"] == "template" => "[template](templates.md)".to_owned(),
            Value::Array(_) => "text".to_owned(),
            _ => "any value".to_owned(),
        }
    }

    /// What the words of an enumeration mean, where there are few.
    fn choices(&self, schema: &Value) -> String {
        let Some(name) = schema.get("$ref").and_then(reference) else { return String::new() };
        let Some(arms) = self.definition(name)["oneOf"].as_array().filter(|arms| arms.len() <= 4) else {
            return String::new();
        };
        let told = arms.iter().filter_map(|arm| {
            let description = arm["description"].as_str()?.trim_end_matches('.');
            Some(format!(" {}: {}.", code(arm["const"].as_str()?), plain(description)))
        });
        told.collect()
    }

    /// The rules between keys, a sentence each.
    fn rules(&self, schema: &Value) -> Vec<String> {
        let mut rules = Vec::new();
        let arms = schema["anyOf"].as_array().filter(|_| schema["properties"].is_null()).into_iter().flatten();
        for short in arms.filter(|arm| arm["properties"].is_null()) {
            rules.push(format!("It may also be written as one {} alone.", self.kind(short)));
        }
        let keyed = self.keyed(schema).unwrap_or(schema);
        if keyed["minProperties"] == 1 && keyed["maxProperties"] == 1 {
            rules.push("Exactly one of the keys is given.".to_owned());
        }
        rules.extend(rule(keyed));
        for part in keyed["allOf"].as_array().into_iter().flatten() {
            rules.extend(rule(part));
        }
        for (key, needed) in keyed["dependentRequired"].as_object().into_iter().flatten() {
            let needed: Vec<String> = strings(needed).into_iter().map(code).collect();
            rules.push(format!("{} needs {}.", code(key), listed(&needed, "and")));
        }
        rules
    }
}

/// The rule that a schema says of keys, where it says one.
fn rule(schema: &Value) -> Option<String> {
    if let Some(arms) = schema["oneOf"].as_array() {
        let (plain, special): (Vec<&Value>, Vec<&Value>) = arms.iter().partition(|arm| arm["not"].is_null());
        let mut text =
            format!("Exactly one of {} is given", listed(&plain.into_iter().map(keys).collect::<Vec<_>>(), "and"));
        for arm in special {
            let others: Vec<String> = arm["anyOf"].as_array().into_iter().flatten().map(keys).collect();
            text.push_str(&format!(", or, without these, at least one of {}", listed(&others, "and")));
        }
        return Some(format!("{text}."));
    }
    if let Some(arms) = schema["anyOf"].as_array() {
        let arms: Vec<String> = arms.iter().map(keys).collect();
        return Some(if arms.iter().all(|arm| !arm.contains(' ')) {
            format!("At least one of {} is given.", listed(&arms, "and"))
        } else {
            format!("Needed: {}.", arms.join(", or "))
        });
    }
    let excluded = schema["not"]["required"].as_array()?;
    let excluded: Vec<String> = excluded.iter().filter_map(Value::as_str).map(code).collect();
    Some(format!("{} exclude each other.", listed(&excluded, "and")))
}

/// The keys that a schema asks for, in words.
fn keys(schema: &Value) -> String {
    let mut parts: Vec<String> = strings(&schema["required"]).into_iter().map(code).collect();
    if let Some(bound) = schema["properties"]["min"]["minimum"].as_u64() {
        parts = parts.into_iter().map(|part| format!("{part} of at least {bound}")).collect();
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        parts.push(keys(part));
    }
    if let Some(arms) = schema["oneOf"].as_array() {
        parts.push(format!("one of {}", listed(&arms.iter().map(keys).collect::<Vec<_>>(), "and")));
    }
    listed(&parts, "and")
}

/// The small shapes of text, by what they must look like.
fn string(schema: &Value) -> &'static str {
    match schema["pattern"].as_str().unwrap_or_default() {
        "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" => "id",
        "^([0-9]+(h|m|s|ms))+$" => "duration",
        "^/" => "JSON Pointer",
        _ => "text",
    }
}

/// The name at the end of a reference.
fn reference(target: &Value) -> Option<&str> {
    target.as_str()?.rsplit('/').next()
}

fn mentions(schema: &Value, name: &str) -> bool {
    match schema {
        Value::Object(entries) => {
            entries.get("$ref").and_then(reference) == Some(name) || entries.values().any(|value| mentions(value, name))
        }
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        _ => false,
    }
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `LogCount` as `log-count`.
pub(super) fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (at, c) in name.char_indices() {
        if c.is_uppercase() && at > 0 {
            text.push('-');
        }
        text.extend(c.to_lowercase());
    }
    text
}
