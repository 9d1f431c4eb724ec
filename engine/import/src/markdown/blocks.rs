//! From Markdown to blocks, by the events of a CommonMark parser.

use std::ops::Range;
use std::sync::LazyLock;

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

use super::{Block, BlockKind};

static ANCHOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^<a (?:id|name)="([^"<>]+)">\s*(?:</a>)?$"#).expect("a pattern"));
/// A heading that lacks the blank after its marks, as many pages have it: CommonMark takes it for prose.
static ALMOST_HEADING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(#{1,6})([A-Za-z][^\n]*)$").expect("a pattern"));

/// The blocks of a text.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut reader = Reader {
        text,
        lines: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
        blocks: Vec::new(),
        lists: Vec::new(),
        item_starts: false,
        open: None,
        quotes: Vec::new(),
        table: None,
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_GFM | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(event, range);
    }
    reader.close();
    reader.blocks
}

/// A block whose end has not come yet.
struct Open {
    kind: OpenKind,
    text: String,
    range: Range<usize>,
}

enum OpenKind {
    Heading(u8),
    Prose,
    /// Text of a list item that stands in no paragraph.
    Tight,
    Fence {
        info: String,
        first: Option<usize>,
    },
    Html,
}

struct Reader<'p> {
    text: &'p str,
    /// The byte that each line starts at.
    lines: Vec<usize>,
    blocks: Vec<Block>,
    /// Whether each list around is numbered.
    lists: Vec<bool>,
    /// Whether nothing of the innermost item was read yet.
    item_starts: bool,
    open: Option<Open>,
    /// The quotes around: their word and their start.
    quotes: Vec<(Option<&'static str>, usize)>,
    /// The rows of the table that is being read.
    table: Option<Vec<Vec<String>>>,
}

impl Reader<'_> {
    fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        if self.table.is_some() {
            self.in_table(event, range);
            return;
        }
        if !self.quotes.is_empty() {
            self.in_quote(&event, range);
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag, range),
            Event::Text(text) | Event::InlineHtml(text) => self.inline(&text, range),
            Event::Code(text) => self.inline(&format!("`{text}`"), range),
            Event::SoftBreak | Event::HardBreak => self.inline(" ", range),
            Event::Html(text) => {
                if let Some(open) = &mut self.open {
                    open.text.push_str(&text);
                    open.range.end = range.end;
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        let kind = match tag {
            Tag::Heading { level, .. } => OpenKind::Heading(level as u8),
            Tag::Paragraph => OpenKind::Prose,
            Tag::HtmlBlock => OpenKind::Html,
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => OpenKind::Fence { info: info.into_string(), first: None },
            Tag::CodeBlock(CodeBlockKind::Indented) => OpenKind::Fence { info: String::new(), first: None },
            Tag::List(number) => {
                self.close();
                self.lists.push(number.is_some());
                return;
            }
            Tag::Item => {
                self.close();
                self.item_starts = true;
                return;
            }
            Tag::BlockQuote(kind) => {
                self.close();
                let word = kind.map(|kind| match kind {
                    BlockQuoteKind::Note => "NOTE",
                    BlockQuoteKind::Tip => "TIP",
                    BlockQuoteKind::Important => "IMPORTANT",
                    BlockQuoteKind::Warning => "WARNING",
                    BlockQuoteKind::Caution => "CAUTION",
                });
                self.quotes.push((word, range.start));
                return;
            }
            Tag::Table(_) => {
                self.close();
                self.table = Some(Vec::new());
                return;
            }
            _ => {
                // Emphasis, links and the like may be the first thing of a tight item.
                self.inline("", range);
                return;
            }
        };
        self.close();
        self.open = Some(Open { kind, text: String::new(), range });
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::List(_) => {
                self.close();
                self.lists.pop();
                self.item_starts = false;
            }
            TagEnd::Item => {
                self.close();
                self.item_starts = false;
            }
            TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::HtmlBlock => {
                if let Some(open) = &mut self.open {
                    open.range.end = range.end;
                }
                self.close();
            }
            _ => {
                if let Some(open) = &mut self.open {
                    open.range.end = open.range.end.max(range.end);
                }
            }
        }
    }

    fn inline(&mut self, text: &str, range: Range<usize>) {
        match &mut self.open {
            Some(open) => {
                if let OpenKind::Fence { first: first @ None, .. } = &mut open.kind {
                    *first = Some(range.start);
                }
                open.text.push_str(text);
                open.range.end = open.range.end.max(range.end);
            }
            None if !self.lists.is_empty() => {
                self.open = Some(Open { kind: OpenKind::Tight, text: text.to_owned(), range });
            }
            None => {}
        }
    }

    /// What stands in a quotation stays together.
    fn in_quote(&mut self, event: &Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::BlockQuote(_)) => self.quotes.push((None, range.start)),
            Event::End(TagEnd::BlockQuote(_)) => {
                let Some((word, start)) = self.quotes.pop() else { return };
                if self.quotes.is_empty() {
                    let raw = strip(&self.text[start..range.end], true);
                    let line = self.line(start);
                    self.blocks.push(Block { kind: BlockKind::Quote(word), raw, line });
                }
            }
            _ => {}
        }
    }

    fn in_table(&mut self, event: Event<'_>, range: Range<usize>) {
        let Some(rows) = &mut self.table else { return };
        let text = match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                rows.push(Vec::new());
                return;
            }
            Event::Start(Tag::TableCell) => {
                if let Some(row) = rows.last_mut() {
                    row.push(String::new());
                }
                return;
            }
            Event::End(TagEnd::Table) => {
                let rows = self.table.take().unwrap_or_default();
                let raw = self.text[range.clone()].trim_end().to_owned();
                let line = self.line(range.start);
                self.blocks.push(Block { kind: BlockKind::Table(rows), raw, line });
                return;
            }
            Event::Text(text) | Event::InlineHtml(text) => text.into_string(),
            Event::Code(text) => format!("`{text}`"),
            _ => return,
        };
        if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
            cell.push_str(&text);
        }
    }

    /// Ends the block that is open.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let line = self.line(open.range.start);
        let raw = strip(&self.text[open.range.clone()], false);
        let text = open.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let kind = match open.kind {
            OpenKind::Heading(level) => BlockKind::Heading(level, text),
            OpenKind::Fence { info, first } => {
                let first = first.map_or(line, |byte| self.line(byte));
                BlockKind::Fence { info, text: open.text, first }
            }
            OpenKind::Html => match ANCHOR.captures(raw.trim()) {
                Some(found) => BlockKind::Anchor(found[1].to_owned()),
                None => BlockKind::Html,
            },
            OpenKind::Prose | OpenKind::Tight => {
                if text.is_empty() {
                    return;
                }
                let starts = std::mem::take(&mut self.item_starts);
                if let Some(found) = ANCHOR.captures(raw.trim()) {
                    BlockKind::Anchor(found[1].to_owned())
                } else if let Some(found) = ALMOST_HEADING.captures(raw.trim()) {
                    BlockKind::Heading(u8::try_from(found[1].len()).unwrap_or(6), found[2].trim().to_owned())
                } else if let (true, Some(ordered)) = (starts, self.lists.last()) {
                    BlockKind::Item { ordered: *ordered, depth: self.lists.len(), text }
                } else {
                    BlockKind::Prose(text)
                }
            }
        };
        self.item_starts = false;
        self.blocks.push(Block { kind, raw, line });
    }
}

