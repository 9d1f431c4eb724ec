//! Colours and glyphs by what they mean: the only table of them.
//!
//! Whether colour is wanted is decided by the caller, who knows the terminal and `NO_COLOR`; nothing else in this crate
//! writes an escape code.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// A heading, or the one thing to see first.
    Strong,
    /// What is there for reference only.
    Dim,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It could not be found out, or wants attention.
    Doubt,
    /// Something the user may type.
    Command,
}

impl Role {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Doubt => AnsiColor::Yellow.on_default(),
            Self::Command => AnsiColor::Cyan.on_default(),
        }
    }
}

/// How text may look in one place: a terminal, a pipe, a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colour: bool,
    unicode: bool,
    width: usize,
}

impl Theme {
    /// Narrowest and widest text that is laid out, in columns: below, wrapping makes confetti; above, lines get too
    /// long to read.
    const WIDTHS: std::ops::RangeInclusive<usize> = 40..=120;

    /// A place with or without colour and characters beyond ASCII, `width` columns wide.
    #[must_use]
    pub fn new(colour: bool, unicode: bool, width: usize) -> Self {
        Self { colour, unicode, width: width.clamp(*Self::WIDTHS.start(), *Self::WIDTHS.end()) }
    }

    /// For pipes and files: no colour, 100 columns.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colour: false, unicode: true, width: 100 }
    }

    /// Whether colour is used.
    #[must_use]
    pub const fn colour(self) -> bool {
        self.colour
    }

    /// Whether characters beyond ASCII are used where there is a choice.
    #[must_use]
    pub const fn unicode(self) -> bool {
        self.unicode
    }

    /// Columns to lay text out in.
    #[must_use]
    pub const fn width(self) -> usize {
        self.width
    }

    /// The text in the colour of its role. Pad it before painting: escape codes have no width.
    pub const fn paint<T: fmt::Display>(self, role: Role, text: T) -> Painted<T> {
        Painted { style: if self.colour { role.style() } else { Style::new() }, text }
    }

    /// The sign of a role, one column wide.
    #[must_use]
    pub const fn glyph(self, role: Role) -> &'static str {
        match (role, self.unicode) {
            (Role::Good, true) => "✓",
            (Role::Good, false) => "+",
            (Role::Bad, true) => "✗",
            (Role::Bad, false) => "x",
            (Role::Doubt, _) => "?",
            (Role::Plain | Role::Strong | Role::Command, true) => "•",
            (Role::Plain | Role::Strong | Role::Command, false) => "*",
            (Role::Dim, true) => "–",
            (Role::Dim, false) => "-",
        }
    }
}

/// Text with its colour, see [`Theme::paint`].
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_there_is_no_escape_code() {
        assert_eq!(Theme::plain().paint(Role::Bad, "FAILED").to_string(), "FAILED");
    }

    #[test]
    fn with_colour_every_code_is_closed() {
        let painted = Theme::new(true, true, 80).paint(Role::Good, "ok").to_string();
        assert!(painted.starts_with("\u{1b}[32m") && painted.ends_with("\u{1b}[0m"), "{painted:?}");
    }

    #[test]
    fn width_has_bounds() {
        assert_eq!([3, 80, 4_000].map(|width| Theme::new(false, true, width).width()), [40, 80, 120]);
    }
}
