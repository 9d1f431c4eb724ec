//! The command line.
//!
//! Invariant: an option that is accepted has its effect, or truly has none in the lab (such as TCP keep-alive).

use super::error::Failure;
use super::table::{self, OPTIONS};
use std::time::Duration;

/// Where a body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    File(String),
    /// `-O`: a file named as the last part of the path.
    RemoteName,
}

/// How an HTTP status of 400 or more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fail {
    Never,
    WithoutBody,
    WithBody,
}

/// Everything that was asked for.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own in curl")]
pub(super) struct Config {
    pub(super) urls: Vec<String>,
    pub(super) outputs: Vec<Output>,
    pub(super) method: Option<String>,
    pub(super) head: bool,
    pub(super) get: bool,
    pub(super) data: Option<String>,
    pub(super) json: bool,
    pub(super) headers: Vec<String>,
    pub(super) proxy_headers: Vec<String>,
    pub(super) user_agent: Option<String>,
    pub(super) referer: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) range: Option<String>,
    pub(super) user: Option<String>,
    pub(super) compressed: bool,
    pub(super) http10: bool,
    pub(super) include: bool,
    pub(super) location: bool,
    pub(super) max_redirects: Option<u32>,
    pub(super) fail: Fail,
    pub(super) fail_early: bool,
    pub(super) silent: bool,
    pub(super) show_error: bool,
    pub(super) no_meter: bool,
    pub(super) verbose: bool,
    pub(super) insecure: bool,
    pub(super) cacert: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) proxy_user: Option<String>,
    pub(super) proxy_tunnel: bool,
    pub(super) suppress_connect_headers: bool,
    pub(super) noproxy: Option<String>,
    pub(super) resolve: Vec<String>,
    pub(super) connect_to: Vec<String>,
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) max_time: Option<Duration>,
    pub(super) retry: u32,
    pub(super) retry_delay: Option<Duration>,
    pub(super) retry_max_time: Option<Duration>,
    pub(super) retry_refused: bool,
    pub(super) retry_all: bool,
    pub(super) write_out: Option<String>,
    pub(super) dump_header: Option<String>,
    pub(super) version: bool,
}

/// A command line that curl refuses: what it prints, and the exit code 2.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Usage(String),
    NotSimulated(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            outputs: Vec::new(),
            method: None,
            head: false,
            get: false,
            data: None,
            json: false,
            headers: Vec::new(),
            proxy_headers: Vec::new(),
            user_agent: None,
            referer: None,
            cookie: None,
            range: None,
            user: None,
            compressed: false,
            http10: false,
            include: false,
            location: false,
            max_redirects: Some(50),
            fail: Fail::Never,
            fail_early: false,
            silent: false,
            show_error: false,
            no_meter: false,
            verbose: false,
            insecure: false,
            cacert: None,
            proxy: None,
            proxy_user: None,
            proxy_tunnel: false,
            suppress_connect_headers: false,
            noproxy: None,
            resolve: Vec::new(),
            connect_to: Vec::new(),
            ipv4: false,
            ipv6: false,
            connect_timeout: None,
            max_time: None,
            retry: 0,
            retry_delay: None,
            retry_max_time: None,
            retry_refused: false,
            retry_all: false,
            write_out: None,
            dump_header: None,
            version: false,
        }
    }
}

