//! What a run would do, before anything is contacted: order, what may run side by side, effects, impact, conditions.
//!
//! Templates are shown as written where their value is known only while the run goes on.

use periplus_core::event::ParamShown;
use periplus_core::model::{Effect, ObjectRef, Requirement, Step, Which};
use periplus_core::plan::Plan;
use serde::Serialize;

use crate::plural;
use crate::style::{Role, Theme};
use crate::text::page::Page;
use crate::text::wrap::{columns, pad};

/// Widest column of step ids.
const STEP_WIDTH: usize = 28;

/// A plan as it is shown.
#[derive(Debug, Serialize)]
pub struct PlanView {
    /// `metadata.name`.
    pub runbook: String,
    /// Its title.
    pub title: String,
    /// The parameters with their sources; secrets are masked.
    pub params: Vec<ParamShown>,
    /// What must hold before the first change.
    pub requires: Vec<String>,
    /// The steps in waves: each waits only for earlier waves, so that a wave's steps may run side by side.
    pub waves: Vec<Vec<PlannedStep>>,
    /// What happens at the end. Absent where the changes are to stay.
    pub cleanup: Option<CleanupView>,
}

/// A step of a plan.
#[derive(Debug, Serialize)]
pub struct PlannedStep {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its verb's key.
    pub verb: &'static str,
    /// What it does to the target.
    pub effect: Effect,
    /// The condition under which it runs.
    pub when: Option<String>,
    /// What it does to others.
    pub impact: Option<String>,
    /// How long its check may take to hold, in milliseconds. Absent where it is judged once.
    pub within_ms: Option<u64>,
    /// Steps that are carried out as one with it, each attempt anew.
    pub judged_by: Vec<String>,
    /// Steps whose captures it uses: those values are known only while the run goes on.
    pub uses_captures_of: Vec<String>,
}

/// What happens at the end of a run.
#[derive(Debug, Serialize)]
pub struct CleanupView {
    /// Steps whose changes stay.
    pub keep: Vec<String>,
    /// Steps that follow once the changes are taken back.
    pub steps: Vec<String>,
}

impl PlanView {
    /// Collects what is to be shown. `captures` says for each step whose captures it uses, by position.
    #[must_use]
    pub fn new(plan: &Plan, captures: &[Vec<usize>], params: Vec<ParamShown>) -> Self {
        let runbook = &plan.runbook;
        let id = |position: &usize| plan.step(*position).id.value.to_string();
        let planned = |position: usize| {
            let step = plan.step(position);
            PlannedStep {
                id: step.id.value.to_string(),
                title: step.title(),
                verb: step.verb.key(),
                effect: step.effect(),
                when: step.when.as_ref().map(|when| when.raw.clone()),
                impact: step.impact.as_ref().map(|impact| impact.raw.clone()),
                within_ms: within_ms(step),
                judged_by: plan.judged_by(position).iter().map(id).collect(),
                uses_captures_of: captures.get(position).into_iter().flatten().map(id).collect(),
            }
        };
        let waves = plan
            .dag
            .layers()
            .into_iter()
            .map(|wave| wave.into_iter().filter(|step| plan.is_chosen(*step)).map(planned).collect::<Vec<_>>());
        Self {
            runbook: runbook.name.value.clone(),
            title: runbook.title().to_owned(),
            params,
            requires: runbook.requires.iter().map(requirement).collect(),
            waves: waves.filter(|wave| !wave.is_empty()).collect(),
            cleanup: runbook.cleanup.as_ref().map(|cleanup| CleanupView {
                keep: cleanup.keep.iter().map(|step| step.value.to_string()).collect(),
                steps: cleanup.steps.iter().map(Step::title).collect(),
            }),
        }
    }

    /// How many steps there are, and how many of them change something.
    fn counts(&self) -> (usize, usize) {
        let steps = || self.waves.iter().flatten();
        (steps().count(), steps().filter(|step| step.effect == Effect::Change).count())
    }

    /// The plan for people. `target` is the line that says where it would happen.
    #[must_use]
    pub fn text(&self, target: &str, theme: Theme) -> String {
        let mut page = Page::new(theme);
        page.line(0, Role::Strong, &format!("PLAN  {}", self.title));
        let (steps, changes) = self.counts();
        let looks = steps - changes;
        let steps = plural::count(steps, "step");
        let counts = format!("{}, {steps}: {changes} to change something, {looks} only to look", self.runbook);
        page.line(0, Role::Plain, &counts);
        page.line(0, Role::Plain, target);
        self.write_params(&mut page);
        if !self.requires.is_empty() {
            page.blank();
            page.line(0, Role::Strong, "Required before the first change");
            for requirement in &self.requires {
                page.line(2, Role::Plain, requirement);
            }
        }
        self.write_waves(&mut page);
        if let Some(cleanup) = &self.cleanup {
            page.blank();
            page.line(0, Role::Strong, "At the end the changes are taken back, newest first");
            if !cleanup.keep.is_empty() {
                page.line(2, Role::Plain, &format!("except those of {}", cleanup.keep.join(", ")));
            }
            for step in &cleanup.steps {
                page.line(2, Role::Plain, &format!("then: {step}"));
            }
        }
        page.into_text()
    }

