//! `periplus import`: the tutorial's page becomes a runbook that passes its rehearsal, and a page that was made from a
//! runbook gives that runbook back.

use std::path::Path;

use periplus_core::load::{Files, load};
use periplus_core::model::verb::Verb;
use periplus_core::model::{Exits, Runbook, Step};
use periplus_core::source::Source;
use regex::Regex;

use crate::support::{Case, Done};

fn repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is in the repository")
}

fn tutorial(args: &[&str]) -> Case {
    Case::new(&[&["import", "page.md"], args].concat()).file("page.md", repository("tests/fixtures/import/tutorial.md"))
}

const SMALL: &str = "# Look\n\n```bash\nkubectl get pod x\ncat > made.yaml <<'EOF'\nkind: Nothing\nEOF\n```\n";

#[test]
fn a_runbook_goes_to_standard_output_and_the_rest_to_standard_error() {
    let done = tutorial(&[]).run().code(0);
    let done =
        done.prints(&["apiVersion: periplus.dev/v1", "# yaml-language-server: $schema=", "  # Not read (line 68)"]);
    done.says(&["12 steps, 2 parameters", "Not read (1)", "page.md:68:", "samples/sleep/sleep.yaml", "page.md:16:"]);
}

#[test]
fn a_folder_gets_the_runbook_and_the_files_that_the_page_shows() {
    let case = Case::new(&["import", "page.md", "-o", "book/", "--name", "a-look"]).file("page.md", SMALL);
    let done = case.run().code(0).says(&["book/runbook.yaml: 1 step", "periplus lint book/runbook.yaml"]);
    assert!(done.stdout().is_empty());
    let written = std::fs::read_to_string(done.path("book/runbook.yaml")).expect("it was written");
    assert!(written.contains("name: a-look\n") && written.contains("get: {kind: Pod, name: x}"), "{written}");
    assert_eq!(std::fs::read_to_string(done.path("book/made.yaml")).expect("it was written"), "kind: Nothing\n");
}

#[test]
fn nothing_is_written_over_unasked() {
    let there = |args: &[&str]| {
        let args = [&["import", "page.md", "-o", "book"], args].concat();
        Case::new(&args).file("page.md", SMALL).file("book/made.yaml", "mine").run()
    };
    let done = there(&[]).code(2).says(&["book/made.yaml is there already", "--force"]);
    assert_eq!(std::fs::read_to_string(done.path("book/made.yaml")).expect("it is there"), "mine");
    assert!(!done.path("book/runbook.yaml").exists(), "all or nothing");
    let done = there(&["--force"]).code(0);
    assert_eq!(std::fs::read_to_string(done.path("book/made.yaml")).expect("it is there"), "kind: Nothing\n");
}

#[test]
fn pages_that_cannot_be_read_are_refused_with_the_reason() {
    let import = |name: &str, text: &[u8]| Case::new(&["import", name]).file("page.md", text).run().code(2);
    import("nowhere.md", b"").says(&["nowhere.md", "No such file"]);
    import("page.md", b"\xff\xfe# x").says(&["not UTF-8"]);
    import("page.md", b"# Only prose\n").says(&["shows no commands", "```bash"]);
    import("page.md", b"```sh\nhelm install x\n```\n").says(&[
        "no command of the page could be read",
        "page.md:2:",
        "helm",
    ]);
    import(".", b"").says(&["not a regular file"]);
    Case::new(&["import", "page.md", "--name", "A b"])
        .file("page.md", SMALL)
        .run()
        .code(2)
        .says(&["cannot name a runbook"]);
    Case::new(&["import", "page.md", "--force"]).file("page.md", SMALL).run().code(2).says(&["--out"]);
}

#[test]
fn programs_get_runbook_files_and_report_as_one_object() {
    let done = Case::new(&["import", "page.md", "--output", "json"]).file("page.md", SMALL).run().code(0);
    let value: serde_json::Value = serde_json::from_str(done.stdout()).expect("it is JSON");
    assert!(value["runbook"].as_str().is_some_and(|text| text.contains("kind: Runbook")));
    assert_eq!(value["files"][0]["path"], "made.yaml");
    assert_eq!(value["report"]["steps"], 1);
}

#[test]
fn escapes_of_a_page_do_not_reach_the_terminal() {
    let page = "# T\n\n```bash\nkubectl get pod x\nhelm \u{1b}[31m install\n```\n";
    let done = Case::new(&["import", "page.md"]).file("page.md", page).run().code(0);
    assert!(!done.stderr().contains('\u{1b}') && !done.stdout().contains('\u{1b}'), "{}", done.stderr());
}

/// What a person does to the imported tutorial by hand before it can be rehearsed.
struct ByHand {
    runbook: String,
    world: String,
    edits: usize,
}

