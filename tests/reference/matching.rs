//! `matching.md`: the matching language, with examples that a rehearsal judges and tokens that the patterns judge.

use std::fmt::Write as _;

use periplus_core::expect::{ExecOutput, Judgement, OutputSpec, Pattern, Token};
use serde_json::Value;

use super::markdown::{code, fence, fill, table};
use crate::support::Case;

/// A check, an output that holds, and one that does not.
struct Example {
    /// The matchers that it shows.
    keys: &'static [&'static str],
    check: &'static str,
    holds: Output,
    fails: Output,
}

#[derive(Clone, Copy)]
struct Output {
    stdout: &'static str,
    stderr: &'static str,
    exit: u8,
}

const fn out(stdout: &'static str) -> Output {
    Output { stdout, stderr: "", exit: 0 }
}

const fn ends(stdout: &'static str, exit: u8) -> Output {
    Output { stdout, stderr: "", exit }
}

const OUTPUTS: [Example; 12] = [
    Example {
        keys: &["equals"],
        check: "equals: |\n  one\n  two",
        holds: out("one  \r\ntwo\n\n"),
        fails: out("one\nthree\n"),
    },
    Example {
        keys: &["contains"],
        check: "contains: [one, two]",
        holds: out("two and one\n"),
        fails: out("only one\n"),
    },
    Example {
        keys: &["not-contains"],
        check: "not-contains: [error, panic]",
        holds: out("all is well\n"),
        fails: out("error: no such host\n"),
    },
    Example {
        keys: &["regex"],
        check: "regex: ^HTTP/[0-9.]+ 2[0-9][0-9]",
        holds: out("* connected\nHTTP/1.1 200 OK\n"),
        fails: out("HTTP/1.1 404 Not Found\n"),
    },
    Example {
        keys: &["find", "equals"],
        check: "find: <title>.*</title>\nequals: <title>Wikipedia</title>",
        holds: out("<html><title>Wikipedia</title></html>\n"),
        fails: out("<html><title>Access denied</title></html>\n"),
    },
    Example {
        keys: &["find", "at-least", "at-most"],
        check: "find: '[0-9]+'\nat-least: 200\nat-most: 299",
        holds: out("HTTP 204\n"),
        fails: out("HTTP 503\n"),
    },
    Example {
        keys: &["lines"],
        check: "lines: |\n  Name: [word:POD]\n  ...\n  IP: [ip]",
        holds: out("Name:   sleep-569f444cf4-pq7m4\nNode:   lab\nIP:     10.244.0.7\n"),
        fails: out("Name:   sleep-569f444cf4-pq7m4\nNode:   lab\nIP:     <none>\n"),
    },
    Example {
        keys: &["json"],
        check: "json: {kind: List, items: [{ready: true}]}",
        holds: out("{\"kind\": \"List\", \"items\": [{\"ready\": false}, {\"ready\": true, \"n\": 2}]}\n"),
        fails: out("{\"kind\": \"List\", \"items\": [{\"ready\": false}]}\n"),
    },
    Example {
        keys: &["yaml"],
        check: "yaml: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
        holds: out("rootNamespace: istio-system\noutboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n"),
        fails: out("rootNamespace: istio-system\n"),
    },
    Example {
        keys: &["exit"],
        check: "exit: [35, 56]",
        holds: ends("", 56),
        fails: ends("<title>Wikipedia</title>\n", 0),
    },
    Example { keys: &["fails"], check: "fails: true", holds: ends("", 22), fails: ends("", 0) },
    Example {
        keys: &["stream", "contains"],
        check: "stream: stderr\ncontains: warning",
        holds: Output { stdout: "done\n", stderr: "warning: deprecated\n", exit: 0 },
        fails: Output { stdout: "warning: deprecated\n", stderr: "", exit: 0 },
    },
];

