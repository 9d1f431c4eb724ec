//! The scheduler with scripted steps: what runs side by side, what a failure, a skip and an interrupt lead to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use periplus_core::event::{Event, RunId, RunStarted, RunbookRef, StepSummary, Target};
use periplus_core::load::{Files, load};
use periplus_core::plan::Selection;
use periplus_core::source::Source;
use periplus_core::state::RunState;

use super::*;
use crate::clock::Clock;
use crate::journal::{Durability, StateDir};

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not there"))
    }
}

/// A plan of steps that each run `true`; `steps` holds their ids with what else they say.
fn plan(steps: &[(&str, &str)]) -> Plan {
    plan_of(steps.iter().map(|(id, more)| format!("{{id: {id}, exec: {{in: {{pod: p}}, command: ['true']}}{more}}}")))
}

fn plan_of(steps: impl IntoIterator<Item = String>) -> Plan {
    let steps: String = steps.into_iter().map(|step| format!("  - {step}\n")).collect();
    let text =
        format!("apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: t}}\nnamespace: n\nsteps:\n{steps}");
    let loaded = load(&Source { name: "t".to_owned(), text }, &NoFiles);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let order = loaded.order.expect("in order");
    Plan::new(Arc::new(loaded.runbook.expect("valid")), order.dag, &Selection::default(), &order.captures)
        .expect("all steps are chosen")
}

/// What a scripted step does.
#[derive(Clone)]
enum Act {
    Pass(u64),
    Fail(u64),
    Unwanted,
    Die,
    Hang,
}

struct Script {
    plan: Plan,
    acts: BTreeMap<String, Act>,
    facts: mpsc::UnboundedSender<Message>,
    /// Start and end of each step, in milliseconds.
    spans: Mutex<BTreeMap<String, (u64, u64)>>,
    clock: Clock,
}

impl Script {
    fn act(&self, step: usize) -> (StepId, Act) {
        let id = self.plan.step(step).id.value.clone();
        let act = self.acts.get(id.as_str()).cloned().unwrap_or(Act::Pass(10));
        (id, act)
    }
}

impl Carrier for Script {
    fn is_wanted(&self, step: usize) -> Result<bool, Failure> {
        Ok(!matches!(self.act(step).1, Act::Unwanted))
    }

    async fn carry_out(self: Arc<Self>, step: usize) {
        let (id, act) = self.act(step);
        let tell = |kind| self.facts.send(Message { kind, journaled: None }).expect("the scheduler listens");
        tell(EventKind::StepStarted { step: id.clone() });
        let began = self.clock.elapsed_ms();
        let failure =
            Failure { kind: FailureKind::Check, summary: "no".to_owned(), mismatches: vec![], advice: vec![] };
        let outcome = match act {
            Act::Pass(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                StepOutcome::Passed { note: String::new(), seen: vec![] }
            }
            Act::Fail(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                StepOutcome::Failed { failure }
            }
            Act::Die => panic!("a scripted bug"),
            Act::Unwanted | Act::Hang => std::future::pending().await,
        };
        self.spans.lock().expect("no worker died with it").insert(id.0.clone(), (began, self.clock.elapsed_ms()));
        tell(EventKind::StepFinished { step: id, outcome: outcome.clone(), kubectl: None });
        for judge in self.plan.judged_by(step) {
            let step = self.plan.step(*judge).id.value.clone();
            tell(EventKind::StepStarted { step: step.clone() });
            tell(EventKind::StepFinished { step, outcome: outcome.clone(), kubectl: None });
        }
    }
}

struct Ran {
    state: RunState,
    spans: BTreeMap<String, (u64, u64)>,
}

impl Ran {
    /// How each step ended, in one letter: passed, failed, inconclusive, skipped, blocked, cancelled.
    fn ends(&self) -> String {
        self.state
            .steps
            .values()
            .map(|step| match step.outcome().expect("every step has an end") {
                StepOutcome::Passed { .. } => 'p',
                StepOutcome::Failed { .. } => 'f',
                StepOutcome::Inconclusive { .. } => 'i',
                StepOutcome::Skipped { .. } => 's',
                StepOutcome::Blocked { .. } => 'b',
                StepOutcome::Cancelled { .. } => 'c',
            })
            .collect()
    }
}

fn started(plan: &Plan) -> EventKind {
    let summary = |step| {
        let step = plan.step(step);
        StepSummary { id: step.id.value.clone(), title: step.title(), verb: "exec".to_owned(), effect: step.effect() }
    };
    EventKind::RunStarted(RunStarted {
        run: RunId("r".to_owned()),
        engine: String::new(),
        kubernetes: None,
        runbook: RunbookRef { name: "t".to_owned(), title: "t".to_owned(), path: String::new(), hash: String::new() },
        target: Target::Lab { seed: 0 },
        params: vec![],
        steps: plan.chosen().map(summary).collect(),
        keep: vec![],
    })
}

/// Runs a plan with scripted steps, in virtual time. `interrupt_at` holds milliseconds.
fn run(plan: &Plan, acts: &[(&str, Act)], pace: Pace, interrupt_at: &'static [u64]) -> Ran {
    run_within(None, plan, acts, pace, interrupt_at)
}

