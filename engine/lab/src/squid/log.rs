//! The native access log: one line when a transaction has ended.
//!
//! Invariant: time and duration are the lab's; the format is Squid's, the same in both versions.

use jiff::Timestamp;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// When it ended.
    pub(super) end: Timestamp,
    pub(super) elapsed: Duration,
    pub(super) client: IpAddr,
    /// Squid's own result, such as `TCP_TUNNEL`.
    pub(super) result: &'a str,
    pub(super) status: u16,
    /// Bytes to the client, heads included.
    pub(super) bytes: u64,
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    /// The name that the client gave, if it was asked for one.
    pub(super) user: Option<&'a str>,
    /// The server that was connected to.
    pub(super) server: Option<IpAddr>,
    pub(super) content_type: Option<&'a str>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.end.as_second(), self.end.subsec_millisecond());
        write!(f, "{seconds:9}.{millis:03} {:6} {} ", self.elapsed.as_millis(), self.client)?;
        write!(f, "{}/{:03} {} {} {} ", self.result, self.status, self.bytes, self.method, self.url)?;
        write!(f, "{} ", self.user.unwrap_or("-"))?;
        match self.server {
            Some(server) => write!(f, "HIER_DIRECT/{server} ")?,
            None => f.write_str("HIER_NONE/- ")?,
        }
        writeln!(f, "{}", self.content_type.unwrap_or("-"))
    }
}
