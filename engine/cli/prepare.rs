//! From a runbook argument to a plan with values: what `plan`, `rehearse` and `run` do before anything is contacted.

use std::sync::Arc;

use clap::Args;
use indexmap::IndexMap;
use periplus_core::codes::Code;
use periplus_core::diag::Diagnostic;
use periplus_core::event::{ParamShown, RunId, RunStarted, RunbookRef, StepSummary, Target};
use periplus_core::model::StepId;
use periplus_core::params::{Bound, Given, bind};
use periplus_core::plan::{Plan, Selection};
use periplus_render::diag;

use crate::args::BookArgs;
use crate::book::Book;
use crate::error::CliError;
use crate::io::Io;
use crate::params::Machine;

/// Which steps are chosen.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Choose this step and all that wait for it
    #[arg(long, value_name = "STEP")]
    from: Option<String>,

    /// Choose these steps alone; may be repeated, or a list with commas
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,

    /// Choose this step and all that it waits for
    #[arg(long, value_name = "STEP")]
    until: Option<String>,
}

impl SelectArgs {
    fn selection(&self) -> Selection {
        Selection {
            from: self.from.clone().map(StepId),
            only: self.only.iter().cloned().map(StepId).collect(),
            until: self.until.clone().map(StepId),
        }
    }
}

/// A runbook that can be carried out, but for its values.
pub(crate) struct Prepared {
    /// Where it came from.
    pub(crate) book: Book,
    /// What will be done.
    pub(crate) plan: Arc<Plan>,
    /// For each step, by position, the steps whose captures it uses.
    pub(crate) captures: Vec<Vec<usize>>,
}

impl Prepared {
    /// Loads a runbook and chooses steps. Warnings are shown and end nothing.
    pub(crate) fn new(args: &BookArgs, select: &SelectArgs, io: &mut Io) -> Result<Self, CliError> {
        let book = Book::read(&args.runbook)?;
        let loaded = book.load();
        let (Some(runbook), Some(order)) = (loaded.runbook, loaded.order) else {
            return Err(CliError::Diagnostics { list: loaded.diagnostics, source: Some(book.source) });
        };
        if !loaded.diagnostics.is_empty() {
            io.message(&diag::graphical(&loaded.diagnostics, Some(&book.source), io.stderr.theme()));
        }
        let plan = Plan::new(Arc::new(runbook), order.dag, &select.selection(), &order.captures)
            .map_err(|list| CliError::Diagnostics { list, source: None })?;
        Ok(Self { book, plan: Arc::new(plan), captures: order.captures })
    }

    /// Gives the parameters their values.
    pub(crate) fn bind(&self, given: &Given, io: &Io) -> Result<Bound, CliError> {
        bind(&self.plan.runbook.params, given, &Machine(io)).map_err(|list| self.wrong_values(list))
    }

    /// The parameters for a plan: one without a value is shown as missing, since nothing is carried out.
    pub(crate) fn shown_params(&self, given: &Given, io: &Io) -> Result<Vec<ParamShown>, CliError> {
        let params = &self.plan.runbook.params;
        let problems = match bind(params, given, &Machine(io)) {
            Ok(bound) => return Ok(bound.shown()),
            Err(problems) => problems,
        };
        if problems.iter().any(|problem| problem.code != Code::MissingParameter) {
            return Err(self.wrong_values(problems));
        }
        let shown = params.iter().map(|(name, param)| {
            let alone = IndexMap::from([(name.clone(), param.clone())]);
            match bind(&alone, &only(given, name), &Machine(io)) {
                Ok(bound) => bound.shown(),
                Err(_) => {
                    let source = format!("needed for a run: --set {name}=VALUE");
                    vec![ParamShown { name: name.clone(), value: String::new(), source }]
                }
            }
        });
        Ok(shown.flatten().collect())
    }

    fn wrong_values(&self, list: Vec<Diagnostic>) -> CliError {
        CliError::Diagnostics { list, source: Some(self.book.source.clone()) }
    }

    /// The first fact of a run. `on` is the target, and the version of Kubernetes that it said it is.
    pub(crate) fn started(&self, run: RunId, on: (Target, String), params: Vec<ParamShown>) -> RunStarted {
        let runbook = &self.plan.runbook;
        let (target, kubernetes) = on;
        let summary = |position: usize| {
            let step = self.plan.step(position);
            StepSummary {
                id: step.id.value.clone(),
                title: step.title(),
                verb: step.verb.key().to_owned(),
                effect: step.effect(),
            }
        };
        RunStarted {
            run,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            kubernetes: Some(kubernetes),
            runbook: RunbookRef {
                name: runbook.name.value.clone(),
                title: runbook.title().to_owned(),
                path: self.book.named.display().to_string(),
                hash: self.book.hash(),
            },
            target,
            params,
            steps: self.plan.chosen().map(summary).collect(),
            keep: runbook.cleanup.iter().flat_map(|cleanup| &cleanup.keep).map(|id| id.value.clone()).collect(),
        }
    }
}

/// What was given for one parameter.
fn only(given: &Given, name: &str) -> Given {
    let mut alone = given.clone();
    alone.set.retain(|(key, _)| key == name);
    for from in alone.file.iter_mut().chain(&mut alone.world) {
        from.values.retain(|key, _| key == name);
    }
    alone
}
