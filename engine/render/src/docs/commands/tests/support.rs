//! Runbooks for tests, and a real shell to read the commands with.

use std::io::Write;
use std::process::{Output, Stdio};

use periplus_core::load::{Files, load};
use periplus_core::model::Runbook;
use periplus_core::source::Source;

use crate::docs::commands::{Commanded, Commands};

/// Files that a runbook names, from the source tree.
struct Beside(&'static [(&'static str, &'static str)]);

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("there is no {path}"))
    }
}

/// Loads a runbook that must have nothing wrong with it.
pub(super) fn read(text: &str, files: &'static [(&'static str, &'static str)]) -> Runbook {
    let source = Source { name: "runbook.yaml".to_owned(), text: text.to_owned() };
    let loaded = load(&source, &Beside(files));
    loaded.runbook.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// Loads a runbook of these steps, in namespace `demo`, with some parameters of every sort.
pub(super) fn steps(steps: &str) -> Runbook {
    let text = format!(
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: example}}\nnamespace: demo\nparams:\n  \
         TEXT: {{type: string, default: some text}}\n  IP: {{type: ip}}\n  PORT: {{type: port, default: 80}}\n  \
         SITE: {{type: url, default: 'https://example.com/x'}}\n  NAME: {{type: name, default: page}}\n  \
         SECRET: {{type: string, secret: true, default: hush}}\n  ON: {{type: bool, default: true}}\n  \
         HOSTS: {{type: list, of: host, default: [a.example, b.example]}}\n  \
         CA: {{type: file, default: ca.pem}}\nsteps:\n{steps}"
    );
    read(&text, &[("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")])
}

/// The commands of the last of these steps.
pub(super) fn last(text: &str) -> Commanded {
    let runbook = steps(text);
    let commanded = Commands::new(&runbook).step(runbook.steps.last().expect("a step"));
    if let Some(block) = &commanded.block {
        parses(block);
    }
    commanded
}

/// The block of the last of these steps.
pub(super) fn block(text: &str) -> String {
    last(text).block.expect("a block")
}

/// The functions of the shell that these steps call.
pub(super) fn functions(text: &str) -> String {
    let runbook = steps(text);
    Commands::new(&runbook).functions().iter().map(|function| format!("{}\n", function.block)).collect()
}

/// Runs a script in a shell of this machine.
#[expect(clippy::disallowed_types, reason = "only a real shell tells how a shell reads")]
pub(in crate::docs::commands) fn run(shell: &[&str], script: &str, variables: &[(&str, &str)]) -> Output {
    let mut child = std::process::Command::new(shell[0])
        .args(&shell[1..])
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

/// Asserts that bash can read a block.
pub(super) fn parses(block: &str) {
    let output = run(&["bash", "-n"], block, &[]);
    assert!(output.status.success(), "{block}\n\n{}", String::from_utf8_lossy(&output.stderr));
}
