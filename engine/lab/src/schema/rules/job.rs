//! Jobs and CronJobs.
//!
//! Invariant: a Job's template is judged with the labels that the server itself has put there.

use serde_json::Value;

use super::report::{At, Report};
use super::{Subject, pod, selector};

pub(super) fn job(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    job_spec(&spec, report);
    let wanted = spec.field("selector");
    let labels = spec.field("template").field("metadata").field("labels");
    if spec.field("manualSelector").is(true) {
        if wanted.is_set() {
            selector::label_selector(&wanted, report);
        } else {
            report.required(&wanted, "");
        }
        if !wanted.is_set() || !selector::matches(&wanted, labels.value) {
            report.invalid(&labels, "`selector` does not match template `labels`");
        }
    } else if subject.old.is_none() && wanted.field("matchLabels").entries().count() > 1 {
        report.invalid(&wanted, "`selector` not auto-generated");
    }
    let Some(old) = subject.old_spec() else { return };
    let completions = spec.field("completions");
    if spec.field("completionMode").text() != "Indexed" {
        report.immutable(&old.field("completions"), &completions);
    }
    report.immutable(&old.field("selector"), &wanted);
    if old.field("template").value != spec.field("template").value && !old.field("suspend").is(true) {
        let template = spec.field("template");
        report.invalid_as(&template, &template.shown(), "field is immutable");
    }
    for name in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        report.immutable(&old.field(name), &spec.field(name));
    }
}

fn job_spec(spec: &At<'_>, report: &mut Report) {
    for name in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] {
        report.not_negative(&spec.field(name));
    }
    let mode = spec.field("completionMode");
    if mode.is_set() {
        report.one_of(&mode, &["NonIndexed", "Indexed"]);
        let completions = spec.field("completions");
        if mode.text() == "Indexed" && !completions.is_set() {
            report.required(&completions, "when completion mode is Indexed");
        }
    }
    let template = spec.field("template");
    pod::template(&template, report);
    let policy = template.field("spec").field("restartPolicy");
    match policy.text() {
        // The default of a pod is none that a Job can use.
        "Always" | "" => report.required(&policy, "valid values: \"OnFailure\", \"Never\""),
        _ => report.one_of(&policy, &["OnFailure", "Never"]),
    }
}

pub(super) fn cron_job(subject: &Subject<'_>, report: &mut Report) {
    const NAME_LIMIT: usize = 52;
    let spec = subject.spec();
    let at = spec.field("schedule");
    if at.is_empty() {
        report.required(&at, "");
    } else if let Some(problem) = schedule_problem(at.text()) {
        report.invalid(&at, &problem);
    }
    report.not_negative(&spec.field("startingDeadlineSeconds"));
    report.one_of(&spec.field("concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    for name in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        report.not_negative(&spec.field(name));
    }
    job_spec(&spec.field("jobTemplate").field("spec"), report);
    let name = subject.object.field("metadata").field("name");
    if subject.old.is_none() && name.text().len() > NAME_LIMIT {
        report.invalid(&name, &format!("must be no more than {NAME_LIMIT} characters"));
    }
}

/// What is wrong with a schedule, in the words of the server's parser.
fn schedule_problem(schedule: &str) -> Option<String> {
    if schedule.contains("TZ=") {
        return Some("cannot use TZ or CRON_TZ in schedule, use timeZone field instead".to_owned());
    }
    if schedule.starts_with('@') {
        let known = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        let fine = known.contains(&schedule) || schedule.starts_with("@every ");
        return (!fine).then(|| format!("unrecognized descriptor: {schedule}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != 5 {
        let listed = Value::from(fields.join(" "));
        let listed = listed.as_str().unwrap_or_default();
        return Some(format!("expected exactly 5 fields, found {}: [{listed}]", fields.len()));
    }
    let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    fields.iter().zip(bounds).find_map(|(field, bounds)| field.split(',').find_map(|part| part_problem(part, bounds)))
}

fn part_problem(part: &str, (low, high): (u32, u32)) -> Option<String> {
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    if let Some(step) = step {
        match step.parse::<u32>() {
            Ok(0) => return Some(format!("step of range should be a positive number: {part}")),
            Ok(_) => {}
            Err(_) => {
                return Some(format!(
                    "failed to parse int from {step}: strconv.Atoi: parsing {step:?}: invalid syntax"
                ));
            }
        }
    }
    if matches!(range, "*" | "?") {
        return None;
    }
    let (start, end) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| -> Result<u32, String> {
        named(text)
            .or_else(|| text.parse().ok())
            .ok_or_else(|| format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"))
    };
    let (start, end) = match (number(start), number(end)) {
        (Ok(start), Ok(end)) => (start, end),
        (Err(problem), _) | (_, Err(problem)) => return Some(problem),
    };
    if start < low {
        return Some(format!("beginning of range ({start}) below minimum ({low}): {part}"));
    }
    if end > high {
        return Some(format!("end of range ({end}) above maximum ({high}): {part}"));
    }
    (start > end).then(|| format!("beginning of range ({start}) beyond end of range ({end}): {part}"))
}

/// A month or a day of the week by its first three letters.
fn named(text: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let text = text.to_lowercase();
    let place = |names: &[&str], first: usize| names.iter().position(|name| *name == text).map(|at| at + first);
    u32::try_from(place(&MONTHS, 1).or_else(|| place(&DAYS, 0))?).ok()
}

#[cfg(test)]
mod tests {
    use super::schedule_problem;

    #[test]
    fn schedules_are_judged_as_recorded() {
        for fine in ["* * * * *", "*/5 0-3 1,15 jan-mar mon", "@daily", "@every 1h"] {
            assert_eq!(schedule_problem(fine), None, "{fine}");
        }
        assert_eq!(schedule_problem("x").as_deref(), Some("expected exactly 5 fields, found 1: [x]"));
        assert_eq!(schedule_problem("99 * * * *").as_deref(), Some("end of range (99) above maximum (59): 99"));
    }
}
