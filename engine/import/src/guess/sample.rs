//! From output that a page shows to a pattern: what differs each time becomes a token, the rest stays.
//!
//! Values that the page names itself stay as their names. Invariant: the pattern takes the sample it was made from, as
//! far as no name stands in it.

use std::sync::LazyLock;

use periplus_core::expect::Pattern;
use regex::Regex;

/// A value that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// What the page shows.
    pub(crate) value: String,
    /// What stands for it: `{{NAME}}`.
    pub(crate) template: String,
}

/// The first port that Linux gives to clients.
const EPHEMERAL: u16 = 32_768;

/// Texts that differ each time, in the order in which they are looked for, with their token.
static VOLATILE: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    [
        ("[timestamp]", r"\d{4}[-/]\d{2}[-/]\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:[Zz]|[+-]\d{2}:?\d{2})?"),
        ("[timestamp]", r"\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2}(?: [+-]\d{4})?"),
        ("[timestamp]", r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [A-Z]{1,5}"),
        ("[uuid]", r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
        ("[hash]", r"sha256:[0-9a-f]{7,64}"),
        ("[hash]", r"[0-9a-f]{16,128}"),
        ("[addr]", r"(?:\d{1,3}\.){3}\d{1,3}:\d{1,5}"),
        ("[ip]", r"(?:\d{1,3}\.){3}\d{1,3}"),
        ("[number]", r"\d{10}\.\d{3}"),
    ]
    .map(|(token, text)| (token, Regex::new(&format!("^(?:{text})")).expect("a pattern")))
    .into()
});
/// The two generated parts behind a Deployment's name, or the one behind a DaemonSet's.
static POD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^-([bcdfghjklmnpqrstvwxz2456789]{8,10}|[0-9a-f]{8,10})-([bcdfghjklmnpqrstvwxz2456789]{5})")
        .expect("a pattern")
});
static DURATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:\d+(?:\.\d+)?(?:ms|us|ns|s|m|h|d))+").expect("a pattern"));
static INT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d+").expect("a pattern"));
static HTTP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)HTTP/[0-9.]+ $").expect("a pattern"));
static CLUSTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:outbound|inbound)\|$").expect("a pattern"));
static AGENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^curl/[^"\s]+"#).expect("a pattern"));
/// Istio's text format: time, request, code, flags, and what follows them.
static ENVOY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\[[0-9]{4}-[^\]]+\] "[^"]*" [0-9]+ [A-Z,-]+ (?P<rest>.*)$"#).expect("a pattern"));

/// Whether a line is one of a log: it says when something happened.
pub(crate) fn is_log(line: &str) -> bool {
    let start = line.trim_start().trim_start_matches('[');
    VOLATILE.iter().any(|(token, regex)| matches!(*token, "[timestamp]" | "[number]") && regex.is_match(start))
        || VOLATILE
            .iter()
            .take(3)
            .any(|(_, regex)| line.match_indices('[').any(|(at, _)| regex.is_match(&line[at + 1..])))
}

/// The pattern of some lines of output.
pub(crate) fn pattern(sample: &str, known: &[Known]) -> String {
    sample.lines().map(|line| one(line.trim_end(), known)).collect::<Vec<_>>().join("\n")
}

fn one(line: &str, known: &[Known]) -> String {
    if line.trim() == "..." {
        return line.to_owned();
    }
    let log = is_log(line);
    // Older versions of Istio write fewer fields behind the flags, and none at the end.
    let rest = ENVOY.captures(line).and_then(|found| found.name("rest"));
    let old = rest.filter(|rest| rest.as_str().starts_with(|c: char| c.is_ascii_digit()));
    let mut out = String::new();
    let mut at = 0;
    while at < line.len() {
        if old.is_some_and(|rest| rest.start() == at) {
            // The flags themselves are a dash, as are the fields that came later.
            if out.ends_with("- ") {
                out.pop();
            }
            out.push_str("[..] ");
        }
        let rest = &line[at..];
        let (length, text) = next(rest, &line[..at], &out, log, known);
        out.push_str(&text);
        at += length;
    }
    if old.is_some() {
        out.push_str("[..]");
    }
    out
}