fn run_within(
    time: Option<Duration>,
    plan: &Plan,
    acts: &[(&str, Act)],
    pace: Pace,
    interrupt_at: &'static [u64],
) -> Ran {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = StateDir::new(folder.path()).create("r", Durability::Handed).expect("a journal");
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let mut sink = |_: &Event, _: &RunState| {};
        let mut ledger = Ledger::new(RunState::default(), journal, &mut sink, clock);
        ledger.fact(started(plan)).await.expect("journaled");
        let (facts, inbox) = mpsc::unbounded_channel();
        let acts = acts.iter().map(|(id, act)| ((*id).to_owned(), act.clone())).collect();
        let script = Arc::new(Script { plan: plan.clone(), acts, facts, spans: Mutex::default(), clock });
        let (interrupter, mut interrupts) = Interrupts::new();
        tokio::spawn(async move {
            for at in interrupt_at {
                tokio::time::sleep_until(Instant::now() + Duration::from_millis(*at)).await;
                interrupter.interrupt();
            }
            std::future::pending::<()>().await;
        });
        let pace = Pace { deadline: time.map(|time| Instant::now() + time), ..pace };
        Scheduler::new(plan, Arc::clone(&script), &mut ledger, inbox, pace)
            .run(&mut interrupts)
            .await
            .expect("journaled");
        let state = ledger.into_state();
        let written = StateDir::new(folder.path()).read("r").expect("the journal reads back");
        assert_eq!(written.state, state, "what was journaled folds into what was seen");
        let spans = script.spans.lock().expect("no worker died with it").clone();
        Ran { state, spans }
    })
}

const PACE: Pace = Pace { jobs: 8, keep_going: false, deadline: None };

#[test]
fn what_the_graph_allows_runs_side_by_side() {
    let plan = plan(&[("a", ""), ("b", ", needs: []"), ("c", ", needs: []"), ("d", "")]);
    let ran = run(&plan, &[("a", Act::Pass(30))], PACE, &[]);
    assert_eq!(ran.ends(), "pppp");
    assert_eq!(ran.spans["a"], (0, 30));
    assert_eq!(ran.spans["b"], (0, 10));
    assert_eq!(ran.spans["c"], (0, 10));
    assert_eq!(ran.spans["d"], (30, 40));
}

#[test]
fn jobs_bound_what_runs_and_file_order_decides() {
    let plan = plan(&[("a", ", needs: []"), ("b", ", needs: []"), ("c", ", needs: []")]);
    let ran = run(&plan, &[], Pace { jobs: 2, ..PACE }, &[]);
    assert_eq!((ran.spans["a"].0, ran.spans["b"].0, ran.spans["c"].0), (0, 0, 10));
}

#[test]
fn a_failure_stops_what_waits_for_it_and_lets_the_rest_finish() {
    let plan = plan(&[("a", ""), ("b", ", needs: []"), ("c", ", needs: [b]"), ("d", "")]);
    let acts = [("a", Act::Fail(5)), ("b", Act::Pass(20))];
    let ran = run(&plan, &acts, PACE, &[]);
    assert_eq!(ran.ends(), "fpcb", "b ran already, c would have been free, d waits for a");
    let ran = run(&plan, &acts, Pace { keep_going: true, ..PACE }, &[]);
    assert_eq!(ran.ends(), "fppb", "with --keep-going the other branch goes on");
}

#[test]
fn a_skip_passes_on_along_uses_and_never_along_file_order() {
    let plan = plan(&[("a", ""), ("b", ", needs: [a]"), ("c", ", needs: [b]"), ("d", "")]);
    let ran = run(&plan, &[("a", Act::Unwanted)], PACE, &[]);
    assert_eq!(ran.ends(), "sssp");
    let reason = |id: &str| ran.state.steps[&StepId(id.to_owned())].outcome().cloned();
    let needs = |step: &str| Some(StepOutcome::Skipped { reason: SkipReason::Needs { step: StepId(step.to_owned()) } });
    assert_eq!((reason("b"), reason("c")), (needs("a"), needs("b")));
}

#[test]
fn one_interrupt_lets_running_steps_finish_and_a_second_cancels_them() {
    let plan = plan(&[("a", ""), ("b", "")]);
    let ran = run(&plan, &[("a", Act::Pass(50))], PACE, &[10]);
    assert_eq!(ran.ends(), "pc");
    let ran = run(&plan, &[("a", Act::Hang)], PACE, &[10, 10]);
    assert_eq!(ran.ends(), "cb");
    assert_eq!((ran.state.interrupted, ran.state.elapsed_ms), (2, 20));
}

#[test]
fn the_time_of_the_run_is_bounded() {
    let plan = plan(&[("a", ""), ("b", "")]);
    let ran = run_within(Some(Duration::from_millis(40)), &plan, &[("a", Act::Hang)], PACE, &[]);
    assert_eq!(ran.ends(), "cb");
}

#[test]
fn a_worker_that_dies_takes_only_its_step_with_it() {
    let plan = plan(&[("a", ""), ("b", ", needs: []"), ("c", "")]);
    let ran = run(&plan, &[("a", Act::Die), ("b", Act::Pass(20))], PACE, &[]);
    assert_eq!(ran.ends(), "ipb");
}

#[test]
fn a_check_that_is_judged_with_its_exec_lets_go_when_all_it_waits_for_is_over() {
    let exec = |id: &str, needs: &str| format!("{{id: {id}, {needs}exec: {{in: {{pod: p}}, command: ['true']}}}}");
    let plan = plan_of([
        exec("slow", ""),
        exec("x", "needs: [], "),
        "{id: check, expect-output: {of: x, contains: y}}".to_owned(),
        exec("after", ""),
    ]);
    assert_eq!(plan.judged_by(1), [2]);
    let ran = run(&plan, &[("slow", Act::Pass(50))], PACE, &[]);
    assert_eq!(ran.ends(), "pppp");
    assert_eq!((ran.spans["x"], ran.spans["after"]), ((0, 10), (50, 60)));
}
