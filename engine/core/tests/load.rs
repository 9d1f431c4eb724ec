//! Promises of loading: every code of the table can be provoked, the schema agrees with the loader, and no text at all
//! makes the loader fail in another way than by a diagnostic.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "fixtures are files and a shell is a process; the core under test is handed text"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use periplus_core::codes::Code;
use periplus_core::load::{Files, Loaded, load};
use periplus_core::schema;
use periplus_core::source::Source;
use proptest::prelude::*;
use serde_json::Value;

/// Codes that no runbook of a few lines provokes, each with where it is provoked instead.
const ELSEWHERE: [(Code, &str); 8] = [
    (Code::NotFound, "where the file is read"),
    (Code::NotUtf8, "where the file is read"),
    (Code::FileTooLarge, "below, with a text of that size"),
    (Code::TooManyNodes, "below, with a text of that size"),
    (Code::UnknownParameter, "in the tests of `params`"),
    (Code::MissingParameter, "in the tests of `params`"),
    (Code::InvalidParameter, "in the tests of `params`"),
    (Code::BadArgument, "in the tests of `plan`"),
];

/// The files beside every fixture.
struct Beside;

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        match path {
            "sleep.yaml" | "manifests/sleep.yaml" => {
                Ok("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sleep}\n".to_owned())
            }
            _ => Err("no such file".to_owned()),
        }
    }
}

fn read(text: &str) -> Loaded {
    load(&Source { name: "runbook.yaml".to_owned(), text: text.to_owned() }, &Beside)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Diagnostics as `line:column: severity code: message`, with help below: what a reader sees, without drawings.
fn told(text: &str, loaded: &Loaded) -> String {
    let source = Source { name: String::new(), text: text.to_owned() };
    let mut told = String::new();
    for problem in &loaded.diagnostics {
        let (line, column) = problem.labels.first().map_or((0, 0), |label| source.line_column(label.span.start));
        let severity = format!("{:?}", problem.severity).to_lowercase();
        writeln!(told, "{line}:{column}: {severity} {}: {}", problem.code, problem.message).expect("a string");
        if let Some(help) = &problem.help {
            writeln!(told, "    {help}").expect("a string");
        }
    }
    told
}

/// `UPDATE=1 cargo test -p periplus-core --test load` writes what is told anew.
#[test]
fn every_code_has_a_fixture_that_provokes_it_and_nothing_else() {
    let folder = fixtures().join("diagnostics");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let code = Code::ALL.iter().find(|code| code.as_str() == name);
        let code = *code.unwrap_or_else(|| panic!("{name}.yaml is not named after a code"));
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let loaded = read(&text);
        let told = told(&text, &loaded);
        assert!(!loaded.diagnostics.is_empty(), "{name}.yaml provokes nothing");
        for problem in &loaded.diagnostics {
            assert_eq!(problem.code, code, "{name}.yaml provokes something else:\n{told}");
            assert!(problem.labels.iter().all(|label| text.get(label.span.range()).is_some()), "{name}: {problem:?}");
        }
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &told).expect("written");
        }
        assert_eq!(told, std::fs::read_to_string(&expected).unwrap_or_default(), "{name}");
        found.insert(code);
    }
    for (code, _) in ELSEWHERE {
        assert!(!found.contains(&code), "{code} has a fixture and is listed as having none");
    }
    let elsewhere: BTreeSet<Code> = ELSEWHERE.iter().map(|(code, _)| *code).collect();
    let without: Vec<&Code> =
        Code::ALL.iter().filter(|code| !found.contains(code) && !elsewhere.contains(code)).collect();
    assert!(without.is_empty(), "codes without a fixture: {without:?}");
}

#[test]
fn files_beyond_the_bounds_are_refused() {
    let only = |text: &str| read(text).diagnostics.iter().map(|problem| problem.code).collect::<Vec<_>>();
    assert_eq!(only(&"#".repeat((32 << 20) + 1)), [Code::FileTooLarge]);
    assert_eq!(only(&format!("[{}]", "a,".repeat(2_000_001))), [Code::TooManyNodes]);
    assert_eq!(only(&format!("{}{}", "[".repeat(100), "]".repeat(100))), [Code::TooDeep]);
    for endless in ["[", "{a: ", "- ", "? ", "\"", "!", "&", "*", "%", "|", "{{"] {
        let loaded = read(&endless.repeat(200_000));
        assert_eq!(loaded.diagnostics.len(), 1, "{endless}: {}", loaded.diagnostics.len());
        assert!(loaded.diagnostics[0].message.len() < 300, "{}", loaded.diagnostics[0].message);
    }
}

/// The folder of a runbook of this repository.
struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }
}

#[test]
fn the_runbooks_of_the_repository_load_and_fit_the_schema() {
    let validator = jsonschema::validator_for(&schema::runbook()).expect("a schema");
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks");
    let mut seen = 0;
    for entry in std::fs::read_dir(runbooks).expect("a folder") {
        let folder = entry.expect("an entry").path();
        let path = folder.join("runbook.yaml");
        let text = std::fs::read_to_string(&path).expect("a runbook");
        let source = Source { name: path.display().to_string(), text };
        let loaded = load(&source, &Folder(folder));
        assert!(loaded.diagnostics.is_empty(), "{}:\n{}", path.display(), told(&source.text, &loaded));
        let value: Value = serde_yaml::from_str(&source.text).expect("YAML");
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen > 0);
}

/// What is wrong with a runbook beyond the form of its values: the schema cannot see it.
const BEYOND_FORM: [&str; 20] = [
    "duplicate-key",
    "misplaced-key",
    "duplicate-step",
    "unknown-step",
    "wrong-step",
    "cycle",
    "no-namespace",
    "two-namespaces",
    "missing-file",
    "bad-manifest",
    "bad-pattern",
    "near-miss-token",
    "bad-template",
    "unknown-name",
    "unknown-helper",
    "capture-upstream",
    "capture-taken",
    "shell-quoting",
    "shell-variable",
    "bad-condition",
];

