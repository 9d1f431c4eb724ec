//! Whole runbooks: what a reader pastes, from the first line to the last.

use periplus_core::model::Runbook;

use super::support::{parses, read};
use crate::docs::commands::Commands;

const TUTORIAL: &str = include_str!("../../../../../../runbooks/external-https-proxy/runbook.yaml");
const SLEEP: &str = include_str!("../../../../../../runbooks/external-https-proxy/manifests/sleep.yaml");
const EVERY_VERB: &str = include_str!("../../../../../../tests/fixtures/runbooks/every-verb/runbook.yaml");
const CLIENT: &str = include_str!("../../../../../../tests/fixtures/runbooks/every-verb/manifests/client.yaml");

/// All commands of a runbook, under headings.
fn commands(runbook: &Runbook) -> String {
    let commands = Commands::new(runbook);
    let mut out = format!("== parameters\n{}\n", commands.exports());
    let mut add = |heading: &str, block: &str, said: Option<&str>| {
        parses(block);
        out.push_str(&format!("\n== {heading}\n{block}\n"));
        if let Some(said) = said {
            out.push_str(&format!("-- prints\n{said}\n"));
        }
    };
    for function in commands.functions() {
        add(&format!("function {}", function.name), function.block, None);
    }
    for file in commands.files() {
        add(&file.path, &file.block, None);
    }
    add("requirements", &commands.requirements().block.unwrap_or_default(), None);
    for step in &runbook.steps {
        let commanded = commands.step(step);
        assert!(commanded.filled_in.is_empty(), "{:?}", commanded.filled_in);
        let prints = commanded.prints.map(|printed| printed.pattern);
        add(step.id.value.as_str(), commanded.block.as_deref().unwrap_or_default(), prints.as_deref());
    }
    let order: Vec<usize> = (0..runbook.steps.len()).collect();
    add("clean up", &commands.clean_up(&order).block.unwrap_or_default(), None);
    out
}

#[test]
fn the_tutorial() {
    let runbook = read(TUTORIAL, &[("manifests/sleep.yaml", SLEEP)]);
    insta::assert_snapshot!(commands(&runbook));
}

#[test]
fn every_verb() {
    let runbook = read(EVERY_VERB, &[("manifests/client.yaml", CLIENT)]);
    insta::assert_snapshot!(commands(&runbook));
}
