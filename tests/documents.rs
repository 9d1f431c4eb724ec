//! What the documents show works as it stands there: commands exist, consoles were really seen, the book is whole.
//!
//! Links and runbooks in documents are looked after by `architecture`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use periplus_core::expect::{ExecOutput, Judgement, OutputSpec};
use similar::TextDiff;
use tempfile::TempDir;

use crate::support::{Page, documents};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The command lines of a document that call the program: in blocks, indented or fenced, and in inline code.
fn command_lines(text: &str) -> Vec<String> {
    let page = Page::read(text);
    let block = page.blocks.iter().flat_map(|block| block.text.lines().map(str::to_owned));
    let indented = page.prose.iter().filter_map(|(_, line)| line.strip_prefix("    ").map(str::to_owned));
    let inline = page.prose.iter().flat_map(|(_, line)| {
        let odd = line.split('`').skip(1).step_by(2).map(str::to_owned);
        odd.collect::<Vec<_>>()
    });
    let calls = block.chain(indented).chain(inline).filter_map(|line| {
        let line = line.trim().trim_start_matches("$ ").trim_start();
        let line = line.strip_prefix("cargo run --release -- ").or_else(|| line.strip_prefix("periplus "))?;
        Some(line.to_owned())
    });
    calls.collect()
}

#[test]
fn every_command_line_of_the_documents_exists() {
    let program = periplus_cli::command();
    let mut found = Vec::new();
    let mut seen = 0;
    for path in documents() {
        for line in command_lines(&read(&path)) {
            let words: Vec<&str> = line
                .split_whitespace()
                .take_while(|word| !matches!(*word, "|" | ">" | "&&" | "--" | "[--" | ";"))
                .collect();
            let Some(name) = words.first().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())) else {
                continue;
            };
            seen += 1;
            let Some(command) = program.find_subcommand(name.trim_end_matches([',', '.'])) else {
                found.push(format!("{}: periplus {line}", shown(&path)));
                continue;
            };
            let below = words.get(1).and_then(|word| command.find_subcommand(word));
            let command = below.unwrap_or(command);
            let known: BTreeSet<&str> = command
                .get_arguments()
                .chain(program.get_arguments())
                .filter_map(|arg| arg.get_long())
                .chain(["help", "version"])
                .collect();
            for option in words.iter().filter_map(|word| word.trim_matches(['[', ']', ',', '.']).strip_prefix("--")) {
                let option = option.split('=').next().unwrap_or_default();
                if !known.contains(option) {
                    found.push(format!("{}: --{option} of periplus {line}", shown(&path)));
                }
            }
        }
    }
    assert!(seen > 50, "the documents show commands: {seen}");
    assert!(found.is_empty(), "documents show what the program does not have:\n  {}", found.join("\n  "));
}

/// A document whose consoles are carried out, in one folder, in the order of the page.
///
/// Marks stand in comments of their own line: `<!-- file: NAME -->` writes the block below it to a file, `<!-- change: NAME -->`
/// applies the block below it, a diff, to a file, and `<!-- with: PATH -->` copies a folder of the repository. A block
/// `console` holds commands behind `$ ` and what they print: what is on standard output, or where nothing is, on
/// standard error. In it `...` stands for lines that are left out.
struct Walk {
    folder: TempDir,
    /// The exit code of the command before.
    last: i32,
}

impl Walk {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder can be made"), last: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }

    /// Takes the lines of a diff out of a file and puts others in.
    fn change(&self, name: &str, diff: &str) {
        let side = |other: char| -> String {
            diff.lines()
                .filter(|line| !line.starts_with(other))
                .map(|line| format!("{}\n", line.get(1..).unwrap_or_default()))
                .collect()
        };
        let (old, new) = (side('+'), side('-'));
        let text = read(&self.path(name));
        assert_eq!(text.matches(&old).count(), 1, "{name} has these lines once:\n{old}\n{text}");
        self.write(name, &text.replace(&old, &new));
    }

