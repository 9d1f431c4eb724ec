//! Every event against everything that it may meet, and what holds for every sequence.

use proptest::prelude::*;

use super::*;
use crate::call::{Call, CallStage};
use crate::change::ObjectKey;
use crate::event::{
    Before, ChangeIntent, ChangeMade, ChangeResult, Operation, RunId, RunStarted, RunbookRef, StepSummary, Target,
};
use crate::expect::{Difference, Matcher, Subject};
use crate::journal;
use crate::model::Effect;
use crate::outcome::{Failure, FailureKind, SkipReason};

const PENDING: &str = "pending";
const RUNNING: &str = "running";
const FINISHED: &str = "finished";
const STRANGE: &str = "strange";

const NOT_YET: &str = "before it has started";
const STARTED: &str = "after it has started";
const ENDED: &str = "after it has ended";

fn id(step: &str) -> StepId {
    StepId(step.to_owned())
}

fn started(steps: &[&str]) -> EventKind {
    let summary = |step: &&str| StepSummary {
        id: id(step),
        title: String::new(),
        verb: "apply".to_owned(),
        effect: Effect::Change,
    };
    EventKind::RunStarted(RunStarted {
        run: RunId("r".to_owned()),
        engine: "0".to_owned(),
        kubernetes: None,
        runbook: RunbookRef { name: "n".to_owned(), title: "n".to_owned(), path: "p".to_owned(), hash: String::new() },
        target: Target::Lab { seed: 1 },
        params: Vec::new(),
        keep: vec![],
        steps: steps.iter().map(summary).collect(),
    })
}

fn object(name: &str) -> ObjectKey {
    ObjectKey {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("default".to_owned()),
        name: name.to_owned(),
    }
}

fn intended(step: &str, change: u32) -> EventKind {
    let intent = ChangeIntent {
        change: ChangeId(change),
        object: object("a"),
        operation: Operation::Apply,
        before: Before::Absent,
    };
    EventKind::ChangeIntended { step: id(step), intent }
}

fn made(step: &str, change: u32, result: ChangeResult) -> EventKind {
    let made = ChangeMade { result, uid: "u".to_owned(), resource_version: "1".to_owned(), fields: Vec::new() };
    EventKind::ChangeMade { step: id(step), change: ChangeId(change), made }
}

fn change_failed(step: &str, change: u32, perhaps_made: bool) -> EventKind {
    EventKind::ChangeFailed { step: id(step), change: ChangeId(change), error: "no".to_owned(), perhaps_made }
}

fn attempt_finished(step: &str, attempt: u32, result: AttemptResult) -> EventKind {
    EventKind::AttemptFinished { step: id(step), attempt, result, exec: None }
}

fn mark(step: &str) -> EventKind {
    let mark = LogMark::File {
        namespace: "default".to_owned(),
        pod: "p".to_owned(),
        uid: "u".to_owned(),
        container: "c".to_owned(),
        path: "/log".to_owned(),
        inode: None,
        length: 0,
    };
    EventKind::LogMarked { step: id(step), reader: id(PENDING), mark }
}

fn passed() -> StepOutcome {
    StepOutcome::Passed { note: String::new(), seen: Vec::new() }
}

fn failure() -> Failure {
    Failure { kind: FailureKind::Check, summary: "no".to_owned(), mismatches: Vec::new(), advice: Vec::new() }
}

fn finished(step: &str, outcome: StepOutcome) -> EventKind {
    EventKind::StepFinished { step: id(step), outcome, kubectl: None }
}

/// Numbers events and gives each a time of its own.
fn numbered(kinds: impl IntoIterator<Item = EventKind>) -> Vec<Event> {
    let mut seq = 0;
    kinds
        .into_iter()
        .map(|kind| {
            let event = Event { seq, at: Timestamp::UNIX_EPOCH, elapsed_ms: seq * 10, kind };
            seq += u64::from(!event.kind.is_progress());
            event
        })
        .collect()
}

fn folded(kinds: impl IntoIterator<Item = EventKind>) -> RunState {
    RunState::replay(&numbered(kinds)).expect("a legal sequence")
}

