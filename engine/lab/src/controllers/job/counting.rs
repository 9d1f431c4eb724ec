//! Counting ended pods: noted by uid, let go, then counted.
//!
//! Invariant: the status names a pod as uncounted before its finalizer goes, so that no crash could count it twice or never.

use serde_json::{Value, json};

use super::{Pass, failure, index_of, is_tracked, texts, untracked};
use crate::controllers::event::Note;
use crate::controllers::object::{count, number};
use crate::controllers::plan::Action;
use crate::controllers::{condition, pods};
use crate::store::{GroupResource, meta};

impl Pass<'_> {
    /// Counts the pods that have ended so far.
    pub(super) fn count(&mut self) {
        let (job, noted) = (self.job, |list: &str| texts(self.job, &format!("/status/uncountedTerminatedPods/{list}")));
        let (noted_succeeded, noted_failed) = (noted("succeeded"), noted("failed"));
        let is_new = |pod: &Value, noted: &[&str]| is_tracked(pod) && !noted.contains(&meta::uid(pod));
        let tracked = self.pods.iter();
        let succeeded = tracked.filter(|pod| is_new(pod, &noted_succeeded) && pods::phase(pod) == "Succeeded").count();
        let failed = self
            .pods
            .iter()
            .filter(|pod| is_new(pod, &noted_failed) && failure::has_failed(job, pod) && failure::is_counted(job, pod));
        let failed = failed.count();
        let sum = |stored: &str, new: usize, noted: usize| count(job, stored) + i64::try_from(new + noted).unwrap_or(0);
        self.succeeded = sum("/status/succeeded", succeeded, noted_succeeded.len());
        self.failed = sum("/status/failed", failed, noted_failed.len());
        if self.is_indexed() {
            let wanted = usize::try_from(count(job, "/spec/completions")).unwrap_or(0);
            for pod in self.pods.iter().filter(|pod| is_tracked(pod) && pods::phase(pod) == "Succeeded") {
                if let Some(index) = index_of(pod).filter(|index| *index < wanted) {
                    self.completed.insert(index);
                }
            }
            self.completed.retain(|index| index < wanted);
            self.succeeded = i64::try_from(self.completed.len()).unwrap_or(0);
            if number(job, "/spec/backoffLimitPerIndex").is_some() {
                self.failed_indexes = Some(failure::failed_indexes(job, &self.pods, &self.completed));
            }
        }
    }

    /// Writes the status down and lets ended pods go. `verdict` is the condition that announces the end, if it has come.
    pub(super) fn track(&mut self, verdict: Option<Value>) {
        let ended = verdict.is_some();
        let failing = verdict.as_ref().is_some_and(|verdict| verdict["type"] == "FailureTarget");
        let known = |list: &str| -> Vec<String> {
            let noted = texts(self.job, &format!("/status/uncountedTerminatedPods/{list}"));
            noted.into_iter().map(str::to_owned).collect()
        };
        let (mut succeeded, mut failed) = (known("succeeded"), known("failed"));
        let mut freed = Vec::new();
        for pod in self.pods.iter().filter(|pod| is_tracked(pod)) {
            let has_failed = failure::has_failed(self.job, pod);
            let has_succeeded = pods::phase(pod) == "Succeeded";
            if !(meta::is_deleting(self.job) || ended || has_succeeded || has_failed) {
                continue;
            }
            freed.push(pod.clone());
            let uid = meta::uid(pod).to_owned();
            if has_succeeded {
                if !self.is_indexed() && !succeeded.contains(&uid) {
                    succeeded.push(uid);
                }
            } else if (has_failed || failing) && !failed.contains(&uid) && failure::is_counted(self.job, pod) {
                failed.push(uid);
            }
        }
        if let Some(verdict) = &verdict
            && !self.conditions.iter().any(|known| known["type"] == verdict["type"] && known["status"] == "True")
        {
            self.conditions.push(verdict.clone());
        }
        let (base_succeeded, base_failed) = self.base();
        let uncounted = uncounted(&succeeded, &failed);
        let interim = self.status(&uncounted, base_succeeded, base_failed);
        let resource = GroupResource::JOBS;
        let is_changed = self.job.get("status") != Some(&interim);
        self.plan.set_status(&resource, self.job, interim);
        for pod in &freed {
            self.plan.push(Action::Update(GroupResource::PODS, untracked(pod)));
        }
        let number = |list: &[String]| i64::try_from(list.len()).unwrap_or(0);
        let total_succeeded = base_succeeded + number(&succeeded);
        let total_failed = base_failed + number(&failed);
        let is_over = ended && self.terminating == 0;
        if let Some(verdict) = verdict.filter(|_| is_over) {
            let kind = if failing { "Failed" } else { "Complete" };
            let text = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
            let last = self.condition(kind, "True", &text("reason"), &text("message"));
            condition::remove(&mut self.conditions, kind);
            self.conditions.push(last);
        }
        let counted = self.status(&json!({}), total_succeeded, total_failed);
        if is_changed || self.job.get("status") != Some(&counted) {
            let mut job = self.job.clone();
            job["status"] = counted;
            self.plan.push(Action::UpdateStatus(resource, job));
        }
        if is_over {
            let end = self.conditions.last().cloned().unwrap_or_default();
            self.tell_end(&end, total_succeeded);
        }
    }

    /// What is counted for good; of an indexed Job the completed indexes are the count.
    fn base(&self) -> (i64, i64) {
        let succeeded = if self.is_indexed() { self.succeeded } else { count(self.job, "/status/succeeded") };
        (succeeded, count(self.job, "/status/failed"))
    }

    fn tell_end(&mut self, end: &Value, succeeded: i64) {
        use super::COMPONENT;
        if end["type"] == "Complete" {
            if number(self.job, "/spec/completions").is_some_and(|wanted| succeeded > wanted) {
                let message = "Too many succeeded pods running after completion count reached";
                let note = Note::warning(self.job, COMPONENT, "TooManySucceededPods", message);
                self.plan.push(Action::Tell(note));
            }
            self.plan.push(Action::Tell(Note::normal(self.job, COMPONENT, "Completed", "Job completed")));
            return;
        }
        let reason = super::verdict::FAILURES.into_iter().find(|reason| end["reason"] == *reason);
        let message = end["message"].as_str().unwrap_or_default();
        if let Some(reason) = reason {
            self.plan.push(Action::Tell(Note::warning(self.job, COMPONENT, reason, message)));
        }
    }
}

fn uncounted(succeeded: &[String], failed: &[String]) -> Value {
    let mut uncounted = json!({});
    for (key, list) in [("succeeded", succeeded), ("failed", failed)] {
        if !list.is_empty() {
            uncounted[key] = json!(list);
        }
    }
    uncounted
}
