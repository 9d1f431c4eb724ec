//! Hosts outside the cluster, as a world declares them.
//!
//! Invariant: what is not written has a default that answers like a small, healthy web site.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A host that pods can reach and that is no part of the cluster: an item of `hosts:` in a world.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostSpec {
    /// Its name in the DNS, such as `en.wikipedia.org`.
    pub name: String,
    /// Further names of the same host. Default: none.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its address.
    pub address: IpAddr,
    /// What answers on which port; every other port is [`PortSpec::Closed`].
    #[serde(default)]
    pub ports: BTreeMap<u16, PortSpec>,
}

impl HostSpec {
    /// All names of the host, its own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// What happens to a connection to one port of a host.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortSpec {
    /// A web site in plain HTTP/1.1.
    Http(SiteSpec),
    /// A web site in HTTP/1.1 over TLS.
    Https(SiteSpec),
    /// The connection is refused.
    Closed,
    /// The connection is accepted and then reset.
    Reset,
    /// Packets to this port vanish: the client's own time-out decides.
    Blackhole,
    /// The connection is accepted and nothing is ever answered.
    Silent,
}

/// A web site.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SiteSpec {
    /// The certificate that it shows, on an `https` port. Default: valid.
    #[serde(default)]
    pub certificate: Certificate,
    /// The site's own certificate and key, instead of one that the lab makes.
    pub identity: Option<SiteIdentity>,
    /// Whom clients' certificates must come from, as PEM. Default: clients need none.
    pub client_ca: Option<String>,
    /// Pages by path (`/wiki/Main_Page`), without the query. A site without pages answers every path with a default page whose title is the
    /// host's name; a site with pages answers every other path with 404.
    #[serde(default)]
    pub pages: BTreeMap<String, PageSpec>,
}

/// The certificate of an `https` port.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// For the host's names, signed by the authority that pods trust.
    #[default]
    Valid,
    /// As `valid`, but it ended the day before the lab's first day.
    Expired,
    /// As `valid`, but it begins ten years later.
    NotYetValid,
    /// Signed by the trusted authority, for another name.
    WrongName,
    /// Signed by itself.
    SelfSigned,
    /// Signed by an authority that no pod trusts.
    Untrusted,
    /// Made by a TLS-inspecting proxy: signed by the proxy's own authority, which no pod trusts and which is sent along.
    Inspected,
}

/// A certificate with its key, as PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteIdentity {
    /// The certificate, with those between it and its authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// One page of a site.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PageSpec {
    /// The HTTP status. Default: 200.
    pub status: Option<u16>,
    /// Headers beside `Content-Type` and `Content-Length`, which may be overridden here.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The title of a generated HTML page. Ignored if there is a `body`. Default: the host's name.
    pub title: Option<String>,
    /// The body, as it stands.
    pub body: Option<String>,
    /// The length of the body in bytes: a generated page is filled up to it. Default: as long as the text is.
    pub size: Option<usize>,
    /// Answers with something of the request instead of a text.
    pub echo: Option<Echo>,
    /// How long the site thinks before it answers, in milliseconds. Default: 0.
    #[serde(default)]
    pub delay_ms: u64,
    /// Ends the connection after this many bytes of the body. Default: never.
    pub cut_after: Option<usize>,
}

/// What an echoing page answers with.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Echo {
    /// The request's headers as JSON, in the form of `httpbin.org/headers`.
    Headers,
}