/// A run with a step in each status. The running one is in its first attempt. Change 1 was announced and has no answer;
/// change 2 was made.
fn mid_run() -> RunState {
    folded([
        started(&[PENDING, RUNNING, FINISHED]),
        EventKind::StepStarted { step: id(RUNNING) },
        EventKind::AttemptStarted { step: id(RUNNING), attempt: 1 },
        intended(RUNNING, 1),
        EventKind::StepStarted { step: id(FINISHED) },
        EventKind::AttemptStarted { step: id(FINISHED), attempt: 1 },
        intended(FINISHED, 2),
        made(FINISHED, 2, ChangeResult::Created),
        attempt_finished(FINISHED, 1, AttemptResult::Held),
        finished(FINISHED, passed()),
    ])
}

/// Applies an event of the number that is due; the state must be untouched by a refusal, and count an accepted fact.
fn meet(state: &RunState, kind: EventKind) -> Result<RunState, IllegalEvent> {
    let mut after = state.clone();
    let progress = kind.is_progress();
    let event = Event { seq: state.next_seq, at: Timestamp::UNIX_EPOCH, elapsed_ms: 999, kind };
    match after.apply(&event) {
        Ok(()) => {
            assert_eq!(after.next_seq, state.next_seq + u64::from(!progress), "{:?}", event.kind);
            assert_eq!(after.elapsed_ms, if progress { state.elapsed_ms } else { 999 }, "{:?}", event.kind);
            Ok(after)
        }
        Err(error) => {
            assert_eq!(after, *state, "a refused event leaves no trace: {:?}", event.kind);
            Err(error)
        }
    }
}

fn blocked() -> Call {
    let stage = CallStage {
        proxy: "sidecar of default/curl".to_owned(),
        hops: vec!["listener virtualOutbound".to_owned()],
        end: "blocked".to_owned(),
    };
    Call { call: "TLS for a.example".to_owned(), stages: vec![stage], end: "blocked".to_owned(), now: None }
}

/// One event of each kind that tells of a step and asks for something of its status; for the running step each is legal.
fn of_step(step: &str) -> Vec<EventKind> {
    vec![
        EventKind::AttemptStarted { step: id(step), attempt: 2 },
        attempt_finished(step, 1, AttemptResult::Held),
        EventKind::Waiting { step: id(step), what: "a pod".to_owned() },
        EventKind::Warned { step: id(step), text: "deprecated".to_owned() },
        intended(step, 3),
        mark(step),
        EventKind::Captured { step: id(step), name: "IP".to_owned(), value: "10.0.0.1".to_owned() },
        EventKind::CallsExplained { step: id(step), calls: vec![blocked()] },
    ]
}

/// One event of each kind that tells of a change, and `change` for it.
fn of_change(change: u32) -> Vec<EventKind> {
    vec![
        EventKind::ChangeReverted { change: ChangeId(change), detail: "by argocd".to_owned() },
        EventKind::UndoIntended { change: ChangeId(change), object: object("a") },
        EventKind::UndoFinished { change: ChangeId(change), result: UndoResult::Deleted },
    ]
}

/// One event of each kind that tells of the run as a whole.
fn of_run() -> Vec<EventKind> {
    let requirement = Requirement { what: "a".to_owned(), unmet: None };
    vec![
        EventKind::RequirementChecked { requirement },
        EventKind::Diagnosed { title: "events".to_owned(), text: Excerpt::of("none") },
        EventKind::Interrupted { times: 1 },
        EventKind::UndoStarted { changes: 1 },
        EventKind::RunFinished { result: RunResult::Passed },
    ]
}

/// Position of a kind in [`EventKind`]; the compiler asks for a new kind here, and the test below for its sample.
const fn number(kind: &EventKind) -> usize {
    match kind {
        EventKind::RunStarted(_) => 0,
        EventKind::RequirementChecked { .. } => 1,
        EventKind::StepStarted { .. } => 2,
        EventKind::AttemptStarted { .. } => 3,
        EventKind::AttemptFinished { .. } => 4,
        EventKind::Waiting { .. } => 5,
        EventKind::Warned { .. } => 6,
        EventKind::ChangeIntended { .. } => 7,
        EventKind::ChangeMade { .. } => 8,
        EventKind::ChangeFailed { .. } => 9,
        EventKind::LogMarked { .. } => 10,
        EventKind::Captured { .. } => 11,
        EventKind::StepFinished { .. } => 12,
        EventKind::ChangeReverted { .. } => 13,
        EventKind::Diagnosed { .. } => 14,
        EventKind::Interrupted { .. } => 15,
        EventKind::UndoStarted { .. } => 16,
        EventKind::UndoIntended { .. } => 17,
        EventKind::UndoFinished { .. } => 18,
        EventKind::RunFinished { .. } => 19,
        EventKind::CallsExplained { .. } => 20,
    }
}

