//! What a generated page says of a check, sentence by sentence.
//!
//! The sentences are those of `periplus docs`. One that is not known says nothing about a check.

use std::sync::LazyLock;

use regex::Regex;

use super::Reader;
use super::names::Name;

/// What sentences say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) exit: Vec<u8>,
    pub(super) fails: bool,
    pub(super) consecutive: Option<u32>,
    pub(super) find: Option<String>,
    pub(super) stream: Option<&'static str>,
    pub(super) contains: Vec<String>,
    pub(super) not_contains: Vec<String>,
    pub(super) regex: Option<String>,
    pub(super) at_least: Option<String>,
    pub(super) at_most: Option<String>,
    pub(super) count: (Option<u64>, Option<u64>),
    pub(super) within: Option<String>,
    /// The sample shows what must be there to the letter.
    pub(super) exact: bool,
    /// There must be no such object.
    pub(super) absent: bool,
}

static SENTENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[.:](?:\s|$)").expect("a pattern"));
static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$([A-Za-z_][A-Za-z0-9_]*)").expect("a pattern"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+").expect("a pattern"));

/// A sentence with its code taken out: `\u{1}` stands for each piece.
struct Sentence {
    words: String,
    codes: Vec<String>,
}

/// Prose as sentences.
fn sentences(markdown: &str) -> Vec<Sentence> {
    let mut text = String::new();
    let mut codes = Vec::new();
    let mut rest = markdown;
    while let Some(at) = rest.find('`') {
        text.push_str(&rest[..at]);
        let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let marks = "`".repeat(run);
        let after = &rest[at + run..];
        let Some(end) = after.find(&marks) else {
            rest = after;
            continue;
        };
        let inner = after[..end].replace('\n', " ");
        let padded = inner.starts_with(' ') && inner.ends_with(' ') && !inner.trim().is_empty();
        codes.push(if padded { inner[1..inner.len() - 1].to_owned() } else { inner });
        text.push('\u{1}');
        rest = &after[end + run..];
    }
    text.push_str(rest);
    let mut codes = codes.into_iter();
    let text = text.replace('\n', " ");
    let mut found = Vec::new();
    let mut from = 0;
    for end in SENTENCE.find_iter(&text).map(|end| end.end()).chain([text.len()]) {
        let words = text[from..end].trim().to_owned();
        from = end;
        if !words.is_empty() {
            let own = codes.by_ref().take(words.matches('\u{1}').count()).collect();
            found.push(Sentence { words, codes: own });
        }
    }
    found
}

impl Reader {
    /// A text of a page with its variables as templates.
    pub(super) fn named(&self, text: &str) -> String {
        let mut out = String::new();
        let mut from = 0;
        for found in NAME.captures_iter(text) {
            let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
            if let Some(Name::Value(own)) = self.names.get(name.as_str()) {
                out.push_str(&text[from..whole.start()]);
                out.push_str(&format!("{{{{{own}}}}}"));
                from = whole.end();
            }
        }
        // What else is a template on the page is one in the runbook.
        out.push_str(&text[from..]);
        out
    }

    /// What some prose says of a check.
    pub(super) fn said(&self, markdown: &str) -> Said {
        let mut said = Said::default();
        for sentence in sentences(markdown) {
            self.sentence(&sentence, &mut said);
        }
        said
    }

