//! From text to plan. The time an item must not grow with the number of steps.

use std::fmt::Write as _;
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use periplus_core::graph::{Dag, Waits};
use periplus_core::load::{Files, Loaded, load};
use periplus_core::plan::{Plan, Selection};
use periplus_core::source::{LIMITS, Source, tree};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// The runbooks below name no file.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not expected"))
    }
}

/// A runbook of the mix that real ones have: of each five steps two change, one reads, one runs a program, one greps.
fn runbook(steps: usize) -> Source {
    let mut text =
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {name: many, title: Many steps}\nnamespace: default\n\
                    params:\n  IP: {type: ip, default: 10.0.0.1}\n  PORT: {type: port, default: 3128}\nsteps:\n"
            .to_owned();
    for group in 0..steps / 5 {
        write!(
            text,
            r#"- id: config-{group}
  title: Set number {group}
  doc: |
    What stands here is read by people, and there is some of it in every step.
  apply:
    manifest: |
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: config-{group}
      data:
        proxy: "{{{{IP}}}}:{{{{PORT}}}}"
- id: mesh-{group}
  needs: [config-{group}]
  patch:
    object: {{kind: ConfigMap, name: config-{group}}}
    merge: {{data: {{number: "{group}"}}}}
- id: pod-{group}
  get: {{kind: Pod, selector: app=sleep, one: true}}
  capture: {{POD_{group}: "{{.metadata.name}}"}}
- id: call-{group}
  exec:
    in: {{pod: "{{{{POD_{group}}}}}", container: sleep}}
    env: {{HTTPS_PROXY: "{{{{IP}}}}:{{{{PORT}}}}"}}
    command: [curl, -sS, "https://site-{group}.example"]
  expect-output: {{find: <title>.*</title>, equals: <title>Site {group}</title>, within: 60s}}
- id: log-{group}
  log-grep:
    in: {{pod: "{{{{POD_{group}}}}}", container: istio-proxy}}
    since: call-{group}
    lines: '[[timestamp]] "- - -" 0 -[..] [int] "{{{{IP}}}}:{{{{PORT}}}}" outbound|{{{{PORT}}}}||proxy [addr] -'
"#
        )
        .expect("a string takes everything");
    }
    Source { name: "runbook.yaml".to_owned(), text }
}

fn planned(loaded: Loaded) -> Plan {
    assert_eq!(loaded.diagnostics, []);
    let (runbook, order) = loaded.runbook.zip(loaded.order).expect("a runbook that loads");
    Plan::new(Arc::new(runbook), order.dag, &Selection::default(), &order.captures).expect("a plan")
}

/// The whole of what `lint` and `plan` wait for. Reach: 250 ms for 10,000 steps.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn load_validate_plan(bencher: Bencher<'_, '_>, steps: usize) {
    let source = runbook(steps);
    bencher.counter(ItemsCount::new(steps)).bench_local(|| planned(load(black_box(&source), &NoFiles)));
}

/// The part of it that the YAML parser and the tree take.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn yaml_tree_alone(bencher: Bencher<'_, '_>, steps: usize) {
    let source = runbook(steps);
    bencher.counter(ItemsCount::new(steps)).bench_local(|| tree(black_box(&source.text), LIMITS).expect("YAML"));
}

/// Building the graph and its order, each third step freed by `needs`.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn graph(bencher: Bencher<'_, '_>, steps: usize) {
    let waits: Vec<Waits> = (0..steps)
        .map(|step| Waits {
            needs: (step % 3 == 2).then(|| vec![step / 2]),
            uses: if step % 5 == 4 { vec![step - 1] } else { Vec::new() },
        })
        .collect();
    bencher.counter(ItemsCount::new(steps)).bench_local(|| Dag::new(black_box(&waits)).expect("no cycle"));
}
