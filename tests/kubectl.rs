//! Everyday kubectl commands print on the lab what they print on a real cluster.
//!
//! The cases are transcripts in `kubectl/cases`: commands with what a real cluster answered. One suite, two arms: the lab,
//! or whatever cluster `PERIPLUS_KUBECONFIG` names. `kubectl/README.md` tells how they were recorded.

mod arm;
mod mask;
mod session;
mod transcript;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use similar::TextDiff;

use arm::Arm;
use session::Session;
use transcript::{Case, Transcript};

/// How many transcripts run side by side: they mostly wait.
const AT_ONCE: usize = 6;

/// How often a command that only reads is asked again while its answer is wrong: on any cluster controllers need time.
const ASKED_AGAIN: u32 = 10;

/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(500);

/// The transcripts in a folder, in the order of their names.
fn transcripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubectl").join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder of cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "console"));
    paths.sort();
    let only = std::env::var("PERIPLUS_CASES").unwrap_or_default();
    paths.retain(|path| only.is_empty() || only.split(',').any(|name| name_of(path) == name));
    paths
}

/// A transcript's name, which is also that of its namespace.
fn name_of(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("names are UTF-8")
}

#[test]
fn everyday_commands_print_what_a_real_cluster_prints() {
    let arm = Arm::of_environment();
    let mut failures = BTreeMap::new();
    for (folder, at_once) in [("cases", AT_ONCE), ("cases/alone", 1)] {
        failures.extend(walk_all(&arm, transcripts(folder), at_once));
    }
    failures.retain(|_, found: &mut Vec<String>| !found.is_empty());
    if arm.is_lab() && !failures.is_empty() {
        // Side by side on a machine that stands still for seconds, clocks decide some cases. What is wrong is wrong alone, too.
        let again = failures.into_keys().collect();
        drop(arm);
        failures = walk_all(&Arm::of_environment(), again, 1);
    }
    let shown: Vec<String> = failures
        .iter()
        .flat_map(|(path, found)| found.iter().map(|failure| format!("{}: {failure}", name_of(path))))
        .collect();
    assert!(shown.is_empty(), "{}\n{} cases differ", shown.join("\n"), shown.len());
}

/// Carries transcripts out, some of them side by side, and tells what differs in each.
fn walk_all(arm: &Arm, paths: Vec<PathBuf>, at_once: usize) -> BTreeMap<PathBuf, Vec<String>> {
    let update = std::env::var_os("PERIPLUS_UPDATE").is_some();
    let open = Mutex::new(paths);
    let failures = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(path) = open.lock().expect("no thread panicked").pop() else { return };
                    let found = walk(arm, &path, update);
                    failures.lock().expect("no thread panicked").insert(path, found);
                }
            });
        }
    });
    failures.into_inner().expect("no thread panicked")
}

/// Carries a transcript out and tells what differs. With `update` it is written anew instead: the answers of a real
/// cluster are recorded, those of the lab only tell which cases differ there.
fn walk(arm: &Arm, path: &Path, update: bool) -> Vec<String> {
    let mut transcript = Transcript::read(path);
    let session = Session::open(arm, name_of(path));
    let mut failures = Vec::new();
    for case in transcript.cases.iter_mut().filter(|case| case.runs_on(arm)) {
        let mut answer = session.run(&case.command);
        let recording = update && !arm.is_lab();
        let mut left = if case.only_reads() && !recording { ASKED_AGAIN } else { 0 };
        while left > 0 && judge(case, &answer, arm.is_lab()).is_some() {
            std::thread::sleep(PAUSE);
            answer = session.run(&case.command);
            left -= 1;
        }
        match (update, arm.is_lab()) {
            (true, true) => case.mark(&answer),
            (true, false) => case.answer = answer,
            (false, lab) => failures.extend(judge(case, &answer, lab)),
        }
    }
    session.close();
    if update {
        std::fs::write(path, transcript.to_string()).expect("a transcript can be written");
    }
    failures
}

/// What is wrong with an answer. A case that is marked as different on the lab must differ there.
fn judge(case: &Case, answer: &str, lab: bool) -> Option<String> {
    let marked = lab && case.differs.is_some();
    match (case.answer == answer, marked) {
        (true, false) | (false, true) => None,
        (true, true) => Some(format!("{}\nis marked as different on the lab, and is not", case.command)),
        (false, false) => {
            let diff = TextDiff::from_lines(case.answer.as_str(), answer);
            Some(format!("{}\n{}", case.command, diff.unified_diff().header("recorded", "here")))
        }
    }
}
