//! Hand-made runs for tests: what a reporter is told of a run that passes, fails, or is cut short.
//!
//! Events are made as the scheduler makes them: numbered without gaps, by one clock.

use jiff::Timestamp;
use periplus_core::call::{Call, CallStage};
use periplus_core::change::{ChangeId, FieldChange, ObjectKey};
use periplus_core::event::{
    AttemptResult, Before, ChangeIntent, ChangeMade, ChangeResult, Event, EventKind, ExecReport, Operation, ParamShown,
    RunId, RunStarted, RunbookRef, StepSummary, Target, UndoResult,
};
use periplus_core::expect::{self, DiffLine, Difference, Excerpt, Matcher, Mismatch, Piece, Subject};
use periplus_core::model::{Effect, StepId};
use periplus_core::outcome::{Failure, FailureKind, Requirement, RunResult, SkipReason, StepOutcome};
use periplus_core::state::RunState;

use crate::fanout::Fanout;
use crate::reporter::Reporter;

/// Numbers events and stamps them.
pub(crate) struct Tape {
    events: Vec<Event>,
    seq: u64,
}

impl Tape {
    /// A run of four steps on `target`.
    pub(crate) fn start(target: Target) -> Self {
        let step = |id: &str, title: &str, verb: &str, effect| StepSummary {
            id: StepId(id.to_owned()),
            title: title.to_owned(),
            verb: verb.to_owned(),
            effect,
        };
        let mut tape = Self { events: Vec::new(), seq: 0 };
        tape.at(
            0,
            EventKind::RunStarted(RunStarted {
                run: RunId("proxy-20260101T000000Z-00c0".to_owned()),
                engine: "0.1.0".to_owned(),
                kubernetes: None,
                runbook: RunbookRef {
                    name: "proxy".to_owned(),
                    title: "Reach the outside".to_owned(),
                    path: "runbooks/proxy".to_owned(),
                    hash: "0".repeat(64),
                },
                target,
                params: vec![ParamShown {
                    name: "PROXY_IP".to_owned(),
                    value: "10.244.0.7".to_owned(),
                    source: "world".to_owned(),
                }],
                keep: vec![],
                steps: vec![
                    step("namespace", "Create a namespace", "apply", Effect::Change),
                    step("call", "Call the outside", "exec", Effect::Read),
                    step("proxy-log", "See the proxy's log", "log-grep", Effect::Read),
                    step("entry", "Register the proxy", "apply", Effect::Change),
                ],
            }),
        );
        tape
    }

    /// Adds an event `ms` milliseconds after the start of the run.
    pub(crate) fn at(&mut self, ms: u64, kind: EventKind) {
        let epoch = Timestamp::from_millisecond(1_767_225_600_000).expect("a date in 2026");
        let at = epoch + std::time::Duration::from_millis(ms);
        let is_fact = !kind.is_progress();
        self.events.push(Event { seq: self.seq, at, elapsed_ms: ms, kind });
        self.seq += u64::from(is_fact);
    }

    /// Adds to events that are there already.
    pub(crate) fn go_on(events: Vec<Event>) -> Self {
        let seq = u64::try_from(events.len()).expect("few events");
        Self { events, seq }
    }

    /// The events.
    pub(crate) fn end(self) -> Vec<Event> {
        self.events
    }
}

pub(crate) fn lab() -> Target {
    Target::Lab { seed: 0 }
}

pub(crate) fn cluster() -> Target {
    Target::Cluster {
        context: "prod-eu".to_owned(),
        server: "https://10.0.0.1:6443".to_owned(),
        uid: Some("0f3c".to_owned()),
        user: Some("ann".to_owned()),
    }
}

pub(crate) fn id(step: &str) -> StepId {
    StepId(step.to_owned())
}

pub(crate) fn passed(step: &str, note: &str) -> EventKind {
    EventKind::StepFinished {
        step: id(step),
        outcome: StepOutcome::Passed { note: note.to_owned(), seen: vec![] },
        kubectl: Some(format!("kubectl get {step}")),
    }
}

fn skipped(step: &str) -> EventKind {
    let reason = SkipReason::When { condition: "PROXY_NAMESPACE != \"\"".to_owned() };
    EventKind::StepFinished { step: id(step), outcome: StepOutcome::Skipped { reason }, kubectl: None }
}

