//! An exec and the checks that judge it, repeated as one thing until all of them hold.
//!
//! An attempt that was not made, or not finished, satisfies no check.

use std::time::Duration;

use jiff::Timestamp;
use periplus_core::advice;
use periplus_core::event::{
    AttemptResult, Before, ChangeIntent, ChangeMade, ChangeResult, EventKind, ExecReport, Operation,
};
use periplus_core::expect::{ExecOutput, ExitSpec, Judgement, Mismatch, OutputCheck};
use periplus_core::model::verb::{Exec, Verb};
use periplus_core::model::{CaptureFrom, Effect, ExpectOutput, Step};
use periplus_core::outcome::FailureKind;
use regex::RegexBuilder;
use tokio::time::Instant;

use crate::bench::{Bench, Output};
use crate::broken::Broken;
use crate::checks;
use crate::recorder::Recorder;
use crate::verbs::{Attempt, Done, Invocation, mark_logs};

/// Lines of the judged text that are kept for documents.
const SEEN_LINES: usize = 40;

/// One check of an observation.
struct Judge<'p> {
    position: usize,
    expect: &'p ExpectOutput,
    check: OutputCheck,
    stop_on: Option<OutputCheck>,
}

/// How one step of an observation came out: the exec itself, or a check right below it.
pub(crate) struct Verdict {
    pub(crate) position: usize,
    pub(crate) result: Result<Done, Broken>,
}

/// What the attempts so far have shown.
#[derive(Default)]
struct Latest {
    /// When the attempt began, if anybody sees the calls of programs.
    began: Option<Timestamp>,
    output: Option<(Output, ExecReport)>,
    /// By judge: the mismatches of the last attempt.
    mismatches: Vec<Vec<Mismatch>>,
    broken: Option<Broken>,
    /// A `stop-on` held.
    stopped: bool,
}

/// Carries out an exec with all checks that belong to it.
pub(crate) async fn observe(bench: &Bench, recorder: &Recorder, position: usize, exec: &Exec) -> Vec<Verdict> {
    let step = bench.plan.step(position);
    let all_broken = |broken: Broken| vec![Verdict { position, result: Err(broken) }];
    let judges = match judges(bench, position) {
        Ok(judges) => judges,
        Err(broken) => return all_broken(broken),
    };
    let invocation = match Invocation::of(bench, step, exec) {
        Ok(invocation) => invocation,
        Err(broken) => return all_broken(broken),
    };
    let latest = repeat(bench, recorder, position, &invocation, &judges).await;
    let made = latest.output.as_ref().map(|(_, report)| (report.namespace.clone(), report.pod.clone()));
    let seen = made.zip(latest.began);
    let verdicts = conclude(bench, recorder, step, position, &invocation, &judges, latest);
    if let Some(broken) = verdicts.iter().find(|verdict| verdict.result.is_err())
        && let Some(((namespace, pod), began)) = seen
    {
        let calls = bench.calls(&namespace, &pod, began);
        if !calls.is_empty() {
            let step = bench.plan.step(broken.position).id.value.clone();
            recorder.tell(EventKind::CallsExplained { step, calls });
        }
    }
    verdicts
}

fn judges(bench: &Bench, position: usize) -> Result<Vec<Judge<'_>>, Broken> {
    let beside = bench.plan.step(position).expect_output.as_ref().map(|expect| (position, expect));
    let below = bench.plan.judged_by(position).iter().filter_map(|below| match &bench.plan.step(*below).verb {
        Verb::ExpectOutput(expect) => Some((*below, expect)),
        _ => None,
    });
    beside
        .into_iter()
        .chain(below)
        .map(|(position, expect)| {
            Ok(Judge {
                position,
                expect,
                check: checks::output(bench, &expect.check, ExitSpec::Zero)?,
                stop_on: expect
                    .stop_on
                    .as_ref()
                    .map(|check| checks::output(bench, check, ExitSpec::Any))
                    .transpose()?,
            })
        })
        .collect()
}

