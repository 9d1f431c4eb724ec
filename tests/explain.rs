//! `periplus lab explain`: the way of a call, in a lab of its own and in one that is served.

use crate::support::Case;

const WORLD: &str = "\
mesh: {}
objects:
  - {apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: istio, namespace: istio-system}
    data: {mesh: \"accessLogFile: /dev/stdout\\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\\n\"}
  - apiVersion: v1
    kind: Namespace
    metadata: {name: shop, labels: {istio-injection: enabled}}
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: curl, namespace: shop}
    spec:
      selector: {matchLabels: {app: curl}}
      template:
        metadata: {labels: {app: curl}}
        spec: {containers: [{name: curl, image: curlimages/curl, command: [sleep, inf]}]}
hosts:
  - name: example.com
    address: 198.51.100.7
    ports: {80: {http: {}}, 443: {https: {}}}
";

const ENTRY: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: example, namespace: shop}
spec:
  hosts: [example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
";

fn explain(args: &[&str]) -> Case {
    let fixed = ["lab", "explain", "--world", "world.yaml", "--from", "shop/deploy/curl"];
    Case::new(&[&fixed, args].concat()).file("world.yaml", WORLD).file("entry.yaml", ENTRY)
}

#[test]
fn each_hop_is_told_and_the_reason_in_words() {
    explain(&["--to", "https://example.com/"]).run().code(0).prints(&[
        "GET https://example.com/\n",
        "  sidecar of shop/curl-",
        "    cluster BlackHoleCluster\n",
        "  = blocked: the mesh knows nothing at 198.51.100.7:443, and its policy is REGISTRY_ONLY",
    ]);
    explain(&["--to", "https://example.com/", "-f", "entry.yaml"])
        .run()
        .code(0)
        .prints(&["    cluster outbound|443||example.com\n", "  = sent to the address that the proxy itself resolves"]);
    let json = explain(&["--to", "http://example.com/", "--output", "json"]).run().code(0);
    let told: serde_json::Value = serde_json::from_str(json.stdout()).expect("JSON");
    assert!(told["end"].as_str().is_some_and(|end| end.starts_with("blocked: the mesh knows nothing at")), "{told}");
    assert!(told["stages"][0]["hops"].as_array().is_some_and(|hops| hops.len() == 3), "{told}");
}

#[test]
fn what_cannot_be_explained_says_what_to_do() {
    explain(&["--to", "ftp://example.com/"]).run().code(2).says(&["only http and https are explained"]);
    explain(&["--to", "https://example.com/", "-f", "nowhere.yaml"]).run().code(2).says(&["nowhere.yaml"]);
    let of = |pod: &str| {
        let args = ["lab", "explain", "--world", "world.yaml", "--from", pod, "--to", "http://example.com"];
        Case::new(&args).file("world.yaml", WORLD).run().code(2)
    };
    of("shop/nobody").says(&["\"nobody\" not found", "kubectl get pods"]);
    of("nobody").says(&["that names no pod", "NAMESPACE/POD"]);
    let nowhere = Case::new(&["lab", "explain", "--from", "a/b", "--to", "http://example.com", "--kubeconfig", "none"]);
    nowhere.run().code(2).says(&["none: No such file", "--world FILE"]);
}

#[test]
fn a_lab_that_is_served_explains_what_was_done_to_it() {
    let bin = env!("CARGO_BIN_EXE_periplus");
    let script = format!("{bin} lab explain --from shop/deploy/curl --to https://example.com/");
    Case::new(&["lab", "--world", "world.yaml", "--", "/bin/sh", "-c", &script])
        .file("world.yaml", WORLD)
        .env("PATH", "/usr/bin:/bin")
        .run()
        .code(0)
        .prints(&["cluster BlackHoleCluster"]);
}

#[test]
fn calls_that_were_made_are_told_by_the_lab_s_api() {
    let script = "pod=$(kubectl get pods -n shop -o name); pod=${pod#pod/}
        kubectl exec -n shop $pod -c curl -- curl -s -m 2 https://example.com/
        echo \"curl: $?\"
        kubectl get --raw \"/api/v1/namespaces/shop/pods/$pod/explain?since=2000-01-01T00:00:00Z\"
        kubectl get --raw \"/api/v1/namespaces/shop/pods/$pod/explain\"";
    Case::new(&["lab", "--world", "world.yaml", "--", "/bin/sh", "-c", script])
        .file("world.yaml", WORLD)
        .env("PATH", &std::env::var("PATH").expect("a path"))
        .run()
        .code(1)
        .prints(&[
            "curl: 35",
            r#"{"calls":[{"call":"a connection to 198.51.100.7:443""#,
            r#""cluster BlackHoleCluster""#,
        ])
        .says(&["say what to explain"]);
}