/// A step that creates or alters an object, from its start to its end.
pub(crate) fn changes(tape: &mut Tape, ms: u64, number: u32, step: &str, kind: &str, before: Before) {
    let change = ChangeId(number);
    let object =
        ObjectKey { api_version: "v1".to_owned(), kind: kind.to_owned(), namespace: None, name: "external".to_owned() };
    let result = if before == Before::Absent { ChangeResult::Created } else { ChangeResult::Configured };
    let fields = match result {
        ChangeResult::Configured => vec![FieldChange {
            path: "/outboundTrafficPolicy/mode".to_owned(),
            yaml_in: Some("/data/mesh".to_owned()),
            before: None,
            after: Some("REGISTRY_ONLY".into()),
        }],
        _ => vec![],
    };
    tape.at(ms, EventKind::StepStarted { step: id(step) });
    tape.at(ms, EventKind::AttemptStarted { step: id(step), attempt: 1 });
    let intent = ChangeIntent { change, object, operation: Operation::Apply, before };
    tape.at(ms + 1, EventKind::ChangeIntended { step: id(step), intent });
    let made = ChangeMade { result, uid: "u".to_owned(), resource_version: "7".to_owned(), fields };
    tape.at(ms + 12, EventKind::ChangeMade { step: id(step), change, made });
    let held = EventKind::AttemptFinished { step: id(step), attempt: 1, result: AttemptResult::Held, exec: None };
    tape.at(ms + 12, held);
    tape.at(ms + 12, passed(step, &format!("{kind} external {result}")));
}

/// What curl gave back.
pub(crate) fn exec(exit: i32, stdout: &str, stderr: &str) -> ExecReport {
    ExecReport {
        namespace: "external".to_owned(),
        pod: "sleep-6b8".to_owned(),
        container: "sleep".to_owned(),
        exit: Some(exit),
        stdout: Excerpt { head: stdout.to_owned(), ..Excerpt::default() },
        stderr: Excerpt { head: stderr.to_owned(), ..Excerpt::default() },
    }
}

/// Two titles that differ in two letters.
pub(crate) fn title_mismatch() -> Mismatch {
    let piece = |text: &str, emphasised| Piece { text: text.to_owned(), emphasised };
    Mismatch {
        matcher: Matcher::Equals,
        subject: Subject::Stdout,
        find: Some("<title>.*</title>".to_owned()),
        difference: Difference::Text {
            lines: vec![
                DiffLine::Delete {
                    pieces: vec![
                        piece("<title>Wikipedia, the free encyclop", false),
                        piece("ae", true),
                        piece("dia</title>", false),
                    ],
                },
                DiffLine::Insert {
                    pieces: vec![
                        piece("<title>Wikipedia, the free encyclop", false),
                        piece("e", true),
                        piece("dia</title>", false),
                    ],
                },
            ],
        },
        notes: vec![],
    }
}

/// A program that ended with 56 where 0 was due.
pub(crate) fn exit_mismatch() -> Mismatch {
    Mismatch {
        matcher: Matcher::Exit,
        subject: Subject::ExitCode,
        find: None,
        difference: Difference::Exit {
            expected: expect::ExpectedExit::Zero,
            actual: 56,
            stderr: Excerpt { head: "curl: (56)".to_owned(), ..expect::Excerpt::default() },
        },
        notes: vec![],
    }
}

/// A rehearsal in which all goes well.
pub(crate) fn passing_run() -> Vec<Event> {
    let mut tape = Tape::start(lab());
    let what = "ConfigMap istio-system/istio exists".to_owned();
    tape.at(2, EventKind::RequirementChecked { requirement: Requirement { what, unmet: None } });
    changes(&mut tape, 3, 1, "namespace", "Namespace", Before::Absent);
    tape.at(20, EventKind::StepStarted { step: id("call") });
    for attempt in 1..=3 {
        let ms = 20 + u64::from(attempt - 1) * 1_000;
        tape.at(ms, EventKind::AttemptStarted { step: id("call"), attempt });
        tape.at(ms + 1, EventKind::Waiting { step: id("call"), what: "the checks to hold".to_owned() });
        let (result, exec) = match attempt {
            1 => {
                let report = exec(56, "", "curl: (56) CONNECT tunnel failed, response 503\n");
                (AttemptResult::NotHeld { mismatches: vec![exit_mismatch()] }, Some(report))
            }
            2 => (AttemptResult::NotHeld { mismatches: vec![] }, None),
            _ => (AttemptResult::Held, Some(exec(0, "<title>ok</title>\n", ""))),
        };
        tape.at(ms + 30, EventKind::AttemptFinished { step: id("call"), attempt, result, exec });
    }
    tape.at(2_050, passed("call", "exit code 0"));
    tape.at(2_050, skipped("proxy-log"));
    let before = Before::Present { object: serde_json::json!({}) };
    changes(&mut tape, 2_051, 2, "entry", "ConfigMap", before);
    tape.at(2_070, EventKind::RunFinished { result: RunResult::Passed });
    tape.end()
}

