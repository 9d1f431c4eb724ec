//! CronJobs: a Job at each of the times that a schedule names.
//!
//! Invariant: a scheduled time has one Job at most, because the Job's name is made from the time.

mod schedule;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::schedule::Schedule;
use super::event::Note;
use super::object::{after, created, flag, list, number, text, time};
use super::owned::owner_reference;
use super::plan::{Action, Plan, Told, View};
use super::{condition, job};
use crate::clock::rfc3339_seconds;
use crate::store::{GroupResource, meta};

const COMPONENT: &str = "cronjob-controller";
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Scheduled times in a row that may be missed before it is told.
const MISSED: usize = 100;

/// Compares the Jobs of a CronJob with its schedule.
pub(super) fn reconcile(view: &View<'_>, cron: &Value) -> Plan {
    let jobs = view.controlled(&GroupResource::JOBS, cron);
    let mut pass = Pass {
        view,
        cron,
        active: list(cron, "/status/active").to_vec(),
        last_scheduled: cron.pointer("/status/lastScheduleTime").cloned().unwrap_or_default(),
        last_successful: cron.pointer("/status/lastSuccessfulTime").cloned().unwrap_or_default(),
        plan: Plan::default(),
    };
    pass.follow(&jobs);
    if !meta::is_deleting(cron) && view.trouble.is_none() {
        pass.forget(&jobs);
        pass.start(&jobs);
    }
    let status = pass.status();
    let mut plan = pass.plan;
    plan.set_status(&GroupResource::CRON_JOBS, cron, status);
    plan
}

struct Pass<'a> {
    view: &'a View<'a>,
    cron: &'a Value,
    active: Vec<Value>,
    last_scheduled: Value,
    last_successful: Value,
    plan: Plan,
}

