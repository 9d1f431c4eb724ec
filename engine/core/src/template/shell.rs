//! Where in a shell script a byte stands, and how a value is written as one word.
//!
//! Follows POSIX quoting closely enough to be sure of the places it calls bare; where it is not sure it says so, and a
//! value that needs quotes is then refused. It expands and runs nothing.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use super::tags::{TagKind, tags};
use super::word::{Frame, Name, Pending, Unsafe, VALUE, WordStart};

/// The shell variables that a script reads and does not set, with the bytes of `$NAME`. What a template's tags name is
/// filled in before any shell reads it.
#[must_use]
pub fn variables(script: &str) -> Vec<(String, Range<usize>)> {
    let mut scanner = Scanner::default();
    for tag in tags(script) {
        match tag.kind {
            TagKind::Text => scanner.text(&script[tag.at.clone()], tag.at.start),
            TagKind::Value { .. } => drop(scanner.value()),
            _ => {}
        }
    }
    scanner.into_variables()
}

/// Reads a script piece by piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    frames: Vec<Frame>,
    pending: Pending,
    word_start: WordStart,
    unsure: bool,
    here_documents: VecDeque<Frame>,
    /// The plain word that is being read.
    word: String,
    /// What the word before makes of this one.
    names_follow: bool,
    reading: Option<Name>,
    read: Vec<(String, Range<usize>)>,
    set: BTreeSet<String>,
}

