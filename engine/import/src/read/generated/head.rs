//! What a generated page says before its steps: parameters, files, what the target must have.

use std::sync::LazyLock;

use periplus_core::model::ScalarType;
use regex::Regex;

use super::super::names::Name;
use super::super::{Context, Reader};
use super::pattern;
use crate::draft::{Object, Unread};
use crate::outline::Unit;
use crate::shell::parse;
use crate::write::{Yaml, object};

static OBJECT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:the|a) (\S+) (?:labelled )?`([^`]+)`(?: in namespace `([^`]+)`)?$"));
static SERVES: LazyLock<Regex> = LazyLock::new(|| pattern(r"^a cluster that knows `([^`]+)` of `([^`]+)`$"));
static ACCESS_LOG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^an access log of the mesh's sidecars, as (text|json)"));
static SIDECAR: LazyLock<Regex> = LazyLock::new(|| pattern(r"^an Istio sidecar in the pods with `([^`]+)`$"));
static PATTERN: LazyLock<Regex> = LazyLock::new(|| pattern(r" ?\(must match `+ ?(.+?) ?`+\)$"));
static CAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^the permission to `([^`]+)` `([^`]+)`$"));

impl Reader {
    /// The table says what the `export` lines cannot.
    pub(super) fn param_table(&mut self, rows: &[Vec<String>]) {
        for row in rows {
            let [name, kind, default, description] = row.as_slice() else { continue };
            let name = name.trim_matches('`').to_owned();
            let code = |text: &str| text.trim().trim_matches('`').to_owned();
            self.taken.insert(name.clone());
            self.names.insert(name.clone(), Name::Value(name.clone()));
            let pattern = PATTERN.captures(description).map(|found| found[1].to_owned());
            let description = PATTERN.replace(description, "");
            let description = description.trim();
            let secret = description.ends_with("(secret)");
            let description = description.trim_end_matches("(secret)").trim().to_owned();
            self.declare(&name, None, Some(description).filter(|text| !text.is_empty()), 0);
            let Some(param) = self.draft.params.get_mut(&name) else { continue };
            param.env = false;
            param.secret = secret;
            param.pattern = pattern;
            let scalar = |kind: &str| ScalarType::TABLE.iter().find(|(own, _)| *own == kind).map(|(_, kind)| *kind);
            if let Some(of) = kind.strip_prefix("list of ") {
                param.of_list = true;
                param.kind = scalar(of).unwrap_or(ScalarType::String);
            } else if let Some(kind) = scalar(kind) {
                param.kind = kind;
            } else {
                param.values = kind.split(" or ").map(code).collect();
            }
            match default.as_str() {
                "required" => {}
                "optional" => param.optional = true,
                "(secret)" => self.remark(0, format!("the page does not tell the default of {name}, which is secret")),
                value => param.default = Some(code(value)),
            }
        }
    }

    /// Commands that write the files that steps name.
    pub(super) fn shown_files(&mut self, unit: &Unit) {
        for shown in &unit.commands {
            let at = Context { line: shown.line, source: &shown.chunk.text, output: None, fails: false };
            let read = parse(&shown.chunk).map_err(str::to_owned).and_then(|commands| self.several(&commands, &at));
            if let Err(reason) = read {
                let text = shown.chunk.text.clone();
                self.unread.push(Unread { line: shown.line, text, reason });
            }
        }
    }

    pub(super) fn requirement(&mut self, text: &str) -> Option<Yaml> {
        let named = |text: &str| Yaml::text(self.named(text));
        if let Some(found) = SERVES.captures(text) {
            let serves = Yaml::map([("kind", Some(named(&found[1]))), ("apiVersion", Some(named(&found[2])))]);
            return Some(Yaml::map([("serves", Some(serves))]));
        }
        if let Some(found) = ACCESS_LOG.captures(text) {
            return Some(Yaml::map([("access-log", Some(Yaml::bare(&found[1])))]));
        }
        if let Some(found) = SIDECAR.captures(text) {
            return Some(Yaml::map([("sidecar", Some(Yaml::map([("selector", Some(named(&found[1])))])))]));
        }
        if let Some(found) = CAN.captures(text) {
            let can = Yaml::map([("verb", Some(named(&found[1]))), ("resource", Some(named(&found[2])))]);
            return Some(Yaml::map([("can", Some(can))]));
        }
        let found = OBJECT.captures(text)?;
        let which = Some(self.named(&found[2]));
        let by_labels = found[2].contains('=');
        let wanted = Object {
            kind: self.named(&found[1]),
            api_version: None,
            name: which.clone().filter(|_| !by_labels),
            selector: which.filter(|_| by_labels),
            namespace: found.get(3).map(|namespace| self.named(namespace.as_str())),
        };
        Some(Yaml::map([("object", Some(object(&wanted)))]))
    }
}