/// One event of each kind, about the running step and its change where it is about one.
fn all_kinds() -> Vec<EventKind> {
    let single = vec![
        started(&[]),
        EventKind::StepStarted { step: id(RUNNING) },
        made(RUNNING, 1, ChangeResult::Created),
        change_failed(RUNNING, 1, true),
        finished(RUNNING, passed()),
    ];
    let mut kinds = [single, of_step(RUNNING), of_change(1), of_run()].concat();
    kinds.sort_by_key(number);
    kinds
}

#[test]
fn there_is_a_sample_of_every_kind() {
    assert_eq!(all_kinds().iter().map(number).collect::<Vec<_>>(), (0..21).collect::<Vec<_>>());
}

#[test]
fn before_the_run_starts_nothing_else_is_told() {
    let empty = RunState::default();
    for kind in all_kinds() {
        let refused = meet(&empty, kind.clone()).err();
        match &kind {
            EventKind::RunStarted(_) => assert_eq!(refused, None),
            EventKind::Waiting { .. } => {
                assert_eq!(refused, Some(IllegalEvent::UnknownStep { seq: 0, step: id(RUNNING) }));
            }
            _ => assert_eq!(refused, Some(IllegalEvent::NotStarted { seq: 0 }), "{kind:?}"),
        }
    }
}

#[test]
fn a_run_starts_once() {
    let state = mid_run();
    let seq = state.next_seq;
    assert_eq!(meet(&state, started(&[])).err(), Some(IllegalEvent::NotStarted { seq }));
}

#[test]
fn each_event_of_a_step_meets_each_status() {
    let state = mid_run();
    let seq = state.next_seq;
    let refused = |step: &str, when| Some(IllegalEvent::StepTransition { seq, step: id(step), when });
    for (step, while_running, to_start, to_finish) in [
        (PENDING, refused(PENDING, NOT_YET), None, None),
        (RUNNING, None, refused(RUNNING, STARTED), None),
        (FINISHED, refused(FINISHED, ENDED), refused(FINISHED, STARTED), refused(FINISHED, ENDED)),
        (
            STRANGE,
            Some(IllegalEvent::UnknownStep { seq, step: id(STRANGE) }),
            Some(IllegalEvent::UnknownStep { seq, step: id(STRANGE) }),
            Some(IllegalEvent::UnknownStep { seq, step: id(STRANGE) }),
        ),
    ] {
        for kind in of_step(step) {
            assert_eq!(meet(&state, kind.clone()).err(), while_running, "{kind:?}");
        }
        assert_eq!(meet(&state, EventKind::StepStarted { step: id(step) }).err(), to_start);
        assert_eq!(meet(&state, finished(step, passed())).err(), to_finish);
    }
}

#[test]
fn events_of_the_run_meet_any_status() {
    for kind in of_run() {
        meet(&mid_run(), kind).expect("they ask nothing of a step");
    }
}

#[test]
fn attempts_are_counted_one_by_one() {
    let state = mid_run();
    let seq = state.next_seq;
    let when = "out of the order of its attempts";
    let refused = Some(IllegalEvent::StepTransition { seq, step: id(RUNNING), when });
    for attempt in [0, 1, 3] {
        assert_eq!(meet(&state, EventKind::AttemptStarted { step: id(RUNNING), attempt }).err(), refused);
    }
    for attempt in [0, 2] {
        assert_eq!(meet(&state, attempt_finished(RUNNING, attempt, AttemptResult::Held)).err(), refused);
    }
}

#[test]
fn a_change_is_announced_once_and_answered_once() {
    let state = mid_run();
    let seq = state.next_seq;
    let unknown = |change| Some(IllegalEvent::UnknownChange { seq, change: ChangeId(change) });
    assert_eq!(meet(&state, intended(RUNNING, 1)).err(), unknown(1));
    for kind in [of_change(7), vec![made(RUNNING, 7, ChangeResult::Created), change_failed(RUNNING, 7, false)]].concat()
    {
        assert_eq!(meet(&state, kind).err(), unknown(7));
    }
    for kind in [of_change(1), of_change(2)].concat() {
        meet(&state, kind).expect("both were announced");
    }
    let answers = |change| {
        [
            made(RUNNING, change, ChangeResult::Created),
            change_failed(RUNNING, change, false),
            change_failed(RUNNING, change, true),
        ]
    };
    for first in answers(1) {
        let answered = meet(&state, first).expect("it has no answer yet");
        for second in answers(1) {
            let seq = seq + 1;
            let error = meet(&answered, second).err();
            assert_eq!(error, Some(IllegalEvent::AnsweredTwice { seq, change: ChangeId(1) }));
        }
    }
}