#[test]
fn schema_and_loader_agree_on_form() {
    let schema = schema::runbook();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let value = |path: &Path| -> Option<Value> {
        let text = std::fs::read_to_string(path).expect("a file");
        serde_yaml::from_str(&text).ok()
    };
    let example = value(&fixtures().join("example.yaml")).expect("YAML");
    let errors: Vec<String> =
        validator.iter_errors(&example).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut refused = 0;
    for code in Code::ALL {
        let path = fixtures().join("diagnostics").join(format!("{code}.yaml"));
        // Bounds, notation and broken parameters are beyond a schema as well; broken YAML never reaches one.
        if matches!(code, Code::TooLong | Code::BadParameter | Code::TooDeep | Code::NotPlainYaml) || !path.exists() {
            continue;
        }
        let Some(value) = value(&path) else { continue };
        if BEYOND_FORM.contains(&code.as_str()) {
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            if *code != Code::MisplacedKey {
                assert!(errors.is_empty(), "{code}: {errors:#?}");
            }
        } else {
            assert!(!validator.is_valid(&value), "{code}: the loader refuses it, the schema does not");
            refused += 1;
        }
    }
    assert!(refused >= 8, "only {refused}");
}

/// Words of the format, so that arbitrary texts come near to runbooks.
fn scraps() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "apiVersion: periplus.dev/v1\n",
        "kind: Runbook\n",
        "metadata: {name: x}\n",
        "steps:\n",
        "- id: a\n",
        "  ",
        "exec: ",
        "apply: ",
        "expect-output: ",
        "log-grep: ",
        "patch: ",
        "wait: ",
        "get: ",
        "capture: ",
        "needs: [a]\n",
        "when: ",
        "like: a",
        "since: a",
        "in: ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\n",
        "\n  ",
        "\n    ",
        "{{",
        "}}",
        "{{X}}",
        "{{#if X}}",
        "{{/if}}",
        "{{else}}",
        "{{~",
        "\\{{",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "#",
        "&a ",
        "*a",
        "<<: ",
        "!t ",
        "---\n",
        "sh: ",
        "$X",
        "$(",
        "<<EOF\n",
        "`",
        "lines: ",
        "[ip]",
        "[..]",
        "...",
        "regex: ",
        "(",
        ")",
        "é",
        "\t",
        "\0",
        "\r\n",
        "null",
        "~",
        "0",
        "params:\n  X: {type: ip}\n",
        "default: ",
        "namespace: x\n",
        "manifest: ",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_loader_fail(text in scraps()) {
        let loaded = read(&text);
        prop_assert_eq!(loaded.runbook.is_some(), loaded.order.is_some());
        prop_assert!(loaded.runbook.is_some() || !loaded.diagnostics.is_empty());
        for problem in &loaded.diagnostics {
            for label in &problem.labels {
                prop_assert!(text.get(label.span.range()).is_some(), "{:?}", problem);
            }
        }
    }

    #[test]
    fn no_step_makes_the_loader_fail(step in scraps()) {
        let text = format!(
            "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: x}}\nnamespace: y\nparams: {{X: {{type: ip}}}}\nsteps:\n- id: a\n  {step}"
        );
        let loaded = read(&text);
        prop_assert!(loaded.runbook.is_some() || !loaded.diagnostics.is_empty());
    }

    /// What a shell makes of a quoted value is the value, whatever it is and wherever it may stand.
    #[test]
    fn a_shell_reads_a_value_back(value in "[ -~é\n\t]{0,20}", around in prop::sample::select(vec![
        "printf %s @", "X=@; printf %s \"$X\"", "printf %s \"$(printf %s @)\"",
        "if true; then\n  printf %s @ # it's\nfi", "cat <<'E' >/dev/null\nit's\nE\nprintf %s @",
        "{{#if X}}printf '%s' @{{else}}echo 'no{{/if}}{{#unless X}}'{{/unless}}",
    ])) {
        use periplus_core::template::{Flavour, Scope, Template};
        let script = around.replace('@', "{{V}}");
        let mut scope = Scope::new();
        scope.set("V", value.as_str());
        scope.set("X", true);
        let Ok(template) = Template::parse(&script, Flavour::Shell) else {
            // The last of the scripts opens quotes in a block and is refused.
            prop_assert!(script.contains("unless"));
            return Ok(());
        };
        let script = template.render(&scope).expect("a bare place");
        let output = std::process::Command::new("sh").arg("-c").arg(&script).output().expect("sh runs");
        let read = String::from_utf8_lossy(&output.stdout).into_owned();
        if around.contains("$(") {
            // Command substitution takes line breaks off the end.
            prop_assert_eq!(read.trim_end_matches(['\n', '.']), value.trim_end_matches(['\n', '.']), "{}", script);
        } else {
            prop_assert_eq!(read, value, "{}", script);
        }
    }

    #[test]
    fn no_script_makes_a_template_fail(script in scraps()) {
        for flavour in [
            periplus_core::template::Flavour::Text,
            periplus_core::template::Flavour::Manifest,
            periplus_core::template::Flavour::Shell,
        ] {
            if let Ok(template) = periplus_core::template::Template::parse(&script, flavour) {
                let mut scope = periplus_core::template::Scope::new();
                scope.set("X", "a b");
                let _ = template.render(&scope);
                let _ = template.render_pieces(&scope);
            }
        }
        let _ = periplus_core::template::Condition::parse(&script);
    }
}