    /// What is shown before the first change is confirmed: what will be written, and what that does to others.
    #[must_use]
    pub fn confirmation(&self, target: &str, theme: Theme) -> String {
        let mut page = Page::new(theme);
        page.line(0, Role::Strong, target);
        let (steps, changes) = self.counts();
        let counts = format!("{}: {changes} of {} to change something:", self.title, plural::count(steps, "step"));
        page.line(0, Role::Plain, &counts);
        for step in self.waves.iter().flatten().filter(|step| step.effect == Effect::Change) {
            let sign = format!("{} ", theme.glyph(Role::Plain));
            page.hanging(2, &sign, Role::Plain, &format!("{} ({})", step.title, step.id));
            if let Some(impact) = &step.impact {
                page.hanging(4, "impact: ", Role::Doubt, impact);
            }
        }
        page.into_text()
    }

    /// The plan for programs.
    #[must_use]
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("invariant: a plan is plain data with string keys");
        format!("{text}\n")
    }

    fn write_params(&self, page: &mut Page) {
        if self.params.is_empty() {
            return;
        }
        page.blank();
        page.line(0, Role::Strong, "Parameters");
        let names = self.params.iter().map(|param| columns(&param.name)).max().unwrap_or(0);
        for param in &self.params {
            let text = match param.value.as_str() {
                "" => format!("({})", param.source),
                value => format!("{value}  ({})", param.source),
            };
            page.pair(2, names, &param.name, &text);
        }
    }

    fn write_waves(&self, page: &mut Page) {
        page.blank();
        let heading = "Steps in waves; what stands in one wave may run side by side";
        page.line(0, Role::Strong, heading);
        let steps = || self.waves.iter().flatten();
        let ids = steps().map(|step| columns(&step.id)).max().unwrap_or(0).min(STEP_WIDTH);
        let verbs = steps().map(|step| step.verb.len()).max().unwrap_or(0);
        let numbers = self.waves.len().to_string().len();
        for (number, wave) in self.waves.iter().enumerate() {
            for (place, step) in wave.iter().enumerate() {
                let number = if place == 0 { (number + 1).to_string() } else { String::new() };
                let (effect, role) = match step.effect {
                    Effect::Change => ("change", Role::Doubt),
                    Effect::Read => ("read", Role::Dim),
                };
                let lead = format!("{number:>numbers$}  ");
                let effect = page.theme().paint(role, pad(effect, 6)).to_string();
                let title = crate::clean::line(&step.title).into_owned();
                let line = format!("{lead}{effect}  {}  {}  {title}", pad(step.verb, verbs), pad(&step.id, ids));
                page.raw(2, line.trim_end());
                let below = 2 + numbers + 2 + 6 + 2 + verbs + 2;
                for (label, text) in details(step) {
                    page.hanging(below, &format!("{label} "), Role::Dim, &text);
                }
            }
        }
    }
}

fn details(step: &PlannedStep) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    details.extend(step.when.iter().map(|when| ("only when", when.clone())));
    details.extend(step.impact.iter().map(|impact| ("impact:", impact.clone())));
    if let Some(ms) = step.within_ms {
        details.push(("repeated", format!("until it holds, for at most {}", crate::time::prose(ms))));
    }
    if !step.judged_by.is_empty() {
        details.push(("judged by", format!("{}, each attempt anew", step.judged_by.join(", "))));
    }
    if !step.uses_captures_of.is_empty() {
        details.push(("uses", format!("what {} captures, known only at run time", step.uses_captures_of.join(", "))));
    }
    details
}

fn within_ms(step: &Step) -> Option<u64> {
    use periplus_core::model::verb::Verb;
    let polling = match (&step.verb, &step.expect_output) {
        (Verb::ExpectOutput(expect), _) | (_, Some(expect)) => expect.polling.within,
        (Verb::LogGrep(grep), None) => Some(grep.within),
        _ => None,
    };
    polling.map(|within| u64::try_from(within.get().as_millis()).unwrap_or(u64::MAX))
}

/// A requirement as a fragment, templates as written.
fn requirement(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Object(object) => format!("{} exists", object_name(object)),
        Requirement::Serves { kind, api_version } => {
            format!("the API server serves {} of {}", kind.raw, api_version.raw)
        }
        Requirement::Sidecar { selector, .. } => format!("pods with {} have a sidecar", selector.raw),
        Requirement::AccessLog(encoding) => format!("the mesh writes its access log as {}", encoding.value),
        Requirement::Can(can) => format!("the user may {} {}", can.verb.raw, can.resource.raw),
    }
}

fn object_name(object: &ObjectRef) -> String {
    let (Which::Name(which) | Which::Selector(which)) = &object.which;
    match &object.namespace {
        Some(namespace) => format!("{} {}/{}", object.kind.raw, namespace.raw, which.raw),
        None => format!("{} {}", object.kind.raw, which.raw),
    }
}
