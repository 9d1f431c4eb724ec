//! Whole pages: what becomes of each is a snapshot, and every runbook loads.

#![expect(clippy::disallowed_methods, reason = "fixtures are files; the import under test is handed text")]

use std::fmt::Write as _;
use std::path::Path;

use periplus_core::diag::Diagnostic;
use periplus_core::load::{Files, load};
use periplus_core::source::Source;
use periplus_import::{ImportError, Imported, Options, import};

/// The files that the page shows, and a stand-in for any other.
struct Beside<'i>(&'i Imported);

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let shown = self.0.files.iter().find(|file| file.path == path).map(|file| file.text.clone());
        Ok(shown.unwrap_or_else(|| "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stand-in}\n".to_owned()))
    }
}

fn page(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/import");
    std::fs::read_to_string(folder.join(name)).expect("the page is in the repository")
}

fn imported(text: &str) -> Imported {
    let options = Options { name: None, schema: Some("runbook.v1.json".to_owned()) };
    let imported = import(text, &options).expect("the page has commands");
    let problems = problems(&imported);
    assert!(problems.is_empty(), "{problems:#?}\n{}", imported.runbook);
    imported
}

/// All that lint would say, warnings included.
fn problems(imported: &Imported) -> Vec<Diagnostic> {
    let source = Source { name: "runbook.yaml".to_owned(), text: imported.runbook.clone() };
    load(&source, &Beside(imported)).diagnostics
}

/// The runbook, the files beside it, and the report.
fn shown(imported: &Imported) -> String {
    let mut out = imported.runbook.clone();
    for file in &imported.files {
        let _ = write!(out, "\n== {}\n{}", file.path, file.text);
    }
    let _ = writeln!(
        out,
        "\n== report: {} steps, parameters: {}",
        imported.report.steps,
        imported.report.params.join(", ")
    );
    for unread in &imported.report.unread {
        let _ = writeln!(out, "line {}: {}\n    {}", unread.line, unread.reason, unread.text.replace('\n', "\n    "));
    }
    for note in &imported.report.notes {
        let _ = writeln!(out, "note {}: {}", note.line, note.text);
    }
    out
}

#[test]
fn the_tutorial() {
    insta::assert_snapshot!(shown(&imported(&page("tutorial.md"))));
}

#[test]
fn a_page_of_hugo_with_prompts_and_links_to_files() {
    insta::assert_snapshot!(shown(&imported(&page("accessing-external-services.md"))));
}

#[test]
fn a_page_of_hugo_with_tabs_and_files() {
    insta::assert_snapshot!(shown(&imported(&page("egress-tls-origination.md"))));
}

#[test]
fn a_page_with_alerts_and_sessions() {
    insta::assert_snapshot!(shown(&imported(&page("egress-gateway.md"))));
}

#[test]
fn a_readme_with_all_sorts_of_commands() {
    insta::assert_snapshot!(shown(&imported(&page("httpbin.md"))));
}

/// The steps that some commands make, without the head of the runbook.
fn steps(markdown: &str) -> String {
    let runbook = imported(markdown).runbook;
    runbook.split_once("steps:\n").map(|(_, steps)| steps.to_owned()).unwrap_or_default()
}

fn of_commands(commands: &str) -> String {
    steps(&format!("# T\n\nDo it:\n\n```bash\n{commands}\n```\n"))
}

#[test]
fn filters_become_matchers() {
    let exec = "kubectl exec deploy/a -- curl -s http://b";
    let cases = [
        ("| grep -F 'a.b'", "expect-output: {contains: a.b}"),
        ("| grep 'a.*b'", "expect-output: {regex: a.*b}"),
        ("| grep -E 'a|b'", "expect-output: {regex: a|b}"),
        ("| grep -q ready", "expect-output: {contains: ready}"),
        ("| grep -o 'v[0-9]*'", "expect-output: {regex: \"v[0-9]*\"}"),
        ("| grep -vF gone", "expect-output: {not-contains: gone}"),
        ("2>&1 | grep refused", "expect-output: {stream: both, contains: refused}"),
        ("| grep -i Ready", "expect-output: {regex: (?i)Ready}"),
        ("| sed -n '/x y/p'", "expect-output: {contains: x y}"),
        ("| awk '/x+/'", "expect-output: {regex: x+}"),
    ];
    for (filter, expected) in cases {
        let steps = of_commands(&format!("{exec} {filter}"));
        assert!(steps.contains(expected), "{filter}\n{steps}");
    }
    let steps = of_commands(&format!("! {exec} | grep -F gone"));
    assert!(steps.contains("not-contains: gone"), "{steps}");
}

