//! The page of one runbook: everything a reader needs to do by hand what the engine does.
//!
//! A page is a function of the runbook, the files beside it and what a run saw. It is the same to the byte wherever and
//! whenever it is made.

use periplus_core::advice;
use periplus_core::graph::Dag;
use periplus_core::model::verb::{Program, Verb, WaitCondition};
use periplus_core::model::{Effect, Param, ParamType, Polling, Requirement, Runbook, Step, Which};

use super::commands::{Commanded, Commands};
use super::example::{Examples, all_steps};
use super::markdown::{alert, cell, code, fence, inline, prose};
use super::mermaid::flowchart;
use super::sample::Samples;
use super::skips::Skips;
use super::verified::Verified;
use super::words;
use crate::clean;
use crate::plural;

/// Where the page tells what to do when something fails.
const FAILURE: &str = "#if-a-step-fails";

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct PageSource<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// The order of its steps.
    pub dag: &'a Dag,
    /// SHA-256 over the runbook and the files it names, in hex.
    pub hash: &'a str,
    /// What a run saw, if one vouches for the page.
    pub verified: Option<&'a Verified>,
}

/// The first line of every page: by it a page is known that no runbook stands behind any more.
#[must_use]
pub fn marker(name: &str) -> String {
    format!("<!-- Made by `periplus docs` from the runbook {name}. Edit the runbook, not this page. -->")
}

/// The Markdown page of a runbook.
#[must_use]
pub fn page(source: &PageSource<'_>) -> String {
    // What another runbook made is no promise of this one.
    let current = source.verified.filter(|verified| verified.runbook == source.hash);
    let examples = Examples::new(source.runbook, current);
    let mut writer = Writer {
        source: *source,
        commands: Commands::new(source.runbook),
        samples: Samples { examples: &examples, verified: current },
        blocks: Vec::new(),
    };
    writer.head();
    writer.needs();
    writer.parameters();
    writer.functions();
    writer.files();
    writer.requirements();
    writer.steps();
    writer.notes();
    writer.clean_up();
    writer.failure();
    writer.provenance();
    let mut text = writer.blocks.join("\n\n");
    text.push('\n');
    text
}

struct Writer<'a> {
    source: PageSource<'a>,
    commands: Commands<'a>,
    samples: Samples<'a>,
    /// Blocks of Markdown, with a blank line between each and the next.
    blocks: Vec<String>,
}

