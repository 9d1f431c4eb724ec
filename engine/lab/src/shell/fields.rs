//! Fields: what a word has become after expansion, split and matched against file names.
//!
//! Invariant: only text that came from an unquoted expansion is split; only unquoted text is a pattern.

use super::pattern::Pattern;
use super::state::Shell;
use crate::fs;

/// A run of text with one origin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// It stands for itself: no splitting, no pattern.
    pub(super) quoted: bool,
    /// It came from an unquoted expansion, so it is split.
    pub(super) split: bool,
}

/// One argument in the making.
pub(super) type Field = Vec<Piece>;

/// The text of a field without regard to quoting.
pub(super) fn text(field: &[Piece]) -> String {
    field.iter().map(|piece| piece.text.as_str()).collect()
}

/// The characters of a field, each with whether it was quoted.
pub(super) fn chars(field: &[Piece]) -> Vec<(char, bool)> {
    field.iter().flat_map(|piece| piece.text.chars().map(|c| (c, piece.quoted))).collect()
}

/// Splits what came from unquoted expansions at the characters of `ifs`. Fields that are empty and hold no quotes vanish.
pub(super) fn split(fields: Vec<Field>, ifs: &str) -> Vec<Field> {
    let mut out = Vec::new();
    for field in fields {
        let mut splitter = Splitter { out: &mut out, current: Vec::new(), ended_by_blank: false };
        for piece in field {
            if !piece.split {
                splitter.keep(piece);
                continue;
            }
            let mut rest = piece.text.as_str();
            while let Some(at) = rest.find(|c| ifs.contains(c)) {
                splitter.keep(Piece { text: rest[..at].to_owned(), quoted: false, split: false });
                let separator = rest[at..].chars().next().unwrap_or(' ');
                splitter.separate(separator.is_ascii_whitespace());
                rest = &rest[at + separator.len_utf8()..];
            }
            splitter.keep(Piece { text: rest.to_owned(), quoted: false, split: false });
        }
        if !splitter.current.is_empty() {
            let last = std::mem::take(&mut splitter.current);
            out.push(last);
        }
    }
    out
}

struct Splitter<'a> {
    out: &'a mut Vec<Field>,
    current: Field,
    /// The last field was ended by a blank, so that a separator that follows belongs to the same end.
    ended_by_blank: bool,
}

impl Splitter<'_> {
    fn keep(&mut self, piece: Piece) {
        if !piece.text.is_empty() || piece.quoted {
            self.current.push(piece);
            self.ended_by_blank = false;
        }
    }

    fn separate(&mut self, blank: bool) {
        if !self.current.is_empty() {
            self.out.push(std::mem::take(&mut self.current));
            self.ended_by_blank = blank;
        } else if !blank {
            if !self.ended_by_blank {
                self.out.push(vec![Piece { text: String::new(), quoted: true, split: false }]);
            }
            self.ended_by_blank = false;
        }
    }
}

impl Shell {
    /// Replaces fields that are patterns by the paths that match, in the order of their bytes; one without a match stays.
    pub(super) fn glob(&self, fields: Vec<Field>) -> Vec<String> {
        let mut out = Vec::new();
        for field in fields {
            let chars = chars(&field);
            let is_pattern = chars.iter().any(|&(c, quoted)| !quoted && matches!(c, '*' | '?' | '['));
            if is_pattern && !self.options.noglob {
                let paths = self.paths(&chars);
                if !paths.is_empty() {
                    out.extend(paths);
                    continue;
                }
            }
            out.push(text(&field));
        }
        out
    }

    fn paths(&self, chars: &[(char, bool)]) -> Vec<String> {
        let absolute = chars.first().is_some_and(|&(c, _)| c == '/');
        let mut found = vec![if absolute { "/".to_owned() } else { String::new() }];
        let components: Vec<_> = chars.split(|&(c, _)| c == '/').filter(|part| !part.is_empty()).collect();
        let ends_in_slash = chars.last().is_some_and(|&(c, _)| c == '/');
        for (index, component) in components.iter().enumerate() {
            let last = index + 1 == components.len();
            let pattern = Pattern::new(component);
            let mut next = Vec::new();
            for base in found {
                let names = if pattern.is_literal() {
                    vec![component.iter().map(|(c, _)| c).collect()]
                } else {
                    self.names(&base, &pattern)
                };
                for name in names {
                    let path = format!("{base}{name}");
                    let absolute = self.process.path(&path);
                    if last && !ends_in_slash {
                        if self.process.fs.symlink_metadata(&absolute).is_ok() {
                            next.push(path);
                        }
                    } else if self.process.fs.is_dir(&absolute) {
                        next.push(format!("{path}/"));
                    }
                }
            }
            found = next;
        }
        found
    }

    fn names(&self, base: &str, pattern: &Pattern) -> Vec<String> {
        let dir = if base.is_empty() { self.process.cwd.clone() } else { fs::join(&self.process.cwd, base) };
        let Ok(entries) = self.process.fs.read_dir(&dir) else { return Vec::new() };
        // bash leaves out the directory itself and the one above.
        let own = if self.is_bash() { &[][..] } else { &[".", ".."][..] };
        own.iter()
            .map(|&name| name.to_owned())
            .chain(entries.into_iter().map(|entry| entry.name))
            .filter(|name| (!name.starts_with('.') || pattern.starts_with('.')) && pattern.matches(name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, split, text};

    fn fields(source: &str, ifs: &str) -> Vec<String> {
        let piece = Piece { text: source.to_owned(), quoted: false, split: true };
        split(vec![vec![piece]], ifs).iter().map(|field| text(field)).collect()
    }

    #[test]
    fn separators_and_blanks_split_as_posix_says() {
        let cases: [(&str, &str, &[&str]); 9] = [
            ("  a  b ", " \t\n", &["a", "b"]),
            ("a:b", ":", &["a", "b"]),
            ("a::b", ":", &["a", "", "b"]),
            (":a:", ":", &["", "a"]),
            ("a : b", " :", &["a", "b"]),
            ("a :: b", " :", &["a", "", "b"]),
            (" : a", " :", &["", "a"]),
            ("a b", "", &["a b"]),
            ("", " ", &[]),
        ];
        for (source, ifs, expected) in cases {
            assert_eq!(fields(source, ifs), expected, "{source:?} at {ifs:?}");
        }
    }
}
