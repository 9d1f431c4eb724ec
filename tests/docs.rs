//! Pages made from runbooks: they are the same wherever they are made, are checked against what is committed, show what
//! a run saw, and hold whatever text a runbook has.

use std::path::Path;
use std::process::{Command, Stdio};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::support::Case;

/// A runbook whose rehearsal passes in an empty lab.
const GREET: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: greet, title: Say hello}
summary: Greets.
namespace: default
params:
  WHOM: {type: string, default: world, description: Who is greeted}
  TOKEN: {type: string, secret: true, default: s3cr3t-value}
steps:
  - id: settings
    title: Store the greeting
    apply:
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
        data:
          text: hello {{WHOM}}
          token: {{TOKEN}}
  - id: look
    title: Look at it
    get: {kind: ConfigMap, name: greeting}
    capture: {TEXT: '{.data.text}'}
";

fn greet_named(name: &str) -> String {
    GREET.replace("name: greet,", &format!("name: {name},"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_pages_are_what_the_runbooks_give() {
    let (runbooks, pages) = (root().join("runbooks"), root().join("docs/runbooks"));
    let args = ["docs", runbooks.to_str().expect("UTF-8"), "-o", pages.to_str().expect("UTF-8"), "--check"];
    Case::new(&args).run().code(0).prints(&["up to date"]);
}

#[test]
fn what_the_committed_pages_show_was_seen_with_the_runbooks_as_they_are() {
    for entry in std::fs::read_dir(root().join("docs/runbooks")).expect("a folder") {
        let page = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
        assert!(!page.contains("The runbook has changed since"), "{page}");
    }
}

#[test]
fn a_single_page_is_a_result_and_the_same_each_time() {
    let first = Case::new(&["docs", "book"]).file("book/runbook.yaml", GREET).run().code(0);
    let second = Case::new(&["docs", "./elsewhere.yaml"]).file("elsewhere.yaml", GREET).run().code(0);
    assert_eq!(first.stdout(), second.stdout());
    first.prints(&["# Say hello", "| `WHOM` | string | `world` | Who is greeted |", "configmap/greeting created"]);
}

#[test]
fn a_folder_gives_pages_and_an_index_and_the_check_sees_what_changed() {
    let done = Case::new(&["docs"])
        .file("runbooks/greet/runbook.yaml", GREET)
        .file("runbooks/other/runbook.yaml", greet_named("other"))
        .file("docs/runbooks/by-hand.md", "# Mine\n")
        .run()
        .code(0)
        .prints(&["docs/runbooks/greet.md written", "docs/runbooks/README.md written"]);
    let index = std::fs::read_to_string(done.path("docs/runbooks/README.md")).expect("the index");
    assert!(index.contains("[Say hello](greet.md)") && index.contains("(other.md)"), "{index}");
    let done = done.then(&["docs", "--check"]).run().code(0).prints(&["3 pages up to date"]);
    let done = done
        .then(&["docs", "--check"])
        .file("runbooks/greet/runbook.yaml", GREET.replace("Greets.", "Greets loudly."))
        .run()
        .code(1)
        .prints(&["-Greets.", "+Greets loudly.", "--- docs/runbooks/greet.md"])
        .says(&["2 of 3 pages are not what the runbooks give", "periplus docs"]);
    std::fs::remove_dir_all(done.path("runbooks/other")).expect("a folder");
    let done = done.then(&["docs"]).run().code(0).says(&["docs/runbooks/other.md belongs to no runbook"]);
    done.then(&["docs", "--check"]).run().code(1).prints(&["docs/runbooks/other.md belongs to no runbook: delete it"]);
}

#[test]
fn a_check_of_a_page_that_is_not_there_fails() {
    Case::new(&["docs", "book", "--check"])
        .file("book/runbook.yaml", GREET)
        .run()
        .code(1)
        .prints(&["docs/runbooks/greet.md cannot be read"])
        .says(&["periplus docs book -o docs/runbooks"]);
}

#[test]
fn what_a_run_saw_stands_on_the_page_until_the_runbook_changes() {
    let done =
        Case::new(&["rehearse", "book", "--set", "WHOM=everyone"]).file("book/runbook.yaml", GREET).run().code(0);
    let runs = done.then(&["runs"]).run().code(0);
    let run = runs.stdout().split_whitespace().find(|word| word.starts_with("greet-")).expect("a run").to_owned();
    let done = runs.then(&["docs", "book", "--verified", &run]).run().code(0).prints(&[
        "TEXT=hello everyone",
        "a REHEARSAL (simulated, in the embedded lab)",
        "Kubernetes v1.36.2",
        &run,
    ]);
    let kept = std::fs::read_to_string(done.path("book/verified.json")).expect("it was written down");
    assert!(!kept.contains("s3cr3t-value") && !done.stdout().contains("s3cr3t-value"), "{kept}");
    let first = done.stdout().to_owned();
    std::fs::remove_file(done.path("book/verified.json")).expect("a file");
    let done = done.then(&["docs", "book", "--verified", "@latest"]).run().code(0);
    assert_eq!(done.stdout(), first);
    let done = done.then(&["docs", "book"]).run().code(0);
    assert_eq!(done.stdout(), first);
    done.then(&["docs", "book"])
        .file("book/runbook.yaml", GREET.replace("Greets.", "Greets loudly."))
        .run()
        .code(0)
        .prints(&["The runbook has changed since it was last seen to work", "TEXT=…"]);
}

/// What a page is read for beside its commands.
const WORDS: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: words}
namespace: default
params:
  NOISY: {type: bool, default: false}
  SITES: {type: list, of: host, default: [a.example, b.example]}
  WHO: {type: name, default: me, pattern: '[a-z]+'}
steps:
  - id: noise
    when: NOISY
    get: {kind: ConfigMap, name: noise}
    capture: {LEVEL: '{.data.level}'}
  - id: echo
    impact: |
      Wakes {{WHO}}.
    patch: {object: {kind: ConfigMap, name: echo}, merge: {data: {level: '{{LEVEL}}'}}}
  - id: after
    needs: [echo]
    exec: {in: {pod: '{{WHO}}'}, command: ['true']}
  - id: look
    needs: []
    expect-object: {kind: ConfigMap, name: echo, matches: {data: {who: '{{WHO}}'}}}
  - id: sites
    apply:
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: sites}
        data: {all: \"{{#each SITES}}{{this}} {{/each}}\"}
";

#[test]
fn what_a_reader_must_know_stands_beside_the_commands() {
    let done = Case::new(&["docs", "x.yaml"]).file("x.yaml", WORDS).run().code(0).prints(&[
        // A skip passes on to what uses a capture of the step, and to what needs that.
        "Skip this step if you skipped [noise](#noise).",
        "Skip this step if you skipped [echo](#echo).",
        "class s1,s2,s3 conditional",
        "> **Impact:** Wakes $WHO.\n",
        "The object must hold this, perhaps beside other keys:\n\n```yaml\n{\"data\": {\"who\": \"me\"}}\n```",
        "written out for `SITES` = `a.example b.example`",
        "(must match `[a-z]+`)",
        "Run true in $WHO",
    ]);
    assert!(!done.stdout().contains("{{"), "{}", done.stdout());
}

#[test]
fn a_run_that_cannot_vouch_for_a_page_is_refused() {
    let failing = GREET.replace("name: greeting}", "name: other}");
    let done = Case::new(&["rehearse", "book"]).file("book/runbook.yaml", failing).run().code(1);
    let runs = done.then(&["runs"]).run().code(0);
    let run = runs.stdout().split_whitespace().find(|word| word.starts_with("greet-")).expect("a run").to_owned();
    let done = runs.then(&["docs", "book", "--verified", &run]).run().code(2).says(&["did not pass"]);
    assert!(!done.path("book/verified.json").exists());
    let done = done.then(&["docs", "book", "--verified", &run]).file("book/runbook.yaml", greet_named("other")).run();
    let done = done.code(2).says(&["is one of runbook greet"]);
    let done =
        done.then(&["docs", "book", "--verified", "@latest"]).run().code(2).says(&["no run of other has passed"]);
    let done = done.then(&["docs", "book", "--verified", "no-such-run"]).run().code(2).says(&["no-such-run"]);
    let done = done.then(&["docs", "book"]).file("book/verified.json", "{").run().code(2);
    done.says(&["verified.json", "--verified RUN"]);
}

#[test]
fn what_is_wrong_is_told() {
    Case::new(&["docs"]).run().code(2).says(&["no file or folder runbooks"]);
    Case::new(&["docs", "."]).file("notes.txt", "").run().code(2).says(&["has no runbook.yaml"]);
    Case::new(&["docs", "x.yaml"])
        .file("x.yaml", GREET.replace("summary", "sumary"))
        .run()
        .code(2)
        .says(&["unknown-key", "summary"]);
    Case::new(&["docs"])
        .file("runbooks/a/runbook.yaml", GREET)
        .file("runbooks/b/runbook.yaml", GREET)
        .run()
        .code(2)
        .says(&["the same name, greet", "metadata.name"]);
    Case::new(&["docs", "a", "-o", "file/pages"])
        .file("a/runbook.yaml", GREET)
        .file("file", "")
        .run()
        .code(3)
        .says(&["file/pages/greet.md cannot be written", "-o DIR"]);
}

/// Text that tries everything at once.
const HOSTILE: &str =
    "a `b` | c <details> <!-- $HOME $(id) `id` \\ ' \" !! {x} [y](z) ``` ~~~ \u{202e}r\u{200b} é 日本 👩\u{200d}🚀";

#[test]
fn hostile_text_breaks_neither_the_page_nor_its_commands() {
    let quoted = serde_json::Value::from(HOSTILE).to_string();
    let long = "x".repeat(20_000);
    let book = format!(
        "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {{name: hostile, title: {quoted}}}
summary: {quoted}
namespace: default
params:
  P: {{type: string, default: {quoted}, description: {quoted}}}
notes: [{quoted}, \"```\", \"<!--\"]
steps:
  - id: one
    title: {quoted}
    doc: |
      # A heading
      <div>
      ```bash
      rm -rf /
    impact: {quoted}
    apply:
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {{name: greeting}}
        data:
          plain: |
            EOF
            ```
            $HOME `id` \\
          long: {long}
  - id: two
    exec:
      in: {{workload: deploy/x}}
      env: {{V: {quoted}}}
      command: [echo, {quoted}, \"{{{{P}}}}\"]
    expect-output: {{contains: [{quoted}, \"{{{{P}}}}\"]}}
"
    );
    let done = Case::new(&["docs", "x.yaml"]).file("x.yaml", book).run().code(0);
    let page = done.stdout();
    assert!(!page.contains('\u{200b}') || page.contains("characters that cannot be seen"), "{page}");
    let (mut blocks, mut headings, mut inside) = (Vec::new(), Vec::new(), None);
    for event in Parser::new_ext(page, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                inside = Some((info.to_string(), String::new()));
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(inside.take()),
            Event::Text(text) => inside.iter_mut().for_each(|(_, block)| block.push_str(&text)),
            Event::Start(Tag::Heading { level, .. }) => headings.push(level),
            _ => {}
        }
    }
    let (top, steps) = (HeadingLevel::H1, HeadingLevel::H3);
    assert_eq!(headings.iter().filter(|level| **level == top).count(), 1, "{page}");
    assert_eq!(headings.iter().filter(|level| **level == steps).count(), 2, "{page}");
    assert!(page.trim_end().ends_with("*"), "the end is still the end:\n{page}");
    let commands: Vec<&String> = blocks.iter().filter(|(info, _)| info == "bash").map(|(_, block)| block).collect();
    assert!(commands.len() >= 3 && !commands.iter().any(|block| block.contains("rm -rf")), "{commands:?}");
    for block in commands {
        let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash is there");
        std::io::Write::write_all(&mut bash.stdin.take().expect("a pipe"), block.as_bytes()).expect("bash reads");
        assert!(bash.wait().expect("bash ends").success(), "{block}");
    }
}
