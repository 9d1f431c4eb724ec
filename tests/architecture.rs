//! The rules of the house that the compiler does not know: who may use whom, how long a file may be, what stands in none.
//!
//! Each rule is read from the sources themselves, so that a list beside them cannot grow old.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use periplus_core::diag::Severity;
use regex::Regex;

use crate::support::{Page, documents, loaded};

/// Lines of a file, without the tests at its end, at which it must be divided.
const MOST_OWN_LINES: usize = 600;

/// Which of our crates each crate may use.
const EDGES: [(&str, &[&str]); 6] = [
    (".", &["periplus-core", "periplus-import", "periplus-lab", "periplus-render", "periplus-run"]),
    ("engine/core", &[]),
    ("engine/import", &["periplus-core"]),
    ("engine/lab", &[]),
    ("engine/render", &["periplus-core"]),
    ("engine/run", &["periplus-core"]),
];

/// Which more its `tests/` may use: the cluster client is held against the lab there, over HTTP.
const TEST_EDGES: [(&str, &str); 1] = [("engine/run", "periplus-lab")];

/// Crates that would open a door which a crate must not have.
const CLOSED_DOORS: [(&str, &[&str]); 4] = [
    ("engine/core", &["tokio", "kube", "k8s-openapi", "hyper", "miette", "indicatif", "rand", "tracing"]),
    ("engine/import", &["tokio", "kube", "k8s-openapi", "hyper", "miette", "indicatif", "rand", "jiff", "tracing"]),
    ("engine/render", &["tokio", "kube", "k8s-openapi", "hyper", "rand"]),
    ("engine/lab", &["kube", "clap", "miette", "indicatif"]),
];

/// The modules of the core. Each may use those of earlier rows only.
const CORE_ORDER: [&[&str]; 6] = [
    &["advice", "call", "change", "codes", "expect", "graph", "jsonpath", "manifest", "redact", "source"],
    &["diag", "model", "yaml_edit"],
    &["outcome", "plan", "template"],
    &["event"],
    &["params", "schema", "state"],
    &["journal", "load"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with one of these extensions, sorted. Hidden folders and build output are left out.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|own| extensions.iter().any(|wanted| own == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    let found = [files("engine", &["rs"]), files("tests", &["rs"])].concat();
    assert!(found.len() > 100, "the sources were found");
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// A file without the tests at its end.
fn own(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |tests| &text[..tests])
}

/// Fails with all that was found at once.
fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn no_file_is_too_long() {
    let long = sources().into_iter().filter_map(|path| {
        let lines = own(&read(&path)).lines().count();
        (lines > MOST_OWN_LINES).then(|| format!("{} has {lines} lines", shown(&path)))
    });
    assert_none(&long.collect::<Vec<_>>(), "a file has at most 600 lines, tests at its end not counted");
}

#[test]
fn each_file_opens_with_its_purpose() {
    let bare = sources().into_iter().filter(|path| !read(path).starts_with("//! ")).map(|path| shown(&path));
    assert_none(&bare.collect::<Vec<_>>(), "a file opens with `//!` and what it is for");
}

#[test]
fn forbidden_words_stand_nowhere() {
    // Written in halves, so that this file does not hold them itself.
    let words = [
        concat!(r"(?i)\bto", r"do\b"),
        concat!(r"(?i)\bfix", r"me\b"),
        concat!("db", "g!"),
        concat!(r"#!?\[", "allow"),
    ];
    let unfinished = [concat!(r"#\[", "ignore"), concat!("serde", r"\([^)]*\b(flatten|untag", "ged)")];
    let forbidden = Regex::new(&[words.as_slice(), &unfinished].concat().join("|")).expect("a pattern");
    let texts = [sources(), files("docs", &["md"]), files("runbooks", &["yaml", "md"])].concat();
    let mut found = Vec::new();
    for path in texts {
        for (number, line) in read(&path).lines().enumerate().filter(|(_, line)| forbidden.is_match(line)) {
            found.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
        }
    }
    assert_none(&found, "unfinished work, silenced lints and formats that lose places have no room here");
}

#[test]
fn every_select_is_biased() {
    let select = Regex::new(r"select!\s*\{\s*(\S+)").expect("a pattern");
    let mut found = Vec::new();
    let mut seen = 0;
    for path in files("engine", &["rs"]) {
        let text = read(&path);
        for choice in select.captures_iter(&text) {
            seen += 1;
            if &choice[1] != "biased;" {
                found.push(format!("{}: select! {{ {}", shown(&path), &choice[1]));
            }
        }
    }
    assert!(seen > 5, "the engine waits for one of several things in places");
    assert_none(&found, "`select!` starts with `biased;`: its random choice cannot be seeded");
}

#[test]
fn the_lab_reaches_the_machine_through_one_door() {
    let reach = [
        r"\bstd::(?:fs|process|env|os|thread)\b",
        r"\btokio::(?:fs|process|net|signal)\b",
        r"\b(?:Tcp(?:Stream|Listener|Socket)|UdpSocket|Unix(?:Stream|Listener|Datagram))\b",
        r"\b(?:libc|nix|rustix)::",
    ];
    let reach = Regex::new(&reach.join("|")).expect("a pattern");
    let door = Path::new("engine/lab/src/serve/loopback.rs");
    let mut found = Vec::new();
    for path in files("engine/lab/src", &["rs"]).into_iter().filter(|path| !path.ends_with(door)) {
        for (number, line) in read(&path).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if reach.is_match(line) {
                found.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
            }
        }
    }
    assert!(reach.is_match(&read(&root().join(door))), "the door listens");
    assert_none(&found, "no file, process, variable or socket of the machine is reached from the lab");
}

/// Names of the dependencies of a manifest, with the sections that they stand in.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if section.ends_with("dependencies")
            && !section.starts_with("workspace")
            && let Some(name) = line.split(['=', '.', ' ']).next().filter(|name| !name.is_empty() && *name != "#")
        {
            found.push((section.clone(), name.to_owned()));
        }
    }
    found
}

