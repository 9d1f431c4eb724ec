//! The command line and the configuration files that stand in for one.
//!
//! Invariant: an option is either carried out, told to be unknown in curl's words, or not simulated.

use super::body;
use super::options::{Config, Output, Upload};
use super::release::Release;
use super::table::{self, Known, OPTIONS};
use crate::process::Process;
use futures::future::BoxFuture;

/// How much a file or standard input may hold that an option names.
const MAX_INPUT: usize = 64 << 20;

/// How many configuration files may name one another.
const MAX_DEPTH: usize = 8;

/// A command line that curl refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Printed before the hint to `--help`; the exit code.
    Usage(String, u8),
    /// The hint alone.
    Hint,
    /// Code 2 after a warning, which `-s` silences.
    Warned(String, bool),
    NotSimulated(String),
}

/// Reads the arguments: a configuration for each part between two `--next`.
///
/// # Errors
/// What curl refuses, or the lab lacks.
pub(super) async fn parse(process: &Process) -> Result<Vec<Config>, Refused> {
    let release = Release::of(process.image.curl_version());
    let mut parser = Parser { process, release, done: Vec::new(), config: Config::default(), depth: 0 };
    let args = process.args();
    if args.first().is_none_or(|first| first != "-q" && first != "--disable") {
        parser.start_file().await?;
    }
    if args.is_empty() && parser.config.urls.is_empty() {
        return Err(Refused::Hint);
    }
    parser.walk(args).await?;
    parser.finish()
}

struct Parser<'a> {
    process: &'a Process,
    release: Release,
    done: Vec<Config>,
    config: Config,
    /// How many configuration files are open, each named by the one before.
    depth: usize,
}

