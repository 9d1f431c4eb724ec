//! Whole runs of steps that only read, with the journal on. Reach: 50 µs a step beyond what its requests cost, up to
//! 100,000 steps.

use std::fmt::Write as _;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Timestamp;
use periplus_core::event::{Event, RunId, RunStarted, RunbookRef, StepSummary, Target};
use periplus_core::load::{Files, load};
use periplus_core::outcome::RunResult;
use periplus_core::plan::{Plan, Selection};
use periplus_core::source::Source;
use periplus_core::state::RunState;
use periplus_core::template::Scope;
use periplus_lab::Lab;
use periplus_run::cluster::{Cluster, ObjectAddress};
use periplus_run::{Clock, Durability, Interrupts, Job, RunOptions, StateDir};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// The runbooks below name no file.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not expected"))
    }
}

/// Steps that each read one object, one after the other.
fn plan(steps: usize) -> Arc<Plan> {
    let mut text =
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {name: reads}\nnamespace: default\nsteps:\n".to_owned();
    for step in 0..steps {
        writeln!(text, "- id: read-{step}\n  get: {{kind: Namespace, name: default}}")
            .expect("a string takes everything");
    }
    let loaded = load(&Source { name: "runbook.yaml".to_owned(), text }, &NoFiles);
    assert_eq!(loaded.diagnostics, []);
    let (runbook, order) = loaded.runbook.zip(loaded.order).expect("a runbook that loads");
    Arc::new(Plan::new(Arc::new(runbook), order.dag, &Selection::default(), &order.captures).expect("a plan"))
}

fn started(plan: &Plan) -> RunStarted {
    let summary = |position| {
        let step = plan.step(position);
        StepSummary {
            id: step.id.value.clone(),
            title: step.title(),
            verb: step.verb.key().to_owned(),
            effect: step.effect(),
        }
    };
    RunStarted {
        run: RunId("bench".to_owned()),
        engine: "bench".to_owned(),
        kubernetes: None,
        runbook: RunbookRef {
            name: "reads".to_owned(),
            title: "reads".to_owned(),
            path: "runbook.yaml".to_owned(),
            hash: String::new(),
        },
        target: Target::Lab { seed: 1 },
        params: Vec::new(),
        keep: vec![],
        steps: plan.chosen().map(summary).collect(),
    }
}

/// A lab with nothing in it, reached over its pipe, in real time.
fn lab() -> (Runtime, Lab, Cluster) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lab = runtime.block_on(Lab::builder().build()).expect("an empty lab");
    let uri = "http://lab".parse().expect("a URI");
    // The client's stack starts a task.
    let entered = runtime.enter();
    let cluster = Cluster::over(lab.connector(), &uri, "bench").expect("a client");
    drop(entered);
    (runtime, lab, cluster)
}

/// The run as a whole, requests included.
#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn reading_steps(bencher: Bencher<'_, '_>, steps: usize) {
    let (runtime, _lab, cluster) = lab();
    let plan = plan(steps);
    let folder = TempDir::new().expect("a folder");
    let mut number = 0;
    bencher.counter(ItemsCount::new(steps)).bench_local(|| {
        number += 1;
        runtime.block_on(async {
            let job = Job {
                plan: Arc::clone(&plan),
                cluster: cluster.clone(),
                values: Scope::new(),
                journal: StateDir::new(folder.path())
                    .create(&format!("bench-{number}"), Durability::Disk)
                    .expect("a journal"),
                started: started(&plan),
                clock: Clock::starting_at(Timestamp::now()),
                witness: None,
            };
            let (_interrupter, mut interrupts) = Interrupts::new();
            let mut sink = |_: &Event, _: &RunState| {};
            let state =
                periplus_run::run(job, &RunOptions::default(), &mut sink, &mut interrupts).await.expect("a run");
            assert_eq!(state.result, Some(RunResult::Passed));
        });
    });
}

/// The same requests without a run around them: what is to be taken off the figures above.
#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn their_requests_alone(bencher: Bencher<'_, '_>, steps: usize) {
    let (runtime, _lab, cluster) = lab();
    bencher.counter(ItemsCount::new(steps)).bench_local(|| {
        runtime.block_on(async {
            let resource = cluster.resolve(None, "Namespace").await.expect("every cluster has them");
            let address = ObjectAddress { resource, namespace: None, name: "default".to_owned() };
            for _ in 0..steps {
                cluster.get(&address).await.expect("every cluster has it");
            }
        });
    });
}