/// What a lab tells of a call that the mesh had not heard of yet.
fn explained() -> Call {
    let stage = CallStage {
        proxy: "sidecar of default/curl".to_owned(),
        hops: vec!["listener virtualOutbound".to_owned(), "cluster BlackHoleCluster".to_owned()],
        end: "blocked: the mesh knows nothing at 198.51.100.7:443".to_owned(),
    };
    let end = stage.end.clone();
    let now = Some("sent to an endpoint of outbound|443||example.org".to_owned());
    Call { call: "TLS for example.org at 198.51.100.7:443".to_owned(), stages: vec![stage], end, now }
}

/// A run on `target` whose call never gives the right title.
pub(crate) fn failing_run(target: Target) -> Vec<Event> {
    let in_lab = target.is_lab();
    let mut tape = Tape::start(target);
    changes(&mut tape, 3, 1, "namespace", "Namespace", Before::Absent);
    tape.at(20, EventKind::StepStarted { step: id("call") });
    for attempt in 1..=121 {
        let ms = 20 + u64::from(attempt - 1) * 1_000;
        tape.at(ms, EventKind::AttemptStarted { step: id("call"), attempt });
        let first = attempt == 1;
        let mismatches = if first { vec![title_mismatch()] } else { vec![] };
        let report = first.then(|| exec(0, "<title>Wikipedia, the free encyclopedia</title>\n", ""));
        let result = AttemptResult::NotHeld { mismatches };
        tape.at(ms + 30, EventKind::AttemptFinished { step: id("call"), attempt, result, exec: report });
    }
    if in_lab {
        tape.at(120_050, EventKind::CallsExplained { step: id("call"), calls: vec![explained()] });
    }
    let failure = Failure {
        kind: FailureKind::Check,
        summary: "its check did not hold within 120s".to_owned(),
        mismatches: vec![title_mismatch()],
        advice: vec!["compare TITLE with the page itself: it may have changed".to_owned()],
    };
    tape.at(
        120_050,
        EventKind::StepFinished {
            step: id("call"),
            outcome: StepOutcome::Failed { failure },
            kubectl: Some("kubectl exec -n external deploy/sleep -c sleep -- curl https://example.org".to_owned()),
        },
    );
    let by = vec![id("call")];
    for step in ["proxy-log", "entry"] {
        let outcome = StepOutcome::Blocked { by: by.clone() };
        tape.at(120_050, EventKind::StepFinished { step: id(step), outcome, kubectl: None });
    }
    let text = Excerpt { head: "LAST SEEN  REASON\n2m         Pulled\n".to_owned(), ..Excerpt::default() };
    tape.at(120_060, EventKind::Diagnosed { title: "events in namespace external".to_owned(), text });
    tape.at(120_060, EventKind::RunFinished { result: RunResult::Failed });
    tape.end()
}

/// A run that is interrupted and whose undo is refused for one object.
pub(crate) fn interrupted_run() -> Vec<Event> {
    let mut tape = Tape::start(cluster());
    changes(&mut tape, 3, 1, "namespace", "Namespace", Before::Absent);
    tape.at(20, EventKind::StepStarted { step: id("call") });
    tape.at(21, EventKind::Interrupted { times: 1 });
    let cancelled = |why: &str| StepOutcome::Cancelled { why: why.to_owned() };
    for step in ["call", "proxy-log", "entry"] {
        let outcome = cancelled("interrupted");
        tape.at(30, EventKind::StepFinished { step: id(step), outcome, kubectl: None });
    }
    tape.at(31, EventKind::UndoStarted { changes: 1 });
    let object = ObjectKey {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: "external".to_owned(),
    };
    tape.at(32, EventKind::UndoIntended { change: ChangeId(1), object });
    let reason = "label team was changed by kubectl-edit since".to_owned();
    let result = UndoResult::Refused { reason };
    tape.at(33, EventKind::UndoFinished { change: ChangeId(1), result });
    tape.at(34, EventKind::RunFinished { result: RunResult::CleanupIncomplete });
    tape.end()
}

/// Feeds events to sinks as a live run does, and returns the final state.
pub(crate) fn feed(fanout: &mut Fanout<'_>, events: &[Event]) -> RunState {
    let mut state = RunState::default();
    for event in events {
        state.apply(event).expect("the tape is a legal run");
        fanout.on_event(event, &state);
    }
    state
}

/// Runs one reporter over events to the end.
pub(crate) fn play(reporter: &mut impl Reporter, events: &[Event]) -> RunState {
    let mut state = RunState::default();
    for event in events {
        state.apply(event).expect("the tape is a legal run");
        reporter.on_event(event, &state).expect("memory does not fail");
    }
    reporter.finish(&state).expect("memory does not fail");
    state
}
