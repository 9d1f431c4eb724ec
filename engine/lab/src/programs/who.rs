//! `id`, `whoami`, `hostname`, `uname`, `date`, `pwd`: who, where and when.
//!
//! Invariant: names come from the container's own files, the time from the lab's clock.

use super::text::ended;
use crate::process::{Exit, Process};

/// The name of a number in `/etc/passwd` or `/etc/group`.
fn name(process: &Process, file: &str, number: u32) -> Option<String> {
    let data = process.fs.as_user(0, 0).read(file).ok()?;
    let text = String::from_utf8_lossy(&data).into_owned();
    let number = number.to_string();
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&number.as_str())).then(|| fields[0].to_owned())
    })
}

/// The name of a user.
pub(super) fn user_name(process: &Process, uid: u32) -> Option<String> {
    name(process, "/etc/passwd", uid)
}

/// `id [-u|-g] [-n]`
pub(super) async fn id(process: Process) -> Exit {
    let (uid, gid) = process.fs.user();
    let (user, group) = (name(&process, "/etc/passwd", uid), name(&process, "/etc/group", gid));
    let with = |number: u32, name: &Option<String>| match name {
        Some(name) => format!("{number}({name})"),
        None => number.to_string(),
    };
    let args: Vec<&str> = process.args().iter().map(String::as_str).collect();
    let line = match args.as_slice() {
        [] => format!("uid={} gid={} groups={}", with(uid, &user), with(gid, &group), with(gid, &group)),
        ["-u"] => uid.to_string(),
        ["-g" | "-G"] => gid.to_string(),
        ["-un" | "-nu"] | ["-u", "-n"] => user.unwrap_or_else(|| uid.to_string()),
        ["-gn" | "-ng"] | ["-g", "-n"] => group.unwrap_or_else(|| gid.to_string()),
        args => return Exit::not_simulated(format!("id {}", args.join(" "))),
    };
    ended(process.print(format!("{line}\n")).await.map(|()| Exit::SUCCESS))
}

/// `whoami`
pub(super) async fn whoami(process: Process) -> Exit {
    let (uid, _) = process.fs.user();
    match name(&process, "/etc/passwd", uid) {
        Some(name) => ended(process.print(format!("{name}\n")).await.map(|()| Exit::SUCCESS)),
        None if process.image.is_busybox() => process.fail(1, format!("unknown uid {uid}")).await,
        None => process.fail(1, format!("cannot find name for user ID {uid}")).await,
    }
}

/// `hostname [-i|-s|-f]`
pub(super) async fn hostname(process: Process) -> Exit {
    let host = process.container.spec().hostname.clone();
    let line = match process.args() {
        [] => host,
        [option] if option == "-s" => host,
        [option] if option == "-i" || option == "-I" && !process.image.is_busybox() => process.net.ip().to_string(),
        args => return Exit::not_simulated(format!("hostname {}", args.join(" "))),
    };
    ended(process.print(format!("{line}\n")).await.map(|()| Exit::SUCCESS))
}

/// `pwd`
pub(super) async fn pwd(process: Process) -> Exit {
    ended(process.print(format!("{}\n", process.cwd)).await.map(|()| Exit::SUCCESS))
}

/// A time as `@seconds` or `YYYY-MM-DD[ hh:mm[:ss]]`, in UTC.
fn moment(text: &str) -> Option<jiff::Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        return jiff::Timestamp::from_second(seconds.parse().ok()?).ok();
    }
    let time: jiff::civil::DateTime = text.replacen(' ', "T", 1).parse().ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Words that GNU's date reckons with.
fn is_relative(text: &str) -> bool {
    let words = [
        "now",
        "today",
        "yesterday",
        "tomorrow",
        "ago",
        "next",
        "last",
        "day",
        "week",
        "month",
        "year",
        "hour",
        "min",
        "sec",
    ];
    words.iter().any(|word| text.contains(word))
}

/// `date [-u] [-d TIME] [+FORMAT]`
pub(super) async fn date(process: Process) -> Exit {
    let mut format = "%a %b %e %H:%M:%S UTC %Y".to_owned();
    let mut plain = false;
    let mut at = None;
    let mut args = process.args().iter();
    while let Some(arg) = args.next() {
        let given = match arg.as_str() {
            "-d" | "--date" => args.next().map(String::as_str),
            arg => arg.strip_prefix("-d").or_else(|| arg.strip_prefix("--date=")),
        };
        if let Some(text) = given {
            match moment(text) {
                Some(found) => at = Some(found),
                // Both can read much more than this.
                None if text.contains(|c: char| c.is_ascii_digit()) || is_relative(text) => plain = true,
                None => return process.fail(1, format!("invalid date '{text}'")).await,
            }
            continue;
        }
        match arg.strip_prefix('+') {
            Some(text) => format = text.to_owned(),
            None if arg == "-u" || arg == "--utc" => {}
            None if arg == "-Iseconds" || arg == "--iso-8601=seconds" => {
                "%Y-%m-%dT%H:%M:%S+00:00".clone_into(&mut format);
            }
            None if arg == "-R" => "%a, %d %b %Y %H:%M:%S +0000".clone_into(&mut format),
            None => plain = true,
        }
    }
    if plain {
        return Exit::not_simulated(format!("date {}", process.args().join(" ")));
    }
    let now = at.unwrap_or_else(|| process.clock.now());
    let nanos = now.subsec_nanosecond();
    // BusyBox takes the nanoseconds from nowhere: it prints the letter.
    let format = if process.image.is_busybox() { format } else { format.replace("%N", &format!("{nanos:09}")) };
    let zoned = now.to_zoned(jiff::tz::TimeZone::UTC);
    match jiff::fmt::strtime::format(&format, &zoned) {
        Ok(line) => ended(process.print(format!("{line}\n")).await.map(|()| Exit::SUCCESS)),
        Err(_) => Exit::not_simulated(format!("date +{format}")),
    }
}
