//! `curl` over the pod's network: HTTP/1.x, TLS, proxies, with curl's own exit codes and words.
//!
//! Invariant: every byte goes through the pod's `NetNs`, so a sidecar sees what it would see in life.

mod connect;
mod error;
mod meter;
mod options;
mod proxy;
mod request;
mod response;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod transfer;
mod url;
mod write_out;

pub(super) use run::main;
