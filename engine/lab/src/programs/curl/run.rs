//! The program: one transfer after the other, retries, messages and the exit code.
//!
//! Invariant: `-s` silences meter and message, `-S` brings the message back.

use super::args::{self, Refused};
use super::body::{self, Body};
use super::connect::Pool;
use super::error::{
    COULDNT_CONNECT, COULDNT_RESOLVE_HOST, COULDNT_RESOLVE_PROXY, Failure, HTTP_RETURNED_ERROR, OPERATION_TIMEDOUT,
    PEER_FAILED_VERIFICATION, READ_ERROR, WRITE_ERROR,
};
use super::glob::Pattern;
use super::meter::{Meter, Progress, Style};
use super::options::{Config, Output, Upload};
use super::release::Release;
use super::sink::Sink;
use super::tls::NAME_MISMATCH;
use super::trace::Trace;
use super::transfer::{FORM, Info, Transfer, watch};
use super::url::Url;
use super::write_out::{self, Facts};
use crate::fs::{OpenOptions, file_name};
use crate::process::{Exit, Fd, Process};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// From how many bytes on a server is asked whether it wants them.
const EXPECT_FROM: usize = 1 << 20;

/// How many columns of a terminal that it does not see curl writes a warning into.
const COLUMNS: usize = 78;

/// `curl [OPTION...] URL...`
pub(in super::super) async fn main(process: Process) -> Exit {
    let release = Release::of(process.image.curl_version());
    let mut configs = match args::parse(&process).await {
        Ok(configs) => configs,
        Err(refused) => return refuse(&process, refused).await,
    };
    if configs.iter().any(|config| config.version) {
        return Exit::not_simulated("curl --version");
    }
    if configs.iter().all(|config| config.urls.is_empty()) {
        let text = release.pick("no URL specified!", "(2) no URL specified");
        return refuse(&process, args::usage(text)).await;
    }
    let mut pool = Pool::default();
    let mut code = 0;
    let mut number = 0;
    for config in &mut configs {
        trust_from_environment(&process, config);
        let err = match &config.stderr {
            Some(path) if path != "-" => match process.open(path, OpenOptions::writing()) {
                Ok(file) => file,
                Err(_) => process.stderr(),
            },
            Some(_) => process.stdout(),
            None => process.stderr(),
        };
        let mut session = Session { process: &process, config, release, pool: &mut pool, err, number: &mut number };
        match session.all().await {
            Ok(exit) => code = exit,
            Err(exit) => return exit,
        }
        if code != 0 && config.fail_early {
            break;
        }
    }
    Exit::Code(code)
}

/// Authorities that a variable names take the place of the image's own.
fn trust_from_environment(process: &Process, config: &mut Config) {
    if config.cacert.is_none() && !config.insecure {
        config.cacert = process.var("SSL_CERT_FILE").or_else(|| process.var("CURL_CA_BUNDLE")).map(str::to_owned);
        // The bundle that the image brings is the one that holds the pod's authorities.
        config
            .cacert
            .take_if(|path| process.image.env().iter().any(|(name, value)| name == "CURL_CA_BUNDLE" && value == path));
    }
}

async fn refuse(process: &Process, refused: Refused) -> Exit {
    const HINT: &str = "curl: try 'curl --help' or 'curl --manual' for more information\n";
    match refused {
        Refused::NotSimulated(what) => Exit::NotSimulated(what),
        Refused::Hint => {
            process.warn(HINT).await;
            Exit::Code(2)
        }
        Refused::Usage(text, code) => {
            process.warn(format!("curl: {text}\n{HINT}")).await;
            Exit::Code(code)
        }
        Refused::Warned(text, silent) => {
            if !silent {
                process.warn(warning(&text)).await;
            }
            Exit::Code(2)
        }
    }
}

