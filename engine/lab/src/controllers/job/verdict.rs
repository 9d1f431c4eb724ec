//! When a Job ends, and why.
//!
//! Invariant: an end that was announced stays the end.

use serde_json::{Value, json};

use super::indexes::Indexes;
use super::{COMPONENT, Pass, failure};
use crate::clock::rfc3339_seconds;
use crate::controllers::event::Note;
use crate::controllers::object::{after, count, list, number, text};
use crate::controllers::plan::Action;

/// The reasons for which Jobs fail.
pub(super) const FAILURES: [&str; 5] =
    ["BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "MaxFailedIndexesExceeded", "FailedIndexes"];

impl Pass<'_> {
    /// A condition that begins now.
    pub(super) fn condition(&self, kind: &str, status: &str, reason: &str, message: &str) -> Value {
        let now = rfc3339_seconds(self.view.now());
        json!({
            "type": kind, "status": status, "lastProbeTime": now, "lastTransitionTime": now,
            "reason": reason, "message": message,
        })
    }

    /// The condition that announces success.
    pub(super) fn success(&self) -> Value {
        self.condition("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods")
    }

    /// The condition that announces the end, if it has come.
    pub(super) fn verdict(&mut self) -> Option<Value> {
        let announced =
            |kind: &str| self.conditions.iter().find(|known| known["type"] == kind && known["status"] == "True");
        if let Some(known) = announced("SuccessCriteriaMet").or_else(|| announced("FailureTarget")) {
            return Some(known.clone());
        }
        if let Some(why) = failure::ends_job(self.job, &self.pods) {
            return Some(self.condition("FailureTarget", "True", "PodFailurePolicy", &why));
        }
        self.limits().or_else(|| self.index_limits()).or_else(|| self.success_policy())
    }

    fn limits(&mut self) -> Option<Value> {
        let limit = count(self.job, "/spec/backoffLimit");
        let restarted = failure::restarts(self.job, &self.pods)
            .is_some_and(|restarts| if limit == 0 { restarts > 0 } else { restarts >= limit });
        if self.failed > limit || restarted {
            let message = "Job has reached the specified backoff limit";
            return Some(self.condition("FailureTarget", "True", "BackoffLimitExceeded", message));
        }
        let seconds = number(self.job, "/spec/activeDeadlineSeconds").filter(|_| !self.is_suspended())?;
        let due = after(self.started.as_str()?.parse().ok()?, seconds);
        if due > self.view.now() {
            self.plan.look_again(due);
            return None;
        }
        let message = "Job was active longer than specified deadline";
        Some(self.condition("FailureTarget", "True", "DeadlineExceeded", message))
    }

    fn index_limits(&self) -> Option<Value> {
        let failed = self.failed_indexes.as_ref()?.len();
        let most = number(self.job, "/spec/maxFailedIndexes").and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| failed > most) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(self.condition("FailureTarget", "True", "MaxFailedIndexesExceeded", message));
        }
        let completions = usize::try_from(count(self.job, "/spec/completions")).unwrap_or(0);
        let is_over = failed > 0 && failed + self.completed.len() >= completions;
        is_over.then(|| self.condition("FailureTarget", "True", "FailedIndexes", "Job has failed indexes"))
    }

    fn success_policy(&self) -> Option<Value> {
        if !self.is_indexed() || self.completed.len() == 0 {
            return None;
        }
        let rules = list(self.job, "/spec/successPolicy/rules").iter();
        let met = rules.enumerate().find(|(_, rule)| {
            let least = number(rule, "/succeededCount").and_then(|least| usize::try_from(least).ok());
            match text(rule, "/succeededIndexes").map(Indexes::parse) {
                Some(wanted) => self.completed.common(&wanted) >= least.unwrap_or(wanted.len()) && wanted.len() > 0,
                None => least.is_some_and(|least| self.completed.len() >= least),
            }
        });
        let (index, _) = met?;
        let message = format!("Matched rules at index {index}");
        Some(self.condition("SuccessCriteriaMet", "True", "SuccessPolicy", &message))
    }

    /// A Job that is halted or goes on again says so.
    pub(super) fn note_suspension(&mut self) {
        let known = self.conditions.iter().position(|known| known["type"] == "Suspended");
        let is_suspended = self.is_suspended();
        let is_noted = known.is_some_and(|index| self.conditions[index]["status"] == "True");
        if is_suspended == is_noted {
            return;
        }
        let (status, reason, event, message) = if is_suspended {
            ("True", "JobSuspended", "Suspended", "Job suspended")
        } else {
            ("False", "JobResumed", "Resumed", "Job resumed")
        };
        let condition = self.condition("Suspended", status, reason, message);
        match known {
            Some(index) => self.conditions[index] = condition,
            None => self.conditions.push(condition),
        }
        self.plan.push(Action::Tell(Note::normal(self.job, COMPONENT, event, message)));
        if !is_suspended {
            self.started = rfc3339_seconds(self.view.now()).into();
        }
    }
}
