//! The Squid proxy, versions 3.5.27 and 5.7, as far as a plain forward proxy without cache goes.
//!
//! Invariant: what stands in `access.log` and what clients get was recorded from real Squids; a directive, a scheme or a
//! cacheable answer that the lab does not handle ends as not simulated.

mod acl;
mod auth;
mod conf;
mod forward;
mod log;
mod page;
mod program;
mod reply;
mod serve;

#[cfg(test)]
mod tests;

pub use program::main;
