//! `-w`: what curl prints after a transfer.
//!
//! Invariant: a variable that the lab cannot tell is not simulated; one that does not exist is said to be unknown.

use super::error::Failure;
use super::meter::Progress;
use super::transfer::Info;
use std::time::Duration;

/// Variables that curl has and the lab lacks.
const LACKING: [&str; 16] = [
    "certs",
    "conn_id",
    "errormsg",
    "filename_effective",
    "ftp_entry_path",
    "header_json",
    "json",
    "num_certs",
    "num_headers",
    "num_retries",
    "proxy_used",
    "referer",
    "time_posttransfer",
    "time_queue",
    "tls_earlydata",
    "xfer_id",
];

/// What was printed to which stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Fills a format in.
pub(super) fn render(format: &str, info: &Info, progress: Progress, exit: u8, error: &str) -> Result<Text, Failure> {
    let mut text = Text::default();
    let mut to_stderr = false;
    let mut rest = format;
    let mut complaints = String::new();
    while let Some(c) = rest.chars().next() {
        let out = if to_stderr { &mut text.stderr } else { &mut text.stdout };
        if let Some(after) = rest.strip_prefix("%%") {
            out.push('%');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix("%{").and_then(|rest| rest.split_once('}')) {
            rest = after;
            match name {
                "stdout" => to_stderr = false,
                "stderr" => to_stderr = true,
                "errormsg" => out.push_str(error),
                "onerror" if exit == 0 => break,
                "onerror" => {}
                _ => match value(name, info, progress, exit) {
                    Some(value) => out.push_str(&value),
                    None if LACKING.contains(&name) || name.starts_with("url") || name.starts_with("output{") => {
                        return Err(Failure::NotSimulated(format!("curl -w %{{{name}}}")));
                    }
                    None => complaints.push_str(&format!("curl: unknown --write-out variable: '{name}'\n")),
                },
            }
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

fn value(name: &str, info: &Info, progress: Progress, exit: u8) -> Option<String> {
    let seconds = |time: Option<Duration>| {
        let time = time.unwrap_or_default();
        format!("{}.{:06}", time.as_secs(), time.subsec_micros())
    };
    let speed = |bytes: u64| {
        let micros = info.total.max(Duration::from_millis(1)).as_micros();
        (u128::from(bytes) * 1_000_000 / micros).to_string()
    };
    let ip =
        |address: Option<std::net::SocketAddr>| address.map(|address| address.ip().to_string()).unwrap_or_default();
    let port = |address: Option<std::net::SocketAddr>| address.map_or(0, |address| address.port()).to_string();
    Some(match name {
        "content_type" => info.content_type.clone().unwrap_or_default(),
        "exitcode" => exit.to_string(),
        "http_code" | "response_code" => format!("{:03}", info.status),
        "http_connect" => format!("{:03}", info.connect_status),
        "http_version" if info.http_version.is_empty() => "0".to_owned(),
        "http_version" => info.http_version.clone(),
        "local_ip" => ip(info.local),
        "local_port" => port(info.local),
        "method" => info.method.clone(),
        "num_connects" => info.connects.to_string(),
        "num_redirects" => info.redirects.to_string(),
        "proxy_ssl_verify_result" => "0".to_owned(),
        "redirect_url" => info.redirect_url.clone().unwrap_or_default(),
        "remote_ip" => ip(info.remote),
        "remote_port" => port(info.remote),
        "scheme" => info.scheme.clone(),
        "size_download" => progress.received.to_string(),
        "size_header" => info.header_bytes.to_string(),
        "size_request" => info.request_bytes.to_string(),
        "size_upload" => progress.sent.to_string(),
        "speed_download" => speed(progress.received),
        "speed_upload" => speed(progress.sent),
        "ssl_verify_result" if exit != 60 => "0".to_owned(),
        "time_appconnect" => seconds(info.app_connect),
        "time_connect" => seconds(info.connect),
        "time_namelookup" => seconds(info.name_lookup),
        "time_pretransfer" => seconds(info.pre_transfer),
        "time_redirect" => seconds(info.redirect),
        "time_starttransfer" => seconds(info.start_transfer),
        "time_total" => seconds(Some(info.total)),
        "url_effective" => info.url.clone(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Info, Progress, render};

    #[test]
    fn a_blocked_connect_prints_zeros() {
        let text = render("%{http_code}:%{http_connect} %%\\n", &Info::default(), Progress::default(), 56, "").unwrap();
        assert_eq!(text.stdout, "000:000 %\n");
    }

    #[test]
    fn variables_are_known_unknown_or_not_simulated() {
        let info = Info { status: 200, ..Info::default() };
        let text = render("%{stderr}%{http_code}%{nope}%{stdout}x", &info, Progress::default(), 0, "").unwrap();
        assert_eq!(
            (text.stdout.as_str(), text.stderr.as_str()),
            ("x", "curl: unknown --write-out variable: 'nope'\n200")
        );
        assert!(render("%{json}", &info, Progress::default(), 0, "").is_err());
    }
}
