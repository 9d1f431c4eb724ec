//! Error pages.
//!
//! Invariant: title, cause and footer are those that clients look for; the rest is our own, but a page is exactly as long as Squid's own English page about the same thing, for its length
//! stands in the access log and in `Content-Length`. The lengths were measured on a Squid 5.7; of 3.5.27 two were recorded, and the
//! others are taken to differ from those of 5.7 as its page about denied access does.

use super::reply::{Refusal, Version};
use std::net::IpAddr;

/// How much longer the page of 3.5.27 about denied access is.
const OLDER_IS_LONGER: usize = 404;

/// What a page is about.
pub(super) struct Subject<'a> {
    pub(super) refusal: Refusal,
    /// The value of `X-Squid-Error`.
    pub(super) error: &'a str,
    /// What was asked for, as [`shown_url`] has it.
    pub(super) url: &'a str,
    /// The host that was asked for.
    pub(super) host: &'a str,
    pub(super) server: Option<IpAddr>,
    pub(super) tunnel: bool,
    pub(super) version: Version,
    pub(super) hostname: &'a str,
    /// What the proxy calls itself.
    pub(super) name: &'static str,
    /// When it was made.
    pub(super) date: &'a str,
}

/// What a page and the access lists call the aim of a request. A tunnel to port 443 is taken for HTTPS by the newer version.
pub(super) fn shown_url(target: &str, tunnel: bool, version: Version) -> String {
    match target.strip_suffix(":443") {
        Some(host) if tunnel && version == Version::V5 && !host.is_empty() => format!("https://{host}/*"),
        _ => target.to_owned(),
    }
}

impl Subject<'_> {
    /// The page.
    pub(super) fn page(&self) -> String {
        let url = self.url.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let name = self.error.split(' ').next().unwrap_or(self.error);
        let heading = match self.refusal {
            Refusal::Unauthenticated => "Cache Access Denied.",
            _ => "The requested URL could not be retrieved",
        };
        let system = match self.refusal {
            Refusal::Unreachable(errno) => Some(system_error(errno)),
            Refusal::Reset => Some(system_error(104)),
            _ => None,
        };
        let system = system
            .map(|text| format!("<p id=\"sysmsg\">The system returned: <i>{text}</i></p>\n\n"))
            .unwrap_or_default();
        let mut page = format!(
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n\
             <title>ERROR: {heading}</title>\n</head><body id={name}>\n<div id=\"titles\">\n<h1>ERROR</h1>\n<h2>{heading}</h2>\n\
             </div>\n<hr>\n\n<div id=\"content\">\n<p>The following error was encountered while trying to retrieve the URL: \
             <a href=\"{url}\">{url}</a></p>\n\n<blockquote id=\"error\">\n<p><b>{cause}</b></p>\n</blockquote>\n\n{system}\
             </div>\n\n<hr>\n<div id=\"footer\">\n<p>Generated {date} by {hostname} ({version})</p>\n<!-- {name} -->\n</div>\n\
             </body></html>\n",
            cause = self.cause(),
            date = self.date,
            hostname = self.hostname,
            version = self.name,
        );
        const OPEN: &str = "<!-- ";
        const CLOSE: &str = "-->\n";
        let missing = self.length().saturating_sub(page.len() + OPEN.len() + CLOSE.len());
        page.push_str(OPEN);
        page.extend(std::iter::repeat_n(' ', missing));
        page.push_str(CLOSE);
        page
    }

    /// What went wrong, in Squid's words.
    fn cause(&self) -> String {
        match self.refusal {
            Refusal::Denied => "Access Denied.".to_owned(),
            Refusal::Unauthenticated => "Cache Access Denied.".to_owned(),
            Refusal::UnknownHost if self.version == Version::V3 => {
                format!("Unable to determine IP address from host name <q>{}</q>", self.host)
            }
            Refusal::UnknownHost if self.tunnel => "Unable to forward this request at this time.".to_owned(),
            Refusal::UnknownHost | Refusal::Reset => "Read Error".to_owned(),
            Refusal::Unreachable(_) => {
                let server = self.server.map_or_else(|| self.host.to_owned(), |ip| ip.to_string());
                format!("Connection to {server} failed.")
            }
            Refusal::NoAnswer => "Zero Sized Reply".to_owned(),
            Refusal::Invalid => "Invalid URL".to_owned(),
            Refusal::Unreadable => "Unsupported Protocol".to_owned(),
        }
    }

    /// The length of Squid's own page in bytes.
    fn length(&self) -> usize {
        let url = self.url.len();
        let older = self.version == Version::V3;
        let fixed = match self.refusal {
            Refusal::Denied => 3016 + 2 * url,
            Refusal::Unauthenticated => 2998 + 3 * url,
            Refusal::UnknownHost if older => 3263 + 2 * url + self.host.len(),
            Refusal::UnknownHost if self.tunnel => 3337 + 2 * url,
            Refusal::UnknownHost => 3006 + 2 * url,
            Refusal::Unreachable(errno) => {
                let server = self.server.map_or(0, |ip| ip.to_string().len());
                2991 + 2 * url + server + system_error(errno).len()
            }
            Refusal::Reset => 2996 + 2 * url + system_error(104).len(),
            Refusal::Unreadable => 3023,
            Refusal::NoAnswer => 2922 + 2 * url,
            Refusal::Invalid => 3206 + 2 * url,
        };
        fixed + self.hostname.len() + self.name.len() - self.version.name().len()
            + if older { OLDER_IS_LONGER } else { 0 }
    }
}