/// A block's lines without the blanks that lists put before them; of a quotation without its own marks.
fn strip(raw: &str, quote: bool) -> String {
    let lines = raw.trim_end().lines().map(|line| {
        let line = line.trim_start();
        if quote { line.strip_prefix('>').map_or(line, |rest| rest.strip_prefix(' ').unwrap_or(rest)) } else { line }
    });
    lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(usize, BlockKind)> {
        blocks(text).into_iter().map(|block| (block.line, block.kind)).collect()
    }

    #[test]
    fn blocks_of_lists_follow_each_other_with_their_lines() {
        let text = "# T\n\n1. One\n```bash\nkubectl x\n```\n2. Two `code` *em*\n   more\n\n    ```\n    out\n    ```\n- a\n  - b\n";
        let item = |ordered, depth, text: &str| BlockKind::Item { ordered, depth, text: text.to_owned() };
        let fence =
            |info: &str, text: &str, first| BlockKind::Fence { info: info.to_owned(), text: text.to_owned(), first };
        assert_eq!(
            kinds(text),
            [
                (1, BlockKind::Heading(1, "T".to_owned())),
                (3, item(true, 1, "One")),
                (4, fence("bash", "kubectl x\n", 5)),
                (7, item(true, 1, "Two `code` em more")),
                (10, fence("", "out\n", 11)),
                (13, item(false, 1, "a")),
                (14, item(false, 2, "b")),
            ]
        );
    }

    #[test]
    fn anchors_alerts_tables_and_careless_headings_are_seen() {
        let text = "<a id=\"x-1\"></a>\n\n####NOTE\n- n\n\n> [!WARNING]\n> **Impact:** all\n\n| A | B |\n| --- | --- |\n| `1` | two |\n";
        let found = blocks(text);
        assert_eq!(found[0].kind, BlockKind::Anchor("x-1".to_owned()));
        assert_eq!(found[1].kind, BlockKind::Heading(4, "NOTE".to_owned()));
        assert_eq!(found[3].kind, BlockKind::Quote(Some("WARNING")));
        assert_eq!(found[3].raw, "[!WARNING]\n**Impact:** all");
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(found[4].kind, BlockKind::Table(vec![row(["A", "B"]), row(["`1`", "two"])]));
    }
}
