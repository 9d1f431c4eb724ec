//! `requires:` as commands that show whether it is met.

use periplus_core::model::{Requirement, Text, Which};

use super::kinds;
use super::layout::{Block, Command};
use super::names::variable;
use super::scribe::Scribe;
use super::word::ShellText;

/// Namespace of Istio's control plane.
const ISTIO_SYSTEM: &str = "istio-system";

/// Resources that are in no namespace, which kubectl warns of when one is named.
const CLUSTER_WIDE: [&str; 7] = [
    "clusterrolebindings",
    "clusterroles",
    "customresourcedefinitions",
    "namespaces",
    "nodes",
    "persistentvolumes",
    "storageclasses",
];

impl Scribe<'_> {
    /// A command or two for each requirement, in the order of the runbook; each ends with an error where it is not met.
    pub(super) fn requirements(&self) -> Block {
        let mut block = Block::default();
        for requirement in &self.commands.runbook.requires {
            if let Requirement::Serves { api_version, .. } = requirement {
                let version = self.text(api_version).word();
                block.pipeline(
                    "",
                    &[Command::new("kubectl api-versions"), Command::new(format!("grep -Fx {version}"))],
                    "",
                );
            }
            block.pipeline("", &self.requirement(requirement), "");
        }
        block
    }

    fn requirement(&self, requirement: &Requirement) -> Vec<Command> {
        match requirement {
            Requirement::Object(object) => match object.which {
                Which::Name(_) => vec![self.kubectl("get", object)],
                // kubectl finds nothing without an error.
                Which::Selector(_) => vec![self.kubectl("get", object).arg("-o name"), Command::new("grep .")],
            },
            Requirement::Serves { kind, api_version } => {
                let group = match (api_version.has_template(), kinds::group(&api_version.raw)) {
                    (true, _) => None,
                    // Without a group the core's own would not be asked for.
                    (false, "") => Some("''".to_owned()),
                    (false, group) => Some(super::word::quote(group)),
                };
                let list =
                    Command::new("kubectl api-resources").args(group.map(|group| format!("--api-group={group}")));
                let word = self.text(kind).word();
                vec![list, Command::new(format!("grep -w {word}"))]
            }
            Requirement::Sidecar { selector, namespace, .. } => {
                let containers = "{range .items[*]}{.metadata.name}{\": \"}{.spec.containers[*].name}{\" \"}\
                                  {.spec.initContainers[*].name}{\"\\n\"}{end}";
                let get = Command::new("kubectl get pod")
                    .args(self.in_namespace(namespace.as_ref()))
                    .arg(format!("-l {}", self.word(selector)))
                    .arg(super::path::output(&ShellText::literal(containers)));
                let each = "awk '{ print } !/istio-proxy/ { lacks = 1 } END { exit lacks || !NR }'";
                vec![get, Command::new(each)]
            }
            Requirement::AccessLog(encoding) => {
                // Of the revision that the runbook names by a parameter, else of the default one.
                let named = self.commands.runbook.params.contains_key("MESH_CONFIG");
                let name =
                    if named { ShellText::variable(variable("MESH_CONFIG")) } else { ShellText::literal("istio") };
                let get = Command::new(format!("kubectl get configmap {}", name.word()))
                    .arg(format!("-n {ISTIO_SYSTEM}"))
                    .arg("-o jsonpath='{.data.mesh}'");
                // The encoding is text unless it is said to be something else, which the reader then sees.
                let line = if encoding.value == "json" { "Encoding: *JSON" } else { "(File|Encoding): *[^\" ]" };
                vec![get, Command::new(format!("grep -E '^accessLog{line}'"))]
            }
            Requirement::Can(can) => {
                let resource = self.text(&can.resource);
                let group = can.group.as_ref().filter(|group| !group.raw.is_empty());
                let resource = match (group, resource.as_literal()) {
                    (None, _) => resource,
                    (Some(group), Some(literal)) => {
                        let (plural, sub) =
                            literal.split_once('/').map_or((literal, None), |(plural, sub)| (plural, Some(sub)));
                        let text = ShellText::literal(format!("{plural}.")).with(self.text(group));
                        sub.map_or(text.clone(), |sub| text.and(&format!("/{sub}")))
                    }
                    (Some(group), None) => resource.and(".").with(self.text(group)),
                };
                let namespace: Option<&Text> = can.namespace.as_ref();
                let place = match resource.as_literal().and_then(|resource| resource.split(['.', '/']).next()) {
                    Some(plural) if CLUSTER_WIDE.contains(&plural) => None,
                    _ => Some(self.in_namespace(namespace).unwrap_or_else(|| "--all-namespaces".to_owned())),
                };
                let verb = self.word(&can.verb);
                vec![Command::new(format!("kubectl auth can-i {verb} {}", resource.word())).args(place)]
            }
        }
    }
}
