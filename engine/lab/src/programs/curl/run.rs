//! The program: options, one transfer after the other, retries, messages and the exit code.
//!
//! Invariant: `-s` silences meter and message, `-S` brings the message back.

use super::connect::Connection;
use super::error::{
    COULDNT_CONNECT, COULDNT_RESOLVE_HOST, Failure, OPERATION_TIMEDOUT, PEER_FAILED_VERIFICATION, WRITE_ERROR,
};
use super::meter::{Meter, Progress};
use super::options::{Config, Output, Refused};
use super::transfer::{Info, Transfer, watch};
use super::url::Url;
use super::write_out;
use crate::fs::OpenOptions;
use crate::process::{Exit, Fd, Process};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// `curl [OPTION...] URL...`
pub(in super::super) async fn main(process: Process) -> Exit {
    let mut config = match Config::parse(process.args()) {
        Ok(config) => config,
        Err(Refused::NotSimulated(what)) => return Exit::NotSimulated(what),
        Err(Refused::Usage(text)) => return usage(&process, &text).await,
    };
    if config.version {
        return Exit::not_simulated("curl --version");
    }
    if config.urls.is_empty() {
        return usage(
            &process,
            if process.image.curl_version().starts_with("7.") { "no URL specified" } else { "(2) no URL specified" },
        )
        .await;
    }
    if config.cacert.is_none() {
        config.cacert = process.var("SSL_CERT_FILE").or_else(|| process.var("CURL_CA_BUNDLE")).map(str::to_owned);
        // The bundle that the image brings is the one that holds the pod's authorities.
        config
            .cacert
            .take_if(|path| process.image.env().iter().any(|(name, value)| name == "CURL_CA_BUNDLE" && value == path));
    }
    let mut pool = None;
    let mut code = 0;
    let outputs = config.outputs.clone();
    for (index, url) in config.urls.iter().enumerate() {
        let output = outputs.get(index).unwrap_or(&Output::Stdout);
        let mut session = Session { process: &process, config: &config, pool: &mut pool };
        match session.fetch(url, output).await {
            Ok(exit) => code = exit,
            Err(exit) => return exit,
        }
        if code != 0 && config.fail_early {
            break;
        }
    }
    Exit::Code(code)
}

async fn usage(process: &Process, text: &str) -> Exit {
    process.warn(format!("curl: {text}\ncurl: try 'curl --help' or 'curl --manual' for more information\n")).await;
    Exit::Code(2)
}

struct Session<'a> {
    process: &'a Process,
    config: &'a Config,
    pool: &'a mut Option<Connection>,
}

/// How one attempt went.
struct Attempt {
    failure: Option<(u8, String)>,
    info: Info,
    progress: Progress,
}