/// A system error as the page tells it.
fn system_error(errno: u8) -> String {
    let text = match errno {
        104 => "Connection reset by peer",
        110 => "Connection timed out",
        111 => "Connection refused",
        113 => "No route to host",
        _ => "Unknown error",
    };
    format!("({errno}) {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_the_real_one() {
        let ip = Some(IpAddr::from([198, 51, 100, 50]));
        let (v3, v5) = (Version::V3, Version::V5);
        // Content-Length as real Squids sent it; those of 3.5.27 follow from the bytes in its log.
        for (version, refusal, target, tunnel, host, hostname, length) in [
            (v5, Refusal::Denied, "http://en.wikipedia.org/", false, "en.wikipedia.org", "localhost", 3073),
            (v5, Refusal::Denied, "http://en.wikipedia.org/", false, "en.wikipedia.org", "proxy.corp.example", 3082),
            (v5, Refusal::Denied, "en.wikipedia.org:443", true, "en.wikipedia.org", "localhost", 3077),
            (v5, Refusal::Denied, "en.wikipedia.org:8443", true, "en.wikipedia.org", "localhost", 3067),
            (v3, Refusal::Denied, "en.wikipedia.org:8443", true, "en.wikipedia.org", "localhost", 3471),
            (v5, Refusal::Unauthenticated, "en.wikipedia.org:443", true, "en.wikipedia.org", "localhost", 3085),
            (v5, Refusal::Unauthenticated, "http://httpbin.org/headers", false, "httpbin.org", "localhost", 3085),
            (
                v5,
                Refusal::Unreachable(111),
                "http://edition.cnn.com:81/ok",
                false,
                "edition.cnn.com",
                "localhost",
                3093,
            ),
            (v5, Refusal::Unreachable(111), "edition.cnn.com:9998", true, "edition.cnn.com", "localhost", 3077),
            (v5, Refusal::UnknownHost, "http://nosuch.invalid/ok", false, "nosuch.invalid", "localhost", 3063),
            (v5, Refusal::UnknownHost, "nosuch.invalid:443", true, "nosuch.invalid", "localhost", 3394),
            (v5, Refusal::UnknownHost, "no-such-host.invalid:443", true, "no-such-host.invalid", "localhost", 3406),
            (v3, Refusal::UnknownHost, "no-such-host.invalid:443", true, "no-such-host.invalid", "localhost", 3744),
            (v5, Refusal::NoAnswer, "http://edition.cnn.com:9999/ok", false, "edition.cnn.com", "localhost", 2991),
            (v5, Refusal::Invalid, "/abc", false, "", "localhost", 3223),
            (v5, Refusal::Invalid, "http://httpbin.org:99999/", false, "", "localhost", 3265),
            (v5, Refusal::Reset, "http://en.wikipedia.org:81/", false, "en.wikipedia.org", "localhost", 3089),
            (v5, Refusal::Unreadable, "error:invalid-request", false, "", "localhost", 3032),
        ] {
            let (_, error) = refusal.status(version, tunnel);
            let url = shown_url(target, tunnel, version);
            let server = ip.filter(|_| matches!(refusal, Refusal::Unreachable(_)));
            let subject = Subject {
                refusal,
                error: &error,
                url: &url,
                host,
                server,
                tunnel,
                version,
                hostname,
                name: version.name(),
                date: "Thu, 26 Nov 2026 01:12:23 GMT",
            };
            assert_eq!(subject.page().len(), length, "{error} for {target} by {}", version.name());
        }
    }
}