impl Scanner {
    /// Whether quoting is the same as in `other`: what follows then means the same behind both.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.frames.len() == other.frames.len()
            && self.frames.iter().zip(&other.frames).all(|(ours, theirs)| ours.agrees_with(theirs))
            && self.pending == other.pending
            && self.here_documents == other.here_documents
    }

    /// Goes on behind two branches of which either may have been written.
    pub(super) fn join(&mut self, other: Self) {
        self.unsure |= other.unsure;
        if self.word_start != other.word_start {
            self.word_start = WordStart::Unknown;
        }
        self.word.clear();
        for (ours, theirs) in self.frames.iter_mut().zip(other.frames) {
            if *ours != theirs
                && let Frame::HereDocument { line, .. } = ours
            {
                line.push(VALUE);
            }
        }
        // `other` went on from a copy of this one: its lists start with ours as they were then.
        for variable in other.read {
            if !self.read.contains(&variable) {
                self.read.push(variable);
            }
        }
        self.set.extend(other.set);
    }

    /// Reads a piece of the script's own text; `offset` is its place in the template.
    pub(super) fn text(&mut self, text: &str, offset: usize) {
        for (at, c) in text.char_indices() {
            self.character(c, offset + at);
        }
    }

    /// Reads a value that is written here.
    ///
    /// # Errors
    /// Why a value that needs quotes cannot stand here.
    pub(super) fn value(&mut self) -> Result<(), Unsafe> {
        self.end_name(usize::MAX);
        if let Pending::Delimiter { word, .. } = &mut self.pending {
            word.push(VALUE);
            return Err(Unsafe::QuotedHereDocument);
        }
        let place = match std::mem::take(&mut self.pending) {
            Pending::Escape | Pending::Dollar => Err(Unsafe::Glued),
            Pending::LessLess => {
                self.unsure = true;
                Err(Unsafe::QuotedHereDocument)
            }
            Pending::DollarParen => {
                self.frames.push(Frame::Substitution(0));
                Ok(())
            }
            Pending::Nothing | Pending::Less | Pending::Delimiter { .. } => match self.frames.last_mut() {
                None | Some(Frame::Substitution(_)) => Ok(()),
                Some(Frame::Single) => Err(Unsafe::SingleQuotes),
                Some(Frame::Double) => Err(Unsafe::DoubleQuotes),
                Some(Frame::Comment) => Err(Unsafe::Comment),
                Some(Frame::HereDocument { line, expands, .. }) => {
                    line.push(VALUE);
                    Err(if *expands { Unsafe::HereDocument } else { Unsafe::QuotedHereDocument })
                }
                Some(Frame::Backquotes | Frame::Braces | Frame::Arithmetic(_)) => Err(Unsafe::Expansion),
            },
        };
        self.word_start = WordStart::No;
        self.word.push(VALUE);
        if self.unsure { Err(Unsafe::Unsure) } else { place }
    }

    /// The variables that are read and not set anywhere in the script.
    pub(super) fn into_variables(mut self) -> Vec<(String, Range<usize>)> {
        self.end_name(usize::MAX);
        let set = self.set;
        self.read.retain(|(name, _)| !set.contains(name));
        self.read
    }

    fn character(&mut self, c: char, at: usize) {
        if self.reading.is_some() {
            if c.is_ascii_alphanumeric() || c == '_' {
                if let Some(name) = &mut self.reading {
                    name.text.push(c);
                }
                if !matches!(self.frames.last(), Some(Frame::Arithmetic(_))) {
                    return;
                }
            } else {
                self.end_name(at);
            }
        }
        match std::mem::take(&mut self.pending) {
            Pending::Nothing => self.plain(c, at),
            Pending::Escape => self.word_start = WordStart::No,
            Pending::Dollar => self.after_dollar(c, at),
            Pending::DollarParen if c == '(' => self.frames.push(Frame::Arithmetic(2)),
            Pending::DollarParen => {
                self.word.clear();
                self.frames.push(Frame::Substitution(0));
                self.start_word();
                self.plain(c, at);
            }
            Pending::Less if c == '<' => self.pending = Pending::LessLess,
            Pending::Less => self.plain(c, at),
            Pending::LessLess if c == '-' => self.delimiter(None, true, at),
            Pending::LessLess => self.delimiter(Some(c), false, at),
            Pending::Delimiter { word, strip, quoted, quote } => {
                self.pending = Pending::Delimiter { word, strip, quoted, quote };
                self.delimiter(Some(c), strip, at);
            }
        }
    }

    fn start_word(&mut self) {
        if matches!(self.frames.last(), Some(Frame::Substitution(_))) && self.word == "case" {
            // Its patterns end in parentheses that nothing opened.
            self.unsure = true;
        }
        let word = std::mem::take(&mut self.word);
        if self.names_follow && !word.is_empty() && !word.starts_with('-') {
            self.set.insert(word.clone());
        }
        if !word.is_empty() {
            self.names_follow = matches!(word.as_str(), "for" | "read") || (self.names_follow && word != "in");
        }
        self.word_start = WordStart::Yes;
    }

    fn plain(&mut self, c: char, at: usize) {
        match self.frames.last_mut() {
            None | Some(Frame::Substitution(_) | Frame::Backquotes) => self.code(c),
            Some(Frame::Single) => {
                if c == '\'' {
                    self.frames.pop();
                }
            }
            Some(Frame::Double) => match c {
                '"' => {
                    self.frames.pop();
                }
                '`' => self.backquote(),
                c => self.escape_or_dollar(c),
            },
            Some(Frame::Comment) => {
                if c == '\n' {
                    self.frames.pop();
                    self.code(c);
                }
            }
            Some(Frame::Braces) => match c {
                '}' => {
                    self.frames.pop();
                }
                '"' => self.frames.push(Frame::Double),
                // Whether quotes quote here depends on what is around the braces.
                '\'' | '`' => self.unsure = true,
                c => self.escape_or_dollar(c),
            },
            Some(Frame::Arithmetic(open)) => match c {
                '(' => *open += 1,
                ')' => {
                    *open -= 1;
                    if *open == 0 {
                        self.frames.pop();
                    }
                }
                c if self.reading.is_none() && (c.is_ascii_alphabetic() || c == '_') => {
                    self.reading = Some(Name { text: c.to_string(), start: at });
                }
                '"' | '\'' | '`' => self.unsure = true,
                c => self.escape_or_dollar(c),
            },
            Some(Frame::HereDocument { line, delimiter, strip, expands }) => {
                if c != '\n' {
                    line.push(c);
                    if *expands {
                        match c {
                            '`' => self.unsure = true,
                            c => self.escape_or_dollar(c),
                        }
                    }
                    return;
                }
                let text = if *strip { line.trim_start_matches('\t') } else { line.as_str() };
                let ends = text == delimiter;
                line.clear();
                if ends {
                    self.frames.pop();
                    self.start_word();
                    self.open_here_document();
                }
            }
        }
    }

    fn escape_or_dollar(&mut self, c: char) {
        match c {
            '\\' => self.pending = Pending::Escape,
            '$' => self.pending = Pending::Dollar,
            _ => {}
        }
    }

    fn code(&mut self, c: char) {
        let starts = std::mem::replace(&mut self.word_start, WordStart::No);
        match c {
            '\'' => self.frames.push(Frame::Single),
            '"' => self.frames.push(Frame::Double),
            '`' => self.backquote(),
            '#' if starts == WordStart::Yes => self.frames.push(Frame::Comment),
            '#' if starts == WordStart::Unknown => self.unsure = true,
            '<' => {
                self.start_word();
                self.pending = Pending::Less;
            }
            '\n' => {
                self.start_word();
                self.names_follow = false;
                self.open_here_document();
            }
            ' ' | '\t' => self.start_word(),
            ';' | '&' | '|' | '>' => {
                self.start_word();
                self.names_follow = false;
            }
            '(' | ')' => {
                self.start_word();
                self.names_follow = false;
                let leaves = match self.frames.last_mut() {
                    Some(Frame::Substitution(open)) if c == '(' => {
                        *open += 1;
                        false
                    }
                    Some(Frame::Substitution(open)) if *open > 0 => {
                        *open -= 1;
                        false
                    }
                    Some(Frame::Substitution(_)) => true,
                    _ => false,
                };
                if leaves {
                    self.frames.pop();
                    self.word_start = WordStart::No;
                }
            }
            '=' => {
                self.set.insert(std::mem::take(&mut self.word));
            }
            '\\' | '$' => self.escape_or_dollar(c),
            c => self.word.push(c),
        }
    }

    fn backquote(&mut self) {
        match self.frames.iter().rposition(|frame| *frame == Frame::Backquotes) {
            Some(innermost) if innermost + 1 == self.frames.len() => {
                self.frames.pop();
            }
            // Backquotes within quotes within backquotes: shells differ.
            Some(_) => self.unsure = true,
            None => self.frames.push(Frame::Backquotes),
        }
    }

    fn after_dollar(&mut self, c: char, at: usize) {
        match c {
            '(' => self.pending = Pending::DollarParen,
            '{' => {
                self.frames.push(Frame::Braces);
                self.reading = Some(Name { text: String::new(), start: at - 1 });
            }
            // `$'…'` quotes in some shells only.
            '\'' if !matches!(self.frames.last(), Some(Frame::Double | Frame::HereDocument { .. })) => {
                self.unsure = true;
                self.frames.push(Frame::Single);
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                self.reading = Some(Name { text: c.to_string(), start: at - 1 });
            }
            // `$?`, `$#`, `$1` and the like.
            '?' | '#' | '$' | '!' | '@' | '*' | '-' | '0'..='9' => {}
            c => self.plain(c, at),
        }
    }

    fn end_name(&mut self, at: usize) {
        if let Some(name) = self.reading.take()
            && !name.text.is_empty()
            && !name.text.starts_with(|c: char| c.is_ascii_digit())
        {
            let braces = matches!(self.frames.last(), Some(Frame::Braces));
            let arithmetic = matches!(self.frames.last(), Some(Frame::Arithmetic(_)));
            let prefix = if braces { 2 } else { usize::from(!arithmetic) };
            let end = at.min(name.start + prefix + name.text.len());
            self.read.push((name.text, name.start..end));
        }
    }

    fn delimiter(&mut self, next: Option<char>, strip: bool, at: usize) {
        let (mut word, mut quoted, mut quote) = match std::mem::take(&mut self.pending) {
            Pending::Delimiter { word, quoted, quote, .. } => (word, quoted, quote),
            _ => (String::new(), false, None),
        };
        let Some(c) = next else {
            self.pending = Pending::Delimiter { word, strip, quoted, quote };
            return;
        };
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('\'' | '"', None) => {
                quoted = true;
                quote = Some(c);
            }
            ('\\', None) => quoted = true,
            (' ' | '\t', None) if word.is_empty() && !quoted => {}
            ('\n' | ' ' | '\t' | ';' | '&' | '|' | '(' | ')' | '<' | '>', None) => {
                self.here_documents.push_back(Frame::HereDocument {
                    delimiter: word,
                    strip,
                    expands: !quoted,
                    line: String::new(),
                });
                self.plain(c, at);
                return;
            }
            (c, None) => word.push(c),
        }
        self.pending = Pending::Delimiter { word, strip, quoted, quote };
    }

    fn open_here_document(&mut self) {
        if let Some(frame) = self.here_documents.pop_front() {
            self.frames.push(frame);
        }
    }
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
