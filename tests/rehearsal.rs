//! Rehearsals: the tutorial passes as it stands, and every way of breaking it is noticed.

use std::path::Path;

use crate::support::{Case, Done};

/// A copy of the tutorial's runbook, to be broken in one place.
struct Tutorial {
    runbook: String,
    world: String,
    args: Vec<&'static str>,
}

impl Tutorial {
    fn new() -> Self {
        let read = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/external-https-proxy").join(name);
            std::fs::read_to_string(path).expect("the tutorial's runbook is in the repository")
        };
        Self { runbook: read("runbook.yaml"), world: read("world.yaml"), args: Vec::new() }
    }

    fn args(mut self, args: &[&'static str]) -> Self {
        self.args.extend(args);
        self
    }

    /// Replaces a text of the runbook, which must be there.
    #[track_caller]
    fn replacing(mut self, old: &str, new: &str) -> Self {
        assert!(self.runbook.contains(old), "the runbook does not hold {old:?} any more");
        self.runbook = self.runbook.replace(old, new);
        self
    }

    /// Takes a step out.
    #[track_caller]
    fn without(mut self, step: &str) -> Self {
        let start = self.runbook.find(&format!("  - id: {step}\n")).expect("the step is there");
        let rest = &self.runbook[start + 1..];
        let length = rest.find("\n  - id: ").or_else(|| rest.find("\nnotes:")).expect("something follows");
        self.runbook.replace_range(start..start + length + 2, "");
        self
    }

    /// Puts text between a step and the next.
    #[track_caller]
    fn before(mut self, step: &str, text: &str) -> Self {
        let at = self.runbook.find(&format!("  - id: {step}\n")).expect("the step is there");
        self.runbook.insert_str(at, text);
        self
    }

    fn rehearse(self) -> Done {
        let sleep = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/external-https-proxy/manifests/sleep.yaml");
        let mut args = vec!["rehearse", "book"];
        args.extend(self.args);
        Case::new(&args)
            .file("book/runbook.yaml", self.runbook)
            .file("book/world.yaml", self.world)
            .file("book/manifests/sleep.yaml", std::fs::read(sleep).expect("the manifest is in the repository"))
            .run()
    }
}

#[test]
fn the_tutorial_passes_and_says_where_it_ran() {
    let ends = "REHEARSAL in the embedded lab. No cluster is contacted.";
    let done = Tutorial::new().rehearse().code(0).prints(&["13 steps: 13 passed", "periplus run book --context", ends]);
    assert_eq!(done.stderr().lines().next(), Some(ends));
}

#[test]
fn two_rehearsals_write_the_same_events_time_stamps_included() {
    let events = || {
        let done = Tutorial::new().args(&["--output", "json"]).rehearse().code(0);
        done.stdout().to_owned()
    };
    let first = events();
    assert!(first.lines().count() > 50, "{first}");
    assert_eq!(first, events());
}

#[test]
fn without_a_proxy_pod_the_proxys_log_is_skipped_and_says_so() {
    Tutorial::new()
        .args(&["--set", "PROXY_NAMESPACE="])
        .rehearse()
        .code(0)
        .prints(&["12 passed", "1 skipped"])
        .says(&["proxy-log", "skipped", "PROXY_NAMESPACE != \"\""]);
}

#[test]
fn the_proxy_moves_with_its_parameters() {
    Tutorial::new().args(&["--set", "PROXY_IP=10.244.0.99", "--set", "PROXY_PORT=8888"]).rehearse().code(0);
}

#[test]
fn a_changed_title_fails_with_a_diff_of_just_the_difference() {
    Tutorial::new().args(&["--set", "TITLE=Wikipedia, the paid encyclopedia"]).rehearse().code(1).prints(&[
        "call-outside",
        "Wikipedia, the paid encyclopedia",
        "Wikipedia, the free encyclopedia",
        "of lab time, 61 attempts",
    ]);
}

#[test]
fn without_the_service_entry_the_call_in_the_mesh_fails() {
    Tutorial::new().without("proxy-entry").rehearse().code(1).prints(&["FAILED  call-in-mesh", "BlackHoleCluster"]);
}

#[test]
fn registered_as_http_the_proxy_is_not_reached() {
    Tutorial::new().replacing("protocol: TCP", "protocol: HTTP").rehearse().code(1).prints(&[
        "FAILED  call-in-mesh",
        "What the mesh did",
        "CONNECT en.wikipedia.org:443 at 10.244.0.2:3128",
        "listener 0.0.0.0_3128",
        "CONNECT was answered with 404",
        "the ServiceEntry must say",
    ]);
}

