//! Commands that change the cluster: manifests, deletions, patches.

use periplus_core::manifest;
use serde_json::Value;

use super::files::beside;
use super::{Context, Read, Reader};
use crate::draft::{Manifests, Object, Step, Verb, Wait};
use crate::kubectl::{Call, kind};
use crate::shell::{Part, Redirect, Simple, Word};
use crate::write::Yaml;

/// A text in which `$(json "$NAME")`, as generated pages have it, is the quoted value.
fn json_values(word: &Word) -> Word {
    let mut out = Word { parts: Vec::new(), raw: word.raw.clone() };
    for part in &word.parts {
        let name = match part {
            Part::Run(script) => script.strip_prefix("json \"$").and_then(|rest| rest.strip_suffix('"')),
            _ => None,
        };
        match name {
            Some(name) => out.parts.extend([
                Part::Text("\"".to_owned()),
                Part::Variable(name.to_owned()),
                Part::Text("\"".to_owned()),
            ]),
            None => out.parts.push(part.clone()),
        }
    }
    out
}

/// Kinds that roll out.
const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

impl Reader {
    pub(super) fn apply(&mut self, call: &Call, first: &Simple, _rest: &[Simple], at: &Context<'_>) -> Read {
        if call.flag("kustomize").is_some() {
            return Err("a kustomization is not read: put what it makes into a file beside the runbook".to_owned());
        }
        if call.flag("dry-run").is_some_and(|word| word.literal() != Some("none")) {
            return Err("it changes nothing: a plan shows what a step would do".to_owned());
        }
        let files: Vec<Word> = call.all("filename").cloned().collect();
        if files.is_empty() {
            return Err("it names no manifest".to_owned());
        }
        if files.iter().any(|file| file.literal() == Some("-")) {
            let here = first.redirects.iter().find_map(|redirect| match redirect {
                Redirect::Here(text, _) => Some(text.clone()),
                _ => None,
            });
            if let Some(Redirect::In(path)) =
                first.redirects.iter().find(|redirect| matches!(redirect, Redirect::In(_)))
            {
                return self.apply_files(call, std::slice::from_ref(path), at);
            }
            let Some(text) = here else { return Err("the manifest comes from another program".to_owned()) };
            let text = self.template(&text, at)?;
            return Ok(vec![self.applied(call, Manifests::Inline(text), at)?]);
        }
        if files.iter().any(|file| file.literal() == Some("/dev/fd/63")) {
            return match first.redirects.iter().find(|redirect| matches!(redirect, Redirect::Process(_))) {
                Some(Redirect::Process(inner)) => self.injected_files(call, inner, at),
                _ => Err("the manifest comes from another program".to_owned()),
            };
        }
        self.apply_files(call, &files, at)
    }

    /// `istioctl kube-inject -f FILE | kubectl apply -f -`
    pub(super) fn injected(&mut self, first: &Simple, rest: &[Simple], at: &Context<'_>) -> Read {
        let [last] = rest else { return Err("what `istioctl` makes goes nowhere".to_owned()) };
        if last.words.first().and_then(Word::literal) != Some("kubectl") {
            return Err("what `istioctl` makes goes nowhere".to_owned());
        }
        let call = crate::kubectl::call(&last.words[1..])?;
        self.injected_files(&call, first, at)
    }

    fn injected_files(&mut self, call: &Call, istioctl: &Simple, at: &Context<'_>) -> Read {
        let words: Vec<Option<&str>> = istioctl.words.iter().map(Word::literal).collect();
        let file = words.iter().position(|word| matches!(word, Some("-f" | "--filename")));
        let Some(file) =
            file.and_then(|at| istioctl.words.get(at + 1)).filter(|_| words.get(1) == Some(&Some("kube-inject")))
        else {
            return Err("the manifest comes from another program".to_owned());
        };
        let file = file.clone();
        self.remark(at.line, "the sidecar is put in by the namespace's label, not by `istioctl kube-inject`");
        self.apply_files(call, &[file], at)
    }

