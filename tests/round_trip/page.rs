//! A page as its reader finds it: sections with command blocks and output blocks, read by a Markdown parser.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// A page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) sections: Vec<Section>,
}

/// What stands between two headings of the first levels, or the section of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// The first heading in it; empty before the first.
    pub(crate) heading: String,
    /// The id of the step that it is about.
    pub(crate) step: Option<String>,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// `bash` for commands, `text` for output; other blocks are for reading.
    pub(crate) language: String,
    pub(crate) text: String,
    /// The line of the page on which its fence opens.
    pub(crate) line: usize,
    /// The last paragraph above it in its section.
    pub(crate) introduction: String,
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let anchor = Regex::new(r#"^\s*<a id="([^"]+)">"#).expect("a pattern");
        let mut sections = vec![Section::default()];
        let (mut words, mut paragraph) = (String::new(), String::new());
        let mut block: Option<Block> = None;
        for (event, at) in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_GFM).into_offset_iter() {
            let section = sections.last_mut().expect("there is one from the start");
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    if let Some(step) = anchor.captures(&html) {
                        sections.push(Section { step: Some(step[1].to_owned()), ..Section::default() });
                        paragraph.clear();
                    }
                }
                Event::Start(Tag::Heading { level, .. }) => {
                    if level <= HeadingLevel::H2 {
                        sections.push(Section::default());
                        paragraph.clear();
                    }
                    words.clear();
                }
                Event::End(TagEnd::Heading(_)) if section.heading.is_empty() => section.heading.clone_from(&words),
                Event::Start(Tag::Paragraph) => words.clear(),
                Event::End(TagEnd::Paragraph) => paragraph.clone_from(&words),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    let line = text[..at.start].matches('\n').count() + 1;
                    let introduction = std::mem::take(&mut paragraph);
                    block = Some(Block { language: language.to_string(), text: String::new(), line, introduction });
                }
                Event::End(TagEnd::CodeBlock) => section.blocks.extend(block.take()),
                Event::Text(text) => match &mut block {
                    Some(block) => block.text.push_str(&text),
                    None => words.push_str(&text),
                },
                Event::Code(text) => words.push_str(&text),
                Event::SoftBreak | Event::HardBreak => words.push(' '),
                _ => {}
            }
        }
        Self { sections }
    }

    /// The ids of the steps, in the order in which the page shows them.
    pub(crate) fn steps(&self) -> Vec<&str> {
        self.sections.iter().filter_map(|section| section.step.as_deref()).collect()
    }

    /// The section of a step, or the one with this heading, to be broken on purpose.
    pub(crate) fn section(&mut self, at: &str) -> &mut Section {
        let is_it = |section: &&mut Section| section.step.as_deref() == Some(at) || section.heading == at;
        self.sections.iter_mut().find(is_it).unwrap_or_else(|| panic!("the page has no section {at}"))
    }

    /// The sections before the first step, those of steps, and those after the last.
    pub(crate) fn parts(&self) -> (&[Section], &[Section], &[Section]) {
        let is_step = |section: &Section| section.step.is_some();
        let first = self.sections.iter().position(is_step).unwrap_or(self.sections.len());
        let after = self.sections.iter().rposition(is_step).map_or(first, |last| last + 1);
        (&self.sections[..first], &self.sections[first..after], &self.sections[after..])
    }
}

impl Section {
    /// Replaces a text of its blocks of a language, which must be there.
    pub(crate) fn replace(&mut self, language: &str, old: &str, new: &str) {
        let blocks = self.blocks.iter_mut().filter(|block| block.language == language);
        let mut changed = false;
        for block in blocks {
            changed |= block.text.contains(old);
            block.text = block.text.replace(old, new);
        }
        assert!(changed, "{} does not hold {old:?} any more", self.heading);
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| block.language == "bash")
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| block.language == "text")
    }
}

impl Block {
    /// Whether the page promises this output to the letter.
    pub(crate) fn is_exact(&self) -> bool {
        self.introduction.ends_with("You should see:") && !self.text.lines().any(|line| line.trim() == "...")
    }
}

#[test]
fn a_page_is_read_as_its_reader_does() {
    let text = "\
# Title

## Parameters

```bash
export A=1
```

## Steps

<a id=\"one\"></a>

### 1. First

Some `prose`
in two lines.

```bash
cat <<'EOF'
# no heading
EOF
```

You should see:

```text
x
```

<a id=\"two\"></a>

### 2. Second

## Clean up

> ```bash
> rm x
> ```
";
    let page = Page::read(text);
    assert_eq!(page.steps(), ["one", "two"]);
    let (before, steps, after) = page.parts();
    let headings: Vec<&str> = before.iter().map(|section| section.heading.as_str()).collect();
    assert_eq!(headings, ["", "Title", "Parameters", "Steps"]);
    assert_eq!(steps[0].heading, "1. First");
    let block = steps[0].commands().next().expect("a block");
    assert_eq!(block.text, "cat <<'EOF'\n# no heading\nEOF\n");
    assert_eq!((block.line, block.introduction.as_str()), (18, "Some prose in two lines."));
    assert!(steps[0].samples().all(Block::is_exact));
    assert_eq!(after[0].commands().next().map(|block| block.text.as_str()), Some("rm x\n"));
    assert_eq!(page.sections.iter().flat_map(Section::commands).count(), 3);
}
