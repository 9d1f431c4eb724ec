//! Marks and windows of files in containers, such as a proxy's access log.
//!
//! There is no API for files, so a small `sh` script runs in the container. It uses what both BusyBox and GNU images
//! have: `stat -L -c`, `tail -c +N -f`, `sleep`, `kill`. It looks after `tail` once a second: a file that did not exist
//! is waited for, one that was rotated (another inode) or cut short is read from its start. The script ends by itself
//! after the time it was given, because Kubernetes cannot stop a program whose connection went away.

use std::time::Duration;

use bytes::Bytes;

use super::client::Cluster;
use super::exec::{ExecOutcome, ExecRequest, Inconclusive, Output};
use super::exec_stream::{ExecFrame, ExecStream};
use super::lines::Splitter;

/// Bytes kept of a line.
const MAX_LINE: usize = 64 << 10;

/// Bytes kept of what a script complains.
const MAX_COMPLAINT: usize = 4 << 10;

/// Prints inode and length, `absent`, or `special` for what is no regular file. `$1` is the path.
const MARK: &str =
    r#"if [ -f "$1" ]; then stat -L -c '%i %s' "$1"; elif [ -e "$1" ]; then echo special; else echo absent; fi"#;

/// Prints what comes after a mark. `$1` is the path, `$2` the inode (`-` for none), `$3` the length, `$4` the seconds to
/// go on.
const FOLLOW: &str = r#"f=$1 i=$2 n=$3 s=$4
while [ ! -f "$f" ]; do [ "$s" -gt 0 ] || exit 0; sleep 1; s=$((s - 1)); done
set -- $(stat -L -c '%i %s' "$f")
if [ "$1" != "$i" ] || [ "$2" -lt "$n" ]; then n=0; fi
i=$1
tail -c "+$((n + 1))" -f "$f" & t=$!
while [ "$s" -gt 0 ]; do
  sleep 1; s=$((s - 1))
  j=$(stat -L -c %i "$f" 2>/dev/null) || continue
  if [ "$j" != "$i" ]; then kill "$t"; i=$j; tail -c +1 -f "$f" & t=$!; fi
done
kill "$t""#;

/// A file in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Absolute path of the file.
    pub path: String,
}

/// The end of a file at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileMark {
    /// Inode of the file. `None` where it did not exist.
    pub inode: Option<u64>,
    /// Bytes in it.
    pub length: u64,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// Its bytes, without the line feed.
    pub bytes: Bytes,
    /// Whether its end was dropped, since it was too long.
    pub truncated: bool,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FileError {
    /// The script did not run, or was cut off.
    #[error("reading {path}: {reason}")]
    Exec {
        /// The file.
        path: String,
        /// What came of the exec.
        reason: Inconclusive,
    },
    /// The path is there, and is no regular file: a folder, a pipe, or a link to `/dev/stdout`.
    #[error("{0} is no regular file; what is written to standard output is in the container's log")]
    NotRegular(String),
    /// The script ran and failed.
    #[error("reading {path}: {complaint}")]
    Failed {
        /// The file.
        path: String,
        /// What it wrote to standard error.
        complaint: String,
    },
}

impl FileSource {
    fn request(&self, script: &str, arguments: &[String], deadline: Duration) -> ExecRequest {
        let mut argv: Vec<String> = ["sh", "-c", script, "sh", &self.path].map(str::to_owned).to_vec();
        argv.extend_from_slice(arguments);
        ExecRequest {
            namespace: self.namespace.clone(),
            pod: self.pod.clone(),
            container: self.container.clone(),
            argv,
            stdin: None,
            deadline,
            max_output: MAX_COMPLAINT,
        }
    }

    fn failed(&self, exit: i32, stderr: &Output) -> FileError {
        let words = String::from_utf8_lossy(&stderr.bytes).trim().to_owned();
        let complaint = if words.is_empty() { format!("the script returned {exit}") } else { words };
        FileError::Failed { path: self.path.clone(), complaint }
    }

