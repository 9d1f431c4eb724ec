//! How a program ends.
//!
//! Invariant: "the lab cannot do this" is an ending of its own and never an exit code.

/// How a program ended, or why it never ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this code.
    Code(u8),
    /// A signal ended it.
    Signal(u8),
    /// The lab lacks what it would have needed; the text says what, without the prefix `not simulated: `.
    NotSimulated(String),
    /// There was nothing to start. The text is the container runtime's, such as
    /// `exec: "nosuch": executable file not found in $PATH`.
    NotFound(String),
}

/// Broken pipe.
pub const SIGPIPE: u8 = 13;
/// Interrupt, as from Ctrl-C.
pub const SIGINT: u8 = 2;
/// Quit, as from Ctrl-\.
pub const SIGQUIT: u8 = 3;
/// The signal nobody survives.
pub const SIGKILL: u8 = 9;
/// The polite request to end.
pub const SIGTERM: u8 = 15;

impl Exit {
    /// Success.
    pub const SUCCESS: Self = Self::Code(0);
    /// The general failure.
    pub const FAILURE: Self = Self::Code(1);

    /// The number that a shell or container runtime shows: the code, or 128 plus the signal. `None` when nothing ran.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(signal) => Some(128u8.saturating_add(*signal)),
            Self::NotSimulated(_) | Self::NotFound(_) => None,
        }
    }

    /// Shorthand for [`Exit::NotSimulated`].
    #[must_use]
    pub fn not_simulated(what: impl Into<String>) -> Self {
        Self::NotSimulated(what.into())
    }
}

impl From<bool> for Exit {
    /// 0 for true, 1 for false.
    fn from(success: bool) -> Self {
        if success { Self::SUCCESS } else { Self::FAILURE }
    }
}