impl Parser<'_> {
    fn finish(mut self) -> Result<Vec<Config>, Refused> {
        self.config.settle()?;
        for done in &mut self.done {
            done.share(&self.config);
        }
        self.done.push(self.config);
        Ok(self.done)
    }

    async fn walk(&mut self, args: &[String]) -> Result<(), Refused> {
        let mut rest = args.iter();
        let mut only_urls = false;
        while let Some(arg) = rest.next() {
            if only_urls || !arg.starts_with('-') || arg == "-" {
                if arg.is_empty() && self.release == Release::V8 {
                    return Err(usage("option : blank argument where content is expected"));
                }
                self.config.urls.push(arg.clone());
                continue;
            }
            if arg == "--" {
                only_urls = true;
                continue;
            }
            if let Some(word) = arg.strip_prefix("--") {
                let (name, takes_value, on) = self.long(word, arg)?;
                let value = if takes_value { next(&mut rest, arg)? } else { String::new() };
                self.set(name, value, on, arg).await?;
                continue;
            }
            let mut letters = arg[1..].chars();
            while let Some(letter) = letters.next() {
                let named = format!("-{letter}");
                let Some(&(name, _, takes_value)) = OPTIONS.iter().find(|(_, known, _)| *known == letter) else {
                    return Err(if table::lacks_letter(letter) {
                        Refused::NotSimulated(format!("curl -{letter}"))
                    } else {
                        usage(&format!("option {arg}: is unknown"))
                    });
                };
                if takes_value {
                    let glued = letters.as_str().to_owned();
                    let value = if glued.is_empty() { next(&mut rest, arg)? } else { glued };
                    self.set(name, value, true, &named).await?;
                    break;
                }
                self.set(name, String::new(), true, &named).await?;
            }
        }
        Ok(())
    }

    /// Finds a long option; whether it takes a value, and whether it is switched on.
    fn long(&self, word: &str, arg: &str) -> Result<(&'static str, bool, bool), Refused> {
        let by_beginning = self.release == Release::V7;
        let mut found = table::find(word, by_beginning);
        let mut on = true;
        if let (Known::No, Some(positive)) = (&found, word.strip_prefix("no-")) {
            found = table::find(positive, by_beginning);
            on = false;
        }
        match found {
            Known::Option(_, true) if !on => Err(usage(&format!("option {arg}: is unknown"))),
            Known::Option(name, takes_value) => Ok((name, takes_value, on)),
            Known::Lacking => Err(Refused::NotSimulated(format!("curl --{word}"))),
            Known::NotBuiltIn => {
                let does = self.release.pick("doesn't", "does not");
                Err(usage(&format!("option {arg}: the installed libcurl version {does} support this")))
            }
            Known::Ambiguous => Err(usage(&format!("option {arg}: is ambiguous"))),
            Known::No => Err(usage(&format!("option {arg}: is unknown"))),
        }
    }

    async fn set(&mut self, name: &'static str, value: String, on: bool, arg: &str) -> Result<(), Refused> {
        match name {
            "config" => return self.config_file(&value, arg).await,
            "next" => {
                if self.config.urls.is_empty() && self.release == Release::V8 {
                    return Err(usage(&format!("option {arg}: is badly used here")));
                }
                self.config.settle()?;
                let done = std::mem::take(&mut self.config);
                self.config.share(&done);
                self.done.push(done);
            }
            "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "json" => {
                let data = self.data(name, &value, arg).await?;
                self.config.add_data(name == "json", data);
            }
            "url-query" => {
                let data = self.data("data-urlencode", &value, arg).await?;
                self.config.queries.push(String::from_utf8_lossy(&data).into_owned());
            }
            "header" | "proxy-header" if value.starts_with('@') => {
                let text = self.read(&value[1..], arg).await?.unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let lines = text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
                let list = if name == "header" { &mut self.config.headers } else { &mut self.config.proxy_headers };
                list.extend(lines);
            }
            "write-out" if value.starts_with('@') => {
                let text = self.read(&value[1..], arg).await?.unwrap_or_default();
                self.config.write_out = Some(String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned());
            }
            "form" | "form-string" => {
                let part = body::form_part(self.process, &value, name == "form").await?;
                self.config.form.push(part);
            }
            "upload-file" => {
                let upload = match value.as_str() {
                    "-" | "." => {
                        let data = self.process.stdin().read_to_end(MAX_INPUT).await.ok().flatten();
                        Upload::Stream(data.ok_or_else(|| too_much("standard input"))?)
                    }
                    _ => Upload::File(value),
                };
                self.config.uploads.push(upload);
            }
            "user" if !value.contains(':') => {
                // There is no terminal to type a password at.
                self.process.warn(format!("Enter host password for user '{value}':\n")).await;
                self.config.user = Some(format!("{value}:"));
            }
            "remote-name" => self.config.outputs.push(Output::RemoteName),
            _ => self.config.set(name, value, on, arg).map_err(|refused| match (refused, self.release) {
                (Refused::Usage(text, code), Release::V8) => {
                    Refused::Usage(text.replace("a positive numerical", "a proper numerical"), code)
                }
                (refused, _) => refused,
            })?,
        }
        Ok(())
    }

    /// The content of a file, or of standard input for `-`; older releases go on without one that is not there.
    async fn read(&self, path: &str, arg: &str) -> Result<Option<Vec<u8>>, Refused> {
        if path == "-" {
            let data = self.process.stdin().read_to_end(MAX_INPUT).await.ok().flatten();
            return Ok(Some(data.ok_or_else(|| too_much("standard input"))?));
        }
        match self.process.fs.read(&self.process.path(path)) {
            Ok(data) => Ok(Some(data)),
            Err(_) if self.release == Release::V7 => {
                if !self.config.silent {
                    let text = if arg.starts_with("-H") || arg == "--header" {
                        format!("Warning: Failed to open {path}!\n")
                    } else {
                        format!("Warning: Couldn't read data from file \"{path}\", this makes an empty POST.\n")
                    };
                    self.process.warn(text).await;
                }
                Ok(None)
            }
            Err(_) => {
                let opened = if self.config.silent { String::new() } else { format!("Failed to open {path}\ncurl: ") };
                Err(Refused::Usage(format!("{opened}option {arg}: error encountered when reading a file"), 26))
            }
        }
    }

    /// What one of the options with data adds to the body.
    async fn data(&self, name: &str, value: &str, arg: &str) -> Result<Vec<u8>, Refused> {
        if name == "data-urlencode" {
            let at = value.find(['=', '@']);
            let (key, data) = match at.map(|at| (value[..at].to_owned(), &value[at..])) {
                Some((key, rest)) if rest.starts_with('=') => (key, rest.as_bytes()[1..].to_vec()),
                Some((key, rest)) => (key, self.read(&rest[1..], arg).await?.unwrap_or_default()),
                None => (String::new(), value.as_bytes().to_vec()),
            };
            let encoded = body::url_encode(&data);
            return Ok(if key.is_empty() { encoded } else { [key.as_bytes(), b"=", &encoded].concat() });
        }
        match value.strip_prefix('@').filter(|_| name != "data-raw") {
            None => Ok(value.as_bytes().to_vec()),
            Some(path) => {
                let mut data = self.read(path, arg).await?.unwrap_or_default();
                if matches!(name, "data" | "data-ascii") {
                    data.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
                Ok(data)
            }
        }
    }

    /// `.curlrc`, if there is one.
    async fn start_file(&mut self) -> Result<(), Refused> {
        let Some(home) = self.process.var("CURL_HOME").or_else(|| self.process.var("HOME")) else { return Ok(()) };
        let path = format!("{home}/.curlrc");
        match self.process.fs.read(&path) {
            Ok(text) => self.config_text(&String::from_utf8_lossy(&text)).await,
            Err(_) => Ok(()),
        }
    }

    async fn config_file(&mut self, path: &str, arg: &str) -> Result<(), Refused> {
        let text = if path == "-" {
            self.process.stdin().read_to_end(MAX_INPUT).await.ok().flatten()
        } else {
            self.process.fs.read(&self.process.path(path)).ok()
        };
        match text {
            Some(text) => self.config_text(&String::from_utf8_lossy(&text)).await,
            None => {
                let text = format!(
                    "cannot read config from '{path}'\ncurl: option {arg}: error encountered when reading a file"
                );
                Err(Refused::Usage(text, 26))
            }
        }
    }

    /// Boxed because a configuration file may name another one.
    fn config_text<'b>(&'b mut self, text: &str) -> BoxFuture<'b, Result<(), Refused>> {
        let lines: Vec<(String, Option<String>)> = text.lines().filter_map(config_line).collect();
        Box::pin(async move {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Refused::NotSimulated("curl with configuration files this deep".to_owned()));
            }
            for (word, value) in lines {
                let arg = format!("--{word}");
                let (name, takes_value, on) = match word.chars().collect::<Vec<_>>()[..] {
                    [letter] => match OPTIONS.iter().find(|(_, known, _)| *known == letter) {
                        Some(&(name, _, takes_value)) => (name, takes_value, true),
                        None => return Err(Refused::NotSimulated(format!("curl -{letter}"))),
                    },
                    _ => self.long(&word, &arg)?,
                };
                let value = match (takes_value, value) {
                    (true, None) => return Err(usage(&format!("option {arg}: requires parameter"))),
                    (_, value) => value.unwrap_or_default(),
                };
                self.set(name, value, on, &arg).await?;
            }
            self.depth -= 1;
            Ok(())
        })
    }
}

