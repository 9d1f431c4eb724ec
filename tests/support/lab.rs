//! The embedded lab, served by the program itself, and calls of the program against it.
//!
//! Each lab has a folder of its own for runbooks and for runs. It is ready when its line on standard output says so.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use periplus_run::cluster::{Cluster, ConnectOptions, ContextChoice, Selector};
use serde_json::Value;
use tempfile::TempDir;

/// The kinds that runbooks of the tests make, or that follow from them.
const KINDS: [&str; 10] = [
    "Namespace",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Service",
    "Deployment",
    "ReplicaSet",
    "Pod",
    "Lease",
    "EndpointSlice",
];

/// Served only where the world has a mesh.
const MESH_KIND: &str = "ServiceEntry";

/// A lab that is being served.
pub(crate) struct Lab {
    server: Child,
    folder: TempDir,
    /// The line that says it is ready: an `export` of what a client needs.
    ready: String,
}

/// A call of the program that is under way. Its standard output goes to a file, so that it never waits for a reader.
pub(crate) struct Call {
    child: Child,
    out: PathBuf,
}

/// What came of a call.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    /// Serves a lab with this world, and waits until it is ready.
    pub(crate) fn start(world: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("world.yaml"), world).expect("a file can be written");
        let mut server = periplus(folder.path())
            .args(["lab", "--world", "world.yaml", "--kubeconfig", "kubeconfig"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("the lab says it is ready");
        assert!(line.starts_with("export "), "{line:?}");
        Self { server, folder, ready: line }
    }

    /// The world's parameters, as the lab gives them to its clients.
    pub(crate) fn exports(&self) -> BTreeMap<String, String> {
        let script = format!("{}\nenv -0", self.ready);
        let output = Command::new("/bin/sh").args(["-c", &script]).env_clear().output().expect("a shell");
        let text = String::from_utf8(output.stdout).expect("values are UTF-8");
        text.split('\0').filter_map(|entry| entry.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    /// Puts a file into the lab's folder.
    pub(crate) fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }

    /// A path in the lab's folder.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Starts the program against the lab.
    pub(crate) fn start_call(&self, args: &[&str]) -> Call {
        let out = tempfile::NamedTempFile::new_in(self.folder.path()).expect("a file can be made");
        let (file, out) = out.keep().expect("the file can be kept");
        let child = periplus(self.folder.path())
            .args(args)
            .stdout(file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        Call { child, out }
    }

    /// Calls the program against the lab and waits for its end.
    pub(crate) fn call(&self, args: &[&str]) -> Ended {
        self.start_call(args).end()
    }

    /// Runs the runbook in folder `book` on the lab.
    pub(crate) fn run(&self, book: &str, args: &[&str]) -> Ended {
        self.call(&[&["run", book, "--context", "@current", "--yes"], args].concat())
    }

    /// The ids of the runs so far.
    pub(crate) fn runs(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.path("state/periplus/runs")).expect("a folder of runs");
        let mut runs: Vec<String> =
            folder.map(|run| run.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        runs.sort();
        runs
    }

    /// All objects that the lab holds, by kind, namespace and name, without their versions and managers.
    pub(crate) fn objects(&self) -> BTreeMap<String, Value> {
        let options = ConnectOptions {
            kubeconfig: Some(self.path("kubeconfig")),
            ..ConnectOptions::new(ContextChoice::parse("@current"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let cluster = Cluster::connect(&options).await.expect("the lab's kubeconfig can be used");
            let mut objects = BTreeMap::new();
            for kind in KINDS.into_iter().chain([MESH_KIND]) {
                let resource = match cluster.resolve(None, kind).await {
                    Err(_) if kind == MESH_KIND => continue,
                    resource => resource.expect("the lab serves it"),
                };
                let listed = cluster.list(&resource, None, &Selector::default()).await.expect("a list");
                for mut object in listed.items {
                    let text =
                        |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
                    let key = format!("{kind} {}/{}", text("/metadata/namespace"), text("/metadata/name"));
                    if let Some(metadata) = object["metadata"].as_object_mut() {
                        metadata.remove("resourceVersion");
                        metadata.remove("managedFields");
                    }
                    objects.insert(key, object);
                }
            }
            objects
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl Call {
    /// Waits until the program has written this to standard output.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let ended = self.child.try_wait().expect("the child can be asked").is_some();
            let out = std::fs::read_to_string(&self.out).expect("its output can be read");
            if out.contains(text) {
                return;
            }
            assert!(!ended, "it ended without writing {text:?}:\n{out}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Sends a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        // The program may have ended by itself meanwhile; how it ended is what tests look at.
        Command::new("/bin/sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().expect("a shell");
    }

    /// Waits for the program's end.
    pub(crate) fn end(self) -> Ended {
        let output: Output = self.child.wait_with_output().expect("the binary ends");
        Ended {
            code: output.status.code(),
            stdout: std::fs::read_to_string(&self.out).expect("its output can be read"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }
}

impl Ended {
    /// The exit code must be this one.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output and standard error together must hold each of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        for part in parts {
            assert!(all.contains(part), "{part:?} is missing in:\n{all}");
        }
        self
    }
}

fn periplus(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_periplus"));
    command
        .env_clear()
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}
