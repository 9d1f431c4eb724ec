//! What sentences say: titles, ids, what a heading is for, whether something must fail, whether output follows.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// What a heading is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    /// Steps.
    Steps,
    /// Taking things back.
    CleanUp,
    /// Remarks.
    Notes,
    /// What comes before the steps.
    Before,
    /// Steps whose output goes into a report after a failure.
    Failure,
    /// Where to read on.
    Further,
}

const MAX_TITLE: usize = 90;
const MAX_ID: usize = 40;

static CLEAN_UP: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^(clean(ing)?[ -]?up|cleanup|teardown|uninstall)\b"));
static NOTES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^(notes?|remarks?|caveats?|limitations?|security note|important)\W*$"));
static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^(before you (begin|start)|prerequisites?|requirements?|what you need|overview|introduction)\b")
});
static FAILURE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^(if a step fails|troubleshooting)\b"));
static FURTHER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^(see also|what'?s next|next steps|references?|further reading|links)\b"));
static OUTPUT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(should (now )?(see|get|receive|print|return|show|be|look)|you('ll| will) (see|get)|expect(ed)?\b.*\b(output|see)|output|something like|similar to|looks? like|prints?|the (result|response))\b",
    )
});
static FAILS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b((should|must|will|now|requests?|calls?|access|connection) (now )?(be |is |are )?(fails?|blocked|denied|refused|rejected|unsuccessful)|(should|must|will|does|do|can) ?(not|n['’]t|no longer) (be able|work|succeed|reach|be (allowed|reachable|accessible))|can(not|['’]t) (access|reach|be reached)|is (blocked|denied|rejected|refused|not (allowed|reachable|accessible|permitted))|fails? with|(expected|verify that|confirm that|check that)[^.]*\b(fails?|blocked|denied))\b",
    )
});
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"!?\[([^\]]*)\]\([^)]*\)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// What a heading is for.
pub(crate) fn heading(text: &str) -> Heading {
    let text = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | ' '));
    [
        (&CLEAN_UP, Heading::CleanUp),
        (&NOTES, Heading::Notes),
        (&BEFORE, Heading::Before),
        (&FAILURE, Heading::Failure),
        (&FURTHER, Heading::Further),
    ]
    .iter()
    .find(|(words, _)| words.is_match(text))
    .map_or(Heading::Steps, |(_, heading)| *heading)
}

/// Whether a sentence says that output follows.
pub(crate) fn says_output(text: &str) -> bool {
    OUTPUT.is_match(text)
}

/// Whether a sentence says that the command must not succeed.
pub(crate) fn says_fails(text: &str) -> bool {
    FAILS.is_match(text)
}

/// Whether a paragraph opens a remark.
pub(crate) fn is_note_intro(text: &str) -> bool {
    let text = text.trim_start_matches(['*', '_']);
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("note:"))
}

/// The first sentence of a text, and whether that is all of it.
pub(crate) fn sentence(text: &str) -> (&str, bool) {
    let mut depth: usize = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '.' | '!' | '?' if depth == 0 => {
                let rest = &text[at + 1..];
                let before = &text[..at];
                let short = [" e.g", " i.e", " etc", " vs", " cf"].iter().any(|word| before.ends_with(word));
                if !short && (rest.is_empty() || rest.starts_with(' ')) {
                    return (before, rest.trim().is_empty());
                }
            }
            _ => {}
        }
    }
    (text, true)
}

