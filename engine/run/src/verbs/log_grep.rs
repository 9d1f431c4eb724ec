//! `log-grep`: find lines that were written to a log since a step.
//!
//! The window of each log opens at its mark, so that yesterday's line never satisfies a check. Logs are followed, not
//! polled. What did not exist at the mark counts from its first line.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt, stream};
use periplus_core::event::{EventKind, LogMark};
use periplus_core::expect::{LogCheck, LogJudgement};
use periplus_core::model::Step;
use periplus_core::model::verb::{LogGrep, Verb};
use periplus_core::outcome::FailureKind;
use serde_json::Value;
use tokio::time::Instant;

use super::Done;
use crate::bench::Bench;
use crate::broken::Broken;
use crate::checks;
use crate::cluster::{self, ClusterError, FileMark, FileSource, LogSource, PodsOf, choose_container};
use crate::kubectl;
use crate::recorder::Recorder;
use crate::scheduler::Carrier;

/// How long setting a mark in a file may take.
const MARK_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether further pods have come.
const NEW_PODS: Duration = Duration::from_secs(2);
/// Lines that are looked at before the check is judged again.
const BATCH: usize = 1024;

/// A log that is meant: of a container, or a file in it.
#[derive(Clone, Debug)]
struct Source {
    pod: LogSource,
    file: Option<String>,
}

/// Which logs a step reads, with all values filled in.
struct Logs {
    namespace: String,
    pods: PodsOf,
    container: Option<String>,
    file: Option<String>,
}

impl Logs {
    fn of(bench: &Bench, step: &Step, verb: &LogGrep) -> Result<Self, Broken> {
        let (namespace, pods) = bench.pods_of(step, &verb.target)?;
        Ok(Self {
            namespace,
            pods,
            container: verb.target.container.as_ref().map(|text| bench.text(text)).transpose()?,
            file: verb.file.as_ref().map(|text| bench.text(text)).transpose()?,
        })
    }