impl Writer<'_> {
    fn push(&mut self, block: impl Into<String>) {
        self.blocks.push(block.into());
    }

    fn head(&mut self) {
        let runbook = self.source.runbook;
        self.push(marker(&runbook.name.value));
        self.push(format!("# {}", inline(runbook.title())));
        if let Some(verified) = self.source.verified
            && verified.runbook != self.source.hash
        {
            self.push(alert(
                "CAUTION",
                &format!(
                    "The runbook has changed since it was last seen to work, in {} on {}. The commands and samples on \
                     this page are those of the runbook as it is now; nobody has seen them yet.",
                    place(verified),
                    inline(&verified.date)
                ),
            ));
        }
        if let Some(summary) = &runbook.summary {
            self.push(prose(summary));
        }
    }

    fn needs(&mut self) {
        let mut needs = vec!["`bash`, and `kubectl` with a context that points at your cluster".to_owned()];
        needs.extend(self.source.runbook.requires.iter().map(requirement));
        self.push("## What you need");
        self.push(list(&needs));
    }

    fn parameters(&mut self) {
        let params = &self.source.runbook.params;
        if params.is_empty() {
            return;
        }
        self.push("## Parameters");
        let mut table = "| Parameter | Type | Default | Description |\n| --- | --- | --- | --- |".to_owned();
        for (name, param) in params {
            let description = param.description.as_deref().map(inline).unwrap_or_default();
            let secret = if param.secret { " (secret)" } else { "" };
            let pattern = param
                .pattern
                .as_ref()
                .map_or_else(String::new, |pattern| format!(" (must match {})", code(&pattern.value)));
            let description = format!("{description}{secret}{pattern}").trim().to_owned();
            let row = [code(name), kind(param), default(param), description];
            table.push_str(&format!("\n| {} |", row.map(|column| cell(&column)).join(" | ")));
        }
        self.push(table);
        self.push("Set them in your shell. The commands below use them, so stay in the same shell until the end.");
        let exports = self.commands.exports();
        self.command(&exports);
    }

    fn functions(&mut self) {
        let functions = self.commands.functions();
        if functions.is_empty() {
            return;
        }
        self.push("## Shell functions");
        self.push(if functions.len() == 1 {
            "Some commands below call a function of the shell. Paste its definition first:"
        } else {
            "Some commands below call functions of the shell. Paste their definitions first:"
        });
        for function in functions {
            self.push(format!("<details>\n<summary><code>{}</code></summary>", html(function.name)));
            self.push(format!("It {}", function.does));
            self.command(function.block);
            self.push("</details>");
        }
    }

    fn files(&mut self) {
        let files = self.commands.files();
        if files.is_empty() {
            return;
        }
        self.push("## Files");
        self.push(if files.len() == 1 {
            "The commands below read a file. Work in an empty folder, and write it first:"
        } else {
            "The commands below read files. Work in an empty folder, and write them first:"
        });
        for file in files {
            self.push(format!("<details>\n<summary><code>{}</code></summary>", html(&file.path)));
            self.command(&file.block);
            self.push("</details>");
        }
    }

    fn requirements(&mut self) {
        let requirements = self.commands.requirements();
        let Some(block) = &requirements.block else { return };
        self.push("## Check before you start");
        self.push("Each of these must succeed before you change anything:");
        self.written_out(&requirements.filled_in);
        self.command(block);
    }

    fn steps(&mut self) {
        let PageSource { runbook, dag, .. } = self.source;
        self.push("## Steps");
        let skips = Skips::of(runbook, dag);
        if let Some(picture) = flowchart(runbook, dag, dag.order(), &skips) {
            self.push(fence("mermaid", &picture));
            self.push("Boxes change something, rounded ones only look; dashed ones depend on a condition.");
        }
        for (number, &position) in dag.order().iter().enumerate() {
            let with = skips.with(position).map(|with| &runbook.steps[with]);
            self.step(number + 1, &runbook.steps[position], with);
        }
    }

    /// The section of a step, which is skipped with the steps `with`.
    fn step<'s>(&mut self, number: usize, step: &Step, with: impl Iterator<Item = &'s Step>) {
        self.push(format!("<a id=\"{}\"></a>", step.id.value));
        self.push(format!("### {number}. {}", title(step)));
        if let Some(needs) = &step.needs {
            let links: Vec<String> = needs.iter().map(|id| format!("[{0}](#{0})", id.value)).collect();
            self.push(match links.as_slice() {
                [] => "You can do this at any time: it does not depend on the steps above.".to_owned(),
                [one] => format!("You can do this as soon as {one} is done."),
                links => format!("You can do this as soon as {} are done.", links.join(" and ")),
            });
        }
        if let Some(doc) = &step.doc {
            self.push(prose(doc));
        }
        if let Some(when) = &step.when {
            self.push(alert("NOTE", &format!("Do this step only if {}. Otherwise skip it.", code(&when.raw))));
        }
        let with: Vec<String> = with.map(|step| format!("[{0}](#{0})", step.id.value)).collect();
        if !with.is_empty() {
            self.push(alert("NOTE", &format!("Skip this step if you skipped {}.", with.join(" or "))));
        }
        if let Some(impact) = &step.impact {
            self.push(alert("WARNING", &format!("**Impact:** {}", inline(&words::shell_names(&impact.raw)))));
        }
        let commands = self.commands.step(step);
        if commands.block.is_none()
            && let Verb::ExpectOutput(expect) = &step.verb
            && let Some(of) = &expect.of
        {
            self.push(format!("Look again at the output of [{0}](#{0}): there is nothing to type.", of.value));
        }
        self.commanded(step, &commands);
        if !commands.keeps.is_empty() {
            let files: Vec<String> = commands.keeps.iter().map(|file| code(file)).collect();
            self.push(format!(
                "The state before is kept in {} for the [clean-up](#clean-up). Do this step once: the second time, it \
                 would keep the state after.",
                files.join(" and ")
            ));
        }
        let polling = polling(step).map(|polling| repeated(step, polling));
        let expected = self.samples.of(step, &commands).markdown(polling.as_deref());
        self.blocks.extend(expected);
        if let Some(help) = on_failure(step) {
            self.push(help);
        }
    }

    /// The commands of a step, with what has to be said of them.
    fn commanded(&mut self, step: &Step, commands: &Commanded) {
        self.written_out(&commands.filled_in);
        if let Some(block) = &commands.block {
            self.command(block);
        } else if matches!(step.effect(), Effect::Change) {
            self.push("This step cannot be done by hand.");
        }
    }

    /// Says for which values a command is written out.
    fn written_out(&mut self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let values = names.iter().map(|name| format!("{} = {}", code(name), code(&self.commands.example(name))));
        let values = values.collect::<Vec<_>>().join(", ");
        self.push(format!("The command is written out for {values}; change it where yours differ."));
    }

    fn command(&mut self, block: &str) {
        if !clean::is_harmless(block) {
            self.push(alert(
                "CAUTION",
                "This command holds characters that cannot be seen or that change the order in which text is shown. \
                 Look at it in an editor that shows them before you paste it.",
            ));
        }
        self.push(fence("bash", block));
    }

    fn notes(&mut self) {
        let notes: Vec<String> = self.source.runbook.notes.iter().map(|note| prose(note)).collect();
        if !notes.is_empty() {
            self.push("## Notes");
            self.push(list(&notes));
        }
    }

    fn clean_up(&mut self) {
        let PageSource { runbook, dag, .. } = self.source;
        let taken_back = self.commands.clean_up(dag.order());
        let cleanup = runbook.cleanup.as_ref();
        let further: &[Step] = cleanup.map_or(&[], |cleanup| &cleanup.steps);
        if taken_back.block.is_none() && further.is_empty() {
            return;
        }
        self.push("## Clean up");
        if let Some(block) = &taken_back.block {
            let mut lead = match cleanup {
                Some(_) => "At the end take back what the steps changed, newest first.".to_owned(),
                None => "If the changes are not to stay, take them back, newest first.".to_owned(),
            };
            lead.push_str(" Do not delete anything that existed before you started.");
            let kept = cleanup.map_or(&[][..], |cleanup| &cleanup.keep);
            if !kept.is_empty() {
                let kept: Vec<String> = kept.iter().map(|id| format!("[{0}](#{0})", id.value)).collect();
                lead.push_str(&format!(" The changes of {} are kept.", kept.join(", ")));
            }
            self.push(lead);
            self.written_out(&taken_back.filled_in);
            self.command(block);
        }
        for step in further {
            self.further(step);
        }
    }

    /// A step that follows all others.
    fn further(&mut self, step: &Step) {
        self.push(format!("### {}", title(step)));
        if let Some(doc) = &step.doc {
            self.push(prose(doc));
        }
        let commands = self.commands.step(step);
        self.commanded(step, &commands);
        let expected = self.samples.of(step, &commands).markdown(None);
        self.blocks.extend(expected);
    }

    fn failure(&mut self) {
        let runbook = self.source.runbook;
        let steps = || all_steps(runbook);
        self.push("## If a step fails");
        self.push("Do not go on: the steps below it build on it. Nothing has to be done again that succeeded.");
        let mut hints = Vec::new();
        if steps().any(waits) {
            hints.push(
                "**Something does not become ready:** `kubectl get pods -n NAMESPACE` shows which pod, \
                 `kubectl describe pod POD -n NAMESPACE` why: its events stand at the end.",
            );
        }
        if steps().any(|step| matches!(step.verb, Verb::LogGrep(_))) {
            hints.push(
                "**A log line is missing:** the call did not come this way, the log is off, or it is written later. \
                 Look at the log without `grep`.",
            );
        }
        if steps().any(|step| matches!(step.verb, Verb::Exec(_))) {
            hints.push(
                "**A program fails:** `kubectl` ends with the program's own exit code, and says \
                 `command terminated with exit code N`.",
            );
        }
        if steps().any(|step| step.effect() == Effect::Change) {
            hints.push(
                "**A change is refused:** `Forbidden` names the permission that is missing; `Conflict` means that \
                 somebody else changed the object in the meantime: look at it, then do the step again.",
            );
        }
        let hints: Vec<String> = hints.into_iter().map(str::to_owned).collect();
        if !hints.is_empty() {
            self.push(list(&hints));
        }
        if steps().any(runs_curl) {
            self.push("What curl's exit codes mean here:");
            self.push(curl_table());
        }
        for step in &runbook.on_failure {
            self.further(step);
        }
    }

    fn provenance(&mut self) {
        let name = &self.source.runbook.name.value;
        self.push("---");
        let Some(verified) = self.samples.verified else {
            self.push(format!("*Made from the runbook {}. The samples show what its checks accept.*", code(name)));
            return;
        };
        let place = place(verified);
        let kubernetes = verified
            .kubernetes
            .as_ref()
            .map_or_else(String::new, |version| format!(", Kubernetes {}", inline(version)));
        self.push(format!(
            "*Made from the runbook {}. Its output was seen in {place} on {}, with Periplus {}{kubernetes}; run {}, \
             runbook {}.*",
            code(name),
            inline(&verified.date),
            inline(&verified.periplus),
            code(&verified.run),
            code(&format!("sha256:{}", verified.runbook.get(..12).unwrap_or_default())),
        ));
    }
}