impl Session<'_> {
    /// Fetches one URL, trying again as often as asked. Gives curl's code; an `Err` ends the program at once.
    async fn fetch(&mut self, url: &str, output: &Output) -> Result<u8, Exit> {
        let started = Instant::now();
        let mut delay = self.config.retry_delay.unwrap_or(Duration::from_secs(1));
        let mut left = self.config.retry;
        loop {
            let attempt = self.attempt(url, output).await?;
            let code = attempt.failure.as_ref().map_or(0, |failure| failure.0);
            let in_time = self.config.retry_max_time.is_none_or(|max| started.elapsed() + delay < max);
            if let Some(why) = self.transient(&attempt).filter(|_| left > 0 && in_time) {
                let seconds = delay.as_secs();
                let plural = |count: u64| if count == 1 { "" } else { "s" };
                if !self.config.silent || self.config.show_error {
                    let retries = if left == 1 { "retry" } else { "retries" };
                    self.process
                        .warn(format!(
                            "Warning: Problem: {why}. Will retry in {seconds} second{}. {left} {retries} left.\n",
                            plural(seconds)
                        ))
                        .await;
                }
                left -= 1;
                tokio::time::sleep(delay).await;
                if self.config.retry_delay.is_none() {
                    delay = (delay * 2).min(Duration::from_secs(600));
                }
                continue;
            }
            self.report(&attempt).await?;
            return Ok(code);
        }
    }

    /// Why it is worth trying again, in curl's words.
    fn transient(&self, attempt: &Attempt) -> Option<&'static str> {
        match &attempt.failure {
            Some((OPERATION_TIMEDOUT, _)) => Some("timeout"),
            Some((COULDNT_RESOLVE_HOST, _)) if self.config.retry_all => Some("(retrying all errors)"),
            Some((COULDNT_CONNECT, _)) if self.config.retry_refused => Some("connection refused"),
            Some(_) if self.config.retry_all => Some("(retrying all errors)"),
            None | Some((22, _)) if matches!(attempt.info.status, 408 | 429 | 500 | 502 | 503 | 504) => {
                Some("HTTP error")
            }
            _ => None,
        }
    }

    async fn attempt(&mut self, text: &str, output: &Output) -> Result<Attempt, Exit> {
        let started = Instant::now();
        let mut info = Info::default();
        let progress = Mutex::new(Progress::default());
        let mut failure = None;
        match self.run(text, output, started, &mut info, &progress).await {
            Ok(()) => {}
            Err(Failure::NotSimulated(what)) => return Err(Exit::NotSimulated(what)),
            Err(Failure::Curl { code, text }) => failure = Some((code, text)),
        }
        info.total = started.elapsed();
        let progress = *progress.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Attempt { failure, info, progress })
    }

    async fn run(
        &mut self,
        text: &str,
        output: &Output,
        started: Instant,
        info: &mut Info,
        progress: &Mutex<Progress>,
    ) -> Result<(), Failure> {
        let url = Url::parse(text)?;
        if text.contains(['{', '}']) || url.path.contains(['[', ']']) {
            return Err(Failure::NotSimulated(format!("curl with the URL pattern {text}")));
        }
        let out = self.output(output, &url)?;
        let dump = match self.config.dump_header.as_deref() {
            None => None,
            Some("-") => Some(self.process.stdout()),
            Some(path) => Some(self.create(path)?),
        };
        let shown = !self.config.silent && !self.config.no_meter;
        // A body on a terminal would be torn apart by the meter, so there is none.
        let on_terminal = *output == Output::Stdout && self.process.stdout().is_terminal();
        let mut meter = Meter::new((shown && !on_terminal).then(|| self.process.stderr()));
        meter.start().await;
        let mut transfer = Transfer {
            process: self.process,
            config: self.config,
            version: self.process.image.curl_version(),
            pool: self.pool,
            out,
            dump,
            started,
            info: Info::default(),
            progress,
        };
        let outcome = tokio::select! {
            biased;
            outcome = transfer.perform(url) => outcome,
            () = limit(self.config.max_time) => Err(Failure::new(OPERATION_TIMEDOUT, String::new())),
            () = watch(&meter, progress, started) => Ok(()),
        };
        *info = transfer.info.clone();
        let outcome = outcome.map_err(|failure| timed_out(failure, info, progress, started));
        if let Err(Failure::Curl { text, .. }) = &outcome {
            transfer.note(text).await;
            transfer.note("closing connection #0").await;
        }
        drop(transfer);
        let now = *progress.lock().unwrap_or_else(PoisonError::into_inner);
        // A transfer that fails before it connects leaves its first line open.
        let early = matches!(&outcome, Err(Failure::Curl { code: 5 | 6, .. }));
        if !early {
            meter.finish(now, started.elapsed()).await;
        }
        outcome
    }

    fn output(&self, output: &Output, url: &Url) -> Result<Fd, Failure> {
        match output {
            Output::Stdout => Ok(self.process.stdout()),
            Output::File(path) => self.create(path),
            Output::RemoteName => {
                let path = url.path.split('?').next().unwrap_or_default();
                match path.rsplit('/').next().filter(|name| !name.is_empty()) {
                    Some(name) => self.create(name),
                    None => Err(Failure::new(WRITE_ERROR, "Remote file name has no length!")),
                }
            }
        }
    }

    fn create(&self, path: &str) -> Result<Fd, Failure> {
        self.process
            .open(path, OpenOptions::writing())
            .map_err(|_| Failure::new(WRITE_ERROR, "Failure writing output to destination"))
    }

    /// Prints the message of a failure and what `-w` asks for.
    async fn report(&self, attempt: &Attempt) -> Result<(), Exit> {
        let (code, text) = attempt.failure.clone().unwrap_or_default();
        if code != 0 && (!self.config.silent || self.config.show_error) {
            self.process.warn(format!("curl: ({code}) {text}\n")).await;
            if code == PEER_FAILED_VERIFICATION {
                let page = if self.process.image.curl_version().starts_with("7.") { "web page" } else { "webpage" };
                let help = format!(
                    "More details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the \
                     server and therefore could not\nestablish a secure connection to it. To learn more about this situation \
                     and\nhow to fix it, please visit the {page} mentioned above.\n"
                );
                self.process.warn(help).await;
            }
        }
        if let Some(format) = &self.config.write_out {
            let text = match write_out::render(format, &attempt.info, attempt.progress, code, &text) {
                Ok(text) => text,
                Err(Failure::NotSimulated(what)) => return Err(Exit::NotSimulated(what)),
                Err(Failure::Curl { code, .. }) => return Err(Exit::Code(code)),
            };
            self.process.warn(text.stderr).await;
            // What cannot be printed any more is lost without a complaint.
            self.process.stdout().write_all(text.stdout.as_bytes()).await.ok();
        }
        Ok(())
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
            } else if info.connect.is_none() {
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
