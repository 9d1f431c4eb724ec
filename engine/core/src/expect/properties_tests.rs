//! What must hold for every text.

use proptest::prelude::*;

use super::{Captures, DiffLine, Difference, ExecOutput, Judgement, LogSpec, OutputSpec, Pattern, Piece, Token};

/// Text that hits the language: its own signs, blanks, line ends, and anything else. No template: it is not ours to read.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ \\t]{1,3}",
        "[a-z0-9.:|\\-]{1,6}",
        Just("[int]".to_owned()),
        Just("[..]".to_owned()),
        Just("...".to_owned()),
        Just("\\[".to_owned()),
        Just("\\...".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\u{0}".to_owned()),
        "[\\[\\]\\\\.{}()*+?^$]",
        "\\PC",
    ];
    let parts = prop::collection::vec(part, 0..12);
    parts.prop_map(|parts| parts.concat()).prop_filter("no template", |text| !text.contains("{{"))
}

/// A pattern: text with wildcards in it.
fn pattern() -> impl Strategy<Value = String> {
    let token = prop::sample::select(Token::ALL.to_vec()).prop_flat_map(|token| {
        let name = token.name();
        prop_oneof![Just(format!("[{name}]")), Just(format!("[{name}:A]")), Just(format!("[{name}:B]"))]
    });
    let part = prop_oneof![3 => token, 1 => Just("[..]".to_owned()), 1 => Just("\n...\n".to_owned()), 4 => text()];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// A token with something that it takes.
fn sample() -> impl Strategy<Value = (Token, String)> {
    prop::sample::select(Token::ALL.to_vec()).prop_flat_map(|token| {
        let text = prop::string::string_regex(&token.regex()).expect("the table can be sampled");
        // Longer ones are not aligned.
        (Just(token), text.prop_filter("short", |text| text.len() < 100))
    })
}

fn compile(pattern: &str) -> super::Lines {
    let (pattern, _) = Pattern::parse(pattern).expect("a pattern");
    pattern.fill(&mut |text| Ok::<_, ()>(text.to_owned())).expect("fills")
}

fn fit(pattern: &str, text: &str) -> Option<Captures> {
    compile(pattern).fit(super::text::lines(text)).captures
}

/// The text as the language sees it: runs of blanks are one, blanks and blank lines at an end are none.
fn seen(text: &str) -> Vec<String> {
    let squeeze = |line: &str| {
        let mut out = String::new();
        for c in super::line::trim_end(line).chars() {
            let c = if c == '\t' { ' ' } else { c };
            if c != ' ' || !out.ends_with(' ') {
                out.push(c);
            }
        }
        out
    };
    super::text::lines(&super::text::unix_lines(text)).into_iter().map(squeeze).collect()
}

fn concat(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}

/// One side of a difference.
fn side(lines: &[DiffLine], expected: bool) -> Vec<String> {
    let lines = lines.iter().filter_map(|line| match line {
        DiffLine::Equal { text } => Some(text.clone()),
        DiffLine::Delete { pieces } if expected => Some(concat(pieces)),
        DiffLine::Insert { pieces } if !expected => Some(concat(pieces)),
        _ => None,
    });
    lines.collect()
}

fn text_difference(spec: &OutputSpec, text: &str) -> Option<Vec<DiffLine>> {
    let check = spec.compile(&mut |text| Ok::<_, ()>(text.to_owned())).ok()?;
    let Judgement::Failed { mismatches } = check.judge(&ExecOutput { stdout: text.as_bytes(), stderr: b"", exit: 0 })
    else {
        return None;
    };
    mismatches.into_iter().find_map(|mismatch| match mismatch.difference {
        Difference::Text { lines } => Some(lines),
        _ => None,
    })
}

proptest! {
    #[test]
    fn an_escaped_text_fits_itself_and_nothing_else(text in text(), other in text()) {
        let pattern = Pattern::escape(&text);
        prop_assert!(fit(&pattern, &text).is_some(), "{pattern:?}");
        prop_assert_eq!(fit(&pattern, &other).is_some(), seen(&text) == seen(&other), "{:?} {:?}", pattern, other);
    }

    #[test]
    fn a_value_is_literal(value in text(), other in text()) {
        let (pattern, _) = Pattern::parse("a {{X}} z").expect("a pattern");
        let lines = pattern.fill(&mut |text| Ok::<_, ()>(text.replace("{{X}}", &value))).expect("fills");
        let fits = |value: &str| lines.fit(super::text::lines(&super::text::unix_lines(&format!("a {value} z")))).captures.is_some();
        prop_assert!(fits(&value));
        prop_assert_eq!(fits(&other), seen(&format!("a {value} z")) == seen(&format!("a {other} z")));
    }

    #[test]
    fn nothing_panics(pattern in pattern(), text in ".{0,80}|[\\s\\S]{0,80}") {
        let _ = fit(&pattern, &text);
        let spec = OutputSpec { lines: Some(pattern.clone()), ..OutputSpec::default() };
        let _ = text_difference(&spec, &text);
        let log = LogSpec { lines: Some(pattern), ..LogSpec::default() };
        if let Ok(check) = log.compile(&mut |text| Ok::<_, ()>(text.to_owned())) {
            let _ = check.judge(text.split('\n'));
        }
    }

    #[test]
    fn arbitrary_raw_text_is_read_without_panic(raw in "(\\PC|[\\[\\]{}#/^~!\\\\.:\\n]){0,60}") {
        if let Ok((pattern, warnings)) = Pattern::parse(&raw) {
            for warning in warnings {
                prop_assert!(raw.get(warning.range()).is_some());
            }
            let _ = pattern.fill(&mut |text| Ok::<_, ()>(text.to_owned()));
        }
    }

    /// What the names took, put into the pattern, is the text again.
    #[test]
    fn captures_fill_the_pattern(
        before in "[a-z|\" -]{0,8}", between in "[a-z|\" -]{1,8}", after in "[a-z|\" -]{0,8}",
        number in any::<i32>(), v4 in any::<[u8; 4]>(), v6 in any::<[u16; 8]>(), port in any::<u16>(),
    ) {
        let v4 = std::net::Ipv4Addr::from(v4).to_string();
        let v6 = std::net::Ipv6Addr::from(v6).to_string();
        let raw = format!("{before}|[ip:A] [ip:B]{between}[int:N] [addr:C] [port:P]{after}");
        let fill = |a: &str, b: &str, n: &str, c: &str, p: &str| format!("{before}|{a} {b}{between}{n} {c} {p}{after}");
        let text = fill(&v4, &v6, &number.to_string(), &format!("[{v6}]:{port}"), &port.to_string());
        let captures = fit(&raw, &text).expect("fits");
        let again = fill(&captures["A"], &captures["B"], &captures["N"], &captures["C"], &captures["P"]);
        prop_assert_eq!(again, text);
    }

    /// Whatever a token may take, it takes; and a pattern filled with what its tokens took is the line again.
    #[test]
    fn a_filled_pattern_is_the_line(parts in prop::collection::vec(sample(), 1..5)) {
        let raw: Vec<String> = parts.iter().map(|(token, _)| format!("{token} | ")).collect();
        let line: Vec<String> = parts.iter().map(|(_, text)| format!("{text} | ")).collect();
        let (raw, line) = (raw.concat(), line.concat());
        prop_assert!(fit(&raw, &line).is_some(), "{:?} fits {:?}", raw, line);
        let lines = compile(&raw);
        let super::sequence::Item::Line(pattern) = &lines.items()[0] else { panic!("a line") };
        prop_assert_eq!(seen(&super::align::fill(pattern, &line)), seen(&line));
    }

    /// A name that stands twice takes the same twice, and the filled pattern fits as plain text.
    #[test]
    fn repeated_names_agree(a in "[ab]{1,4}", b in "[ab]{1,4}", c in "[ab]{0,3}") {
        let first = format!("{a}{c}");
        let text = format!("{first} {b}");
        match fit("[word:W][..] [word:W]", &text) {
            Some(captures) => {
                prop_assert_eq!(&captures["W"], &b);
                prop_assert!(first.starts_with(&b));
            }
            None => prop_assert!(!first.starts_with(&b)),
        }
    }

    /// Both sides can be read off a difference of texts.
    #[test]
    fn a_difference_holds_both_texts(
        expected in prop::collection::vec("[ab \\[é]{0,4}", 0..8), actual in prop::collection::vec("[ab \\[é]{0,4}", 0..8),
    ) {
        let (expected, actual) = (expected.join("\n"), actual.join("\n"));
        let spec = OutputSpec { equals: Some(expected.clone()), ..OutputSpec::default() };
        let sides = (super::text::trimmed_lines(&expected), super::text::trimmed_lines(&actual));
        match text_difference(&spec, &actual) {
            None => prop_assert_eq!(sides.0, sides.1),
            Some(lines) => {
                prop_assert_eq!(side(&lines, true), sides.0);
                prop_assert_eq!(side(&lines, false), sides.1);
            }
        }
    }

    /// The found side of a pattern's difference is the text; where no `...` stands, nothing of it is left out.
    #[test]
    fn a_patterns_difference_holds_the_text(
        pattern in prop::collection::vec("a|b|\\[int\\]|x \\[..\\]|\\[ip\\] y", 0..6),
        actual in prop::collection::vec("a|b|5|x z|10.0.0.1 y|q", 0..6),
    ) {
        let actual = actual.join("\n");
        let spec = OutputSpec { lines: Some(pattern.join("\n")), ..OutputSpec::default() };
        if let Some(lines) = text_difference(&spec, &actual) {
            prop_assert_eq!(side(&lines, false), super::text::lines(&actual));
            prop_assert_eq!(side(&lines, true).len(), pattern.len());
        }
    }
}
