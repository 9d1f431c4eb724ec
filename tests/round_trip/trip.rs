//! One walk through a page, from its first command block to its last, against a lab of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use periplus_core::model::Step;
use periplus_core::template::shell_quote;
use regex::Regex;

use super::book::{Book, Values};
use super::judge::{Judge, of_program, quietly};
use super::kept::{kept, left};
use super::page::{Block, Page, Section};
use super::session::{Ran, Session};
use crate::support::Lab;

/// How long deleted objects may take to be gone.
const GONE: Duration = Duration::from_secs(30);

/// Why a page does not work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The step, or the section where it is none.
    pub(crate) at: String,
    /// The line of the page.
    line: usize,
    command: String,
    printed: String,
    pub(crate) expected: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, line, command, printed, expected } = self;
        write!(f, "{at}, line {line} of the page\n\n{command}\n{printed}\n\nexpected {expected}")
    }
}

/// Where a block stands, for failures.
struct Place<'p> {
    at: String,
    blocks: Vec<&'p Block>,
}

impl<'p> Place<'p> {
    fn of(section: &'p Section) -> Self {
        let at = section.step.clone().unwrap_or_else(|| section.heading.clone());
        Self { at, blocks: section.commands().collect() }
    }

    fn failure(&self, ran: Option<&Ran>, expected: impl Into<String>) -> Failure {
        let commands: Vec<&str> = self.blocks.iter().map(|block| block.text.as_str()).collect();
        Failure {
            at: self.at.clone(),
            line: self.blocks.first().map_or(0, |block| block.line),
            command: commands.join("\n"),
            printed: ran.map_or_else(String::new, |ran| {
                format!("stdout:\n{}\nstderr:\n{}\nexit status {}", ran.stdout, ran.stderr, ran.exit)
            }),
            expected: expected.into(),
        }
    }
}

/// Walks through a page.
pub(crate) fn walk(book: &Book, page: &Page) -> Result<(), Failure> {
    order(book, page)?;
    let lab = Lab::start(&book.world);
    let before = lab.objects();
    let world = lab.exports();
    let mut values = book.values(&world);
    let mut session = Session::open(&lab.path("kubeconfig"));
    let (opening, steps, closing) = page.parts();
    for section in opening {
        prepare(section, &world, &mut session)?;
    }
    for name in book.runbook.params.keys() {
        let (wanted, found) = (values.in_shell(name), session.value(name));
        if wanted.is_some() && found != wanted {
            let place = Place { at: "Parameters".to_owned(), blocks: Vec::new() };
            return Err(place.failure(None, format!("{name} to be {wanted:?} in the shell, not {found:?}")));
        }
    }
    let mut judge = Judge::new(book);
    let mut skipped = Vec::new();
    for section in steps {
        let place = Place::of(section);
        let Some((position, step)) = section.step.as_deref().and_then(|id| book.step(id)) else { continue };
        if book.is_skipped(position, &skipped, &values).map_err(|why| place.failure(None, why))? {
            skipped.push(position);
            continue;
        }
        carry_out(step, section, &mut judge, &mut values, &mut session)?;
    }
    let kept = kept(book, &mut values).map_err(|why| Place::of(&closing[0]).failure(None, why))?;
    let (clean_up, others): (Vec<&Section>, Vec<&Section>) =
        closing.iter().partition(|section| section.heading.to_lowercase().starts_with("clean"));
    // What is looked at after a failure must still be there.
    for section in others.into_iter().chain(clean_up) {
        let place = Place::of(section);
        for block in section.commands() {
            let ran = paste(&place, block, &block.text, &mut session)?;
            quietly(&ran).map_err(|why| place.failure(Some(&ran), why))?;
        }
    }
    restored(&lab, &before, &kept)
}

/// The page shows each step once, none before one that it waits for.
fn order(book: &Book, page: &Page) -> Result<(), Failure> {
    let place = Place { at: "Steps".to_owned(), blocks: Vec::new() };
    let positions: Vec<usize> =
        page.steps().into_iter().filter_map(|id| book.step(id).map(|(position, _)| position)).collect();
    let mut sorted = positions.clone();
    sorted.sort_unstable();
    if page.steps().len() != positions.len() || sorted != (0..book.runbook.steps.len()).collect::<Vec<_>>() {
        return Err(place.failure(None, format!("each step once, not {:?}", page.steps())));
    }
    for (at, position) in positions.iter().enumerate() {
        if let Some((late, _)) = book.dag.waits_for(*position).find(|(before, _)| !positions[..at].contains(before)) {
            let id = |position: usize| book.runbook.steps[position].id.value.to_string();
            return Err(place.failure(None, format!("{} before {}, which waits for it", id(late), id(*position))));
        }
    }
    Ok(())
}

/// Runs the blocks before the first step, with the parameters filled in as a reader would.
fn prepare(section: &Section, world: &BTreeMap<String, String>, session: &mut Session) -> Result<(), Failure> {
    let place = Place::of(section);
    for block in section.commands() {
        let text = edited(&block.text, world);
        if let Some(line) = text.lines().find(|line| is_placeholder(line)) {
            return Err(place.failure(None, format!("the world to give a value for `{line}`")));
        }
        let ran = paste(&place, block, &text, session)?;
        quietly(&ran).map_err(|why| place.failure(Some(&ran), why))?;
    }
    Ok(())
}

