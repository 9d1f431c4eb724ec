//! `seq`
//!
//! Invariant: how many numbers come out is bounded.

use super::opts::Opts;
use crate::process::{Exit, Process};

/// How many numbers one call prints at most: it has no reason to pause, so more would hold up the whole lab.
const MAX_SEQ: u64 = 1_000_000;

/// `seq [-w] [-s TEXT] [FIRST [STEP]] LAST`
pub(super) async fn main(process: Process) -> Exit {
    // A negative number is no option.
    let negative = |arg: &String| arg.starts_with('-') && arg[1..].starts_with(|c: char| c.is_ascii_digit());
    let count = process.args().iter().take_while(|arg| arg.starts_with('-') && !negative(arg)).count();
    let separated = process.args().first().is_some_and(|arg| arg == "-s");
    let (options, numbers) = process.args().split_at((count + usize::from(separated)).min(process.args().len()));
    let caller = Process { argv: [&process.argv[..1], options].concat(), ..process.clone() };
    let opts = match Opts::parse(&caller, "ws:", &[("separator", 's'), ("equal-width", 'w')]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    if numbers.is_empty() {
        return super::usage::incomplete(&process, 1).await;
    }
    if let Some(odd) = numbers.iter().find(|text| text.parse::<f64>().is_err()) {
        if process.image.is_busybox() {
            return super::usage::busybox(&process);
        }
        process.fail(1, format!("invalid floating point argument: '{odd}'")).await;
        process.warn("Try 'seq --help' for more information.\n").await;
        return Exit::FAILURE;
    }
    // Fractions are counted in units of their last decimal.
    let decimals = |text: &String| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let places = match numbers {
        [_] => 0,
        [first, _] => decimals(first),
        [first, step, ..] => decimals(first).max(decimals(step)),
        [] => 0,
    };
    if places > 9 || numbers.iter().any(|text| text.contains(['e', 'E', 'n', 'i'])) || numbers.len() > 3 {
        return Exit::not_simulated(format!("seq {}", process.args().join(" ")));
    }
    let scale = 10f64.powi(i32::try_from(places).unwrap_or(0));
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
    let unit = |text: &String| (text.parse::<f64>().unwrap_or(0.0) * scale + 1e-6).floor() as i64;
    let one = unit(&"1".to_owned());
    let (first, step, last) = match numbers {
        [last] => (one, one, unit(last)),
        [first, last] => (unit(first), one, unit(last)),
        [first, step, last, ..] => (unit(first), unit(step), unit(last)),
        [] => (one, one, 0),
    };
    if step == 0 {
        return Exit::not_simulated("seq without a step");
    }
    let span = if step > 0 { last.saturating_sub(first) } else { first.saturating_sub(last) };
    if span > 0 && span.unsigned_abs() / step.unsigned_abs() > MAX_SEQ {
        return Exit::not_simulated(format!("seq of more than {MAX_SEQ} numbers"));
    }
    let shown = |number: i64, width: usize| {
        let sign = if number < 0 { "-" } else { "" };
        let digits = number.unsigned_abs();
        let text = if places == 0 {
            digits.to_string()
        } else {
            let base = 10u64.pow(u32::try_from(places).unwrap_or(0));
            format!("{}.{:0places$}", digits / base, digits % base)
        };
        let width = width.saturating_sub(sign.len());
        format!("{sign}{text:0>width$}")
    };
    let width = if opts.has('w') { shown(first, 0).len().max(shown(last, 0).len()) } else { 0 };
    let separator = opts.value('s').unwrap_or("\n").to_owned();
    let mut at = Some(first);
    let mut started = false;
    while let Some(number) = at.filter(|&number| if step > 0 { number <= last } else { number >= last }) {
        let before = if started { separator.as_str() } else { "" };
        if let Err(exit) = process.print(format!("{before}{}", shown(number, width))).await {
            return exit;
        }
        started = true;
        at = number.checked_add(step);
    }
    if started && let Err(exit) = process.print("\n").await {
        return exit;
    }
    Exit::SUCCESS
}
