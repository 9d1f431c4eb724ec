//! Words and here-documents, as real shells read them.

use proptest::prelude::*;

use super::*;
use crate::docs::commands::tests::support;

/// What a script writes in a shell with these variables set; it must have nothing to complain of.
fn run(shell: &str, script: &str, variables: &[(&str, &str)]) -> String {
    let output = support::run(&[shell], script, variables);
    assert!(output.stderr.is_empty(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn example() -> ShellText {
    ShellText::literal("a ").with(ShellText::variable("X")).and(":").with(ShellText::variable("Y")).and("b")
}

#[test]
fn words_have_no_more_quotes_than_they_need() {
    for (text, word) in [
        ("10.0.0.7:3128", "10.0.0.7:3128"),
        ("", "''"),
        ("=x", "'=x'"),
        ("<title>.*</title>", "'<title>.*</title>'"),
        ("it's", "\"it's\""),
        ("it's $5!", r"'it'\''s $5!'"),
        ("a\tb\r", "$'a\tb\\015'"),
        ("\u{202e}x'", "$'\\342\\200\\256x\\''"),
    ] {
        assert_eq!(quote(text), word);
    }
    let variable = ShellText::variable;
    assert_eq!(example().word(), "\"a $X:${Y}b\"");
    assert_eq!(variable("X").word(), "\"$X\"");
    assert_eq!(variable("X").and("[0]").word(), "\"${X}[0]\"");
    assert_eq!(variable("X").and(":h").word(), "\"${X}:h\"");
    assert_eq!(ShellText::literal("{\"a\": \"").with(variable("X")).and("\"}").word(), r#""{\"a\": \"$X\"}""#);
    assert_eq!(
        ShellText::literal("{\"a\": {\"b\": \"").with(variable("X")).and("!\"}}").word(),
        r#"'{"a": {"b": "'"$X"'!"}}'"#
    );
    assert_eq!(ShellText::expansion("$(date)").and("-").word(), "\"$(date)-\"");
}

#[test]
fn here_documents_end_where_they_should() {
    let (open, lines) = ShellText::literal("a: $x # y\nEOF\n").here_document();
    assert_eq!((open.as_str(), lines.as_str()), (" <<'EOF_2'", "a: $x # y\nEOF\nEOF_2"));
    let (open, lines) = example().and("\\ $1 `x`").here_document();
    assert_eq!((open.as_str(), lines.as_str()), (" <<EOF", "a $X:${Y}b\\\\ \\$1 \\`x\\`\nEOF"));
    let (open, lines) = ShellText::literal("a\r\n").here_document();
    assert_eq!((open.as_str(), lines.as_str()), (" <<EOF", "a$(printf '\\015')\nEOF"));
    let (open, lines) = ShellText::literal("").here_document();
    assert_eq!((open.as_str(), lines.as_str()), (" <<'EOF'", "EOF"));
}

/// Texts of what shells take for something else.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("$".to_owned()),
        Just("`id`".to_owned()),
        Just("$(id)".to_owned()),
        Just("${X}".to_owned()),
        Just("!".to_owned()),
        Just("!!".to_owned()),
        Just("\n".to_owned()),
        Just("\nEOF\n".to_owned()),
        Just("EOF".to_owned()),
        Just("\r\n".to_owned()),
        Just("\u{1b}[31m".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("é漢\u{200d}".to_owned()),
        Just("~ *?[a]{b,c} #x; & | > <".to_owned()),
        "[ -~]{0,6}",
        any::<char>().prop_filter("shells have no NUL", |c| *c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn text() -> impl Strategy<Value = (ShellText, Vec<(bool, String)>)> {
    prop::collection::vec((any::<bool>(), hostile()), 0..4).prop_map(|parts| {
        let mut text = ShellText::default();
        for (at, (variable, value)) in parts.iter().enumerate() {
            match variable {
                true => text.append(&ShellText::variable(format!("V{at}"))),
                false => text.push_literal(value),
            }
        }
        (text, parts)
    })
}

/// All words and here-documents of a case in one go: starting shells is what costs.
fn check(shell: &str, text: &ShellText, parts: &[(bool, String)]) {
    let names: Vec<String> = (0..parts.len()).map(|at| format!("V{at}")).collect();
    let variables: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(parts.iter().map(|(_, value)| value.as_str())).collect();
    let whole: String = parts.iter().map(|(_, value)| value.as_str()).collect();
    let (open, lines) = text.here_document();
    let script = format!("printf '[%s]' {}\ncat{open}\n{lines}\nprintf '[%s]' end\n", text.word());
    let ending = if whole.ends_with('\n') || text.pieces().is_empty() { "" } else { "\n" };
    // A value that ends in a line break still gets one of its own from the here-document.
    let ending = if matches!(text.pieces().last(), Some(Piece::Variable { .. })) { "\n" } else { ending };
    assert_eq!(run(shell, &script, &variables), format!("[{whole}]{whole}{ending}[end]"), "{script}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn bash_reads_every_text_back((text, parts) in text()) {
        check("bash", &text, &parts);
    }

    #[test]
    fn literal_words_without_control_characters_are_for_every_shell(text in hostile()) {
        let text: String = text.chars().filter(|c| !is_unsafe(*c)).collect();
        let script = format!("printf '[%s]' {}\n", quote(&text));
        prop_assert_eq!(run("sh", &script, &[]), format!("[{text}]"));
    }
}
