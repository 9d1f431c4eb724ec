//! Where an awk program reads and writes: operands, files, commands.
//!
//! Invariant: a command that is written to runs when it is closed or the program ends.

use super::eval::{Ran, not_simulated};
use super::value::Value;
use crate::fs::{FsError, OpenOptions};
use crate::process::{Exit, Fd, IoError, Process, SIGPIPE};
use std::collections::BTreeMap;

/// How much is written at once.
const BUFFER: usize = 1 << 13;
/// How much input is held at a time.
const MAX_INPUT: usize = 64 << 20;

/// Records from a descriptor.
struct Source {
    fd: Fd,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
}

impl Source {
    fn new(fd: Fd) -> Self {
        Self { fd, buffer: Vec::new(), start: 0, ended: false }
    }

    /// The next record; an empty separator means blank lines.
    async fn next(&mut self, separator: &str) -> Result<Option<String>, IoError> {
        let mark: &[u8] = if separator.is_empty() { b"\n\n" } else { &separator.as_bytes()[..1] };
        loop {
            if separator.is_empty() {
                while self.buffer.get(self.start) == Some(&b'\n') {
                    self.start += 1;
                }
            }
            let rest = &self.buffer[self.start..];
            if let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
                let record = String::from_utf8_lossy(&rest[..at]).into_owned();
                self.start += at + mark.len();
                return Ok(Some(record));
            }
            if self.ended {
                let rest = rest.strip_suffix(b"\n").filter(|_| separator.is_empty()).unwrap_or(rest);
                let record = (!rest.is_empty()).then(|| String::from_utf8_lossy(rest).into_owned());
                self.buffer.clear();
                self.start = 0;
                return Ok(record);
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            let data = self.fd.read(1 << 16).await?;
            self.ended = data.is_empty() || self.buffer.len() > MAX_INPUT;
            self.buffer.extend(data);
        }
    }
}

/// Open inputs and outputs.
pub(super) struct Io {
    stdout: Fd,
    buffer: Vec<u8>,
    operands: Vec<String>,
    started: bool,
    main: Option<Source>,
    inputs: BTreeMap<String, Source>,
    files: BTreeMap<String, Fd>,
    /// What commands are to read, by command.
    commands: BTreeMap<String, Vec<u8>>,
    /// Whether an operand could not be read.
    pub(super) failed: bool,
}

impl Io {
    pub(super) fn new(process: &Process) -> Self {
        Self {
            stdout: process.stdout(),
            buffer: Vec::new(),
            operands: Vec::new(),
            started: false,
            main: None,
            inputs: BTreeMap::new(),
            files: BTreeMap::new(),
            commands: BTreeMap::new(),
            failed: false,
        }
    }

    pub(super) fn operands(&mut self, operands: Vec<String>) {
        self.operands = operands;
    }