fn is_placeholder(line: &str) -> bool {
    Regex::new(r"^export [A-Za-z_][A-Za-z0-9_]*=<").expect("a pattern").is_match(line)
}

/// The block with the values of these names in its `export` lines.
fn edited(block: &str, world: &BTreeMap<String, String>) -> String {
    let lines = block.lines().map(|line| {
        let name = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')).map(|(name, _)| name);
        match name.and_then(|name| Some((name, world.get(name)?))) {
            Some((name, value)) => format!("export {name}={}\n", shell_quote(value)),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

fn paste(place: &Place<'_>, block: &Block, text: &str, session: &mut Session) -> Result<Ran, Failure> {
    let failure = |why: String| {
        let block = Block { text: text.to_owned(), ..block.clone() };
        Place { at: place.at.clone(), blocks: vec![&block] }.failure(None, why)
    };
    for shell in ["bash", "zsh"] {
        parsed(shell, text).map_err(|problem| failure(format!("a block that {shell} can read: {problem}")))?;
    }
    session.paste(text).map_err(|why| failure(format!("a block that ends: {why}")))
}

/// Whether a shell can read a text. A shell that this machine lacks is not asked, but for bash.
fn parsed(shell: &str, text: &str) -> Result<(), String> {
    let spawned = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if shell == "bash" => return Err(format!("{error}; run tests/setup.sh first")),
        Err(_) => return Ok(()),
    };
    // A shell that found a mistake reads no further.
    drop(child.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    // An unfinished here-document is only warned of.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && said.is_empty() { Ok(()) } else { Err(said) }
}

/// Runs the blocks of a step and judges what they printed.
fn carry_out(
    step: &Step,
    section: &Section,
    judge: &mut Judge<'_>,
    values: &mut Values,
    session: &mut Session,
) -> Result<(), Failure> {
    let place = Place::of(section);
    let mut ran: Option<Ran> = None;
    for block in section.commands() {
        let next = paste(&place, block, &block.text, session)?;
        ran = Some(match ran {
            None => next,
            Some(before) => {
                Ran { stdout: before.stdout + &next.stdout, stderr: before.stderr + &next.stderr, exit: next.exit }
            }
        });
    }
    let failure = |expected: String| place.failure(ran.as_ref(), expected);
    let taken = judge.step(step, ran.as_ref(), values, session).map_err(failure)?;
    if let Some(ran) = &ran {
        promised(section, ran).map_err(failure)?;
    }
    for (name, value) in taken {
        let kept = session.value(&name);
        if kept.as_deref() != Some(value.as_str()) {
            return Err(failure(format!("the shell to keep {name}={value}, not {kept:?}")));
        }
        values.keep(&name, &value);
    }
    for (name, capture) in &step.capture {
        match session.value(name) {
            Some(value) if !value.is_empty() || capture.default.is_some() => {
                shown(section, name, ran.as_ref(), &value).map_err(failure)?;
                values.keep(name, &value);
            }
            value => return Err(failure(format!("a value of {name} in the shell, not {value:?}"))),
        }
    }
    Ok(())
}

/// What the page shows to the letter must have been printed.
fn promised(section: &Section, ran: &Ran) -> Result<(), String> {
    let text = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned();
    // A page shows what the program said, not what kubectl adds to it, unless that is all there is.
    let own = of_program(&ran.stderr).0;
    let printed =
        [&ran.stdout, &ran.stderr, &own, &format!("{}{}", ran.stdout, ran.stderr), &format!("{}{own}", ran.stdout)]
            .map(|printed| text(printed));
    for sample in section.samples().filter(|sample| sample.is_exact()) {
        let sample = text(&sample.text);
        let ends = |printed: &String| *printed == sample || printed.ends_with(&format!("\n{sample}"));
        if !printed.iter().any(ends) {
            return Err(format!("what the page shows:\n{sample}"));
        }
    }
    Ok(())
}

/// A captured value must be printed where the page shows an example of it, and look like that.
fn shown(section: &Section, name: &str, ran: Option<&Ran>, value: &str) -> Result<(), String> {
    let example = Regex::new(&format!(r"(?m)(?:^|\s){}=(\S*)", regex::escape(name))).expect("a pattern");
    let found = |text: &str| example.captures_iter(text).last().map(|found| found[1].to_owned());
    let Some(sample) = section.samples().find_map(|block| found(&block.text)) else { return Ok(()) };
    let printed = ran.and_then(|ran| found(&ran.stdout));
    if printed.as_deref() != value.split_whitespace().next().or(Some("")) {
        return Err(format!("{name}={value} on standard output"));
    }
    let shape = |text: &str| text.matches(['.', ':', '/']).count();
    if shape(&sample) == shape(printed.as_deref().unwrap_or_default()) {
        Ok(())
    } else {
        Err(format!("{name} to look like the page's example, {sample}"))
    }
}

/// Waits until the cluster is as it was, but for what is kept.
fn restored(
    lab: &Lab,
    before: &BTreeMap<String, serde_json::Value>,
    kept: &std::collections::BTreeSet<String>,
) -> Result<(), Failure> {
    let deadline = Instant::now() + GONE;
    loop {
        let differing = left(before, &lab.objects(), kept);
        if differing.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let place = Place { at: "Clean up".to_owned(), blocks: Vec::new() };
            return Err(place.failure(None, format!("the cluster to be as it was before:\n{}", differing.join("\n"))));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
