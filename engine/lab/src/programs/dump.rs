//! `od -c`, `od -An -tx1`, `hexdump -C`, `xxd`: bytes as numbers.
//!
//! Invariant: rows that repeat the one before are shown as the real tools show them.

use super::input::or_stdin;
use super::opts::Opts;
use super::text::ended;
use crate::process::{Exit, Process};

async fn all(process: &Process, operands: Vec<String>) -> Result<Vec<u8>, Exit> {
    let mut data = Vec::new();
    for operand in or_stdin(operands) {
        data.extend(process.read_whole(&operand).await?);
    }
    Ok(data)
}

fn printable(byte: u8) -> char {
    if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' }
}

/// `hexdump -C [FILE...]`
pub(super) async fn hexdump(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "C", &[])?;
            if !opts.has('C') {
                return Err(Exit::not_simulated("hexdump without -C"));
            }
            let data = all(&process, opts.operands).await?;
            let mut out = String::new();
            let (mut before, mut starred): (Option<&[u8]>, bool) = (None, false);
            for (index, row) in data.chunks(16).enumerate() {
                if before == Some(row) {
                    if !starred {
                        out.push_str("*\n");
                    }
                    starred = true;
                    continue;
                }
                (before, starred) = (Some(row), false);
                let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                let (left, right) = hex.split_at(hex.len().min(8));
                let text: String = row.iter().map(|byte| printable(*byte)).collect();
                out.push_str(&format!(
                    "{:08x}  {:<23}  {:<23}  |{text}|\n",
                    index * 16,
                    left.join(" "),
                    right.join(" ")
                ));
            }
            if !data.is_empty() {
                out.push_str(&format!("{:08x}\n", data.len()));
            }
            process.print(out).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// `xxd [-p] [FILE]`
pub(super) async fn xxd(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "p", &[])?;
            let data = all(&process, opts.operands.clone()).await?;
            let mut out = String::new();
            if opts.has('p') {
                for row in data.chunks(30) {
                    out.extend(row.iter().map(|byte| format!("{byte:02x}")));
                    out.push('\n');
                }
            } else {
                for (index, row) in data.chunks(16).enumerate() {
                    let pairs: Vec<String> =
                        row.chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
                    let text: String = row.iter().map(|byte| printable(*byte)).collect();
                    out.push_str(&format!("{:08x}: {:<39}  {text}\n", index * 16, pairs.join(" ")));
                }
            }
            process.print(out).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// `od -c | -x | -An -tx1`, or octal words.
pub(super) async fn od(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "cxbA:t:v", &[])?;
            let kind = match (opts.value('t'), opts.last_of("cxb")) {
                (Some("c"), None) | (None, Some('c')) => 'c',
                (Some("x1"), None) => 'h',
                (Some("x2"), None) | (None, Some('x')) => 'x',
                (Some("o1"), None) | (None, Some('b')) => 'b',
                (Some("o2") | None, None) => 'o',
                _ => return Err(Exit::not_simulated("od in this format")),
            };
            let addresses = match opts.value('A') {
                None | Some("o") => true,
                Some("n") => false,
                Some(_) => return Err(Exit::not_simulated("od with such addresses")),
            };
            let data = all(&process, opts.operands.clone()).await?;
            let mut out = String::new();
            let address = |at: usize| if addresses { format!("{at:07o}") } else { String::new() };
            let (mut before, mut starred): (Option<&[u8]>, bool) = (None, false);
            for (index, row) in data.chunks(16).enumerate() {
                if before == Some(row) && row.len() == 16 && !opts.has('v') {
                    if !starred {
                        out.push_str("*\n");
                    }
                    starred = true;
                    continue;
                }
                (before, starred) = (Some(row), false);
                out.push_str(&address(index * 16));
                match kind {
                    'c' => out.extend(row.iter().map(|byte| format!(" {:>3}", letter(*byte)))),
                    'h' => out.extend(row.iter().map(|byte| format!(" {byte:02x}"))),
                    'b' => out.extend(row.iter().map(|byte| format!(" {byte:03o}"))),
                    kind => out.extend(row.chunks(2).map(|pair| {
                        let word = u16::from(pair[0]) | u16::from(pair.get(1).copied().unwrap_or(0)) << 8;
                        if kind == 'x' { format!(" {word:04x}") } else { format!(" {word:06o}") }
                    })),
                }
                out.push('\n');
            }
            if addresses {
                out.push_str(&address(data.len()));
                out.push('\n');
            }
            process.print(out).await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

fn letter(byte: u8) -> String {
    match byte {
        0 => "\\0".to_owned(),
        7 => "\\a".to_owned(),
        8 => "\\b".to_owned(),
        9 => "\\t".to_owned(),
        10 => "\\n".to_owned(),
        11 => "\\v".to_owned(),
        12 => "\\f".to_owned(),
        13 => "\\r".to_owned(),
        0x20..0x7f => char::from(byte).to_string(),
        byte => format!("{byte:03o}"),
    }
}
