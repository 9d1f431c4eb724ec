//! What a page does not say outright: the type of a parameter, which parts of an output differ each time, what a sentence
//! expects. Each guess is cautious, and is told to the reader.

mod grep;
mod params;
mod prose;
mod sample;

pub(crate) use grep::{expression, literal};
pub(crate) use params::{Hint, param_type};
pub(crate) use prose::{Heading, heading, id, is_note_intro, says_fails, says_output, title};
pub(crate) use sample::{Known, pattern};