impl ByHand {
    /// Replaces a text of the runbook, which must be there once.
    #[track_caller]
    fn edit(mut self, old: &str, new: &str) -> Self {
        assert_eq!(self.runbook.matches(old).count(), 1, "{old:?} in\n{}", self.runbook);
        self.runbook = self.runbook.replace(old, new);
        self.edits += 1;
        self
    }
}

fn rehearse(book: ByHand) -> Done {
    Case::new(&["rehearse", "book"])
        .file("book/runbook.yaml", book.runbook)
        .file("book/world.yaml", book.world)
        // The page names this file and does not show it.
        .file("book/samples/sleep/sleep.yaml", repository("runbooks/external-https-proxy/manifests/sleep.yaml"))
        .run()
}

#[test]
fn the_imported_tutorial_passes_its_rehearsal_after_one_edit() {
    let runbook = tutorial(&[]).run().code(0).stdout().to_owned();
    let lint = Case::new(&["lint", "book"])
        .file("book/runbook.yaml", &runbook)
        .file("book/samples/sleep/sleep.yaml", repository("runbooks/external-https-proxy/manifests/sleep.yaml"));
    lint.run().code(0).prints(&["is in order"]);
    // The world is that of our own runbook of the tutorial, without the parameter that only that one has.
    let world = repository("runbooks/external-https-proxy/world.yaml").replace("  PROXY_NAMESPACE: corp\n", "");
    let book = ByHand { runbook, world, edits: 0 }
        // In this world the proxy is in another namespace than in the tutorial's.
        .edit("in: {namespace: external, selector: app=squid}", "in: {namespace: corp, selector: app=squid}");
    assert_eq!(book.edits, 1);
    rehearse(book).code(0).prints(&["12 steps: 12 passed"]);
}

#[test]
fn what_the_imported_tutorial_checks_can_fail() {
    let broken = |old: &str, new: &str| {
        let runbook = tutorial(&[]).run().code(0).stdout().to_owned();
        let world = repository("runbooks/external-https-proxy/world.yaml").replace("  PROXY_NAMESPACE: corp\n", "");
        let book = ByHand { runbook, world, edits: 0 }
            .edit("in: {namespace: external, selector: app=squid}", "in: {namespace: corp, selector: app=squid}")
            .edit(old, new);
        rehearse(book).code(1)
    };
    broken("{mode: REGISTRY_ONLY}", "{mode: ALLOW_ANY}").prints(&["FAILED  test-see-if-make-calls-outside"]);
    broken("- {{PROXY_IP}}/32", "- 10.9.9.9/32").prints(&["FAILED  make-calls-outside-world-using-service"]);
    broken("CONNECT en.wikipedia.org:443", "CONNECT en.wikipedia.org:80")
        .prints(&["FAILED  check-access-log-proxy-for-request"]);
}

/// The files beside a runbook.
struct Beside(String);

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(Path::new(&self.0).join(path)).map_err(|error| error.to_string())
    }
}

