//! Patterns of `grep` as regular expressions of the matching language.

/// The expression that a pattern of `grep` means; `extended` with `-E`.
pub(crate) fn expression(pattern: &str, extended: bool) -> String {
    if extended {
        return pattern.to_owned();
    }
    // In a basic expression the escaped forms are the operators, and the bare ones are themselves.
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        if in_class {
            if c == '[' && !matches!(rest.peek(), Some(':' | '.' | '=')) {
                out.push('\\');
            }
            out.push(c);
            // A bracket that comes first is one of the characters.
            if c == ']' && !out.ends_with("[]") && !out.ends_with("[^]") {
                in_class = false;
            }
            continue;
        }
        match c {
            '\\' => match rest.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => out.push(c),
                Some('<' | '>') => out.push_str("\\b"),
                Some(c) if c.is_ascii_alphanumeric() && !"bBwWsSdD".contains(c) => out.push(c),
                Some(c) => {
                    out.push('\\');
                    out.push(c);
                }
                None => out.push_str("\\\\"),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' => {
                out.push('\\');
                out.push(c);
            }
            '*' if out.is_empty() => out.push_str("\\*"),
            '[' => {
                in_class = true;
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The text that an expression means, where it is nothing but text.
pub(crate) fn literal(expression: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = expression.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(c) if !c.is_ascii_alphanumeric() => out.push(c),
                _ => return None,
            },
            '.' | '*' | '+' | '?' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '^' | '$' => return None,
            c => out.push(c),
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_expressions_become_extended_ones() {
        assert_eq!(expression("<title>.*</title>", false), "<title>.*</title>");
        assert_eq!(expression(r"a\(b\|c\)\+ (d) {2} x?", false), r"a(b|c)+ \(d\) \{2\} x\?");
        assert_eq!(expression("[]a] [^]b] \\<w\\>", false), "[]a] [^]b] \\bw\\b");
        assert_eq!(expression("a+", true), "a+");
    }

    #[test]
    fn plain_text_is_told_from_expressions() {
        assert_eq!(literal("mode: ALLOW_ANY").as_deref(), Some("mode: ALLOW_ANY"));
        assert_eq!(literal(r"a\.b").as_deref(), Some("a.b"));
        assert_eq!(literal("HTTP/1.1"), None);
    }
}
