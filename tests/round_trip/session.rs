//! One interactive bash into which blocks are pasted, one after the other, with what each of them wrote kept apart.
//!
//! It has an empty home and starts in an empty folder: nothing of the machine but its programs is seen by a page.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

/// The longest that one block may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What says that a block has ended, before its exit status.
const END: &str = "block ended with ";

/// An interactive shell.
pub(crate) struct Session {
    bash: Child,
    keyboard: ChildStdin,
    ends: Receiver<String>,
    /// Holds `home`, `work` and the streams of each block.
    folder: TempDir,
    blocks: usize,
}

/// What came of a block.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: i32,
}

impl Session {
    /// Opens a shell for the cluster of a kubeconfig.
    ///
    /// # Panics
    /// When this machine lacks bash or kubectl: a page that nobody walked through is not one that works.
    pub(crate) fn open(kubeconfig: &Path) -> Self {
        let kubectl = Command::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).status();
        assert!(kubectl.is_ok(), "kubectl cannot be started: run tests/setup.sh first");
        let folder = TempDir::new().expect("a temporary folder can be made");
        for name in ["home", "work"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc", "--noediting", "-i"])
            .env_clear()
            .env("PATH", path)
            .env("HOME", folder.path().join("home"))
            .env("KUBECONFIG", kubeconfig)
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .envs([("PS1", ""), ("PS2", "")])
            .current_dir(folder.path().join("work"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash can be started: run tests/setup.sh first");
        let keyboard = bash.stdin.take().expect("it is piped");
        let output = BufReader::new(bash.stdout.take().expect("it is piped"));
        let (tell, ends) = channel();
        std::thread::spawn(move || {
            let ends = output.lines().map_while(Result::ok);
            for end in ends.filter_map(|line| line.split_once(END).map(|(_, end)| end.to_owned())) {
                if tell.send(end).is_err() {
                    return;
                }
            }
        });
        let mut session = Self { bash, keyboard, ends, folder, blocks: 0 };
        // Ends are told on a stream of their own, and nothing is left in a history.
        session.keyboard.write_all(b"exec 3>&1; unset HISTFILE\n").expect("bash reads");
        session
    }

    /// Pastes a block and waits until its last command has ended.
    ///
    /// # Errors
    /// That the shell ended, or waits for more than the block has.
    pub(crate) fn paste(&mut self, block: &str) -> Result<Ran, String> {
        self.blocks += 1;
        let file = |name: &str| self.folder.path().join(format!("{name}-{}", self.blocks));
        let (out, err) = (file("out"), file("err"));
        let open = format!("exec >'{}' 2>'{}'\n", out.display(), err.display());
        let end = format!("printf '{END}%s\\n' \"$?\" >&3\n");
        let text = format!("{open}{block}{}{end}", if block.ends_with('\n') { "" } else { "\n" });
        let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        // The shell may end without reading.
        let sent = self.keyboard.write_all(text.as_bytes()).and_then(|()| self.keyboard.flush());
        let end = self.ends.recv_timeout(if sent.is_ok() { PATIENCE } else { Duration::ZERO });
        let (stdout, stderr) = (read(&out), read(&err));
        match end {
            Ok(end) => Ok(Ran { stdout, stderr, exit: end.trim().parse().unwrap_or(-1) }),
            Err(why) => Err(format!(
                "{}\nstdout:\n{stdout}\nstderr:\n{stderr}",
                match why {
                    RecvTimeoutError::Timeout => "the shell still waits for an end of the block",
                    RecvTimeoutError::Disconnected => "the block ended the reader's shell",
                }
            )),
        }
    }

    /// The value of a variable of the shell; `None` if it is not set.
    pub(crate) fn value(&mut self, name: &str) -> Option<String> {
        let shown = self.paste(&format!("printf '%s' \"${{{name}+set}}:${{{name}-}}\"")).ok()?;
        shown.stdout.strip_prefix("set:").map(str::to_owned)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.bash.kill());
        drop(self.bash.wait());
    }
}

#[test]
fn a_block_is_pasted_as_into_a_terminal() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let mut session = Session::open(&folder.path().join("kubeconfig"));
    let ran = session.paste("export A='b c'\necho \"$A\"; echo oops >&2\nfalse").expect("it ends");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.exit), ("b c\n", "oops\n", 1));
    assert_eq!(session.value("A").as_deref(), Some("b c"));
    assert_eq!(session.value("NEVER_SET"), None);
    let ran = session.paste("export B=<A_NUMBER>\n").expect("a mistake does not end the shell");
    assert!(ran.stderr.contains("syntax error"), "{ran:?}");
    let ran = session.paste("echo \"${NEVER_SET:?}\"").expect("nor does this");
    assert_ne!(ran.exit, 0);
    assert!(session.paste("exit 3\n").expect_err("this does").contains("ended the reader's shell"));
}
