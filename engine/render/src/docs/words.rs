//! How a page speaks of a runbook's values: a reader knows them as variables of the shell.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::markdown;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{\{?\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}?\}\}").expect("invariant: a fixed pattern"));

/// A text with `{{NAME}}` as `$NAME`; other templates stay as they are.
pub(super) fn shell_names(text: &str) -> String {
    NAME.replace_all(text, |name: &Captures<'_>| format!("${}", &name[1])).into_owned()
}

/// A text as code, with `{{NAME}}` as `$NAME`.
pub(super) fn code(text: &str) -> String {
    markdown::code(&shell_names(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_a_name_become_variables() {
        assert_eq!(shell_names("a {{X}}:{{ Y }} {{{Z}}} {{host S}}"), "a $X:$Y $Z {{host S}}");
        assert_eq!(code("`{{X}}"), "`` `$X ``");
    }
}
