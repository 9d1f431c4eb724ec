//! Interrupts: once, nothing new starts; twice, what runs is cancelled.

use tokio::sync::mpsc;

/// The operator's interrupts, as the scheduler hears of them.
#[derive(Debug)]
pub struct Interrupts {
    signals: mpsc::UnboundedReceiver<()>,
    times: u8,
}

/// Interrupts a run.
#[derive(Clone, Debug)]
pub struct Interrupter(mpsc::UnboundedSender<()>);

impl Interrupter {
    /// Interrupts once more. Nothing happens when the run is over.
    pub fn interrupt(&self) {
        self.0.send(()).ok();
    }
}

impl Interrupts {
    /// Interrupts that come from the returned handle.
    #[must_use]
    pub fn new() -> (Interrupter, Self) {
        let (sender, signals) = mpsc::unbounded_channel();
        (Interrupter(sender), Self { signals, times: 0 })
    }

    /// How often the operator has interrupted so far.
    #[must_use]
    pub const fn times(&self) -> u8 {
        self.times
    }

    /// Waits for the next interrupt and tells how many there were by then. Never returns when none can come any more.
    /// Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> u8 {
        match self.signals.recv().await {
            Some(()) => {
                self.times = self.times.saturating_add(1);
                self.times
            }
            None => std::future::pending().await,
        }
    }
}