const LOGS: [Example; 5] = [
    Example {
        keys: &["contains"],
        check: "contains: [\" UH \", BlackHoleCluster]",
        holds: out("started\n\"- - -\" 0 UH - BlackHoleCluster\n"),
        fails: out("\"- - -\" 0 UH -\n\"- - -\" 0 UF - BlackHoleCluster\n"),
    },
    Example {
        keys: &["regex"],
        check: "regex: TCP_TUNNEL/200 [0-9]+ CONNECT",
        holds: out("1544160065.248 228 172.30.109.89 TCP_TUNNEL/200 87633 CONNECT en.wikipedia.org:443\n"),
        fails: out("1544160065.248 228 172.30.109.89 TCP_DENIED/403 3865 CONNECT en.wikipedia.org:443\n"),
    },
    Example {
        keys: &["lines"],
        check: "lines: |\n  opened [addr:FROM]\n  closed [addr:FROM] after [duration]",
        holds: out("opened 10.0.0.1:4711\nkeep-alive\nclosed 10.0.0.1:4711 after 120ms\n"),
        fails: out("opened 10.0.0.1:4711\nclosed 10.0.0.2:4711 after 120ms\n"),
    },
    Example {
        keys: &["not-contains"],
        check: "contains: ready\nnot-contains: error",
        holds: out("ready\n"),
        fails: out("error: no route\nready\n"),
    },
    Example {
        keys: &["count"],
        check: "contains: retry\ncount: {min: 1, max: 2}",
        holds: out("retry 1\nretry 2\n"),
        fails: out("retry 1\nretry 2\nretry 3\n"),
    },
];

pub(super) fn page() -> String {
    let said = rehearse();
    let section = |kind: &str, examples: &[Example]| {
        let shown = examples.iter().enumerate().map(|(number, example)| {
            let keys: Vec<String> = example.keys.iter().map(|key| code(key)).collect();
            format!(
                "### {}\n\n{}\nHolds for\n\n{}\nand not for\n\n{}\nwhere a report says\n\n{}",
                keys.join(", "),
                fence("yaml", example.check),
                fence("text", &shown(example.holds)),
                fence("text", &shown(example.fails)),
                fence("text", &mismatches(&said, &format!("{kind}-{number}-fails")))
            )
        });
        shown.collect::<Vec<_>>().join("\n")
    };
    let output = format!("{}\n{}", matchers("ExpectOutput", &OUTPUTS), section("output", &OUTPUTS));
    let log = format!("{}\n{}", matchers("LogGrep", &LOGS), section("log", &LOGS));
    fill(
        include_str!("frame/matching.md"),
        &[("output", output), ("log", log), ("tokens", tokens()), ("lines", lines())],
    )
}

/// What of the schema is about matching, with its meaning. Each such key has an example.
fn matchers(object: &str, examples: &[Example]) -> String {
    let other = ["of", "in", "file", "since", "within", "every", "consecutive", "stop-on", "settle"];
    let schema = periplus_core::schema::runbook();
    let properties = schema["$defs"][object]["properties"].as_object().expect("keys").clone();
    let rows = properties.iter().filter(|(key, _)| !other.contains(&key.as_str())).map(|(key, schema)| {
        assert!(examples.iter().any(|example| example.keys.contains(&key.as_str())), "{key} has an example");
        vec![code(key), super::markdown::plain(schema["description"].as_str().unwrap_or_default())]
    });
    table(&["Key", "Holds when"], rows)
}

/// An output as a terminal shows it.
fn shown(output: Output) -> String {
    let mut text = output.stdout.replace('\r', "").trim_end().to_owned();
    if !output.stderr.is_empty() {
        let lines = output.stderr.lines().map(|line| format!("{line}    (on standard error)"));
        text = [text, lines.collect::<Vec<_>>().join("\n")].join("\n");
    }
    if output.exit != 0 || output.stdout.is_empty() {
        text = format!("{text}\n(exit code {})", output.exit);
    }
    text.trim_start_matches('\n').to_owned()
}

