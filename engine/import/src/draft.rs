//! The runbook while it is being read from a page: as in the core's model, but made to be written.
//!
//! All texts are templates: what stood for itself on the page is escaped, variables are `{{NAME}}`.

use indexmap::IndexMap;
use periplus_core::model::ScalarType;

use crate::write::Yaml;

/// A runbook.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// `metadata.name`
    pub(crate) name: String,
    /// `metadata.title`
    pub(crate) title: Option<String>,
    /// `summary`
    pub(crate) summary: Option<String>,
    /// `params`
    pub(crate) params: IndexMap<String, Param>,
    /// `requires`
    pub(crate) requires: Vec<Yaml>,
    /// Steps and what could not be read, in the order of the page.
    pub(crate) entries: Vec<Entry>,
    /// `cleanup`, where the page takes things back.
    pub(crate) cleanup: Option<Vec<Entry>>,
    /// `cleanup.keep`
    pub(crate) keep: Vec<String>,
    /// `on-failure`
    pub(crate) on_failure: Vec<Entry>,
    /// `notes`
    pub(crate) notes: Vec<String>,
    /// Files to be put beside the runbook, by path.
    pub(crate) files: IndexMap<String, String>,
}

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) kind: ScalarType,
    pub(crate) of_list: bool,
    pub(crate) default: Option<String>,
    pub(crate) optional: bool,
    pub(crate) env: bool,
    pub(crate) secret: bool,
    pub(crate) values: Vec<String>,
    /// The regular expression that its value must match.
    pub(crate) pattern: Option<String>,
    pub(crate) description: Option<String>,
    /// The line that sets it, or uses it first.
    pub(crate) line: usize,
}

/// Something that stands in a list of steps.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a page has few of them")]
pub(crate) enum Entry {
    /// A step.
    Step(Step),
    /// What could not be read.
    Unread(Unread),
    /// Words of the page that belong to no step.
    Comment(String),
}

/// A part of the page that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Its line on the page.
    pub(crate) line: usize,
    /// As the page has it.
    pub(crate) text: String,
    /// Why it could not be read.
    pub(crate) reason: String,
}

/// A step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) title: Option<String>,
    pub(crate) doc: Option<String>,
    pub(crate) needs: Option<Vec<String>>,
    pub(crate) when: Option<String>,
    pub(crate) impact: Option<String>,
    pub(crate) verb: Verb,
    pub(crate) wait: Option<Wait>,
    pub(crate) expect: Option<Check>,
    pub(crate) capture: Vec<(String, Capture)>,
    /// Remarks of the import, written above the step.
    pub(crate) remarks: Vec<String>,
    /// The line of the command on the page.
    pub(crate) line: usize,
    /// The command, as the page has it.
    pub(crate) source: String,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verb {
    Apply { namespace: Option<String>, manifests: Manifests, force: bool },
    Exec(Exec),
    ExpectOutput { of: String, check: Check },
    LogGrep(LogGrep),
    Delete(Object),
    Patch { object: Object, yaml_in: Option<String>, kind: &'static str, patch: Yaml },
    Wait { object: Object, wait: Wait },
    Get { object: Object, yaml_in: Option<String>, one: bool, any: bool },
    ExpectObject { object: Object, matches: Option<Yaml>, polling: Polling },
}

/// What is applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Manifests {
    /// Written out.
    Inline(String),
    /// Files, and whether templates in them are filled in.
    Files(Vec<String>, bool),
}

/// Names objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: String,
    pub(crate) api_version: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) selector: Option<String>,
    pub(crate) namespace: Option<String>,
}

/// Names a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct In {
    /// `workload`, `pod` or `selector`, and its value.
    pub(crate) pod: (&'static str, String),
    pub(crate) namespace: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) any: bool,
}

/// A program in a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exec {
    pub(crate) like: Option<String>,
    pub(crate) target: Option<In>,
    pub(crate) env: IndexMap<String, String>,
    pub(crate) program: Option<Program>,
    pub(crate) change: bool,
    pub(crate) timeout: Option<String>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Command(Vec<String>),
    Sh(String),
}

/// How often something is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Polling {
    pub(crate) within: Option<String>,
    pub(crate) every: Option<String>,
    pub(crate) consecutive: Option<u32>,
}

/// What an output must be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Check {
    pub(crate) find: Option<String>,
    pub(crate) stream: Option<&'static str>,
    pub(crate) equals: Option<String>,
    pub(crate) contains: Vec<String>,
    pub(crate) not_contains: Vec<String>,
    pub(crate) regex: Option<String>,
    pub(crate) lines: Option<String>,
    pub(crate) json: Option<Yaml>,
    pub(crate) yaml: Option<Yaml>,
    pub(crate) exit: Vec<u8>,
    pub(crate) fails: bool,
    pub(crate) at_least: Option<String>,
    pub(crate) at_most: Option<String>,
    pub(crate) polling: Polling,
}

impl Check {
    /// Whether it asks for anything.
    pub(crate) fn asserts(&self) -> bool {
        self.equals.is_some()
            || !self.contains.is_empty()
            || !self.not_contains.is_empty()
            || self.regex.is_some()
            || self.lines.is_some()
            || self.json.is_some()
            || self.yaml.is_some()
            || !self.exit.is_empty()
            || self.fails
            || self.at_least.is_some()
            || self.at_most.is_some()
    }
}

/// Lines in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogGrep {
    pub(crate) target: In,
    pub(crate) file: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) contains: Vec<String>,
    pub(crate) not_contains: Vec<String>,
    pub(crate) regex: Option<String>,
    pub(crate) lines: Option<String>,
    pub(crate) count: (Option<u64>, Option<u64>),
    pub(crate) within: Option<String>,
}

impl LogGrep {
    /// Whether it asks for anything.
    pub(crate) fn asserts(&self) -> bool {
        !self.contains.is_empty() || !self.not_contains.is_empty() || self.regex.is_some() || self.lines.is_some()
    }
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) condition: String,
    pub(crate) timeout: Option<String>,
}

/// A value taken from the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    /// A path, else a regular expression.
    pub(crate) path: Option<String>,
    pub(crate) find: Option<String>,
    pub(crate) default: Option<String>,
}

impl Step {
    /// A step with nothing but what it does.
    pub(crate) fn new(verb: Verb, line: usize, source: &str) -> Self {
        Self {
            id: String::new(),
            title: None,
            doc: None,
            needs: None,
            when: None,
            impact: None,
            verb,
            wait: None,
            expect: None,
            capture: Vec::new(),
            remarks: Vec::new(),
            line,
            source: source.to_owned(),
        }
    }

    /// Whether it writes to the cluster.
    pub(crate) fn changes(&self) -> bool {
        match &self.verb {
            Verb::Apply { .. } | Verb::Delete(_) | Verb::Patch { .. } => true,
            Verb::Exec(exec) => exec.change,
            _ => false,
        }
    }
}