    pub(super) fn apply_files(&mut self, call: &Call, files: &[Word], at: &Context<'_>) -> Read {
        let mut paths = Vec::new();
        let mut render = false;
        for file in files {
            let Some(path) = file.literal() else { return Err("the name of the file is not written out".to_owned()) };
            if path.contains("://") {
                return Err(format!(
                    "the manifest lies elsewhere: save {path} beside the runbook and apply it with `file:`"
                ));
            }
            let path = beside(path)?;
            match self.files.get(&path) {
                Some(holds_values) => render |= holds_values,
                None => {
                    self.missing.entry(path.clone()).or_insert(at.line);
                }
            }
            paths.push(path);
        }
        Ok(vec![self.applied(call, Manifests::Files(paths, render), at)?])
    }

    fn applied(&mut self, call: &Call, manifests: Manifests, at: &Context<'_>) -> Result<Step, String> {
        let namespace = self.namespace(call.flag("namespace"), at)?;
        let rolls_out = |text: &str| {
            WORKLOADS.iter().any(|kind| text.lines().any(|line| line.trim_end() == format!("kind: {kind}")))
        };
        let wait = match &manifests {
            Manifests::Inline(text) => rolls_out(text),
            Manifests::Files(paths, _) => {
                paths.iter().any(|path| self.draft.files.get(path).is_some_and(|text| rolls_out(text)))
            }
        };
        let force = call.subcommand == "replace" || call.is_set("force-conflicts");
        let mut step = Step::new(Verb::Apply { namespace, manifests, force }, at.line, at.source);
        step.wait = (wait && !self.generated).then(Wait::rollout);
        Ok(step)
    }

    /// `kubectl create KIND NAME …` and `kubectl run`: the manifest that they make.
    pub(super) fn made(&mut self, call: &Call, rest: &[Simple], at: &Context<'_>) -> Read {
        let dry = call.flag("dry-run").is_some_and(|word| word.literal() != Some("none"));
        let handed_on = rest.last().is_some_and(|stage| stage.words.first().and_then(Word::literal) == Some("kubectl"));
        if dry && !handed_on {
            return Err("it changes nothing: a plan shows what a step would do".to_owned());
        }
        let Some(name) = call.args.first() else { return Err("it names nothing to be made".to_owned()) };
        let name = self.name(name, at)?;
        let metadata = Yaml::map([("name", Some(Yaml::text(&name)))]);
        let api = |version: &str, kind: &str| {
            vec![
                ("apiVersion".to_owned(), Yaml::text(version)),
                ("kind".to_owned(), Yaml::text(kind)),
                ("metadata".to_owned(), metadata.clone()),
            ]
        };
        let entries = match call.subcommand {
            "create namespace" | "create ns" => api("v1", "Namespace"),
            "create serviceaccount" | "create sa" => api("v1", "ServiceAccount"),
            "create configmap" | "create cm" => {
                let mut entries = api("v1", "ConfigMap");
                entries.push(("data".to_owned(), Yaml::Map(self.data(call, at)?)));
                entries
            }
            "create secret generic" => {
                let mut entries = api("v1", "Secret");
                entries.push(("stringData".to_owned(), Yaml::Map(self.data(call, at)?)));
                entries
            }
            "create deployment" | "create deploy" => {
                let image = call.flag("image").ok_or("it names no image")?;
                let image = self.template(image, at)?;
                let replicas = call.flag("replicas").and_then(Word::literal).unwrap_or("1").to_owned();
                let labels = Yaml::map([("app", Some(Yaml::text(&name)))]);
                let container = Yaml::map([("name", Some(Yaml::text(&name))), ("image", Some(Yaml::text(image)))]);
                let mut entries = api("apps/v1", "Deployment");
                let pod = Yaml::map([
                    ("metadata", Some(Yaml::map([("labels", Some(labels.clone()))]))),
                    ("spec", Some(Yaml::map([("containers", Some(Yaml::List(vec![container])))]))),
                ]);
                let spec = Yaml::map([
                    (
                        "replicas",
                        Some(Yaml::bare(
                            replicas.parse::<u32>().map_err(|_| "its number of replicas is not written out")?,
                        )),
                    ),
                    ("selector", Some(Yaml::map([("matchLabels", Some(labels))]))),
                    ("template", Some(pod)),
                ]);
                entries.push(("spec".to_owned(), spec));
                entries
            }
            _ => {
                if call.is_set("rm") {
                    return Err("it runs a pod and throws it away: use `exec:` in a pod that stays".to_owned());
                }
                let image = call.flag("image").ok_or("it names no image")?;
                let image = self.template(image, at)?;
                let words = call.after.clone().unwrap_or_default();
                let words = words.iter().map(|word| self.template(word, at)).collect::<Result<Vec<_>, _>>()?;
                let words = (!words.is_empty()).then(|| Yaml::List(words.into_iter().map(Yaml::Text).collect()));
                let key = if call.is_set("command") { "command" } else { "args" };
                let container =
                    Yaml::map([("name", Some(Yaml::text(&name))), ("image", Some(Yaml::text(image))), (key, words)]);
                let labels = Yaml::map([("run", Some(Yaml::text(&name)))]);
                let mut entries = api("v1", "Pod");
                entries[2].1 = Yaml::map([("name", Some(Yaml::text(&name))), ("labels", Some(labels))]);
                entries.push(("spec".to_owned(), Yaml::map([("containers", Some(Yaml::List(vec![container])))])));
                entries
            }
        };
        let mut step = self.applied(call, Manifests::Inline(Yaml::Map(entries).document()), at)?;
        if call.subcommand.ends_with("namespace") || call.subcommand.ends_with(" ns") {
            let Verb::Apply { namespace, .. } = &mut step.verb else { return Ok(vec![step]) };
            *namespace = None;
        }
        Ok(vec![step])
    }

