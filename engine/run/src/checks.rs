//! Makes checks as written ready to judge, with the values of this run.

use std::cell::RefCell;

use periplus_core::expect::{CompileError, ExitSpec, LogCheck, ObjectCheck, ObjectSpec, OutputCheck};
use periplus_core::model::verb::Presence;
use periplus_core::model::{Check, LogChecks};
use periplus_core::outcome::FailureKind;
use periplus_core::template::Flavour;

use crate::bench::Bench;
use crate::broken::Broken;

/// A check on output. `unasked` is what holds for the exit code where the check does not speak of it.
pub(crate) fn output(bench: &Bench, check: &Check, unasked: ExitSpec) -> Result<OutputCheck, Broken> {
    let spec = check.spec(unasked, |tree| bench.tree(tree))?;
    compiled(bench, |render| spec.compile(&mut |raw: &str| render(raw)))
}

/// A check on a log.
pub(crate) fn log(bench: &Bench, checks: &LogChecks) -> Result<LogCheck, Broken> {
    let spec = checks.spec();
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