#[test]
fn what_a_page_shows_is_what_must_be_printed() {
    let shows = |command: &str, output: &str| {
        steps(&format!("# T\n\nDo it:\n\n```bash\n{command}\n```\n\nYou should see:\n\n```\n{output}\n```\n"))
    };
    let exec = "kubectl exec deploy/a -- date";
    assert!(shows(exec, "all is well").contains("equals: all is well"));
    assert!(shows(exec, "at 2024-01-02T03:04:05Z").contains("at [timestamp]\""));
    assert!(
        shows(&format!("{exec} | head -n 1"), "all is well").contains("lines: |\n        all is well\n        ...")
    );
    assert!(shows(exec, "command terminated with exit code 7").contains("exit: 7"));
    assert!(shows(exec, "{\"a\": 1, \"ip\": \"10.0.0.1\"}").contains("json: {a: 1}"));
    assert!(shows(&format!("{exec} | wc -l"), "3").contains("exec:"));
}

#[test]
fn loops_become_patience() {
    let steps = of_commands("for i in {1..20}; do kubectl exec deploy/a -- true && break; sleep 3; done");
    assert!(steps.contains("expect-output: {exit: 0, within: 1m, every: 3s}"), "{steps}");
    let steps = of_commands("until kubectl get pod x -o jsonpath='{.status.podIP}' | grep 10; do sleep 1; done");
    assert!(steps.contains("get: {kind: Pod, name: x}"), "{steps}");
    let steps = of_commands("for ns in a b; do kubectl create ns $ns; done");
    assert!(steps.contains("name: a\n") && steps.contains("name: b\n"), "{steps}");
}

#[test]
fn values_come_from_the_reader_or_from_the_cluster() {
    let read = |commands: &str| imported(&format!("# T\n\n```sh\n{commands}\nkubectl get pod x -n $A\n```\n")).runbook;
    assert!(read("export A=<THE NAMESPACE>").contains("A: {type: name, env: A, description: The namespace}"));
    assert!(read("A=").contains("A: {type: name, env: A}"));
    assert!(read("export A=web").contains("default: web"));
    assert!(read("").contains("A: {type: name, env: A}"));
    assert!(read("A=$(kubectl get cm c -o jsonpath={.data.ns})").contains("capture: {A: \"{.data.ns}\"}"));
    let unread = read("A=$(openssl rand -hex 4)");
    assert!(unread.contains("A: {type: name, env: A}") && unread.contains("# Not read"), "{unread}");
    let twice = read(
        "A=$(kubectl get cm c -o jsonpath={.data.a})\nkubectl get pod y -n $A\nA=$(kubectl get cm c -o jsonpath={.data.b})",
    );
    assert!(twice.contains("A_2: \"{.data.b}\"") && twice.contains("namespace: \"{{A_2}}\""), "{twice}");
}

#[test]
fn braces_of_the_page_stay_braces() {
    let steps = of_commands(
        "kubectl apply -f - <<'EOF'\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {t: '{{ $x }} and ${y}'}\nEOF",
    );
    assert!(steps.contains(r"'\{{ $x }} and ${y}'"), "{steps}");
}

#[test]
fn pages_without_commands_are_refused() {
    let refused = |page: &str| import(page, &Options::default()).expect_err("nothing to import");
    assert_eq!(refused(""), ImportError::NoCommands);
    assert_eq!(refused("# Only prose\n\n```yaml\na: b\n```\n"), ImportError::NoCommands);
    assert!(matches!(refused("```bash\nhelm install x\n```\n"), ImportError::NothingRead(unread) if unread.len() == 1));
    assert!(matches!(refused(&"x".repeat(5 << 20)), ImportError::TooLong(_)));
}