    pub(super) async fn print(&mut self, data: Vec<u8>) -> Ran<()> {
        self.buffer.extend(data);
        if self.buffer.len() >= BUFFER { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> Ran<()> {
        let data = std::mem::take(&mut self.buffer);
        match self.stdout.write_all(&data).await {
            Ok(()) => Ok(()),
            Err(IoError::BrokenPipe) => Err(Exit::Signal(SIGPIPE).into()),
            Err(_) => Err(Exit::Code(2).into()),
        }
    }

    pub(super) async fn print_to(&mut self, process: &Process, operator: &str, target: &str, data: &[u8]) -> Ran<()> {
        if operator == "|" {
            let held = self.commands.entry(target.to_owned()).or_default();
            held.extend(data);
            return if held.len() > MAX_INPUT {
                Err(not_simulated("so much output of awk to a command"))
            } else {
                Ok(())
            };
        }
        if !self.files.contains_key(target) {
            if matches!(target, "/dev/stdout" | "-") {
                return self.print(data.to_vec()).await;
            }
            let how = if operator == ">>" { OpenOptions::appending() } else { OpenOptions::writing() };
            let fd = match process.open(target, how) {
                Ok(fd) => fd,
                Err(error) => return Err(not_simulated(format!("awk's complaint about {target}: {error}"))),
            };
            if self.files.len() > 100 {
                return Err(not_simulated("that many open files in awk"));
            }
            self.files.insert(target.to_owned(), fd);
        }
        self.flush().await?;
        let written = match self.files.get(target) {
            Some(fd) => fd.write_all(data).await,
            None => Ok(()),
        };
        written.map_err(|_| Exit::Code(2).into())
    }

    /// The next record of the operands or standard input: the record, whether it is the first of its file, the file.
    pub(super) async fn main_record(
        &mut self,
        process: &Process,
        separator: &str,
        globals: &mut BTreeMap<String, Value>,
    ) -> Ran<Option<(String, bool, Option<String>)>> {
        let (mut first, mut name) = (false, None);
        loop {
            if self.main.is_none() {
                let Some(fd) = self.next_input(process, globals, &mut name).await? else { return Ok(None) };
                self.main = Some(Source::new(fd));
                first = true;
            }
            let Some(source) = &mut self.main else { return Ok(None) };
            if self.buffer.is_empty() {
                // Nothing to hand on before waiting.
            } else if source.buffer.len() <= source.start {
                let data = std::mem::take(&mut self.buffer);
                if self.stdout.write_all(&data).await.is_err() {
                    return Err(Exit::Signal(SIGPIPE).into());
                }
            }
            match source.next(separator).await {
                Ok(Some(record)) => return Ok(Some((record, first, name))),
                Ok(None) => self.main = None,
                Err(error) => return Err(not_simulated(format!("awk's complaint about its input: {error}"))),
            }
        }
    }

    async fn next_input(
        &mut self,
        process: &Process,
        globals: &mut BTreeMap<String, Value>,
        name: &mut Option<String>,
    ) -> Ran<Option<Fd>> {
        while !self.operands.is_empty() {
            let operand = self.operands.remove(0);
            if let Some((variable, value)) = assignment(&operand) {
                globals.insert(variable.to_owned(), Value::Input(super::lexer::unescape(value)));
                continue;
            }
            self.started = true;
            match process.input(&operand) {
                Ok(fd) => {
                    *name = Some(operand);
                    return Ok(Some(fd));
                }
                Err(error) => self.complain(process, &operand, error).await?,
            }
        }
        if self.started {
            return Ok(None);
        }
        self.started = true;
        Ok(Some(process.stdin()))
    }

    async fn complain(&mut self, process: &Process, operand: &str, error: FsError) -> Ran<()> {
        if error == FsError::NotSimulated {
            return Err(not_simulated(format!("the content of {operand}")));
        }
        self.failed = true;
        if process.image.is_busybox() {
            process.warn(format!("awk: {operand}: {error}\n")).await;
            return Err(Exit::Code(1).into());
        }
        process.warn(format!("awk: cannot open \"{operand}\" ({error})\n")).await;
        Ok(())
    }

    pub(super) async fn file_record(
        &mut self,
        process: &Process,
        file: &str,
        separator: &str,
    ) -> Ran<Result<Option<String>, ()>> {
        if !self.inputs.contains_key(file) {
            match process.input(file) {
                Ok(fd) => self.inputs.insert(file.to_owned(), Source::new(fd)),
                Err(_) => return Ok(Err(())),
            };
        }
        self.input_record(file, separator).await
    }

    async fn input_record(&mut self, name: &str, separator: &str) -> Ran<Result<Option<String>, ()>> {
        match self.inputs.get_mut(name) {
            Some(source) => Ok(source.next(separator).await.map_err(|_| ())),
            None => Ok(Err(())),
        }
    }

    pub(super) async fn command_record(
        &mut self,
        process: &Process,
        command: &str,
        separator: &str,
    ) -> Ran<Result<Option<String>, ()>> {
        if !self.inputs.contains_key(command) {
            self.flush().await?;
            let (reader, stdout) = Fd::pipe();
            let mut child = shell(process, command);
            child.fds.insert(1, stdout);
            let (exit, output) = futures::join!(child.run(), reader.read_to_end(MAX_INPUT));
            if let exit @ (Exit::NotSimulated(_) | Exit::NotFound(_)) = exit {
                return Err(exit.into());
            }
            let Ok(Some(output)) = output else { return Err(not_simulated("so much output of a command in awk")) };
            let source = Source { fd: Fd::null(), buffer: output, start: 0, ended: true };
            self.inputs.insert(command.to_owned(), source);
        }
        self.input_record(command, separator).await
    }

    /// `system(command)`: its status.
    pub(super) async fn system(&mut self, process: &Process, command: &str) -> Ran<f64> {
        self.flush().await?;
        match shell(process, command).run().await {
            Exit::Code(code) => Ok(f64::from(code)),
            Exit::Signal(signal) => Ok(256.0 + f64::from(signal)),
            exit => Err(exit.into()),
        }
    }

    /// Closes a file or command; its status.
    pub(super) async fn close(&mut self, process: &Process, name: &str) -> Ran<f64> {
        let mut status = -1.0;
        if self.inputs.remove(name).is_some() || self.files.remove(name).is_some() {
            status = 0.0;
        }
        if let Some(data) = self.commands.remove(name) {
            status = self.pipe(process, name, data).await?;
        }
        Ok(status)
    }

    async fn pipe(&mut self, process: &Process, command: &str, data: Vec<u8>) -> Ran<f64> {
        self.flush().await?;
        let (stdin, writer) = Fd::pipe();
        let mut child = shell(process, command);
        child.fds.insert(0, stdin);
        let feed = async move {
            // A command may end without reading everything.
            writer.write_all(&data).await.unwrap_or_default();
        };
        let (exit, ()) = futures::join!(child.run(), feed);
        match exit {
            Exit::Code(code) => Ok(f64::from(code)),
            Exit::Signal(signal) => Ok(256.0 + f64::from(signal)),
            exit => Err(exit.into()),
        }
    }

    /// Runs what is still to be written to.
    pub(super) async fn finish(&mut self, process: &Process) -> Ran<()> {
        self.flush().await?;
        for (command, data) in std::mem::take(&mut self.commands) {
            self.pipe(process, &command, data).await?;
        }
        Ok(())
    }
}

fn shell(process: &Process, command: &str) -> Process {
    process.child(vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()])
}

/// An operand that assigns.
pub(super) fn assignment(operand: &str) -> Option<(&str, &str)> {
    let (name, value) = operand.split_once('=')?;
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    good.then_some((name, value))
}
