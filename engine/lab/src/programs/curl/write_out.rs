//! `-w`: what curl prints after a transfer.
//!
//! Invariant: a variable that the lab cannot tell is not simulated; one that does not exist is said to be unknown.

use super::error::Failure;
use super::meter::Progress;
use super::release::Release;
use super::transfer::Info;
use super::url::Url;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Variables that curl has and the lab lacks.
const LACKING: [&str; 10] = [
    "certs",
    "conn_id",
    "ftp_entry_path",
    "json",
    "num_certs",
    "time_posttransfer",
    "time_queue",
    "tls_earlydata",
    "xfer_id",
    "output",
];

/// All that is known about a transfer.
pub(super) struct Facts<'a> {
    pub(super) info: &'a Info,
    pub(super) progress: Progress,
    pub(super) exit: u8,
    /// The message of a failure; empty if there was none.
    pub(super) error: &'a str,
    /// The URL as it was given.
    pub(super) url: &'a str,
    /// How many URLs came before.
    pub(super) number: u64,
    pub(super) retries: u32,
    pub(super) referer: Option<&'a str>,
    pub(super) release: Release,
}

/// What was printed to which stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Fills a format in.
pub(super) fn render(format: &str, facts: &Facts<'_>) -> Result<Text, Failure> {
    let mut text = Text::default();
    let mut to_stderr = false;
    let mut rest = format;
    let mut complaints = String::new();
    while let Some(c) = rest.chars().next() {
        let out = if to_stderr { &mut text.stderr } else { &mut text.stdout };
        if let Some(after) = rest.strip_prefix("%%") {
            out.push('%');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix("%header{").and_then(|rest| rest.split_once('}')) {
            rest = after;
            out.push_str(facts.info.header(name).unwrap_or_default());
        } else if let Some((name, after)) = rest.strip_prefix("%{").and_then(|rest| rest.split_once('}')) {
            rest = after;
            match name {
                "stdout" => to_stderr = false,
                "stderr" => to_stderr = true,
                "onerror" if facts.exit == 0 => break,
                "onerror" => {}
                _ => match value(name, facts) {
                    Some(value) => out.push_str(&value),
                    None if LACKING.contains(&name) => {
                        return Err(Failure::NotSimulated(format!("curl -w %{{{name}}}")));
                    }
                    None => complaints.push_str(&format!("curl: unknown --write-out variable: '{name}'\n")),
                },
            }
        } else if rest.starts_with("%output{") {
            return Err(Failure::NotSimulated("curl -w %output{}".to_owned()));
        } else if let Some(after) = rest.strip_prefix('\\') {
            let (shown, length) = match after.chars().next() {
                Some('n') => ("\n".to_owned(), 1),
                Some('r') => ("\r".to_owned(), 1),
                Some('t') => ("\t".to_owned(), 1),
                Some(other) => (format!("\\{other}"), other.len_utf8()),
                None => ("\\".to_owned(), 0),
            };
            out.push_str(&shown);
            rest = &after[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    text.stderr.insert_str(0, &complaints);
    Ok(text)
}

fn seconds(time: Option<Duration>) -> String {
    let time = time.unwrap_or_default();
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

fn value(name: &str, facts: &Facts<'_>) -> Option<String> {
    let Facts { info, progress, exit, release, .. } = facts;
    let speed = |bytes: u64| {
        let micros = info.total.max(Duration::from_millis(1)).as_micros();
        (u128::from(bytes) * 1_000_000 / micros).to_string()
    };
    let ip = |address: Option<SocketAddr>| address.map(|address| address.ip().to_string()).unwrap_or_default();
    let no_port = release.pick("0", "-1");
    let port = |address: Option<SocketAddr>| address.map_or(no_port.to_owned(), |address| address.port().to_string());
    let newer = *release == Release::V8;
    Some(match name {
        "content_type" => info.header("content-type").unwrap_or_default().to_owned(),
        "errormsg" => facts.error.to_owned(),
        "exitcode" => exit.to_string(),
        "filename_effective" => info.file.clone().unwrap_or_default(),
        "header_json" => header_json(&info.headers),
        "http_code" | "response_code" => format!("{:03}", info.status),
        "http_connect" => format!("{:03}", info.connect_status),
        "http_version" if info.http_version.is_empty() => "0".to_owned(),
        "http_version" => info.http_version.clone(),
        "local_ip" => ip(info.local),
        "local_port" => port(info.local),
        "method" => info.method.clone(),
        "num_connects" => info.connects.to_string(),
        "num_headers" => info.headers.len().to_string(),
        "num_redirects" => info.redirects.to_string(),
        "num_retries" if newer => facts.retries.to_string(),
        "proxy_ssl_verify_result" => "0".to_owned(),
        "proxy_used" if newer => u8::from(info.proxy_used).to_string(),
        "redirect_url" => info.redirect_url.clone().unwrap_or_default(),
        "referer" => facts.referer.unwrap_or_default().to_owned(),
        "remote_ip" => ip(info.remote),
        "remote_port" => port(info.remote),
        // Older releases write it in capitals, and only once a connection is there.
        "scheme" if newer => info.scheme.clone(),
        "scheme" if info.connect.is_some() => info.scheme.to_ascii_uppercase(),
        "scheme" => String::new(),
        "size_download" => progress.received.to_string(),
        "size_header" => info.header_bytes.to_string(),
        "size_request" => info.request_bytes.to_string(),
        "size_upload" => progress.sent.to_string(),
        "speed_download" => speed(progress.received),
        "speed_upload" => speed(progress.sent),
        "ssl_verify_result" => info.ssl_verify_result.to_string(),
        "time_appconnect" => seconds(info.app_connect),
        "time_connect" => seconds(info.connect),
        "time_namelookup" => seconds(info.name_lookup),
        "time_pretransfer" => seconds(info.pre_transfer),
        "time_redirect" => seconds(info.redirect),
        "time_starttransfer" => seconds(info.start_transfer),
        "time_total" => seconds(Some(info.total)),
        "url" => facts.url.to_owned(),
        "url_effective" => info.url.clone(),
        "urlnum" => facts.number.to_string(),
        _ if newer => part(name, facts)?,
        _ => return None,
    })
}

/// A part of the URL that was given (`url.host`) or of the last one that was fetched (`urle.host`).
fn part(name: &str, facts: &Facts<'_>) -> Option<String> {
    let (text, part) = match name.split_once('.')? {
        ("url", part) => (facts.url, part),
        ("urle", part) => (facts.info.url.as_str(), part),
        _ => return None,
    };
    let url = Url::parse(text).ok();
    let url = url.as_ref();
    let query = |url: &Url| url.path.split_once('?').map(|(_, query)| query.to_owned());
    let user = |at: usize| url.and_then(|url| url.user.as_deref()?.split(':').nth(at).map(str::to_owned));
    let found = match part {
        "scheme" => url.map(|url| url.scheme().to_owned()),
        "user" => user(0),
        "password" => user(1),
        "host" => url.map(Url::host_in_url),
        "port" => url.map(|url| url.port.to_string()),
        "path" => url.map(|url| url.path.split('?').next().unwrap_or_default().to_owned()),
        "query" => url.and_then(query),
        "fragment" => text.split_once('#').map(|(_, fragment)| fragment.to_owned()),
        "options" | "zoneid" => None,
        _ => return None,
    };
    Some(found.unwrap_or_default())
}

/// The header lines as JSON: a list of values for each name, in the order of their first appearance.
fn header_json(headers: &[(String, String)]) -> String {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in headers {
        let name = name.to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let line = |name: &String| {
        let values: Vec<Value> = headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| Value::String(value.clone()))
            .collect();
        format!("{}:{}", json!(name), Value::Array(values))
    };
    format!("{{{}\n}}", names.iter().map(line).collect::<Vec<_>>().join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(info: &'a Info, exit: u8) -> Facts<'a> {
        Facts {
            info,
            progress: Progress::default(),
            exit,
            error: "",
            url: "http://u:p@a:81/b?c",
            number: 0,
            retries: 0,
            referer: None,
            release: Release::V8,
        }
    }

    #[test]
    fn a_blocked_connect_prints_zeros() {
        let text = render("%{http_code}:%{http_connect} %%\\n", &facts(&Info::default(), 56)).unwrap();
        assert_eq!(text.stdout, "000:000 %\n");
    }

    #[test]
    fn variables_are_known_unknown_or_not_simulated() {
        let info = Info { status: 200, ..Info::default() };
        let text = render("%{stderr}%{http_code}%{nope}%{stdout}x", &facts(&info, 0)).unwrap();
        assert_eq!(
            (text.stdout.as_str(), text.stderr.as_str()),
            ("x", "curl: unknown --write-out variable: 'nope'\n200")
        );
        assert!(render("%{json}", &facts(&info, 0)).is_err());
        let text = render("%{url.user} %{url.host} %{url.port} %{url.path} %{url.query}", &facts(&info, 0)).unwrap();
        assert_eq!(text.stdout, "u a 81 /b c");
        let old = Facts { release: Release::V7, ..facts(&info, 0) };
        assert_eq!(render("%{url.host}", &old).unwrap().stderr, "curl: unknown --write-out variable: 'url.host'\n");
    }
}
