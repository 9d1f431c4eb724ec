//! `kubectl apply`: manifests as here-documents with their comments, or by the name of their file.

use periplus_core::model::verb::{Apply, WaitCondition, WaitFor};
use periplus_core::template::Flavour;

use super::kinds;
use super::layout::{Block, Command};
use super::manifest::{Documents, Object, documents};
use super::scribe::Scribe;
use super::wait::{rolled_out, timeout};
use super::word::ShellText;

/// What one `kubectl apply` is given.
#[derive(Default)]
struct Call<'b> {
    /// Whether it is told a namespace.
    namespaced: bool,
    files: Vec<&'b str>,
    input: ShellText,
    /// Whether a file stands behind the input, which then cannot be told apart.
    has_input: bool,
    in_files: Vec<Object>,
    in_input: Vec<Object>,
}

impl<'b> Scribe<'b> {
    /// The block of an `apply`.
    pub(super) fn apply(&self, apply: &'b Apply) -> Block {
        let mut block = Block::default();
        let force = if apply.force { " --server-side --force-conflicts" } else { "" };
        for call in self.calls(apply) {
            let mut command = Command::new(format!("kubectl apply{force}"));
            if call.namespaced {
                command = command.args(self.in_namespace(apply.namespace.as_ref()));
            }
            command = command.args(call.files.iter().map(|file| format!("-f {}", super::word::quote(file))));
            if call.has_input {
                let (open, lines) = call.input.here_document();
                block.pipeline("", &[command.arg("-f -")], &open);
                block.line_below(&lines);
            } else {
                block.pipeline("", &[command], "");
            }
        }
        block
    }

    /// Each `kubectl apply` that it takes.
    fn calls(&self, apply: &'b Apply) -> Vec<Call<'b>> {
        let manifests = documents(apply, &self.commands.names);
        let mut calls: Vec<Call<'b>> = Vec::new();
        let needs = |objects: &[Object]| objects.is_empty() || objects.iter().any(Object::needs_namespace);
        let namespace = self.namespace(apply.namespace.as_ref());
        // kubectl refuses a namespace that differs from an object's own.
        let differs = |object: &Object| {
            object.namespace.is_some() && object.namespace.as_deref() != namespace.map(|text| text.raw.as_str())
        };
        let all = || manifests.iter().flat_map(|manifest| &manifest.documents);
        let any_needs = all().any(|document| needs(&document.objects)) || all().next().is_none();
        let split = any_needs && all().any(|document| document.objects.iter().any(differs));
        for manifest in &manifests {
            let documents = &manifest.documents;
            let mixed = split
                && documents.iter().any(|document| needs(&document.objects))
                && documents.iter().any(|document| document.objects.iter().any(differs));
            if !mixed {
                let namespaced =
                    if split { documents.iter().any(|document| needs(&document.objects)) } else { any_needs };
                let objects = documents.iter().flat_map(|document| document.objects.clone());
                let call = call(&mut calls, namespaced);
                match manifest.file {
                    Some(file) => {
                        call.files.push(file);
                        call.in_files.extend(objects);
                    }
                    None => call.feed(&self.manifest(manifest, manifest.text), objects),
                }
                continue;
            }
            for document in documents {
                // A list whose items are of both sorts is taken apart.
                let both = needs(&document.objects) && document.objects.iter().any(differs);
                let items = both.then(|| {
                    let text = if manifest.rendered { self.marked(&document.text) } else { document.text.clone() };
                    document.items(&text, &self.commands.names)
                });
                if let Some(items) = items.flatten() {
                    for (object, item) in document.objects.iter().zip(&items) {
                        call(&mut calls, object.needs_namespace()).feed(&self.yaml(item), [object.clone()]);
                    }
                    continue;
                }
                let text = self.manifest(manifest, &document.text);
                call(&mut calls, needs(&document.objects)).feed(&text, document.objects.clone());
            }
        }
        calls
    }

    fn manifest(&self, manifest: &Documents<'_>, text: &str) -> ShellText {
        if manifest.rendered { self.raw(text, Flavour::Manifest) } else { ShellText::literal(text) }
    }

    /// What the apply wrote, in the order in which kubectl is given it.
    pub(super) fn applied(&self, apply: &'b Apply) -> Vec<Object> {
        self.calls(apply).into_iter().flat_map(|call| call.in_files.into_iter().chain(call.in_input)).collect()
    }

    /// `-n NAMESPACE` of an object that was applied.
    pub(super) fn namespace_of(&self, object: &Object, apply: &Apply) -> Option<String> {
        match &object.namespace {
            _ if object.is_cluster_wide() => None,
            Some(own) => Some(format!("-n {}", self.raw(own, Flavour::Text).word())),
            None => self.in_namespace(apply.namespace.as_ref()),
        }
    }

    /// `deployment/sleep`, as a word.
    pub(super) fn slashed(&self, object: &Object) -> String {
        let resource = kinds::resource(&object.kind, Some(&object.api_version));
        ShellText::literal(format!("{resource}/")).with(self.raw(&object.name, Flavour::Text)).word()
    }

    /// The wait beside an apply, for all that it wrote or, of a rollout, for the workloads; and what kubectl says of it.
    pub(super) fn wait_for_applied(&self, wait: &WaitFor, apply: &'b Apply) -> (Block, Option<Vec<String>>) {
        let mut block = Block::default();
        let mut said = Some(Vec::new());
        let rollout = wait.condition == WaitCondition::Rollout;
        for object in self.applied(apply).iter().filter(|object| !rollout || kinds::rolls_out(&object.kind)) {
            let what = self.slashed(object);
            let verb = if rollout { "rollout status" } else { "wait" };
            let mut command = Command::new(format!("kubectl {verb} {what}")).args(self.namespace_of(object, apply));
            if !rollout {
                command = command.arg(self.condition(&wait.condition));
            }
            block.pipeline("", &[command.arg(timeout(wait))], "");
            let line = if rollout {
                rolled_out(&object.kind, &object.name)
            } else {
                let resource = kinds::printed(&object.kind, Some(&object.api_version));
                resource.map(|resource| format!("{resource}/{} condition met", object.name))
            };
            match (&mut said, line) {
                (Some(said), Some(line)) => said.extend(["...".to_owned(), line]),
                _ => said = None,
            }
        }
        (block, said)
    }
}

/// The call of this kind that comes last, or a new one.
fn call<'c, 'b>(calls: &'c mut Vec<Call<'b>>, namespaced: bool) -> &'c mut Call<'b> {
    let found = calls.iter().position(|call| call.namespaced == namespaced);
    let at = found.unwrap_or_else(|| {
        calls.push(Call { namespaced, ..Call::default() });
        calls.len() - 1
    });
    &mut calls[at]
}

impl Call<'_> {
    fn feed(&mut self, text: &ShellText, objects: impl IntoIterator<Item = Object>) {
        self.in_input.extend(objects);
        if self.has_input {
            if !self.ends_line() {
                self.input.push_literal("\n");
            }
            self.input.push_literal("---\n");
        }
        self.has_input = true;
        self.input.append(text);
    }

    fn ends_line(&self) -> bool {
        match self.input.pieces().last() {
            Some(super::word::Piece::Literal(text)) => text.ends_with('\n'),
            _ => false,
        }
    }
}
