//! How whole runs look, as snapshots, and what must hold for every run.

use indicatif::InMemoryTerm;
use periplus_core::event::{Event, EventKind};
use periplus_core::journal;
use periplus_core::state::RunState;

use super::testing::{self, play};
use super::{LineReporter, ProgressReporter, Screen, SummaryReporter, Verbosity};
use crate::reporter::Reporter as _;
use crate::style::Theme;

fn lines(events: &[Event], verbosity: Verbosity) -> String {
    let mut out = Vec::new();
    play(&mut LineReporter::new(&mut out, Theme::plain(), verbosity), events);
    String::from_utf8(out).expect("text")
}

fn summary(events: &[Event]) -> String {
    let mut out = Vec::new();
    play(&mut SummaryReporter::new(&mut out, Theme::plain()), events);
    String::from_utf8(out).expect("text")
}

#[test]
fn a_rehearsal_in_a_pipe() {
    insta::assert_snapshot!(lines(&testing::passing_run(), Verbosity::Normal));
}

#[test]
fn a_rehearsal_in_a_pipe_in_full() {
    insta::assert_snapshot!(lines(&testing::passing_run(), Verbosity::Verbose));
}

#[test]
fn a_failing_run_in_a_pipe() {
    insta::assert_snapshot!(lines(&testing::failing_run(testing::cluster()), Verbosity::Normal));
}

#[test]
fn the_end_of_a_rehearsal_that_passed() {
    insta::assert_snapshot!(summary(&testing::passing_run()));
}

#[test]
fn the_end_of_a_rehearsal_that_failed() {
    insta::assert_snapshot!(summary(&testing::failing_run(testing::lab())));
}

#[test]
fn the_end_of_a_run_that_failed() {
    insta::assert_snapshot!(summary(&testing::failing_run(testing::cluster())));
}

#[test]
fn the_end_of_a_run_whose_undo_was_refused() {
    insta::assert_snapshot!(summary(&testing::interrupted_run()));
}

#[test]
fn every_line_of_a_pipe_names_the_target() {
    for (events, word) in [
        (testing::passing_run(), "lab"),
        (testing::failing_run(testing::cluster()), "prod-eu"),
        (testing::interrupted_run(), "prod-eu"),
    ] {
        let text = lines(&events, Verbosity::Verbose);
        let all: Vec<&str> = text.lines().collect();
        assert!(all.iter().all(|line| line.contains(word)), "{text}");
        assert_eq!(all.first(), all.last(), "the target stands first and last");
    }
}

#[test]
fn a_replay_prints_what_the_live_run_printed() {
    for events in [testing::passing_run(), testing::failing_run(testing::lab()), testing::interrupted_run()] {
        let facts = events.iter().filter(|event| !event.kind.is_progress());
        let written: String =
            std::iter::once(journal::line(&journal::Header::default())).chain(facts.map(journal::line)).collect();
        let replayed = journal::read(written.as_bytes()).expect("whole").events;
        let live = lines(&events, Verbosity::Verbose);
        let live: Vec<&str> = live.lines().filter(|line| !line.contains("  wait  ")).collect();
        assert_eq!(live, lines(&replayed, Verbosity::Verbose).lines().collect::<Vec<_>>());
        assert_eq!(summary(&events), summary(&replayed));
    }
}

#[test]
fn waiting_is_told_when_it_lasts_and_changes_and_not_more_often_than_every_ten_seconds() {
    let mut tape = testing::Tape::start(testing::cluster());
    tape.at(0, EventKind::StepStarted { step: testing::id("call") });
    for second in 0..60_u64 {
        let what = format!("pod a, {second} of 60 ready");
        tape.at(second * 1_000, EventKind::Waiting { step: testing::id("call"), what });
    }
    for _ in 0..60 {
        tape.at(90_000, EventKind::Waiting { step: testing::id("call"), what: "pod a, 50 of 60 ready".to_owned() });
    }
    let text = lines(&tape.end(), Verbosity::Normal);
    assert_eq!(text.matches("waiting for").count(), 7, "{text}");
}

#[test]
fn hostile_output_never_reaches_the_terminal_as_it_is() {
    let bad = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\n";
    let mut tape = testing::Tape::start(testing::cluster());
    tape.at(0, EventKind::StepStarted { step: testing::id("call") });
    tape.at(0, EventKind::AttemptStarted { step: testing::id("call"), attempt: 1 });
    let result = periplus_core::event::AttemptResult::Inconclusive { cause: bad.to_owned() };
    let exec = Some(testing::exec(1, bad, bad));
    tape.at(1, EventKind::AttemptFinished { step: testing::id("call"), attempt: 1, result, exec });
    tape.at(1, EventKind::Warned { step: testing::id("call"), text: bad.to_owned() });
    tape.at(1, EventKind::Waiting { step: testing::id("call"), what: bad.to_owned() });
    tape.at(2, testing::passed("call", bad));
    let events = tape.end();
    let screen = InMemoryTerm::new(40, 100);
    let mut bars = ProgressReporter::new(Screen::new(Box::new(screen.clone())), Theme::plain(), Verbosity::Verbose);
    play(&mut bars, &events);
    for text in [lines(&events, Verbosity::Verbose), summary(&events), screen.contents()] {
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
}

/// The screen after all events up to the first that `stop` accepts.
fn screen_at(events: &[Event], stop: impl Fn(&EventKind) -> bool) -> String {
    let screen = InMemoryTerm::new(20, 100);
    let mut bars = ProgressReporter::new(Screen::new(Box::new(screen.clone())), Theme::plain(), Verbosity::Normal);
    let mut state = RunState::default();
    for event in events {
        state.apply(event).expect("the tape is a legal run");
        bars.on_event(event, &state).expect("memory does not fail");
        if stop(&event.kind) {
            bars.tick(event.elapsed_ms + 500).expect("memory does not fail");
            return screen.contents();
        }
    }
    bars.finish(&state).expect("memory does not fail");
    screen.contents()
}

#[test]
fn a_terminal_in_the_middle_of_a_run() {
    let third_attempt = |kind: &EventKind| matches!(kind, EventKind::AttemptStarted { attempt: 3, .. });
    insta::assert_snapshot!(screen_at(&testing::passing_run(), third_attempt));
}

#[test]
fn a_terminal_after_a_run() {
    insta::assert_snapshot!(screen_at(&testing::passing_run(), |_| false));
}

#[test]
fn rows_beyond_the_first_few_are_counted() {
    let mut tape = testing::Tape::start(testing::cluster());
    let mut wide = tape.end();
    let EventKind::RunStarted(started) = &mut wide[0].kind else { panic!("the tape starts with the run") };
    let template = started.steps[0].clone();
    started.steps = (1..=11)
        .map(|n| {
            let mut step = template.clone();
            step.id = testing::id(&format!("step-{n:02}"));
            step
        })
        .collect();
    tape = testing::Tape::go_on(wide);
    for n in 1..=11 {
        tape.at(5, EventKind::StepStarted { step: testing::id(&format!("step-{n:02}")) });
    }
    let shown = screen_at(&tape.end(), |kind| kind.step() == Some(&testing::id("step-11")));
    assert!(shown.contains("step-08") && !shown.contains("step-09") && shown.contains("+ 3 more"), "{shown}");
}
