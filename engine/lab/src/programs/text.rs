//! `wc`, `uniq`, `tr`, `cut`, `basename`, `dirname`: small tools on lines and words.
//!
//! Invariant: lines are compared as bytes, as in the C locale that the images have.

use super::input::{Lines, or_stdin};
use super::opts::Opts;
use crate::process::{Exit, Process};

/// Turns a program that ends with `?` into one that ends.
pub(super) fn ended(result: Result<Exit, Exit>) -> Exit {
    match result {
        Ok(exit) | Err(exit) => exit,
    }
}

/// `wc [-clmw] [FILE...]`
pub(super) async fn wc(process: Process) -> Exit {
    ended(count(&process).await)
}

async fn count(process: &Process) -> Result<Exit, Exit> {
    let long = [("bytes", 'c'), ("lines", 'l'), ("words", 'w'), ("chars", 'm')];
    let opts = Opts::parse(process, "clwm", &long)?;
    let default = opts.last_of("clwm").is_none();
    let from_stdin = opts.operands.is_empty();
    let mut rows: Vec<(Vec<u64>, String)> = Vec::new();
    let mut exit = Exit::SUCCESS;
    for operand in or_stdin(opts.operands.clone()) {
        let data = match process.read_whole(&operand).await {
            Ok(data) => data,
            Err(failed @ Exit::Code(_)) => {
                exit = failed;
                continue;
            }
            Err(exit) => return Err(exit),
        };
        let mut columns = Vec::new();
        if default || opts.has('l') {
            columns.push(data.iter().filter(|&&byte| byte == b'\n').count() as u64);
        }
        if default || opts.has('w') {
            let words = data.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            columns.push(words.count() as u64);
        }
        if opts.has('m') {
            columns.push(String::from_utf8_lossy(&data).chars().count() as u64);
        }
        if default || opts.has('c') {
            columns.push(data.len() as u64);
        }
        rows.push((columns, operand));
    }
    if rows.len() > 1 {
        let mut total = vec![0; rows[0].0.len()];
        for (columns, _) in &rows {
            total.iter_mut().zip(columns).for_each(|(sum, value)| *sum += value);
        }
        rows.push((total, "total".to_owned()));
    }
    let single = rows.first().is_some_and(|(columns, _)| columns.len() == 1);
    // GNU makes columns as wide as the largest number, or 7 for a pipe; BusyBox uses 9 (or none for a single one).
    let widest = rows.iter().flat_map(|(columns, _)| columns).max().map_or(1, |max| max.to_string().len());
    let width = match (process.image.is_busybox(), single, from_stdin) {
        (true, true, _) => 0,
        (true, false, _) => 9,
        (false, true, _) if rows.len() == 1 => 0,
        (false, false, true) => 7,
        (false, ..) => widest,
    };
    for (columns, name) in rows {
        let numbers: Vec<String> = columns.iter().map(|value| format!("{value:width$}")).collect();
        let name = if from_stdin { String::new() } else { format!(" {name}") };
        process.print(format!("{}{name}\n", numbers.join(" "))).await?;
    }
    Ok(exit)
}

/// All lines of the operands, without line feeds.
pub(super) async fn lines(process: &Process, operands: Vec<String>) -> Result<Vec<Vec<u8>>, Exit> {
    let mut all = Vec::new();
    for operand in or_stdin(operands) {
        let data = process.read_whole(&operand).await?;
        let text = data.strip_suffix(b"\n").unwrap_or(&data);
        if !data.is_empty() {
            all.extend(text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec));
        }
    }
    Ok(all)
}

pub(super) async fn print_lines(process: &Process, lines: &[Vec<u8>]) -> Result<(), Exit> {
    let mut out = Vec::new();
    for line in lines {
        out.extend(line);
        out.push(b'\n');
    }
    process.print(out).await
}

/// `uniq [-c] [-d] [-u] [FILE]`
pub(super) async fn uniq(process: Process) -> Exit {
    ended(unique(&process).await)
}

async fn unique(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "cdu", &[("count", 'c'), ("repeated", 'd'), ("unique", 'u')])?;
    if opts.operands.len() > 1 {
        return Err(Exit::not_simulated("uniq with an output file"));
    }
    let mut groups: Vec<(u64, Vec<u8>)> = Vec::new();
    for line in lines(process, opts.operands.clone()).await? {
        match groups.last_mut() {
            Some((count, last)) if *last == line => *count += 1,
            _ => groups.push((1, line)),
        }
    }
    let kept = groups.into_iter().filter(|(count, _)| !(opts.has('d') && *count == 1 || opts.has('u') && *count > 1));
    let shown: Vec<Vec<u8>> = kept
        .map(|(count, line)| {
            let mut shown = if opts.has('c') { format!("{count:7} ").into_bytes() } else { Vec::new() };
            shown.extend(line);
            shown
        })
        .collect();
    print_lines(process, &shown).await?;
    Ok(Exit::SUCCESS)
}

/// `tr [-ds] SET1 [SET2]`
pub(super) async fn tr(process: Process) -> Exit {
    ended(translated(&process).await)
}