    fn copy(&self, from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("a folder can be made");
        for entry in std::fs::read_dir(from).expect("a folder of the repository") {
            let entry = entry.expect("an entry");
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                self.copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).expect("a file can be copied");
            }
        }
    }

    /// Carries a command out and gives what it prints.
    fn run(&mut self, line: &str) -> String {
        let programs = Path::new(env!("CARGO_BIN_EXE_periplus")).parent().expect("a program is in a folder");
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("(exit {}); {line}", self.last)])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("HOME", self.folder.path())
            .env("LANG", "C.UTF-8")
            .current_dir(self.folder.path())
            .output()
            .expect("a shell can be started");
        self.last = output.status.code().unwrap_or(-1);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.stdout.is_empty() { text(&output.stderr) } else { text(&output.stdout) }
    }

    /// A console as it is: that of the document where it fits, else with what was printed now.
    fn console(&mut self, block: &str) -> String {
        let mut made = String::new();
        let mut parts = block.split_inclusive('\n').peekable();
        while let Some(line) = parts.next() {
            let Some(mut command) = line.strip_prefix("$ ").map(str::to_owned) else {
                made.push_str(line);
                continue;
            };
            made.push_str(line);
            while command.trim_end().ends_with('\\') {
                let more = parts.next().expect("a command that goes on");
                made.push_str(more);
                command.push_str(more);
            }
            let mut expected = String::new();
            while let Some(line) = parts.next_if(|line| !line.starts_with("$ ")) {
                expected.push_str(line);
            }
            let printed = self.run(command.trim_end());
            if fits(&expected, &printed) {
                made.push_str(&expected);
            } else {
                made.push_str(printed.trim_end());
                // A blank line before the next command stays.
                made.push_str(if expected.ends_with("\n\n") { "\n\n" } else { "\n" });
            }
        }
        made
    }

    /// The document with its consoles as they are now.
    fn carry_out(&mut self, text: &str) -> String {
        let mut made = String::new();
        let mut mark: Option<(String, String)> = None;
        let mut lines = text.split_inclusive('\n');
        while let Some(line) = lines.next() {
            made.push_str(line);
            if let Some(comment) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->\n")) {
                if let Some((kind, name)) = comment.split_once(": ") {
                    if kind == "with" {
                        self.copy(&root().join(name), &self.path(name));
                    } else {
                        mark = Some((kind.to_owned(), name.to_owned()));
                    }
                }
            } else if let Some(language) = line.strip_prefix("```").map(str::trim_end) {
                let block: String = lines.by_ref().take_while(|line| *line != "```\n").collect();
                match mark.take() {
                    Some((kind, name)) if kind == "file" => self.write(&name, &block),
                    Some((kind, name)) if kind == "change" => self.change(&name, &block),
                    Some((kind, _)) => panic!("there is no mark {kind}"),
                    None if language == "console" => {
                        made.push_str(&self.console(&block));
                        made.push_str("```\n");
                        continue;
                    }
                    None => {}
                }
                made.push_str(&block);
                made.push_str("```\n");
            }
        }
        made
    }
}

/// Whether a printout is the documented one: in the words of the matching language, where `...` is any lines.
fn fits(expected: &str, printed: &str) -> bool {
    if expected.trim().is_empty() || printed.trim().is_empty() {
        return expected.trim() == printed.trim();
    }
    let spec = OutputSpec { lines: Some(expected.to_owned()), ..OutputSpec::default() };
    let Ok(check) = spec.compile::<String>(&mut |text| Ok(text.to_owned())) else { return false };
    let output = ExecOutput { stdout: printed.as_bytes(), stderr: b"", exit: 0 };
    matches!(check.judge(&output), Judgement::Held { .. })
}

/// `PERIPLUS_UPDATE=1` writes what is printed now into the documents.
#[test]
fn every_console_of_the_guides_was_really_seen() {
    let mut differences = String::new();
    let mut seen = 0;
    for path in documents().into_iter().filter(|path| path.starts_with(root().join("docs/guides"))) {
        let text = read(&path);
        let made = Walk::new().carry_out(&text);
        seen += text.matches("```console\n").count();
        if made != text && std::env::var("PERIPLUS_UPDATE").is_ok_and(|value| value == "1") {
            std::fs::write(&path, &made).expect("a document can be written");
        } else if made != text {
            let diff =
                TextDiff::from_lines(&text, &made).unified_diff().header("documented", "printed now").to_string();
            differences.push_str(&format!("{}\n{diff}", shown(&path)));
        }
    }
    assert!(seen > 0, "the guides show consoles");
    assert!(
        differences.is_empty(),
        "consoles differ. To write them anew: PERIPLUS_UPDATE=1 cargo test --test periplus documents\n{differences}"
    );
}

#[test]
fn the_lab_has_the_programs_that_its_guide_lists() {
    let guide = read(&root().join("docs/guides/what-the-lab-simulates.md"));
    let (_, rest) = guide.split_once("<!-- programs -->").expect("a mark");
    let (listed, _) = rest.split_once("<!-- end of programs -->").expect("a mark");
    let listed: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
    assert!(listed.len() > 40, "{listed:?}");
    let lacking: Vec<&&str> = listed.iter().filter(|name| periplus_lab::programs::find(name, name).is_none()).collect();
    assert!(lacking.is_empty(), "the guide lists what the lab lacks: {lacking:?}");
    for name in ["traceroute", "vi", "tcpdump"] {
        assert!(periplus_lab::programs::find(name, name).is_none(), "the guide says that the lab lacks {name}");
        assert!(!listed.contains(&name));
    }
}

#[test]
fn the_book_lists_every_page_once() {
    let docs = root().join("docs");
    let summary = Page::read(&read(&docs.join("SUMMARY.md")));
    let mut listed: Vec<String> = summary.links().into_iter().map(|(_, target)| target).collect();
    listed.sort();
    let mut pages: Vec<String> = documents()
        .iter()
        .filter_map(|path| path.strip_prefix(&docs).ok())
        .map(|path| path.display().to_string())
        .filter(|page| page != "SUMMARY.md")
        .collect();
    pages.sort();
    assert_eq!(listed, pages, "docs/SUMMARY.md lists each page below docs once");
    // mdBook names such a page index.html, and does not follow the links to it.
    let config = read(&docs.join("book.toml"));
    for page in pages.iter().filter(|page| page.ends_with("README.md")) {
        let redirect = format!("\"/{}\" = \"index.html\"", page.replace(".md", ".html"));
        assert!(config.contains(&redirect), "docs/book.toml lacks the redirect {redirect}");
    }
}
