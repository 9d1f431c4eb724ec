//! `on-failure:` steps: they only look, and what they see goes into the report.

use periplus_core::event::EventKind;
use periplus_core::expect::Excerpt;
use periplus_core::model::Step;
use periplus_core::model::verb::Verb;
use serde_json::Value;

use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::journal::StateDirError;
use crate::ledger::Ledger;
use crate::verbs::{Attempt, Invocation};

/// Carries out the `on-failure` steps. What goes wrong in them is part of what they show, never of the run.
pub(crate) async fn diagnose(bench: &Bench, ledger: &mut Ledger<'_>) -> Result<(), StateDirError> {
    for step in &bench.plan.runbook.on_failure {
        let text = look(bench, step).await.unwrap_or_else(|broken| broken.failure.summary);
        ledger.fact(EventKind::Diagnosed { title: step.title(), text: Excerpt::of(&text) }).await?;
    }
    Ok(())
}

async fn look(bench: &Bench, step: &Step) -> Result<String, Broken> {
    match &step.verb {
        Verb::Exec(exec) => match Invocation::of(bench, step, exec)?.attempt(bench, None).await {
            Attempt::Finished { stdout, stderr, .. } => {
                Ok(String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
            }
            Attempt::Inconclusive { broken, .. } => Err(broken),
        },
        Verb::Get(get) => {
            let objects = match bench.locate(step, &get.object).await? {
                Located::One(address) => vec![bench.cluster.get(&address).await?],
                Located::Some { resource, namespace, selector } => {
                    bench.cluster.list(&resource, namespace.as_deref(), &selector).await?.items
                }
            };
            Ok(objects.iter().map(shown).collect::<Vec<_>>().join("---\n"))
        }
        other => Ok(format!("`{}` cannot be used in `on-failure`; `get` and `exec` can", other.key())),
    }
}

/// An object as a person reads it: without its bookkeeping.
fn shown(object: &Value) -> String {
    let mut object = object.clone();
    periplus_core::change::write(&mut object, "/metadata/managedFields", None);
    serde_yaml::to_string(&object).unwrap_or_else(|_| object.to_string())
}
