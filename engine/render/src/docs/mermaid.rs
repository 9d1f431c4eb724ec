//! The graph of a runbook's steps as a Mermaid flowchart.
//!
//! Shapes tell changes from looks; no colour is set, so that the picture suits a light page and a dark one.

use std::fmt::Write as _;

use periplus_core::graph::Dag;
use periplus_core::model::{Effect, Runbook};

use super::skips::Skips;
use super::words::shell_names;
use crate::clean;

/// Steps beyond which a picture shows nothing.
const MOST_STEPS: usize = 80;

/// Characters of a label.
const LABEL: usize = 120;

/// The picture, or nothing for a runbook of one step or of more than a picture can show. `order` holds the positions of
/// the steps in the order of their numbers.
pub(super) fn flowchart(runbook: &Runbook, dag: &Dag, order: &[usize], skips: &Skips) -> Option<String> {
    if order.len() < 2 || order.len() > MOST_STEPS {
        return None;
    }
    let mut text = "flowchart TD\n".to_owned();
    let mut conditional = Vec::new();
    for (number, &position) in order.iter().enumerate() {
        let step = &runbook.steps[position];
        let label = label(&format!("{}. {}", number + 1, shell_names(&step.title())));
        let shape = match step.effect() {
            Effect::Change => format!("[\"{label}\"]"),
            Effect::Read => format!("([\"{label}\"])"),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "    s{}{shape}", number + 1);
        if step.when.is_some() || skips.with(position).next().is_some() {
            conditional.push(format!("s{}", number + 1));
        }
    }
    let mut numbers = vec![0; runbook.steps.len()];
    for (number, &position) in order.iter().enumerate() {
        numbers[position] = number + 1;
    }
    for &position in order {
        for before in direct(dag, position) {
            let _ = writeln!(text, "    s{} --> s{}", numbers[before], numbers[position]);
        }
    }
    if !conditional.is_empty() {
        let _ = writeln!(text, "    classDef conditional stroke-dasharray: 6 4");
        let _ = writeln!(text, "    class {} conditional", conditional.join(","));
    }
    Some(text)
}

/// What a step waits for itself: not by way of another that it waits for.
fn direct(dag: &Dag, step: usize) -> Vec<usize> {
    let mut before: Vec<usize> = dag.waits_for(step).map(|(before, _)| before).collect();
    before.sort_unstable();
    before.dedup();
    let reached: Vec<_> = before.iter().map(|&before| dag.upstream(before)).collect();
    before.iter().copied().filter(|one| !reached.iter().any(|above| above.contains(one))).collect()
}

/// A title as the text of a node: what Mermaid would read as its own is written as an entity.
fn label(text: &str) -> String {
    let text = clean::line(text);
    let mut label = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == LABEL {
            label.push('…');
            break;
        }
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '|' | '{' | '}' | ';' => {
                let _ = write!(label, "#{};", u32::from(c));
            }
            c => label.push(c),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_hold_nothing_that_mermaid_reads() {
        assert_eq!(label("a \"b\" `c` #1; <d>"), "a #34;b#34; #96;c#96; #35;1#59; #60;d#62;");
        assert_eq!(label("x\ny\u{202e}"), "x#92;ny#92;u#123;202e#125;");
        assert_eq!(label(&"x".repeat(999)).chars().count(), 121);
    }
}
