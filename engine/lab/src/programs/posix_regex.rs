//! POSIX regular expressions, basic and extended, translated to those of the `regex` crate.
//!
//! Invariant: what cannot be translated exactly is refused; matching takes linear time whatever the pattern.

use regex::bytes::{Regex, RegexBuilder};

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The lab cannot translate it.
    NotSimulated(String),
    /// The pattern is malformed, in the C library's words.
    Invalid(&'static str),
}

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Syntax {
    /// Extended, not basic.
    pub(crate) extended: bool,
    /// Upper and lower case are the same.
    pub(crate) ignore_case: bool,
}

/// Compiles a pattern.
pub(crate) fn compile(pattern: &str, syntax: Syntax) -> Result<Regex, Fault> {
    build(&translate(pattern, syntax.extended)?, syntax.ignore_case)
}

/// An extended expression, as bash's `=~` reads it; `None` when it cannot be used.
pub(crate) fn extended(pattern: &str) -> Option<Regex> {
    compile(pattern, Syntax { extended: true, ..Syntax::default() }).ok()
}

/// Compiles an expression that is already in the crate's own syntax.
pub(super) fn build(expression: &str, ignore_case: bool) -> Result<Regex, Fault> {
    RegexBuilder::new(expression)
        .case_insensitive(ignore_case)
        .size_limit(4 << 20)
        .build()
        .map_err(|_| Fault::NotSimulated(format!("the regular expression {expression}")))
}

/// The same expression in the syntax of the `regex` crate.
///
/// POSIX takes the longest of several alternatives, the crate the first; this shows only where alternatives are prefixes
/// of each other.
pub(super) fn translate(pattern: &str, extended: bool) -> Result<String, Fault> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::from("(?s-u)");
    // Non-ASCII text is matched by characters, ASCII by bytes, so that any bytes can be searched.
    if !pattern.is_ascii() {
        out = String::from("(?s)");
    }
    let mut at = 0;
    let mut groups = 0;
    // Whether a star here would have nothing to repeat and stands for itself.
    let mut start = true;
    while let Some(&c) = chars.get(at) {
        at += 1;
        let was_start = std::mem::replace(&mut start, false);
        match c {
            '\\' => {
                let Some(&next) = chars.get(at) else { return Err(Fault::Invalid("Trailing backslash")) };
                at += 1;
                match next {
                    '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => {
                        let operator = next;
                        at += operate(operator, &chars[at..], &mut out, &mut groups, &mut start, was_start)?;
                    }
                    '1'..='9' => return Err(Fault::NotSimulated("back-references in a regular expression".to_owned())),
                    '<' => out.push_str(r"\b{start}"),
                    '>' => out.push_str(r"\b{end}"),
                    'b' | 'B' | 'w' | 'W' | 's' | 'S' => {
                        out.push('\\');
                        out.push(next);
                    }
                    '`' => out.push_str(r"\A"),
                    '\'' => out.push_str(r"\z"),
                    'n' => out.push_str(r"\n"),
                    't' => out.push_str(r"\t"),
                    other => out.push_str(&regex::escape(&other.to_string())),
                }
            }
            '[' => {
                let (set, used) = bracket(&chars[at..])?;
                out.push_str(&set);
                at += used;
            }
            '.' => out.push('.'),
            '*' if was_start => out.push_str(r"\*"),
            '*' => out.push('*'),
            '^' if extended || was_start => {
                out.push('^');
                start = true;
            }
            '$' if extended
                || at == chars.len()
                || chars[at..].starts_with(&['\\', ')'])
                || chars[at..].starts_with(&['\\', '|']) =>
            {
                out.push('$');
            }
            '(' | ')' | '{' | '|' | '+' | '?' if extended => {
                at += operate(c, &chars[at..], &mut out, &mut groups, &mut start, was_start)?;
            }
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    if groups > 0 {
        return Err(Fault::Invalid("Unmatched ( or \\("));
    }
    Ok(out)
}

