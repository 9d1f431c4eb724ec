//! What follows a pipe: `grep`, `head`, `tail` as matchers; what has no meaning in a check is left out and told.

use super::{Context, Reader};
use crate::draft::Check;
use crate::guess::{self, Known};
use crate::outline::Output;
use crate::shell::{Part, Redirect, Simple, Word};

/// What the filters of a pipeline ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only the matches of this are looked at (`grep -o`).
    pub(super) find: Option<String>,
    /// Lines are kept that match these.
    pub(super) lines: Vec<Select>,
    /// The first or the last so many lines are kept.
    pub(super) head: bool,
    pub(super) tail: bool,
    /// How many matches there are is printed instead.
    pub(super) counts: bool,
    /// Standard error goes along.
    pub(super) both: bool,
    /// Something changes the text in a way that a check does not know.
    pub(super) changed: bool,
}

/// A choice of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Select {
    /// The regular expression.
    pub(super) regex: String,
    /// The text that it means, where it is one.
    pub(super) literal: Option<String>,
    /// `-v`
    pub(super) invert: bool,
    /// `-x`
    pub(super) whole: bool,
}

impl Reader {
    /// Reads what follows a pipe.
    pub(super) fn filter(&mut self, first: &Simple, rest: &[Simple], at: &Context<'_>) -> Result<Filter, String> {
        let mut filter = Filter { both: first.redirects.contains(&Redirect::ErrToOut), ..Filter::default() };
        for stage in rest {
            let name = stage.words.first().and_then(Word::literal).unwrap_or_default();
            let shown = stage.words.iter().map(|word| word.raw.as_str()).collect::<Vec<_>>().join(" ");
            match name {
                "grep" | "egrep" | "fgrep" => self.grep(name, stage, &shown, &mut filter, at)?,
                "head" => filter.head = true,
                "tail" => filter.tail = true,
                "cat" | "tee" | "less" | "more" => {}
                "sed" if stage.words.get(1).and_then(Word::literal) == Some("-n") => match printed(stage) {
                    Some(regex) => filter.lines.push(select(&regex, false, false)),
                    None => self.drop_filter(&mut filter, &shown, at),
                },
                "awk" => match stage.words.get(1).and_then(Word::literal).and_then(awk_pattern) {
                    Some(regex) => filter.lines.push(select(&regex, false, false)),
                    None => self.drop_filter(&mut filter, &shown, at),
                },
                _ => self.drop_filter(&mut filter, &shown, at),
            }
        }
        Ok(filter)
    }

    fn drop_filter(&mut self, filter: &mut Filter, shown: &str, at: &Context<'_>) {
        filter.changed = true;
        let reason = "what it makes of the output has no meaning in a check; the step is there without it";
        self.leave_out(at, &format!("| {shown}"), reason);
    }

