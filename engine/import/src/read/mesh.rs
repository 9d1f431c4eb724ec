//! The mesh's configuration, which lies as YAML in a ConfigMap: pages read it with `grep` and edit it with `sed`.
//!
//! Which key is meant is known for those that pages speak of.

use super::{Context, Read, Reader};
use crate::draft::{Capture, Object, Step, Verb};
use crate::shell::{Simple, Word};
use crate::write::Yaml;

/// Keys by the name that stands before the colon: their path, and Istio's default.
const KEYS: [(&str, &str, &str); 8] = [
    ("mode", "outboundTrafficPolicy.mode", "ALLOW_ANY"),
    ("accessLogFile", "accessLogFile", ""),
    ("accessLogEncoding", "accessLogEncoding", "TEXT"),
    ("accessLogFormat", "accessLogFormat", ""),
    ("enableTracing", "enableTracing", "true"),
    ("enableAutoMtls", "enableAutoMtls", "true"),
    ("enablePrometheusMerge", "enablePrometheusMerge", "true"),
    ("trustDomain", "trustDomain", "cluster.local"),
];

/// Where the mesh's configuration lies in its ConfigMap.
const MESH: &str = "/data/mesh";

impl Reader {
    /// A look at the mesh's configuration, or an edit of it; `None` if the object is another.
    pub(super) fn mesh(
        &mut self,
        object: &Object,
        rest: &[Simple],
        at: &Context<'_>,
    ) -> Result<Option<Vec<Step>>, String> {
        let is_mesh = object.kind == "ConfigMap"
            && object.namespace.as_deref().is_some_and(|namespace| namespace.starts_with("istio"))
            && object.name.as_deref().is_some_and(|name| name.starts_with("istio") || name.starts_with("{{"));
        if !is_mesh {
            return Ok(None);
        }
        let program = |stage: &Simple| stage.words.first().and_then(Word::literal).unwrap_or_default().to_owned();
        match rest {
            [sed, last] if program(sed) == "sed" && program(last) == "kubectl" => {
                self.mesh_edit(object, sed, at).map(Some)
            }
            [grep] if program(grep) == "grep" => self.mesh_look(object, grep, at).map(Some),
            _ => Ok(None),
        }
    }

    fn mesh_edit(&mut self, object: &Object, sed: &Simple, at: &Context<'_>) -> Read {
        let script = sed.words[1..].iter().find(|word| !word.lead().starts_with('-'));
        let Some(script) = script.and_then(Word::literal) else {
            return Err("what `sed` changes is not written out".to_owned());
        };
        let replaced = replaced(script).and_then(|(old, new)| {
            let (old_key, _) = old.split_once(':')?;
            let (new_key, value) = new.split_once(':')?;
            (old_key.trim() == new_key.trim()).then(|| (new_key.trim().to_owned(), value.trim().to_owned()))
        });
        let Some((key, value)) = replaced else {
            return Err("which key of the mesh's configuration `sed` changes cannot be read".to_owned());
        };
        let Some((_, path, _)) = KEYS.iter().find(|(name, ..)| *name == key) else {
            return Err(format!("where `{key}` stands in the mesh's configuration is not known here"));
        };
        let value = if matches!(value.as_str(), "true" | "false") { Yaml::bare(value) } else { Yaml::text(value) };
        let patch = path.rsplit('.').fold(value, |value, key| Yaml::Map(vec![(key.to_owned(), value)]));
        let verb = Verb::Patch { object: object.clone(), yaml_in: Some(MESH.to_owned()), kind: "merge", patch };
        let mut step = Step::new(verb, at.line, at.source);
        step.impact =
            Some("The mesh's configuration holds for every sidecar, not only for those of this namespace.".to_owned());
        step.remarks.push(format!("`sed` changes nothing where `{key}` is absent; this patch adds it."));
        self.remark(at.line, format!("the edit by `sed` became a patch of `{path}` in the mesh's configuration"));
        Ok(vec![step])
    }

    fn mesh_look(&mut self, object: &Object, grep: &Simple, at: &Context<'_>) -> Read {
        let pattern = grep.words[1..].iter().find(|word| !word.lead().starts_with('-'));
        let Some((key, value)) = pattern.and_then(Word::literal).and_then(|text| text.split_once(':')) else {
            return Err("which key of the mesh's configuration is looked at cannot be read".to_owned());
        };
        let Some((_, path, default)) = KEYS.iter().find(|(name, ..)| *name == key.trim()) else {
            return Err(format!("where `{}` stands in the mesh's configuration is not known here", key.trim()));
        };
        let name = path.split('.').map(upper).collect::<Vec<_>>().join("_");
        let own = self.free_name(&name);
        let verb = Verb::Get { object: object.clone(), yaml_in: Some(MESH.to_owned()), one: false, any: false };
        let mut step = Step::new(verb, at.line, at.source);
        let default = Some((*default).to_owned()).filter(|default| !default.is_empty());
        step.capture.push((own.clone(), Capture { path: Some(format!("{{.{path}}}")), find: None, default }));
        let wanted = value.trim().trim_matches(['*', '.']);
        if !wanted.is_empty() {
            step.remarks.push(format!("The page looks for {wanted} here; {own} holds what was found."));
        }
        self.remark(
            at.line,
            format!("`grep` in the mesh's configuration became the capture {own}, which nothing compares yet"),
        );
        Ok(vec![step])
    }
}

/// `outboundTrafficPolicy` as `OUTBOUND_TRAFFIC_POLICY`.
fn upper(key: &str) -> String {
    let mut out = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

/// The two sides of `s/OLD/NEW/`.
fn replaced(script: &str) -> Option<(String, String)> {
    let rest = script.trim().strip_prefix('s')?;
    let mark = rest.chars().next().filter(|c| !c.is_alphanumeric() && *c != '\\')?;
    let mut parts = rest[mark.len_utf8()..].split(mark);
    let (old, new, flags) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && flags.chars().all(|c| matches!(c, 'g' | 'i' | 'I')))
        .then(|| (old.to_owned(), new.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_an_edit_are_seen() {
        let both = |old: &str, new: &str| Some((old.to_owned(), new.to_owned()));
        assert_eq!(replaced("s/mode: A/mode: B/g"), both("mode: A", "mode: B"));
        assert_eq!(replaced("s|a|b|"), both("a", "b"));
        assert_eq!(replaced("s/a/b/;s/c/d/"), None);
        assert_eq!(replaced("/x/d"), None);
    }

    #[test]
    fn keys_name_captures() {
        assert_eq!(upper("outboundTrafficPolicy"), "OUTBOUND_TRAFFIC_POLICY");
    }
}