/// Rehearses all examples in one runbook and gives the summary: all that should hold do, and only they.
fn rehearse() -> String {
    let mut book =
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {name: examples}\nnamespace: default\nsteps:\n- id: \
                    client\n  apply: {file: client.yaml}\n  wait: rollout\n"
            .to_owned();
    let place = "in: {workload: deploy/client}";
    for (kind, examples) in [("output", OUTPUTS.as_slice()), ("log", LOGS.as_slice())] {
        for (number, example) in examples.iter().enumerate() {
            for (end, output) in [("holds", example.holds), ("fails", example.fails)] {
                let id = format!("{kind}-{number}-{end}");
                // A name is captured once in a runbook.
                let name = if end == "fails" { "_2]" } else { "]" };
                let check = example.check.replace('\n', "\n      ").replace("POD]", &format!("POD{name}"));
                let check = check.replace("FROM]", &format!("FROM{name}"));
                let print = |text: &str| {
                    assert!(!text.contains(['\'', '\\']), "{text} needs more quoting than this");
                    format!("printf '%b' '{}'", text.replace('\n', "\\n").replace('\r', "\\r"))
                };
                let script = if kind == "output" {
                    let script =
                        format!("{}; {} >&2; exit {}", print(output.stdout), print(output.stderr), output.exit);
                    write!(
                        book,
                        "- id: {id}\n  needs: [client]\n  exec:\n    {place}\n    sh: {}\n  expect-output:\n      {check}\n",
                        Value::from(script)
                    )
                } else {
                    let script = format!("{} >> /tmp/{id}", print(output.stdout));
                    write!(
                        book,
                        "- id: {id}-write\n  needs: [client]\n  exec:\n    {place}\n    effect: change\n    sh: {}\n- id: {id}\n  \
                         needs: [{id}-write]\n  log-grep:\n      {place}\n      file: /tmp/{id}\n      since: {id}-write\n      {check}\n",
                        Value::from(script)
                    )
                };
                script.expect("a string can be written to");
            }
        }
    }
    let done = Case::new(&["rehearse", ".", "--keep-going"])
        .file("runbook.yaml", &book)
        .file("client.yaml", include_str!("verbs/manifests/client.yaml"))
        .run()
        .code(1);
    let summary = done.stdout().to_owned();
    let failed: Vec<&str> =
        summary.lines().filter_map(|line| line.strip_prefix("FAILED  ")?.split(' ').next()).collect();
    let expected: Vec<String> = [("output", OUTPUTS.len()), ("log", LOGS.len())]
        .into_iter()
        .flat_map(|(kind, number)| (0..number).map(move |number| format!("{kind}-{number}-fails")))
        .collect();
    assert_eq!(failed, expected, "{summary}\n{}", done.stderr());
    summary
}

