//! `tail`, also following: by descriptor (`-f`) or by name (`-F`).
//!
//! Invariant: following waits for the file system's own signal; it neither polls nor misses a change.

use super::input::{MAX_MEMORY, or_stdin};
use super::opts::Opts;
use crate::fs::{File, FsError, OpenOptions};
use crate::process::{Exit, Fd, IoError, Process};

/// Where the output starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// The last so many lines or bytes.
    Last(u64),
    /// From this line or byte on, counted from 1.
    From(u64),
}

struct Plan {
    start: Start,
    bytes: bool,
    follow: bool,
    by_name: bool,
    titles: bool,
}

/// `tail [-n [+]N] [-c [+]N] [-f] [-F] [FILE...]`, also `-N`
pub(super) async fn main(mut process: Process) -> Exit {
    old_count(&mut process.argv);
    let long = [
        ("lines", 'n'),
        ("bytes", 'c'),
        ("follow", 'f'),
        ("retry", 'R'),
        ("quiet", 'q'),
        ("silent", 'q'),
        ("verbose", 'v'),
        ("sleep-interval", 's'),
    ];
    // `--follow=name` is `-F` without retrying; the difference shows only while the file is missing.
    for arg in &mut process.argv {
        if arg == "--follow=name" {
            "-F".clone_into(arg);
        } else if arg == "--follow=descriptor" {
            "-f".clone_into(arg);
        }
    }
    let opts = match Opts::parse(&process, "n:c:fFqvs:", &long) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let unit = opts.last_of("nc").unwrap_or('n');
    let text = opts.value(unit).unwrap_or("10");
    let start = match text.strip_prefix('+') {
        Some(number) => size(number).map(|number| Start::From(number.max(1))),
        None => size(text.strip_prefix('-').unwrap_or(text)).map(Start::Last),
    };
    let Some(start) = start else {
        let what = if unit == 'n' { "lines" } else { "bytes" };
        return if process.image.is_busybox() {
            process.fail(1, format!("invalid number '{text}'")).await
        } else {
            process.fail(1, format!("invalid number of {what}: '{text}'")).await
        };
    };
    let operands = or_stdin(opts.operands.clone());
    let plan = Plan {
        start,
        bytes: unit == 'c',
        follow: opts.has('f') || opts.has('F'),
        by_name: opts.has('F'),
        titles: opts.has('v') || operands.len() > 1 && !opts.has('q'),
    };
    match plan.run(&process, &operands).await {
        Ok(exit) | Err(exit) => exit,
    }
}

/// Turns the old form `-5` of `head` and `tail` into `-n5`.
pub(super) fn old_count(argv: &mut [String]) {
    if let Some(first) = argv.get_mut(1)
        && let Some(digits) = first.strip_prefix('-')
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        *first = format!("-n{digits}");
    }
}

/// A count with an optional unit: `b` 512, `k` 1024, `m` 1048576.
pub(super) fn size(text: &str) -> Option<u64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'b' => (&text[..text.len() - 1], 512),
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    if digits.starts_with('+') {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// The line above each of several files.
pub(super) fn title(operand: &str, first: bool) -> String {
    let name = if operand == "-" { "standard input" } else { operand };
    format!("{}==> {name} <==\n", if first { "" } else { "\n" })
}

/// Complains that a file cannot be opened; an `Err` ends the program at once.
pub(super) async fn cannot_open(process: &Process, operand: &str, error: FsError) -> Result<Exit, Exit> {
    if error == FsError::NotSimulated {
        return Err(Exit::not_simulated(format!("the content of {operand}")));
    }
    let text = if process.image.is_busybox() {
        format!("can't open '{operand}': {error}")
    } else {
        format!("cannot open '{operand}' for reading: {error}")
    };
    Ok(process.fail(1, text).await)
}

/// A file that is followed.
struct Followed<'a> {
    operand: &'a str,
    fd: Option<Fd>,
}

impl Plan {
    async fn run(&self, process: &Process, operands: &[String]) -> Result<Exit, Exit> {
        let mut exit = Exit::SUCCESS;
        let mut followed = Vec::new();
        // Taken before the first look, so that nothing is missed between reading and waiting.
        let mut changes = process.fs.changes();
        for (index, operand) in operands.iter().enumerate() {
            let fd = match process.input(operand) {
                Ok(fd) => fd,
                Err(error) => {
                    exit = cannot_open(process, operand, error).await?;
                    if self.by_name {
                        followed.push(Followed { operand, fd: None });
                    }
                    continue;
                }
            };
            if self.titles {
                process.print(title(operand, index == 0)).await?;
            }
            if let Some(failed) = self.show(process, operand, &fd).await? {
                exit = failed;
                continue;
            }
            followed.push(Followed { operand, fd: Some(fd) });
        }
        // Standard input has no name and, as a pipe, no more to come.
        followed.retain(|file| file.fd.as_ref().is_none_or(|fd| fd.as_file().is_some()));
        if !self.follow || followed.is_empty() {
            return Ok(exit);
        }
        let stdout = process.stdout();
        loop {
            for index in 0..followed.len() {
                self.catch_up(process, &mut followed, index).await?;
            }
            tokio::select! {
                biased;
                () = stdout.broken() => return Ok(Exit::Signal(crate::process::SIGPIPE)),
                () = changes.changed() => {}
            }
        }
    }

