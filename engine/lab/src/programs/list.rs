//! `ls` and `stat`.
//!
//! Invariant: names stand in the order of their bytes, one a line unless the output is a terminal, which is not simulated.

use super::opts::Opts;
use super::text::ended;
use crate::fs::{self, FileType, FsError, Metadata};
use crate::process::{Exit, Process};

/// `ls [-1aAdilR] [FILE...]`
pub(super) async fn ls(process: Process) -> Exit {
    ended(listed(&process).await)
}

async fn listed(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "1aAdilhtr", &[("all", 'a'), ("inode", 'i'), ("directory", 'd')])?;
    if opts.last_of("htr").is_some() {
        return Err(Exit::not_simulated(format!("ls {}", process.args().join(" "))));
    }
    if process.stdout().is_terminal() && !opts.has('1') && !opts.has('l') {
        return Err(Exit::not_simulated("the columns of ls on a terminal"));
    }
    let operands = if opts.operands.is_empty() { vec![".".to_owned()] } else { opts.operands.clone() };
    let mut exit = Exit::SUCCESS;
    let mut files: Vec<(String, Metadata)> = Vec::new();
    let mut dirs: Vec<String> = Vec::new();
    for operand in &operands {
        let path = process.path(operand);
        match process.fs.symlink_metadata(&path) {
            Ok(_) if !opts.has('d') && process.fs.is_dir(&path) => dirs.push(operand.clone()),
            Ok(metadata) => files.push((operand.clone(), metadata)),
            Err(error) if process.image.is_busybox() => exit = process.fail(1, format!("{operand}: {error}")).await,
            Err(error) => exit = process.fail(2, format!("cannot access '{operand}': {error}")).await,
        }
    }
    show(process, &opts, "", &files).await?;
    let titles = operands.len() > 1;
    for (index, dir) in dirs.iter().enumerate() {
        if titles {
            let gap = if index > 0 || !files.is_empty() { "\n" } else { "" };
            process.print(format!("{gap}{dir}:\n")).await?;
        }
        let path = process.path(dir);
        let entries = match process.fs.read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if process.image.is_busybox() => {
                exit = process.fail(1, format!("can't open '{dir}': {error}")).await;
                continue;
            }
            Err(error) => {
                exit = process.fail(2, format!("cannot open directory '{dir}': {error}")).await;
                continue;
            }
        };
        let mut rows = Vec::new();
        if opts.has('a') {
            for name in [".", ".."] {
                rows.extend(
                    process.fs.metadata(&fs::join(&path, name)).ok().map(|metadata| (name.to_owned(), metadata)),
                );
            }
        }
        let hidden = opts.has('a') || opts.has('A');
        rows.extend(
            entries
                .into_iter()
                .filter(|entry| hidden || !entry.name.starts_with('.'))
                .map(|entry| (entry.name, entry.metadata)),
        );
        if opts.has('l') {
            let blocks: u64 = rows.iter().map(|(_, metadata)| metadata.len.unwrap_or(0).div_ceil(4096) * 4).sum();
            process.print(format!("total {blocks}\n")).await?;
        }
        show(process, &opts, &path, &rows).await?;
    }
    Ok(exit)
}

async fn show(process: &Process, opts: &Opts, dir: &str, rows: &[(String, Metadata)]) -> Result<(), Exit> {
    let width = |of: fn(&Metadata) -> u64| rows.iter().map(|(_, row)| of(row).to_string().len()).max().unwrap_or(0);
    let (inodes, links, sizes) = (width(|row| row.inode), width(|row| row.links), width(|row| row.len.unwrap_or(0)));
    for (name, row) in rows {
        let mut line = String::new();
        if opts.has('i') {
            line.push_str(&format!("{:inodes$} ", row.inode));
        }
        if opts.has('l') {
            let Some(len) = row.len else { return Err(Exit::not_simulated(format!("the size of the program {name}"))) };
            let owner = account(process, "/etc/passwd", row.uid);
            let group = account(process, "/etc/group", row.gid);
            let when = row.modified.to_zoned(jiff::tz::TimeZone::UTC).strftime("%b %e %H:%M");
            // BusyBox pads owner and group to eight columns and the size to nine.
            let columns = if process.image.is_busybox() {
                format!("{:>5} {owner:8} {group:8} {len:>9} ", row.links)
            } else {
                format!(" {:links$} {owner} {group} {len:sizes$} ", row.links)
            };
            line.push_str(&format!("{}{columns}{when} ", mode(row)));
        }
        line.push_str(name);
        if opts.has('l') && row.file_type == FileType::Link {
            let target = process.fs.read_link(&fs::join(&process.path(dir), name)).unwrap_or_default();
            line.push_str(&format!(" -> {target}"));
        }
        process.print(line + "\n").await?;
    }
    Ok(())
}