/// A warning, broken into lines as curl breaks it: behind a blank, before the last column.
fn warning(text: &str) -> String {
    const PREFIX: &str = "Warning: ";
    let width = COLUMNS - PREFIX.len();
    let mut lines = String::new();
    let mut rest = text;
    while rest.len() > width {
        let end = rest.as_bytes()[..width].iter().rposition(|&byte| byte == b' ').filter(|at| *at > 0);
        let end = end.map_or(width, |at| at + 1);
        let Some((line, more)) = rest.split_at_checked(end) else { break };
        lines.push_str(&format!("{PREFIX}{line}\n"));
        rest = more;
    }
    lines + PREFIX + rest + "\n"
}

struct Session<'a> {
    process: &'a Process,
    config: &'a Config,
    release: Release,
    pool: &'a mut Pool,
    err: Fd,
    /// How many URLs have been fetched.
    number: &'a mut u64,
}

/// A URL of the command line with what belongs to it.
struct Job<'a> {
    url: String,
    file: Option<String>,
    upload: Option<&'a Upload>,
}

/// How one attempt went.
struct Attempt {
    failure: Option<(u8, String)>,
    info: Info,
    progress: Progress,
}

impl Session<'_> {
    /// Fetches all URLs of the configuration; gives the code of the last one.
    async fn all(&mut self) -> Result<u8, Exit> {
        let config = self.config;
        let mut code = 0;
        for (index, text) in config.urls.iter().enumerate() {
            let pattern = if config.glob_off { Ok(Pattern::plain(text)) } else { Pattern::parse(text) };
            let pattern = match pattern {
                Ok(pattern) => pattern,
                Err(Failure::NotSimulated(what)) => return Err(Exit::NotSimulated(what)),
                Err(Failure::Curl { code: failed, text }) => {
                    self.message(failed, &text).await;
                    return Ok(failed);
                }
            };
            for turn in 0..pattern.count() {
                let (url, values) = pattern.at(turn);
                let output = match config.outputs.get(index) {
                    Some(output) => output,
                    None if config.remote_name_all => &Output::RemoteName,
                    None => &Output::Stdout,
                };
                let file = match output {
                    Output::Stdout => None,
                    Output::File(path) => Some(filled(path, &values)),
                    Output::RemoteName => match self.remote_name(&url).await {
                        Some(name) => Some(name),
                        None => {
                            code = WRITE_ERROR;
                            continue;
                        }
                    },
                };
                code = self.fetch(&Job { url, file, upload: config.uploads.get(index) }).await?;
                *self.number += 1;
                if code != 0 && config.fail_early {
                    return Ok(code);
                }
            }
        }
        Ok(code)
    }

    /// The file's name that a URL ends with; `None` after a message if there is none.
    async fn remote_name(&self, url: &str) -> Option<String> {
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let name = path.split_once('/').and_then(|(_, path)| path.rsplit('/').next()).filter(|name| !name.is_empty());
        match (name, self.release) {
            (Some(name), _) => Some(name.to_owned()),
            (None, Release::V8) => {
                if !self.config.silent {
                    self.say(&warning("No remote filename, uses \"curl_response\"")).await;
                }
                Some("curl_response".to_owned())
            }
            (None, Release::V7) => {
                if !self.config.silent {
                    self.say("curl: Remote file name has no length!\n").await;
                }
                self.message(WRITE_ERROR, "Failed writing received data to disk/application").await;
                None
            }
        }
    }

    /// Fetches one URL, trying again as often as asked. Gives curl's code; an `Err` ends the program at once.
    async fn fetch(&mut self, job: &Job<'_>) -> Result<u8, Exit> {
        let config = self.config;
        let started = Instant::now();
        let mut delay = config.retry_delay.unwrap_or(Duration::from_secs(1));
        let mut left = config.retry;
        let shown = !config.silent && !config.no_meter;
        // A body on a terminal would be torn apart by the meter, so there is none.
        let on_terminal = job.file.is_none() && self.process.stdout().is_terminal();
        let style = if config.bar { Style::Bar } else { Style::Table };
        let meter = Meter::new((shown && !on_terminal).then(|| self.err.clone()), style);
        loop {
            meter.again();
            let attempt = self.attempt(job, &meter).await?;
            let (code, text) = attempt.failure.clone().unwrap_or_default();
            if code != 0 {
                self.message(code, &text).await;
            }
            let in_time = config.retry_max_time.is_none_or(|max| started.elapsed() < max);
            let Some(why) = self.transient(&attempt).filter(|_| left > 0 && in_time) else {
                self.write_out(job, &attempt, config.retry - left).await?;
                return Ok(code);
            };
            if !config.silent {
                let seconds = delay.as_secs();
                let (second, retry) = match self.release {
                    Release::V7 => ("seconds", "retries"),
                    Release::V8 => {
                        (if seconds == 1 { "second" } else { "seconds" }, if left == 1 { "retry" } else { "retries" })
                    }
                };
                let text = format!("Problem {why}. Will retry in {seconds} {second}. {left} {retry} left.");
                self.say(&warning(&text)).await;
            }
            left -= 1;
            tokio::time::sleep(delay).await;
            if config.retry_delay.is_none() {
                delay = (delay * 2).min(Duration::from_secs(600));
            }
        }
    }

    /// Why it is worth trying again, in curl's words.
    fn transient(&self, attempt: &Attempt) -> Option<&'static str> {
        match &attempt.failure {
            Some((OPERATION_TIMEDOUT | COULDNT_RESOLVE_HOST | COULDNT_RESOLVE_PROXY, _)) => Some(": timeout"),
            Some((COULDNT_CONNECT, _)) if self.config.retry_refused => Some(": connection refused"),
            None | Some((HTTP_RETURNED_ERROR, _))
                if matches!(attempt.info.status, 408 | 429 | 500 | 502 | 503 | 504) =>
            {
                Some(": HTTP error")
            }
            Some(_) if self.config.retry_all => Some("(retrying all errors)"),
            _ => None,
        }
    }

    async fn attempt(&mut self, job: &Job<'_>, meter: &Meter) -> Result<Attempt, Exit> {
        let started = Instant::now();
        let mut info = Info { file: job.file.clone(), ..Info::default() };
        let progress = Mutex::new(Progress::default());
        let mut failure = None;
        match self.run(job, started, meter, &mut info, &progress).await {
            Ok(()) => {}
            Err(Failure::NotSimulated(what)) => return Err(Exit::NotSimulated(what)),
            Err(Failure::Curl { code, text }) => failure = Some((code, self.release.message(code, text))),
        }
        info.total = started.elapsed();
        let progress = *progress.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Attempt { failure, info, progress })
    }

    async fn run(
        &mut self,
        job: &Job<'_>,
        started: Instant,
        meter: &Meter,
        info: &mut Info,
        progress: &Mutex<Progress>,
    ) -> Result<(), Failure> {
        let config = self.config;
        let mut url = Url::parse_as(&job.url, config.default_scheme.as_deref().unwrap_or("http"), config.path_as_is)?;
        let body = self.body(job, &mut url).await?;
        let dump = match config.dump_header.as_deref() {
            None => None,
            Some("-") => Some(self.process.stdout()),
            Some(path) => Some(
                self.process
                    .open(path, OpenOptions::writing())
                    .map_err(|_| Failure::new(WRITE_ERROR, "Failure writing output to destination"))?,
            ),
        };
        let sink = Sink::new(self.process, config, job.file.clone(), self.err.clone());
        info.file.clone_from(&sink.path);
        let trace = Trace::new(config.verbose.then(|| self.err.clone()), !sink.is_terminal());
        let method = config.first_method(job.upload.is_some());
        let mut transfer = Transfer {
            process: self.process,
            config,
            version: self.process.image.curl_version(),
            release: self.release,
            pool: self.pool,
            sink,
            dump,
            trace: &trace,
            meter,
            started,
            info: info.clone(),
            progress,
            open: None,
        };
        let outcome = tokio::select! {
            biased;
            outcome = transfer.perform(url, method, body) => outcome,
            () = limit(config.max_time) => Err(Failure::new(OPERATION_TIMEDOUT, String::new())),
            () = watch(meter, progress, started) => Ok(()),
        };
        *info = transfer.info.clone();
        let outcome = outcome.map_err(|failure| timed_out(failure, info, progress, started));
        match &outcome {
            Ok(()) => transfer.sink.finish().await,
            Err(Failure::Curl { code, text }) if meter.has_begun() => {
                failed(&transfer, *code, text).await;
            }
            Err(_) => {}
        }
        outcome
    }

    /// What is sent; a query that options add goes into the URL.
    async fn body(&self, job: &Job<'_>, url: &mut Url) -> Result<Option<Body>, Failure> {
        let config = self.config;
        let query =
            config.data.as_deref().filter(|_| config.get).map(|data| String::from_utf8_lossy(data).into_owned());
        for query in query.into_iter().chain(config.queries.iter().cloned()) {
            let sign = if url.path.contains('?') { '&' } else { '?' };
            url.path.push(sign);
            url.path.push_str(&query);
        }
        if let Some(upload) = job.upload {
            return self.upload(upload, url).await.map(Some);
        }
        if !config.form.is_empty() {
            return body::multipart(&config.form, self.release).map(Some);
        }
        Ok(config.data.as_ref().filter(|_| !config.get).map(|data| Body {
            expect: data.len() > EXPECT_FROM,
            bytes: data.clone(),
            kind: Some(FORM.to_owned()),
            chunked: false,
        }))
    }

    async fn upload(&self, upload: &Upload, url: &mut Url) -> Result<Body, Failure> {
        match upload {
            Upload::Stream(bytes) => Ok(Body { bytes: bytes.clone(), kind: None, chunked: true, expect: true }),
            Upload::File(path) => {
                let Ok(bytes) = self.process.fs.read(&self.process.path(path)) else {
                    let text = self.release.pick(format!("Can't open '{path}'!"), format!("cannot open '{path}'"));
                    let hint = "curl: try 'curl --help' or 'curl --manual' for more information";
                    self.say(&format!("curl: {text}\n{hint}\n")).await;
                    return Err(Failure::new(READ_ERROR, "Failed to open/read local data from file/application"));
                };
                if url.path.ends_with('/') {
                    url.path.push_str(file_name(path));
                }
                let expect = self.release == Release::V7 || bytes.len() > EXPECT_FROM;
                Ok(Body { bytes, kind: None, chunked: false, expect })
            }
        }
    }

    async fn say(&self, text: &str) {
        // Nobody may be reading, which stops nothing.
        self.err.write_all(text.as_bytes()).await.ok();
    }

    /// Prints the message of a failure.
    async fn message(&self, code: u8, text: &str) {
        if self.config.silent && !self.config.show_error {
            return;
        }
        self.say(&format!("curl: ({code}) {text}\n")).await;
        if code == PEER_FAILED_VERIFICATION {
            let page = self.release.pick("web page", "webpage");
            self.say(&format!(
                "More details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the \
                 server and therefore could not\nestablish a secure connection to it. To learn more about this situation \
                 and\nhow to fix it, please visit the {page} mentioned above.\n"
            ))
            .await;
        }
    }

    /// Prints what `-w` asks for.
    async fn write_out(&self, job: &Job<'_>, attempt: &Attempt, retries: u32) -> Result<(), Exit> {
        let Some(format) = &self.config.write_out else { return Ok(()) };
        let (exit, error) = attempt.failure.clone().unwrap_or_default();
        let facts = Facts {
            info: &attempt.info,
            progress: attempt.progress,
            exit,
            error: &error,
            url: &job.url,
            number: *self.number,
            retries,
            referer: self.config.referer.as_deref(),
            release: self.release,
        };
        let text = match write_out::render(format, &facts) {
            Ok(text) => text,
            Err(Failure::NotSimulated(what)) => return Err(Exit::NotSimulated(what)),
            Err(Failure::Curl { code, .. }) => return Err(Exit::Code(code)),
        };
        self.say(&text.stderr).await;
        // What cannot be printed any more is lost without a complaint.
        self.process.stdout().write_all(text.stdout.as_bytes()).await.ok();
        Ok(())
    }
}

