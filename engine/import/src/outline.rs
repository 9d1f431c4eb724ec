//! A page as units: some prose, the commands that follow it, what they print.
//!
//! Here it is decided which fence holds commands and which holds output, and what belongs to what. What a command means
//! is not known here.

use crate::guess::{Heading, heading, is_note_intro, says_output};
use crate::markdown::{Block, BlockKind, Front};
use crate::shell::{Chunk, chunks};

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// What it is called.
    pub(crate) title: Option<String>,
    /// What it is about.
    pub(crate) summary: Option<String>,
    /// Whether it was made from a runbook, and follows the rules of such pages.
    pub(crate) generated: bool,
    /// The name of that runbook.
    pub(crate) name: Option<String>,
    /// Its units, in order.
    pub(crate) units: Vec<Unit>,
    /// Remarks that belong to no step.
    pub(crate) notes: Vec<String>,
    /// Whether what a generated page shows was really seen; else it is made of its checks.
    pub(crate) seen: bool,
    /// What a generated page says is needed.
    pub(crate) needs: Vec<String>,
    /// The table of parameters of a generated page: its rows.
    pub(crate) params: Vec<Vec<String>>,
    /// Commands that another page holds, with their lines.
    pub(crate) included: Vec<(usize, String)>,
}

/// Prose, and the commands that follow it.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    /// What the section is for.
    pub(crate) section: Option<Heading>,
    /// The heading, for the first unit below it.
    pub(crate) heading: Option<String>,
    /// The id that the page gives it.
    pub(crate) anchor: Option<String>,
    /// What stands before the commands, as Markdown.
    pub(crate) prose: Vec<String>,
    /// The text of the last block of prose before the commands.
    pub(crate) lead: Option<String>,
    /// Whether that starts an item of a numbered list.
    pub(crate) numbered: bool,
    /// Alerts, with their words.
    pub(crate) alerts: Vec<(&'static str, String)>,
    /// The commands.
    pub(crate) commands: Vec<Shown>,
    /// Output of a unit without commands, which shows what another one prints.
    pub(crate) output: Option<String>,
    /// A value that the output holds, and its notation: `json` or `yaml`.
    pub(crate) holds: Option<(String, String)>,
    /// Prose that follows the commands, as Markdown.
    pub(crate) after: Vec<String>,
    /// The name of the tab it stands in, where another tab of the same set came before.
    pub(crate) other_tab: Option<String>,
    /// Its line.
    pub(crate) line: usize,
}

/// A command of a page.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The command.
    pub(crate) chunk: Chunk,
    /// Its line on the page.
    pub(crate) line: usize,
    /// What it prints.
    pub(crate) output: Option<Output>,
}

/// Output that a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// The lines.
    pub(crate) text: String,
    /// What is said of it.
    pub(crate) intro: Option<String>,
}

/// What is said at the top of pages that were made from a runbook.
const MADE_BY: &str = "<!-- Made by `periplus docs` from the runbook ";

/// Makes units of the blocks of a page.
pub(crate) fn outline(blocks: &[Block], front: Front) -> Outline {
    let made = blocks.iter().take(4).filter(|block| block.kind == BlockKind::Html);
    let made = made.filter_map(|block| block.raw.strip_prefix(MADE_BY)).next();
    let generated = made.is_some();
    let name = made.and_then(|rest| rest.split(". ").next()).map(str::to_owned);
    let mut reader = Reader {
        page: Outline { title: front.title, summary: front.description, generated, name, ..Outline::default() },
        unit: Unit::default(),
        between: Vec::new(),
        section: None,
        heading: None,
        anchor: None,
        next_anchor: None,
        tabs: None,
        has_steps: false,
        titled_by_heading: false,
    };
    for block in blocks {
        reader.block(block);
    }
    reader.end_section();
    reader.page
}

/// Prose that was read and has no place yet.
struct Between {
    markdown: String,
    text: String,
    /// Whether it starts an item of a numbered list.
    numbered: bool,
}

struct Reader {
    page: Outline,
    unit: Unit,
    /// Prose behind the last command of the unit.
    between: Vec<Between>,
    section: Option<Heading>,
    heading: Option<String>,
    anchor: Option<String>,
    /// The anchor of the heading that comes next.
    next_anchor: Option<String>,
    /// How many tabs of a set came, and the name of the one that is read.
    tabs: Option<(usize, String)>,
    has_steps: bool,
    titled_by_heading: bool,
}