    fn grep(
        &mut self,
        name: &str,
        stage: &Simple,
        shown: &str,
        filter: &mut Filter,
        at: &Context<'_>,
    ) -> Result<(), String> {
        let mut letters = String::new();
        let mut pattern: Option<Word> = None;
        let mut words = stage.words[1..].iter();
        while let Some(word) = words.next() {
            let lead = word.lead();
            if let Some(long) = lead.strip_prefix("--") {
                match long.split('=').next().unwrap_or_default() {
                    "only-matching" => letters.push('o'),
                    "extended-regexp" => letters.push('E'),
                    "perl-regexp" => letters.push('P'),
                    "fixed-strings" => letters.push('F'),
                    "ignore-case" => letters.push('i'),
                    "invert-match" => letters.push('v'),
                    "count" => letters.push('c'),
                    "quiet" | "silent" => letters.push('q'),
                    "line-regexp" => letters.push('x'),
                    "word-regexp" => letters.push('w'),
                    "regexp" => pattern = Some(word.without_lead("--regexp=".len())),
                    "color" | "colour" | "line-buffered" | "no-messages" | "text" | "max-count" => {}
                    _ => return Err(format!("`grep {lead}` is not read")),
                }
            } else if lead.len() > 1 && lead.starts_with('-') && pattern.is_none() {
                let mut rest = lead[1..].chars();
                while let Some(letter) = rest.next() {
                    match letter {
                        'e' => {
                            let own = rest.as_str();
                            pattern = if own.is_empty() && word.parts.len() == 1 {
                                words.next().cloned()
                            } else {
                                Some(word.without_lead(lead.len() - own.len()))
                            };
                            break;
                        }
                        'A' | 'B' | 'C' => {
                            // Lines around a match only help the reader.
                            if rest.as_str().is_empty() {
                                words.next();
                            }
                            break;
                        }
                        'm' => {
                            if rest.as_str().is_empty() {
                                words.next();
                            }
                            filter.head = true;
                            break;
                        }
                        'o' | 'E' | 'P' | 'F' | 'i' | 'v' | 'c' | 'q' | 'x' | 'w' | 'n' | 'h' | 's' | 'a' | 'H' => {
                            letters.push(letter);
                        }
                        _ => return Err(format!("`grep -{letter}` is not read")),
                    }
                }
            } else if pattern.is_none() {
                pattern = Some(word.clone());
            } else {
                return Err("`grep` reads a file of the reader's machine".to_owned());
            }
        }
        let Some(pattern) = pattern else { return Err("`grep` is given no pattern".to_owned()) };
        let has = |letter| letters.contains(letter);
        let fixed = has('F') || name == "fgrep";
        let extended = has('E') || has('P') || name == "egrep";
        let text = self.template(&pattern, at)?;
        let mut regex = String::new();
        for part in &pattern.parts {
            match part {
                Part::Text(text) if fixed => regex.push_str(&regex::escape(text)),
                Part::Text(text) => regex.push_str(&guess::expression(text, extended)),
                part => regex.push_str(&self.template(&Word { parts: vec![part.clone()], raw: String::new() }, at)?),
            }
        }
        if has('w') {
            regex = format!(r"\b(?:{regex})\b");
        }
        if has('i') {
            regex = format!("(?i){regex}");
        }
        let is_plain = !has('w') && !has('i');
        let literal = if fixed && is_plain {
            Some(text)
        } else if is_plain && pattern.literal().is_some() {
            guess::literal(&regex)
        } else {
            None
        };
        if has('c') {
            filter.counts = true;
        }
        if has('o') && !has('v') {
            if filter.find.is_some() || !filter.lines.is_empty() {
                self.drop_filter(filter, shown, at);
            } else {
                filter.find = Some(regex);
            }
        } else {
            filter.lines.push(Select { regex, literal, invert: has('v'), whole: has('x') });
        }
        Ok(())
    }

    /// The check that a pipeline and what the page shows of its output make; `None` if its success is all.
    pub(super) fn check(&mut self, filter: &Filter, at: &Context<'_>) -> Option<Check> {
        let mut check = Check { find: filter.find.clone(), ..Check::default() };
        if filter.both {
            check.stream = Some("both");
        }
        let output = at.output.map(|output| shown_lines(&output.text)).filter(|shown| !shown.is_empty());
        let (exit, output) = match output {
            Some(output) => (exit_code(&output), Some(without_exit(&output)).filter(|text| !text.trim().is_empty())),
            None => (None, None),
        };
        if let Some(code) = exit {
            check.exit = vec![code];
        } else if at.fails {
            check.fails = true;
        }
        let must_fail = exit.is_some_and(|code| code != 0) || at.fails;
        if must_fail {
            // What is printed then is not what the filters were made for.
            check.find = None;
            if let Some(find) = filter.find.as_deref().and_then(guess::literal) {
                check.not_contains.push(find);
            }
            return Some(check);
        }
        // Lines that are wanted or not wanted, whatever else there is.
        for select in filter.lines.iter().filter(|select| select.invert) {
            check.not_contains.extend(select.literal.clone());
        }
        let wanted: Vec<&Select> = filter.lines.iter().filter(|select| !select.invert).collect();
        match output {
            Some(_) if filter.changed || filter.counts => {
                self.remark(at.line, "the output that the page shows is not checked, since a filter makes it");
                self.asked(&wanted, &mut check);
            }
            Some(output) => self.as_shown(filter, &wanted, &output, &mut check),
            None => self.asked(&wanted, &mut check),
        }
        if !check.asserts() && check.find.is_some() {
            // `grep -o` succeeds where there is a match.
            check.regex = check.find.take();
        }
        check.asserts().then_some(check)
    }

    /// What `grep` alone asks for.
    fn asked(&mut self, wanted: &[&Select], check: &mut Check) {
        for select in wanted {
            match &select.literal {
                Some(text) if select.whole && check.equals.is_none() => check.equals = Some(text.clone()),
                Some(text) if !select.whole => check.contains.push(text.clone()),
                _ => {
                    let regex = if select.whole { format!("^(?:{})$", select.regex) } else { select.regex.clone() };
                    if check.regex.is_none() {
                        check.regex = Some(regex);
                    }
                }
            }
        }
    }

