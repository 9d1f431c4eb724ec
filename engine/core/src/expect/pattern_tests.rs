//! The language of `lines`, case by case.

use std::convert::Infallible;

use super::{Captures, FillError, Pattern, PatternError, PatternPart, PatternWarning, Token};

/// Fills `{{X}}` with a value.
fn fill_with(value: &str) -> impl FnMut(&str) -> Result<String, Infallible> + '_ {
    move |text| Ok(text.replace("{{X}}", value))
}

fn fits_with(pattern: &str, value: &str, text: &str) -> Option<Captures> {
    let (pattern, _) = Pattern::parse(pattern).expect("a pattern");
    let lines = pattern.fill(&mut fill_with(value)).expect("fills");
    lines.fit(super::text::lines(text)).captures
}

fn fits(pattern: &str, text: &str) -> bool {
    fits_with(pattern, "", text).is_some()
}

fn warnings_of(pattern: &str) -> Vec<String> {
    let (_, warnings) = Pattern::parse(pattern).expect("a pattern");
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn patterns_fit_what_they_say() {
    let table: &[(&str, &[&str], &[&str])] = &[
        ("", &["", "\n", "  \n\n"], &["a"]),
        ("a b", &["a b", "a \t  b", "a b  ", "a b\r", "a b\n\n"], &["ab", " a b", "a b c", "a\nb", "A b"]),
        ("  a", &["  a", "\ta"], &["a"]),
        ("[int] ok", &["12 ok"], &["x ok", " ok", "1.5 ok"]),
        ("a[..]", &["a", "abc", "a b c"], &["b", "a\nb"]),
        ("a [..] b", &["a x b", "a  b", "a x y b"], &["a b", "a xb"]),
        ("[[timestamp]]", &["[2018-12-07T10:38:02.841Z]"], &["2018-12-07T10:38:02.841Z", "[now]"]),
        (r"\[int]", &["[int]"], &["5", r"\[int]"]),
        (r"a\b", &[r"a\b"], &["ab"]),
        (r"\\[int]", &[r"\[int]"], &[r"\5"]),
        ("[INFO] up [x]", &["[INFO] up [x]"], &["I up x"]),
        ("[] [ ] [", &["[] [ ] ["], &[""]),
        ("[addr]", &["10.0.0.1:80", "[::1]:80"], &["[10.0.0.1]:80"]),
        ("...", &["", "a", "a\nb"], &[]),
        ("a\n...", &["a", "a\nb\nc"], &["b", "b\na"]),
        ("...\na", &["a", "b\nc\na"], &["a\nb"]),
        ("...\na\nb\n...", &["a\nb", "a\na\nb\nc", "x\na\nb"], &["a\nx\nb", "b\na"]),
        ("a\n...\na", &["a\na", "a\nx\na", "a\na\na"], &["a"]),
        ("...\na\n...\nb\n...", &["a\nb", "x\na\ny\nb\nz"], &["b\na"]),
        ("  ...  \na", &["x\na"], &[]),
        (r"\...", &["..."], &["a", r"\...", ""]),
        (r"\\...", &[r"\..."], &["..."]),
        ("a ...", &["a ..."], &["a b"]),
        ("....", &["...."], &["a"]),
        ("a\r\nb\r\n", &["a\nb", "a\r\nb"], &["a b"]),
        ("a\n\nb", &["a\n\nb", "a\n  \nb"], &["a\nb"]),
        ("\na", &["\na"], &["a"]),
        ("é [word]", &["é ü"], &["e ü", "é "]),
        ("nul \0", &["nul \0"], &["nul "]),
    ];
    for (pattern, yes, no) in table {
        for text in *yes {
            assert!(fits(pattern, text), "{pattern:?} fits {text:?}");
        }
        for text in *no {
            assert!(!fits(pattern, text), "{pattern:?} does not fit {text:?}");
        }
    }
}

#[test]
fn captures_are_taken_and_must_agree() {
    type Row<'a> = (&'a str, &'a str, Option<&'a [(&'a str, &'a str)]>);
    let table: &[Row<'_>] = &[
        ("[ip:A]:[port:P]", "10.0.0.1:80", Some(&[("A", "10.0.0.1"), ("P", "80")])),
        ("[int:N] [int:N]", "5 5", Some(&[("N", "5")])),
        ("[int:N] [int:N]", "5 6", None),
        // The first way to take the line gives 12 and 2; only the second gives 1 and 1.
        ("[int:N][..] [int:N]", "12 1", Some(&[("N", "1")])),
        ("[word:W]-[word:W]", "a-a-a-a", Some(&[("W", "a-a")])),
        ("id=[int:N]\nend [int:N]", "id=7\nend 7", Some(&[("N", "7")])),
        ("id=[int:N]\nend [int:N]", "id=7\nend 8", None),
        // The first `id` line is the wrong one.
        ("...\nid=[int:N]\n...\nend [int:N]", "id=1\nid=2\nid=3\nend 2", Some(&[("N", "2")])),
        ("...\nid=[int:N]\n...\nend [int:N]", "id=1\nend 2", None),
        ("[..][int:N]", "ab12", Some(&[("N", "12")])),
        // Where no value is shared, `...` and `[..]` take as little as they can.
        ("...\nid=[int:N]\n...", "id=1\nid=2", Some(&[("N", "1")])),
    ];
    for (pattern, text, expected) in table {
        let expected =
            expected.map(|pairs| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        assert_eq!(fits_with(pattern, "", text), expected, "{pattern:?} on {text:?}");
    }
}

#[test]
fn a_value_is_never_a_wildcard() {
    for value in ["[int]", "[..]", r"\[", "[ip:X]", ".*", "(", "{{Y}}", "[[word]]"] {
        let pattern = "v={{X}} [int]";
        assert!(fits_with(pattern, value, &format!("v={value} 1")).is_some(), "{value}");
        assert!(fits_with(pattern, value, "v=1 1").is_none(), "{value}");
    }
    assert!(fits_with("a\n{{X}}\nb", "...", "a\n...\nb").is_some());
    assert!(fits_with("a\n{{X}}\nb", "...", "a\nx\nb").is_none());
    assert!(fits_with("a {{X}} b", "", "a b").is_some(), "blanks around an empty value are one run");
    assert!(fits_with("a {{X}}", "", "a").is_some(), "blanks before an empty value at the end do not count");
    assert!(fits_with("a {{X}} [int]", "x\r\ny", "a x\ny 1").is_some(), "a value may span lines");
}

#[test]
fn templates_are_handed_over_whole() {
    let pattern = "a {{lookup [int] \"]\"}} [int:N]\n{{{raw}}} \\[x] {{!-- [ip] }} --}}\n{{#if Y}}b\n{{/if}}c [..]";
    let (pattern, warnings) = Pattern::parse(pattern).expect("a pattern");
    assert_eq!(warnings, []);
    let mut seen = Vec::new();
    let mut collect = |text: &str| {
        seen.push(text.to_owned());
        Ok::<_, Infallible>(String::new())
    };
    pattern.fill(&mut collect).expect("fills");
    assert_eq!(
        seen,
        ["a {{lookup [int] \"]\"}} ", "\n{{{raw}}} [x] {{!-- [ip] }} --}}\n{{#if Y}}b\n{{/if}}c "],
        "each stretch between wildcards is rendered once, with its escapes undone"
    );
    assert_eq!(pattern.captures(), ["N"]);
}

#[test]
fn a_failed_template_fails_the_pattern() {
    let (pattern, _) = Pattern::parse("a {{X}}").expect("a pattern");
    assert_eq!(pattern.fill(&mut |_| Err("no X")), Err(FillError::Render("no X")));
}

#[test]
fn wildcards_inside_blocks_are_refused() {
    for (pattern, written) in [
        ("{{#if X}} [int] {{/if}}", "[int]"),
        ("{{~#each X}}[..]{{/each}}", "[..]"),
        ("{{^X}}\n...\n{{/X}}", "..."),
        ("{{#if X}}{{#if Y}}{{/if}}[ip:A]{{/if}}", "[ip:A]"),
    ] {
        let error = Pattern::parse(pattern).expect_err("refused");
        let PatternError::InsideBlock { range, written: found } = error else { panic!("{error}") };
        assert_eq!((found.as_str(), &pattern[range]), (written, written));
    }
    for pattern in ["{{#if X}}a{{else}}b{{/if}} [int]", "{{#if X}}{{^}}{{/if}}[int]", "{{/if}}[int]"] {
        assert!(Pattern::parse(pattern).is_ok(), "{pattern}");
    }
    assert!(matches!(Pattern::parse(&"a".repeat(300_000)), Err(PatternError::TooLong { bytes: 300_000 })));
}

#[test]
fn near_misses_are_warned_of_where_they_stand() {
    let text = "é [IP] x";
    let (_, warnings) = Pattern::parse(text).expect("a pattern");
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(&text[warning.range()], "[IP]");
    assert!(matches!(warning, PatternWarning::NearMiss { meant, .. } if meant == "ip"));

    assert_eq!(
        warnings_of("[intt:N]"),
        ["`[intt:N]` is read as plain text; did you mean `[int]`? write `\\[intt:N]` if it is meant as it stands"]
    );
    assert!(warnings_of("[int:my-name]")[0].contains("a capture's name"), "{:?}", warnings_of("[int:my-name]"));
    for silent in ["[int]", "[int:N]", r"\[IP]", "[id]", "[[timestamp]]", "{{x [IP]}}", "[", "[]", "[0]", "[info]"] {
        assert_eq!(warnings_of(silent), [""; 0], "{silent}");
    }
}

#[test]
fn patterns_that_ask_for_nothing_are_told() {
    for (pattern, nothing) in [
        ("...", true),
        ("...\n\n...", true),
        ("[..]", true),
        (" [..] ", true),
        ("", false),
        ("a", false),
        ("[int]", false),
        ("{{X}}", false),
        ("{{X}}[..]", false),
    ] {
        assert_eq!(Pattern::parse(pattern).expect("a pattern").0.asserts_nothing(), nothing, "{pattern:?}");
    }
}

#[test]
fn the_tutorials_log_lines_fit_their_samples() {
    // The line that the tutorial shows, and the shape that Envoy writes today, with three more fields and a last one.
    let shown = "[2018-12-07T10:38:02.841Z] \"- - -\" 0 - 702 87599 92 - \"-\" \"-\" \"-\" \"-\" \
                 \"172.30.109.95:3128\" outbound|3128||my-company-proxy.com 172.30.230.52:44478 172.30.109.95:3128 \
                 172.30.230.52:44476 -";
    let today = "[2026-11-23T01:19:10.776Z] \"- - -\" 0 - - - \"-\" 69 39 4003 - \"-\" \"-\" \"-\" \"-\" \
                 \"172.30.109.95:3128\" outbound|3128||my-company-proxy.com 10.244.0.52:35190 172.30.109.95:3128 \
                 10.244.0.52:35180 - -";
    let pattern = "[[timestamp]] \"- - -\" 0 -[..] [int] [int] [int] - \"-\" \"-\" \"-\" \"-\" \"{{X}}:3128\" \
                   outbound|3128||my-company-proxy.com [addr:FROM] {{X}}:3128 [addr] -[..]";
    for (line, from) in [(shown, "172.30.230.52:44478"), (today, "10.244.0.52:35190")] {
        let captures = fits_with(pattern, "172.30.109.95", line).expect("fits");
        assert_eq!(captures["FROM"], from);
    }
    assert!(fits_with(pattern, "172.30.109.9", today).is_none());
    let squid = "1544160065.248    228 172.30.109.89 TCP_TUNNEL/200 87633 CONNECT en.wikipedia.org:443 - \
                 HIER_DIRECT/91.198.174.192 -";
    let pattern = "[number] [int] {{X}} TCP_TUNNEL/200 [int] CONNECT en.wikipedia.org:443 - HIER_DIRECT/[ip] -";
    assert!(fits_with(pattern, "172.30.109.89", squid).is_some());
    assert!(fits_with(pattern, "172.30.109.8", squid).is_none());
}

#[test]
fn hostile_lines_end_in_time() {
    // Each of these is exponential, or cubic, for a matcher that goes back without remembering.
    let long = "a".repeat(20_000);
    assert!(!fits(&"[..]a".repeat(30), &format!("{long}b")));
    assert!(!fits("[word:W] [word:W] [..] [word:W]", &format!("{}cd", "ab ".repeat(3_000))));
    assert!(!fits(&format!("{}[word:W][word:W]", "[word]".repeat(20)), &format!("{long}b")));
    let lines = "id=1\n".repeat(20_000);
    assert!(!fits("...\nid=[int]\n...\nid=[int]\n...\nend", &lines));
    let ids: String = (0..600).map(|i| format!("id={i}\n")).collect();
    assert!(!fits("...\nid=[int:A]\n...\nid=[int:B]\n...\nend [int:A] [int:B]", &ids));
}

#[test]
fn many_tokens_on_a_line_compile_or_are_refused() {
    let (pattern, _) = Pattern::parse(&"[addr] ".repeat(20)).expect("a pattern");
    assert!(pattern.fill(&mut fill_with("")).is_ok());
    let (pattern, _) = Pattern::parse(&"[addr]".repeat(10_000)).expect("a pattern");
    assert!(matches!(pattern.fill(&mut fill_with("")), Err(FillError::Line(_))));
}

#[test]
fn a_pattern_takes_its_own_example() {
    let patterns = [
        "[[timestamp]] \"- - -\" 0 -[..] [int] [int] \"{{X}}\" [addr] {{X}} [addr] -[..]",
        "a [int:N] b [int] c [int:N]",
        "...\nstatus [hash] \\[int]\n...",
        "[ip] [port] [number] [duration] [date] [uuid] [hex] [word] [url] [host]",
        "plain",
    ];
    for raw in patterns {
        let (pattern, _) = Pattern::parse(raw).expect("a pattern");
        let text = pattern.example(&mut fill_with("10.0.0.1:80")).expect("fills");
        assert!(fits_with(raw, "10.0.0.1:80", &text).is_some(), "{raw}: {text}");
    }
    let example = |raw| Pattern::parse(raw).expect("a pattern").0.example(&mut fill_with("")).expect("fills");
    assert_eq!(example("[int:N] [int] [int:N]"), "702 87599 702");
    assert!(Pattern::parse("a \\[int]").expect("a pattern").0.is_literal());
    assert!(!Pattern::parse("a [int]").expect("a pattern").0.is_literal());
}

#[test]
fn a_pattern_tells_its_parts() {
    let (pattern, _) = Pattern::parse("a {{X}} [int:N]\n...\nb[..]\n").expect("a pattern");
    let parts: Vec<PatternPart<'_>> = pattern.parts().collect();
    assert_eq!(
        parts,
        [
            PatternPart::Text("a {{X}} "),
            PatternPart::Token { token: Token::Int, name: Some("N") },
            PatternPart::Text("\n"),
            PatternPart::AnyLines,
            PatternPart::Text("b"),
            PatternPart::Any,
            PatternPart::Text("\n"),
        ]
    );
}
