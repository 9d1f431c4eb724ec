//! Objects and pods as arguments of kubectl.

use periplus_core::model::{In, ObjectRef, PodRef, Text, Which};

use super::kinds;
use super::layout::Command;
use super::scribe::Scribe;

impl Scribe<'_> {
    /// The resource of an object, such as `configmap`.
    pub(super) fn resource(&self, object: &ObjectRef) -> String {
        let version = object.api_version.as_ref();
        if object.kind.has_template() || version.is_some_and(Text::has_template) {
            return self.word(&object.kind);
        }
        kinds::resource(&object.kind.raw, version.map(|text| text.raw.as_str()))
    }

    /// How kubectl prints the resource of an object, if that is known.
    pub(super) fn printed(&self, object: &ObjectRef) -> Option<String> {
        let version = object.api_version.as_ref();
        let templated = object.kind.has_template() || version.is_some_and(Text::has_template);
        if templated { None } else { kinds::printed(&object.kind.raw, version.map(|text| text.raw.as_str())) }
    }

    pub(super) fn is_cluster_wide(&self, object: &ObjectRef) -> bool {
        kinds::is_cluster_wide(&object.kind.raw, object.api_version.as_ref().map(|text| text.raw.as_str()))
    }

    /// `-n NAMESPACE` for an object, unless its kind has none.
    pub(super) fn object_namespace(&self, object: &ObjectRef) -> Option<String> {
        if self.is_cluster_wide(object) { None } else { self.in_namespace(object.namespace.as_ref()) }
    }

    /// `kubectl VERB configmap istio -n istio-system`, or with `-l` in place of the name.
    pub(super) fn kubectl(&self, verb: &str, object: &ObjectRef) -> Command {
        let resource = self.resource(object);
        let namespace = self.object_namespace(object);
        match &object.which {
            Which::Name(name) => Command::new(format!("kubectl {verb} {resource} {}", self.word(name))).args(namespace),
            Which::Selector(labels) => Command::new(format!("kubectl {verb} {resource}"))
                .args(namespace)
                .arg(format!("-l {}", self.word(labels))),
        }
    }

    /// The pod of an `in:`, as an argument of `exec` and `logs`.
    pub(super) fn pod(&self, target: &In) -> String {
        match &target.pod {
            PodRef::Pod(name) => self.word(name),
            PodRef::Workload(workload) => self.word(workload),
            PodRef::Selector(labels) => {
                let namespace =
                    self.in_namespace(target.namespace.as_ref()).map_or_else(String::new, |n| format!(" {n}"));
                // Within double quotes no other quotes keep bash from reading a `!` as history; a name needs none.
                let quote = if labels.raw.contains('!') { "" } else { "\"" };
                let labels = self.word(labels);
                format!(
                    "{quote}$(kubectl get pod{namespace} -l {labels} -o jsonpath='{{.items[0].metadata.name}}'){quote}"
                )
            }
        }
    }

    /// `-c CONTAINER`.
    pub(super) fn container(&self, target: &In) -> Option<String> {
        target.container.as_ref().map(|container| format!("-c {}", self.word(container)))
    }
}
