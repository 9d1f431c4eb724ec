//! `expect-object`: judge an object, again and again until it is as wished or time is up.

use periplus_core::expect::{Judgement, Mismatch, ObjectCheck};
use periplus_core::model::Step;
use periplus_core::model::verb::{ExpectObject, Presence};
use serde_json::Value;
use tokio::time::Instant;

use super::Done;
use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::checks;
use crate::kubectl;
use crate::recorder::Recorder;

pub(crate) async fn expect_object(
    bench: &Bench,
    recorder: &Recorder,
    step: &Step,
    verb: &ExpectObject,
) -> Result<Done, Broken> {
    let located = bench.locate(step, &verb.object).await?;
    let check = checks::object(bench, &verb.presence)?;
    let kubectl = kubectl::get(&located);
    poll(bench, recorder, verb, &located, &check).await.map_err(|broken| broken.by_hand(&kubectl))?;
    Ok(Done { kubectl: Some(kubectl), ..Done::default() })
}

async fn poll(
    bench: &Bench,
    recorder: &Recorder,
    verb: &ExpectObject,
    located: &Located,
    check: &ObjectCheck,
) -> Result<(), Broken> {
    let polling = verb.polling;
    let deadline = polling.within.map(|within| Instant::now() + within.get());
    let mut in_a_row = 0;
    loop {
        let result = look(bench, located, check, &verb.presence).await;
        in_a_row = if result.is_ok() { in_a_row + 1 } else { 0 };
        let enough = in_a_row >= polling.consecutive || (deadline.is_none() && in_a_row > 0);
        let last = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        match result {
            Ok(()) if enough => return Ok(()),
            Ok(()) if last => {
                let what = format!("it held {in_a_row} times in a row, and {} are asked for", polling.consecutive);
                return Err(Broken::failed(periplus_core::outcome::FailureKind::Check, what));
            }
            Err(broken) if last || (broken.inconclusive && !broken.transient) => return Err(broken),
            _ => {
                recorder.waiting(format!("{} to be as expected", verb.object.sentence()));
                let next = Instant::now() + polling.every.get();
                tokio::time::sleep_until(deadline.map_or(next, |deadline| deadline.min(next))).await;
            }
        }
    }
}

async fn look(bench: &Bench, located: &Located, check: &ObjectCheck, presence: &Presence) -> Result<(), Broken> {
    let objects = match located {
        Located::One(address) => bench.cluster.find(address).await?.into_iter().collect(),
        Located::Some { resource, namespace, selector } => {
            bench.cluster.list(resource, namespace.as_deref(), selector).await?.items
        }
    };
    let mismatches = match presence {
        Presence::Absent => judge(check, objects.first()),
        // Of several, one that matches is enough; the first tells what is wrong.
        Presence::Matches(_) if objects.iter().any(|object| judge(check, Some(object)).is_empty()) => Vec::new(),
        Presence::Matches(_) => judge(check, objects.first()),
    };
    if mismatches.is_empty() { Ok(()) } else { Err(Broken::check("the object is not as expected", mismatches)) }
}

fn judge(check: &ObjectCheck, object: Option<&Value>) -> Vec<Mismatch> {
    match check.judge(object) {
        Judgement::Held { .. } => Vec::new(),
        Judgement::Failed { mismatches } => mismatches,
    }
}
