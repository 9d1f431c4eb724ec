//! Transcripts: commands, and what each wrote, as text that people read and that this module writes back unchanged.
//!
//! ```text
//! # What the case is about; a line of these belongs to the command below it.
//! @ containers: where the answer is from, if it needs containers that really run
//! @ differs: why the lab may answer otherwise
//! $ the command
//! > and its further lines
//! | a line of standard output
//! ! a line of standard error
//! = the exit code, where it is not 0
//! ```

use std::fmt;
use std::path::Path;

use super::arm::Arm;

/// A file of cases, which share a namespace and a folder and run one after the other.
pub(super) struct Transcript {
    pub(super) cases: Vec<Case>,
}

/// One command.
#[derive(Debug, Default)]
pub(super) struct Case {
    /// Lines of words, with the `#` they start with.
    notes: Vec<String>,
    /// Where the answer is from, when it needs containers that really run and so was not recorded.
    containers: Option<String>,
    /// Why the lab may answer otherwise.
    pub(super) differs: Option<String>,
    /// What bash is given.
    pub(super) command: String,
    /// What it wrote, marked by stream, and its exit code.
    pub(super) answer: String,
}

impl Transcript {
    /// Reads a file.
    ///
    /// # Panics
    /// When a line has none of the marks: a transcript that cannot be read proves nothing.
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a transcript can be read");
        let mut cases: Vec<Case> = Vec::new();
        let mut next = Case::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let (mark, rest) = line.split_at(1);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            match (mark, cases.last_mut()) {
                ("#", _) => next.notes.push(line.to_owned()),
                ("@", _) => match rest.split_once(": ") {
                    Some(("containers", source)) => next.containers = Some(source.to_owned()),
                    Some(("differs", reason)) => next.differs = Some(reason.to_owned()),
                    _ => panic!("{}:{}: {line}", path.display(), number + 1),
                },
                ("$", _) => cases.push(Case { command: rest.to_owned(), ..std::mem::take(&mut next) }),
                (">", Some(case)) => {
                    case.command.push('\n');
                    case.command.push_str(rest);
                }
                ("|" | "!" | "=", Some(case)) => {
                    case.answer.push_str(line);
                    case.answer.push('\n');
                }
                _ => panic!("{}:{}: {line}", path.display(), number + 1),
            }
        }
        Self { cases }
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, case) in self.cases.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            for note in &case.notes {
                writeln!(out, "{note}")?;
            }
            for (name, value) in [("containers", &case.containers), ("differs", &case.differs)] {
                if let Some(value) = value {
                    writeln!(out, "@ {name}: {value}")?;
                }
            }
            for (number, line) in case.command.lines().enumerate() {
                let mark = if number == 0 { "$" } else { ">" };
                writeln!(out, "{}", format!("{mark} {line}").trim_end())?;
            }
            write!(out, "{}", case.answer)?;
        }
        Ok(())
    }
}

impl Case {
    /// Whether the cluster can answer at all.
    pub(super) fn runs_on(&self, arm: &Arm) -> bool {
        self.containers.is_none() || arm.runs_containers
    }

    /// Whether the command is one `kubectl` that changes nothing, so that it may be asked again.
    pub(super) fn only_reads(&self) -> bool {
        const READING: [&str; 6] = ["get", "describe", "logs", "events", "explain", "auth"];
        let mut words = self.command.split_whitespace();
        words.next() == Some("kubectl")
            && words.next().is_some_and(|verb| READING.contains(&verb))
            && self.command.matches("kubectl ").count() == 1
            && !self.command.contains("<<")
    }

    /// Marks the case as different on the lab if it is, and keeps the reason if it has one.
    pub(super) fn mark(&mut self, answer: &str) {
        let reason = self.differs.take().unwrap_or_else(|| UNSAID.to_owned());
        self.differs = (self.answer != answer).then_some(reason);
    }
}

/// The reason of a case of which nobody has said yet why it differs on the lab.
const UNSAID: &str = "not simulated yet";

/// An answer as a transcript holds it: each line with the mark of its stream, then the exit code unless it is 0.
pub(super) fn answer(stdout: &str, stderr: &str, exit: i32) -> String {
    let mut answer = String::new();
    for (mark, text) in [("|", stdout), ("!", stderr)] {
        for line in text.lines() {
            answer.push_str(format!("{mark} {line}").trim_end());
            answer.push('\n');
        }
    }
    if exit != 0 {
        answer.push_str(&format!("= {exit}\n"));
    }
    answer
}
