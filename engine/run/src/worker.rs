//! Carries out one step: its verb, then what stands beside it, under the step's time-out.
//!
//! It tells everything through the recorder and decides nothing about other steps.

use std::sync::Arc;

use periplus_core::event::{AttemptResult, EventKind};
use periplus_core::jsonpath::JsonPath;
use periplus_core::model::verb::Verb;
use periplus_core::model::{Capture, CaptureFrom, Effect, Retry, Step};
use periplus_core::outcome::{Failure, FailureKind, StepOutcome};
use periplus_core::template::Condition;
use serde_json::Value;

use crate::bench::Bench;
use crate::broken::Broken;
use crate::observation::{self, Verdict};
use crate::recorder::Recorder;
use crate::scheduler::Carrier;
use crate::verbs::{self, Done};

impl Carrier for Bench {
    fn is_wanted(&self, step: usize) -> Result<bool, Failure> {
        let Some(when) = &self.plan.step(step).when else { return Ok(true) };
        let failure = |message: String| Broken::failed(FailureKind::Render, message).failure;
        let condition = Condition::parse(&when.raw).map_err(|problem| failure(problem.message))?;
        condition.eval(&self.scope()).map_err(|error| failure(format!("`when` cannot be decided: {error}")))
    }

    async fn carry_out(self: Arc<Self>, position: usize) {
        let step = self.plan.step(position);
        let recorder = self.recorder(step);
        let together: Vec<usize> =
            std::iter::once(position).chain(self.plan.judged_by(position).iter().copied()).collect();
        for one in &together {
            recorder.tell(EventKind::StepStarted { step: self.plan.step(*one).id.value.clone() });
        }
        let work = self.work(&recorder, position);
        let verdicts = match step.timeout {
            None => work.await,
            Some(timeout) => tokio::time::timeout(timeout.get(), work).await.unwrap_or_else(|_| {
                let what = format!("it did not end within {timeout}");
                let broken = Broken::failed(FailureKind::Timeout, what).advise("Raise the step's `timeout:`.");
                vec![Verdict { position, result: Err(broken) }]
            }),
        };
        self.tell_ends(&recorder, &together, verdicts);
    }
}

impl Bench {
    async fn work(&self, recorder: &Recorder, position: usize) -> Vec<Verdict> {
        let step = self.plan.step(position);
        let mut verdicts = match &step.verb {
            Verb::Exec(exec) => observation::observe(self, recorder, position, exec).await,
            _ => {
                let result = self.attempts(recorder, position).await;
                vec![Verdict { position, result }]
            }
        };
        if let Some(own) = verdicts.iter_mut().find(|verdict| verdict.position == position)
            && let Ok(done) = &mut own.result
            && let Err(broken) = self.beside(recorder, step, done).await
        {
            own.result = Err(match &done.kubectl {
                Some(kubectl) => broken.by_hand(kubectl),
                None => broken,
            });
        }
        verdicts
    }

    /// Carries out a verb that is no observation; a change that fails in passing is repeated as `retry` says.
    async fn attempts(&self, recorder: &Recorder, position: usize) -> Result<Done, Broken> {
        let step = self.plan.step(position);
        let retry = step.retry.filter(|_| step.effect() == Effect::Change);
        let attempts = retry.map_or(1, |retry| retry.attempts);
        for attempt in 1.. {
            verbs::mark_logs(self, recorder, position, attempt).await?;
            recorder.tell(EventKind::AttemptStarted { step: step.id.value.clone(), attempt });
            let result = self.verb(recorder, position).await;
            let told = match &result {
                Ok(_) => AttemptResult::Held,
                Err(broken) if broken.inconclusive => {
                    AttemptResult::Inconclusive { cause: broken.failure.summary.clone() }
                }
                Err(broken) if broken.failure.kind == FailureKind::Check => {
                    AttemptResult::NotHeld { mismatches: broken.failure.mismatches.clone() }
                }
                Err(broken) => AttemptResult::Failed { cause: broken.failure.summary.clone() },
            };
            recorder.tell(EventKind::AttemptFinished {
                step: step.id.value.clone(),
                attempt,
                result: told,
                exec: None,
            });
            match result {
                Err(broken) if broken.transient && attempt < attempts => {
                    recorder.waiting(format!("another try, {} of {attempts}: {}", attempt + 1, broken.failure.summary));
                    tokio::time::sleep(pause(retry.unwrap_or_default(), attempt)).await;
                }
                result => return result,
            }
        }
        unreachable!("attempts are counted until one of them returns")
    }