#[test]
fn facts_are_numbered_without_gaps_and_progress_is_not_numbered() {
    let state = mid_run();
    let expected = state.next_seq;
    for found in [0, expected - 1, expected + 1, u64::MAX] {
        for kind in all_kinds().into_iter().filter(|kind| !kind.is_progress()) {
            let mut after = state.clone();
            let event = Event { seq: found, at: Timestamp::UNIX_EPOCH, elapsed_ms: 1, kind };
            assert_eq!(after.apply(&event), Err(IllegalEvent::OutOfOrder { expected, found }));
            assert_eq!(after, state);
        }
        let kind = EventKind::Waiting { step: id(RUNNING), what: "a pod".to_owned() };
        let mut after = state.clone();
        after.apply(&Event { seq: found, at: Timestamp::UNIX_EPOCH, elapsed_ms: 1, kind }).expect("of any number");
        assert_eq!(after.steps[&id(RUNNING)].waiting_for.as_deref(), Some("a pod"));
    }
}

#[test]
fn what_an_attempt_showed_is_kept_until_it_is_news() {
    let step = || id(RUNNING);
    let mismatch = Mismatch {
        matcher: Matcher::Equals,
        subject: Subject::Stdout,
        find: None,
        difference: Difference::Text { lines: Vec::new() },
        notes: Vec::new(),
    };
    let attempt = |state: &RunState, number, result| {
        let state = if number == 1 {
            state.clone()
        } else {
            meet(state, EventKind::AttemptStarted { step: step(), attempt: number }).expect("the next")
        };
        meet(&state, attempt_finished(RUNNING, number, result)).expect("under way")
    };
    let seen = |state: &RunState| {
        let step = &state.steps[&step()];
        (step.last_mismatches.clone(), step.last_cause.clone())
    };
    let first = attempt(&mid_run(), 1, AttemptResult::NotHeld { mismatches: vec![mismatch.clone()] });
    assert_eq!(seen(&first), (vec![mismatch.clone()], None));
    let same = attempt(&first, 2, AttemptResult::NotHeld { mismatches: Vec::new() });
    assert_eq!(seen(&same), (vec![mismatch.clone()], None), "empty means: as before");
    let cut = attempt(&same, 3, AttemptResult::Inconclusive { cause: "cut".to_owned() });
    assert_eq!(seen(&cut), (vec![mismatch], Some("cut".to_owned())));
    let held = attempt(&cut, 4, AttemptResult::Held);
    assert_eq!(seen(&held), (Vec::new(), None));
}

#[test]
fn marks_are_those_of_the_latest_attempt() {
    let marked = meet(&mid_run(), mark(RUNNING)).expect("running");
    assert_eq!(marked.steps[&id(RUNNING)].marks.len(), 1);
    let next = meet(&marked, EventKind::AttemptStarted { step: id(RUNNING), attempt: 2 }).expect("the next");
    assert_eq!(next.steps[&id(RUNNING)].marks, []);
}

#[test]
fn a_change_stands_unless_it_is_known_not_to() {
    let answer = |kind: Option<EventKind>| {
        let mut kinds = vec![started(&[RUNNING]), EventKind::StepStarted { step: id(RUNNING) }, intended(RUNNING, 1)];
        kinds.extend(kind);
        folded(kinds)
    };
    for (kind, stands) in [
        (None, true),
        (Some(made(RUNNING, 1, ChangeResult::Created)), true),
        (Some(made(RUNNING, 1, ChangeResult::Configured)), true),
        (Some(made(RUNNING, 1, ChangeResult::Deleted)), true),
        (Some(made(RUNNING, 1, ChangeResult::Executed)), true),
        (Some(made(RUNNING, 1, ChangeResult::Unchanged)), false),
        (Some(made(RUNNING, 1, ChangeResult::NotFound)), false),
        (Some(change_failed(RUNNING, 1, true)), true),
        (Some(change_failed(RUNNING, 1, false)), false),
    ] {
        let state = answer(kind.clone());
        assert_eq!(state.standing_changes().count(), usize::from(stands), "{kind:?}");
        for (result, complete) in [
            (UndoResult::Deleted, true),
            (UndoResult::Restored, true),
            (UndoResult::Recreated, true),
            (UndoResult::AlreadyUndone, true),
            (UndoResult::Kept, true),
            (UndoResult::Refused { reason: "r".to_owned() }, false),
            (UndoResult::Failed { error: "e".to_owned() }, false),
        ] {
            let undone = EventKind::UndoFinished { change: ChangeId(1), result };
            let state = meet(&state, undone.clone()).expect("announced");
            assert_eq!(state.standing_changes().count(), usize::from(stands && !complete), "{undone:?}");
        }
    }
}

