//! One call of the program: files, arguments and environment in; exit code and text out.
//!
//! Each case has a folder of its own for runbooks and for runs, and an environment of its own: nothing of the machine
//! that runs the tests is seen by the program.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::redact::redact;

/// A call that is being prepared.
pub(crate) struct Case {
    folder: TempDir,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: String,
}

/// What came of a call.
pub(crate) struct Done {
    folder: TempDir,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Case {
    /// A call with these arguments, in an empty folder.
    pub(crate) fn new(args: &[&str]) -> Self {
        Self::within(TempDir::new().expect("a temporary folder can be made"), args)
    }

    fn within(folder: TempDir, args: &[&str]) -> Self {
        let home = folder.path().display().to_string();
        let env = [("HOME", home.as_str()), ("XDG_STATE_HOME", &format!("{home}/state")), ("LANG", "C.UTF-8")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { folder, args: args.iter().map(|&arg| arg.to_owned()).collect(), env: env.into(), stdin: String::new() }
    }

    /// Puts a file into the case's folder.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a folder can be made");
        }
        std::fs::write(path, text).expect("a file can be written");
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Calls the program and waits for its end.
    pub(crate) fn run(self) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_periplus"))
            .args(&self.args)
            .env_clear()
            .envs(&self.env)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        // The program may end without reading.
        drop(child.stdin.take().map(|mut stdin| stdin.write_all(self.stdin.as_bytes())));
        let output = child.wait_with_output().expect("the binary ends");
        Done {
            code: output.status.code(),
            stdout: redact(&String::from_utf8(output.stdout).expect("standard output is UTF-8"), self.folder.path()),
            stderr: redact(&String::from_utf8(output.stderr).expect("standard error is UTF-8"), self.folder.path()),
            folder: self.folder,
        }
    }
}

impl Done {
    /// The exit code must be this one.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output, with what changes from run to run masked.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Standard error, with what changes from run to run masked.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Standard error must hold each of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is missing in stderr:\n{}", self.stderr);
        }
        self
    }

    /// Standard output must hold each of these.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "{part:?} is missing in stdout:\n{}", self.stdout);
        }
        self
    }

    /// A further call in the same folder, with what this one left in it.
    pub(crate) fn then(self, args: &[&str]) -> Case {
        Case::within(self.folder, args)
    }

    /// The case's folder, with what the program left in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the case's folder.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }
}