    fn sentence(&self, sentence: &Sentence, said: &mut Said) {
        let words = sentence.words.as_str();
        let codes = || sentence.codes.iter().map(|code| self.named(code)).collect::<Vec<_>>();
        let numbers = || NUMBER.find_iter(words).filter_map(|found| found.as_str().parse().ok()).collect::<Vec<u64>>();
        let row = if words.contains("twice in a row") {
            Some(2)
        } else if words.contains("three times in a row") {
            Some(3)
        } else if words.contains("times in a row") {
            numbers().last().and_then(|number| u32::try_from(*number).ok())
        } else {
            None
        };
        if words.starts_with("The command must ") || words.starts_with("What is checked must hold") {
            said.consecutive = said.consecutive.or(row);
        }
        if words.starts_with("The command must end with ") {
            let counted = usize::from(row.is_some_and(|row| row > 3));
            let codes = numbers();
            said.exit = codes[..codes.len() - counted.min(codes.len())]
                .iter()
                .filter_map(|code| u8::try_from(*code).ok())
                .collect();
        } else if words.starts_with("The command must fail") {
            said.fails = true;
        } else if words.starts_with("Of the output only what matches") {
            said.find = codes().into_iter().next();
        } else if words.starts_with("No line may contain") || words.contains(" must not contain ") {
            said.not_contains.extend(codes());
        } else if words.contains(" must contain \u{1}") {
            said.contains.extend(codes());
        } else if words.contains(" must match ") {
            said.regex = codes().into_iter().next();
        } else if words.starts_with("The number must be at least") {
            said.at_least = codes().into_iter().next();
        } else if words.starts_with("The number must be at most") {
            said.at_most = codes().into_iter().next();
        } else if words.starts_with("The number must be between ") {
            let mut bounds = codes().into_iter();
            (said.at_least, said.at_most) = (bounds.next(), bounds.next());
        } else if words.starts_with("There must be ") {
            self.lines(sentence, said);
        } else if words.starts_with("You should see:") {
            said.exact = true;
        } else if words.contains("must say that there is no such object") {
            said.absent = true;
        } else if let Some(time) = words.split("up to ").nth(1).filter(|_| words.starts_with("That may take")) {
            let time: String = time.trim_end_matches('.').split_whitespace().collect();
            said.within =
                Some(time.replace("min", "m")).filter(|time| periplus_core::model::Duration::parse(time).is_ok());
        }
        if words.starts_with("Standard error ") || words.starts_with("It is printed on standard error") {
            said.stream = Some("stderr");
        } else if words.starts_with("The output, standard error included,") {
            said.stream = Some("both");
        }
    }

    /// "There must be a line containing `A` and `B` and matching `C`."
    fn lines(&self, sentence: &Sentence, said: &mut Said) {
        let words = sentence.words.as_str();
        let (holding, matching) = words.split_once("matching").unwrap_or((words, ""));
        let held = holding.matches('\u{1}').count();
        said.contains.extend(sentence.codes.iter().take(held).map(|code| self.named(code)));
        if !matching.is_empty() {
            said.regex = sentence.codes.get(held).map(|code| self.named(code));
        }
        let mut numbers = NUMBER.find_iter(words).filter_map(|found| found.as_str().parse().ok());
        said.count = if words.starts_with("There must be no line") {
            (None, Some(0))
        } else if words.starts_with("There must be exactly") {
            let number = numbers.next();
            (number, number)
        } else if words.starts_with("There must be at least") {
            (numbers.next(), None)
        } else if words.starts_with("There must be a line") {
            (None, None)
        } else {
            (numbers.next(), numbers.next())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_say_what_must_hold() {
        let mut reader = Reader::default();
        reader.names.insert("A".to_owned(), Name::Value("A".to_owned()));
        let said = reader.said(
            "The command must end with exit code 56, three times in a row. The output must not contain `<title>` or `$A.`. \
             The command is repeated until this holds, for up to 60 s. You should see:",
        );
        assert_eq!((said.exit, said.consecutive, said.exact), (vec![56], Some(3), true));
        assert_eq!(said.not_contains, ["<title>", "{{A}}."]);
        let said = reader.said("There must be at least 3 lines containing `  UH  ` and `` ` `` and matching `x.`.");
        assert_eq!(said.contains, [" UH ", "`"]);
        assert_eq!((said.regex.as_deref(), said.count), (Some("x."), (Some(3), None)));
        let said = reader.said("The command must end with one of the exit codes 3, 4, 5 times in a row.");
        assert_eq!((said.exit, said.consecutive), (vec![3, 4], Some(5)));
    }
}