/// A step's title; values are the shell's.
fn title(step: &Step) -> String {
    inline(&words::shell_names(&step.title()))
}

/// Where a run took place.
fn place(verified: &Verified) -> String {
    if verified.simulated {
        "a REHEARSAL (simulated, in the embedded lab)".to_owned()
    } else {
        format!("a {}", inline(&verified.target))
    }
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("- {}", item.replace('\n', "\n  "))).collect::<Vec<_>>().join("\n")
}

/// Text within an element of HTML.
fn html(text: &str) -> String {
    clean::line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn kind(param: &Param) -> String {
    match &param.kind {
        ParamType::Scalar(scalar) => scalar.name().to_owned(),
        ParamType::List(scalar) => format!("list of {}", scalar.name()),
        ParamType::Enum(values) => values.iter().map(|value| code(value)).collect::<Vec<_>>().join(" or "),
    }
}

fn default(param: &Param) -> String {
    match &param.default {
        Some(_) if param.secret => "(secret)".to_owned(),
        Some(default) => code(&default.value.join(",")),
        None if param.optional => "optional".to_owned(),
        None => "required".to_owned(),
    }
}

fn requirement(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Object(object) => {
            let (Which::Name(which) | Which::Selector(which)) = &object.which;
            let namespace = object
                .namespace
                .as_ref()
                .map_or_else(String::new, |namespace| format!(" in namespace {}", words::code(&namespace.raw)));
            let (article, labelled) = match object.which {
                Which::Name(_) => ("the", ""),
                Which::Selector(_) => ("a", "labelled "),
            };
            format!("{article} {} {labelled}{}{namespace}", inline(&object.kind.raw), words::code(&which.raw))
        }
        Requirement::Serves { kind, api_version } => {
            format!("a cluster that knows {} of {}", words::code(&kind.raw), words::code(&api_version.raw))
        }
        Requirement::Sidecar { selector, .. } => {
            format!("an Istio sidecar in the pods with {}", words::code(&selector.raw))
        }
        Requirement::AccessLog(encoding) => format!(
            "an access log of the mesh's sidecars, as {}: `accessLogFile` in the mesh's configuration",
            inline(&encoding.value)
        ),
        Requirement::Can(can) => {
            format!("the permission to {} {}", words::code(&can.verb.raw), words::code(&can.resource.raw))
        }
    }
}

