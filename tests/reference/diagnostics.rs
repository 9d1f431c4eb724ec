//! `diagnostics.md`: each code with a runbook that provokes it, what is then printed, and the remedy.
//!
//! Everything printed comes from the program itself.

use std::path::Path;

use periplus_core::codes::Code;
use periplus_core::source::LIMITS;

use super::markdown::{code, fence, fill, table};
use crate::support::Case;

/// Most diagnostics of a fixture that are shown.
const SHOWN: usize = 2;
/// Longest line of a runbook that is shown, in characters.
const WIDTH: usize = 100;

pub(super) fn page() -> String {
    let rows = Code::ALL.iter().map(|of| vec![format!("[{}](#{of})", code(of.as_str())), of.meaning().to_owned()]);
    let sections: Vec<String> = Code::ALL.iter().map(|of| section(*of)).collect();
    fill(
        include_str!("frame/diagnostics.md"),
        &[("codes", table(&["Code", "Meaning"], rows)), ("sections", sections.join("\n"))],
    )
}

fn section(of: Code) -> String {
    let shown = match Seen::of_arguments(of) {
        Some(seen) => seen.console(of),
        None => {
            let fixture = fixture(of);
            let done = Case::new(&["lint", "runbook.yaml"])
                .file("runbook.yaml", &fixture)
                .file("sleep.yaml", MANIFEST)
                .file("manifests/sleep.yaml", MANIFEST)
                .run();
            format!("{}\n{}", fence("yaml", &shortened(&fixture)), fence("text", &first(of, done.stdout())))
        }
    };
    format!("## {}\n\n{}\n\n{shown}\n**Remedy.** {}\n", code(of.as_str()), of.meaning(), remedy(of))
}

const MANIFEST: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sleep}\n";

fn fixture(of: Code) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/core/tests/fixtures/diagnostics");
    std::fs::read_to_string(folder.join(format!("{of}.yaml"))).unwrap_or_else(|_| panic!("{of} has no fixture"))
}

/// Lines that go on for ever are cut.
fn shortened(text: &str) -> String {
    let cut = |line: &str| match line.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line.to_owned(),
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

/// The first diagnostics of a printout, and its last line.
fn first(of: Code, printed: &str) -> String {
    let head = format!("{of}\n\n");
    let mut parts: Vec<&str> = printed.split(&head).collect();
    assert!(parts.len() > 1, "{of} is not printed:\n{printed}");
    parts.remove(0);
    let last = printed.trim_end().lines().last().unwrap_or_default();
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end().trim_end_matches(last).trim_end()).collect();
    let more = if parts.len() > SHOWN { "\n\n..." } else { "" };
    let shown: Vec<String> = parts.iter().take(SHOWN).map(|part| format!("{head}{part}")).collect();
    shortened(&format!("{}{more}\n\n{last}", shown.join("\n\n")))
}

/// A call that provokes a code that no runbook of a few lines does.
struct Seen {
    args: &'static [&'static str],
    /// What the file holds, in words, and what it holds.
    file: Option<(&'static str, Vec<u8>)>,
    /// Whether the file is shown.
    whole: bool,
}

/// A runbook with a parameter that must be given.
const BOOK: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: example}
namespace: default
params:
  PROXY_IP: {type: ip, description: Address of the corporate proxy}
