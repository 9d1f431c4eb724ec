//! The tokens of an awk program.
//!
//! Invariant: whether a slash divides or opens a regular expression is decided by the token before it.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    Regex(String),
    /// A name; the flag says that an opening bracket follows at once, as a call of a function needs it.
    Name(String, bool),
    Op(&'static str),
    Newline,
    End,
}

const OPERATORS: [&str; 43] = [
    "**=", "&&", "||", "==", "!=", "<=", ">=", ">>", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", "!~", "{",
    "}", "(", ")", "[", "]", ";", ",", "<", ">", "=", "!", "~", "?", ":", "+", "-", "*", "/", "%", "^", "$", "|", "&",
    "@",
];

/// The tokens of a program; an error when something in it is no token.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            ' ' | '\t' | '\r' => at += 1,
            '\n' => {
                tokens.push(Token::Newline);
                at += 1;
            }
            '\\' if chars.get(at + 1) == Some(&'\n') => at += 2,
            '#' => {
                while chars.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
            }
            '"' => {
                let (text, end) = quoted(&chars, at + 1, '"').ok_or("an unterminated string")?;
                tokens.push(Token::Text(unescape(&text)));
                at = end;
            }
            '/' if !divides(tokens.last()) => {
                let (text, end) = quoted(&chars, at + 1, '/').ok_or("an unterminated regular expression")?;
                tokens.push(Token::Regex(text));
                at = end;
            }
            c if c.is_ascii_digit() || c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit) => {
                let rest: String = chars[at..].iter().take(64).collect();
                let length = number_length(&rest);
                tokens.push(Token::Number(rest[..length].parse().unwrap_or(0.0)));
                at += length;
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let start = at;
                while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    at += 1;
                }
                tokens.push(Token::Name(chars[start..at].iter().collect(), chars.get(at) == Some(&'(')));
            }
            _ => {
                let found =
                    OPERATORS.iter().find(|text| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c)));
                let operator = found.ok_or_else(|| format!("the character {c}"))?;
                tokens.push(Token::Op(operator));
                at += operator.len();
            }
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

fn divides(before: Option<&Token>) -> bool {
    match before {
        Some(Token::Number(_) | Token::Text(_) | Token::Regex(_) | Token::Op(")" | "]" | "$" | "++" | "--")) => true,
        Some(Token::Name(name, _)) => !matches!(name.as_str(), "print" | "printf" | "return" | "in" | "getline"),
        _ => false,
    }
}

/// A text up to its closing mark, with its backslashes, and where it ends.
fn quoted(chars: &[char], start: usize, close: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = start;
    loop {
        match *chars.get(at)? {
            c if c == close => return Some((text, at + 1)),
            '\n' => return None,
            '\\' if chars.get(at + 1) == Some(&'/') && close == '/' => {
                text.push('/');
                at += 2;
            }
            '\\' => {
                text.push('\\');
                text.push(*chars.get(at + 1)?);
                at += 2;
            }
            c => {
                text.push(c);
                at += 1;
            }
        }
    }
}

/// Reads the backslash sequences of a string.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('v') => out.push('\x0b'),
            Some(c @ ('\\' | '"' | '/')) => out.push(c),
            Some(digit @ '0'..='7') => {
                let mut value = digit.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    match chars.peek().and_then(|c| c.to_digit(8)) {
                        Some(next) => value = value * 8 + next,
                        None => break,
                    }
                    chars.next();
                }
                out.extend(char::from_u32(value));
            }
            Some(c) => {
                out.push('\\');
                out.push(c);
            }
            None => out.push('\\'),
        }
    }
    out
}

/// How long a number at the start of a text is: digits, fraction, exponent.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if whole + fraction > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if at + 1 + sign < bytes.len() {
            let exponent = digits(at + 1 + sign);
            if exponent > 0 {
                at += 1 + sign + exponent;
            }
        }
    }
    at
}
