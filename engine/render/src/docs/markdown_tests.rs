//! Hostile text, and what becomes of it on a page.

use proptest::prelude::*;
use pulldown_cmark::{Event, Parser, Tag};

use super::*;

/// Whether what follows a text is read as a paragraph of its own, and no HTML of the text's acts.
fn is_contained(text: &str) -> bool {
    let page = format!("{}\n\nsentinel\n", prose(text));
    let mut depth = 0_usize;
    let mut found = false;
    for (event, _) in Parser::new_ext(&page, options()).into_offset_iter() {
        match event {
            Event::Html(_) | Event::InlineHtml(_) => return false,
            Event::Start(Tag::Heading { level, .. }) if (level as usize) <= HEADINGS_BELOW => return false,
            Event::Start(Tag::Paragraph) if depth == 0 => {
                depth += 1;
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(text) if depth == 1 && text.as_ref() == "sentinel" => found = true,
            _ => {}
        }
    }
    found
}

#[test]
fn prose_that_is_in_order_stays_as_it_is() {
    let text = "One *two* `three <b>`.\n\n- a\n- b\n\n```yaml\nkey: <value>\n```\n\n| a | b |\n| - | - |\n| 1 | 2 |";
    assert_eq!(prose(text), text);
}

#[test]
fn what_would_break_the_page_is_mended() {
    let table = [
        ("# Title", "#### Title"),
        ("Title\n=====\ntext", "#### Title\ntext"),
        ("a <details> b", "a &lt;details> b"),
        ("<!-- no end", "&lt;!-- no end"),
        ("```\nno end", "```\nno end\n```"),
        ("~~~~ yaml\nno end", "~~~~ yaml\nno end\n~~~~"),
        ("```bash\nls\n```", "```sh\nls\n```"),
        ("```text\nout\n```", "```txt\nout\n```"),
        ("a\u{202e}b\u{1b}[2J", "a\\u{202e}b\\u{1b}[2J"),
    ];
    for (text, expected) in table {
        assert_eq!(prose(text), expected, "{text:?}");
        assert!(is_contained(text), "{text:?}");
    }
}

#[test]
fn what_html_hid_is_mended_as_well() {
    for text in
        ["<div>\n```\nno end", "<pre>\n# x\n<!--", "<script>\n</details>\n```bash\n", "> ```\n> x", "- ```\n  x"]
    {
        assert!(is_contained(text), "{text:?} became {:?}", prose(text));
    }
}

#[test]
fn a_fence_is_closed_by_its_own_kind_only() {
    for text in [
        "```\n> ```",
        "```\n    ```",
        "~~~\n```",
        "````\n```",
        "```\n- ```",
        "- a\n\n  ```\n  x",
        "> ```\n> ```\n```",
        "```\n```\n```",
        "   ```\nx",
    ] {
        assert!(is_contained(text), "{text:?} became {:?}", prose(text));
    }
}

#[test]
fn words_on_one_line_keep_code_and_lose_html() {
    assert_eq!(inline("Use `<b>` and <b>no</b>\nmore"), "Use `<b>` and &lt;b>no&lt;/b> more");
    assert_eq!(inline("a <!-- b"), "a <!-- b");
    assert_eq!(inline("# no heading"), "# no heading");
}

#[test]
fn code_holds_any_backticks() {
    assert_eq!(code("a"), "`a`");
    assert_eq!(code("`a``b"), "``` `a``b ```");
    assert_eq!(code(""), "(empty)");
    assert_eq!(cell(&code("a|b")), "`a\\|b`");
}

#[test]
fn a_fence_is_longer_than_any_within() {
    assert_eq!(fence("bash", "a"), "```bash\na\n```");
    assert_eq!(fence("bash", "````\nx\n"), "`````bash\n````\nx\n`````");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_prose_breaks_out(parts in prop::collection::vec(prop::sample::select(vec![
        "```", "~~~", "````", "\n", "\n\n", "<!--", "-->", "<div>", "</div>", "<pre>", "# x", "===", "---", "> ", "- ",
        "1. ", "    ", "\t", "`", "``", "|", "text", "bash", "<a id=\"x\"></a>", "<![CDATA[", "<?", "[x]: y", "\\", "&lt;",
    ]), 0..24)) {
        let text = parts.concat();
        prop_assert!(is_contained(&text), "{text:?} became {:?}", prose(&text));
    }

    #[test]
    fn any_text_is_contained(text in "\\PC{0,60}") {
        prop_assert!(is_contained(&text), "{text:?} became {:?}", prose(&text));
    }

    #[test]
    fn code_shows_its_text(text in "[ -~]{1,40}") {
        prop_assume!(!text.trim().is_empty());
        let span = code(&text);
        let shown: Vec<String> = Parser::new(&format!("x {span} y"))
            .filter_map(|event| if let Event::Code(code) = event { Some(code.to_string()) } else { None })
            .collect();
        prop_assert_eq!(shown, vec![text]);
    }

    #[test]
    fn a_fence_shows_its_text(text in "(?s)[`~ a\n]{0,40}") {
        let page = format!("{}\n\nend", fence("text", &text));
        let mut shown = String::new();
        for event in Parser::new(&page) {
            match event {
                Event::Text(part) => shown.push_str(&part),
                Event::End(pulldown_cmark::TagEnd::CodeBlock) => break,
                _ => {}
            }
        }
        prop_assert_eq!(shown.trim_end_matches('\n'), text.trim_end_matches('\n'));
    }
}
