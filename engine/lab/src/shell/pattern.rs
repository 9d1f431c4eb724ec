//! Shell patterns: `*`, `?` and bracket expressions.
//!
//! Invariant: a quoted character matches itself, whatever it is.

/// One element of a pattern.
#[derive(Clone, Debug)]
enum Token {
    Literal(char),
    Any,
    Star,
    Set { negated: bool, members: Vec<Member> },
}

#[derive(Clone, Debug)]
enum Member {
    Range(char, char),
    Class(fn(&char) -> bool),
}

/// A pattern ready to match.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Vec<Token>);

impl Pattern {
    /// A pattern from characters, each with whether it was quoted.
    pub(crate) fn new(chars: &[(char, bool)]) -> Self {
        let mut tokens = Vec::with_capacity(chars.len());
        let mut at = 0;
        while let Some(&(c, quoted)) = chars.get(at) {
            at += 1;
            let token = match c {
                _ if quoted => Token::Literal(c),
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' if at < chars.len() => {
                    at += 1;
                    Token::Literal(chars[at - 1].0)
                }
                '[' => match set(&chars[at..]) {
                    Some((token, length)) => {
                        at += length;
                        token
                    }
                    None => Token::Literal('['),
                },
                _ => Token::Literal(c),
            };
            if !matches!((&token, tokens.last()), (Token::Star, Some(Token::Star))) {
                tokens.push(token);
            }
        }
        Self(tokens)
    }

    /// A pattern from plain text, in which nothing is quoted but by a backslash.
    pub(crate) fn from_text(text: &str) -> Self {
        Self::new(&text.chars().zip(std::iter::repeat(false)).collect::<Vec<_>>())
    }

    /// Whether it holds nothing but literal characters.
    pub(crate) fn is_literal(&self) -> bool {
        self.0.iter().all(|token| matches!(token, Token::Literal(_)))
    }

    /// Whether it starts with this very character.
    pub(crate) fn starts_with(&self, c: char) -> bool {
        matches!(self.0.first(), Some(Token::Literal(first)) if *first == c)
    }

    /// Whether it matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.matches_chars(&text)
    }

    /// Whether it matches all of these characters. Takes time in proportion to pattern times text at most.
    pub(crate) fn matches_chars(&self, text: &[char]) -> bool {
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(token) {
                Some(Token::Star) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(single) if single.matches(text[at]) => {
                    token += 1;
                    at += 1;
                }
                _ => match star {
                    // The last star takes one more character.
                    Some((starred, taken)) => {
                        star = Some((starred, taken + 1));
                        token = starred + 1;
                        at = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[token..].iter().all(|token| matches!(token, Token::Star))
    }
}

impl Token {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == c,
            Self::Any => true,
            Self::Star => false,
            Self::Set { negated, members } => {
                let found = members.iter().any(|member| match member {
                    Member::Range(low, high) => (*low..=*high).contains(&c),
                    Member::Class(class) => class(&c),
                });
                found != *negated
            }
        }
    }
}

/// The class of `[:name:]`.
pub(crate) fn class(name: &str) -> Option<fn(&char) -> bool> {
    Some(match name {
        "alnum" => char::is_ascii_alphanumeric,
        "alpha" => char::is_ascii_alphabetic,
        "blank" => |c| *c == ' ' || *c == '\t',
        "cntrl" => char::is_ascii_control,
        "digit" => char::is_ascii_digit,
        "graph" => char::is_ascii_graphic,
        "lower" => char::is_ascii_lowercase,
        "print" => |c| c.is_ascii_graphic() || *c == ' ',
        "punct" => char::is_ascii_punctuation,
        "space" => |c| c.is_ascii_whitespace() || *c == '\x0b',
        "upper" => char::is_ascii_uppercase,
        "xdigit" => char::is_ascii_hexdigit,
        _ => return None,
    })
}

/// A bracket expression after its `[`, with its length up to and including `]`.
fn set(chars: &[(char, bool)]) -> Option<(Token, usize)> {
    let mut at = 0;
    let negated = matches!(chars.first(), Some(('!' | '^', false)));
    if negated {
        at += 1;
    }
    let first = at;
    let mut members = Vec::new();
    loop {
        let &(c, quoted) = chars.get(at)?;
        if c == ']' && !quoted && at > first {
            return Some((Token::Set { negated, members }, at + 1));
        }
        if c == '[' && !quoted && chars.get(at + 1).is_some_and(|next| next.0 == ':') {
            let rest: String = chars[at + 2..].iter().map(|(c, _)| c).collect();
            let (name, _) = rest.split_once(":]")?;
            members.push(Member::Class(class(name)?));
            at += name.chars().count() + 4;
            continue;
        }
        let low = if c == '\\' && !quoted {
            at += 1;
            chars.get(at)?.0
        } else {
            c
        };
        at += 1;
        let ranged = chars.get(at) == Some(&('-', false)) && chars.get(at + 1).is_some_and(|next| next.0 != ']');
        if ranged {
            members.push(Member::Range(low, chars[at + 1].0));
            at += 2;
        } else {
            members.push(Member::Range(low, low));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        let cases = [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.bak", false),
            ("a*b*c", "a--b--b-c", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[[:digit:]]*", "7up", true),
            ("[", "[", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("", "", true),
            ("*", "", true),
            ("[a-]", "-", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern::from_text(pattern).matches(text), expected, "{pattern} {text}");
        }
        let quoted = Pattern::new(&[('*', true)]);
        assert!(quoted.matches("*") && !quoted.matches("a"));
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = Pattern::from_text(&"*a".repeat(200));
        assert!(!pattern.matches(&"a".repeat(199)));
    }
}
