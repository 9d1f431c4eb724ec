//! What a value holds arrives, whatever it is: scripts, words, secrets, files, JSON and YAML, through real shells.

use periplus_core::yaml_edit;
use proptest::prelude::*;
use serde_json::Value;

use super::support::{block, functions, run, steps};
use crate::docs::commands::functions::SET_YAML;
use crate::docs::commands::{Commands, FileCommand};

/// Stands in for kubectl: runs what comes after `--` here.
const HERE: &str = "kubectl() { while [ \"$1\" != -- ]; do shift; done; shift; \"$@\"; }\n";

/// Texts of what shells, JSON and YAML take for something else.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "'",
            "\"",
            "\\",
            "$",
            "`id`",
            "$(id)",
            "${X}",
            "!",
            "\n",
            "EOF\n",
            "\\n",
            "\r",
            "\u{1b}[0m",
            "é漢",
            " ",
            "{{",
            "%s",
            "-n",
            "*",
            "#",
            ": ",
            "&",
            "|",
            ";",
            "~",
            "\t",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,5}",
    ];
    prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat())
}

fn stdout(script: &str, variables: &[(&str, &str)]) -> String {
    let output = run(&["bash"], script, variables);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.stderr.is_empty(), "{script}\n{errors}");
    String::from_utf8(output.stdout).expect("text")
}

const SCRIPT: &str = r#"- id: s
  exec:
    in: {pod: p}
    env: {A: "a {{TEXT}}"}
    sh: |
      printf '[%s]' {{TEXT}} x{{TEXT}}y "a{{TEXT}}b$A" 'c{{TEXT}}d' "$(printf '%s' {{TEXT}})."
      cat <<END
      e{{TEXT}}f
      END
"#;

const WORDS: &str = r#"- id: s
  exec:
    in: {pod: p}
    env: {A: "{{TEXT}}$x"}
    command: [sh, -c, 'printf "[%s]" "$A" "$@"', sh, '{{TEXT}}', "it's {{TEXT}}!", '{{default "none" TEXT}}', '{{b64encode TEXT}}']
"#;

const HIDDEN: &str = r#"- id: s
  exec: {in: {pod: p}, env: {A: "x {{SECRET}}", B: "{{TEXT}}"}, command: [sh, -c, 'printf "[%s]" "$A" "$B"']}
"#;

/// What `$(…)` leaves of a text.
fn cut(text: &str) -> &str {
    text.trim_end_matches('\n')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn values_arrive_in_scripts(text in hostile()) {
        let script = format!("{HERE}{}", block(SCRIPT));
        let t = text.as_str();
        let expected = format!("[{t}][x{t}y][a{t}ba {t}][c{t}d][{}.]e{t}f\n", cut(t));
        prop_assert_eq!(stdout(&script, &[("TEXT", t)]), expected, "{}", script);
    }

    #[test]
    fn values_arrive_as_words(text in hostile()) {
        let script = format!("{HERE}{}", block(WORDS));
        let t = text.as_str();
        let otherwise = if t.is_empty() { "none" } else { t };
        let encoded = stdout("printf '%s' \"$TEXT\" | base64 -w0", &[("TEXT", t)]);
        let expected = format!("[{t}$x][{t}][it's {t}!][{otherwise}][{encoded}]");
        prop_assert_eq!(stdout(&script, &[("TEXT", t)]), expected, "{}", script);
    }

    #[test]
    fn secrets_arrive_by_standard_input(secret in hostile(), text in hostile()) {
        let secret = secret.replace(['\n', '\r'], "");
        let script = format!("{HERE}{}", block(HIDDEN));
        let expected = format!("[x {secret}][{text}]");
        prop_assert_eq!(stdout(&script, &[("TEXT", &text), ("SECRET", &secret)]), expected, "{}", script);
    }

    #[test]
    fn files_arrive_to_the_byte(text in hostile(), ends in any::<bool>()) {
        let text = format!("# x\napiVersion: v1\n{text}{}", if ends { "\n" } else { "" });
        let folder = tempfile::tempdir().expect("a folder");
        let written = super::super::book::write_file("sub folder/it's.yaml", &text);
        let script = format!("cd '{}' && {{\n{written}\n}}\ncat \"sub folder/it's.yaml\"; printf .", folder.path().display());
        prop_assert_eq!(stdout(&script, &[]), format!("{text}."), "{}", script);
    }

    #[test]
    fn any_text_becomes_a_string_of_json(text in hostile()) {
        let step = "- id: s\n  patch: {object: {kind: ConfigMap, name: a}, merge: {data: {a: '{{TEXT}}', b: 'x {{TEXT}}\"', c: \"{{IP}}:{{PORT}}\"}}}\n";
        let all = format!("{}{}", functions(step), block(step));
        let script = format!("kubectl() {{ [ \"$1\" != patch ] || cat; }}\n{all}\n");
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!("cd '{}'\n{script}", folder.path().display());
        let patch = stdout(&script, &[("TEXT", &text), ("IP", "::1"), ("PORT", "80")]);
        let expected = serde_json::json!({"data": {"a": text, "b": format!("x {text}\""), "c": "::1:80"}});
        prop_assert_eq!(yaml_edit::parse(&patch), Ok(expected), "{}", patch);
    }
}

