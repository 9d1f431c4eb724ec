//! `apply`: server-side apply of manifests.

use super::super::Text;
use crate::source::Spanned;

/// Applies manifests with field manager `periplus`: namespaces and custom resource definitions first, then file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apply {
    /// Namespace of objects that name none; else the step's, else the runbook's.
    pub namespace: Option<Text>,
    /// What is applied.
    pub manifests: Vec<Manifest>,
    /// Whether fields of other managers are taken over. Default false: a conflict names the manager.
    pub force: bool,
}

/// A text of YAML documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// Written in the runbook; rendered.
    Inline(Text),
    /// A file beside the runbook.
    File {
        /// Path relative to the runbook's folder.
        path: Spanned<String>,
        /// Whether templates in it are filled in. Default false: the file is applied as it is.
        render: bool,
        /// Its text.
        text: String,
    },
}

impl Apply {
    pub(super) fn sentence(&self) -> String {
        match self.manifests.as_slice() {
            [Manifest::File { path, .. }] => format!("Apply {}", path.value),
            [Manifest::Inline(text)] => {
                let field = |key: &str| {
                    text.raw.lines().find_map(|line| line.trim_start().strip_prefix(key)).map_or("", str::trim)
                };
                format!("Apply {} {}", field("kind:"), field("name:")).trim_end().to_owned()
            }
            manifests => format!("Apply {} manifests", manifests.len()),
        }
    }
}