    /// `--from-literal` and `--from-file`.
    fn data(&mut self, call: &Call, at: &Context<'_>) -> Result<Vec<(String, Yaml)>, String> {
        let mut data = Vec::new();
        for word in call.all("from-literal") {
            let Some((key, _)) = word.lead().split_once('=') else { return Err("a value of it has no key".to_owned()) };
            data.push((key.to_owned(), Yaml::text(self.template(&word.without_lead(key.len() + 1), at)?)));
        }
        for word in call.all("from-file") {
            let Some(text) = word.literal() else { return Err("the name of the file is not written out".to_owned()) };
            let (key, path) = text.split_once('=').unwrap_or((text.rsplit('/').next().unwrap_or(text), text));
            let content = beside(path).ok().and_then(|path| self.draft.files.get(&path).cloned());
            let Some(content) = content else {
                return Err(format!("it takes in the file {path}, which the page does not show"));
            };
            data.push((key.to_owned(), Yaml::text(super::names::escape(&content)?)));
        }
        if call.flag("from-env-file").is_some() {
            return Err("it takes in a file of variables".to_owned());
        }
        Ok(data)
    }

    pub(super) fn delete(&mut self, call: &Call, first: &Simple, at: &Context<'_>) -> Read {
        if call.is_set("all") && call.args.len() < 2 && call.flag("selector").is_none() {
            return Err("it deletes whatever there is".to_owned());
        }
        let namespace = self.namespace(call.flag("namespace"), at)?;
        let files: Vec<Word> = call.all("filename").cloned().collect();
        if files.is_empty() {
            let mut steps = Vec::new();
            for (kind, name) in call.objects()? {
                let object = self.object(call, &kind, name.as_ref(), at)?;
                steps.push(Step::new(Verb::Delete(object), at.line, at.source));
            }
            return Ok(steps);
        }
        let mut steps = Vec::new();
        for file in files {
            let text = match file.literal() {
                Some("-") => first.redirects.iter().find_map(|redirect| match redirect {
                    Redirect::Here(text, _) => text.literal().map(str::to_owned),
                    _ => None,
                }),
                Some(path) => beside(path).ok().and_then(|path| self.draft.files.get(&path).cloned()),
                None => None,
            };
            let known =
                file.literal().and_then(|path| beside(path).ok()).is_some_and(|path| self.missing.contains_key(&path));
            let Some(objects) = text.and_then(|text| manifest::parse(&text).ok()) else {
                if known && self.cleaning {
                    // What an apply above brought is taken back by the undo.
                    continue;
                }
                return Err("which objects the file holds is not known".to_owned());
            };
            for object in objects.iter().rev() {
                let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                let object = Object {
                    kind: text("/kind").unwrap_or_default(),
                    api_version: text("/apiVersion").filter(|version| version.contains('.')),
                    name: text("/metadata/name"),
                    selector: None,
                    namespace: text("/metadata/namespace").or_else(|| namespace.clone()),
                };
                steps.push(Step::new(Verb::Delete(object), at.line, at.source));
            }
        }
        Ok(steps)
    }

