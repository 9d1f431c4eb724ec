//! The outside world as the program sees it: standard streams, what they are connected to, the environment.
//!
//! Nothing else in this program reads the environment or opens a standard stream.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ColorChoice;
use periplus_render::style::Theme;

/// Columns where the width is not known.
const DEFAULT_WIDTH: usize = 100;

/// The outside world.
pub struct Io {
    /// Where answers to questions come from; `None` when nobody can be asked.
    pub answers: Option<Box<dyn BufRead + Send>>,
    /// Where results go.
    pub stdout: Stream,
    /// Where progress and messages go.
    pub stderr: Stream,
    /// The environment. Variables that are no UTF-8 are not in it.
    pub env: BTreeMap<String, String>,
}

/// A standard stream that may be shared by several writers.
#[derive(Clone)]
pub struct Stream {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    terminal: bool,
    theme: Theme,
}

impl Stream {
    /// A stream that is no terminal.
    pub fn piped(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(Box::new(writer))), terminal: false, theme: Theme::plain() }
    }

    fn standard(writer: impl Write + Send + 'static, terminal: bool) -> Self {
        Self { terminal, ..Self::piped(writer) }
    }

    /// How text may look here.
    pub(crate) const fn theme(&self) -> Theme {
        self.theme
    }

    /// Whether a person watches.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Io {
    /// The process's own streams and environment.
    #[must_use]
    pub fn process() -> Self {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let asks = stdin.is_terminal() && stderr.is_terminal();
        Self {
            answers: asks.then(|| Box::new(io::BufReader::new(stdin)) as Box<dyn BufRead + Send>),
            stdout: Stream::standard(stdout, io::stdout().is_terminal()),
            stderr: Stream::standard(stderr, io::stderr().is_terminal()),
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Writes a message for people. Where standard error cannot be written there is nobody left to tell.
    pub(crate) fn message(&mut self, text: &str) {
        drop(self.stderr.write_all(text.as_bytes()));
    }

    /// Decides how each stream may look: `--color`, else `NO_COLOR`, else whether it is a terminal.
    pub(crate) fn choose_colour(&mut self, choice: ColorChoice) {
        let forbidden = self.var("NO_COLOR").is_some() || self.var("TERM") == Some("dumb");
        let unicode = self.unicode();
        let width = terminal_size::terminal_size().map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0));
        for stream in [&mut self.stdout, &mut self.stderr] {
            let colour = match choice {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => stream.terminal && !forbidden,
            };
            stream.theme = Theme::new(colour, unicode, if stream.terminal { width } else { DEFAULT_WIDTH });
        }
    }

    /// Whether the locale has more than ASCII. Where none is set, as in many containers, UTF-8 is the better guess.
    fn unicode(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| self.var(name));
        locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }
}
