//! JSONPath and JSON Pointers as `kubectl -o jsonpath=` takes them.

use periplus_core::model::Text;

use super::scribe::Scribe;
use super::word::ShellText;

impl Scribe<'_> {
    /// `-o jsonpath='{…}'` for a path of the runbook, which starts in `root`, such as `.items[0]`.
    pub(super) fn jsonpath(&self, path: &Text, root: &str) -> String {
        let raw = path.raw.trim();
        let inner = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')).filter(|raw| !raw.starts_with('{'));
        let inner = inner.unwrap_or(raw).trim();
        let inner = inner.strip_prefix('$').unwrap_or(inner);
        let dot = if inner.starts_with(['.', '[']) || inner.is_empty() { "" } else { "." };
        let text = ShellText::literal(format!("{{{root}{dot}"));
        let inside = self.raw(inner, periplus_core::template::Flavour::Text);
        output(&text.with(inside).and("}"))
    }

    /// `-o jsonpath='{.data.mesh}'` for a JSON Pointer.
    pub(super) fn pointed(&self, pointer: &Text) -> String {
        let path: String = segments(&pointer.raw).map(|segment| field(&segment)).collect();
        output(&ShellText::literal("{").with(self.raw(&path, periplus_core::template::Flavour::Text)).and("}"))
    }
}

/// `-o jsonpath=…`.
pub(super) fn output(path: &ShellText) -> String {
    format!("-o jsonpath={}", path.word())
}

/// The keys of a JSON Pointer.
pub(super) fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// A key behind what leads to it: `.data`, `.settings\.yaml`.
pub(super) fn field(key: &str) -> String {
    if !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.{}".contains(c)) && !key.starts_with('.')
    {
        format!(".{}", key.replace('.', "\\."))
    } else {
        format!("['{}']", key.replace('.', "\\."))
    }
}