    pub(super) fn patch(&mut self, call: &Call, first: &Simple, at: &Context<'_>) -> Read {
        let here = first.redirects.iter().find_map(|redirect| match redirect {
            Redirect::Here(text, _) if call.flag("patch-file").and_then(Word::literal) == Some("/dev/stdin") => {
                Some(text)
            }
            _ => None,
        });
        let Some(patch) = call.flag("patch").or(here) else { return Err("the patch is not written out".to_owned()) };
        let patch = &json_values(patch);
        let kind = match call.flag("type").map(Word::literal) {
            None | Some(Some("strategic")) => "strategic",
            Some(Some("merge")) => "merge",
            Some(Some("json")) => "json",
            Some(_) => return Err("the type of the patch is not known".to_owned()),
        };
        let text = self.template(patch, at)?;
        // As kubectl reads it: JSON or YAML.
        let value: Result<Value, _> = serde_yaml::from_str(&text);
        let patch = match value {
            Ok(value) if value.is_object() || value.is_array() => Yaml::from(&value),
            _ if text.contains("{{") => Yaml::text(format!("{}\n", text.trim())),
            _ => return Err("the patch is neither JSON nor YAML".to_owned()),
        };
        self.patched(call, kind, &patch, at)
    }

    /// Changes objects that a call names.
    fn patched(&mut self, call: &Call, kind: &'static str, patch: &Yaml, at: &Context<'_>) -> Read {
        let mut steps = Vec::new();
        for (object_kind, name) in call.objects()? {
            let object = self.object(call, &object_kind, name.as_ref(), at)?;
            let verb = Verb::Patch { object, yaml_in: None, kind, patch: patch.clone() };
            steps.push(Step::new(verb, at.line, at.source));
        }
        Ok(steps)
    }

    /// `label` and `annotate`.
    pub(super) fn labels(&mut self, call: &Call, field: &str, at: &Context<'_>) -> Read {
        if call.is_set("all") {
            return Err("it changes whatever there is".to_owned());
        }
        let mut entries = Vec::new();
        for word in &call.args {
            let lead = word.lead();
            if let Some((key, _)) = lead.split_once('=') {
                entries.push((key.to_owned(), Yaml::text(self.template(&word.without_lead(key.len() + 1), at)?)));
            } else if let (Some(key), 1) = (lead.strip_suffix('-'), word.parts.len()) {
                entries.push((key.to_owned(), Yaml::bare("null")));
            }
        }
        if entries.is_empty() {
            return Err("it only shows what there is".to_owned());
        }
        let patch = Yaml::map([("metadata", Some(Yaml::Map(vec![(field.to_owned(), Yaml::Map(entries))])))]);
        self.patched(call, "merge", &patch, at)
    }

    pub(super) fn scale(&mut self, call: &Call, at: &Context<'_>) -> Read {
        let Some(replicas) = call.flag("replicas").and_then(Word::literal).and_then(|text| text.parse::<u32>().ok())
        else {
            return Err("its number of replicas is not written out".to_owned());
        };
        let patch = Yaml::map([("spec", Some(Yaml::map([("replicas", Some(Yaml::bare(replicas)))])))]);
        let mut steps = self.patched(call, "merge", &patch, at)?;
        if !self.generated {
            steps.iter_mut().for_each(|step| step.wait = Some(Wait::rollout()));
        }
        Ok(steps)
    }

    pub(super) fn restart(&mut self, call: &Call, at: &Context<'_>) -> Read {
        let annotations = Yaml::map([("periplus.dev/restarted", Some(Yaml::text("by this runbook")))]);
        let template = Yaml::map([("metadata", Some(Yaml::map([("annotations", Some(annotations))])))]);
        let patch = Yaml::map([("spec", Some(Yaml::map([("template", Some(template))])))]);
        let mut steps = self.patched(call, "merge", &patch, at)?;
        for step in &mut steps {
            step.wait = Some(Wait::rollout());
            step.remarks.push(
                "Restarts the pods by a change of their annotations, once: a second run finds it there.".to_owned(),
            );
        }
        Ok(steps)
    }

    /// Whether a kind is one of an extension, by what an apply says of it.
    pub(super) fn extension(api_version: &str, kind_name: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let built_in = group.is_empty()
            || !group.contains('.')
            || group.ends_with(".k8s.io") && group != "gateway.networking.k8s.io";
        !built_in && kind(kind_name).is_none_or(|kind| kind.name == kind_name)
    }
}
