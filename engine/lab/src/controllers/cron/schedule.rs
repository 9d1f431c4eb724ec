//! Cron schedules, in UTC.
//!
//! Invariant: the next time of a schedule lies after the time asked for, and is found in a bounded number of steps.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Days that are looked through for the next time: a leap day comes within eight years.
const DAYS: u32 = 366 * 8;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Times that come again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// Moments of the calendar: bits of minutes, hours, days, months, weekdays; and whether days and weekdays are free.
    Calendar { minutes: u64, hours: u64, days: u64, months: u64, weekdays: u64, free: [bool; 2] },
    /// Every so many seconds.
    Every(u32),
}

impl Schedule {
    /// Reads five fields or a name such as `@hourly` or `@every 5m`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('@') {
            let fields = match name {
                "yearly" | "annually" => "0 0 1 1 *",
                "monthly" => "0 0 1 * *",
                "weekly" => "0 0 * * 0",
                "daily" | "midnight" => "0 0 * * *",
                "hourly" => "0 * * * *",
                _ => {
                    let span: SignedDuration = name.strip_prefix("every ")?.trim().parse().ok()?;
                    return Some(Self::Every(u32::try_from(span.as_secs().max(1)).ok()?));
                }
            };
            return Self::parse(fields);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return None };
        let is_free = |field: &str| field.split(',').any(|part| matches!(part.split('/').next(), Some("*" | "?")));
        Some(Self::Calendar {
            minutes: bits(minutes, 0, 59, &[])?,
            hours: bits(hours, 0, 23, &[])?,
            days: bits(days, 1, 31, &[])?,
            months: bits(months, 1, 12, &MONTHS)?,
            // 7 is no weekday here, unlike in other crons.
            weekdays: bits(weekdays, 0, 6, &WEEKDAYS)?,
            free: [is_free(days), is_free(weekdays)],
        })
    }

    /// The first of its times after `at`.
    pub(super) fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let Self::Calendar { minutes, hours, .. } = self else {
            let Self::Every(seconds) = self else { return None };
            let whole = Timestamp::from_second(at.as_second()).ok()?;
            return whole.checked_add(SignedDuration::from_secs(i64::from(*seconds))).ok();
        };
        let now = TimeZone::UTC.to_datetime(at);
        let mut date = now.date();
        let mut earliest = i32::from(now.hour()) * 60 + i32::from(now.minute()) + 1;
        for _ in 0..DAYS {
            if self.has_day(date) {
                let minute = (earliest..24 * 60).find(|minute| has(*hours, minute / 60) && has(*minutes, minute % 60));
                if let Some(minute) = minute {
                    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
                    let found: DateTime = date.at(hour, minute, 0, 0);
                    return TimeZone::UTC.to_timestamp(found).ok();
                }
            }
            date = date.checked_add(1.day()).ok()?;
            earliest = 0;
        }
        None
    }

    /// Seconds that lie between two of its times at least.
    pub(super) fn least_distance(&self) -> u32 {
        match self {
            Self::Calendar { .. } => 60,
            Self::Every(seconds) => *seconds,
        }
    }

    fn has_day(&self, date: Date) -> bool {
        let Self::Calendar { days, months, weekdays, free, .. } = self else { return true };
        let day = has(*days, i32::from(date.day()));
        let weekday = has(*weekdays, i32::from(date.weekday().to_sunday_zero_offset()));
        // If both are given, either will do.
        let fits = if free.contains(&true) { day && weekday } else { day || weekday };
        has(*months, i32::from(date.month())) && fits
    }
}

fn has(bits: u64, place: i32) -> bool {
    u32::try_from(place).is_ok_and(|place| bits & (1_u64.checked_shl(place).unwrap_or(0)) != 0)
}

/// The places that a field names: lists of `*`, numbers, names and ranges, each with a step.
fn bits(field: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    let place = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match named {
            Some(index) => u32::try_from(index).ok().map(|index| index + least),
            None => text.parse::<u32>().ok(),
        }
        .filter(|place| (least..=most).contains(place))
    };
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (least, most),
            Some((first, last)) => (place(first)?, place(last)?),
            // A number with a step goes on to the end.
            None => (place(range)?, if step.is_some() { most } else { place(range)? }),
        };
        if first > last {
            return None;
        }
        for place in (first..=last).step_by(step.unwrap_or(1)) {
            bits |= 1_u64 << place;
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(schedule: &str, at: &str) -> String {
        let schedule = Schedule::parse(schedule).unwrap();
        schedule.next(at.parse().unwrap()).map(|at| at.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_next_time_is_that_of_the_calendar() {
        // 2026-01-01 is a Thursday.
        for (schedule, at, expected) in [
            ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"),
            ("* * * * *", "2026-01-01T00:00:59Z", "2026-01-01T00:01:00Z"),
            ("*/5 * * * *", "2026-01-01T00:58:00Z", "2026-01-01T01:00:00Z"),
            ("30 3 * * *", "2026-01-01T03:30:00Z", "2026-01-02T03:30:00Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 * * mon-fri", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z"),
            ("0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("0 0 31 feb *", "2026-01-01T00:00:00Z", ""),
            ("5/20 * * * *", "2026-01-01T00:10:00Z", "2026-01-01T00:25:00Z"),
            ("@hourly", "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z"),
            ("@weekly", "2026-01-01T00:10:00Z", "2026-01-04T00:00:00Z"),
            ("@every 90s", "2026-01-01T00:10:00Z", "2026-01-01T00:11:30Z"),
        ] {
            assert_eq!(next(schedule, at), expected, "{schedule} after {at}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in
            ["", "* * * *", "60 * * * *", "* * * * 7", "a * * * *", "*/0 * * * *", "5-1 * * * *", "@never", "@every x"]
        {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_next_time_lies_ahead(text in "[-*/,0-9 a-z@]{0,20}", second in 0_i64..4_000_000_000) {
            let at = Timestamp::from_second(second).unwrap();
            if let Some(next) = Schedule::parse(&text).and_then(|schedule| schedule.next(at)) {
                prop_assert!(next > at);
            }
        }
    }
}