impl Pass<'_> {
    fn normal(&mut self, reason: &'static str, message: String) {
        self.plan.push(Action::Tell(Note::normal(self.cron, COMPONENT, reason, message)));
    }

    fn warning(&mut self, reason: &'static str, message: String) {
        self.plan.push(Action::Tell(Note::warning(self.cron, COMPONENT, reason, message)));
    }

    /// Brings the list of running Jobs up to date.
    fn follow(&mut self, jobs: &[Arc<Value>]) {
        for job in jobs {
            let listed = self.active.iter().position(|known| known["uid"] == meta::uid(job));
            match (listed, job::is_finished(job)) {
                (Some(index), true) => {
                    self.active.remove(index);
                    let end = if condition::is_true(job, "Complete") { "Complete" } else { "Failed" };
                    self.normal("SawCompletedJob", format!("Saw completed job: {}, condition: {end}", meta::name(job)));
                }
                (None, false) => match meta::annotation(job, SCHEDULED_AT) {
                    Some(at) => {
                        self.last_scheduled = utc(at);
                        self.active.push(reference(job));
                    }
                    None => {
                        let message =
                            format!("Saw a job that the controller did not create or forgot: {}", meta::name(job));
                        self.warning("UnexpectedJob", message);
                    }
                },
                (None, true) => {
                    // It ended before it was ever seen running.
                    let at = meta::annotation(job, SCHEDULED_AT).map(utc);
                    if let Some(at) = at.filter(|at| self.last_scheduled.as_str() < at.as_str()) {
                        self.last_scheduled = at;
                    }
                }
                (Some(_), false) => {}
            }
            let ended = job.pointer("/status/completionTime").filter(|_| condition::is_true(job, "Complete"));
            if let Some(ended) = ended.filter(|ended| ended.as_str() > self.last_successful.as_str()) {
                self.last_successful = ended.clone();
            }
        }
        let is_there = |known: &Value| jobs.iter().any(|job| known["uid"] == meta::uid(job));
        let (kept, missing): (Vec<_>, Vec<_>) = std::mem::take(&mut self.active).into_iter().partition(is_there);
        self.active = kept;
        for job in missing {
            let name = job["name"].as_str().unwrap_or_default();
            self.normal("MissingJob", format!("Active job went missing: {name}"));
        }
    }

    /// Deletes finished Jobs beyond the limits, the oldest first.
    fn forget(&mut self, jobs: &[Arc<Value>]) {
        for (kind, field, default) in
            [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
        {
            let limit = number(self.cron, &format!("/spec/{field}")).unwrap_or(default);
            let mut ended: Vec<_> =
                jobs.iter().filter(|job| condition::is_true(job, kind) && !meta::is_deleting(job)).collect();
            ended.sort_by_key(|job| (time(job, "/status/startTime"), meta::name(job).to_owned()));
            let surplus = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            for job in ended.into_iter().take(surplus) {
                self.delete(job);
            }
        }
    }

    fn delete(&mut self, job: &Value) {
        self.plan.push(Action::delete(&GroupResource::JOBS, job));
        self.normal("SuccessfulDelete", format!("Deleted job {}", meta::name(job)));
    }

    /// Starts the Job whose time has come.
    fn start(&mut self, jobs: &[Arc<Value>]) {
        if flag(self.cron, "/spec/suspend") {
            return;
        }
        if let Some(zone) = text(self.cron, "/spec/timeZone").filter(|zone| !matches!(*zone, "UTC" | "Etc/UTC")) {
            return self.warning("UnknownTimeZone", format!("not simulated: time zone {zone:?}"));
        }
        let text = text(self.cron, "/spec/schedule").unwrap_or_default();
        let Some(schedule) = Schedule::parse(text) else {
            let message = format!("unparseable schedule: {text:?}");
            return self.warning("UnparseableSchedule", message);
        };
        let now = self.view.now();
        let next = schedule.next(now);
        if let Some(next) = next {
            self.plan.look_again(next);
        }
        let Some(due) = self.last_due(&schedule, now) else { return };
        let deadline = number(self.cron, "/spec/startingDeadlineSeconds");
        if deadline.is_some_and(|seconds| after(due, seconds) < now) {
            let at = due.strftime("%a, %d %b %Y %H:%M:%S UTC");
            return self.warning("MissSchedule", format!("Missed scheduled time to start a job: {at}"));
        }
        let name = format!("{}-{}", meta::name(self.cron), due.as_second() / 60);
        if jobs.iter().any(|job| meta::name(job) == name) {
            return;
        }
        match crate::controllers::object::text(self.cron, "/spec/concurrencyPolicy") {
            Some("Forbid") if !self.active.is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                return self.normal("JobAlreadyActive", message.to_owned());
            }
            Some("Replace") => {
                let running = jobs.iter().filter(|job| self.active.iter().any(|known| known["uid"] == meta::uid(job)));
                for job in running.cloned().collect::<Vec<_>>() {
                    self.delete(&job);
                }
                self.active.clear();
            }
            _ => {}
        }
        let told = Told {
            made: Note::normal(self.cron, COMPONENT, "SuccessfulCreate", "Created job "),
            refused: Note::warning(self.cron, COMPONENT, "FailedCreate", "Error creating job: "),
            name_follows: true,
        };
        let job = new_job(self.cron, &name, due);
        self.plan.push(Action::CreateAndTell(GroupResource::JOBS, job, Box::new(told)));
    }

    /// The last scheduled time that has come and was not dealt with.
    fn last_due(&mut self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        let known = self.last_scheduled.as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let mut from = known.unwrap_or_else(|| created(self.cron));
        if let Some(seconds) = number(self.cron, "/spec/startingDeadlineSeconds") {
            from = from.max(after(now, -seconds));
        }
        let (mut due, mut missed) = (None, 0);
        while let Some(next) = schedule.next(from).filter(|next| *next <= now) {
            (due, from) = (Some(next), next);
            missed += 1;
            if missed > MISSED {
                let message =
                    "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                self.warning("TooManyMissedTimes", message.to_owned());
                // The time before the next one is at hand without going through all of them.
                let next = schedule.next(now)?;
                let before = after(next, -i64::from(schedule.least_distance()));
                return schedule.next(after(before, -1)).filter(|at| *at <= now).or(due);
            }
        }
        due
    }

    fn status(&self) -> Value {
        let mut status = json!({});
        if !self.active.is_empty() {
            status["active"] = self.active.clone().into();
        }
        for (key, at) in [("lastScheduleTime", &self.last_scheduled), ("lastSuccessfulTime", &self.last_successful)] {
            if !at.is_null() {
                status[key] = at.clone();
            }
        }
        status
    }
}

fn utc(at: &str) -> Value {
    at.parse::<Timestamp>().map_or(Value::Null, |at| rfc3339_seconds(at).into())
}

fn reference(job: &Value) -> Value {
    json!({
        "kind": "Job", "namespace": meta::namespace(job), "name": meta::name(job), "uid": meta::uid(job),
        "apiVersion": "batch/v1", "resourceVersion": meta::resource_version(job),
    })
}

fn new_job(cron: &Value, name: &str, due: Timestamp) -> Value {
    let template = cron.pointer("/spec/jobTemplate").cloned().unwrap_or_default();
    let mut metadata = json!({"name": name, "namespace": meta::namespace(cron)});
    let own = |key: &str| template.get("metadata").and_then(|metadata| metadata.get(key)).cloned();
    if let Some(labels) = own("labels") {
        metadata["labels"] = labels;
    }
    metadata["annotations"] = own("annotations").unwrap_or_else(|| json!({}));
    metadata["annotations"][SCHEDULED_AT] = rfc3339_seconds(due).into();
    metadata["ownerReferences"] = json!([owner_reference(cron, "batch/v1", "CronJob")]);
    let spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
    json!({"kind": "Job", "apiVersion": "batch/v1", "metadata": metadata, "spec": spec})
}