impl Config {
    /// Reads the arguments. `read` gives the content of a file, or of standard input for `-`.
    pub(super) fn parse(args: &[String]) -> Result<Self, Refused> {
        let mut config = Self::default();
        let mut rest = args.iter();
        let mut only_urls = false;
        while let Some(arg) = rest.next() {
            if only_urls || !arg.starts_with('-') || arg == "-" {
                config.urls.push(arg.clone());
                continue;
            }
            if arg == "--" {
                only_urls = true;
                continue;
            }
            if let Some(word) = arg.strip_prefix("--") {
                let (name, letter, takes_value) = long(word, arg)?;
                let value = if takes_value { next(&mut rest, arg)? } else { String::new() };
                config.set(name, letter, value, on(word, name), arg)?;
                continue;
            }
            let mut letters = arg[1..].chars();
            while let Some(letter) = letters.next() {
                let Some(&(name, _, takes_value)) = OPTIONS.iter().find(|(_, known, _)| *known == letter) else {
                    return Err(if table::lacks_letter(letter) {
                        Refused::NotSimulated(format!("curl -{letter}"))
                    } else {
                        unknown(arg)
                    });
                };
                if takes_value {
                    let glued = letters.as_str().to_owned();
                    let value = if glued.is_empty() { next(&mut rest, arg)? } else { glued };
                    config.set(name, letter, value, true, arg)?;
                    break;
                }
                config.set(name, letter, String::new(), true, arg)?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, _letter: char, value: String, on: bool, arg: &str) -> Result<(), Refused> {
        match name {
            "cacert" => self.cacert = Some(value),
            "compressed" => self.compressed = on,
            "connect-timeout" => self.connect_timeout = Some(seconds(&value, arg)?),
            "connect-to" => self.connect_to.push(value),
            "cookie" if value.contains('=') => self.cookie = Some(value),
            "cookie" => return Err(Refused::NotSimulated("curl with a cookie file".to_owned())),
            "data" | "data-ascii" | "data-binary" | "json" if value.starts_with('@') => {
                return Err(Refused::NotSimulated(format!("curl {arg} {value}")));
            }
            "data" | "data-ascii" | "data-binary" | "data-raw" | "json" => {
                let separator = if name == "json" { "" } else { "&" };
                self.json |= name == "json";
                self.data = Some(match self.data.take() {
                    Some(data) => format!("{data}{separator}{value}"),
                    None => value,
                });
            }
            "dump-header" => self.dump_header = Some(value),
            "fail" => self.fail = if on { Fail::WithoutBody } else { Fail::Never },
            "fail-early" => self.fail_early = on,
            "fail-with-body" => self.fail = if on { Fail::WithBody } else { Fail::Never },
            "get" => self.get = on,
            "head" => self.head = on,
            "header" if value.starts_with('@') => return Err(Refused::NotSimulated(format!("curl {arg} {value}"))),
            "header" => self.headers.push(value),
            "http1.0" => self.http10 = true,
            "http1.1" | "http2" => self.http10 = false,
            "include" | "show-headers" => self.include = on,
            "insecure" => self.insecure = on,
            "ipv4" => (self.ipv4, self.ipv6) = (true, false),
            "ipv6" => (self.ipv4, self.ipv6) = (false, true),
            "location" => self.location = on,
            "max-redirs" => self.max_redirects = if value == "-1" { None } else { Some(number(&value, arg)?) },
            "max-time" => self.max_time = Some(seconds(&value, arg)?),
            "no-progress-meter" => self.no_meter = on,
            "noproxy" => self.noproxy = Some(value),
            "output" if value == "-" => self.outputs.push(Output::Stdout),
            "output" => self.outputs.push(Output::File(value)),
            "proxy" => self.proxy = Some(value),
            "proxy-header" => self.proxy_headers.push(value),
            "proxy-user" => self.proxy_user = Some(value),
            "proxytunnel" => self.proxy_tunnel = on,
            "range" => self.range = Some(value),
            "referer" => self.referer = Some(value),
            "remote-name" => self.outputs.push(Output::RemoteName),
            "request" => self.method = Some(value),
            "resolve" => self.resolve.push(value),
            "retry" => self.retry = number(&value, arg)?,
            "retry-all-errors" => self.retry_all = on,
            "retry-connrefused" => self.retry_refused = on,
            "retry-delay" => self.retry_delay = Some(seconds(&value, arg)?),
            "retry-max-time" => self.retry_max_time = Some(seconds(&value, arg)?),
            "show-error" => self.show_error = on,
            "silent" => self.silent = on,
            "suppress-connect-headers" => self.suppress_connect_headers = on,
            "url" => self.urls.push(value),
            "user" => self.user = Some(value),
            "user-agent" => self.user_agent = Some(value),
            "verbose" => self.verbose = on,
            "version" => self.version = on,
            "write-out" if value.starts_with('@') => return Err(Refused::NotSimulated(format!("curl {arg} {value}"))),
            "write-out" => self.write_out = Some(value),
            // No effect on what a pod in the lab can see: there are no packets, no start-up files, no globs and no buffers.
            "disable" | "globoff" | "keepalive-time" | "no-alpn" | "no-buffer" | "no-keepalive" | "tcp-nodelay"
            | "tlsv1.2" => {}
            _ => return Err(Refused::NotSimulated(format!("curl --{name}"))),
        }
        Ok(())
    }

    /// The method of the first request.
    pub(super) fn first_method(&self) -> String {
        match &self.method {
            Some(method) => method.clone(),
            None if self.head => "HEAD".to_owned(),
            None if self.data.is_some() && !self.get => "POST".to_owned(),
            None => "GET".to_owned(),
        }
    }
}

/// Finds a long option, by itself, by a unique beginning, or after `no-`.
fn long(word: &str, arg: &str) -> Result<(&'static str, char, bool), Refused> {
    if let Some(&found) = OPTIONS.iter().find(|(name, ..)| *name == word) {
        return Ok(found);
    }
    if table::lacks(word) {
        return Err(Refused::NotSimulated(format!("curl --{word}")));
    }
    let positive = word.strip_prefix("no-").unwrap_or(word);
    match OPTIONS.iter().find(|(name, _, takes_value)| *name == positive && !takes_value) {
        Some(&found) => Ok(found),
        None if table::lacks(positive) => Err(Refused::NotSimulated(format!("curl --{word}"))),
        None => Err(unknown(arg)),
    }
}

fn on(word: &str, name: &str) -> bool {
    word == name || !word.starts_with("no-")
}

fn unknown(arg: &str) -> Refused {
    Refused::Usage(format!("option {arg}: is unknown"))
}

fn next(rest: &mut std::slice::Iter<'_, String>, arg: &str) -> Result<String, Refused> {
    rest.next().cloned().ok_or_else(|| Refused::Usage(format!("option {arg}: requires parameter")))
}

fn number(text: &str, arg: &str) -> Result<u32, Refused> {
    text.parse().map_err(|_| Refused::Usage(format!("option {arg}: expected a proper numerical parameter")))
}

fn seconds(text: &str, arg: &str) -> Result<Duration, Refused> {
    let bad = || Refused::Usage(format!("option {arg}: expected a proper numerical parameter"));
    let seconds: f64 = text.parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| bad())
}

/// A part of an option such as `--resolve HOST:PORT:ADDRESS` that cannot be read.
pub(super) fn malformed(option: &str, value: &str) -> Failure {
    Failure::NotSimulated(format!("curl {option} {value}"))
}

#[cfg(test)]
mod tests {
    use super::{Config, Fail, Output, Refused};

