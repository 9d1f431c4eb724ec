//! `sh`: its options, and running a script from start to end.
//!
//! Invariant: a shell ends with the status of its last command unless something ended it earlier.

use super::state::{Flow, Shell, Stop};
use crate::process::{Exit, IoError, Process};
use futures::future::BoxFuture;

/// How much a script read from standard input or a file may hold; see the parser's own bound.
const MAX_INPUT: usize = 1 << 20;

/// `sh [-eux...] [-c SCRIPT [NAME [ARG...]]] [FILE [ARG...]]`
pub(crate) async fn main(process: Process) -> Exit {
    let args = process.args().to_vec();
    let mut shell = Shell::new(process.clone(), process.argv.first().cloned().unwrap_or_default(), Vec::new());
    let mut command = false;
    let mut at = 0;
    while let Some(flags) = args.get(at).and_then(|arg| arg.strip_prefix('-').filter(|flags| !flags.is_empty())) {
        at += 1;
        if flags == "-" {
            break;
        }
        let mut letters = flags.chars();
        while let Some(letter) = letters.next() {
            match letter {
                'c' => command = true,
                'o' => {
                    let Some(name) = args.get(at) else { return Exit::not_simulated("sh -o without a name") };
                    at += 1;
                    if !shell.options.set_named(name, true) {
                        return Exit::not_simulated(format!("sh -o {name}"));
                    }
                }
                // Reading the profile: the images have none.
                'l' => {}
                's' if letters.as_str().is_empty() => {}
                letter if shell.options.set_letter(letter, true) => {}
                _ => return Exit::not_simulated(format!("sh -{letter}")),
            }
        }
    }
    let rest = args.get(at..).unwrap_or_default();
    let script = if command {
        let Some((script, rest)) = rest.split_first() else {
            let text =
                if shell.is_busybox() { "sh: -c requires an argument" } else { "sh: 0: -c requires an argument" };
            process.warn(format!("{text}\n")).await;
            return Exit::Code(2);
        };
        if let Some((name, params)) = rest.split_first() {
            shell.name.clone_from(name);
            shell.params = params.to_vec();
        }
        script.clone()
    } else if let Some((file, params)) = rest.split_first() {
        shell.name.clone_from(file);
        shell.params = params.to_vec();
        match process.fs.read(&process.path(file)) {
            Ok(data) => String::from_utf8_lossy(&data).into_owned(),
            Err(error) if shell.is_busybox() => {
                process.warn(format!("{}: can't open '{file}': {error}\n", process.argv[0])).await;
                return Exit::Code(2);
            }
            Err(error) => {
                let text =
                    if error == crate::fs::FsError::NotFound { "No such file".to_owned() } else { error.to_string() };
                process.warn(format!("{}: 0: cannot open {file}: {text}\n", process.argv[0])).await;
                return Exit::Code(2);
            }
        }
    } else {
        if process.stdin().is_terminal() {
            return Exit::not_simulated("an interactive shell");
        }
        match read_script(&process).await {
            Ok(script) => script,
            Err(exit) => return exit,
        }
    };
    shell.run_script_to_end(&script).await
}

/// A script from standard input. Commands in it that read standard input find it at its end.
async fn read_script(process: &Process) -> Result<String, Exit> {
    match process.stdin().read_to_end(MAX_INPUT).await {
        Ok(Some(data)) => Ok(String::from_utf8_lossy(&data).into_owned()),
        Ok(None) => Err(Exit::not_simulated(format!("a shell script of more than {MAX_INPUT} bytes"))),
        Err(IoError::BadDescriptor) => Ok(String::new()),
        Err(error) => Err(Exit::not_simulated(format!("a shell script from there: {error}"))),
    }
}

impl Shell {
    /// Runs a script as the whole life of this shell.
    pub(super) fn run_script_to_end<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let flow = self.script(script).await;
            self.end(flow).await
        })
    }

    /// Runs a script inside this shell, as `eval` and `.` do.
    pub(super) fn script<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Flow> {
        Box::pin(async move {
            let program = self.parse(script).await?;
            let mut status = 0;
            for list in &program.complete_commands {
                status = self.list(list).await?;
            }
            Ok(status)
        })
    }

    /// What a shell (or subshell) comes to when its commands are over: the exit trap, then the status.
    pub(super) async fn end(&mut self, flow: Flow) -> Exit {
        let exit = match flow {
            Ok(status) | Err(Stop::Return(status)) => Exit::Code(status),
            Err(Stop::Break(_) | Stop::Continue(_)) => Exit::Code(0),
            Err(Stop::End(exit)) => exit,
        };
        let Some(trap) = self.exit_trap.take() else { return exit };
        let Exit::Code(status) = exit else { return exit };
        self.status = status;
        match self.script(&trap).await {
            Err(Stop::End(exit)) => exit,
            _ => Exit::Code(status),
        }
    }
}