    fn broken(&self, reason: Inconclusive) -> FileError {
        FileError::Exec { path: self.path.clone(), reason }
    }
}

impl Cluster {
    /// Marks the end of a file. One that does not exist has a mark too: all of it counts once it is there.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the container cannot tell.
    pub async fn file_mark(&self, source: &FileSource, deadline: Duration) -> Result<FileMark, FileError> {
        match self.exec(&source.request(MARK, &[], deadline)).await {
            ExecOutcome::Finished { exit: 0, stdout, stderr } => {
                let text = String::from_utf8_lossy(&stdout.bytes);
                match parse_mark(text.trim()) {
                    Some(mark) => Ok(mark),
                    None if text.trim() == "special" => Err(FileError::NotRegular(source.path.clone())),
                    None => Err(source.failed(0, &stderr)),
                }
            }
            ExecOutcome::Finished { exit, stderr, .. } => Err(source.failed(exit, &stderr)),
            ExecOutcome::Inconclusive { reason, .. } => Err(source.broken(reason)),
        }
    }

    /// Follows a file from a mark, for at most `within`, counted in whole seconds.
    ///
    /// # Errors
    ///
    /// [`FileError::Exec`] where the script could not be started.
    pub async fn follow_file(
        &self,
        source: &FileSource,
        from: &FileMark,
        within: Duration,
    ) -> Result<FileStream, FileError> {
        let inode = from.inode.map_or_else(|| "-".to_owned(), |inode| inode.to_string());
        let seconds = within.as_secs() + u64::from(within.subsec_nanos() > 0);
        let arguments = [inode, from.length.to_string(), seconds.to_string()];
        let request = source.request(FOLLOW, &arguments, within);
        let stream = self.open_exec(&request).await.map_err(|reason| source.broken(reason))?;
        Ok(FileStream {
            source: source.clone(),
            stream,
            lines: Splitter::new(MAX_LINE),
            stderr: Output::default(),
            ended: None,
        })
    }
}

/// Inode and length as the script prints them.
fn parse_mark(text: &str) -> Option<FileMark> {
    if text == "absent" {
        return Some(FileMark::default());
    }
    let (inode, length) = text.split_once(' ')?;
    Some(FileMark { inode: Some(inode.parse().ok()?), length: length.parse().ok()? })
}

/// Lines of a file as they come. Dropping it stops the reading; what runs in the container ends by itself.
pub struct FileStream {
    source: FileSource,
    stream: ExecStream,
    lines: Splitter,
    stderr: Output,
    ended: Option<Result<i32, Inconclusive>>,
}

impl FileStream {
    /// The next line; `None` when the time is up. May be dropped half-way and called again.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the script failed or was cut off. Nothing comes after it.
    pub async fn next_line(&mut self) -> Option<Result<FileLine, FileError>> {
        loop {
            if let Some(line) = self.lines.next() {
                return Some(Ok(FileLine { bytes: line.bytes, truncated: line.truncated }));
            }
            match self.ended.take() {
                Some(Ok(0)) => {
                    self.ended = Some(Ok(0));
                    let line = self.lines.rest()?;
                    return Some(Ok(FileLine { bytes: line.bytes, truncated: line.truncated }));
                }
                Some(end) => {
                    self.ended = Some(Ok(0));
                    self.lines.rest();
                    return Some(Err(match end {
                        Ok(exit) => self.source.failed(exit, &self.stderr),
                        Err(reason) => self.source.broken(reason),
                    }));
                }
                None => match self.stream.next().await {
                    ExecFrame::Stdout(bytes) => self.lines.push(&bytes),
                    ExecFrame::Stderr(bytes) => self.stderr.push(&bytes, MAX_COMPLAINT),
                    ExecFrame::End(end) => self.ended = Some(end),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read() {
        assert_eq!(parse_mark("131 42"), Some(FileMark { inode: Some(131), length: 42 }));
        assert_eq!(parse_mark("absent"), Some(FileMark::default()));
        for text in ["special", "", "131", "131 x", "-1 0"] {
            assert_eq!(parse_mark(text), None, "{text:?}");
        }
    }
}
