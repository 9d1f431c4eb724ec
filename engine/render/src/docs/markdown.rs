//! Text of a runbook as Markdown: what an author wrote stays what it says and can never break the page around it.
//!
//! Prose is Markdown already. It may not open what it does not close, bring HTML of its own, or rise above the heading
//! that it stands under. Everything else goes through one of the functions for its place: a span, a cell, a fence.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};

use crate::clean;

/// How often prose is read again after it was mended; what one pass frees the next may have to mend.
const PASSES: usize = 6;

/// Headings of prose start below those of the page.
const HEADINGS_BELOW: usize = 3;

const fn options() -> Options {
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS)
}

/// An author's Markdown of any length, safe to be followed by more of the page.
pub(super) fn prose(text: &str) -> String {
    let mut text = clean::block(text).trim_end().to_owned();
    for _ in 0..PASSES {
        let edits = mends(&text);
        if edits.is_empty() {
            return text;
        }
        for (range, with) in edits.into_iter().rev() {
            text.replace_range(range, &with);
        }
    }
    // What cannot be mended is shown as it was written.
    fence("txt", &text)
}

/// What has to be replaced, in ascending order and without overlap.
fn mends(text: &str) -> Vec<(Range<usize>, String)> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Html(_) | Event::InlineHtml(_) => {
                for (at, _) in text[range.clone()].match_indices('<') {
                    edits.push((range.start + at..range.start + at + 1, "&lt;".to_owned()));
                }
            }
            Event::Start(Tag::Heading { level, .. }) if level as usize <= HEADINGS_BELOW => {
                edits.push(lowered(text, &range, level));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                edits.extend(renamed(text, &range, &info));
                edits.extend(closed(text, &range));
            }
            _ => {}
        }
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    edits.dedup_by(|later, earlier| later.0.start < earlier.0.end || later.0 == earlier.0);
    edits
}

/// A heading further down; one that is underlined becomes one with `#`.
fn lowered(text: &str, range: &Range<usize>, level: HeadingLevel) -> (Range<usize>, String) {
    let marks = "#".repeat(level as usize + HEADINGS_BELOW);
    let heading = text[range.clone()].trim_end();
    let end = range.start + heading.len();
    let words = heading.trim_start_matches('#');
    if words.len() < heading.len() {
        return (range.start..range.start + (heading.len() - words.len()), marks);
    }
    let lines = heading.rsplit_once('\n').map_or(heading, |(lines, _underline)| lines);
    (range.start..end, format!("{marks} {}", lines.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// The page's own commands are `bash` and their output is `text`; an author's blocks go by other names.
fn renamed(text: &str, range: &Range<usize>, info: &str) -> Option<(Range<usize>, String)> {
    let own = match info.split([' ', ',']).next().unwrap_or_default() {
        "bash" => "sh",
        "text" => "txt",
        _ => return None,
    };
    let at = range.start + text[range.clone()].find(info)?;
    Some((at..at + info.len(), own.to_owned()))
}

/// The end of a fence that has none. One that opens behind the mark of a quotation or a list ends with that.
fn closed(text: &str, range: &Range<usize>) -> Option<(Range<usize>, String)> {
    let block = text[range.clone()].trim_end();
    let mark = block.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let marks = block.len() - block.trim_start_matches(mark).len();
    let line_start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = &text[line_start..range.start];
    if !indent.trim().is_empty() || range.end < text.trim_end().len() {
        return None;
    }
    let last = block.rsplit_once('\n').map_or("", |(_, last)| last);
    let end = last.trim_start_matches(' ');
    // CommonMark 4.5: a closing fence is indented by less than four blanks.
    let near = last.len() - end.len() < indent.len() + 4;
    if near && end.len() >= marks && end.chars().all(|c| c == mark) {
        return None;
    }
    Some((text.len()..text.len(), format!("\n{indent}{}", String::from(mark).repeat(marks))))
}

/// An author's words on one line of the page: code and emphasis stay, HTML does not.
pub(super) fn inline(text: &str) -> String {
    const LEAD: &str = "x ";
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{LEAD}{}", clean::line(&words));
    let mut mended = line.clone();
    for _ in 0..PASSES {
        let edits: Vec<usize> = Parser::new_ext(&mended, options())
            .into_offset_iter()
            .filter(|(event, _)| matches!(event, Event::Html(_) | Event::InlineHtml(_)))
            .map(|(_, range)| range.start)
            .collect();
        if edits.is_empty() {
            return mended.split_off(LEAD.len());
        }
        for at in edits.into_iter().rev() {
            mended.replace_range(at..at + 1, "&lt;");
        }
    }
    code(&line[LEAD.len()..])
}

/// A text as a span of code.
pub(super) fn code(text: &str) -> String {
    let text = clean::line(text);
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let marks = "`".repeat(longest_run(&text, '`') + 1);
    let blank = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{marks}{blank}{text}{blank}{marks}")
}

/// Markdown within a cell of a table.
pub(super) fn cell(markdown: &str) -> String {
    markdown.replace('|', "\\|").replace('\n', " ")
}

/// A block of text that is shown as it is, whatever stands in it.
pub(super) fn fence(info: &str, text: &str) -> String {
    let marks = "`".repeat(longest_run(text, '`').max(2) + 1);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{marks}{info}\n{text}{end}{marks}")
}

/// One of GitHub's alerts, such as `> [!NOTE]`.
pub(super) fn alert(kind: &str, markdown: &str) -> String {
    let lines: Vec<String> = markdown.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
    format!("> [!{kind}]\n{}", lines.join("\n"))
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
