//! What the options say.
//!
//! Invariant: an option that is accepted has its effect, or truly has none in the lab (such as TCP keep-alive).

use super::args::{Refused, usage};
use super::body::FormPart;
use super::error::Failure;
use super::tls::Versions;
use std::time::Duration;

/// Where a body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    File(String),
    /// `-O`: a file named as the last part of the path.
    RemoteName,
}

/// What `-T` sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    File(String),
    /// Standard input, whose length nobody knows beforehand.
    Stream(Vec<u8>),
}

/// How an HTTP status of 400 or more is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fail {
    #[default]
    Never,
    WithoutBody,
    WithBody,
}

/// Which schemes may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schemes {
    pub(super) http: bool,
    pub(super) https: bool,
}

impl Default for Schemes {
    fn default() -> Self {
        Self { http: true, https: true }
    }
}

impl Schemes {
    /// Reads `=https,-http,all`: a list whose items add, take away or, with `=`, replace.
    fn read(mut self, text: &str) -> Self {
        for item in text.split(',') {
            let (way, name) = match item.chars().next() {
                Some(way @ ('+' | '-' | '=')) => (way, &item[1..]),
                _ => ('+', item),
            };
            if way == '=' {
                self = Self { http: false, https: false };
            }
            let on = way != '-';
            match name {
                "all" => self = Self { http: on, https: on },
                "http" => self.http = on,
                "https" => self.https = on,
                _ => {}
            }
        }
        self
    }
}

/// Everything that was asked for.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own in curl")]
pub(super) struct Config {
    pub(super) urls: Vec<String>,
    pub(super) outputs: Vec<Output>,
    pub(super) uploads: Vec<Upload>,
    pub(super) output_dir: Option<String>,
    pub(super) create_dirs: bool,
    pub(super) remote_name_all: bool,
    pub(super) remote_header_name: bool,
    pub(super) glob_off: bool,
    pub(super) path_as_is: bool,
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    pub(super) head: bool,
    pub(super) get: bool,
    pub(super) data: Option<Vec<u8>>,
    pub(super) json: bool,
    pub(super) form: Vec<FormPart>,
    pub(super) queries: Vec<String>,
    pub(super) headers: Vec<String>,
    pub(super) proxy_headers: Vec<String>,
    pub(super) user_agent: Option<String>,
    pub(super) referer: Option<String>,
    pub(super) cookies: Vec<String>,
    pub(super) range: Option<String>,
    pub(super) user: Option<String>,
    pub(super) bearer: Option<String>,
    pub(super) compressed: bool,
    pub(super) http10: bool,
    pub(super) http11: bool,
    pub(super) http2: bool,
    pub(super) include: bool,
    pub(super) location: bool,
    pub(super) location_trusted: bool,
    pub(super) keep_post: [bool; 3],
    /// `None` is no limit.
    pub(super) max_redirects: Redirects,
    pub(super) schemes: Schemes,
    pub(super) redirect_schemes: Schemes,
    pub(super) default_scheme: Option<String>,
    pub(super) max_file_size: Option<u64>,
    pub(super) fail: Fail,
    pub(super) fail_early: bool,
    pub(super) silent: bool,
    pub(super) show_error: bool,
    pub(super) no_meter: bool,
    pub(super) bar: bool,
    pub(super) stderr: Option<String>,
    pub(super) verbose: bool,
    pub(super) insecure: bool,
    pub(super) cacert: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) tls: Versions,
    pub(super) proxy: Option<String>,
    pub(super) proxy_user: Option<String>,
    pub(super) proxy_tunnel: bool,
    pub(super) proxy10: bool,
    pub(super) proxy_insecure: bool,
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

/// How many redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Redirects(pub(super) Option<u32>);

impl Default for Redirects {
    fn default() -> Self {
        Self(Some(50))
    }
}

impl Config {
    /// Adds a piece of a body; pieces of a form are joined by `&`, those of JSON by nothing.
    pub(super) fn add_data(&mut self, json: bool, piece: Vec<u8>) {
        self.json |= json;
        self.data = Some(match self.data.take() {
            Some(data) if json => [data, piece].concat(),
            Some(data) => [data.as_slice(), b"&", &piece].concat(),
            None => piece,
        });
    }

    /// Takes over what is said once for all parts of a command line.
    pub(super) fn share(&mut self, other: &Self) {
        self.silent = other.silent;
        self.show_error = other.show_error;
        self.no_meter = other.no_meter;
        self.bar = other.bar;
        self.verbose = other.verbose;
        self.fail_early = other.fail_early;
        self.stderr.clone_from(&other.stderr);
    }

