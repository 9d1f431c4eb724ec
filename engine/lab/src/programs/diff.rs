//! `diff` and `cmp`.
//!
//! Invariant: 0 says that the files are the same, 1 that they differ, 2 that one could not be read.

use super::opts::Opts;
use super::text::ended;
use crate::fs::FsError;
use crate::process::{Exit, Process};
use similar::{DiffOp, TextDiff};

/// How large files are compared.
const MAX_SIZE: usize = 1 << 20;

async fn read(process: &Process, operand: &str) -> Result<Vec<u8>, Exit> {
    let fd = match process.input(operand) {
        Ok(fd) => fd,
        Err(FsError::NotSimulated) => return Err(Exit::not_simulated(format!("the content of {operand}"))),
        Err(error) if process.image.is_busybox() => {
            return Err(process.fail(2, format!("can't stat '{operand}': {error}")).await);
        }
        Err(error) => return Err(process.fail(2, format!("{operand}: {error}")).await),
    };
    match fd.read_to_end(MAX_SIZE).await {
        Ok(Some(data)) => Ok(data),
        Ok(None) => Err(Exit::not_simulated(format!("{} of more than {MAX_SIZE} bytes", process.name()))),
        Err(error) => Err(Exit::not_simulated(format!("{} on {operand}: {error}", process.name()))),
    }
}

/// `cmp [-s] FILE FILE`
pub(super) async fn cmp(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "s", &[("silent", 's'), ("quiet", 's')])?;
            let (left, right) = match opts.operands.as_slice() {
                [left] => (left.as_str(), "-"),
                [left, right] => (left.as_str(), right.as_str()),
                _ => return Ok(super::usage::incomplete(&process, 2).await),
            };
            let (a, b) = (read(&process, left).await?, read(&process, right).await?);
            if a == b {
                return Ok(Exit::SUCCESS);
            }
            let at = a.iter().zip(&b).position(|(a, b)| a != b);
            if !opts.has('s') {
                match at {
                    Some(at) => {
                        let line = a[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
                        let unit = if process.image.is_busybox() { "char" } else { "byte" };
                        process.print(format!("{left} {right} differ: {unit} {}, line {line}\n", at + 1)).await?;
                    }
                    None => {
                        let short = if a.len() < b.len() { left } else { right };
                        if process.image.is_busybox() {
                            process.fail(1, format!("EOF on {short}")).await;
                        } else {
                            return Err(Exit::not_simulated("cmp of a file that is the other's beginning"));
                        }
                    }
                }
            }
            Ok(Exit::FAILURE)
        }
        .await,
    )
}

/// `diff [-u] [-q] [-U N] FILE FILE`; BusyBox always shows the unified form.
pub(super) async fn diff(process: Process) -> Exit {
    ended(compare(&process).await)
}

async fn compare(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "uqU:", &[("brief", 'q'), ("unified", 'u')])?;
    let [left, right] = opts.operands.as_slice() else {
        return Ok(super::usage::incomplete(process, 2).await);
    };
    if process.fs.is_dir(&process.path(left)) || process.fs.is_dir(&process.path(right)) {
        return Err(Exit::not_simulated("diff of directories"));
    }
    let (a, b) = (read(process, left).await?, read(process, right).await?);
    if a == b {
        return Ok(Exit::SUCCESS);
    }
    if opts.has('q') {
        process.print(format!("Files {left} and {right} differ\n")).await?;
        return Ok(Exit::FAILURE);
    }
    let (a, b) = (String::from_utf8_lossy(&a).into_owned(), String::from_utf8_lossy(&b).into_owned());
    let diff = TextDiff::from_lines(&a, &b);
    let unified = opts.has('u') || opts.has('U') || process.image.is_busybox();
    if !unified {
        process.print(normal(diff.ops(), &a, &b)).await?;
        return Ok(Exit::FAILURE);
    }
    let context = match opts.value('U').map(str::parse) {
        None => 3,
        Some(Ok(lines)) => lines,
        Some(Err(_)) => return Err(Exit::not_simulated("diff -U with this number")),
    };
    let mut out = String::new();
    for (mark, name) in [("---", left), ("+++", right)] {
        if process.image.is_busybox() {
            out.push_str(&format!("{mark} {name}\n"));
        } else {
            let modified = process.fs.metadata(&process.path(name)).map(|metadata| metadata.modified);
            let time = modified.unwrap_or_else(|_| process.clock.now()).to_zoned(jiff::tz::TimeZone::UTC);
            out.push_str(&format!("{mark} {name}\t{}\n", time.strftime("%Y-%m-%d %H:%M:%S.%9f +0000")));
        }
    }
    out.push_str(&diff.unified_diff().context_radius(context).to_string());
    process.print(out).await?;
    Ok(Exit::FAILURE)
}

/// GNU's form without options.
fn normal(ops: &[DiffOp], a: &str, b: &str) -> String {
    let lines = |text: &str, start: usize, count: usize, mark: &str| -> String {
        let chosen = text.split_inclusive('\n').skip(start).take(count);
        chosen
            .map(|line| match line.strip_suffix('\n') {
                Some(line) => format!("{mark} {line}\n"),
                None => format!("{mark} {line}\n\\ No newline at end of file\n"),
            })
            .collect()
    };
    let range = |start: usize, count: usize| {
        if count == 1 { (start + 1).to_string() } else { format!("{},{}", start + 1, start + count) }
    };
    let mut out = String::new();
    for op in ops {
        match *op {
            DiffOp::Equal { .. } => {}
            DiffOp::Delete { old_index, old_len, new_index } => {
                out.push_str(&format!("{}d{new_index}\n", range(old_index, old_len)));
                out.push_str(&lines(a, old_index, old_len, "<"));
            }
            DiffOp::Insert { old_index, new_index, new_len } => {
                out.push_str(&format!("{old_index}a{}\n", range(new_index, new_len)));
                out.push_str(&lines(b, new_index, new_len, ">"));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                out.push_str(&format!("{}c{}\n", range(old_index, old_len), range(new_index, new_len)));
                out.push_str(&lines(a, old_index, old_len, "<"));
                out.push_str("---\n");
                out.push_str(&lines(b, new_index, new_len, ">"));
            }
        }
    }
    out
}