#[test]
fn a_call_that_does_not_wait_for_the_mesh_fails_and_is_told_that_it_should_have() {
    let waits = "equals: \"<title>{{TITLE}}</title>\", within: 60s";
    Tutorial::new().replacing(waits, "equals: \"<title>{{TITLE}}</title>\"").rehearse().code(1).prints(&[
        "FAILED  call-in-mesh",
        "= blocked: the mesh knows nothing at 10.244.0.2:3128",
        "! the configuration has changed since",
        "outbound|3128||my-company-proxy.com",
    ]);
}

#[test]
fn a_service_entry_for_another_address_does_not_help() {
    Tutorial::new()
        .replacing("- {{PROXY_IP}}/32", "- 10.9.9.9/32")
        .rehearse()
        .code(1)
        .prints(&["FAILED  call-in-mesh"]);
}

#[test]
fn while_everything_is_allowed_the_call_that_must_fail_does_not() {
    Tutorial::new()
        .replacing("{mode: REGISTRY_ONLY}", "{mode: ALLOW_ANY}")
        .rehearse()
        .code(1)
        .prints(&["FAILED  call-blocked"]);
}

#[test]
fn a_dead_proxy_does_not_prove_that_the_mesh_blocks() {
    // Nothing answers at this address, the policy stays ALLOW_ANY: curl returns 56 as it does when the mesh blocks it.
    let call = "exec: {in: {pod: \"{{SOURCE_POD}}\", container: sleep}, env: {HTTPS_PROXY: \"10.244.0.250:3128\"}, \
                command: [curl, -sS, -m, \"20\", \"{{SITE}}\"]}";
    Tutorial::new()
        .without("call-outside")
        .without("registry-only")
        .replacing("exec: {like: call-outside, in: {pod: \"{{SOURCE_POD}}\", container: sleep}}", call)
        .rehearse()
        .code(1)
        .prints(&["FAILED  blocked-by-the-mesh", "BlackHoleCluster"]);
}

#[test]
fn yesterdays_log_line_never_satisfies_a_log_grep() {
    let grep = "  - id: later\n    get: {kind: Pod, selector: app=sleep, one: true}\n\
                \x20 - id: old-line\n    log-grep:\n      in: {pod: \"{{SOURCE_POD}}\", container: istio-proxy}\n\
                \x20     since: later\n      contains: [my-company-proxy.com]\n";
    Tutorial::new().before("proxy-log", grep).rehearse().code(1).prints(&["FAILED  old-line"]);
}

#[test]
fn a_program_that_the_lab_lacks_is_never_an_answer() {
    let step = |program: &str| {
        format!(
            "  - id: odd\n    exec: {{like: call-outside, command: [{program}]}}\n    expect-output: {{fails: true, not-contains: x}}\n"
        )
    };
    let lacks = |program| Tutorial::new().before("source-pod", &step(program)).rehearse().code(3);
    lacks("vi, BEGIN").prints(&["INCONCLUSIVE  odd", "not simulated"]);
    lacks("no-such-program").prints(&["INCONCLUSIVE  odd", "can't execute 'no-such-program'"]);
}

#[test]
fn an_exec_that_is_cut_off_is_no_answer() {
    let mut tutorial = Tutorial::new();
    tutorial.world.push_str("\nfaults:\n  - exec-cut: {pod: external/app=sleep, after-bytes: 100}\n");
    tutorial
        .replacing("within: 60s\n\n  # Part 2", "\n  # Part 2")
        .rehearse()
        .code(3)
        .prints(&["INCONCLUSIVE  call-outside"]);
}

#[test]
fn clean_up_leaves_nothing_of_the_run_behind() {
    Tutorial::new().args(&["--cleanup"]).rehearse().code(0).says(&[
        "Namespace external",
        "ConfigMap istio-system/istio",
        "ServiceEntry default/proxy",
    ]);
}

#[test]
fn a_requirement_that_is_not_met_stops_before_the_first_change() {
    Tutorial::new()
        .replacing(
            "name: \"{{MESH_CONFIG}}\", namespace: istio-system}\n  - serves",
            "name: other, namespace: istio-system}\n  - serves",
        )
        .rehearse()
        .code(3)
        .prints(&["there is no ConfigMap istio-system/other", "13 not run"]);
}

#[test]
fn every_line_of_json_fits_the_committed_schema() {
    let schema = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/event.v1.json"))
        .expect("the schema is in the repository");
    let schema = serde_json::from_str(&schema).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let args = ["--output", "json", "--cleanup", "--set", "TITLE=Other"];
    let done = Tutorial::new().args(&args).rehearse().code(1);
    for line in done.stdout().lines() {
        let event = serde_json::from_str(line).expect("each line is JSON");
        let errors: Vec<String> = validator.iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{line}");
    }
}
