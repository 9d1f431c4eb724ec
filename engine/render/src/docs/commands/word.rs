//! Text for a shell: literal parts and variables, written as one word or as a here-document.
//!
//! Whatever a text holds arrives as it is, byte for byte, in `sh`, `bash` and `zsh`, also when it is pasted into an
//! interactive one: a `!` never stands where bash would take it for a piece of history. The one exception is NUL, which
//! no shell can hold: U+FFFD stands for it. Control characters, and those that turn the direction of writing, are
//! written as escapes, so that they act neither on a terminal nor on a page.

use std::fmt::Write;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it is.
    Literal(String),
    /// The value of a shell variable.
    Variable {
        /// The variable.
        name: String,
        /// Whether no value of it can start with a dash, so that no program takes it for an option.
        tame: bool,
    },
    /// An expansion, such as `$(date)` or `${X:-y}`, that is right within double quotes.
    Expansion(String),
}

/// A text with variables in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShellText {
    pieces: Vec<Piece>,
}

impl ShellText {
    pub(super) fn literal(text: impl Into<String>) -> Self {
        let mut new = Self::default();
        new.push_literal(&text.into());
        new
    }

    pub(super) fn variable(name: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Variable { name: name.into(), tame: false }] }
    }

    /// A variable whose values are addresses, names of objects or the like.
    pub(super) fn tame_variable(name: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Variable { name: name.into(), tame: true }] }
    }

    pub(super) fn push(&mut self, piece: &Piece) {
        match piece {
            Piece::Literal(text) => self.push_literal(text),
            piece => self.pieces.push(piece.clone()),
        }
    }

    pub(super) fn expansion(code: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Expansion(code.into())] }
    }

    pub(super) fn push_literal(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Literal(before)) => before.push_str(text),
            _ => self.pieces.push(Piece::Literal(text.to_owned())),
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        other.pieces.iter().for_each(|piece| self.push(piece));
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        if self.pieces.is_empty() {
            return other;
        }
        self.append(&other);
        self
    }

    pub(super) fn and(mut self, text: &str) -> Self {
        self.push_literal(text);
        self
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text, where it has no variables.
    pub(super) fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it may start with a dash, so that a program could take it for an option.
    pub(super) fn may_be_option(&self) -> bool {
        match self.pieces.first() {
            None => false,
            Some(Piece::Literal(text)) => text.starts_with('-'),
            Some(Piece::Variable { tame, .. }) => !tame,
            Some(Piece::Expansion(_)) => true,
        }
    }

    /// Whether a line break stands in it.
    pub(super) fn has_lines(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Literal(text) if text.contains('\n')))
    }

    /// The same without the line breaks at its end, which a block scalar always has.
    pub(super) fn chomped(mut self) -> Self {
        if let Some(Piece::Literal(text)) = self.pieces.last_mut() {
            text.truncate(text.trim_end_matches(['\n', '\r']).len());
            if text.is_empty() {
                self.pieces.pop();
            }
        }
        self
    }

    /// As one word of a command.
    pub(super) fn word(&self) -> String {
        if let Some(text) = self.as_literal() {
            return quote(text);
        }
        let texts =
            || self.pieces.iter().filter_map(|piece| if let Piece::Literal(text) = piece { Some(text) } else { None });
        let escapes: usize = texts().map(|text| text.matches(['"', '\\', '$', '`']).count()).sum();
        let needs_single_quotes = texts().any(|text| text.contains(['!', '\0']) || text.contains(is_unsafe));
        if escapes <= 4 && !needs_single_quotes {
            return format!("\"{}\"", self.within_double_quotes(&self.pieces));
        }
        let mut out = String::new();
        let mut rest = self.pieces.as_slice();
        while let Some(first) = rest.first() {
            let plain = |piece: &Piece| match piece {
                Piece::Literal(text) => !text.contains(['"', '\\', '$', '`', '!', '\0']) && !text.contains(is_unsafe),
                Piece::Variable { .. } | Piece::Expansion(_) => true,
            };
            let together = rest.iter().take_while(|piece| plain(piece)).count();
            match first {
                Piece::Literal(text) if together == 0 => {
                    out.push_str(&quote_always(text));
                    rest = &rest[1..];
                }
                _ => {
                    let _ = write!(out, "\"{}\"", self.within_double_quotes(&rest[..together]));
                    rest = &rest[together..];
                }
            }
        }
        out
    }

    /// Pieces between double quotes, without the quotes.
    fn within_double_quotes(&self, pieces: &[Piece]) -> String {
        expand(pieces, |text, out| {
            for c in text.chars() {
                if matches!(c, '"' | '\\' | '$' | '`') {
                    out.push('\\');
                }
                out.push(c);
            }
        })
    }

    /// A command's input: what stands behind the command (` <<'EOF'`), and the lines below it, the closing one included.
    /// A text that does not end with a line break gets one.
    pub(super) fn here_document(&self) -> (String, String) {
        let quoted = self.as_literal().is_some_and(|text| !text.contains('\0') && !text.contains(is_unsafe));
        let mut body = if quoted {
            self.as_literal().unwrap_or_default().to_owned()
        } else {
            expand(&self.pieces, |text, out| {
                for c in text.chars() {
                    match c {
                        '\0' => out.push('\u{fffd}'),
                        '\\' | '$' | '`' => out.extend(['\\', c]),
                        c if is_unsafe(c) => {
                            let _ = write!(out, "$(printf '{}')", octal(c));
                        }
                        c => out.push(c),
                    }
                }
            })
        };
        if !body.ends_with('\n') && !body.is_empty() {
            body.push('\n');
        }
        let taken = |word: &str| body.lines().any(|line| line == word);
        let end = std::iter::once("EOF".to_owned())
            .chain((2..).map(|number| format!("EOF_{number}")))
            .find(|word| !taken(word))
            .unwrap_or_default();
        let open = if quoted { format!(" <<'{end}'") } else { format!(" <<{end}") };
        (open, format!("{body}{end}"))
    }
}