async fn repeat(
    bench: &Bench,
    recorder: &Recorder,
    position: usize,
    invocation: &Invocation,
    judges: &[Judge<'_>],
) -> Latest {
    let polling = || judges.iter().map(|judge| judge.expect.polling);
    let repeatable = invocation.effect == Effect::Read;
    let within = polling().filter_map(|polling| polling.within).max().filter(|_| repeatable);
    let every = polling().map(|polling| polling.every.get()).min().unwrap_or(Duration::from_secs(1));
    let consecutive = polling().map(|polling| polling.consecutive).max().filter(|_| repeatable).unwrap_or(1);
    let deadline = within.map(|within| Instant::now() + within.get());
    let mut in_a_row = 0;
    let mut before: Option<(Vec<Vec<Mismatch>>, Option<ExecReport>)> = None;
    for attempt in 1.. {
        if let Err(broken) = mark_logs(bench, recorder, position, attempt).await {
            return Latest { broken: Some(broken), ..Latest::default() };
        }
        let step = recorder.step().clone();
        recorder.tell(EventKind::AttemptStarted { step: step.clone(), attempt });
        recorder.waiting(format!("{} in {}", invocation.program(), invocation.namespace));
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).max(every));
        let latest = one_attempt(bench, recorder, invocation, judges, left).await;
        let held = latest.broken.is_none() && latest.mismatches.iter().all(Vec::is_empty);
        let report = latest.output.as_ref().map(|(_, report)| report.clone());
        let same = before.as_ref().is_some_and(|(mismatches, _)| *mismatches == latest.mismatches);
        let result = match &latest.broken {
            Some(broken) => AttemptResult::Inconclusive { cause: broken.failure.summary.clone() },
            None if held => AttemptResult::Held,
            None if same => AttemptResult::NotHeld { mismatches: Vec::new() },
            None => AttemptResult::NotHeld { mismatches: latest.mismatches.concat() },
        };
        let news = report.clone().filter(|report| before.as_ref().and_then(|(_, seen)| seen.as_ref()) != Some(report));
        recorder.tell(EventKind::AttemptFinished { step, attempt, result, exec: news });
        in_a_row = if held { in_a_row + 1 } else { 0 };
        let hopeless = latest.broken.as_ref().is_some_and(|broken| !broken.transient);
        let last = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        if in_a_row >= consecutive || latest.stopped || hopeless || (last && !held) || (last && deadline.is_none()) {
            return latest;
        }
        if last {
            // It holds, and has not held often enough: the time for it is up.
            let summary = format!("it held {in_a_row} times in a row, and {consecutive} are asked for");
            return Latest { broken: Some(Broken::failed(FailureKind::Check, summary)), ..latest };
        }
        recorder.waiting(waiting(&latest, in_a_row, consecutive));
        before = Some((latest.mismatches, report));
        // The last attempt is made when the time is up, not before.
        let next = Instant::now() + every;
        tokio::time::sleep_until(deadline.map_or(next, |deadline| deadline.min(next))).await;
    }
    unreachable!("attempts are counted until one of them ends the observation")
}

fn waiting(latest: &Latest, in_a_row: u32, consecutive: u32) -> String {
    match &latest.broken {
        Some(broken) => format!("another try: {}", broken.failure.summary),
        None if in_a_row > 0 => format!("its checks to hold again ({in_a_row} of {consecutive})"),
        None => "its checks to hold".to_owned(),
    }
}