    /// The logs that are there now.
    async fn find(&self, bench: &Bench) -> Result<Vec<Source>, ClusterError> {
        let pods = match bench.cluster.pods(&self.namespace, &self.pods).await {
            Ok(pods) => pods,
            Err(ClusterError::NotFound(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let text =
            |pod: &Value, pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        pods.iter()
            .map(|pod| {
                let pod = LogSource {
                    namespace: self.namespace.clone(),
                    pod: text(pod, "/metadata/name"),
                    uid: text(pod, "/metadata/uid"),
                    container: choose_container(pod, self.container.as_deref())?,
                };
                Ok(Source { pod, file: self.file.clone() })
            })
            .collect()
    }
}

/// Marks the end of every log that a later step reads from before this step on.
///
/// A repeat of a step that an upper bound watches waits first until late lines of the attempt before have come: they
/// must not count as its own.
pub(crate) async fn mark_logs(bench: &Bench, recorder: &Recorder, position: usize, attempt: u32) -> Result<(), Broken> {
    let readers: Vec<(usize, &LogGrep)> = bench
        .plan
        .read_by(position)
        .iter()
        .filter_map(|reader| match &bench.plan.step(*reader).verb {
            Verb::LogGrep(grep) if bench.is_wanted(*reader) != Ok(false) => Some((*reader, grep)),
            _ => None,
        })
        .collect();
    let bounded = |grep: &LogGrep| {
        !grep.checks.not_contains.is_empty() || grep.checks.count.is_some_and(|count| count.max.is_some())
    };
    let settle = readers.iter().filter(|(_, grep)| bounded(grep)).map(|(_, grep)| grep.settle.get()).max();
    if let Some(settle) = settle.filter(|_| attempt > 1) {
        recorder.waiting("late log lines of the attempt before");
        tokio::time::sleep(settle).await;
    }
    for (reader, grep) in readers {
        let step = bench.plan.step(reader);
        let marks = set_marks(bench, &Logs::of(bench, step, grep)?).await?;
        for mark in &marks {
            recorder.tell(EventKind::LogMarked {
                step: recorder.step().clone(),
                reader: step.id.value.clone(),
                mark: mark.clone(),
            });
        }
        bench.keep_marks(position, reader, marks);
    }
    Ok(())
}

async fn set_marks(bench: &Bench, logs: &Logs) -> Result<Vec<LogMark>, Broken> {
    let mut marks = Vec::new();
    for Source { pod, file } in logs.find(bench).await? {
        let LogSource { namespace, pod: name, uid, container } = pod.clone();
        marks.push(match file {
            None => {
                let mark = match bench.cluster.log_mark(&pod).await {
                    Ok(mark) => mark,
                    Err(ClusterError::NotFound(_)) => continue,
                    Err(error) => return Err(error.into()),
                };
                LogMark::Container {
                    namespace,
                    pod: name,
                    uid,
                    container,
                    restarts: mark.restarts,
                    stamp: mark.stamp,
                    lines_with_stamp: mark.lines_with_stamp,
                }
            }
            Some(path) => {
                let source = FileSource {
                    namespace: namespace.clone(),
                    pod: name.clone(),
                    container: container.clone(),
                    path: path.clone(),
                };
                let mark = bench.cluster.file_mark(&source, MARK_TIMEOUT).await.map_err(Broken::from)?;
                LogMark::File { namespace, pod: name, uid, container, path, inode: mark.inode, length: mark.length }
            }
        });
    }
    Ok(marks)
}

type Lines = BoxStream<'static, (u64, Result<Bytes, Broken>)>;

/// The logs of one window, as one stream; each log has a number.
struct Window {
    lines: SelectAll<Lines>,
    known: BTreeSet<String>,
}

impl Window {
    /// Opens every log that is not open yet, at its mark.
    async fn open(
        &mut self,
        bench: &Bench,
        sources: Vec<Source>,
        marks: &[LogMark],
        within: Duration,
    ) -> Result<(), Broken> {
        for source in sources {
            if !self.known.insert(source.pod.uid.clone()) {
                continue;
            }
            let number = self.known.len() as u64;
            let lines = match &source.file {
                None => container_lines(bench, &source.pod, marks, number),
                Some(path) => file_lines(bench, &source.pod, path, marks, within, number).await?,
            };
            self.lines.push(lines);
        }
        Ok(())
    }
}

fn container_lines(bench: &Bench, pod: &LogSource, marks: &[LogMark], number: u64) -> Lines {
    let mark = marks.iter().find_map(|mark| match mark {
        LogMark::Container { uid, container, restarts, stamp, lines_with_stamp, .. }
            if *uid == pod.uid && *container == pod.container =>
        {
            Some(cluster::LogMark { restarts: *restarts, stamp: *stamp, lines_with_stamp: *lines_with_stamp })
        }
        _ => None,
    });
    let lines = bench.cluster.follow_log(pod, &mark.unwrap_or_default());
    lines.map(move |line| (number, line.map(|line| line.bytes).map_err(Broken::from))).boxed()
}

async fn file_lines(
    bench: &Bench,
    pod: &LogSource,
    path: &str,
    marks: &[LogMark],
    within: Duration,
    number: u64,
) -> Result<Lines, Broken> {
    let mark = marks.iter().find_map(|mark| match mark {
        LogMark::File { uid, container, path: of, inode, length, .. }
            if *uid == pod.uid && *container == pod.container && of == path =>
        {
            Some(FileMark { inode: *inode, length: *length })
        }
        _ => None,
    });
    let source = FileSource {
        namespace: pod.namespace.clone(),
        pod: pod.pod.clone(),
        container: pod.container.clone(),
        path: path.to_owned(),
    };
    let file = bench.cluster.follow_file(&source, &mark.unwrap_or_default(), within).await.map_err(Broken::from)?;
    let lines = stream::unfold(file, move |mut file| async move {
        let line = file.next_line().await?;
        Some(((number, line.map(|line| line.bytes).map_err(Broken::from)), file))
    });
    Ok(lines.boxed())
}

/// Looks for the lines until the checks hold, an upper bound is broken, or time is up.
pub(crate) async fn grep(bench: &Bench, recorder: &Recorder, position: usize, verb: &LogGrep) -> Result<Done, Broken> {
    let step = bench.plan.step(position);
    let logs = Logs::of(bench, step, verb)?;
    let check = checks::log(bench, &verb.checks)?;
    let since = verb.since.as_ref().and_then(|since| bench.plan.runbook.position(&since.value));
    let marks = match since {
        Some(since) => bench.marks(since, position),
        None => set_marks(bench, &logs).await?,
    };
    let kubectl = kubectl::logs(&logs.namespace, &logs.pods, logs.container.as_deref(), logs.file.as_deref());
    let found = search(bench, recorder, verb, &logs, &check, &marks).await;
    let (captures, seen) = found.map_err(|broken| broken.by_hand(&kubectl))?;
    for (name, value) in captures {
        recorder.captured(&name, &value);
        bench.keep_capture(&name, &value, false);
    }
    Ok(Done { seen, kubectl: Some(kubectl), ..Done::default() })
}

type Found = (periplus_core::expect::Captures, Vec<String>);

async fn search(
    bench: &Bench,
    recorder: &Recorder,
    verb: &LogGrep,
    logs: &Logs,
    check: &LogCheck,
    marks: &[LogMark],
) -> Result<Found, Broken> {
    let deadline = Instant::now() + verb.within.get();
    let settle = verb.settle.get();
    let mut window = Window { lines: SelectAll::new(), known: BTreeSet::new() };
    let mut scan = check.scan();
    let mut settled_at = Instant::now() + settle;
    let mut broken: Option<Broken> = None;
    let mut look_again = Instant::now();
    recorder.waiting(match &logs.file {
        Some(file) => format!("lines in {file}"),
        None => "lines in the log".to_owned(),
    });
    loop {
        if Instant::now() >= look_again {
            let sources = logs.find(bench).await?;
            window.open(bench, sources, marks, deadline.saturating_duration_since(Instant::now())).await?;
            look_again = Instant::now() + NEW_PODS;
        }
        let verdict = scan.verdict();
        let now = Instant::now();
        match verdict {
            LogJudgement::Violated { mismatches } => {
                return Err(Broken::check("the log holds what it must not", mismatches));
            }
            LogJudgement::Held { captures, lines }
                if !check.has_upper_bound() || now >= settled_at || now >= deadline =>
            {
                return Ok((captures, lines.into_iter().map(|line| line.text).collect()));
            }
            LogJudgement::NotYet { mismatches } if now >= deadline => {
                return Err(match broken {
                    Some(broken) => broken,
                    None if window.known.is_empty() => {
                        Broken::inconclusive(FailureKind::Target, "there is no pod whose log could be read")
                    }
                    None => Broken::check("the log does not hold what is expected", mismatches),
                });
            }
            LogJudgement::Held { .. } | LogJudgement::NotYet { .. } => {}
        }
        let wake = deadline.min(look_again).min(if now < settled_at { settled_at } else { deadline });
        tokio::select! {
            biased;
            Some((number, line)) = window.lines.next(), if !window.lines.is_empty() => {
                settled_at = Instant::now() + settle;
                push(&mut scan, number, line, &mut broken);
                for _ in 1..BATCH {
                    match futures::FutureExt::now_or_never(window.lines.next()) {
                        Some(Some((number, line))) => push(&mut scan, number, line, &mut broken),
                        _ => break,
                    }
                }
            }
            () = tokio::time::sleep_until(wake) => {}
        }
    }
}

fn push(
    scan: &mut periplus_core::expect::LogScan<'_>,
    number: u64,
    line: Result<Bytes, Broken>,
    broken: &mut Option<Broken>,
) {
    match line {
        Ok(line) => scan.push(number, &String::from_utf8_lossy(&line)),
        // The other logs go on; what could not be read makes the end inconclusive.
        Err(error) => {
            broken.get_or_insert(Broken { inconclusive: true, ..error });
        }
    }
}