/// Writes pieces one after the other; a variable's name gets braces where the next character would change it.
fn expand(pieces: &[Piece], escape: impl Fn(&str, &mut String)) -> String {
    let mut out = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(text) => escape(text, &mut out),
            Piece::Expansion(code) => out.push_str(code),
            Piece::Variable { name, .. } => {
                let next = match pieces.get(at + 1) {
                    Some(Piece::Literal(text)) => text.as_str(),
                    _ => "",
                };
                // The last two mean something to zsh alone.
                let joins = next.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '[')
                    || next.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
                let _ = if joins { write!(out, "${{{name}}}") } else { write!(out, "${name}") };
            }
        }
    }
    out
}

/// Whether a character would act on a terminal or turn a line around, where it stands as it is.
fn is_unsafe(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        c => c.is_control() && c != '\0',
    }
}

/// The bytes of a character as `\ooo`, which `printf` and `$'…'` read.
fn octal(c: char) -> String {
    c.encode_utf8(&mut [0; 4]).bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "\\{byte:03o}");
        out
    })
}

/// A literal text as one word; without quotes where it needs none.
pub(super) fn quote(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.starts_with('=')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte));
    if plain { text.to_owned() } else { quote_always(text) }
}

fn quote_always(text: &str) -> String {
    if text.contains(is_unsafe) {
        let mut out = "$'".to_owned();
        for c in text.chars() {
            match c {
                '\0' => out.push('\u{fffd}'),
                '\n' => out.push_str("\\n"),
                '\\' | '\'' => out.extend(['\\', c]),
                c if c == '!' || is_unsafe(c) => out.push_str(&octal(c)),
                c => out.push(c),
            }
        }
        return format!("{out}'");
    }
    let text = text.replace('\0', "\u{fffd}");
    if text.contains('\'') && !text.contains(['"', '\\', '$', '`', '!']) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[path = "word_tests.rs"]
mod tests;