/// A file's name with `#1`, `#2`, … filled in by what a pattern stood for.
fn filled(path: &str, values: &[String]) -> String {
    values
        .iter()
        .enumerate()
        .rev()
        .fold(path.to_owned(), |path, (index, value)| path.replace(&format!("#{}", index + 1), value))
}

/// What `-v` and the meter say at the end of a transfer that went wrong.
async fn failed(transfer: &Transfer<'_>, code: u8, text: &str) {
    // A status that counts as a failure was told among the header lines.
    if code != HTTP_RETURNED_ERROR {
        transfer.trace.note(&transfer.release.message(code, text.to_owned())).await;
    }
    // A transfer that fails before it connects leaves its first line open.
    if !matches!(code, COULDNT_RESOLVE_HOST | COULDNT_RESOLVE_PROXY) {
        let now = *transfer.progress.lock().unwrap_or_else(PoisonError::into_inner);
        transfer.meter.finish(now, transfer.started.elapsed()).await;
    }
    let redirects_over = code == super::error::TOO_MANY_REDIRECTS;
    if !redirects_over && (code != HTTP_RETURNED_ERROR || transfer.open.is_some()) {
        let (number, secure) = transfer.open.unwrap_or((transfer.pool.number(), false));
        transfer.trace.note(&transfer.release.closing(number, true)).await;
        // A certificate for another name is found out behind the handshake.
        let secure = secure || transfer.info.ssl_verify_result == NAME_MISMATCH;
        if secure && transfer.release == Release::V7 && code != super::error::RECV_ERROR {
            transfer.goodbye().await;
        }
    }
}

