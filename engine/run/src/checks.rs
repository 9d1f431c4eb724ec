//! Makes checks as written ready to judge, with the values of this run.

use std::cell::RefCell;

use periplus_core::expect::{
    CompileError, CountSpec, ExitSpec, LogCheck, LogSpec, ObjectCheck, ObjectSpec, OutputCheck, OutputSpec, Stream,
};
use periplus_core::model::verb::Presence;
use periplus_core::model::{self, Check, Exits, LogChecks, Text};
use periplus_core::outcome::FailureKind;
use periplus_core::template::Flavour;

use crate::bench::Bench;
use crate::broken::Broken;

fn raw(text: Option<&Text>) -> Option<String> {
    text.map(|text| text.raw.clone())
}

fn raws(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.raw.clone()).collect()
}

/// A check on output. `unasked` is what holds for the exit code where the check does not speak of it.
pub(crate) fn output(bench: &Bench, check: &Check, unasked: ExitSpec) -> Result<OutputCheck, Broken> {
    let spec = OutputSpec {
        stream: match check.stream {
            model::Stream::Stdout => Stream::Stdout,
            model::Stream::Stderr => Stream::Stderr,
            model::Stream::Both => Stream::Both,
        },
        find: raw(check.find.as_ref()),
        equals: raw(check.equals.as_ref()),
        contains: raws(&check.contains),
        not_contains: raws(&check.not_contains),
        regex: raw(check.regex.as_ref()),
        lines: raw(check.lines.as_ref()),
        json: check.json.as_ref().map(|tree| bench.tree(tree)).transpose()?,
        yaml: check.yaml.as_ref().map(|tree| bench.tree(tree)).transpose()?,
        exit: match &check.exits {
            None => unasked,
            Some(Exits::With(codes)) => ExitSpec::Codes(codes.clone()),
            Some(Exits::Fails) => ExitSpec::Failure,
        },
        at_least: raw(check.at_least.as_ref()),
        at_most: raw(check.at_most.as_ref()),
    };
    compiled(bench, |render| spec.compile(&mut |raw: &str| render(raw)))
}

/// A check on a log.
pub(crate) fn log(bench: &Bench, checks: &LogChecks) -> Result<LogCheck, Broken> {
    let spec = LogSpec {
        contains: raws(&checks.contains),
        not_contains: raws(&checks.not_contains),
        regex: raw(checks.regex.as_ref()),
        lines: raw(checks.lines.as_ref()),
        count: checks.count.map(|count| CountSpec { min: Some(count.min), max: count.max }),
    };
    compiled(bench, |render| spec.compile(&mut |raw: &str| render(raw)))
}

/// A check on an object.
pub(crate) fn object(bench: &Bench, presence: &Presence) -> Result<ObjectCheck, Broken> {
    let spec = match presence {
        Presence::Absent => ObjectSpec { matches: None, absent: true },
        Presence::Matches(tree) => ObjectSpec { matches: Some(bench.tree(tree)?), absent: false },
    };
    spec.compile().map_err(|problem| Broken::failed(FailureKind::Render, problem.to_string()))
}

/// Compiles with a renderer whose failure keeps its own words.
fn compiled<T>(
    bench: &Bench,
    compile: impl FnOnce(&mut dyn FnMut(&str) -> Result<String, String>) -> Result<T, CompileError<String>>,
) -> Result<T, Broken> {
    let first = RefCell::new(None);
    let mut render = |raw: &str| {
        bench.render_raw(raw, Flavour::Text).map_err(|broken| {
            let summary = broken.failure.summary.clone();
            first.borrow_mut().get_or_insert(broken);
            summary
        })
    };
    compile(&mut render).map_err(|error| {
        first.borrow_mut().take().unwrap_or_else(|| Broken::failed(FailureKind::Render, error.to_string()))
    })
}