/// Writes an operator. Returns how many characters after it belong to it.
fn operate(
    operator: char,
    rest: &[char],
    out: &mut String,
    groups: &mut usize,
    start: &mut bool,
    was_start: bool,
) -> Result<usize, Fault> {
    match operator {
        '(' => {
            *groups += 1;
            if *groups > 50 {
                return Err(Fault::NotSimulated("a regular expression of more than 50 levels".to_owned()));
            }
            *start = true;
        }
        ')' => *groups = groups.checked_sub(1).ok_or(Fault::Invalid("Unmatched ) or \\)"))?,
        '|' => *start = true,
        '{' => {
            let end = rest.iter().position(|&c| c == '}').ok_or(Fault::Invalid("Unmatched { or \\{"))?;
            let basic = end > 0 && rest[end - 1] == '\\';
            let bounds: String = rest[..end - usize::from(basic)].iter().collect();
            let valid = !was_start && !bounds.is_empty() && bounds.chars().all(|c| c.is_ascii_digit() || c == ',');
            if !valid || bounds.starts_with(',') && bounds.len() == 1 {
                return Err(Fault::NotSimulated(format!("the repetition {{{bounds}}} in a regular expression")));
            }
            let bounds = if bounds.starts_with(',') { format!("0{bounds}") } else { bounds };
            out.push_str(&format!("{{{bounds}}}"));
            return Ok(end + 1);
        }
        '}' => return Err(Fault::Invalid("Invalid preceding regular expression")),
        _ if was_start => {
            return Err(Fault::NotSimulated(format!("{operator} with nothing before it in a regular expression")));
        }
        _ => {}
    }
    out.push(operator);
    Ok(0)
}

/// A bracket expression after its `[`: the crate's form and how many characters it took.
fn bracket(chars: &[char]) -> Result<(String, usize), Fault> {
    let unmatched = Fault::Invalid("Unmatched [, [^, [:, [., or [=");
    let mut out = String::from("[");
    let mut at = 0;
    if chars.first() == Some(&'^') {
        out.push('^');
        at = 1;
    }
    let first = at;
    loop {
        let &c = chars.get(at).ok_or_else(|| unmatched.clone())?;
        at += 1;
        match c {
            ']' if at - 1 > first => {
                out.push(']');
                return Ok((out, at));
            }
            '[' if matches!(chars.get(at), Some(':')) => {
                let rest: String = chars[at + 1..].iter().collect();
                let (name, _) = rest.split_once(":]").ok_or_else(|| unmatched.clone())?;
                if crate::shell::pattern::class(name).is_none() {
                    return Err(Fault::Invalid("Invalid character class name"));
                }
                out.push_str(&format!("[:{name}:]"));
                at += name.chars().count() + 3;
            }
            '[' if matches!(chars.get(at), Some('.' | '=')) => {
                return Err(Fault::NotSimulated("collating elements in a regular expression".to_owned()));
            }
            '-' if at - 1 > first && chars.get(at).is_some_and(|&next| next != ']') => out.push('-'),
            other => {
                // A backslash stands for itself here.
                if "[]\\^-&~".contains(other) {
                    out.push('\\');
                }
                out.push(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Syntax, compile, translate};

    #[test]
    fn basic_and_extended_expressions_match_as_posix_says() {
        let cases = [
            (false, "<title>.*</title>", "a<title>T</title>b", Some("<title>T</title>")),
            (false, "a+", "aa+", Some("a+")),
            (false, "a\\+", "aa+", Some("aa")),
            (true, "a+", "aa+", Some("aa")),
            (false, "a|b", "a|b", Some("a|b")),
            (true, "x|b", "ab", Some("b")),
            (false, "\\(ab\\)*c", "ababc", Some("ababc")),
            (false, "*a", "*a", Some("*a")),
            (false, "a^b$c", "a^b$c", Some("a^b$c")),
            (false, "^a$", "a", Some("a")),
            (true, "[0-9]{2,3}", "a1234", Some("123")),
            (false, "[0-9]\\{2\\}", "a1234", Some("12")),
            (true, "[]a]+", "x]a", Some("]a")),
            (true, "[^[:space:]]+", "  ab c", Some("ab")),
            (true, "[\\.]", "\\", Some("\\")),
            (true, "[a-]", "-", Some("-")),
            (false, "a.c", "a.c", Some("a.c")),
            (false, "a\\.c", "abc", None),
            (true, "\\<b", "ab b", Some("b")),
            (false, "\"GET", "x \"GET y", Some("\"GET")),
            (false, "é.", "éa", Some("éa")),
        ];
        for (extended, pattern, text, expected) in cases {
            let regex = compile(pattern, Syntax { extended, ignore_case: false }).unwrap();
            let found = regex.find(text.as_bytes()).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned());
            assert_eq!(found.as_deref(), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn malformed_and_untranslatable_ones_are_refused() {
        assert_eq!(translate("a\\", false), Err(Fault::Invalid("Trailing backslash")));
        assert_eq!(translate("(a", true), Err(Fault::Invalid("Unmatched ( or \\(")));
        assert_eq!(translate("[a", true), Err(Fault::Invalid("Unmatched [, [^, [:, [., or [=")));
        assert!(matches!(translate("\\(a\\)\\1", false), Err(Fault::NotSimulated(_))));
        assert!(matches!(compile("+a", Syntax { extended: true, ignore_case: false }), Err(Fault::NotSimulated(_))));
    }
}