/// What a summary says was wrong with a step: its mismatches, without what stands around them.
fn mismatches(summary: &str, step: &str) -> String {
    let head = format!("FAILED  {step} ");
    let section = summary.split_once(&head).unwrap_or_else(|| panic!("{step} did not fail:\n{summary}")).1;
    let lines = section
        .lines()
        .skip_while(|line| !line.starts_with("  ✗"))
        .take_while(|line| !line.starts_with("  in ") && !line.starts_with("  by hand") && !line.starts_with("  log "));
    lines.map(|line| line.strip_prefix("  ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Per token texts that it takes, and texts that it does not.
const fn texts(token: Token) -> (&'static [&'static str], &'static [&'static str]) {
    match token {
        Token::Ip => (&["10.244.0.7", "2001:db8::7"], &["10.244.0.256", "10.244.0"]),
        Token::Port => (&["3128", "0"], &["65536", "http"]),
        Token::Addr => (&["10.244.0.7:3128", "[2001:db8::7]:3128"], &["10.244.0.7", "proxy:3128"]),
        Token::Int => (&["42", "-1"], &["1.5", "1,000"]),
        Token::Number => (&["1544160065.248", "1e-3"], &["1.2.3", "NaN"]),
        Token::Duration => (&["120ms", "1h2m3.5s", "3d4h"], &["5 minutes", "5"]),
        Token::Timestamp => {
            (&["2018-12-07T10:38:02.841Z", "07/Dec/2018:10:38:02 +0000"], &["2018-12-07", "1544160065.248"])
        }
        Token::Date => (&["2018-12-07", "07/Dec/2018"], &["2018-12", "7 Dec 2018"]),
        Token::Uuid => (&["4cc93c11-5427-940b-b631-b295d29c9dda"], &["4cc93c11"]),
        Token::Hash => (&["69c8f5c7b9", "x2k4l", "sha256:9f86d081884c7d65"], &["sleep", "istio-egress"]),
        Token::Hex => (&["ff", "0xDEADBEEF"], &["0x", "xyz"]),
        Token::Word => (&["TCP_TUNNEL/200", "-"], &["two words"]),
        Token::Url => (&["https://example.com/a?b=c", "tcp://10.0.0.1:80"], &["example.com"]),
        Token::Host => (&["en.wikipedia.org", "localhost", "10.0.0.1"], &["en.wikipedia.org:443", "-a"]),
    }
}

fn tokens() -> String {
    let rows = Token::ALL.iter().map(|token| {
        let pattern = token.to_string();
        let (taken, refused) = texts(*token);
        for (texts, expected) in [(taken, true), (refused, false)] {
            for text in texts {
                assert_eq!(takes(&pattern, text), expected, "{token} and {text}");
            }
        }
        let list = |texts: &[&str]| texts.iter().map(|text| code(text)).collect::<Vec<_>>().join(", ");
        vec![code(&pattern), token.takes().to_owned(), list(taken), list(refused)]
    });
    table(&["Token", "Takes", "For example", "But not"], rows)
}

/// Whether `lines` with this pattern holds for an output.
fn takes(pattern: &str, text: &str) -> bool {
    let (_, warnings) = Pattern::parse(pattern).expect("a pattern");
    assert!(warnings.is_empty(), "{pattern}: {warnings:?}");
    let spec = OutputSpec { lines: Some(pattern.to_owned()), ..OutputSpec::default() };
    let check = spec.compile::<String>(&mut |text| Ok(text.to_owned())).expect("a check");
    let output = ExecOutput { stdout: text.as_bytes(), stderr: b"", exit: 0 };
    matches!(check.judge(&output), Judgement::Held { .. })
}

/// Patterns of one or several lines with texts that they take and that they do not.
const LINES: [(&str, &[&str], &[&str]); 8] = [
    ("ready [int]/[int]", &["ready 1/1", "ready   1/1  "], &["ready 1/?", "pod is ready 1/1"]),
    ("-[..]", &["-", "- anything"], &["+ anything"]),
    ("[[timestamp]] done", &["[2018-12-07T10:38:02Z] done"], &["2018-12-07T10:38:02Z done"]),
    ("\\[ip] is a token", &["[ip] is a token"], &["10.0.0.1 is a token"]),
    ("[default] is no token", &["[default] is no token"], &["any is no token"]),
    ("[host:H] is [host:H]", &["a.b is a.b"], &["a.b is c.d"]),
    ("first\n...\nlast", &["first\nlast", "first\nx\ny\nlast"], &["first\nlast\nx"]),
    ("a\n\\...\nb", &["a\n...\nb"], &["a\nx\nb"]),
];

fn lines() -> String {
    let rows = LINES.iter().map(|(pattern, taken, refused)| {
        for (texts, expected) in [(*taken, true), (*refused, false)] {
            for text in texts {
                assert_eq!(takes(pattern, text), expected, "{pattern:?} and {text:?}");
            }
        }
        let list =
            |texts: &[&str]| texts.iter().map(|text| code(&text.replace('\n', "⏎"))).collect::<Vec<_>>().join(", ");
        vec![code(&pattern.replace('\n', "⏎")), list(taken), list(refused)]
    });
    format!("{}\n⏎ stands for a line break.\n", table(&["Pattern", "Takes", "Does not take"], rows))
}
