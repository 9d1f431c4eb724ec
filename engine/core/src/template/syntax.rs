//! Says what Handlebars' parser could not read, in words of our own.
//!
//! The parser's own words are the names of its grammar's rules, and its place lies behind the mistake; neither is shown.

use super::parse::Problem;
use super::tags::{Tag, TagKind};
use crate::codes::Code;

/// The problem that an error of the parser means.
pub(super) fn syntax(raw: &str, tags: &[Tag], error: &handlebars::TemplateError) -> Problem {
    let (line, column) = error.pos().unwrap_or((1, 1));
    let line_start = if line <= 1 { 0 } else { raw.match_indices('\n').nth(line - 2).map_or(0, |(at, _)| at + 1) };
    let rest = &raw[line_start..];
    let failed = line_start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    // The parser's place is behind the token that it could not read: what is meant is the tag before it.
    let tag = tags
        .iter()
        .filter(|tag| !matches!(tag.kind, TagKind::Text | TagKind::Escape))
        .rfind(|tag| tag.at.start <= failed)
        .or_else(|| tags.iter().find(|tag| !matches!(tag.kind, TagKind::Text | TagKind::Escape)));
    let at = tag.map_or(failed..failed, |tag| tag.at.clone());
    let text = &raw[at.clone()];
    let problem = |message: String| Problem::new(Code::BadTemplate, at.clone(), message);
    if !text.ends_with("}}") {
        return problem("this template does not end".to_owned())
            .help("close it with }}, or write \\{{ for plain braces");
    }
    let opened = tags.iter().filter(|tag| tag.kind == TagKind::Open).count();
    let closed = tags.iter().filter(|tag| tag.kind == TagKind::Close).count();
    if opened > closed
        && let Some(open) = tags.iter().rfind(|tag| tag.kind == TagKind::Open)
    {
        let text = &raw[open.at.clone()];
        let name = text.trim_start_matches(['{', '#', '~', ' ']).split([' ', '}']).next().unwrap_or_default();
        return Problem::new(Code::BadTemplate, open.at.clone(), "a block that is not closed")
            .help(format!("end it with {{{{/{name}}}}}"));
    }
    if closed > opened {
        return problem("a block ends here that was not begun, or was begun under another name".to_owned());
    }
    problem(format!("`{text}` is not a template"))
        .help("write {{NAME}}, or \\{{ for braces that are to stay as they are")
}