    /// What the page shows is what must be there.
    fn as_shown(&mut self, filter: &Filter, wanted: &[&Select], output: &str, check: &mut Check) {
        if let ([select], None) = (wanted, &check.find) {
            // Only the lines that were chosen are shown.
            check.find = Some(whole_line(&select.regex, select.whole));
        } else if let [select] = wanted
            && select.whole
            && let Some(text) = &select.literal
        {
            // `grep -o … | grep -Fx TEXT`
            check.equals = Some(text.clone());
            return;
        }
        let pattern = guess::pattern(output, &self.known());
        let lines = pattern.lines().count();
        let plain = pattern == output || escaped_only(&pattern, output);
        let one = lines == 1 && !filter.head && !filter.tail;
        if one && plain {
            check.equals = Some(super::names::escape(output).unwrap_or(pattern));
        } else if one && is_templated(&pattern, output) {
            check.equals = Some(pattern);
        } else {
            let head = if filter.tail { "...\n" } else { "" };
            let tail = if filter.head { "\n..." } else { "" };
            check.lines = Some(format!("{head}{pattern}{tail}"));
        }
    }

    /// Values that have a name, for samples.
    pub(super) fn known(&self) -> Vec<Known> {
        let telling =
            |value: &str| value.len() >= 4 && !value.chars().all(|c| c.is_ascii_lowercase()) || value.len() >= 8;
        let params = self.draft.params.iter().filter_map(|(name, param)| {
            let value = param.default.as_deref().filter(|value| telling(value))?;
            Some(Known { value: value.to_owned(), template: format!("{{{{{name}}}}}") })
        });
        params.collect()
    }
}

fn select(regex: &str, invert: bool, whole: bool) -> Select {
    Select { regex: regex.to_owned(), literal: guess::literal(regex), invert, whole }
}

/// The pattern of `sed -n '/…/p'`.
fn printed(stage: &Simple) -> Option<String> {
    let script = stage.words.get(2)?.literal()?;
    let inner = script.strip_prefix('/')?.strip_suffix("/p")?;
    (!inner.contains('/')).then(|| guess::expression(inner, false))
}

/// The pattern of `awk '/…/'`.
fn awk_pattern(script: &str) -> Option<String> {
    let inner = script.trim().strip_prefix('/')?.strip_suffix('/')?;
    (!inner.contains('/')).then(|| inner.to_owned())
}

/// An expression that takes the whole of a line that another one matches in.
fn whole_line(regex: &str, whole: bool) -> String {
    if whole {
        return format!("^(?:{regex})$");
    }
    let (flags, regex) = regex.strip_prefix("(?i)").map_or(("", regex), |rest| ("(?i)", rest));
    if regex.contains('|') {
        return format!("{flags}^.*(?:{regex}).*$");
    }
    let start = if regex.starts_with('^') { "" } else { "^.*" };
    let end = if regex.ends_with('$') && !regex.ends_with("\\$") { "" } else { ".*$" };
    format!("{flags}{start}{regex}{end}")
}

/// Output without blank lines around it.
fn shown_lines(text: &str) -> String {
    text.trim_matches('\n').trim_end().to_owned()
}

/// The code that kubectl or curl tell at the end.
fn exit_code(text: &str) -> Option<u8> {
    let told = text.lines().find_map(|line| line.trim().strip_prefix("command terminated with exit code "));
    told.or_else(|| {
        text.lines().find_map(|line| line.trim().strip_prefix("curl: (").and_then(|rest| rest.split(')').next()))
    })
    .and_then(|code| code.trim().parse().ok())
}

fn without_exit(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.starts_with("command terminated with exit code ") && !line.starts_with("curl: (")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a pattern is the sample but for escapes.
fn escaped_only(pattern: &str, output: &str) -> bool {
    pattern.replace("\\[", "[").replace("\\{{", "{{") == output
}

/// Whether nothing but names replaced values, so that `equals` says all.
fn is_templated(pattern: &str, output: &str) -> bool {
    pattern.contains("{{") && !pattern.contains('[') && !output.contains(['[', '{'])
}

/// The text of an output.
pub(super) fn text_of(output: Option<&Output>) -> Option<String> {
    output.map(|output| shown_lines(&output.text)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_line_is_taken_whole() {
        assert_eq!(whole_line("HTTP/", false), "^.*HTTP/.*$");
        assert_eq!(whole_line("^a|b", false), "^.*(?:^a|b).*$");
        assert_eq!(whole_line("(?i)a$", false), "(?i)^.*a$");
    }

    #[test]
    fn codes_are_told_by_kubectl_and_curl() {
        assert_eq!(exit_code("curl: (35) x\ncommand terminated with exit code 56"), Some(56));
        assert_eq!(exit_code("curl: (35) error"), Some(35));
        assert_eq!(exit_code("HTTP/2 200"), None);
        assert_eq!(without_exit("a\ncommand terminated with exit code 1"), "a");
    }
}