/// An option of a configuration file and its value: `name = value`, `name: "value"`, `-n value`, with `#` for comments.
fn config_line(line: &str) -> Option<(String, Option<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || matches!(c, '=' | ':')).unwrap_or(line.len());
    let word = line[..end].trim_start_matches('-').to_owned();
    let rest = line[end..].trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '=' | ':'));
    if rest.is_empty() || rest.starts_with('#') {
        return Some((word, None));
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        return Some((word, rest.split_whitespace().next().map(str::to_owned)));
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('t') => value.push('\t'),
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('v') => value.push('\u{b}'),
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    Some((word, Some(value)))
}

pub(super) fn usage(text: &str) -> Refused {
    Refused::Usage(text.to_owned(), 2)
}

fn too_much(what: &str) -> Refused {
    Refused::NotSimulated(format!("curl with so much data from {what}"))
}

fn next(rest: &mut std::slice::Iter<'_, String>, arg: &str) -> Result<String, Refused> {
    rest.next().cloned().ok_or_else(|| usage(&format!("option {arg}: requires parameter")))
}

#[cfg(test)]
mod tests {
    use super::config_line;

    #[test]
    fn lines_of_a_configuration_file_have_many_forms() {
        for (line, word, value) in [
            ("silent", "silent", None),
            ("-s", "s", None),
            ("url = \"http://a/\"", "url", Some("http://a/")),
            ("user-agent: me too", "user-agent", Some("me")),
            ("write-out=\"%{http_code}\\n\"", "write-out", Some("%{http_code}\n")),
            ("-o /dev/null # comment", "o", Some("/dev/null")),
        ] {
            assert_eq!(config_line(line), Some((word.to_owned(), value.map(str::to_owned))), "{line}");
        }
        assert_eq!(config_line("# comment"), None);
        assert_eq!(config_line("  "), None);
    }
}
