//! Markdown as the generated pages are written: tables, fences, and text that stays text.
//!
//! A frame is a page written by hand with places that are filled in; whatever stands between them is prose.

/// A row of cells. Bars and line breaks would end a cell, also within code.
fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A table with its head.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let rows: String = rows.into_iter().map(|cells| row(&cells)).collect();
    format!("{}{}{rows}", row(&head), row(&rule))
}

/// A fenced block, with a fence that is longer than any within.
pub(super) fn fence(language: &str, text: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().chars().take_while(|c| *c == '`').count()).max();
    let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// Inline code.
pub(super) fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Words in a row, with a word before the last.
pub(super) fn listed(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// Text that may hold inline code, but no other markup: what would be markup is escaped.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        inside ^= c == '`';
        match c {
            '<' if !inside => out.push_str("&lt;"),
            '*' | '~' | '$' | '[' if !inside => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// A description without its sentence on the default, and that sentence's text.
pub(super) fn without_default(text: &str) -> (String, Option<String>) {
    let Some(start) = text.find("Default: ") else { return (text.to_owned(), None) };
    let rest = &text[start + "Default: ".len()..];
    let end = rest.find(". ").unwrap_or(rest.len());
    let default = rest[..end].trim_end_matches('.').to_owned();
    let after = rest[end..].trim_start_matches(['.', ' ']);
    (format!("{}{after}", &text[..start]).trim_end().to_owned(), Some(default))
}

/// A frame with its places filled in. Every place has a part, and every part a place.
pub(super) fn fill(frame: &str, parts: &[(&str, String)]) -> String {
    let mut page = frame.to_owned();
    for (name, part) in parts {
        let place = format!("<!-- here: {name} -->\n");
        assert_eq!(page.matches(&place).count(), 1, "the frame has one place for {name}");
        page = page.replace(&place, part);
    }
    assert!(!page.contains("<!-- here:"), "a place of the frame is not filled in:\n{page}");
    page
}
