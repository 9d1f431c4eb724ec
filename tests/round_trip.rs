//! Every page works when it is pasted: its command blocks, run in order by a real bash and a real kubectl against the
//! lab, print what its runbook expects, and its clean-up leaves the cluster as it was.

mod book;
mod judge;
mod kept;
mod live;
mod page;
mod session;
mod trip;

use std::path::{Path, PathBuf};

use book::Book;
use page::Page;
use trip::{Failure, walk};

use crate::support::Case;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of all runbooks, those of tests included.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in ["runbooks", "tests/fixtures/runbooks"] {
        let entries = std::fs::read_dir(root().join(parent)).expect("a folder of the repository");
        let entries = entries.map(|entry| entry.expect("an entry").path());
        folders.extend(entries.filter(|path| path.join("runbook.yaml").exists()));
    }
    folders.sort();
    folders
}

/// The page of a runbook, as the program makes it.
fn page_of(folder: &Path) -> Page {
    let book = folder.display().to_string();
    let done = Case::new(&["docs", &book, "-o", "pages"]).run().code(0);
    let name = format!("pages/{}.md", Book::load(folder).runbook.name.value);
    Page::read(&std::fs::read_to_string(done.path(&name)).expect("the page was written"))
}

#[test]
fn the_page_of_every_runbook_works_when_it_is_pasted() {
    let folders = folders();
    assert!(folders.len() > 3, "{folders:?}");
    let walks = folders.iter().map(|folder| {
        move || {
            let walked = walk(&Book::load(folder), &page_of(folder));
            walked.map_err(|failure| format!("{}: {failure}", folder.display()))
        }
    });
    let failures: Vec<String> = at_once(walks).into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n----\n\n"));
}

/// Does several things side by side: a walk mostly waits.
fn at_once<T: Send>(work: impl Iterator<Item = impl FnOnce() -> T + Send>) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = work.map(|work| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Where a walk must stop, and what is done to the page for that.
type Break = (&'static str, fn(&mut Page));

/// Each broken page must be noticed, and at the right place.
fn noticed(folder: &str, breaks: &[Break]) {
    let folder = root().join(folder);
    let (book, whole) = (Book::load(&folder), page_of(&folder));
    let walks = breaks.iter().map(|(at, change)| {
        let (book, mut page) = (&book, whole.clone());
        move || {
            shorten(&mut page);
            change(&mut page);
            let stopped: Option<Failure> = walk(book, &page).err();
            assert_eq!(stopped.as_ref().map(|failure| failure.at.as_str()), Some(*at), "{stopped:?}");
        }
    });
    at_once(walks);
}

#[test]
fn a_page_that_does_not_work_is_noticed() {
    noticed(
        "runbooks/external-https-proxy",
        &[
            ("Parameters", |page| page.section("Parameters").replace("bash", "free encyclopedia", "paid one")),
            ("Parameters", |page| page.section("Parameters").replace("bash", "PROXY_IP=", "PROXY_ADDRESS=")),
            // The title is another one, in the command and in what is shown.
            ("call-outside", |page| page.section("call-outside").replace("bash", "$TITLE", "Wikipedia")),
            ("call-outside", |page| page.section("call-outside").replace("text", "free", "paid")),
            // A command is missing, or stands elsewhere.
            ("external-namespace", |page| page.section("external-namespace").blocks.clear()),
            ("external-namespace", |page| page.section("external-namespace").replace("bash", "kubectl apply", "echo")),
            ("proxy-entry", |page| {
                let entry = page.section("proxy-entry");
                entry.blocks.retain(|block| block.language == "bash");
                "true\n".clone_into(&mut entry.blocks[0].text);
            }),
            ("registry-only", |page| {
                let moved = page.section("registry-only").blocks[0].text.clone();
                let other = std::mem::replace(&mut page.section("proxy-entry").blocks[0].text, moved);
                page.section("registry-only").blocks[0].text = other;
            }),
            ("Steps", |page| {
                let last = page.sections.iter().rposition(|section| section.step.is_some()).expect("steps");
                page.sections.swap(last, last - 2);
            }),
            // The shell reads on beyond the block, or cannot go on after it.
            ("proxy-entry", |page| page.section("proxy-entry").replace("bash", "\nEOF\n", "\n")),
            ("policy", |page| page.section("policy").blocks[0].text.push_str("exit 0\n")),
            // The mesh's configuration is not as it was.
            ("Clean up", |page| page.section("Clean up").replace("bash", "kubectl patch", "true")),
        ],
    );
}

#[test]
fn every_kind_of_check_on_a_page_can_fail() {
    noticed(
        "tests/fixtures/runbooks/every-verb",
        &[
            ("wait-condition", |page| {
                page.section("wait-condition").replace("bash", "Available --timeout=1m", "Never --timeout=1s");
            }),
            ("pod", |page| page.section("pod").replace("bash", ".metadata.name", ".metadata.nope")),
            ("held-yaml", |page| page.section("held-yaml").replace("bash", "export FRONT=", "export BACK=")),
            // What cannot be read is taken for nothing, and the change is made all the same.
            ("merge", |page| page.section("merge").replace("bash", "$(json \"$GREETING\")", "$(nothing)")),
            ("merge", |page| page.section("merge").replace("bash", "$(json \"$GREETING\")", "other")),
            ("edit-held-yaml", |page| {
                page.section("edit-held-yaml").replace("bash", "doors.back ajar", "doors.back shut");
            }),
            ("look", |page| page.section("json-patch").replace("bash", "$TIMES", "4")),
            ("look", |page| page.section("look").replace("bash", "{.data.greeting}", "{.data.other}")),
            ("absent", |page| page.section("absent").replace("bash", "never-made", "page")),
            ("hello", |page| page.section("hello").replace("bash", "$GREETING", "hello")),
            ("script", |page| page.section("script").replace("bash", "exit 3", "exit 0")),
            ("script", |page| page.section("script").replace("bash", "export LETTERS=", "export NUMBER=")),
            ("complaint", |page| page.section("script").replace("bash", "echo oops", "echo ups")),
            ("number", |page| page.section("number").replace("bash", "wc -l", "wc -c")),
            ("as-json", |page| page.section("as-json").replace("bash", "true", "false")),
        ],
    );
}

/// What will never hold is not tried for a minute.
fn shorten(page: &mut Page) {
    for block in page.sections.iter_mut().flat_map(|section| &mut section.blocks) {
        block.text = block.text.replace("{1..60}", "{1..9}").replace("{1..30}", "{1..9}");
    }
}