    fn parse(line: &str) -> Result<Config, Refused> {
        Config::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn letters_may_be_combined_and_values_glued() {
        let config = parse("-sSkLo /dev/null -m5 -w%{http_code} --connect-timeout 2.5 -fH A:b http://x").unwrap();
        assert!(config.silent && config.show_error && config.insecure && config.location);
        assert_eq!(config.outputs, [Output::File("/dev/null".to_owned())]);
        assert_eq!(config.max_time.unwrap().as_secs(), 5);
        assert_eq!(config.write_out.as_deref(), Some("%{http_code}"));
        assert_eq!(config.connect_timeout.unwrap().as_millis(), 2500);
        assert_eq!((config.fail, config.headers.as_slice()), (Fail::WithoutBody, &["A:b".to_owned()][..]));
        assert_eq!(config.urls, ["http://x"]);
        assert_eq!(parse("-d a=1 -d b=2 x").unwrap().data.as_deref(), Some("a=1&b=2"));
        assert!(!parse("--silent --no-silent x").unwrap().silent);
    }

    #[test]
    fn unknown_options_are_told_from_those_the_lab_lacks() {
        assert_eq!(parse("--frob x").unwrap_err(), Refused::Usage("option --frob: is unknown".to_owned()));
        assert_eq!(parse("-m").unwrap_err(), Refused::Usage("option -m: requires parameter".to_owned()));
        assert_eq!(parse("--http3 x").unwrap_err(), Refused::NotSimulated("curl --http3".to_owned()));
        assert_eq!(parse("-F a=b x").unwrap_err(), Refused::NotSimulated("curl -F".to_owned()));
    }
}