impl Reader {
    fn block(&mut self, block: &Block) {
        let line = block.line;
        match &block.kind {
            BlockKind::Heading(level, text) => self.heading(*level, text),
            BlockKind::Anchor(id) => self.next_anchor = Some(id.clone()),
            BlockKind::Html => self.html(&block.raw, line),
            BlockKind::Table(rows) => {
                let is_params = rows
                    .first()
                    .is_some_and(|row| row.iter().take(4).eq(["Parameter", "Type", "Default", "Description"]));
                if is_params {
                    self.page.params.extend(rows.iter().skip(1).cloned());
                } else {
                    self.prose(block, line);
                }
            }
            BlockKind::Quote(Some(word)) if self.page.generated || self.unit.commands.is_empty() => {
                let raw = block.raw.split_once('\n').map_or("", |(_, rest)| rest).trim().to_owned();
                if self.page.generated {
                    self.unit.alerts.push((word, raw));
                } else {
                    self.quote(word, &raw, line);
                }
            }
            BlockKind::Fence { info, text, first } => self.fence(info, text, *first, block),
            _ => self.prose(block, line),
        }
    }

    fn html(&mut self, raw: &str, line: usize) {
        let comment = raw.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")).map(str::trim);
        let Some(comment) = comment else { return };
        if matches!(comment, "tab end" | "tabs end") {
            let between = std::mem::take(&mut self.between);
            self.unit.after.extend(between.into_iter().map(|between| between.markdown));
            self.flush();
            if comment == "tabs end" {
                self.tabs = None;
                self.unit.other_tab = None;
            }
        } else if let Some(name) = comment.strip_prefix("tab: ") {
            self.flush();
            let number = self.tabs.as_ref().map_or(0, |(number, _)| number + 1);
            self.tabs = Some((number, name.to_owned()));
            self.unit.other_tab = (number > 0).then(|| name.to_owned());
        } else if let Some(name) = comment.strip_prefix("included: ") {
            self.page.included.push((line, name.to_owned()));
        }
    }

    fn heading(&mut self, level: u8, text: &str) {
        let meant = heading(text);
        let first = !self.has_steps && self.page.units.is_empty() && self.unit.commands.is_empty();
        if level == 1 && first && self.unit.prose.is_empty() && (self.page.title.is_none() || self.titled_by_heading) {
            // Of several headings at the top the last one stands next to the text.
            self.page.title = Some(text.to_owned());
            self.titled_by_heading = true;
            return;
        }
        if self.page.title.is_none() && first && self.unit.prose.is_empty() && meant == Heading::Steps {
            self.page.title = Some(text.to_owned());
            return;
        }
        // Deeper headings of a generated page's last sections belong to those.
        let meant = match self.section {
            Some(last @ (Heading::CleanUp | Heading::Failure)) if self.page.generated && level > 2 => last,
            _ => meant,
        };
        self.end_section();
        self.anchor = self.next_anchor.take();
        self.tabs = None;
        self.section = Some(meant);
        self.heading = Some(text.to_owned());
    }

    fn prose(&mut self, block: &Block, line: usize) {
        // An item that announces a command is a step, as one of a numbered list is.
        let announces =
            matches!(&block.kind, BlockKind::Item { ordered: false, depth: 1, text } if text.ends_with(':'));
        let text = match &block.kind {
            _ if announces && !self.page.generated => block.raw.clone(),
            BlockKind::Quote(_) => {
                block.raw.lines().map(|line| format!("> {line}\n")).collect::<String>().trim_end().to_owned()
            }
            _ => block.markdown(),
        };
        let plain = block.prose().unwrap_or_default().to_owned();
        self.page.seen |= self.page.generated
            && block.raw.starts_with("*Made from the runbook")
            && block.raw.contains("output was seen in");
        let ordered = matches!(block.kind, BlockKind::Item { ordered: true, depth: 1, .. });
        let numbered = ordered || announces;
        if self.section == Some(Heading::Notes) {
            self.page.notes.push(block.raw.split_whitespace().collect::<Vec<_>>().join(" "));
            return;
        }
        if self.section == Some(Heading::Further) {
            return;
        }
        if self.page.generated && self.section == Some(Heading::Before) {
            self.page.needs.push(block.raw.clone());
            return;
        }
        if self.page.summary.is_none()
            && self.section.is_none()
            && self.unit.commands.is_empty()
            && matches!(block.kind, BlockKind::Prose(_))
            && self.unit.prose.is_empty()
        {
            self.page.summary = Some(plain);
            return;
        }
        if is_note_intro(&plain) && self.unit.commands.is_empty() && self.section.is_none() {
            self.page.notes.push(plain);
            return;
        }
        if self.unit.commands.is_empty() {
            if self.unit.line == 0 {
                self.unit.line = line;
            }
            self.unit.prose.push(text);
            if !plain.is_empty() && (numbered || !self.unit.numbered) {
                self.unit.lead = Some(plain);
                self.unit.numbered = numbered;
            }
        } else {
            self.between.push(Between { markdown: text, text: plain, numbered });
        }
    }

