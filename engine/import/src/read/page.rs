//! A page's units as steps: titles, prose, ids; what is kept as a comment.

use super::{Context, Reader};
use crate::draft::{Entry, Manifests, Object, Step, Unread, Verb};
use crate::guess::{self, Heading};
use crate::outline::{Outline, Shown, Unit};
use crate::shell::parse;

/// The most commands of a page that are read: each is compared with those around it.
pub(super) const MAX_COMMANDS: usize = 3_000;

/// Reads a page.
pub(crate) fn read(page: &Outline) -> Reader {
    let mut reader = Reader { generated: page.generated, ..Reader::default() };
    reader.draft.title = page.title.clone();
    reader.draft.summary = page.summary.clone();
    reader.draft.notes = page.notes.clone();
    for (line, name) in &page.included {
        let text = format!("(the text `{name}` of another page)");
        let unread = Unread { line: *line, text, reason: "what it says stands on another page".to_owned() };
        reader.unread.push(unread.clone());
        reader.draft.entries.push(Entry::Unread(unread));
    }
    if page.generated {
        reader.generated_page(page);
        reader.finish();
        return reader;
    }
    let mut carried: Vec<String> = Vec::new();
    reader.left = MAX_COMMANDS;
    for unit in &page.units {
        reader.unit(unit, &mut carried);
    }
    if !carried.is_empty() {
        reader.draft.notes.extend(carried.into_iter().map(|text| one_line(&text)));
    }
    reader.finish();
    reader
}

impl Reader {
    fn unit(&mut self, unit: &Unit, carried: &mut Vec<String>) {
        self.cleaning = unit.section == Some(Heading::CleanUp);
        let mut entries = Vec::new();
        let mut steps = 0;
        for shown in &unit.commands {
            if self.left == 0 {
                self.unread(shown, &format!("the page shows more than {MAX_COMMANDS} commands"), &mut entries);
                continue;
            }
            self.left -= 1;
            if let Some(tab) = &unit.other_tab {
                let reason = format!("another way to do the step above ({tab})");
                self.unread(shown, &reason, &mut entries);
                continue;
            }
            let before = entries.len();
            self.shown(unit, shown, &mut entries);
            steps += entries[before..].iter().filter(|entry| matches!(entry, Entry::Step(_))).count();
        }
        if self.cleaning {
            self.clean_up(entries);
            return;
        }
        let prose: Vec<String> = std::mem::take(carried).into_iter().chain(unit.prose.iter().cloned()).collect();
        self.name_steps(unit, &prose, steps, &mut entries);
        if steps == 0 {
            // Prose that leads to nothing but values stays beside them.
            let text =
                prose.iter().chain(&unit.after).filter(|text| !text.starts_with("```")).map(|text| one_line(text));
            let text: Vec<String> = text.collect();
            if !text.is_empty() {
                entries.insert(0, Entry::Comment(wrapped(&text.join("\n"))));
            }
        }
        self.draft.entries.extend(entries);
    }

    /// One command: its steps, or its text with the reason why there are none.
    fn shown(&mut self, unit: &Unit, shown: &Shown, entries: &mut Vec<Entry>) {
        let said = unit.lead.iter().chain(&shown.chunk.comment).map(String::as_str);
        let after = shown.output.as_ref().and_then(|output| output.intro.as_deref());
        let fails = said.chain(after).any(guess::says_fails);
        let at = Context { line: shown.line, source: &shown.chunk.text, output: shown.output.as_ref(), fails };
        let read = match parse(&shown.chunk) {
            Ok(commands) => self.several(&commands, &at),
            Err(reason) => Err(reason.to_owned()),
        };
        match read {
            Ok(steps) => {
                let comment = shown.chunk.comment.iter().filter(|text| !text.is_empty() && !guess::says_output(text));
                let comment = comment.map(String::as_str).collect::<Vec<_>>().join(" ");
                for (number, mut step) in steps.into_iter().enumerate() {
                    if number == 0 && !comment.is_empty() {
                        step.title = Some(guess::title(&comment).0);
                    }
                    let joined = match entries.last_mut() {
                        Some(Entry::Step(last)) => joins(last, &mut step),
                        _ => false,
                    };
                    if !joined {
                        entries.push(Entry::Step(step));
                    }
                }
            }
            Err(reason) => self.unread(shown, &reason, entries),
        }
    }

