//! What the program promises, one file a promise. Tests start the built binary, as a user does; `architecture` reads the
//! sources.

mod support;

mod architecture;
mod cli;
mod docs;
mod documents;
mod explain;
mod import;
mod kubectl;
mod readme;
mod reference;
mod rehearsal;
mod rehearsal_verbs;
mod round_trip;
mod run;
mod runbooks;
mod targets;
