//! Events and plans in, bytes out: how a run looks on a terminal, in a pipe, in a file.
//!
//! A reporter is given each fact and the state that the facts fold into, and writes. It opens no file, starts no task
//! or thread, asks no clock and knows no cluster; what it shows can all be shown again from a journal.
//!
//! - [`reporter::Reporter`] is what every sink implements; [`fanout::Fanout`] feeds several of them.
//! - [`text`] holds the sinks for people: [`text::line`] for pipes, [`text::progress`] for terminals,
//!   [`text::summary`] for the end of a run.
//! - [`json`] and [`junit`] are for programs.
//! - [`diag`] shows what is wrong with a runbook, [`plan`] what a run would do.
//! - [`docs`] makes the pages that people read.
//! - [`style`] is the one table of colours and glyphs, [`clean`] the one place that makes foreign text safe to show.

pub mod clean;
pub mod diag;
pub mod docs;
pub mod fanout;
pub mod history;
pub mod json;
pub mod junit;
pub mod plan;
pub mod plural;
pub mod reporter;
pub mod style;
pub mod text;
pub mod time;
