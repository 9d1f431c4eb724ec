//! What the README shows works as it stands there.

use crate::support::Case;

/// The texts of all fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

#[test]
fn every_runbook_of_the_readme_is_in_order() {
    let books = blocks(include_str!("../README.md"), "yaml");
    assert!(!books.is_empty());
    for book in books {
        Case::new(&["lint", "runbook.yaml"]).file("runbook.yaml", &book).run().code(0);
    }
}

#[test]
fn every_command_of_the_readme_exists() {
    let help = Case::new(&["--help"]).run().code(0);
    let page = include_str!("../README.md");
    let named = page.split("periplus ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next());
    let commands: Vec<&str> = named.filter(|word| !word.is_empty()).collect();
    assert!(commands.contains(&"run"));
    for command in commands.into_iter().filter(|word| !matches!(*word, "is")) {
        let listed = help.stdout().lines().any(|line| line.split_whitespace().next() == Some(command));
        assert!(listed, "the README speaks of `periplus {command}`, which the help does not list");
    }
}
