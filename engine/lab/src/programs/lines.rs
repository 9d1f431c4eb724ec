//! `yes`, `tac`, `rev`, `nl`, `paste`, `comm`: small tools over lines.
//!
//! Invariant: a tool that could print without end waits for its reader and lets time pass.

use super::input::{Lines, or_stdin};
use super::opts::Opts;
use super::text::ended;
use crate::process::{Exit, Process};
use std::time::Duration;

/// `yes [TEXT...]`
pub(super) async fn yes(process: Process) -> Exit {
    let text = if process.args().is_empty() { "y".to_owned() } else { process.args().join(" ") };
    let line = text + "\n";
    let block = line.repeat((8192 / line.len()).max(1));
    loop {
        if let Err(exit) = process.print(&block).await {
            return exit;
        }
        process.clock.sleep(Duration::from_micros(10)).await;
    }
}

async fn whole_lines(process: &Process, operands: Vec<String>) -> Result<Vec<Vec<u8>>, Exit> {
    let mut data = Vec::new();
    for operand in or_stdin(operands) {
        data.extend(process.read_whole(&operand).await?);
    }
    Ok(data.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect())
}

/// `tac [FILE...]`
pub(super) async fn tac(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "", &[])?;
            let mut lines = whole_lines(&process, opts.operands).await?;
            lines.reverse();
            process.print(lines.concat()).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// `rev [FILE...]`
pub(super) async fn rev(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "", &[])?;
            let mut out = String::new();
            for line in whole_lines(&process, opts.operands).await? {
                let line = String::from_utf8_lossy(&line).into_owned();
                let (text, end) = line.strip_suffix('\n').map_or((line.as_str(), ""), |text| (text, "\n"));
                out.extend(text.chars().rev());
                out.push_str(end);
            }
            process.print(out).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// `nl [-b a|t] [FILE...]`
pub(super) async fn nl(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "b:", &[])?;
            let all = match opts.value('b') {
                None | Some("t") => false,
                Some("a") => true,
                Some(style) => return Err(Exit::not_simulated(format!("nl -b {style}"))),
            };
            let mut number = 0;
            let mut out = Vec::new();
            for line in whole_lines(&process, opts.operands).await? {
                if all || line != b"\n" {
                    number += 1;
                    out.extend(format!("{number:6}\t").bytes());
                } else {
                    out.extend(b"       ");
                }
                out.extend(&line);
                if line.last() != Some(&b'\n') {
                    out.push(b'\n');
                }
            }
            process.print(out).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// `paste [-s] [-d LIST] [FILE...]`
pub(super) async fn paste(process: Process) -> Exit {
    ended(pasted(&process).await)
}

async fn pasted(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "sd:", &[("serial", 's'), ("delimiters", 'd')])?;
    let list = super::echo::ansi_c(opts.value('d').unwrap_or("\t"));
    let marks: Vec<char> = list.chars().collect();
    let mark = |index: usize| marks.get(index % marks.len().max(1)).map(char::to_string).unwrap_or_default();
    let mut out = String::new();
    let operands = or_stdin(opts.operands.clone());
    let text = |line: Vec<u8>| String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
    if opts.has('s') {
        for operand in operands {
            let lines = whole_lines(process, vec![operand]).await?;
            for (index, line) in lines.into_iter().enumerate() {
                if index > 0 {
                    out.push_str(&mark(index - 1));
                }
                out.push_str(&text(line));
            }
            out.push('\n');
        }
        process.print(out).await?;
        return Ok(Exit::SUCCESS);
    }
    // `-` given several times takes lines in turn.
    let mut sources: Vec<(String, Lines)> = Vec::new();
    let mut columns = Vec::new();
    for operand in operands {
        let known = sources.iter().position(|(name, _)| *name == operand);
        let index = match known {
            Some(index) => index,
            None => match process.input(&operand) {
                Ok(fd) => {
                    sources.push((operand, Lines::new(fd)));
                    sources.len() - 1
                }
                Err(error) => return Err(process.fail_on(&operand, error).await),
            },
        };
        columns.push(index);
    }
    loop {
        let mut row = Vec::new();
        let mut any = false;
        for &index in &columns {
            let line = sources[index].1.next().await.map_err(|error| Exit::not_simulated(error.to_string()))?;
            any |= line.is_some();
            row.push(line.map(text).unwrap_or_default());
        }
        if !any {
            return Ok(Exit::SUCCESS);
        }
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                line.push_str(&mark(index - 1));
            }
            line.push_str(cell);
        }
        process.print(line + "\n").await?;
    }
}

/// `comm [-123] FILE FILE`
pub(super) async fn comm(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "123", &[])?;
            let [left, right] = opts.operands.as_slice() else {
                return Ok(super::usage::incomplete(&process, 1).await);
            };
            let left = whole_lines(&process, vec![left.clone()]).await?;
            let right = whole_lines(&process, vec![right.clone()]).await?;
            let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
            let mut out = Vec::new();
            let indents = ["", if opts.has('1') { "" } else { "\t" }];
            let third = format!("{}{}", indents[1], if opts.has('2') { "" } else { "\t" });
            loop {
                let (column, line) = match (left.peek(), right.peek()) {
                    (None, None) => break,
                    (Some(_), None) => ('1', left.next()),
                    (None, Some(_)) => ('2', right.next()),
                    (Some(a), Some(b)) if a == b => {
                        left.next();
                        ('3', right.next())
                    }
                    (Some(a), Some(b)) if a < b => ('1', left.next()),
                    _ => ('2', right.next()),
                };
                if opts.has(column) {
                    continue;
                }
                let indent = match column {
                    '1' => "",
                    '2' => indents[1],
                    _ => third.as_str(),
                };
                out.extend(indent.bytes());
                out.extend(line.into_iter().flatten());
            }
            process.print(out).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}
