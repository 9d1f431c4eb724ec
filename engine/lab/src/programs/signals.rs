//! The signals by name and number, as on Linux.
//!
//! Invariant: names are written without `SIG`.

/// Names in the order of their numbers, from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "POLL",
    "PWR", "SYS",
];

/// The number of a signal given as a name, with or without `SIG`, or as a number.
pub(crate) fn number(text: &str) -> Option<u8> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let place = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
    let named = place.and_then(|place| u8::try_from(place + 1).ok());
    named.or_else(|| text.parse().ok().filter(|number| *number < 65))
}

/// The name of a signal.
pub(crate) fn name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number).checked_sub(1)?).copied()
}

/// How a signal's effect is told: `strsignal(3)`.
pub(crate) fn description(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        6 => "Aborted",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        _ => return None,
    })
}