async fn one_attempt(
    bench: &Bench,
    recorder: &Recorder,
    invocation: &Invocation,
    judges: &[Judge<'_>],
    left: Option<Duration>,
) -> Latest {
    let mismatches = vec![Vec::new(); judges.len()];
    let mut latest = Latest { began: bench.watched_from(), mismatches, ..Latest::default() };
    let change = match invocation.effect {
        Effect::Read => None,
        Effect::Change => match announce(recorder, invocation).await {
            Ok(change) => Some(change),
            Err(broken) => {
                latest.broken = Some(broken);
                return latest;
            }
        },
    };
    match invocation.attempt(bench, left).await {
        Attempt::Inconclusive { report, broken } => {
            if let Some(change) = change {
                recorder.change_failed(change, broken.failure.summary.clone(), true);
            }
            latest.output = report.map(|report| (Output { stdout: Vec::new(), stderr: Vec::new(), exit: -1 }, report));
            // A change is never repeated on a guess.
            let transient = broken.transient && change.is_none();
            latest.broken = Some(Broken { transient, ..broken });
        }
        Attempt::Finished { report, stdout, stderr, exit } => {
            if let Some(change) = change {
                let made = ChangeMade {
                    result: ChangeResult::Executed,
                    uid: String::new(),
                    resource_version: String::new(),
                    fields: Vec::new(),
                };
                recorder.made(change, made);
            }
            let seen = ExecOutput { stdout: &stdout, stderr: &stderr, exit };
            judge(invocation, judges, &seen, &mut latest);
            latest.output = Some((Output { stdout, stderr, exit }, report));
        }
    }
    latest
}

fn judge(invocation: &Invocation, judges: &[Judge<'_>], seen: &ExecOutput<'_>, latest: &mut Latest) {
    let not_started = if judges.is_empty() {
        matches!(seen.exit, 126 | 127)
    } else {
        judges.iter().any(|judge| judge.check.is_inconclusive(seen.exit))
    };
    if not_started {
        let said = String::from_utf8_lossy(seen.stderr);
        let what = format!("exit {}: the program could not be started: {}", seen.exit, said.trim());
        latest.broken = Some(
            Broken::inconclusive(FailureKind::Target, what).advise("Check that the container's image has the program."),
        );
        return;
    }
    if judges.is_empty() && seen.exit != 0 {
        let said = String::from_utf8_lossy(seen.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let what =
            format!("{} returned {}{}{last}", invocation.program(), seen.exit, if last.is_empty() { "" } else { ": " });
        latest.broken = Some(Broken::failed(FailureKind::Exit, what));
    }
    for (judge, mismatches) in judges.iter().zip(&mut latest.mismatches) {
        if let Judgement::Failed { mismatches: found } = judge.check.judge(seen) {
            *mismatches = found;
        }
        latest.stopped |= judge.stop_on.as_ref().is_some_and(|stop| stop.judge(seen).held());
    }
}

async fn announce(recorder: &Recorder, invocation: &Invocation) -> Result<periplus_core::change::ChangeId, Broken> {
    let intent = |change| ChangeIntent {
        change,
        object: periplus_core::change::ObjectKey {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some(invocation.namespace.clone()),
            name: String::new(),
        },
        operation: Operation::Exec { command: invocation.shown() },
        before: Before::NotAnObject,
    };
    Ok(recorder.intend(intent).await?)
}

fn conclude(
    bench: &Bench,
    recorder: &Recorder,
    step: &Step,
    position: usize,
    invocation: &Invocation,
    judges: &[Judge<'_>],
    latest: Latest,
) -> Vec<Verdict> {
    let chosen = latest.output.as_ref().map(|(_, report)| (report.pod.as_str(), report.container.as_str()));
    let kubectl = invocation.kubectl(chosen);
    let advice = latest.output.as_ref().and_then(|(output, _)| {
        advice::on_exit(invocation.program(), output.exit, &String::from_utf8_lossy(&output.stderr))
    });
    let advised = |broken: Broken| match &advice {
        Some(advice) => broken.by_hand(&kubectl).advise(advice.clone()),
        None => broken.by_hand(&kubectl),
    };
    if let Some(broken) = latest.broken {
        return vec![Verdict { position, result: Err(advised(broken)) }];
    }
    let Some((output, _)) = latest.output else { return Vec::new() };
    let mut verdicts = Vec::new();
    for (judge, mismatches) in judges.iter().zip(latest.mismatches) {
        let result = if mismatches.is_empty() {
            held(bench, recorder, judge, &output).map(|seen| Done {
                seen,
                kubectl: Some(kubectl.clone()),
                ..Done::default()
            })
        } else {
            let why =
                if latest.stopped { "what it must not wait for came" } else { "the output is not what is expected" };
            Err(advised(Broken::check(why, mismatches)))
        };
        verdicts.push(Verdict { position: judge.position, result });
    }
    if verdicts.iter().all(|verdict| verdict.position != position) {
        let done = Done { note: format!("exit {}", output.exit), kubectl: Some(kubectl), ..Done::default() };
        verdicts.insert(0, Verdict { position, result: Ok(done) });
    }
    if let (Some(own), Err(broken)) =
        (verdicts.iter_mut().find(|v| v.position == position), captures(bench, recorder, step, &output))
    {
        own.result = Err(broken);
    }
    bench.keep_output(position, output);
    verdicts
}

/// Takes the captures of a check that held, and gives the text that it saw.
fn held(bench: &Bench, recorder: &Recorder, judge: &Judge<'_>, output: &Output) -> Result<Vec<String>, Broken> {
    let seen = ExecOutput { stdout: &output.stdout, stderr: &output.stderr, exit: output.exit };
    if let Judgement::Held { captures } = judge.check.judge(&seen) {
        let recorder = recorder.for_step(&bench.plan.step(judge.position).id.value);
        for (name, value) in captures {
            recorder.captured(&name, &value);
            bench.keep_capture(&name, &value, false);
        }
    }
    Ok(judge.check.text(&seen).lines().take(SEEN_LINES).map(str::to_owned).collect())
}

/// Takes what `capture: {NAME: {find}}` names from standard output.
fn captures(bench: &Bench, recorder: &Recorder, step: &Step, output: &Output) -> Result<(), Broken> {
    for (name, capture) in &step.capture {
        let CaptureFrom::Find(find) = &capture.from else { continue };
        let find = expression(&bench.text(find)?)?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let found = find.captures(&stdout).and_then(|found| found.get(1).or_else(|| found.get(0)));
        let value = match (found, &capture.default) {
            (Some(found), _) => found.as_str().to_owned(),
            (None, Some(default)) => bench.text(default)?,
            (None, None) => {
                return Err(Broken::failed(
                    FailureKind::Check,
                    format!("the output has nothing to capture {name} from"),
                )
                .advise("Give the capture a `default:`, or check its `find:`."));
            }
        };
        recorder.captured(name, &value);
        bench.keep_capture(name, &value, false);
    }
    Ok(())
}

/// A regular expression in which `^` and `$` are line anchors, as everywhere in the matching language.
fn expression(text: &str) -> Result<regex::Regex, Broken> {
    RegexBuilder::new(text)
        .multi_line(true)
        .build()
        .map_err(|error| Broken::failed(FailureKind::Render, format!("`{text}` is no regular expression: {error}")))
}

/// Judges, once, what the last attempt of an exec further above gave back.
pub(crate) fn judge_again(
    bench: &Bench,
    recorder: &Recorder,
    position: usize,
    expect: &ExpectOutput,
) -> Result<Done, Broken> {
    let of = expect.of.as_ref().and_then(|of| bench.plan.runbook.position(&of.value));
    let Some(output) = of.and_then(|of| bench.output(of)) else {
        return Err(Broken::failed(FailureKind::Check, "the exec that it judges gave no output back"));
    };
    let check = checks::output(bench, &expect.check, ExitSpec::Zero)?;
    let seen = ExecOutput { stdout: &output.stdout, stderr: &output.stderr, exit: output.exit };
    match check.judge(&seen) {
        Judgement::Failed { mismatches } => Err(Broken::check("the output is not what is expected", mismatches)),
        Judgement::Held { .. } => {
            let judge = Judge { position, expect, check, stop_on: None };
            Ok(Done { seen: held(bench, recorder, &judge, &output)?, ..Done::default() })
        }
    }
}
