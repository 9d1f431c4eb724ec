//! Hugo's shortcodes and front matter, as Istio's pages have them, rewritten as plain Markdown line by line.
//!
//! A page without them is left as it is. Of tabs, which show the same step in several ways, each keeps its name.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// What a page says of itself before it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Front {
    /// `title:`
    pub(crate) title: Option<String>,
    /// `description:`
    pub(crate) description: Option<String>,
}

/// The fence that stands for a block of text: longer than any that could stand in one.
const FENCE: &str = "~~~~~~~~~~";

static OPEN_TEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\s*)\{\{[<%]\s*text\b\s*(.*?)\s*[>%]\}\}\s*$").expect("a pattern"));
static CLOSE_TEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(.*?)\{\{[<%]\s*/\s*text\s*[>%]\}\}\s*$").expect("a pattern"));
static ALONE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\s*)\{\{[<%]\s*(/?)\s*([a-z_]+)\b\s*(.*?)\s*[>%]\}\}\s*$").expect("a pattern"));
static INLINE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{[<%][^\n]*?[>%]\}\}").expect("a pattern"));
static SYNTAX: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"syntax="?([A-Za-z-]+)"?"#).expect("a pattern"));
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:name=|category-value=)?"([^"]*)""#).expect("a pattern"));
static SAMPLE_FILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"@([A-Za-z0-9_./-]+)@").expect("a pattern"));

/// The page as plain Markdown with as many lines, and what it says of itself.
pub(crate) fn plain(text: &str) -> (Cow<'_, str>, Front) {
    let (front, skipped) = front_matter(text);
    let hugo = text.contains("{{<") || text.contains("{{%");
    if !hugo && skipped == 0 {
        return (Cow::Borrowed(text), front);
    }
    let mut out = String::with_capacity(text.len());
    let mut state = State::default();
    for (number, line) in text.lines().enumerate() {
        if number >= skipped {
            if hugo {
                state.line(line, &mut out);
            } else {
                out.push_str(line);
            }
        }
        out.push('\n');
    }
    (Cow::Owned(out), front)
}

/// YAML or TOML between marks at the top, and how many lines it takes.
fn front_matter(text: &str) -> (Front, usize) {
    let mut lines = text.lines();
    let Some(mark @ ("---" | "+++")) = lines.next().map(str::trim_end) else { return (Front::default(), 0) };
    let mut front = Front::default();
    for (number, line) in lines.enumerate() {
        if line.trim_end() == mark {
            return (front, number + 2);
        }
        if let Some((key, value)) = line.split_once(if mark == "---" { ':' } else { '=' }) {
            let value = value.trim().trim_matches(['"', '\'']).trim();
            let place = match key.trim() {
                "title" => &mut front.title,
                "description" => &mut front.description,
                _ => continue,
            };
            *place = (!value.is_empty()).then(|| value.to_owned());
        }
    }
    (Front::default(), 0)
}

#[derive(Default)]
struct State {
    /// Within a fence of the page itself: its marks.
    fence: Option<String>,
    in_text: bool,
    /// Within a quotation made of a shortcode, and what stood before that.
    quotes: usize,
    indent: String,
}

impl State {
    fn line(&mut self, line: &str, out: &mut String) {
        let line = if self.quotes > 0 {
            out.push_str(&self.indent);
            out.push_str("> ");
            line.strip_prefix(self.indent.as_str()).unwrap_or_else(|| line.trim_start())
        } else {
            line
        };
        if self.in_text {
            if let Some(close) = CLOSE_TEXT.captures(line) {
                self.in_text = false;
                let before = &close[1];
                out.push_str(if before.trim().is_empty() { before } else { "" });
                out.push_str(FENCE);
            } else {
                out.push_str(&INLINE.replace_all(&SAMPLE_FILE.replace_all(line, "$1"), ""));
            }
            return;
        }
        let trimmed = line.trim_start();
        if let Some(mark) = &self.fence {
            if trimmed.starts_with(mark.as_str()) {
                self.fence = None;
            }
            out.push_str(line);
            return;
        }
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            let letter = trimmed.chars().next().unwrap_or('`');
            self.fence = Some(trimmed.chars().take_while(|c| *c == letter).collect());
            out.push_str(line);
            return;
        }
        if let Some(open) = OPEN_TEXT.captures(line) {
            self.in_text = true;
            let info = SYNTAX.captures(&open[2]).map_or_else(
                || open[2].split_whitespace().next().unwrap_or_default().to_owned(),
                |syntax| syntax[1].to_owned(),
            );
            out.push_str(&open[1]);
            out.push_str(FENCE);
            out.push_str(&info);
            return;
        }
        match ALONE.captures(line) {
            Some(found) => self.alone(&found[1], &found[2] == "/", &found[3], &found[4], out),
            None => out.push_str(&INLINE.replace_all(line, "")),
        }
    }

    /// A shortcode that has the line for itself.
    fn alone(&mut self, indent: &str, closes: bool, name: &str, rest: &str, out: &mut String) {
        let word = match name {
            "warning" => "WARNING",
            "tip" | "idea" => "TIP",
            "quote" => "NOTE",
            "tab" if !closes => {
                let name = VALUE.captures(rest).map_or("", |found| found.get(1).map_or("", |name| name.as_str()));
                out.push_str(&format!("<!-- tab: {} -->", name.replace("--", "-")));
                return;
            }
            "tab" if closes => {
                out.push_str("<!-- tab end -->");
                return;
            }
            "tabset" if closes => {
                out.push_str("<!-- tabs end -->");
                return;
            }
            "boilerplate" if !closes => {
                let name = rest.split_whitespace().next().unwrap_or_default();
                out.push_str(&format!("<!-- included: {} -->", name.replace("--", "-")));
                return;
            }
            _ => return,
        };
        if closes {
            self.quotes = self.quotes.saturating_sub(1);
        } else {
            if self.quotes == 0 {
                indent.clone_into(&mut self.indent);
                out.push_str(indent);
                out.push_str("> ");
            }
            self.quotes += 1;
            out.push_str(&format!("[!{word}]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcodes_become_fences_and_quotations_line_by_line() {
        let text = "---\ntitle: Accessing\ndescription: \"How to\"\n---\n\n{{< warning >}}\nBe careful.\n{{< /warning >}}\n\n1.  Do it:\n\n    {{< text syntax=bash outputis=json snip_id=x >}}\n    $ kubectl apply -f @samples/sleep/sleep.yaml@\n    {{< /text >}}\n\nA {{< gloss >}}sidecar{{< /gloss >}}.\n";
        let (plain, front) = plain(text);
        assert_eq!(front, Front { title: Some("Accessing".to_owned()), description: Some("How to".to_owned()) });
        assert_eq!(plain.lines().count(), text.lines().count());
        let expected = "\n\n\n\n\n> [!WARNING]\n> Be careful.\n> \n\n1.  Do it:\n\n    ~~~~~~~~~~bash\n    $ kubectl apply -f samples/sleep/sleep.yaml\n    ~~~~~~~~~~\n\nA sidecar.\n";
        assert_eq!(plain, expected);
    }

    #[test]
    fn other_pages_stay_as_they_are() {
        let text = "# T\n\n---\n\nname: {{ .Values.x }}\n";
        assert!(matches!(plain(text), (Cow::Borrowed(same), _) if same == text));
    }
}
