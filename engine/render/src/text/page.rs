//! A page of text under construction: indentation, wrapping, aligned pairs.
//!
//! All text from outside this crate passes through [`crate::clean`] here, so that no caller can forget it.

use std::fmt::Write as _;

use crate::clean;
use crate::style::{Role, Theme};
use crate::text::wrap::{columns, pad, wrap};

/// Most lines shown of one output; the rest is counted. The whole of it is in the report and the journal.
const OUTPUT_LINES: usize = 12;

/// Text under construction.
pub(crate) struct Page {
    theme: Theme,
    text: String,
}

impl Page {
    pub(crate) const fn new(theme: Theme) -> Self {
        Self { theme, text: String::new() }
    }

    pub(crate) const fn theme(&self) -> Theme {
        self.theme
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// An empty line, unless the page is empty or ends with one.
    pub(crate) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// One line, never wrapped, in the colour of a role.
    pub(crate) fn line(&mut self, indent: usize, role: Role, text: &str) {
        let text = clean::line(text);
        self.raw(indent, &self.theme.paint(role, text.as_ref()).to_string());
    }

    /// One line that is clean and painted already.
    pub(crate) fn raw(&mut self, indent: usize, text: &str) {
        if text.is_empty() {
            self.text.push('\n');
        } else {
            // Writing into a string cannot fail.
            let _ = writeln!(self.text, "{:indent$}{text}", "");
        }
    }

    /// Prose, wrapped at the page's width.
    pub(crate) fn prose(&mut self, indent: usize, role: Role, text: &str) {
        self.hanging(indent, "", role, text);
    }

    /// Prose with a sign before its first line; further lines stand below the text, not below the sign.
    pub(crate) fn hanging(&mut self, indent: usize, sign: &str, role: Role, text: &str) {
        let text = clean::block(text);
        let deep = columns(sign);
        let width = self.theme.width().saturating_sub(indent + deep).max(20);
        for (number, line) in wrap(&text, width).iter().enumerate() {
            let painted = self.theme.paint(role, line);
            if number == 0 {
                self.raw(indent, &format!("{sign}{painted}"));
            } else {
                self.raw(indent + deep, &painted.to_string());
            }
        }
    }

    /// A label in a column of its own and a value beside it.
    pub(crate) fn pair(&mut self, indent: usize, width: usize, label: &str, value: &str) {
        let label = pad(label, width);
        let value = clean::line(value);
        self.raw(indent, &format!("{}  {value}", self.theme.paint(Role::Dim, label)));
    }

    /// A label, and beside it a text whose lines stay as they are, for a reader who pastes it.
    pub(crate) fn verbatim(&mut self, indent: usize, width: usize, label: &str, text: &str) {
        let text = clean::block(text);
        for (number, line) in text.lines().enumerate() {
            if number == 0 {
                self.pair(indent, width, label, line);
            } else {
                self.raw(0, line);
            }
        }
    }

    /// A label, and beside it an output of several lines, of which the first and last few are shown.
    pub(crate) fn output(&mut self, indent: usize, width: usize, label: &str, output: Output<'_>) {
        let mut lines: Vec<String> = Vec::new();
        let head = clean::block(output.head);
        lines.extend(head.trim_end_matches('\n').lines().map(str::to_owned));
        if output.omitted_bytes > 0 {
            lines.push(format!("… {} bytes left out …", output.omitted_bytes));
            lines.extend(clean::block(output.tail).trim_end_matches('\n').lines().map(str::to_owned));
        }
        lines.dedup_by(|line, above| line.trim().is_empty() && above.trim().is_empty());
        if lines.is_empty() {
            lines.push("(empty)".to_owned());
        }
        if lines.len() > OUTPUT_LINES {
            let left_out = lines.len() - OUTPUT_LINES;
            let half = OUTPUT_LINES / 2;
            lines.splice(half..half + left_out, [format!("… {left_out} lines left out …")]);
        }
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                self.raw(indent + width + 2, line.trim_end());
                continue;
            }
            self.raw(indent, format!("{}  {line}", self.theme.paint(Role::Dim, pad(label, width))).trim_end());
        }
    }
}

/// An output that was shortened in the middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<'a> {
    pub(crate) head: &'a str,
    pub(crate) omitted_bytes: u64,
    pub(crate) tail: &'a str,
}

impl<'a> From<&'a periplus_core::expect::Excerpt> for Output<'a> {
    fn from(excerpt: &'a periplus_core::expect::Excerpt) -> Self {
        Self { head: &excerpt.head, omitted_bytes: excerpt.omitted_bytes, tail: &excerpt.tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_outputs_keep_their_ends() {
        let text: String = (1..=50).map(|n| format!("line {n}\n")).collect();
        let mut page = Page::new(Theme::plain());
        page.output(2, 6, "stdout", Output { head: &text, omitted_bytes: 0, tail: "" });
        let shown = page.into_text();
        assert!(shown.starts_with("  stdout  line 1\n          line 2\n"), "{shown}");
        assert!(shown.contains("line 6\n          … 38 lines left out …\n          line 45\n"), "{shown}");
        assert!(shown.ends_with("          line 50\n"), "{shown}");
    }

    #[test]
    fn nothing_hostile_reaches_the_page() {
        let mut page = Page::new(Theme::plain());
        page.line(0, Role::Plain, "a\u{1b}[2Jb");
        page.prose(0, Role::Plain, "c\u{1b}[2Jd");
        page.pair(0, 3, "x", "e\u{1b}[2Jf");
        page.output(0, 3, "y", Output { head: "g\u{1b}[2Jh", omitted_bytes: 3, tail: "i\u{7}j" });
        let shown = page.into_text();
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}
