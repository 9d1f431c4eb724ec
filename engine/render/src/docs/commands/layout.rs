//! Commands on lines of a width that a page can show.
//!
//! A line is broken behind `|`, or with `\` between words; never within a word, whose own lines keep their place.

/// The widest line that is aimed for.
const WIDTH: usize = 100;

/// A command: words, or groups of them that stay on one line, such as `-n external`.
#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    groups: Vec<String>,
    /// The group behind which a line that is too long is broken first.
    breaks_after: Option<usize>,
}

impl Command {
    pub(super) fn new(program: impl Into<String>) -> Self {
        Self { groups: vec![program.into()], breaks_after: None }
    }

    pub(super) fn arg(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    pub(super) fn args(mut self, groups: impl IntoIterator<Item = String>) -> Self {
        self.groups.extend(groups);
        self
    }

    /// Adds `--` or another group behind which the command is best cut in two.
    pub(super) fn last_before_break(mut self, group: &str) -> Self {
        self.breaks_after = Some(self.groups.len());
        self.groups.push(group.to_owned());
        self
    }

    fn glue(&mut self, before: &str, after: &str) {
        if let Some(first) = self.groups.first_mut() {
            first.insert_str(0, before);
        }
        if let Some(last) = self.groups.last_mut() {
            last.push_str(after);
        }
    }

    pub(super) fn on_one_line(&self) -> String {
        self.groups.join(" ")
    }

    /// The lines of the command; those after the first are meant to be indented.
    fn lines(&self, width: usize, first_width: usize) -> Vec<String> {
        let whole = self.on_one_line();
        if widest(&whole) <= first_width {
            return vec![whole];
        }
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        for (at, group) in self.groups.iter().enumerate() {
            let width = if lines.is_empty() { first_width } else { width };
            let preferred = at.checked_sub(1).is_some_and(|before| self.breaks_after == Some(before));
            let must = preferred && lines.is_empty();
            // A word with lines of its own starts where it can: it is too wide anyway.
            let head = group.split('\n').next().unwrap_or_default();
            let fits = last_line(&line).chars().count() + 1 + head.chars().count() + 2 <= width;
            if line.is_empty() {
                line.clone_from(group);
            } else if must || !fits {
                lines.push(format!("{line} \\"));
                line.clone_from(group);
            } else {
                line.push(' ');
                line.push_str(group);
            }
        }
        lines.push(line);
        lines
    }
}

fn widest(text: &str) -> usize {
    text.split('\n').map(|line| line.chars().count()).max().unwrap_or(0)
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

/// A block of shell text.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Lines with their indentation. A line may hold line breaks; what follows them is never indented.
    lines: Vec<(usize, String)>,
}

impl Block {
    pub(super) fn line(&mut self, text: impl Into<String>) {
        self.lines.push((0, text.into()));
    }

    /// Adds lines that stay where they are, such as those of a here-document, below the last line.
    pub(super) fn line_below(&mut self, text: &str) {
        if let Some((_, last)) = self.lines.last_mut() {
            last.push('\n');
            last.push_str(text);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// Adds a block two columns to the right.
    pub(super) fn indented(&mut self, other: Self) {
        self.lines.extend(other.lines.into_iter().map(|(indent, text)| (indent + 2, text)));
    }

    /// Adds a command, or several joined by pipes. `before` and `after` are glued to it: `X=$(` and `)`, or a redirection.
    pub(super) fn pipeline(&mut self, before: &str, stages: &[Command], after: &str) {
        self.pipeline_at(0, before, stages, after);
    }

    /// As [`Block::pipeline`], for lines that will be indented by so much.
    pub(super) fn pipeline_at(&mut self, outer: usize, before: &str, stages: &[Command], after: &str) {
        let mut stages = stages.to_vec();
        let last = stages.len().saturating_sub(1);
        for (at, stage) in stages.iter_mut().enumerate() {
            stage.glue(if at == 0 { before } else { "" }, if at == last { after } else { "" });
        }
        let whole = stages.iter().map(Command::on_one_line).collect::<Vec<_>>().join(" | ");
        let width = WIDTH - outer;
        if widest(&whole) <= width {
            self.line(whole);
            return;
        }
        let mut lines: Vec<(usize, String)> = Vec::new();
        // A stage of several lines stands by itself.
        let mut short = false;
        for (at, stage) in stages.iter().enumerate() {
            let pipe = if at == last { "" } else { " |" };
            let one = stage.on_one_line();
            if at > 1
                && short
                && let Some((_, line)) = lines.last_mut()
                && widest(line).max(last_line(line).chars().count() + 1 + widest(&one) + pipe.len()) <= width - 2
            {
                line.push(' ');
                line.push_str(&one);
                line.push_str(pipe);
                continue;
            }
            let first_width = if at == 0 { width } else { width - 2 } - pipe.len();
            let mut own = stage.lines(if at == 0 { width - 2 } else { width - 4 }, first_width);
            if let Some(line) = own.last_mut() {
                line.push_str(pipe);
            }
            short = own.len() == 1;
            let indent = if at == 0 { 0 } else { 2 };
            lines.extend(
                own.into_iter().enumerate().map(|(more, line)| (if more == 0 { indent } else { indent + 2 }, line)),
            );
        }
        self.lines.append(&mut lines);
    }

    /// As text, without a line break at its end.
    pub(super) fn text(&self) -> String {
        let lines = self.lines.iter().map(|(indent, line)| format!("{}{line}", " ".repeat(*indent)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(before: &str, stages: &[Command], after: &str) -> String {
        let mut block = Block::default();
        block.pipeline(before, stages, after);
        block.text()
    }

    #[test]
    fn what_fits_stays_on_one_line() {
        let stages = [Command::new("kubectl logs x").arg("-n y"), Command::new("grep").arg("z")];
        assert_eq!(laid_out("output=$(", &stages, ")"), "output=$(kubectl logs x -n y | grep z)");
    }

    #[test]
    fn long_commands_break_at_sensible_places() {
        let exec = Command::new("kubectl exec deploy/sleep")
            .arg("-n external")
            .arg("-c sleep")
            .last_before_break("--")
            .args(["env A=\"$A\"", "curl", "-sS", "-m", "10", "\"$SITE\""].map(str::to_owned));
        let stages =
            [exec, Command::new("grep -o").arg("'<title>.*</title>'"), Command::new("grep -Fx").arg("\"$TITLE\"")];
        assert_eq!(
            laid_out("", &stages, " && break"),
            "kubectl exec deploy/sleep -n external -c sleep -- env A=\"$A\" curl -sS -m 10 \"$SITE\" |\n  \
             grep -o '<title>.*</title>' | grep -Fx \"$TITLE\" && break"
        );
        let many: Vec<String> = (0..30).map(|number| format!("word-{number}")).collect();
        let text = laid_out("", &[Command::new("printf").args(many)], "");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("  word")), "{text}");
    }

    #[test]
    fn lines_of_a_word_are_never_indented() {
        let mut inner = Block::default();
        inner.pipeline("", &[Command::new("sh -c").arg("'a\nb'")], "");
        let mut outer = Block::default();
        outer.line("do");
        outer.indented(inner);
        assert_eq!(outer.text(), "do\n  sh -c 'a\nb'");
    }
}
