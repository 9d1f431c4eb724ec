//! How a page that is there differs from the one that should be.

use similar::{ChangeTag, TextDiff};

use crate::clean;
use crate::style::{Role, Theme};

/// Lines shown around a difference.
const AROUND: usize = 3;

/// A unified diff from `found` to `wanted`, under a heading for each.
#[must_use]
pub fn difference(found: &str, wanted: &str, headings: (&str, &str), theme: Theme) -> String {
    let diff = TextDiff::from_lines(found, wanted);
    let mut text = String::new();
    let mut line = |role: Role, line: &str| {
        text.push_str(&theme.paint(role, clean::line(line).trim_end()).to_string());
        text.push('\n');
    };
    line(Role::Strong, &format!("--- {}", headings.0));
    line(Role::Strong, &format!("+++ {}", headings.1));
    for group in diff.grouped_ops(AROUND) {
        let starts = group.first().map(|op| (op.old_range().start + 1, op.new_range().start + 1)).unwrap_or_default();
        line(Role::Dim, &format!("@@ line {} / line {} @@", starts.0, starts.1));
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, role) = match change.tag() {
                ChangeTag::Equal => (' ', Role::Plain),
                ChangeTag::Delete => ('-', Role::Bad),
                ChangeTag::Insert => ('+', Role::Good),
            };
            line(role, &format!("{sign}{}", change.value().trim_end_matches(['\r', '\n'])));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_what_is_around() {
        let found: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let wanted = found.replace("10\n", "ten\n");
        let expected = "--- old\n+++ new\n@@ line 7 / line 7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n";
        assert_eq!(difference(&found, &wanted, ("old", "new"), Theme::plain()), expected);
    }
}
