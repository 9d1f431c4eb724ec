//! Runs on a cluster, which is the lab served on loopback: what is changed is taken back without a trace, whatever
//! happens in between, and what could not be asked is never an answer.

use crate::support::Lab;

/// Makes an object, then waits for one that another runbook makes.
const HELD: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: held, title: Make one object and wait for another}
namespace: default
steps:
  - id: settings
    apply:
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
        data:
          text: hello
  - id: signal
    expect-object: {kind: ConfigMap, name: go, matches: {data: {text: go}}, within: 600s}
  - id: last
    expect-object: {kind: ConfigMap, name: go, matches: {data: {text: go}}}
";

/// Makes the object that [`HELD`] waits for.
const GO: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: go, title: Let the other go on}
namespace: default
steps:
  - id: go
    apply:
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: go
        data:
          text: go
";

/// Alters an object of the world.
const ALTER: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: alter, title: Alter an object}
namespace: default
params:
  TEXT: {type: string, default: ours}
steps:
  - id: alter
    patch:
      object: {kind: ConfigMap, name: shared}
      merge: {data: {text: \"{{TEXT}}\"}}
";

const SHARED: &str = "\
objects:
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: shared
      namespace: default
    data:
      text: before
";

fn lab(world: &str) -> Lab {
    let lab = Lab::start(world);
    lab.file("held/runbook.yaml", HELD);
    lab.file("go/runbook.yaml", GO);
    lab.file("alter/runbook.yaml", ALTER);
    lab
}

/// The events' and journal's word for a change that was made.
const MADE: &str = "\"type\":\"change-made\"";

#[test]
fn the_tutorial_passes_on_the_served_lab_and_is_taken_back_without_a_trace() {
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/external-https-proxy");
    let world = std::fs::read_to_string(format!("{book}/world.yaml")).expect("the tutorial has a world");
    let lab = Lab::start(&world);
    let before = lab.objects();
    let proxy = before.iter().find(|(key, _)| key.starts_with("Pod corp/squid")).expect("the world has a proxy").1;
    let address = format!("PROXY_IP={}", proxy["status"]["podIP"].as_str().expect("it runs"));
    lab.run(book, &["--set", &address, "--set", "PROXY_NAMESPACE=corp"]).code(0).says(&["13 steps: 13 passed"]);
    let run = lab.runs().remove(0);
    assert_ne!(lab.objects(), before);
    lab.call(&["undo", &run, "--yes"]).code(0);
    let after = lab.objects();
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(after, before);
    lab.call(&["undo", &run, "--yes"]).code(0).says(&["nothing to take back"]);
}

#[test]
fn a_run_that_was_killed_is_shown_and_taken_back_from_its_journal() {
    let lab = lab("objects: []\n");
    let before = lab.objects();
    let mut held = lab.start_call(&["run", "held", "--context", "@current", "--yes", "--output", "json"]);
    held.wait_for(MADE);
    held.signal("KILL");
    assert_eq!(held.end().code, None);
    let run = lab.runs().remove(0);
    lab.call(&["show", &run]).says(&["not finished", "ConfigMap default/greeting created"]);
    lab.call(&["undo", &run, "--yes"]).code(0).says(&["1 of 1 change taken back"]);
    assert_eq!(lab.objects(), before);
}

#[test]
fn a_second_run_of_a_runbook_is_refused_and_told_who_runs() {
    let lab = lab("objects: []\n");
    let mut held = lab.start_call(&["run", "held", "--context", "@current", "--yes", "--output", "json"]);
    held.wait_for(MADE);
    let run = lab.runs().remove(0);
    lab.run("held", &[]).code(3).says(&[&run, "holds lease default/periplus-held"]);
    lab.run("go", &[]).code(0);
    held.end().code(0);
}

#[test]
fn an_interrupt_lets_the_running_step_finish_and_starts_no_other() {
    let lab = lab("objects: []\n");
    let report = ["--report", "json=r.json,junit=r.xml"];
    let run = ["run", "held", "--context", "@current", "--yes", "--output", "json"];
    let mut held = lab.start_call(&[&run[..], &report].concat());
    held.wait_for(MADE);
    held.wait_for("\"type\":\"step-started\",\"step\":\"signal\"");
    held.signal("INT");
    held.wait_for("\"type\":\"interrupted\"");
    lab.run("go", &[]).code(0);
    held.end().code(130);
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(lab.path("r.json")).expect("a report")).expect("JSON");
    assert_eq!(report["result"], "interrupted");
    let junit = std::fs::read_to_string(lab.path("r.xml")).expect("a report");
    assert!(junit.trim_end().ends_with("</testsuites>"), "{junit}");
    let held = lab.runs().into_iter().find(|run| run.starts_with("held")).expect("the run");
    lab.call(&["show", &held]).says(&["2 passed", "1 not run", "periplus undo held"]);
}

#[test]
fn a_second_interrupt_cancels_at_once() {
    let lab = lab("objects: []\n");
    let mut held = lab.start_call(&["run", "held", "--context", "@current", "--yes", "--output", "json"]);
    held.wait_for(MADE);
    held.signal("INT");
    held.wait_for("\"type\":\"interrupted\"");
    held.signal("INT");
    held.end().code(130);
    assert!(!lab.objects().contains_key("Lease default/periplus-held"), "the lease is given up");
}

#[test]
fn what_someone_else_changed_since_is_refused_by_name_and_forced() {
    let lab = lab(SHARED);
    let text = |lab: &Lab| lab.objects()["ConfigMap default/shared"]["data"]["text"].clone();
    lab.run("alter", &[]).code(0);
    let first = lab.runs().remove(0);
    lab.run("alter", &["--set", "TEXT=theirs"]).code(0);
    lab.call(&["undo", &first, "--yes"]).code(4).says(&["/data/text was changed by someone else since"]);
    assert_eq!(text(&lab), "theirs");
    lab.call(&["undo", &first, "--yes", "--force"]).code(0);
    assert_eq!(text(&lab), "before");
}

#[test]
fn an_undo_on_another_cluster_is_refused() {
    let (one, other) = (lab("objects: []\n"), lab("seed: 7\n"));
    one.run("go", &[]).code(0);
    let run = one.runs().remove(0);
    let kubeconfig = other.path("kubeconfig").display().to_string();
    let args = ["undo", &run, "--yes", "--context", "@current", "--kubeconfig", &kubeconfig];
    one.call(&args).code(2).says(&["is not the cluster that run"]);
    assert!(one.objects().contains_key("ConfigMap default/go"));
}

#[test]
fn a_wrong_token_is_named() {
    let lab = lab("objects: []\n");
    let kubeconfig = std::fs::read_to_string(lab.path("kubeconfig")).expect("a kubeconfig");
    let at = kubeconfig.find("token:").expect("a token") + "token:".len();
    let rest = kubeconfig[at..].find('\n').map_or("", |end| &kubeconfig[at + end..]);
    lab.file("kubeconfig", &format!("{} wrong{rest}", &kubeconfig[..at]));
    lab.run("go", &[]).code(3).says(&["does not accept the credentials: Unauthorized"]);
}

#[test]
fn a_change_that_met_anothers_write_fails() {
    let world = "faults:\n  - api: {status: 409, resource: configmaps, verb: patch}\n";
    lab(world).run("go", &[]).code(1).says(&["FAILED  go", "the object has been modified"]);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let lab = lab("objects: []\n");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: silent\ncontexts: [{{name: silent, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{port}'}}}}]\nusers: [{{name: u, user: {{token: x}}}}]\n"
    );
    lab.file("kubeconfig", &kubeconfig);
    lab.run("go", &[]).code(3).says(&["no connection within 5 s"]);
}

#[test]
fn a_lease_that_ran_out_is_taken_over_and_given_up() {
    let world = "\
objects:
  - |
    apiVersion: coordination.k8s.io/v1
    kind: Lease
    metadata: {name: periplus-go, namespace: default}
    spec:
      holderIdentity: someone
      leaseDurationSeconds: 60
      acquireTime: \"2020-01-01T00:00:00.000000Z\"
      renewTime: \"2020-01-01T00:00:00.000000Z\"
";
    let lab = lab(world);
    assert!(lab.objects().contains_key("Lease default/periplus-go"));
    lab.run("go", &[]).code(0);
    assert!(!lab.objects().contains_key("Lease default/periplus-go"));
}

#[test]
fn an_undo_that_was_killed_is_started_again() {
    let lab = lab("objects: []\n");
    let before = lab.objects();
    lab.run("go", &[]).code(0);
    let run = lab.runs().remove(0);
    let mut undo = lab.start_call(&["undo", &run, "--yes", "--output", "json"]);
    undo.wait_for("\"type\":\"undo-intended\"");
    undo.signal("KILL");
    undo.end();
    lab.call(&["undo", &run, "--yes"]).code(0);
    assert_eq!(lab.objects(), before);
}

/// Hands a secret to a program, which prints it.
const SECRET: &str = "\
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: secret, title: Hand a secret over}
namespace: default
params:
  TOKEN: {type: string, secret: true, env: TOKEN, default: hidden-value-4711}
steps:
  - id: client
    apply: {file: sleep.yaml}
    wait: rollout
  - id: use
    exec:
      in: {workload: deploy/sleep, container: sleep}
      env: {TOKEN: \"{{TOKEN}}\"}
      command: [sh, -c, 'echo \"<$TOKEN>\"']
    expect-output: {equals: never}
";

#[test]
fn a_secret_reaches_its_program_and_is_written_nowhere() {
    let lab = lab("objects: []\n");
    let sleep = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/external-https-proxy/manifests/sleep.yaml");
    lab.file("secret/runbook.yaml", SECRET);
    lab.file("secret/sleep.yaml", &std::fs::read_to_string(sleep).expect("the manifest is in the repository"));
    let done = lab.run("secret", &["-v", "--report", "json=r.json,junit=r.xml"]).code(1).says(&["FAILED  use", "***"]);
    let run = lab.runs().remove(0);
    let journal = lab.path("state/periplus/runs").join(run).join("journal.jsonl");
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).expect("it was written");
    for text in [done.stdout, done.stderr, read(journal), read(lab.path("r.json")), read(lab.path("r.xml"))] {
        assert!(!text.contains("hidden-value-4711"), "{text}");
    }
}

#[test]
fn a_request_that_the_cluster_refuses_is_inconclusive_and_not_repeated() {
    for status in [429, 500] {
        let world = format!("faults:\n  - api: {{status: {status}, resource: configmaps, verb: patch}}\n");
        lab(&world).run("go", &[]).code(3).says(&["INCONCLUSIVE  go", "1 inconclusive"]);
    }
}

#[test]
fn a_change_is_not_confirmed_without_a_terminal() {
    let lab = lab("objects: []\n");
    let before = lab.objects();
    lab.call(&["run", "go", "--context", "@current"]).code(2).says(&["there is no terminal"]);
    assert_eq!(lab.objects(), before);
}

#[test]
fn an_exec_that_breaks_off_is_no_answer_on_loopback_either() {
    let lab = lab("faults:\n  - exec-cut: {count: 9}\n");
    let sleep = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/external-https-proxy/manifests/sleep.yaml");
    lab.file("secret/runbook.yaml", &SECRET.replace("equals: never", "not-contains: never"));
    lab.file("secret/sleep.yaml", &std::fs::read_to_string(sleep).expect("the manifest is in the repository"));
    lab.run("secret", &[]).code(3).says(&["INCONCLUSIVE  use"]);
}

#[test]
fn a_watch_that_breaks_off_is_taken_up_again() {
    let lab = lab("faults:\n  - watch-drop: {count: 3}\n");
    let sleep = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/external-https-proxy/manifests/sleep.yaml");
    lab.file("secret/runbook.yaml", SECRET);
    lab.file("secret/sleep.yaml", &std::fs::read_to_string(sleep).expect("the manifest is in the repository"));
    lab.run("secret", &["--until", "client"]).code(0);
}