    pub(super) fn set(&mut self, name: &str, value: String, on: bool, arg: &str) -> Result<(), Refused> {
        match name {
            "cacert" => self.cacert = Some(value),
            "cert" => self.cert = Some(value),
            "cert-type" | "key-type" if value.eq_ignore_ascii_case("PEM") => {}
            "compressed" => self.compressed = on,
            "connect-timeout" => self.connect_timeout = Some(seconds(&value, arg)?),
            "connect-to" => self.connect_to.push(value),
            "cookie" if value.contains('=') => self.cookies.push(value),
            "cookie" => return Err(Refused::NotSimulated("curl with a cookie file".to_owned())),
            "create-dirs" => self.create_dirs = on,
            "dump-header" => self.dump_header = Some(value),
            "fail" | "fail-with-body" => self.fail = self.failing(name, on, arg)?,
            "fail-early" => self.fail_early = on,
            "get" => self.get = on,
            "globoff" => self.glob_off = on,
            "head" => self.head = on,
            "header" => self.headers.push(value),
            "http1.0" => (self.http10, self.http11, self.http2) = (true, false, false),
            "http1.1" => (self.http10, self.http11, self.http2) = (false, true, false),
            "http2" => (self.http10, self.http11, self.http2) = (false, false, true),
            "include" | "show-headers" => self.include = on,
            "insecure" => self.insecure = on,
            "ipv4" => (self.ipv4, self.ipv6) = (true, false),
            "ipv6" => (self.ipv4, self.ipv6) = (false, true),
            "key" => self.key = Some(value),
            "location" => self.location = on,
            "location-trusted" => (self.location, self.location_trusted) = (on, on),
            "max-filesize" => self.max_file_size = Some(u64::from(number(&value, arg)?)),
            "max-redirs" if value == "-1" => self.max_redirects = Redirects(None),
            "max-redirs" => self.max_redirects = Redirects(Some(number(&value, arg)?)),
            "max-time" => self.max_time = Some(seconds(&value, arg)?),
            "no-progress-meter" => self.no_meter = on,
            "noproxy" => self.noproxy = Some(value),
            "oauth2-bearer" => self.bearer = Some(value),
            "output" if value == "-" => self.outputs.push(Output::Stdout),
            "output" => self.outputs.push(Output::File(value)),
            "output-dir" => self.output_dir = Some(value),
            "path-as-is" => self.path_as_is = on,
            "post301" => self.keep_post[0] = on,
            "post302" => self.keep_post[1] = on,
            "post303" => self.keep_post[2] = on,
            "progress-bar" => self.bar = on,
            "proto" => self.schemes = self.schemes.read(&value),
            "proto-default" => self.default_scheme = Some(value),
            "proto-redir" => self.redirect_schemes = self.redirect_schemes.read(&value),
            "proxy" => (self.proxy, self.proxy10) = (Some(value), false),
            "proxy1.0" => (self.proxy, self.proxy10) = (Some(value), true),
            "proxy-header" => self.proxy_headers.push(value),
            "proxy-insecure" => self.proxy_insecure = on,
            "proxy-user" => self.proxy_user = Some(value),
            "proxytunnel" => self.proxy_tunnel = on,
            "range" => self.range = Some(value),
            "referer" => self.referer = Some(value),
            "remote-header-name" => self.remote_header_name = on,
            "remote-name-all" => self.remote_name_all = on,
            "request" => self.method = Some(value),
            "request-target" => self.target = Some(value),
            "resolve" => self.resolve.push(value),
            "retry" => self.retry = number(&value, arg)?,
            "retry-all-errors" => self.retry_all = on,
            "retry-connrefused" => self.retry_refused = on,
            "retry-delay" => self.retry_delay = Some(seconds(&value, arg)?),
            "retry-max-time" => self.retry_max_time = Some(seconds(&value, arg)?),
            "show-error" => self.show_error = on,
            "silent" => self.silent = on,
            "stderr" => self.stderr = Some(value),
            "suppress-connect-headers" => self.suppress_connect_headers = on,
            "tls-max" if value == "1.2" => self.tls.no_13 = true,
            "tls-max" if matches!(value.as_str(), "1.3" | "default") => {}
            "tlsv1.3" => self.tls.no_12 = true,
            "url" => self.urls.push(value),
            "user" => self.user = Some(value),
            "user-agent" => self.user_agent = Some(value),
            "verbose" => self.verbose = on,
            "version" => self.version = on,
            "write-out" => self.write_out = Some(value),
            // No effect on what a pod in the lab can see: there are no packets, no terminals with colours and no buffers, plain
            // passwords are the default, and every server has TLS 1.2.
            "basic"
            | "capath"
            | "disable"
            | "happy-eyeballs-timeout-ms"
            | "keepalive-time"
            | "no-alpn"
            | "no-buffer"
            | "no-keepalive"
            | "pass"
            | "proxy-basic"
            | "styled-output"
            | "tcp-nodelay"
            | "tlsv1"
            | "tlsv1.0"
            | "tlsv1.1"
            | "tlsv1.2" => {}
            _ => return Err(Refused::NotSimulated(format!("curl {arg} {value}").trim_end().to_owned())),
        }
        Ok(())
    }

