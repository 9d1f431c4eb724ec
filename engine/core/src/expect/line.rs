//! One line of a pattern, with its templates filled in, and whether a line of text fits it.
//!
//! A run of blanks fits any run of blanks, and blanks at the end of a line never count. A line of at most a few
//! thousand characters is decided in time linear in its length; only where a name stands for a value that is known
//! already is there a search, and that search is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::search;
use super::token::Token;

/// Values by the name that captured them.
pub type Captures = BTreeMap<String, String>;

/// The most tokens on a line.
const MAX_WILDCARDS: usize = 200;

/// A part of a pattern line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    /// Exactly this text, in which no blank stands.
    Literal(String),
    /// A run of blanks.
    Blanks,
    /// A value of some kind.
    Token { token: Token, name: Option<String> },
    /// Any text.
    Any,
}

impl Atom {
    /// Adds text to the end of a line's atoms; runs of blanks that meet become one.
    pub(super) fn push_text(atoms: &mut Vec<Self>, text: &str) {
        for c in text.chars() {
            match (atoms.last_mut(), is_blank(c)) {
                (Some(Self::Blanks), true) => {}
                (_, true) => atoms.push(Self::Blanks),
                (Some(Self::Literal(literal)), false) => literal.push(c),
                (_, false) => atoms.push(Self::Literal(c.to_string())),
            }
        }
    }
}

/// Whether a character is a blank: a space or a tab.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// A line without the blanks, and the carriage returns, at its end.
pub(super) fn trim_end(line: &str) -> &str {
    line.trim_end_matches([' ', '\t', '\r'])
}

/// Why a pattern line cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There are too many tokens on one line.
    #[error("the pattern line `{line}` is too large: {cause}")]
    TooLarge {
        /// The beginning of the line.
        line: String,
        /// What is too much.
        cause: String,
    },
}

impl LineError {
    fn too_large(atoms: &[Atom], cause: String) -> Self {
        Self::TooLarge { line: describe(atoms).chars().take(80).collect(), cause }
    }
}

/// A line of a pattern, ready to be matched.
#[derive(Clone, Debug)]
pub(super) struct LinePattern {
    atoms: Vec<Atom>,
    /// The line as one anchored expression; absent where it has no wildcard.
    regex: Option<Regex>,
    /// The longest literal, by which most lines are refused without the expression.
    needle: Option<memchr::memmem::Finder<'static>>,
    /// The names of the expression's groups, in order.
    names: Vec<String>,
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.atoms == other.atoms
    }
}

impl LinePattern {
    /// Compiles a line. Blanks at its end are dropped.
    pub(super) fn compile(mut atoms: Vec<Atom>) -> Result<Self, LineError> {
        if let Some(Atom::Literal(last)) = atoms.last_mut() {
            last.truncate(last.trim_end_matches('\r').len());
        }
        while matches!(atoms.last(), Some(Atom::Blanks)) || atoms.last() == Some(&Atom::Literal(String::new())) {
            atoms.pop();
        }
        let wildcards = atoms.iter().filter(|atom| matches!(atom, Atom::Any | Atom::Token { .. })).count();
        if wildcards > MAX_WILDCARDS {
            return Err(LineError::too_large(
                &atoms,
                format!("it has {wildcards} tokens, at most {MAX_WILDCARDS} are read"),
            ));
        }
        let mut names = Vec::new();
        let mut source = String::from(r"\A");
        for atom in &atoms {
            match atom {
                Atom::Literal(literal) => source.push_str(&regex::escape(literal)),
                Atom::Blanks => source.push_str(r"[ \t]+"),
                Atom::Any => source.push_str(r".*?"),
                Atom::Token { token, name } => {
                    let open = if name.is_some() { "(" } else { "(?:" };
                    write!(source, "{open}{})", token.regex())
                        .expect("invariant: a string takes all that is written to it");
                    names.extend(name.clone());
                }
            }
        }
        source.push_str(r"[ \t\r]*\z");
        let regex = if wildcards > 0 {
            let compiled = regex::RegexBuilder::new(&source).size_limit(MAX_PROGRAM).build();
            Some(compiled.map_err(|error| LineError::too_large(&atoms, error.to_string()))?)
        } else {
            None
        };
        let longest = atoms.iter().filter_map(|atom| if let Atom::Literal(text) = atom { Some(text) } else { None });
        let needle = longest.max_by_key(|text| text.len()).map(|text| memchr::memmem::Finder::new(text).into_owned());
        Ok(Self { atoms, regex, needle, names })
    }

