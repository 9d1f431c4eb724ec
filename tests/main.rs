//! What the program promises, one file a promise. All tests start the built binary, as a user does.

mod support;

mod architecture;
mod cli;