#[test]
fn crates_use_only_what_they_may() {
    let mut found = Vec::new();
    for (folder, allowed) in EDGES {
        for (section, name) in dependencies(&read(&root().join(folder).join("Cargo.toml"))) {
            let for_tests = section == "dev-dependencies" && TEST_EDGES.contains(&(folder, name.as_str()));
            if name.starts_with("periplus") && !allowed.contains(&name.as_str()) && !for_tests {
                found.push(format!("{folder} uses {name} in [{section}]"));
            }
        }
    }
    for (folder, name) in TEST_EDGES {
        let code = name.replace('-', "_");
        let users = files(&format!("{folder}/src"), &["rs"]).into_iter().filter(|path| read(path).contains(&code));
        found.extend(users.map(|path| format!("{} uses {name}", shown(&path))));
    }
    for (folder, closed) in CLOSED_DOORS {
        let listed = dependencies(&read(&root().join(folder).join("Cargo.toml")));
        assert!(!listed.is_empty(), "{folder} has dependencies");
        for (_, name) in
            listed.into_iter().filter(|(section, name)| section == "dependencies" && closed.contains(&name.as_str()))
        {
            found.push(format!("{folder} uses {name}"));
        }
    }
    assert_none(&found, "core thinks, run acts, render tells, import reads, lab pretends, cli wires");
}