    async fn verb(&self, recorder: &Recorder, position: usize) -> Result<Done, Broken> {
        let step = self.plan.step(position);
        match &step.verb {
            Verb::Apply(apply) => verbs::apply(self, recorder, step, apply).await,
            Verb::Delete(delete) => verbs::delete(self, recorder, step, delete).await,
            Verb::Patch(patch) => verbs::patch(self, recorder, step, patch).await,
            Verb::Get(get) => verbs::get(self, step, get).await,
            Verb::Wait(wait) => verbs::await_objects(self, recorder, step, wait, &[]).await,
            Verb::ExpectObject(expect) => verbs::expect_object(self, recorder, step, expect).await,
            Verb::LogGrep(grep) => verbs::grep(self, recorder, position, grep).await,
            Verb::ExpectOutput(expect) => observation::judge_again(self, recorder, position, expect),
            Verb::Exec(_) => Err(Broken::failed(FailureKind::Render, "an exec is carried out as an observation")),
        }
    }

    /// What stands beside a verb, in the format's order: wait, expect-object, captures. Checks on output belong to the
    /// observation.
    async fn beside(&self, recorder: &Recorder, step: &Step, done: &mut Done) -> Result<(), Broken> {
        if let Some(wait) = &step.wait {
            let waited = verbs::await_objects(self, recorder, step, wait, &done.written).await?;
            if !waited.note.is_empty() {
                done.note = if done.note.is_empty() { waited.note } else { format!("{}; {}", done.note, waited.note) };
            }
        }
        if let Some(expect) = &step.expect_object {
            verbs::expect_object(self, recorder, step, expect).await?;
        }
        if let Some(object) = &done.object {
            for (name, capture) in &step.capture {
                self.capture(recorder, name, capture, object, done.secret)?;
            }
        }
        Ok(())
    }

    fn capture(
        &self,
        recorder: &Recorder,
        name: &str,
        capture: &Capture,
        object: &Value,
        secret: bool,
    ) -> Result<(), Broken> {
        let CaptureFrom::Path(path) = &capture.from else { return Ok(()) };
        let path = self.text(path)?;
        let failed = |what: String| Broken::failed(FailureKind::Check, what);
        let parsed = JsonPath::parse(&path).map_err(|error| failed(error.to_string()))?;
        let value = match (parsed.text(object), &capture.default) {
            (Some(found), _) => found,
            (None, Some(default)) => self.text(default)?,
            (None, None) => {
                return Err(failed(format!("{path} is not there, so {name} has no value"))
                    .advise("Give the capture a `default:`, or check its path with `kubectl get … -o jsonpath=…`."));
            }
        };
        self.keep_capture(name, &value, secret);
        recorder.captured(name, if secret { "***" } else { &value });
        Ok(())
    }

    /// Tells how each step that was carried out together ended.
    fn tell_ends(&self, recorder: &Recorder, together: &[usize], mut verdicts: Vec<Verdict>) {
        let own = self.plan.step(together[0]).id.value.clone();
        for &one in together {
            let step = self.plan.step(one).id.value.clone();
            let verdict =
                verdicts.iter().position(|verdict| verdict.position == one).map(|at| verdicts.swap_remove(at));
            let (outcome, kubectl) = match verdict.map(|verdict| verdict.result) {
                Some(Ok(done)) => (StepOutcome::Passed { note: done.note, seen: done.seen }, done.kubectl),
                Some(Err(mut broken)) => {
                    let kubectl = broken.kubectl.take();
                    (broken.into_outcome(), kubectl)
                }
                None => (StepOutcome::Blocked { by: vec![own.clone()] }, None),
            };
            recorder.tell(EventKind::StepFinished { step, outcome, kubectl });
        }
    }
}

/// The pause after an attempt: doubled each time, up to the bound.
fn pause(retry: Retry, attempt: u32) -> std::time::Duration {
    let doubled = retry.backoff.initial.get().checked_mul(1 << (attempt - 1).min(20));
    doubled.unwrap_or_else(|| retry.backoff.max.get()).min(retry.backoff.max.get())
}