/// How a step's check is repeated, if it is.
fn polling(step: &Step) -> Option<Polling> {
    let polling = match (&step.verb, &step.expect_output, &step.expect_object) {
        (Verb::ExpectOutput(expect), _, _) | (_, Some(expect), _) => expect.polling,
        (Verb::ExpectObject(expect), _, _) | (_, _, Some(expect)) => expect.polling,
        _ => return None,
    };
    polling.within.is_some().then_some(polling)
}

fn repeated(step: &Step, polling: Polling) -> String {
    let within = polling.within.map(|within| within.get().as_millis()).unwrap_or_default();
    let within = crate::time::prose(u64::try_from(within).unwrap_or(u64::MAX));
    let what = if matches!(step.verb, Verb::ExpectOutput(_)) {
        "That may take"
    } else {
        "The command is repeated until this holds, for"
    };
    format!("{what} up to {within}.")
}

fn waits(step: &Step) -> bool {
    let condition = match (&step.verb, &step.wait) {
        (Verb::Wait(wait), _) | (_, Some(wait)) => &wait.condition,
        _ => return false,
    };
    !matches!(condition, WaitCondition::Deletion)
}

fn runs_curl(step: &Step) -> bool {
    let Verb::Exec(exec) = &step.verb else { return false };
    match &exec.program {
        Some(Program::Command(argv)) => {
            argv.first().is_some_and(|program| program.raw.rsplit('/').next() == Some("curl"))
        }
        Some(Program::Sh(script)) => script.raw.split(|c: char| !c.is_alphanumeric()).any(|word| word == "curl"),
        None => false,
    }
}