    fn quote(&mut self, word: &'static str, raw: &str, line: usize) {
        if self.section.is_none() {
            self.page.notes.push(raw.split_whitespace().collect::<Vec<_>>().join(" "));
        } else {
            let lines = raw.lines().map(|line| format!("> {line}").trim_end().to_owned() + "\n").collect::<String>();
            self.unit.line = if self.unit.line == 0 { line } else { self.unit.line };
            self.unit.prose.push(format!("> [!{word}]\n{}", lines.trim_end()));
        }
    }

    fn fence(&mut self, info: &str, text: &str, first: usize, block: &Block) {
        match fence_kind(info, text, !self.unit.commands.is_empty(), &self.between, self.page.generated) {
            FenceKind::Output => {
                if self.page.generated && self.unit.commands.is_empty() {
                    self.unit.output = Some(text.trim_end().to_owned());
                    return;
                }
                let generated = self.page.generated;
                let intro = self.between.drain(..);
                let intro: Vec<String> =
                    intro.map(|between| if generated { between.markdown } else { between.text }).collect();
                if let Some(shown) = self.unit.commands.last_mut().filter(|shown| shown.output.is_none()) {
                    let intro = (!intro.is_empty()).then(|| intro.join(" "));
                    shown.output = Some(Output { text: text.trim_end().to_owned(), intro });
                }
            }
            FenceKind::Other => {
                let holds = self.page.generated && matches!(info, "json" | "yaml") && !self.unit.commands.is_empty();
                if holds {
                    self.unit.holds = Some((info.to_owned(), text.to_owned()));
                    return;
                }
                // Shown for the reader's eye: it stays in the prose.
                let marks = if text.contains("```") { "~~~~" } else { "```" };
                let markdown = format!("{marks}{info}\n{}\n{marks}", text.trim_end());
                if self.unit.commands.is_empty() {
                    self.unit.prose.push(markdown);
                } else {
                    self.between.push(Between { markdown, text: String::new(), numbered: false });
                }
            }
            FenceKind::Commands => {
                if !self.between.is_empty() {
                    let between = std::mem::take(&mut self.between);
                    // In a generated page a section is a step, whatever stands between its blocks.
                    if self.page.generated {
                        self.unit.after.extend(between.into_iter().map(|between| between.markdown));
                    } else {
                        self.flush();
                        let item = between.iter().rev().find(|between| between.numbered);
                        let last = item.or_else(|| between.iter().rev().find(|between| !between.text.is_empty()));
                        self.unit.numbered = item.is_some();
                        self.unit.lead = last.map(|between| between.text.clone());
                        self.unit.prose = between.into_iter().map(|between| between.markdown).collect();
                    }
                }
                if self.unit.line == 0 {
                    self.unit.line = block.line;
                }
                self.unit.commands.extend(commands(text, first));
                self.has_steps = true;
            }
        }
    }

    /// Ends the unit, keeping what belongs to the section.
    fn flush(&mut self) {
        let other_tab = self.tabs.as_ref().filter(|(number, _)| *number > 0).map(|(_, name)| name.clone());
        let unit = std::mem::replace(&mut self.unit, Unit { other_tab, ..Unit::default() });
        if unit.commands.is_empty() && unit.alerts.is_empty() {
            // Prose waits for the commands that follow it.
            self.unit.prose = unit.prose;
            self.unit.lead = unit.lead;
            self.unit.numbered = unit.numbered;
            self.unit.line = unit.line;
            return;
        }
        let heading = self.heading.take();
        let anchor = self.anchor.take();
        self.page.units.push(Unit { section: self.section, heading, anchor, ..unit });
    }

    /// Ends the section: what follows the last command belongs to it, prose without commands becomes remarks.
    fn end_section(&mut self) {
        self.tabs = None;
        let between = std::mem::take(&mut self.between);
        self.unit.after.extend(between.into_iter().map(|between| between.markdown));
        let judged_above = self.page.generated && self.unit.commands.is_empty() && self.anchor.is_some();
        if judged_above {
            // A step that looks at the output of the one above has no commands.
            let unit = std::mem::take(&mut self.unit);
            let (heading, anchor) = (self.heading.take(), self.anchor.take());
            self.page.units.push(Unit { section: self.section, heading, anchor, ..unit });
            return;
        }
        self.flush();
        let prose = std::mem::take(&mut self.unit).prose;
        self.heading = None;
        self.anchor = None;
        if self.page.generated {
            return;
        }
        match self.section {
            // Prose of the top is about the whole page.
            None | Some(Heading::Before | Heading::Notes) => {
                self.page.notes.extend(prose.into_iter().filter(|text| !text.starts_with("```")).map(|text| {
                    let text = text.trim_start_matches("- ");
                    text.split_whitespace().collect::<Vec<_>>().join(" ")
                }));
            }
            // A section without commands leads over to the next.
            _ => self.unit.prose = prose,
        }
    }
}

