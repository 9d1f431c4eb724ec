//! Values in shell scripts: where they can be quoted, and that a real shell reads them back.

use super::*;
use crate::template::word::{Unsafe, quote};

/// Reads a script in which `@` stands for a value, and tells of the last one.
fn place(script: &str) -> Result<(), Unsafe> {
    let mut scanner = Scanner::default();
    let mut last = None;
    let mut pieces = script.split('@').peekable();
    while let Some(piece) = pieces.next() {
        scanner.text(piece, 0);
        if pieces.peek().is_some() {
            last = Some(scanner.value());
        }
    }
    last.expect("a value")
}

#[test]
fn bare_places_are_known() {
    for script in [
        "@",
        "echo 'it''s' \"a\\\"b\" @",
        "echo $(echo \"$(echo 'x' @)\")",
        "echo \"$(@)\"",
        "# don't\necho @",
        "echo a#b' '@",
        "cat <<EOF\nit's\nEOF\necho @",
        "cat <<-'A B' <<C\nx\n\t\tA B\n'\nC\necho @",
        "cat <<E\nx\nE\n# don't\necho @",
        "echo ${X:-a} $((1 << 2)) @",
        "if [ -n \"$X\" ]; then echo @; fi",
        "X=@ y",
        "echo <@ >@",
        "echo \\' @",
        "(echo a) && { echo @; }",
        "echo \"${X:-\"a\"}\" @",
        "case a in a) echo @;; esac",
    ] {
        assert_eq!(place(script), Ok(()), "{script}");
    }
}

#[test]
fn other_places_are_refused() {
    for (script, why) in [
        ("echo \"@\"", Unsafe::DoubleQuotes),
        ("echo '@'", Unsafe::SingleQuotes),
        ("echo \"$(x)@\"", Unsafe::DoubleQuotes),
        ("echo # @", Unsafe::Comment),
        ("cat <<EOF\n@\nEOF", Unsafe::HereDocument),
        ("cat <<'EOF'\n@\nEOF", Unsafe::QuotedHereDocument),
        ("cat <<@\n", Unsafe::Unsure),
        ("cat <<EOF\n@EOF\n@", Unsafe::HereDocument),
        ("echo ${X:-@}", Unsafe::Expansion),
        ("echo $((@))", Unsafe::Expansion),
        ("echo `@`", Unsafe::Expansion),
        ("echo $@", Unsafe::Glued),
        ("echo \\@", Unsafe::Glued),
        ("echo \"$(case x in x) echo;; esac)\" @", Unsafe::Unsure),
        ("echo $'it\\'s' @", Unsafe::Unsure),
    ] {
        assert_eq!(place(script), Err(why), "{script}");
    }
}

#[test]
fn words_are_quoted_when_they_must_be() {
    for plain in ["a", "10.0.0.7:3128", "https://x/y@z%20+,=-_", "0"] {
        assert_eq!(quote(plain), plain);
    }
    assert_eq!(quote(""), "''");
    assert_eq!(quote("it's"), r"'it'\''s'");
    assert_eq!(quote("a b"), "'a b'");
    assert_eq!(quote("é"), "'é'");
}

#[test]
fn variables_are_found_unless_set() {
    let script = "X=1; for I in a b; do echo $X $I \"$IP\" ${PORT:-1} '$NOT'; done; read L; echo $L $((N + 1)) # $NOR\ncat <<E\n$DOC\nE\n";
    let found = variables(script);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["IP", "PORT", "N", "DOC"]);
    assert_eq!(&script[found[0].1.clone()], "$IP");
    assert_eq!(&script[found[1].1.clone()], "${PORT");
    assert_eq!(&script[found[2].1.clone()], "N");
}

/// Asks a real shell: the only judge of what is one word.
#[test]
#[expect(clippy::disallowed_types, reason = "only a real shell tells how a shell reads")]
fn a_real_shell_reads_quoted_words_back() {
    let values =
        ["", " ", "it's", "a\nb", "$(id)", "`id`", "\\", "\"", "''", "*", "~", "-n", "a;b", "#x", "é\t!", "$'x'"];
    let mut script = String::new();
    let mut expected = String::new();
    for value in values {
        script.push_str(&format!("printf '[%s]' {}\n", quote(value)));
        expected.push_str(&format!("[{value}]"));
    }
    let output = std::process::Command::new("sh").arg("-c").arg(&script).output().expect("sh runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