    fn failing(&self, name: &str, on: bool, arg: &str) -> Result<Fail, Refused> {
        let wanted = if name == "fail" { Fail::WithoutBody } else { Fail::WithBody };
        match (on, self.fail) {
            (false, _) => Ok(Fail::Never),
            (true, set) if set == Fail::Never || set == wanted => Ok(wanted),
            (true, _) => Err(usage(&format!("option {arg}: is badly used here"))),
        }
    }

    /// What holds once all options of a part are known.
    ///
    /// # Errors
    /// Options that exclude each other.
    pub(super) fn settle(&mut self) -> Result<(), Refused> {
        let post = self.data.is_some() && !self.get;
        let (put, form) = (!self.uploads.is_empty(), !self.form.is_empty());
        let (post_name, head_name) = ("POST (-d, --data)", "HEAD (-I, --head)");
        let (put_name, form_name) = ("PUT (-T, --upload-file)", "multipart formpost (-F, --form)");
        let both = match () {
            () if put && post => Some((put_name, post_name)),
            () if put && self.head => Some((put_name, head_name)),
            () if post && form => Some((post_name, form_name)),
            () if post && self.head => Some((post_name, head_name)),
            () if form && self.head => Some((form_name, head_name)),
            () => None,
        };
        if let Some((one, other)) = both {
            let text = format!("You can only select one HTTP request method! You asked for both {one} and {other}.");
            return Err(Refused::Warned(text, self.silent));
        }
        if self.json {
            for (name, value) in [("Content-Type", "application/json"), ("Accept", "application/json")] {
                let named =
                    |line: &String| line.split_once(':').is_some_and(|(key, _)| key.trim().eq_ignore_ascii_case(name));
                if !self.headers.iter().any(named) {
                    self.headers.push(format!("{name}: {value}"));
                }
            }
        }
        Ok(())
    }

    /// The method of the first request.
    pub(super) fn first_method(&self, uploads: bool) -> String {
        match &self.method {
            Some(method) => method.clone(),
            None if self.head => "HEAD".to_owned(),
            None if uploads => "PUT".to_owned(),
            None if !self.form.is_empty() || self.data.is_some() && !self.get => "POST".to_owned(),
            None => "GET".to_owned(),
        }
    }
}

fn number(text: &str, arg: &str) -> Result<u32, Refused> {
    text.parse().map_err(|_| usage(&format!("option {arg}: expected a {} numerical parameter", kind(text))))
}

fn seconds(text: &str, arg: &str) -> Result<Duration, Refused> {
    let bad = || usage(&format!("option {arg}: expected a {} numerical parameter", kind(text)));
    let seconds: f64 = text.parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| bad())
}

/// What a number lacks.
fn kind(text: &str) -> &'static str {
    if text.starts_with('-') && text[1..].parse::<f64>().is_ok() { "positive" } else { "proper" }
}

/// A part of an option such as `--resolve HOST:PORT:ADDRESS` that cannot be read.
pub(super) fn malformed(option: &str, value: &str) -> Failure {
    Failure::NotSimulated(format!("curl {option} {value}"))
}

#[cfg(test)]
mod tests {
    use super::Schemes;

    #[test]
    fn schemes_are_added_taken_away_and_replaced() {
        for (text, http, https) in [
            ("=https", false, true),
            ("-http", false, true),
            ("-all,https", false, true),
            ("=http,https", true, true),
            ("ftp", true, true),
        ] {
            assert_eq!(Schemes::default().read(text), Schemes { http, https }, "{text}");
        }
    }
}