#[test]
fn an_undo_walks_from_the_newest_change_to_the_oldest() {
    let state = folded([
        started(&["a", "b"]),
        EventKind::StepStarted { step: id("a") },
        EventKind::StepStarted { step: id("b") },
        intended("b", 1),
        intended("a", 3),
        intended("a", 2),
        change_failed("a", 3, false),
    ]);
    let standing: Vec<u32> = state.standing_changes().map(|change| change.intent.change.0).collect();
    assert_eq!(standing, [2, 1], "by when they were announced, not by number");
}

#[test]
fn each_outcome_is_counted_once() {
    let outcomes = [
        passed(),
        StepOutcome::Failed { failure: failure() },
        StepOutcome::Inconclusive { failure: failure() },
        StepOutcome::Skipped { reason: SkipReason::Needs { step: id("a") } },
        StepOutcome::Blocked { by: vec![id("b")] },
        StepOutcome::Cancelled { why: "interrupted".to_owned() },
    ];
    let names = ["a", "b", "c", "d", "e", "f", "never-started"];
    let ends = names.iter().zip(outcomes).map(|(step, outcome)| finished(step, outcome));
    let state = folded(std::iter::once(started(&names)).chain(ends));
    assert_eq!(state.counts(), Counts { passed: 1, failed: 1, inconclusive: 1, skipped: 1, not_run: 3 });
    let broken: Vec<&str> = state.broken_steps().map(|step| step.summary.id.as_str()).collect();
    assert_eq!(broken, ["b", "c"]);
}

#[test]
fn a_step_knows_how_long_it_ran() {
    let state = mid_run();
    assert_eq!(state.steps[&id(FINISHED)].duration_ms(), Some(50), "from the fifth fact to the tenth");
    assert_eq!(state.steps[&id(RUNNING)].duration_ms(), None);
    let blocked = meet(&state, finished(PENDING, StepOutcome::Blocked { by: vec![id(RUNNING)] })).expect("pending");
    assert_eq!(blocked.steps[&id(PENDING)].duration_ms(), None, "it never ran");
}

/// What one step of a made-up run goes through.
#[derive(Clone, Debug)]
enum Life {
    NeverStarted(StepOutcome),
    /// Per attempt: how it ended, and the answers of the changes that it made.
    Ran(Vec<(AttemptResult, Vec<Option<bool>>)>, StepOutcome),
}

fn life() -> impl Strategy<Value = Life> {
    let unstarted = prop_oneof![
        Just(StepOutcome::Skipped { reason: SkipReason::When { condition: "false".to_owned() } }),
        Just(StepOutcome::Blocked { by: vec![id("s0")] }),
        Just(StepOutcome::Cancelled { why: "interrupted".to_owned() }),
    ];
    let ended = prop_oneof![
        Just(passed()),
        Just(StepOutcome::Failed { failure: failure() }),
        Just(StepOutcome::Inconclusive { failure: failure() }),
    ];
    let result = prop_oneof![
        Just(AttemptResult::Held),
        Just(AttemptResult::NotHeld { mismatches: Vec::new() }),
        Just(AttemptResult::Inconclusive { cause: "cut".to_owned() }),
    ];
    // An answer: none, refused, made.
    let answers = prop::collection::vec(prop_oneof![Just(None), Just(Some(false)), Just(Some(true))], 0..3);
    let attempts = prop::collection::vec((result, answers), 0..4);
    prop_oneof![1 => unstarted.prop_map(Life::NeverStarted), 3 => (attempts, ended).prop_map(|(a, o)| Life::Ran(a, o))]
}