async fn limit(max: Option<Duration>) {
    match max {
        Some(max) if !max.is_zero() => tokio::time::sleep(max).await,
        _ => std::future::pending().await,
    }
}

/// Gives a failure by `-m` its text, which depends on how far the transfer came.
fn timed_out(failure: Failure, info: &Info, progress: &Mutex<Progress>, started: Instant) -> Failure {
    match failure {
        Failure::Curl { code: OPERATION_TIMEDOUT, text } if text.is_empty() => {
            let after = started.elapsed().as_millis();
            let text = if info.name_lookup.is_none() {
                format!("Resolving timed out after {after} milliseconds")
            } else if info.pre_transfer.is_none() {
                format!("Connection timed out after {after} milliseconds")
            } else {
                let now = *progress.lock().unwrap_or_else(PoisonError::into_inner);
                let received = now.received;
                match now.expected {
                    Some(expected) => {
                        format!(
                            "Operation timed out after {after} milliseconds with {received} out of {expected} bytes received"
                        )
                    }
                    None => format!("Operation timed out after {after} milliseconds with {received} bytes received"),
                }
            };
            Failure::new(OPERATION_TIMEDOUT, text)
        }
        failure => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn warnings_are_broken_as_curl_breaks_them() {
        let recorded = "Warning: Problem : connection refused. Will retry in 1 seconds. 1 retries \nWarning: left.\n";
        assert_eq!(warning("Problem : connection refused. Will retry in 1 seconds. 1 retries left."), recorded);
        let recorded = "Warning: Problem : timeout. Will retry in 1 seconds. 1 retries left.\n";
        assert_eq!(warning("Problem : timeout. Will retry in 1 seconds. 1 retries left."), recorded);
    }
}
