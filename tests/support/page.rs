//! Reading Markdown documents: fenced blocks, headings with their anchors, links.

use std::path::{Path, PathBuf};

/// The documents that people read: everything in `docs`, and what stands at the top.
pub(crate) fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    let mut open = vec![root.join("docs")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of documents") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A fenced block of a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind the fence.
    pub(crate) language: String,
    /// The text within.
    pub(crate) text: String,
    /// The line on which it starts, from 1.
    pub(crate) line: usize,
}

/// A document, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The fenced blocks, in order.
    pub(crate) blocks: Vec<Block>,
    /// The lines outside of them, each with its number.
    pub(crate) prose: Vec<(usize, String)>,
}

impl Page {
    /// Takes a document apart. A fence ends with as many backticks as it began with.
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut open: Option<(String, Block)> = None;
        for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line)) {
            match &mut open {
                Some((fence, block)) => {
                    if line.trim() == fence {
                        page.blocks.extend(open.take().map(|(_, block)| block));
                    } else {
                        block.text.push_str(line);
                        block.text.push('\n');
                    }
                }
                None if line.trim_start().starts_with("```") => {
                    let line = line.trim_start();
                    let language = line.trim_start_matches('`');
                    let fence = line[..line.len() - language.len()].to_owned();
                    let block = Block { language: language.to_owned(), text: String::new(), line: number };
                    open = Some((fence, block));
                }
                None => page.prose.push((number, line.to_owned())),
            }
        }
        assert!(open.is_none(), "a fence is not closed: {open:?}");
        page
    }

    /// All places that a link can lead to: headings, numbered where they repeat, and `id`s.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for (_, line) in &self.prose {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            if (1..=6).contains(&level) && text.starts_with(' ') {
                let slug = slug(text.trim());
                let free = |name: &String| !anchors.contains(name);
                let numbered = (1..).map(|number| format!("{slug}-{number}"));
                anchors.extend(std::iter::once(slug.clone()).chain(numbered).find(free));
            }
            for (at, opening) in line.match_indices(" id=\"") {
                anchors.extend(line[at + opening.len()..].split('"').next().map(str::to_owned));
            }
        }
        anchors
    }

    /// The targets of all links and pictures within the prose, with their lines; code is no link.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in &self.prose {
            let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            for (at, opening) in outside.match_indices("](") {
                let rest = &outside[at + opening.len()..];
                let target = rest.split([')', ' ']).next().unwrap_or_default();
                links.push((*number, target.to_owned()));
            }
        }
        links
    }
}

/// The anchor of a heading, as GitHub and mdBook make it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_page_is_taken_apart() {
    let page = Page::read(
        "# A `b-c` (d)\n\n````md\n```yaml\nx: [y](z)\n```\n````\n## E\n## E\n<a id=\"f\"></a>[g](h.md#i) `[j](k)`\n",
    );
    assert_eq!(page.anchors(), ["a-b-c-d", "e", "e-1", "f"]);
    assert_eq!(
        page.blocks,
        [Block { language: "md".to_owned(), text: "```yaml\nx: [y](z)\n```\n".to_owned(), line: 3 }]
    );
    assert_eq!(page.links(), [(10, "h.md#i".to_owned())]);
}