fn loaded(text: String, folder: &str) -> Runbook {
    let loaded = load(&Source { name: "runbook.yaml".to_owned(), text }, &Beside(folder.to_owned()));
    loaded.runbook.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// A runbook by what it means: what `like` takes over is written out, and places and notations are left out.
fn meaning(mut runbook: Runbook) -> Vec<String> {
    let steps = runbook.steps.clone();
    let of = |id: &str| steps.iter().find(|step| step.id.value.as_str() == id).cloned();
    for step in &mut runbook.steps {
        while let Verb::Exec(exec) = &mut step.verb
            && let Some(like) = exec.like.take()
            && let Some(Step { verb: Verb::Exec(model), .. }) = of(like.value.as_str())
        {
            exec.target = exec.target.take().or(model.target);
            exec.program = exec.program.take().or(model.program);
            let own = std::mem::replace(&mut exec.env, model.env);
            exec.env.extend(own);
            exec.like = model.like;
        }
        // A check that asks for success alone is no check beside an exec that is not repeated.
        if let Some(expect) = &mut step.expect_output
            && expect.check.exits == Some(Exits::With(vec![0]))
        {
            expect.check.exits = None;
        }
        step.title = Some(step.title());
        step.doc = step.doc.take().map(|doc| doc.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    for param in runbook.params.values_mut() {
        // A page has no word for the variable that may supply a parameter.
        param.env = None;
    }
    let places = Regex::new(r"(, )?(span: Span \{[^}]*\}|style: \w+)").expect("a pattern");
    let shown = |text: String| places.replace_all(&text.replace("\\n\"", "\""), "").into_owned();
    let mut parts = vec![shown(format!("{:?} {:?} {:?}", runbook.name, runbook.title, runbook.summary))];
    parts.extend(runbook.params.iter().map(|param| shown(format!("{param:?}"))));
    parts.extend(runbook.requires.iter().map(|requirement| shown(format!("{requirement:?}"))));
    parts.extend(runbook.steps.iter().map(|step| shown(format!("{step:?}"))));
    parts.push(shown(format!("{:?} {:?} {:?}", runbook.cleanup, runbook.on_failure, runbook.notes)));
    parts
}

/// What comes back of a runbook's page, whose samples show what its checks accept.
fn back(folder: &str, files: &[&str]) -> (Runbook, Runbook, Done) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).display().to_string();
    let mut docs = Case::new(&["docs", "book"]);
    for file in [&["runbook.yaml"], files].concat() {
        docs = docs.file(&format!("book/{file}"), repository(&format!("{folder}/{file}")));
    }
    let page = docs.run().code(0).stdout().to_owned();
    let done = Case::new(&["import", "page.md", "-o", "book"]).file("page.md", page).run().code(0);
    let book = done.path("book").display().to_string();
    let text = std::fs::read_to_string(done.path("book/runbook.yaml")).expect("it was written");
    (loaded(repository(&format!("{folder}/runbook.yaml")), &path), loaded(text, &book), done)
}

#[test]
fn the_page_of_the_tutorial_gives_its_runbook_back() {
    let (runbook, imported, done) = back("runbooks/external-https-proxy", &["manifests/sleep.yaml"]);
    let (ours, theirs) = (meaning(runbook), meaning(imported));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(!done.stderr().contains("Not read"), "{}", done.stderr());
}

#[test]
fn every_committed_page_gives_a_runbook_back_that_passes_the_same_rehearsal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for folder in std::fs::read_dir(root.join("runbooks")).expect("the folder of runbooks") {
        let name = folder.expect("an entry").file_name().into_string().expect("UTF-8");
        let page = repository(&format!("docs/runbooks/{name}.md"));
        let done = Case::new(&["import", "page.md", "-o", "book"]).file("page.md", page).run().code(0);
        assert!(!done.stderr().contains("Not read"), "{name}: {}", done.stderr());
        let mut rehearsal = Case::new(&["rehearse", "book"])
            .file("book/world.yaml", repository(&format!("runbooks/{name}/world.yaml")))
            .file("book/runbook.yaml", std::fs::read(done.path("book/runbook.yaml")).expect("it was written"));
        for file in std::fs::read_dir(done.path("book/manifests")).expect("files beside it") {
            let file = file.expect("an entry");
            let path = format!("book/manifests/{}", file.file_name().display());
            rehearsal = rehearsal.file(&path, std::fs::read(file.path()).expect("it was written"));
        }
        rehearsal.run().code(0).prints(&["✓ passed"]);
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

#[test]
fn every_verb_comes_back_but_for_what_a_page_cannot_tell() {
    let (runbook, imported, done) = back("tests/fixtures/runbooks/every-verb", &["manifests/client.yaml"]);
    let ids = |runbook: &Runbook| runbook.steps.iter().map(|step| step.id.value.0.clone()).collect::<Vec<_>>();
    let (ours, theirs) = (ids(&runbook), ids(&imported));
    // A secret that goes in by standard input, what is judged of that step, several paths at once.
    let lost = ["look", "script", "complaint", "fails"];
    let kept: Vec<String> = ours.into_iter().filter(|id| !lost.contains(&id.as_str())).collect();
    assert_eq!(theirs, kept);
    done.says(&["Not read (4)"]);
    for id in &kept {
        let step = |runbook: &Runbook| runbook.steps.iter().find(|step| step.id.value.0 == *id).cloned();
        let (ours, theirs) = (step(&runbook).expect("it is there"), step(&imported).expect("it is there"));
        assert_eq!(ours.verb.key(), theirs.verb.key(), "{id}");
        assert_eq!(ours.effect(), theirs.effect(), "{id}");
        assert_eq!(ours.wait.is_some(), theirs.wait.is_some(), "{id}");
        assert_eq!(ours.capture.keys().collect::<Vec<_>>(), theirs.capture.keys().collect::<Vec<_>>(), "{id}");
    }
}

#[test]
fn a_file_of_the_page_does_not_take_the_place_of_the_runbook() {
    let page = "# T\n\n```bash\ncat > a.yaml <<EOF\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\nEOF\nkubectl apply -f a.yaml\n```\n";
    let done = Case::new(&["import", "p.md", "-o", "a.yaml"]).file("p.md", page).run().code(2);
    let done = done.says(&["has the runbook's name, a.yaml", "-o FILE"]);
    assert!(!done.path("a.yaml").exists());
}