/// The facts of one step, and by change whether it stands.
fn facts(step: &str, life: &Life, changes: &mut Vec<bool>) -> Vec<EventKind> {
    let Life::Ran(attempts, outcome) = life else {
        let Life::NeverStarted(outcome) = life else { unreachable!("a life is one of two") };
        return vec![finished(step, outcome.clone())];
    };
    let mut kinds = vec![EventKind::StepStarted { step: id(step) }];
    for (number, (result, answers)) in (1..).zip(attempts) {
        kinds.push(mark(step));
        kinds.push(EventKind::AttemptStarted { step: id(step), attempt: number });
        kinds.push(EventKind::Waiting { step: id(step), what: "a pod".to_owned() });
        for answer in answers {
            changes.push(*answer != Some(false));
            let change = u32::try_from(changes.len()).expect("few changes");
            kinds.push(intended(step, change));
            kinds.extend(answer.map(|is_made| match is_made {
                true => made(step, change, ChangeResult::Created),
                false => change_failed(step, change, false),
            }));
        }
        kinds.push(attempt_finished(step, number, result.clone()));
    }
    kinds.push(finished(step, outcome.clone()));
    kinds
}

/// A whole run: steps side by side, their facts in any order that keeps each step's own; and which changes stand.
fn runs() -> impl Strategy<Value = (Vec<Event>, usize, Vec<bool>)> {
    (prop::collection::vec(life(), 1..5), prop::collection::vec(any::<prop::sample::Index>(), 200)).prop_map(
        |(lives, picks)| {
            let names: Vec<String> = (0..lives.len()).map(|number| format!("s{number}")).collect();
            let mut changes = Vec::new();
            let mut queues: Vec<std::collections::VecDeque<EventKind>> =
                names.iter().zip(&lives).map(|(step, life)| facts(step, life, &mut changes).into()).collect();
            let mut kinds = vec![started(&names.iter().map(String::as_str).collect::<Vec<_>>())];
            for pick in picks.iter().cycle() {
                queues.retain(|queue| !queue.is_empty());
                let Some(queue) = (!queues.is_empty()).then(|| pick.index(queues.len())).map(|at| &mut queues[at])
                else {
                    break;
                };
                kinds.extend(queue.pop_front());
            }
            kinds.push(EventKind::RunFinished { result: RunResult::Failed });
            (numbered(kinds), lives.len(), changes)
        },
    )
}

proptest! {
    #[test]
    fn every_prefix_of_a_run_folds_and_the_rest_continues_it((events, steps, changes) in runs(), cut in any::<prop::sample::Index>()) {
        let whole = RunState::replay(&events).expect("legal");
        let cut = cut.index(events.len() + 1);
        let mut resumed = RunState::replay(&events[..cut]).expect("a prefix of it is legal");
        for event in &events[cut..] {
            resumed.apply(event).expect("and so is its continuation");
        }
        prop_assert_eq!(&resumed, &whole);
        let counts = whole.counts();
        prop_assert_eq!(counts.passed + counts.failed + counts.inconclusive + counts.skipped + counts.not_run, steps);
        let standing: std::collections::BTreeSet<u32> = whole.standing_changes().map(|change| change.intent.change.0).collect();
        let expected = (1..).zip(&changes).filter(|(_, stands)| **stands).map(|(number, _)| number).collect();
        prop_assert_eq!(standing, expected);
    }

    #[test]
    fn a_journal_gives_back_the_state_that_was_live((events, _, _) in runs()) {
        let facts: Vec<&Event> = events.iter().filter(|event| !event.kind.is_progress()).collect();
        let text: String = std::iter::once(journal::line(&journal::Header::default())).chain(facts.iter().map(journal::line)).collect();
        let read = journal::read(text.as_bytes()).expect("whole");
        prop_assert_eq!(read.events.iter().collect::<Vec<_>>(), facts);
        // Progress is shown while a step runs and leaves nothing behind at its end.
        prop_assert_eq!(read.state, RunState::replay(&events).expect("legal"));
    }

    #[test]
    fn no_fact_can_be_left_out((events, _, _) in runs(), gap in any::<prop::sample::Index>()) {
        let mut facts: Vec<Event> = events.into_iter().filter(|event| !event.kind.is_progress()).collect();
        let gap = gap.index(facts.len() - 1);
        facts.remove(gap);
        let expected = gap as u64;
        prop_assert_eq!(RunState::replay(&facts), Err(IllegalEvent::OutOfOrder { expected, found: expected + 1 }));
    }
}
