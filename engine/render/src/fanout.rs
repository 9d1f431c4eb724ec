//! One event to many sinks.
//!
//! A sink that fails is left out from then on and its error kept for the end: it never silences another, and never ends
//! the run.

use std::io;

use periplus_core::event::Event;
use periplus_core::state::RunState;

use crate::reporter::Reporter;

/// Several sinks, fed in the order in which they were added.
#[derive(Default)]
pub struct Fanout<'a> {
    sinks: Vec<Sink<'a>>,
}

struct Sink<'a> {
    name: String,
    reporter: Box<dyn Reporter + Send + 'a>,
    error: Option<io::Error>,
}

/// A sink that could not be written.
#[derive(Debug)]
pub struct SinkError {
    /// Which sink, as it was named when it was added.
    pub name: String,
    /// Why.
    pub error: io::Error,
}

impl<'a> Fanout<'a> {
    /// No sinks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sink. `name` is how an error speaks of it, such as `report.json`.
    pub fn add(&mut self, name: impl Into<String>, reporter: impl Reporter + Send + 'a) {
        self.sinks.push(Sink { name: name.into(), reporter: Box::new(reporter), error: None });
    }

    /// Gives an event to every sink that still works.
    pub fn on_event(&mut self, event: &Event, state: &RunState) {
        self.each(|reporter| reporter.on_event(event, state));
    }

    /// Tells every sink that still works that time has passed.
    pub fn tick(&mut self, elapsed_ms: u64) {
        self.each(|reporter| reporter.tick(elapsed_ms));
    }

    /// Finishes every sink that still works and returns those that failed, now or before. A reader who went away
    /// (broken pipe) has had enough and is no failure.
    pub fn finish(mut self, state: &RunState) -> Vec<SinkError> {
        self.each(|reporter| reporter.finish(state));
        self.sinks
            .into_iter()
            .filter_map(|sink| Some(SinkError { name: sink.name, error: sink.error? }))
            .filter(|failed| failed.error.kind() != io::ErrorKind::BrokenPipe)
            .collect()
    }

    fn each(&mut self, mut feed: impl FnMut(&mut dyn Reporter) -> io::Result<()>) {
        for sink in self.sinks.iter_mut().filter(|sink| sink.error.is_none()) {
            sink.error = feed(sink.reporter.as_mut()).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::text::testing;

    struct Fails(io::ErrorKind);

    impl Reporter for Fails {
        fn on_event(&mut self, _: &Event, _: &RunState) -> io::Result<()> {
            Err(self.0.into())
        }

        fn finish(&mut self, _: &RunState) -> io::Result<()> {
            panic!("a sink that failed must be left alone");
        }
    }

    struct Counts(Arc<Mutex<(u32, u32)>>);

    impl Reporter for Counts {
        fn on_event(&mut self, _: &Event, _: &RunState) -> io::Result<()> {
            self.0.lock().expect("no panic holds it").0 += 1;
            Ok(())
        }

        fn finish(&mut self, _: &RunState) -> io::Result<()> {
            self.0.lock().expect("no panic holds it").1 += 1;
            Ok(())
        }
    }

    #[test]
    fn a_failing_sink_silences_only_itself() {
        let seen = Arc::new(Mutex::new((0, 0)));
        let mut fanout = Fanout::new();
        fanout.add("full disk", Fails(io::ErrorKind::StorageFull));
        fanout.add("counts", Counts(Arc::clone(&seen)));
        fanout.add("reader gone", Fails(io::ErrorKind::BrokenPipe));
        let events = testing::passing_run();
        let state = testing::feed(&mut fanout, &events);
        let failed: Vec<String> = fanout.finish(&state).into_iter().map(|sink| sink.name).collect();
        assert_eq!(failed, ["full disk"]);
        assert_eq!(*seen.lock().expect("no panic holds it"), (u32::try_from(events.len()).expect("few"), 1));
    }
}