/// What to do when a step fails, in a sentence.
fn on_failure(step: &Step) -> Option<String> {
    let text = match &step.verb {
        Verb::Exec(exec) if exec.effect == Effect::Change => {
            format!("If it fails, look at what it did so far before you repeat it; see [If a step fails]({FAILURE}).")
        }
        Verb::Exec(_) => format!("If it fails, see [If a step fails]({FAILURE})."),
        Verb::LogGrep(_) => format!("If the log says otherwise, see [If a step fails]({FAILURE})."),
        Verb::Apply(_) | Verb::Wait(_) | Verb::Patch(_) if waits(step) => {
            format!("If it does not become ready, see [If a step fails]({FAILURE}).")
        }
        Verb::ExpectOutput(_)
        | Verb::ExpectObject(_)
        | Verb::Get(_)
        | Verb::Apply(_)
        | Verb::Patch(_)
        | Verb::Delete(_)
        | Verb::Wait(_) => return None,
    };
    Some(text)
}

fn curl_table() -> String {
    let mut table = "| Exit code | Meaning |\n| --- | --- |".to_owned();
    for (codes, meaning) in advice::CURL {
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        table.push_str(&format!("\n| {} | {} |", codes.join(", "), cell(&sentence(meaning))));
    }
    for (answers, meaning) in advice::CONNECT {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let what = format!("56, with `CONNECT tunnel failed, response {}`", answers.join("` or `"));
        table.push_str(&format!("\n| {what} | {} |", cell(meaning)));
    }
    table
}

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// How many steps a runbook has, and how many of them change something.
pub(super) fn counts(runbook: &Runbook) -> String {
    let changes = runbook.steps.iter().filter(|step| step.effect() == Effect::Change).count();
    format!("{}, {changes} of them to change something", plural::count(runbook.steps.len(), "step"))
}