    pub(super) fn unread(&mut self, shown: &Shown, reason: &str, entries: &mut Vec<Entry>) {
        let unread = Unread { line: shown.line, text: shown.chunk.text.clone(), reason: reason.to_owned() };
        self.unread.push(unread.clone());
        entries.push(Entry::Unread(unread));
    }

    /// Gives the steps of a unit their titles, prose and ids.
    fn name_steps(&mut self, unit: &Unit, prose: &[String], steps: usize, entries: &mut [Entry]) {
        let by_heading = unit.heading.as_ref().filter(|_| !unit.numbered);
        let (title, whole) = match (by_heading, &unit.lead) {
            (Some(heading), _) => (Some(guess::title(heading).0), false),
            (None, Some(lead)) => {
                let (title, whole) = guess::title(lead);
                (Some(title), whole)
            }
            (None, None) => (unit.heading.as_ref().map(|heading| guess::title(heading).0), false),
        };
        let single = prose.len() == 1 && whole && by_heading.is_none();
        let mut doc = joined(prose);
        if single {
            doc.clear();
        }
        // What the title says need not be said again.
        if let (Some(title), None) = (&title, by_heading)
            && let Some(rest) = doc.strip_prefix(title.as_str()).and_then(|rest| rest.strip_prefix(['.', ':']))
        {
            doc = rest.trim_start().to_owned();
        }
        let mut number = 0;
        let last = steps.saturating_sub(1);
        for entry in entries.iter_mut() {
            let Entry::Step(step) = entry else { continue };
            if number == 0 {
                let told = step.title.take();
                step.title = title.clone().filter(|title| !title.is_empty()).or_else(|| told.clone());
                if let (Some(told), true) = (told, title.is_some() && steps > 1) {
                    // With several commands the comment says more of this one than the prose around all of them.
                    step.title = Some(told);
                    let lead = title.clone().unwrap_or_default();
                    if doc.is_empty() {
                        doc = lead;
                    }
                }
                step.doc = Some(std::mem::take(&mut doc)).filter(|doc| !doc.trim().is_empty());
            }
            if number == last && !unit.after.is_empty() {
                let after = joined(&unit.after);
                step.doc = Some(match step.doc.take() {
                    Some(doc) => format!("{}\n\n{after}", doc.trim_end()),
                    None => after,
                });
            }
            let wanted = match (&step.title, steps) {
                (Some(title), 1) => title.clone(),
                (Some(title), _) if number > 0 || unit.lead.as_deref() != Some(title.as_str()) => title.clone(),
                _ => sentence(step),
            };
            step.id = match (&unit.anchor, number) {
                (Some(anchor), 0) if self.ids.take(anchor) => anchor.clone(),
                _ => guess::id(&wanted, &mut self.ids),
            };
            if number == 0 {
                // A mark of time in a unit is that of its step.
                for mark in self.marks.values_mut().filter(|mark| mark.is_empty()) {
                    mark.clone_from(&step.id);
                }
            }
            number += 1;
        }
    }

    /// What a page takes back at its end. Undo does that by itself; what the page never made stays a step.
    fn clean_up(&mut self, entries: Vec<Entry>) {
        let mut kept = self.draft.cleanup.take().unwrap_or_default();
        for entry in entries {
            match entry {
                Entry::Step(mut step) => {
                    if self.takes_back(&step) {
                        let text = step.source.lines().next().unwrap_or_default().to_owned();
                        self.remark(step.line, format!("left out, since the undo takes it back: {text}"));
                        continue;
                    }
                    let title = sentence(&step);
                    step.id = guess::id(&title, &mut self.ids);
                    kept.push(Entry::Step(step));
                }
                entry => kept.push(entry),
            }
        }
        self.draft.cleanup = Some(kept);
    }

    /// Whether a step only takes back what a step above did.
    fn takes_back(&self, step: &Step) -> bool {
        let above = || {
            self.draft.entries.iter().filter_map(|entry| match entry {
                Entry::Step(step) => Some(step),
                _ => None,
            })
        };
        match &step.verb {
            Verb::Delete(object) => above().any(|other| makes(other, object)),
            Verb::Patch { object, .. } => {
                above().any(|other| matches!(&other.verb, Verb::Patch { object: own, .. } if own == object))
            }
            _ => false,
        }
    }
}