/// A title made of prose, and whether it says all of it.
pub(crate) fn title(text: &str) -> (String, bool) {
    let text = LINK.replace_all(text, "$1");
    let text = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches([')', '.', ' ']);
    let text = text.trim_start_matches(['*', '_', '#', ' ']);
    let (first, mut whole) = sentence(text);
    let mut title = first.trim_end_matches([':', ' ', '*', '_']).to_owned();
    if title.chars().count() > MAX_TITLE {
        let cuts = [
            " so that ",
            " in order to ",
            " because ",
            " since ",
            " which ",
            "; ",
            ": ",
            " - ",
            " (",
            ", ",
            " using ",
            " from ",
        ];
        let cut = cuts
            .iter()
            .find_map(|cut| title.find(cut).filter(|at| *at >= 20 && title[..*at].chars().count() <= MAX_TITLE));
        match cut {
            Some(at) => title.truncate(at),
            None => {
                let mut at = title.char_indices().nth(MAX_TITLE).map_or(title.len(), |(at, _)| at);
                at = title[..at].rfind(' ').unwrap_or(at);
                title.truncate(at);
                title.push('…');
            }
        }
        whole = false;
    }
    let mut letters = title.chars();
    if let Some(first) = letters.next().filter(|c| c.is_lowercase()) {
        title = first.to_uppercase().chain(letters).collect();
    }
    (title, whole)
}

/// An id made of a title that no step has yet.
pub(crate) fn id(title: &str, taken: &mut BTreeSet<String>) -> String {
    const SMALL: [&str; 24] = [
        "a", "an", "the", "to", "of", "and", "or", "that", "we", "you", "your", "our", "so", "is", "are", "it", "this",
        "these", "lets", "let", "s", "now", "can", "will",
    ];
    let mut id = String::new();
    let lower = title.to_lowercase().replace(['’', '\''], "");
    for word in lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if SMALL.contains(&word) {
            continue;
        }
        if id.len() + 1 + word.len() > MAX_ID {
            break;
        }
        if !id.is_empty() {
            id.push('-');
        }
        id.push_str(word);
        if id.split('-').count() >= 6 {
            break;
        }
    }
    // Words that lead nowhere at the end.
    while let Some((before, "in" | "for" | "with" | "from" | "by" | "on" | "at" | "as" | "if" | "using")) =
        id.rsplit_once('-')
    {
        id.truncate(before.len());
    }
    if id.is_empty() {
        id.push_str("step");
    }
    unique(id, taken)
}

/// The id, with a number behind it where it is taken.
fn unique(id: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = id.clone();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{id}-{number}");
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_short_and_say_whether_more_follows() {
        assert_eq!(title("Check the log:"), ("Check the log".to_owned(), true));
        let long = "Create an external namespace and a sleep pods in it so that we can validate traffic external to istio can access world";
        assert_eq!(title(long), ("Create an external namespace and a sleep pods in it".to_owned(), false));
        assert_eq!(title("see [this](x), e.g. that. More.").0, "See this, e.g. that");
        assert!(title(&"word ".repeat(100)).0.ends_with('…'));
    }

    #[test]
    fn ids_are_unique_and_valid() {
        let mut taken = BTreeSet::new();
        assert_eq!(
            id("Create an external namespace and a sleep pods in it", &mut taken),
            "create-external-namespace-sleep-pods"
        );
        assert_eq!(id("Check", &mut taken), "check");
        assert_eq!(id("check!", &mut taken), "check-2");
        assert_eq!(id("§§§", &mut taken), "step");
        assert!(id(&"x".repeat(90), &mut taken).len() <= 63);
    }

    #[test]
    fn sentences_about_failure_and_output_are_known() {
        for text in [
            "The request should fail.",
            "the call is now blocked by the sidecar",
            "You should not be able to reach the site",
            "Verify that access to the site fails",
        ] {
            assert!(says_fails(text), "{text}");
        }
        for text in ["Check the access log", "it fails over to the next", "Make a call to the outside world"] {
            assert!(!says_fails(text), "{text}");
        }
        for text in ["You should see something like below", "output should be something like below", "The output:"] {
            assert!(says_output(text), "{text}");
        }
        assert!(!says_output("Command to test is global rule is allow any"));
    }

    #[test]
    fn headings_are_told_apart() {
        assert_eq!(heading("Cleanup"), Heading::CleanUp);
        assert_eq!(heading("Clean up"), Heading::CleanUp);
        assert_eq!(heading("NOTE"), Heading::Notes);
        assert_eq!(heading("Before you begin"), Heading::Before);
        assert_eq!(heading("1. Cleanup the TLS origination"), Heading::CleanUp);
        assert_eq!(heading("Access an external service"), Heading::Steps);
    }
}