#[test]
fn the_modules_of_the_core_use_only_earlier_ones() {
    let level: BTreeMap<&str, usize> =
        CORE_ORDER.iter().enumerate().flat_map(|(level, names)| names.iter().map(move |name| (*name, level))).collect();
    let used = Regex::new(r"\bcrate::([a-z_]+)").expect("a pattern");
    let base = root().join("engine/core/src");
    let mut found = Vec::new();
    let mut modules = BTreeSet::new();
    for path in files("engine/core/src", &["rs"]) {
        let inside = path.strip_prefix(&base).expect("below the folder");
        let top = inside.components().next().and_then(|part| part.as_os_str().to_str()).unwrap_or_default();
        let module = top.trim_end_matches(".rs");
        let file = inside.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if module == "lib" || file.ends_with("tests") {
            continue;
        }
        modules.insert(module.to_owned());
        let Some(own_level) = level.get(module) else {
            found.push(format!("{module} has no place in the order"));
            continue;
        };
        let text = read(&path);
        for line in own(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for name in used.captures_iter(line).map(|found| found.get(1).map_or("", |name| name.as_str())) {
                if name != module && level.get(name).is_none_or(|other| other >= own_level) {
                    found.push(format!("{} uses {name}", shown(&path)));
                }
            }
        }
    }
    let named: BTreeSet<String> = level.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(modules, named, "the order names the modules that there are");
    assert_none(&found, "a module of the core uses only modules of earlier rows");
}

#[test]
fn every_fixture_is_used() {
    let texts = sources().into_iter().map(|path| read(&path));
    let tests: String = texts.filter(|text| text.contains("fixtures")).collect();
    let unused = ["engine", "tests"]
        .into_iter()
        .flat_map(|folder| files(folder, &["yaml", "json", "jsonl", "txt", "log", "md"]));
    let unused = unused.filter(|path| path.components().any(|part| part.as_os_str() == "fixtures")).filter(|path| {
        let part =
            |part: Option<&std::ffi::OsStr>| part.and_then(std::ffi::OsStr::to_str).unwrap_or_default().to_owned();
        // A test names the file, or walks through its folder.
        let file = part(path.file_name());
        let folder = format!("\"{}\"", part(path.parent().and_then(Path::file_name)));
        !tests.contains(&file) && !tests.contains(&folder)
    });
    assert_none(&unused.map(|path| shown(&path)).collect::<Vec<_>>(), "a fixture that no test names proves nothing");
}

#[test]
fn every_runbook_in_the_documents_loads() {
    let fence = Regex::new(r"(?ms)^```ya?ml\n(.*?)^```").expect("a pattern");
    let mut found = Vec::new();
    // The page of diagnostics shows what is refused.
    for path in documents().into_iter().filter(|path| !path.ends_with("reference/diagnostics.md")) {
        let text = read(&path);
        for block in fence.captures_iter(&text).map(|block| block[1].to_owned()) {
            if !block.lines().any(|line| line.trim_end() == "kind: Runbook") {
                continue;
            }
            let loaded = loaded(&block);
            let errors = loaded.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
            found.extend(errors.map(|problem| format!("{}: {}", shown(&path), problem.message)));
        }
    }
    assert_none(&found, "a runbook that a document shows can be loaded");
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut found = Vec::new();
    let pages: BTreeMap<PathBuf, Page> =
        documents().into_iter().map(|path| (path.clone(), Page::read(&read(&path)))).collect();
    for (path, page) in &pages {
        for (line, target) in page.links().into_iter().filter(|(_, target)| !target.contains("://")) {
            let at = format!("{}:{line}: {target}", shown(path));
            let (file, anchor) =
                target.split_once('#').map_or((target.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let leads_to = if file.is_empty() {
                path.clone()
            } else {
                plain(&path.parent().expect("a file has a folder").join(file))
            };
            let anchors = || pages.get(&leads_to).map(Page::anchors).unwrap_or_default();
            if !leads_to.exists() || anchor.is_some_and(|anchor| !anchors().iter().any(|known| known == anchor)) {
                found.push(at);
            } else if path.starts_with(root().join("docs")) && !pages.contains_key(&leads_to) {
                found.push(format!("{at} is no page of the book"));
            }
        }
    }
    assert_none(&found, "a link leads to a file, and to a heading in it; within the book, to a page of the book");
}

/// A path without its steps upwards.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        if part == std::path::Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
        plain
    })
}