/// Whether a step makes an object, as far as its manifest is known.
fn makes(step: &Step, object: &Object) -> bool {
    let Verb::Apply { manifests, .. } = &step.verb else { return false };
    match manifests {
        Manifests::Inline(text) => {
            let has = |key: &str, value: &str| {
                text.lines().any(|line| {
                    line.trim_start_matches([' ', '-'])
                        .strip_prefix(key)
                        .is_some_and(|rest| rest.trim().trim_matches('"') == value)
                })
            };
            has("kind:", &object.kind) && object.name.as_deref().is_some_and(|name| has("name:", name))
        }
        // A file whose objects are called as it is.
        Manifests::Files(paths, _) => object.name.as_deref().is_some_and(|name| {
            paths.iter().any(|path| path.contains(&format!("/{name}.")) || path.starts_with(&format!("{name}.")))
        }),
    }
}

/// Takes a step into the one before it, where the page needs two commands for what is one step.
pub(super) fn joins(last: &mut Step, step: &mut Step) -> bool {
    match (&last.verb, &step.verb) {
        (Verb::Apply { .. } | Verb::Patch { .. }, Verb::Wait { object, wait }) if wait.condition == "rollout" => {
            // Of several workloads each is waited for by a line of its own.
            if last.wait.as_ref().is_some_and(|own| own.condition != "rollout") || object.selector.is_some() {
                return false;
            }
            last.wait = Some(wait.clone());
            true
        }
        (Verb::Get { object, yaml_in, .. }, Verb::Get { object: other, yaml_in: inner, .. })
            if object == other && yaml_in == inner && !step.capture.is_empty() && !last.capture.is_empty() =>
        {
            last.capture.append(&mut step.capture);
            true
        }
        _ => false,
    }
}

/// What a step does, as words for its id.
pub(super) fn sentence(step: &Step) -> String {
    let named = |object: &Object| {
        format!("{} {}", object.kind, object.name.as_deref().or(object.selector.as_deref()).unwrap_or_default())
    };
    match &step.verb {
        Verb::Apply { manifests: Manifests::Files(paths, _), namespace, .. } => {
            let file = paths.first().map(|path| path.rsplit('/').next().unwrap_or(path)).unwrap_or_default();
            let stem = file.split('.').next().unwrap_or_default();
            match namespace {
                Some(namespace) => format!("apply {stem} {namespace}"),
                None => format!("apply {stem}"),
            }
        }
        Verb::Apply { manifests: Manifests::Inline(text), .. } => {
            let field =
                |key: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(key)).map_or("", str::trim);
            format!("apply {} {}", field("kind:"), field("name:"))
        }
        Verb::Exec(exec) => match &exec.program {
            Some(crate::draft::Program::Command(words)) => format!("call {}", words.first().map_or("", String::as_str)),
            _ => "script".to_owned(),
        },
        Verb::ExpectOutput { .. } => "check output".to_owned(),
        Verb::LogGrep(grep) => format!("log {}", grep.target.container.as_deref().unwrap_or(&grep.target.pod.1)),
        Verb::Delete(object) => format!("delete {}", named(object)),
        Verb::Patch { object, .. } => format!("patch {}", named(object)),
        Verb::Wait { object, .. } => format!("wait {}", named(object)),
        Verb::Get { object, .. } => format!("get {}", named(object)),
        Verb::ExpectObject { object, .. } => format!("check {}", named(object)),
    }
}

/// Blocks of prose one below the other; items of a list stay together.
pub(super) fn joined(blocks: &[String]) -> String {
    let mut out = String::new();
    for block in blocks {
        let item = |text: &str| text.trim_start().starts_with("- ");
        if !out.is_empty() {
            let last = out.lines().last().unwrap_or_default();
            out.push_str(if item(block) && (item(last) || last.starts_with("  ")) { "\n" } else { "\n\n" });
        }
        out.push_str(block);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines of a width that can be read.
fn wrapped(text: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + word.chars().count() > 112 {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}