async fn translated(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "+dsc", &[("delete", 'd'), ("squeeze-repeats", 's'), ("complement", 'c')])?;
    let unknown = || Exit::not_simulated(format!("tr {}", process.args().join(" ")));
    let sets: Vec<Vec<u8>> =
        opts.operands.iter().map(|set| byte_set(set)).collect::<Option<_>>().ok_or_else(unknown)?;
    let (first, second) = match sets.as_slice() {
        [first] => (first.clone(), Vec::new()),
        [first, second] => (first.clone(), second.clone()),
        _ => return Err(unknown()),
    };
    let first: Vec<u8> = if opts.has('c') { (0..=255).filter(|byte| !first.contains(byte)).collect() } else { first };
    let (delete, squeeze) = (opts.has('d'), opts.has('s'));
    if !delete && !squeeze && second.is_empty() {
        return Err(unknown());
    }
    let squeezed = if second.is_empty() { &first } else { &second };
    let stdin = process.stdin();
    let mut last = None;
    loop {
        let data = stdin.read(1 << 16).await.map_err(|_| Exit::FAILURE)?;
        if data.is_empty() {
            return Ok(Exit::SUCCESS);
        }
        let mut out = Vec::with_capacity(data.len());
        for byte in data {
            let place = first.iter().position(|&known| known == byte);
            let byte = match place {
                Some(_) if delete => continue,
                Some(at) => second.get(at).or(second.last()).copied().unwrap_or(byte),
                None => byte,
            };
            if squeeze && last == Some(byte) && squeezed.contains(&byte) {
                continue;
            }
            last = Some(byte);
            out.push(byte);
        }
        process.print(out).await?;
    }
}

/// The bytes of a set such as `a-z`, `[:upper:]` or `\n`.
fn byte_set(text: &str) -> Option<Vec<u8>> {
    let (bytes, _) = super::echo::unescape(text);
    let mut set = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"[:") {
            let end = rest.windows(2).position(|pair| pair == b":]")?;
            let class = crate::shell::pattern::class(std::str::from_utf8(&rest[2..end]).ok()?)?;
            set.extend((0..128u8).filter(|&byte| class(&char::from(byte))));
            at += end + 2;
        } else if rest.len() > 2 && rest[1] == b'-' && rest[0] <= rest[2] {
            set.extend(rest[0]..=rest[2]);
            at += 3;
        } else {
            set.push(rest[0]);
            at += 1;
        }
    }
    Some(set)
}

/// `cut -d CHAR -f LIST | -c LIST | -b LIST [-s] [FILE...]`
pub(super) async fn cut(process: Process) -> Exit {
    ended(cut_lines(&process).await)
}

async fn cut_lines(process: &Process) -> Result<Exit, Exit> {
    let opts =
        Opts::parse(process, "d:f:c:b:s", &[("delimiter", 'd'), ("fields", 'f'), ("characters", 'c'), ("bytes", 'b')])?;
    let unknown = || Exit::not_simulated(format!("cut {}", process.args().join(" ")));
    let unit = opts.last_of("fcb").ok_or_else(unknown)?;
    let ranges = ranges(opts.value(unit).unwrap_or_default()).ok_or_else(unknown)?;
    let wanted = |number: usize| ranges.iter().any(|&(from, to)| (from..=to).contains(&number));
    let delimiter = match opts.value('d').unwrap_or("\t").as_bytes() {
        [byte] => *byte,
        _ => return Err(unknown()),
    };
    for operand in or_stdin(opts.operands.clone()) {
        let fd = match process.input(&operand) {
            Ok(fd) => fd,
            Err(error) => return Err(process.fail_on(&operand, error).await),
        };
        let mut lines = Lines::new(fd);
        while let Some(mut line) = lines.next().await.map_err(|_| Exit::FAILURE)? {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let mut out: Vec<u8> = if unit == 'f' {
                if !line.contains(&delimiter) {
                    if opts.has('s') {
                        continue;
                    }
                    line
                } else {
                    let fields = line.split(|&byte| byte == delimiter).enumerate();
                    let kept: Vec<&[u8]> = fields.filter(|(at, _)| wanted(at + 1)).map(|(_, field)| field).collect();
                    kept.join(&delimiter)
                }
            } else {
                line.iter().enumerate().filter(|(at, _)| wanted(at + 1)).map(|(_, byte)| *byte).collect()
            };
            out.push(b'\n');
            process.print(out).await?;
        }
    }
    Ok(Exit::SUCCESS)
}

/// A list such as `1,3-5,7-`.
fn ranges(text: &str) -> Option<Vec<(usize, usize)>> {
    text.split(',')
        .map(|part| {
            let number = |text: &str, empty| if text.is_empty() { Some(empty) } else { text.parse().ok() };
            match part.split_once('-') {
                Some((from, to)) if part.len() > 1 => Some((number(from, 1)?, number(to, usize::MAX)?)),
                Some(_) => None,
                None => part.parse().ok().map(|number| (number, number)),
            }
        })
        .collect()
}

/// `basename PATH [SUFFIX]` and `dirname PATH`
pub(super) async fn path_part(process: Process) -> Exit {
    let part = match (process.name(), process.args()) {
        ("basename", [path]) => crate::fs::file_name(path).to_owned(),
        ("basename", [path, suffix]) => {
            let name = crate::fs::file_name(path);
            name.strip_suffix(suffix.as_str()).filter(|rest| !rest.is_empty()).unwrap_or(name).to_owned()
        }
        ("dirname", [path]) => crate::fs::parent(path).to_owned(),
        (name, args) => return Exit::not_simulated(format!("{name} {}", args.join(" "))),
    };
    ended(process.print(format!("{part}\n")).await.map(|()| Exit::SUCCESS))
}