#[test]
fn a_file_is_read_to_the_byte() {
    let runbook = steps("- id: s\n  exec: {in: {pod: p}, command: [printf, '[%s]', '{{CA}}']}\n");
    let exports = Commands::new(&runbook).exports();
    let read = exports.lines().find(|line| line.starts_with("export CA=")).expect("a line");
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "{HERE}cd '{}'; printf 'a\\n\\n' > ca.pem\n{read}\n{}\nenv | grep -A1 ^CA=",
        folder.path().display(),
        Commands::new(&runbook).step(&runbook.steps[0]).block.expect("a block")
    );
    assert_eq!(stdout(&script, &[]), "[a\n\n]CA=a\n\n");
    let output =
        run(&["bash"], &format!("cd '{}'; {}", folder.path().display(), read.replace("ca.pem", "no.pem")), &[]);
    assert!(!output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_parts_of_a_url_are_found() {
    let step = "- id: s\n  exec: {in: {pod: p}, command: [echo, '{{host SITE}}', '{{port SITE}}']}\n";
    let script = format!("{HERE}{}", block(step));
    for (url, parts) in [
        ("https://en.wikipedia.org/wiki/Main_Page", "en.wikipedia.org 443\n"),
        ("http://example.com", "example.com 80\n"),
        ("http://user:word@example.com:8080/a:b@c?d", "example.com 8080\n"),
        ("https://[2001:db8::1]:8443/x", "2001:db8::1 8443\n"),
        ("https://[2001:db8::1]/x", "2001:db8::1 443\n"),
        ("https://example.com?a=http://b:1", "example.com 443\n"),
    ] {
        assert_eq!(stdout(&script, &[("SITE", url)]), parts, "{url}");
    }
}

#[test]
fn a_file_is_written_once() {
    let runbook = steps("- id: a\n  apply: {file: a.yaml}\n- id: b\n  apply: {file: a.yaml, namespace: other}\n");
    let FileCommand { path, block } = &Commands::new(&runbook).files()[0];
    assert_eq!(path, "a.yaml");
    assert_eq!(block, "cat > a.yaml <<'EOF'\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nEOF");
    assert_eq!(Commands::new(&runbook).files().len(), 1);
}

/// A mapping in block style, with all that may stand in one.
fn mapping(depth: u32) -> BoxedStrategy<Vec<String>> {
    let scalar = prop::sample::select(vec![
        "1",
        "x y",
        "\"a # b\"",
        "'it''s'",
        "true",
        "~",
        "http://h:1/x#y",
        "[1, {a: b}]",
        "x # why",
        "\"q\" # why",
        "{}",
    ])
    .prop_map(|value| vec![format!(" {value}")]);
    let block = prop::sample::select(vec![" |", " >-", " |2"]).prop_map(|head| {
        vec![head.to_owned(), "  a: b".to_owned(), "  # no comment".to_owned(), String::new(), "    c".to_owned()]
    });
    let list = prop::sample::select(vec!["", "  "]).prop_map(|indent| {
        vec![String::new(), format!("{indent}- a: 1"), format!("{indent}  b: 2"), format!("{indent}- c")]
    });
    let value = if depth == 0 {
        prop_oneof![4 => scalar, 1 => block, 1 => list].boxed()
    } else {
        let inner = mapping(depth - 1).prop_map(|lines| {
            std::iter::once(String::new())
                .chain(lines.into_iter().map(|line| if line.is_empty() { line } else { format!("  {line}") }))
                .collect()
        });
        prop_oneof![3 => scalar, 1 => block, 1 => list, 3 => inner].boxed()
    };
    let before = prop::sample::select(vec![None, None, None, Some(""), Some("# a comment")]);
    let key = prop::sample::select(vec!["a", "b", "c", "d.e", "\"f\"", "'g'"]);
    prop::collection::vec((key, before, value), 1..4)
        .prop_map(|entries| {
            let mut lines = Vec::new();
            let mut seen = Vec::new();
            for (key, before, value) in entries {
                if seen.contains(&key) {
                    continue;
                }
                seen.push(key);
                lines.extend(before.map(str::to_owned));
                let mut value = value.into_iter();
                lines.push(format!("{key}:{}", value.next().unwrap_or_default()));
                lines.extend(value);
            }
            lines
        })
        .boxed()
}

/// How many of some lines do not stand in others, in order.
fn missing(some: &[&str], all: &str) -> usize {
    let all: Vec<&str> = all.lines().collect();
    let mut rest = all.as_slice();
    let mut missing = 0;
    for line in some {
        match rest.iter().position(|other| other == line) {
            Some(at) => rest = &rest[at + 1..],
            None => missing += 1,
        }
    }
    missing
}

/// A value without what holds nothing.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let full = map.into_iter().map(|(key, value)| (key, without_nothing(value)));
            let full: serde_json::Map<String, Value> = full.filter(|(_, value)| !value.is_null()).collect();
            if full.is_empty() { Value::Null } else { full.into() }
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn held_yaml_is_changed_as_a_run_changes_it(
        lines in mapping(2),
        ends in any::<bool>(),
        keys in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d.e", "f", "g", "new"]), 1..4),
        value in prop::sample::select(vec!["1", "REGISTRY_ONLY", "\"x y\"", "[1, x]", ""]),
    ) {
        let text = format!("{}{}", lines.join("\n"), if ends { "\n" } else { "" });
        let Ok(before) = yaml_edit::parse(&text) else { return Err(TestCaseError::fail(text)) };
        let wanted = if value.is_empty() { Value::Null } else { yaml_edit::parse(value).expect("a value") };
        let path: Vec<String> = keys.iter().map(|key| key.replace('.', "\\.")).collect();
        let script = format!("{SET_YAML}\nprintf '%s' \"$TEXT\" > \"$F\"; set_yaml \"$F\" \"$P\" \"$V\"; cat \"$F\"");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("f.yaml").display().to_string();
        let output = run(&["bash"], &script, &[("TEXT", &text), ("F", &file), ("P", &path.join(".")), ("V", value)]);
        let (after, refused) = (String::from_utf8(output.stdout).expect("text"), !output.stderr.is_empty());
        let note = format!("{keys:?} = {value}\n{text}\n=>\n{after}{}", String::from_utf8_lossy(&output.stderr));
        if refused {
            // Untouched, and only where something stands in the way that is no plain key of a block mapping.
            prop_assert_eq!(&after, &text, "{}", note);
            let plain = |line: &&str| line.trim_start().starts_with(['a', 'b', 'c', 'd', '#']) || line.trim().is_empty();
            let reached = (1..keys.len()).map(|depth| keys[..depth].iter().try_fold(&before, |at, key| at.get(key)));
            let in_the_way = reached.flatten().any(|value| !value.is_object() && !value.is_null());
            prop_assert!(in_the_way || !text.lines().all(|line| plain(&line)) || text.contains(": |2"), "{}", note);
            return Ok(());
        }
        // What is left without a key is nothing rather than an empty mapping: to whoever reads it that is the same.
        let mut expected = before.clone();
        let pointer: String = keys.iter().map(|key| format!("/{key}")).collect();
        periplus_core::change::write(&mut expected, &pointer, (!wanted.is_null()).then(|| wanted.clone()));
        let found = yaml_edit::parse(&after).map(without_nothing);
        prop_assert_eq!(found, Ok(without_nothing(expected)), "{}", note);
        let was = keys.iter().try_fold(&before, |at, key| at.get(key));
        if was.is_none() && !wanted.is_null() {
            // Something new: all lines stay, but one where `{}` or nothing became a mapping.
            let lines: Vec<&str> = text.lines().collect();
            prop_assert!(missing(&lines, &after) <= 1, "{}", note);
        }
        if was.is_none() && wanted.is_null() {
            prop_assert_eq!(after.trim_end(), text.trim_end(), "{}", note);
        }
    }
}
