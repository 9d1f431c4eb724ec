//! What can be wrong with a world.
//!
//! Invariant: every message names the place in the file, as a line or as a path such as `hosts[0]`.

/// A world that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The text is no YAML, or not of the form of a world.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line in the file, from 1.
        line: u64,
        /// Column in characters, from 1.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// A value that the form allows but that makes no sense.
    #[error("{place}: {reason}")]
    Invalid {
        /// Where, such as `objects[2]`.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Something that the lab could be asked for but does not do.
    #[error("{place}: not simulated: {what}")]
    NotSimulated {
        /// Where, such as `faults[0]`.
        place: String,
        /// What the lab lacks.
        what: String,
    },
}

impl WorldError {
    pub(crate) fn invalid(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), reason: reason.into() }
    }
}