fn account(process: &Process, file: &str, number: u32) -> String {
    let data = process.fs.as_user(0, 0).read(file).unwrap_or_default();
    let wanted = number.to_string();
    String::from_utf8_lossy(&data)
        .lines()
        .find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.get(2) == Some(&wanted.as_str())).then(|| fields[0].to_owned())
        })
        .unwrap_or(wanted)
}

/// `-rw-r--r--`
fn mode(row: &Metadata) -> String {
    let kind = match row.file_type {
        FileType::File => '-',
        FileType::Directory => 'd',
        FileType::Link => 'l',
        FileType::Device => 'c',
    };
    let mut text = String::from(kind);
    for shift in [6, 3, 0] {
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            text.push(if row.mode >> shift & bit != 0 { letter } else { '-' });
        }
    }
    if row.mode & 0o1000 != 0 {
        text.pop();
        text.push(if row.mode & 1 != 0 { 't' } else { 'T' });
    }
    text
}

/// `stat -c FORMAT FILE...`
pub(super) async fn stat(process: Process) -> Exit {
    ended(stated(&process).await)
}

async fn stated(process: &Process) -> Result<Exit, Exit> {
    let opts = Opts::parse(process, "c:L", &[("format", 'c'), ("dereference", 'L')])?;
    let Some(format) = opts.value('c') else { return Err(Exit::not_simulated("stat without -c")) };
    let mut exit = Exit::SUCCESS;
    for operand in &opts.operands {
        let path = process.path(operand);
        let found = if opts.has('L') { process.fs.metadata(&path) } else { process.fs.symlink_metadata(&path) };
        match found {
            Ok(metadata) => {
                let line = fill(process, format, operand, &metadata)
                    .ok_or_else(|| Exit::not_simulated(format!("stat -c {format} of {operand}")))?;
                process.print(line + "\n").await?;
            }
            Err(FsError::NotSimulated) => return Err(Exit::not_simulated(format!("stat {operand}"))),
            Err(error) if process.image.is_busybox() => {
                exit = process.fail(1, format!("can't stat '{operand}': {error}")).await;
            }
            Err(error) => exit = process.fail(1, format!("cannot statx '{operand}': {error}")).await,
        }
    }
    Ok(exit)
}

fn fill(process: &Process, format: &str, name: &str, row: &Metadata) -> Option<String> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            '%' => out.push('%'),
            'n' => out.push_str(name),
            'i' => out.push_str(&row.inode.to_string()),
            's' => out.push_str(&row.len?.to_string()),
            'h' => out.push_str(&row.links.to_string()),
            'u' => out.push_str(&row.uid.to_string()),
            'g' => out.push_str(&row.gid.to_string()),
            'U' => out.push_str(&account(process, "/etc/passwd", row.uid)),
            'G' => out.push_str(&account(process, "/etc/group", row.gid)),
            'a' => out.push_str(&format!("{:o}", row.mode)),
            'A' => out.push_str(&mode(row)),
            'Y' => out.push_str(&row.modified.as_second().to_string()),
            'F' => out.push_str(match row.file_type {
                FileType::File if row.len == Some(0) => "regular empty file",
                FileType::File => "regular file",
                FileType::Directory => "directory",
                FileType::Link => "symbolic link",
                FileType::Device => "character special file",
            }),
            _ => return None,
        }
    }
    Some(out)
}