/// What a fence holds.
#[derive(Debug, PartialEq, Eq)]
enum FenceKind {
    Commands,
    Output,
    Other,
}

fn fence_kind(info: &str, text: &str, after_command: bool, between: &[Between], generated: bool) -> FenceKind {
    let language = info.split(|c: char| c.is_whitespace() || c == ',' || c == '{').next().unwrap_or_default();
    let language = language.to_ascii_lowercase();
    if generated {
        return match language.as_str() {
            "bash" => FenceKind::Commands,
            "text" => FenceKind::Output,
            _ => FenceKind::Other,
        };
    }
    let said = between.iter().any(|between| says_output(&between.text));
    let new_item = between.iter().any(|between| between.numbered);
    let prompts = text.lines().any(|line| line.trim_start().starts_with("$ "));
    let output = || if after_command && !new_item { FenceKind::Output } else { FenceKind::Other };
    match language.as_str() {
        _ if text.trim().is_empty() => FenceKind::Other,
        "bash" | "sh" | "shell" | "zsh" | "ksh" | "console" | "shell-session" | "sh-session" | "terminal"
        | "shellsession" => {
            if starts_like_command(text) || prompts || !after_command || !said {
                FenceKind::Commands
            } else {
                FenceKind::Output
            }
        }
        "" | "text" | "txt" | "plain" | "plaintext" | "none" => {
            if prompts || (language.is_empty() && starts_like_command(text)) { FenceKind::Commands } else { output() }
        }
        "output" | "log" | "logs" | "json" | "html" | "http" => output(),
        "yaml" | "yml" if said => output(),
        _ => FenceKind::Other,
    }
}

/// Programs that pages name at the start of a command.
const PROGRAMS: [&str; 40] = [
    "kubectl",
    "export",
    "istioctl",
    "helm",
    "curl",
    "cat",
    "echo",
    "sed",
    "grep",
    "docker",
    "minikube",
    "kind",
    "git",
    "cd",
    "mkdir",
    "openssl",
    "for",
    "while",
    "until",
    "if",
    "source",
    "sleep",
    "set",
    "unset",
    "alias",
    "oc",
    "aws",
    "gcloud",
    "az",
    "terraform",
    "sudo",
    "wget",
    "tar",
    "tee",
    "jq",
    "nslookup",
    "dig",
    "siege",
    "ssh",
    "touch",
];

/// Whether a line starts as a command does.
fn is_command_line(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    let assigned = word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    });
    PROGRAMS.contains(&word) || assigned || word.starts_with("./")
}

fn starts_like_command(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.take(1).any(|line| is_command_line(line.strip_prefix("$ ").unwrap_or(line)))
}

/// The commands of a fence, each with what the fence itself shows of its output. `first` is the line of its text.
fn commands(text: &str, first: usize) -> Vec<Shown> {
    if text.lines().any(|line| line.trim_start().starts_with("$ ")) {
        prompted(text, first)
    } else {
        script(text, first)
    }
}

/// A session: commands behind prompts, output between them.
fn prompted(text: &str, first: usize) -> Vec<Shown> {
    let lines: Vec<&str> = text.lines().collect();
    let is_prompt = |line: &str| line.trim_start().starts_with("$ ");
    let starts: Vec<usize> = (0..lines.len()).filter(|at| is_prompt(lines[*at])).collect();
    let mut found = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(lines.len());
        let command = lines[*start].trim_start().strip_prefix("$ ").unwrap_or_default();
        let segment = std::iter::once(command).chain(lines[start + 1..end].iter().copied());
        let segment: String = segment.map(|line| format!("{line}\n")).collect();
        let Some(chunk) = chunks(&segment).into_iter().next() else { continue };
        let taken = chunk.line + chunk.text.lines().count();
        let rest: Vec<&str> = segment.lines().skip(taken).collect();
        let output = rest.join("\n");
        let output = (!output.trim().is_empty()).then(|| Output { text: output.trim_end().to_owned(), intro: None });
        found.push(Shown { line: first + start + chunk.line, chunk, output });
    }
    found
}

