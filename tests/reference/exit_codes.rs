//! `exit-codes.md`: the table of exit codes, and what to do on each.

use periplus_core::outcome::ExitCode;

use super::markdown::{fill, table};

pub(super) fn page() -> String {
    let rows = ExitCode::TABLE.iter().map(|(code, meaning)| {
        vec![format!("[{}](#exit-code-{0})", code.code()), (*meaning).to_owned(), in_short(*code).to_owned()]
    });
    let sections: Vec<String> = ExitCode::TABLE
        .iter()
        .map(|(code, meaning)| {
            let mut letters = meaning.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            format!("## Exit code {}\n\n{first}{}.\n\n{}\n", code.code(), letters.as_str(), what_to_do(*code))
        })
        .collect();
    fill(
        include_str!("frame/exit-codes.md"),
        &[("table", table(&["Code", "Meaning", "What to do"], rows)), ("sections", sections.join("\n"))],
    )
}

const fn in_short(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Passed => "nothing",
        ExitCode::Failed => "read what differed: it is an answer",
        ExitCode::Invalid => "mend the runbook, the values or the command; nothing was changed",
        ExitCode::Target => "mend the way to the cluster, and run it again: there was no answer",
        ExitCode::CleanupIncomplete => "act: changes still stand",
        ExitCode::Interrupted => "see what stands, then undo or run again",
    }
}

const fn what_to_do(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Passed => {
            "Nothing. Every step that was meant to run passed; steps whose `when` was false count as passed over. A command \
             that only shows something ends with 0 when it could show it; `periplus lint` also where there are only \
             warnings."
        }
        ExitCode::Failed => {
            "The cluster was asked, and its answer was not what the runbook says. The end of the report names the step, \
             shows the difference, how often it was tried, and the `kubectl` line that does the same by hand. `periplus show` \
             shows the report again.\n\n\
             A step fails when a check did not hold, a program ended with a code that was not expected, the API server \
             refused a request for what it says, the step's time was up, or a change was found reverted at the end. Changes \
             that were made before still stand, unless the runbook has `cleanup:`; `periplus undo RUN` takes them back."
        }
        ExitCode::Invalid => {
            "Nothing was changed. Either the runbook, a parameter or the command line is wrong: each problem is \
             shown with a code, and [Diagnostics](diagnostics.md) explains each code. Or the question before the first \
             change was answered with no, or could not be asked since there is no terminal: `--yes` answers it beforehand."
        }
        ExitCode::Target => {
            "There was no answer, so nothing is known: the cluster could not be reached, it did not let us, what \
             `requires:` lists was not there, no pod was ready, a stream was cut, or a rehearsal came to something that the \
             lab does not simulate. The report names which. Mend that, and run the runbook again. Never take this code for \
             a finding: a network that is down does not prove that a site is blocked."
        }
        ExitCode::CleanupIncomplete => {
            "Changes were to be taken back, by `cleanup:`, `--cleanup` or `periplus undo`, and some still stand. The report \
             lists each with the reason. An object that someone else changed since is left alone: look at it, then either \
             mend it by hand or use `periplus undo RUN --force`. For what could not be reached, `periplus undo RUN` again is \
             enough: it goes on with what still stands."
        }
        ExitCode::Interrupted => {
            "Ctrl-C or a signal ended the run. After one, running steps were finished and nothing new was started; after a \
             second, they were cancelled. The journal is whole either way: `periplus show` lists what was done, and \
             `periplus undo RUN` takes it back."
        }
    }
}