    /// Prints the part that was asked for. Returns the exit of a failed read.
    async fn show(&self, process: &Process, operand: &str, fd: &Fd) -> Result<Option<Exit>, Exit> {
        let data = match self.wanted(fd).await {
            Ok(Some(data)) => data,
            Ok(None) => return Err(Exit::not_simulated(format!("tail of more than {MAX_MEMORY} bytes"))),
            Err(error) => {
                let text = process.read_error(operand, &error)?;
                let text = if process.image.is_busybox() {
                    format!("read error: {text}")
                } else {
                    format!("error reading '{operand}': {text}")
                };
                return Ok(Some(process.fail(1, text).await));
            }
        };
        process.print(&data).await?;
        Ok(None)
    }

    async fn wanted(&self, fd: &Fd) -> Result<Option<Vec<u8>>, IoError> {
        let Some(data) = fd.read_to_end(MAX_MEMORY).await? else { return Ok(None) };
        let start = match (self.start, self.bytes) {
            (Start::From(number), true) => usize::try_from(number - 1).unwrap_or(usize::MAX).min(data.len()),
            (Start::Last(count), true) => data.len() - usize::try_from(count).unwrap_or(usize::MAX).min(data.len()),
            (Start::From(number), false) => line_start(&data, number - 1),
            (Start::Last(count), false) => {
                let lines = data.split_inclusive(|&byte| byte == b'\n').count() as u64;
                line_start(&data, lines.saturating_sub(count))
            }
        };
        Ok(Some(data[start..].to_vec()))
    }

    /// Prints what has come since, and notices that a name means another file now, or that a file was cut.
    async fn catch_up(&self, process: &Process, followed: &mut [Followed<'_>], index: usize) -> Result<(), Exit> {
        let operand = followed[index].operand;
        let name = process.name();
        if let Some(file) = followed[index].fd.as_ref().and_then(Fd::as_file) {
            if file.metadata().ok().and_then(|metadata| metadata.len).is_some_and(|len| len < file.position()) {
                process.warn(format!("{name}: {operand}: file truncated\n")).await;
                file.seek(0);
            }
            print_new(process, file).await?;
        }
        if !self.by_name || operand == "-" {
            return Ok(());
        }
        let current = process.fs.metadata(&process.path(operand)).ok().map(|metadata| metadata.inode);
        let open = followed[index].fd.as_ref().and_then(Fd::as_file);
        let held = open.and_then(|file| file.metadata().ok()).map(|metadata| metadata.inode);
        if current == held {
            return Ok(());
        }
        let busybox = process.image.is_busybox();
        match process.open(operand, OpenOptions::reading()) {
            Ok(fd) => {
                let text = match (held.is_some(), busybox) {
                    (_, true) => None,
                    (true, false) => Some(format!("'{operand}' has been replaced;  following new file")),
                    (false, false) => Some(format!("'{operand}' has appeared;  following new file")),
                };
                if let Some(text) = text {
                    process.warn(format!("{name}: {text}\n")).await;
                }
                if let Some(file) = fd.as_file() {
                    print_new(process, file).await?;
                }
                followed[index].fd = Some(fd);
            }
            Err(error) if held.is_some() => {
                if !busybox {
                    process.warn(format!("{name}: '{operand}' has become inaccessible: {error}\n")).await;
                }
                followed[index].fd = None;
            }
            Err(_) => {}
        }
        Ok(())
    }
}

async fn print_new(process: &Process, file: &File) -> Result<(), Exit> {
    loop {
        match file.read(1 << 16) {
            Ok(data) if data.is_empty() => return Ok(()),
            Ok(data) => process.print(&data).await?,
            Err(error) => return Err(process.fail(1, error).await),
        }
    }
}

/// Where the line with this number (from 0) starts.
fn line_start(data: &[u8], number: u64) -> usize {
    let lines = data.split_inclusive(|&byte| byte == b'\n');
    lines.take(usize::try_from(number).unwrap_or(usize::MAX)).map(<[u8]>::len).sum()
}
