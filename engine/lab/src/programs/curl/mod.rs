//! `curl` over the pod's network: HTTP/1.x, TLS, proxies, with curl's own exit codes and words.
//!
//! Invariant: every byte goes through the pod's `NetNs`, so a sidecar sees what it would see in life.

mod args;
mod body;
mod connect;
mod error;
mod glob;
mod handshake;
mod meter;
mod options;
mod proxy;
#[cfg(test)]
mod recorded;
mod release;
mod request;
mod response;
mod run;
mod sink;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod transfer;
mod url;
mod write_out;

pub(super) use run::main;
