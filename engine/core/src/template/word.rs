//! Words of a shell script: how a value becomes one, and what stands around it.
//!
//! A value that cannot be made a word where it stands is refused with the reason, never quoted by guess.

/// Whether a value needs no quotes: `A-Za-z0-9_./:@%+,=-`, and at least one of them.
#[must_use]
pub(super) fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte))
}

/// Writes a value as one shell word: as it is where it is plain, else in single quotes.
#[must_use]
pub fn quote(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

/// Why a value that needs quotes cannot stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsafe {
    /// Inside single quotes of the script.
    SingleQuotes,
    /// Inside double quotes of the script.
    DoubleQuotes,
    /// In a comment.
    Comment,
    /// In a here-document in which variables are expanded.
    HereDocument,
    /// In a here-document that is taken as it is, or in a delimiter.
    QuotedHereDocument,
    /// In `${…}`, `$((…))` or backquotes.
    Expansion,
    /// Right behind `$` or a backslash.
    Glued,
    /// Behind something whose end could not be told.
    Unsure,
}

impl Unsafe {
    /// Completes "the value stands …".
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::SingleQuotes | Self::DoubleQuotes => "inside shell quotes",
            Self::Comment => "in a shell comment",
            Self::HereDocument | Self::QuotedHereDocument => "in a here-document",
            Self::Expansion | Self::Glued => "inside a shell expansion",
            Self::Unsure => "where the shell's quoting cannot be told",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Commands within `$( … )`, with the number of open parentheses.
    Substitution(usize),
    Backquotes,
    Single,
    Double,
    Comment,
    /// `${ … }`.
    Braces,
    /// `$(( … ))`, with the number of open parentheses.
    Arithmetic(usize),
    HereDocument {
        delimiter: String,
        strip: bool,
        expands: bool,
        line: String,
    },
}

/// Stands for a value in words and lines that are compared: it is equal to nothing.
pub(super) const VALUE: char = '\u{0}';

impl Frame {
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::HereDocument { delimiter, strip, expands, .. },
                Self::HereDocument { delimiter: theirs, strip: strips, expands: expand, .. },
            ) => delimiter == theirs && strip == strips && expands == expand,
            (ours, theirs) => ours == theirs,
        }
    }
}

/// What the last characters may be the beginning of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Pending {
    #[default]
    Nothing,
    Escape,
    Dollar,
    DollarParen,
    Less,
    LessLess,
    /// The delimiter of a here-document, with the quote it is in.
    Delimiter {
        word: String,
        strip: bool,
        quoted: bool,
        quote: Option<char>,
    },
}

/// Whether a word could start at the next character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WordStart {
    #[default]
    Yes,
    No,
    /// The branches of a block differ.
    Unknown,
}

/// A name that is being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub text: String,
    pub start: usize,
}