/// What the rest of a line starts with: its length, and what stands for it.
fn next(rest: &str, before: &str, out: &str, log: bool, known: &[Known]) -> (usize, String) {
    let after_word = before.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let ends = |length: usize| !rest[length..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if !after_word {
        let named = known.iter().filter(|known| rest.starts_with(&known.value) && ends(known.value.len()));
        if let Some(known) = named.max_by_key(|known| known.value.len()) {
            return (known.value.len(), known.template.clone());
        }
        for (token, regex) in VOLATILE.iter() {
            if let Some(found) = regex.find(rest).filter(|found| ends(found.end())) {
                return (found.end(), (*token).to_owned());
            }
        }
        if let Some(found) = AGENT.find(rest) {
            return (found.end(), "curl/[..]".to_owned());
        }
        let blank_before = before.is_empty() || before.ends_with([' ', '\t', '"', '=', '(']);
        let blank_after =
            |length: usize| rest[length..].is_empty() || rest[length..].starts_with([' ', '\t', '"', ',', ')']);
        if let Some(found) = DURATION.find(rest).filter(|found| blank_before && blank_after(found.end())) {
            return (found.end(), "[duration]".to_owned());
        }
        if let Some(found) = INT.find(rest) {
            // A client's port behind an address that has a name.
            let port = found.as_str().parse::<u16>().is_ok_and(|port| port >= EPHEMERAL);
            if log && out.ends_with("}}:") && port && ends(found.end()) {
                return (found.end(), "[port]".to_owned());
            }
            if CLUSTER.is_match(before) && ends(found.end()) {
                return (found.end(), "[port]".to_owned());
            }
            // A status says what happened; all other numbers of a log differ from line to line.
            // A zero may say that there was no answer; behind another number it is one more count.
            let nothing = found.as_str() == "0" && !out.ends_with("0 ") && !out.ends_with("[int] ");
            let status = HTTP.is_match(before) || is_status(before, out) || nothing;
            if log && !status && blank_before && blank_after(found.end()) {
                return (found.end(), "[int]".to_owned());
            }
            return (found.end(), found.as_str().to_owned());
        }
    }
    if let Some(found) = POD.captures(rest).filter(|found| ends(found[0].len())) {
        return (found[0].len(), "-[hash]-[hash]".to_owned());
    }
    let c = rest.chars().next().unwrap_or_default();
    let text = match c {
        '[' => bracket(rest),
        '{' if rest.starts_with("{{") => return (2, "\\{{".to_owned()),
        '\\' if rest.starts_with("\\{{") => return (3, "[..]".to_owned()),
        c => c.to_string(),
    };
    (c.len_utf8(), text)
}

/// Whether the number behind `before` is the status in an access log of Envoy: right behind the request.
fn is_status(before: &str, out: &str) -> bool {
    out.starts_with("[[timestamp]] \"") && before.ends_with("\" ") && before.matches('"').count() == 2
}

/// A bracket, escaped where it would be read as a token.
fn bracket(rest: &str) -> String {
    let inside = rest[1..].find([']', '[', '\n', '{']).filter(|end| rest.as_bytes()[1 + end] == b']');
    let meant = inside.map(|end| &rest[..end + 2]);
    let read = meant.is_some_and(|text| match Pattern::parse(text) {
        Ok((pattern, warnings)) => {
            let plain = Pattern::parse(&Pattern::escape(text)).is_ok_and(|(escaped, _)| escaped == pattern);
            !warnings.is_empty() || !plain
        }
        Err(_) => true,
    });
    if read { "\\[".to_owned() } else { "[".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(line: &str) -> String {
        pattern(line, &[])
    }

    #[test]
    fn an_old_access_log_of_envoy_also_takes_new_ones() {
        assert_eq!(
            made(
                r#"[2018-12-07T10:38:02.841Z] "- - -" 0 - 702 87599 92 - "-" "-" "-" "-" "172.30.109.95:3128" outbound|3128||my-company-proxy.com 172.30.230.52:44478 172.30.109.95:3128 172.30.230.52:44476 -"#
            ),
            r#"[[timestamp]] "- - -" 0 -[..] [int] [int] [int] - "-" "-" "-" "-" "[addr]" outbound|[port]||my-company-proxy.com [addr] [addr] [addr] -[..]"#
        );
    }

    #[test]
    fn a_new_access_log_of_envoy_keeps_what_says_what_happened() {
        assert_eq!(
            made(
                r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 - default"#
            ),
            r#"[[timestamp]] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 [int] [int] [int] "-" "curl/[..]" "[uuid]" "httpbin:8000" "[addr]" inbound|[port]|| [addr] [addr] - default"#
        );
    }

    #[test]
    fn squid_and_tables_of_kubectl() {
        assert_eq!(
            made(
                "1544160065.248    228 172.30.109.89 TCP_TUNNEL/200 87633 CONNECT en.wikipedia.org:443 - HIER_DIRECT/91.198.174.192 -"
            ),
            "[number]    [int] [ip] TCP_TUNNEL/200 [int] CONNECT en.wikipedia.org:443 - HIER_DIRECT/[ip] -"
        );
        assert_eq!(
            made("sleep-569f444cf4-pq7m4   2/2   Running   0   36s"),
            "sleep-[hash]-[hash]   2/2   Running   0   [duration]"
        );
    }

    #[test]
    fn output_that_is_no_log_keeps_its_numbers() {
        assert_eq!(made("HTTP/1.1 200 OK"), "HTTP/1.1 200 OK");
        assert_eq!(made("3 items of 10"), "3 items of 10");
        assert_eq!(
            made("<title>Wikipedia, the free encyclopedia</title>"),
            "<title>Wikipedia, the free encyclopedia</title>"
        );
    }

    #[test]
    fn named_values_stay_and_brackets_are_escaped_where_they_would_be_read() {
        let known = [Known { value: "3128".to_owned(), template: "{{PORT}}".to_owned() }];
        assert_eq!(pattern("to 10.0.0.1 and 3128, not 31280", &known), "to [ip] and {{PORT}}, not 31280");
        let known = [Known { value: "10.0.0.1".to_owned(), template: "{{POD_IP}}".to_owned() }];
        let line = "2026-01-01T00:00:00Z 10.0.0.1:41422 10.0.0.1:3128 - 10.0.0.2:443";
        assert_eq!(pattern(line, &known), "[timestamp] {{POD_IP}}:[port] {{POD_IP}}:3128 - [addr]");
        assert_eq!(made("[ip] [x] [0] {{a}}"), r"\[ip] [x] [0] \{{a}}");
    }
}