/// A script, in which comments may say that output follows.
fn script(text: &str, first: usize) -> Vec<Shown> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Shown> = Vec::new();
    let mut from = 0;
    for _ in 0..50 {
        let rest: String = lines[from..].iter().map(|line| format!("{line}\n")).collect();
        let mut own: Vec<Shown> = chunks(&rest)
            .into_iter()
            .map(|chunk| Shown { line: first + from + chunk.line, chunk, output: None })
            .collect();
        let Some(intro) = output_intro(&lines, from, &own, first) else {
            found.extend(own);
            return found;
        };
        own.retain(|shown| shown.line < first + intro);
        found.extend(own);
        let mut end = intro + 1;
        while end < lines.len() && !lines[end].trim_start().starts_with('#') && !is_command_line(lines[end]) {
            end += 1;
        }
        let output = lines[intro + 1..end].join("\n");
        if let Some(shown) = found.last_mut()
            && !output.trim().is_empty()
        {
            let said = lines[intro].trim_start_matches(['#', ' ']).trim().to_owned();
            shown.output = Some(Output { text: output.trim_matches('\n').trim_end().to_owned(), intro: Some(said) });
        }
        from = end;
    }
    found
}

/// The line of the next comment outside commands that says that output follows.
fn output_intro(lines: &[&str], from: usize, found: &[Shown], first: usize) -> Option<usize> {
    let starts: Vec<(usize, usize)> =
        found.iter().map(|shown| (shown.line - first, shown.chunk.text.lines().count())).collect();
    let earliest = starts.first()?.0;
    (from.max(earliest + 1)..lines.len()).find(|at| {
        let line = lines[*at].trim_start();
        let above = starts.partition_point(|(start, _)| start <= at).checked_sub(1).map(|above| starts[above]);
        let inside = above.is_some_and(|(start, length)| start < *at && *at < start + length);
        line.starts_with('#') && !inside && says_output(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::{blocks, plain};

    fn read(text: &str) -> Outline {
        let (text, front) = plain(text);
        outline(&blocks(&text), front)
    }

    fn shown(unit: &Unit) -> Vec<(usize, &str, Option<&str>)> {
        unit.commands
            .iter()
            .map(|shown| {
                (shown.line, shown.chunk.text.as_str(), shown.output.as_ref().map(|output| output.text.as_str()))
            })
            .collect()
    }

    #[test]
    fn comments_in_a_fence_announce_output() {
        let page = read(
            "# T\n\nAbout.\n\n1. Do it\n```bash\n# first\nkubectl a\n\n#You should see something like this\nx y\n[z]\n\nkubectl b\n```\n",
        );
        assert_eq!(page.title.as_deref(), Some("T"));
        assert_eq!(page.summary.as_deref(), Some("About."));
        assert_eq!(shown(&page.units[0]), [(8, "kubectl a", Some("x y\n[z]")), (14, "kubectl b", None)]);
        assert_eq!(page.units[0].commands[0].chunk.comment, ["first"]);
        assert_eq!(page.units[0].lead.as_deref(), Some("Do it"));
    }

    #[test]
    fn fences_after_commands_are_output() {
        let page = read(
            "## S\n\nSay:\n\n```console\n$ kubectl a \\\n    -b\nout 1\n$ kubectl c\n```\n\nYou should see:\n\n```\nout 2\n```\n\nNow this works.\n\n## T\n\n```\nkubectl d\n```\n",
        );
        assert_eq!(
            shown(&page.units[0]),
            [(6, "kubectl a \\\n    -b", Some("out 1")), (9, "kubectl c", Some("out 2"))]
        );
        assert_eq!(page.units[0].after, ["Now this works."]);
        assert_eq!(page.units[1].heading.as_deref(), Some("T"));
    }

    #[test]
    fn tabs_after_the_first_are_other_ways_to_do_the_same() {
        let page = read(
            "# T\n\n## S\n\n{{< tabset >}}\n\n{{< tab name=\"A\" >}}\n\n{{< text bash >}}\n$ kubectl a\n{{< /text >}}\n\n{{< /tab >}}\n\n{{< tab name=\"B\" >}}\n\n{{< text bash >}}\n$ kubectl b\n{{< /text >}}\n\n{{< /tab >}}\n\n{{< /tabset >}}\n\nThen:\n\n{{< text bash >}}\n$ kubectl c\n{{< /text >}}\n",
        );
        let tabs: Vec<Option<&str>> = page.units.iter().map(|unit| unit.other_tab.as_deref()).collect();
        assert_eq!(tabs, [None, Some("B"), None]);
    }
}
