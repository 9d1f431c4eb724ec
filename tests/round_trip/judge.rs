//! Judges what a block printed by the runbook's own checks, and by what the page promises.

use std::collections::BTreeMap;

use periplus_core::expect::{CompileError, ExecOutput, ExitSpec, Judgement, LogJudgement, ObjectSpec};
use periplus_core::model::verb::{ExpectObject, Presence, Verb};
use periplus_core::model::{Check, LogChecks, Step, Stream};
use periplus_core::template::Flavour;
use regex::Regex;
use serde_json::Value;

use super::book::{Book, Values};
use super::live;
use super::session::{Ran, Session};

/// What `kubectl exec` adds to the program's own standard error when it failed.
const TERMINATED: &str = r"(?m)^command terminated with exit code (\d+)\n?";

/// Judges the steps of one walk. Keeps what programs printed for the checks further below.
pub(crate) struct Judge<'b> {
    book: &'b Book,
    outputs: BTreeMap<String, Ran>,
}

impl<'b> Judge<'b> {
    pub(crate) const fn new(book: &'b Book) -> Self {
        Self { book, outputs: BTreeMap::new() }
    }

    /// Whether what the step's block did is what the step asks for. Gives the values that its check took.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn step(
        &mut self,
        step: &Step,
        ran: Option<&Ran>,
        values: &mut Values,
        session: &mut Session,
    ) -> Result<Vec<(String, String)>, String> {
        if let Some(ran) = ran {
            self.outputs.insert(step.id.value.to_string(), ran.clone());
        }
        let own = || ran.ok_or_else(|| "a command block in this section".to_owned());
        let mut taken = Vec::new();
        match &step.verb {
            Verb::Exec(_) => {
                let ran = own()?;
                match &step.expect_output {
                    Some(expect) => taken.extend(output(&expect.check, ran, values)?),
                    None if self.book.judges_of(step).next().is_none() => succeeded(ran)?,
                    None => {}
                }
            }
            Verb::ExpectOutput(expect) => {
                let of = expect.of.as_ref().map(|of| of.value.to_string()).unwrap_or_default();
                let ran = self.outputs.get(&of).ok_or_else(|| format!("a command block in the section of {of}"))?;
                taken.extend(output(&expect.check, ran, values)?);
            }
            Verb::LogGrep(grep) => taken.extend(log(&grep.checks, own()?, values)?),
            Verb::ExpectObject(expect) => object(step, expect, own()?, self.book, values, session)?,
            Verb::Apply(_) | Verb::Delete(_) => quietly(own()?)?,
            Verb::Patch(_) | Verb::Wait(_) | Verb::Get(_) => quietly(own()?)?,
        }
        if let Some(expect) = &step.expect_object {
            object(step, expect, own()?, self.book, values, session)?;
        }
        live::changed(step, self.book, values, session)?;
        Ok(taken)
    }
}

fn succeeded(ran: &Ran) -> Result<(), String> {
    if ran.exit == 0 { Ok(()) } else { Err("exit status 0".to_owned()) }
}

/// What nobody looks at must have nothing to complain of.
pub(crate) fn quietly(ran: &Ran) -> Result<(), String> {
    succeeded(ran)?;
    if ran.stderr.trim().is_empty() { Ok(()) } else { Err("nothing on standard error".to_owned()) }
}

fn told(error: &CompileError<String>) -> String {
    error.to_string()
}

fn output(check: &Check, ran: &Ran, values: &mut Values) -> Result<Vec<(String, String)>, String> {
    let spec = check.spec(ExitSpec::Zero, |tree| values.tree(tree))?;
    let compiled = spec.compile(&mut |raw: &str| values.text(raw, Flavour::Text)).map_err(|error| told(&error))?;
    let (stderr, told_exit) = of_program(&ran.stderr);
    // Attempts that failed on the way to one that did not have left their codes on standard error, too.
    let exit = if check.exits.is_some() {
        told_exit.or_else(|| of_program(&ran.stdout).1).unwrap_or(ran.exit)
    } else {
        ran.exit
    };
    // Where nothing is said of standard output, a block may print standard error there.
    let there = check.stream == Stream::Stderr && stderr.trim().is_empty();
    let stderr = if there { ran.stdout.clone() } else { stderr };
    let seen = ExecOutput { stdout: ran.stdout.as_bytes(), stderr: stderr.as_bytes(), exit };
    match compiled.judge(&seen) {
        Judgement::Held { captures } => Ok(captures.into_iter().collect()),
        Judgement::Failed { mismatches } => Err(format!("its check to hold: {mismatches:#?}")),
    }
}

/// Standard error without what kubectl adds, and the code that kubectl told last.
pub(crate) fn of_program(stderr: &str) -> (String, Option<i32>) {
    let terminated = Regex::new(TERMINATED).expect("a pattern");
    let code = terminated.captures_iter(stderr).last().and_then(|told| told[1].parse().ok());
    (terminated.replace_all(stderr, "").into_owned(), code)
}

fn log(checks: &LogChecks, ran: &Ran, values: &mut Values) -> Result<Vec<(String, String)>, String> {
    let spec = checks.spec();
    let compiled = spec.compile(&mut |raw: &str| values.text(raw, Flavour::Text)).map_err(|error| told(&error))?;
    match compiled.judge(ran.stdout.lines()) {
        LogJudgement::Held { captures, .. } => Ok(captures.into_iter().collect()),
        LogJudgement::NotYet { mismatches } | LogJudgement::Violated { mismatches } => {
            Err(format!("its check to hold: {mismatches:#?}"))
        }
    }
}

/// An object is judged as it is in the cluster; what the block printed must be what is expected of it.
fn object(
    step: &Step,
    expect: &ExpectObject,
    ran: &Ran,
    book: &Book,
    values: &mut Values,
    session: &mut Session,
) -> Result<(), String> {
    let (spec, printed) = match &expect.presence {
        Presence::Absent => (ObjectSpec { matches: None, absent: true }, vec!["NotFound".to_owned()]),
        Presence::Matches(tree) => {
            let tree = values.tree(tree)?;
            let printed = leaves(&tree);
            (ObjectSpec { matches: Some(tree), absent: false }, printed)
        }
    };
    let compiled = spec.compile().map_err(|problem| problem.to_string())?;
    let found = live::objects(step, &expect.object, book, values, session)?;
    live::judged(&compiled, &found)?;
    match printed.iter().find(|text| !ran.stdout.contains(text.as_str())) {
        Some(missing) => Err(format!("{missing:?} on standard output")),
        None => Ok(()),
    }
}

/// The single values of a tree, as `kubectl` prints them.
fn leaves(tree: &Value) -> Vec<String> {
    match tree {
        Value::Object(entries) => entries.values().flat_map(leaves).collect(),
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}