    /// What the line's names take if `line` fits, given the values that names have already.
    ///
    /// `None` if it does not fit; the flag says that not all ways could be tried.
    pub(super) fn matches(&self, line: &str, known: &Captures, cut: &mut bool) -> Option<Captures> {
        if self.needle.as_ref().is_some_and(|needle| needle.find(line.as_bytes()).is_none()) {
            return None;
        }
        let Some(regex) = &self.regex else { return self.equals(line).then(Captures::new) };
        if self.names.is_empty() {
            return regex.is_match(line).then(Captures::new);
        }
        let groups = regex.captures(line)?;
        let mut found = Captures::new();
        for (i, name) in self.names.iter().enumerate() {
            let value = groups.get(i + 1).map_or("", |group| group.as_str());
            let agreed = known.get(name).or_else(|| found.get(name)).is_none_or(|other| other == value);
            if !agreed {
                return search::agreeing(&self.atoms, line, known, cut);
            }
            found.insert(name.clone(), value.to_owned());
        }
        Some(found)
    }

    /// Whether a line fits a pattern that has no wildcards.
    fn equals(&self, line: &str) -> bool {
        let mut rest = trim_end(line);
        for atom in &self.atoms {
            let after = match atom {
                Atom::Literal(literal) => rest.strip_prefix(literal.as_str()),
                Atom::Blanks => Some(rest.trim_start_matches(is_blank)).filter(|after| after.len() < rest.len()),
                Atom::Token { .. } | Atom::Any => None,
            };
            let Some(after) = after else { return false };
            rest = after;
        }
        rest.is_empty()
    }

    /// The parts of the line.
    pub(super) fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// The names that the line captures, in order, as often as they stand in it.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether nothing at all stands in the line.
    pub(super) fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }

    /// The line as it would be written, but with single blanks and nothing escaped.
    pub(super) fn describe(&self) -> String {
        describe(&self.atoms)
    }
}

/// The most memory a compiled line may take, in bytes.
const MAX_PROGRAM: usize = 4 * 1_024 * 1_024;

fn describe(atoms: &[Atom]) -> String {
    atoms.iter().map(describe_atom).collect()
}

/// One part of a line, as it would be written.
pub(super) fn describe_atom(atom: &Atom) -> String {
    match atom {
        Atom::Literal(literal) => literal.clone(),
        Atom::Blanks => " ".to_owned(),
        Atom::Any => "[..]".to_owned(),
        Atom::Token { token, name: None } => format!("[{}]", token.name()),
        Atom::Token { token, name: Some(name) } => format!("[{}:{name}]", token.name()),
    }
}

/// The expressions of all tokens, each anchored at both ends and at the start, in the order of [`Token::ALL`].
static TOKENS: LazyLock<Vec<(Regex, Regex)>> = LazyLock::new(|| {
    let regex = |source: String| Regex::new(&source).expect("invariant: the table of tokens compiles, a test says so");
    Token::ALL
        .into_iter()
        .map(|token| (regex(format!(r"\A(?:{})\z", token.regex())), regex(format!(r"\A(?:{})", token.regex()))))
        .collect()
});

/// Whether the whole text is what the token takes.
pub(super) fn takes_whole(token: Token, text: &str) -> bool {
    TOKENS[token as usize].0.is_match(text)
}

/// How many bytes the token takes at the start of the text, at most; none if it takes nothing there.
pub(super) fn takes_at_start(token: Token, text: &str) -> Option<usize> {
    TOKENS[token as usize].1.find(text).map(|found| found.end())
}