steps:
- id: call
  exec: {in: {workload: deploy/sleep}, command: [curl, -x, \"{{PROXY_IP}}:3128\", \"https://example.com\"]}
";

impl Seen {
    fn of_arguments(of: Code) -> Option<Self> {
        let on_book = |args| Some(Self { args, file: Some(("", BOOK.into())), whole: true });
        let lint =
            |words, bytes| Some(Self { args: &["lint", "runbook.yaml"], file: Some((words, bytes)), whole: false });
        match of {
            Code::NotFound => Some(Self { args: &["lint", "runbook.yaml"], file: None, whole: false }),
            Code::NotUtf8 => lint("a file that was saved as Latin-1", b"# caf\xe9\n".to_vec()),
            Code::FileTooLarge => {
                let size = usize::try_from(LIMITS.file_bytes).expect("a bound that memory holds");
                lint("a file of 32 MiB and one byte", vec![b'#'; size + 1])
            }
            Code::TooManyNodes => {
                lint("a list of two million items", format!("[{}]", "a,".repeat(LIMITS.nodes + 1)).into())
            }
            Code::UnknownParameter => on_book(&["plan", "runbook.yaml", "--set", "PROXY_IPP=10.0.0.7"]),
            Code::MissingParameter => on_book(&["rehearse", "runbook.yaml"]),
            Code::InvalidParameter => on_book(&["plan", "runbook.yaml", "--set", "PROXY_IP=10.0.0.7:3128"]),
            Code::BadArgument => on_book(&["plan", "runbook.yaml", "--set", "PROXY_IP=10.0.0.7", "--from", "cal"]),
            _ => None,
        }
    }

    fn console(self, of: Code) -> String {
        let mut case = Case::new(self.args);
        let mut shown = String::new();
        if let Some((words, bytes)) = &self.file {
            case = case.file("runbook.yaml", bytes);
            shown = if self.whole {
                format!("{}\n", fence("yaml", &String::from_utf8_lossy(bytes)))
            } else {
                format!("With {words}:\n\n")
            };
        }
        let done = case.run().code(2);
        let printed = format!("{}{}", done.stdout(), done.stderr());
        assert!(printed.contains(of.as_str()), "{of} is not printed:\n{printed}");
        let text = format!("$ periplus {}\n{printed}", self.args.join(" "));
        format!("{shown}{}", fence("console", &shortened(&text)))
    }
}

/// What to do about it. The match is whole: a new code does not compile without its remedy.
const fn remedy(of: Code) -> &'static str {
    match of {
        Code::NotFound => "Give the path of a runbook, or of the folder that holds its `runbook.yaml`.",
        Code::NotUtf8 => "Save the file as UTF-8. The message names the first byte that is not.",
        Code::FileTooLarge => {
            "Divide the runbook, or move large manifests into files of their own: `apply: {file: …}`."
        }
        Code::NotYaml => {
            "Mend the place that is shown. Nothing behind it was looked at, so lint once more afterwards. A value that starts \
             with `{{`, `[`, `*`, `&`, `@` or a backtick must be quoted."
        }
        Code::EmptyFile => "Start with `apiVersion: periplus.dev/v1` and `kind: Runbook`.",
        Code::SecondDocument => {
            "Keep one runbook a file. Documents of a manifest, divided by `---`, belong into a `|` block or a file of their \
             own."
        }
        Code::NotPlainYaml => {
            "Write the value out where it is used. For an exec that is run again there is `like: STEP`, for a value that is \
             used often a parameter with a default."
        }
        Code::TooManyNodes => "Divide the runbook into several.",
        Code::TooDeep => "Put deep manifests into a `|` block or a file: their nesting is not that of the runbook.",
        Code::NotARunbook => {
            "Check `apiVersion` and `kind`. A runbook of another version needs a Periplus that knows that version."
        }
        Code::UnknownKey => {
            "Take the key that is suggested, or look into [the runbook file](runbook.md) for what there is. Often the key is \
             right and its indent is not: it then belongs to the mapping above."
        }
        Code::MissingKey => "Add the key. [The runbook file](runbook.md) says what it means and what it takes.",
        Code::DuplicateKey => "Keep one of the two. YAML itself would silently take the last.",
        Code::WrongType => {
            "Write the value in the form that is named: a list in brackets or dashes, a mapping with keys, a text in quotes. \
             An empty value is null, which is never text: write `\"\"`."
        }
        Code::BadValue => "Take one of the values that the message lists.",
        Code::UnquotedTemplate => "Put quotes around it: `\"{{NAME}}\"`.",
        Code::NotOneVerb => {
            "Give each step exactly one [verb](verbs.md), and make two steps of one with two. `wait`, `expect-output` and \
             `expect-object` may stand beside another verb."
        }
        Code::ReservedVerb => {
            "Use one of the [verbs](verbs.md) of this version. The name is kept free for a later one."
        }
        Code::MisplacedKey => {
            "Move the key to where it has an effect, or drop it. [Verbs](verbs.md) has a table of what may stand beside \
             which verb."
        }
        Code::DuplicateStep => "Give one of the two another id.",
        Code::UnknownStep => "Take the id that is suggested, or check whether the step was renamed or removed.",
        Code::WrongStep => "Name a step whose verb is `exec`, and not the step itself.",
        Code::Cycle => "Take one of the steps of the circle out of `needs`, or move it. The message prints the circle.",
        Code::AssertsNothing => {
            "Say what must be there. A check that holds whatever comes would prove nothing; see \
             [checks that can fail](../guides/checks-that-can-fail.md)."
        }
        Code::NoNamespace => {
            "Set `namespace` on the object, on the step, or at the top of the runbook. The kubeconfig's namespace is never \
             used, since it would make the same runbook act elsewhere on another machine."
        }
        Code::TwoNamespaces => "Keep one of the two. Where the manifest names a namespace, the step need not.",
        Code::MissingFile => {
            "Check the path: it is relative to the runbook's folder, and a file must lie in that folder or below it."
        }
        Code::BadManifest => {
            "Each document of a manifest is one object with `apiVersion`, `kind` and `metadata.name`. Templates are filled in \
             before it is read, so quote a value that YAML would read otherwise: `\"{{NAME}}\"`, or `{{json NAME}}`."
        }
        Code::BadPattern => {
            "Mend the expression. In double quotes YAML reads `\\` itself: write regular expressions without quotes, or in \
             single ones."
        }
        Code::NearMissToken => {
            "Write the token that is suggested; [Matching](matching.md#tokens) lists all. If the text is meant as it stands, \
             write `\\[` for the bracket, and the warning goes away."
        }
        Code::BadTemplate => {
            "Close what is open: `{{NAME}}`, `{{#if NAME}}…{{/if}}`. For braces that are to stay as they are write `\\{{`."
        }
        Code::UnknownName => {
            "Take the name that is suggested, or declare it: a parameter under `params`, a capture in a step above."
        }
        Code::UnknownHelper => "Take the helper that is suggested; [Templates](templates.md#helpers) lists all.",
        Code::CaptureUpstream => {
            "Let the step wait for the one that takes the capture: move it below, or name that step in `needs`."
        }
        Code::CaptureTaken => "Give one of the two another name.",
        Code::ShellQuoting => {
            "Hand the value over as a variable: `env: {NAME: \"{{NAME}}\"}`, and write `\"$NAME\"` in the script. Or put the \
             template outside of the quotes, where it becomes one quoted word by itself."
        }
        Code::ShellVariable => {
            "Write `{{NAME}}`, which is filled in, or set the variable: `env: {NAME: \"{{NAME}}\"}`. In the container nothing \
             else sets it."
        }
        Code::BadCondition => {
            "Write CEL over bare names: `when: PORT > 1024 && NAME != \"\"`. [Conditions](templates.md#conditions) lists the \
             functions that there are."
        }
        Code::TooLong => {
            "Make it shorter or flatter: compute in a program, or divide the step. The [limits](runbook.md#limits) are listed."
        }
        Code::BadParameter => {
            "Make the declaration agree with itself: a default of the parameter's type, `values` for an enum only, no default \
             beside `optional`."
        }
        Code::UnknownParameter => "Take the name that is suggested. `periplus plan` lists all parameters of a runbook.",
        Code::MissingParameter => {
            "Give it: `--set NAME=VALUE`, `--params FILE`, or the environment variable that the runbook's `env` names. In a \
             rehearsal the world may give it."
        }
        Code::InvalidParameter => {
            "Give a value of the parameter's [type](runbook.md#types-of-parameters). The message says what is wrong with \
             this one, and from where it came."
        }
        Code::BadArgument => {
            "Give `--from`, `--only` and `--until` the ids of steps of this runbook, and choose with a step also those that it \
             takes captures from."
        }
    }
}
