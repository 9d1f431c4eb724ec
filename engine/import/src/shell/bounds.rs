//! What a script may hold before the parser sees it.
//!
//! Invariant: a script within these bounds exhausts neither the parser's stack nor, by its backtracking, anybody's
//! patience.

/// Longest command, in bytes, without its here-documents: those are kept from the parser.
const MAX_SCRIPT: usize = 64 << 10;
/// How many words that open a block a command may hold; the parser takes some 10 KiB of stack for each level.
const MAX_BLOCKS: usize = 60;
/// How many brackets it may open: the parser tries each level of those that are not closed twice.
const MAX_BRACKETS: usize = 16;
/// How many of them if there is a substitution among them.
const MAX_SUBSTITUTIONS: usize = 12;

/// Why a text is not given to the parser.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_SCRIPT {
        return Err("the command is too long to be read");
    }
    let nested = nestable(text);
    let most = if nested.substitutions > 0 { MAX_SUBSTITUTIONS } else { MAX_BRACKETS };
    if nested.blocks > MAX_BLOCKS || nested.brackets > most {
        return Err("the command is nested too deeply to be read");
    }
    Ok(())
}

/// Why the text of a here-document is not given to the parser.
pub(super) fn check_here_document(text: &str) -> Result<(), &'static str> {
    if nestable(text).substitutions > MAX_SUBSTITUTIONS {
        return Err("its here-document is nested too deeply to be read");
    }
    Ok(())
}

/// What could open a level of nesting.
#[derive(Debug, Default, PartialEq, Eq)]
struct Nested {
    blocks: usize,
    /// Substitutions among them.
    brackets: usize,
    substitutions: usize,
}

fn nestable(text: &str) -> Nested {
    let bytes = text.as_bytes();
    let mut nested = Nested::default();
    for (at, byte) in bytes.iter().enumerate() {
        let after_dollar = at > 0 && bytes[at - 1] == b'$';
        let substitution = match byte {
            b'`' => true,
            b'(' => after_dollar,
            b'[' if after_dollar => true,
            b'{' if after_dollar && !is_plain_name(&bytes[at + 1..]) => true,
            b'{' if !after_dollar && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) => false,
            _ => continue,
        };
        nested.brackets += 1;
        nested.substitutions += usize::from(substitution);
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    let opens = |word: &&str| {
        matches!(*word, "if" | "while" | "until" | "for" | "case" | "select" | "function" | "coproc" | "time")
    };
    nested.blocks = words.filter(opens).count();
    nested
}

/// Whether `NAME}` follows.
fn is_plain_name(rest: &[u8]) -> bool {
    let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    name > 0 && rest.get(name) == Some(&b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_variables_do_not_count_and_nesting_does() {
        assert_eq!(nestable("kubectl exec ${POD} -- sh -c \"a $B\""), Nested::default());
        let expected = Nested { blocks: 1, brackets: 6, substitutions: 4 };
        assert_eq!(nestable("x $(a `b` ${c:-d}); ( e ); { f; }; if g"), expected);
        assert!(check(&"${A}".repeat(500)).is_ok());
        assert!(check(&"\"$(".repeat(13)).is_err());
        assert!(check(&"(".repeat(17)).is_err());
        assert!(check_here_document(&"f(x); ".repeat(500)).is_ok());
    }
}
