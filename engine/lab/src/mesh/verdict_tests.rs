//! The verdict on every recorded case; `source` is the case's name in the recordings.

use super::MeshObjects;
use super::decide::FirstBytes;
use super::envoy::ProxyConfig;
use super::testing::{Client, config, entry, http, mesh, opaque, proxy_entry, settings, sidecar, tell, tls};
use serde_json::{Value, json};
use std::sync::Arc;

const CATCH_ALL: &str = "listener virtualOutbound > filter chain virtualOutbound-catchall-tcp";
const BLOCKED: &str = "cluster BlackHoleCluster > close UH";
const ENTRY: &str = "cluster outbound|3128||my-company-proxy.com > endpoint 10.244.0.95:3128 > relay";

struct Row {
    source: &'static str,
    policy: &'static str,
    entries: Vec<Value>,
    to: &'static str,
    client: Client,
    way: String,
}

fn row(
    source: &'static str,
    policy: &'static str,
    entries: &[Value],
    (to, client): (&'static str, Client),
    way: impl Into<String>,
) -> Row {
    Row { source, policy, entries: entries.to_vec(), to, client, way: way.into() }
}

fn rows() -> Vec<Row> {
    let (any, only) = ("ALLOW_ANY", "REGISTRY_ONLY");
    let proxy = || ("10.244.0.95:3128", opaque());
    let wikipedia = || entry("en.wikipedia.org", &[], 443, "HTTPS", "DNS");
    let httpbin = || entry("httpbin.org", &[], 80, "HTTP", "DNS");
    let company = |addresses: &[&str], port, protocol, resolution| {
        entry("my-company-proxy.com", addresses, port, protocol, resolution)
    };
    let passthrough = |to: &str| format!("cluster PassthroughCluster > endpoint {to} > relay");
    let on_80 = "listener 0.0.0.0_80 > filter chain 0.0.0.0_80";
    let site = || ("198.51.100.192:443", tls("en.wikipedia.org"));
    let old_http = Client { first_bytes: FirstBytes::Http { minor: 0 }, request: None };
    vec![
        row("b", any, &[], proxy(), format!("{CATCH_ALL} > {}", passthrough("10.244.0.95:3128"))),
        row("c", only, &[], proxy(), format!("{CATCH_ALL} > {BLOCKED}")),
        row(
            "d",
            only,
            &[proxy_entry()],
            proxy(),
            format!("listener 10.244.0.95_3128 > filter chain default > {ENTRY}"),
        ),
        row(
            "d, ALLOW_ANY",
            any,
            &[proxy_entry()],
            proxy(),
            format!("listener 10.244.0.95_3128 > filter chain default > {ENTRY}"),
        ),
        row(
            "d, no addresses",
            only,
            &[company(&[], 3128, "TCP", "NONE")],
            proxy(),
            format!("listener 0.0.0.0_3128 > filter chain default > {ENTRY}"),
        ),
        row(
            "d, no addresses, another address",
            only,
            &[company(&[], 3128, "TCP", "NONE")],
            ("10.244.0.96:3128", opaque()),
            "listener 0.0.0.0_3128 > filter chain default > cluster outbound|3128||my-company-proxy.com > \
             endpoint 10.244.0.96:3128 > relay",
        ),
        row(
            "d, no addresses, DNS",
            only,
            &[company(&[], 3128, "TCP", "DNS")],
            proxy(),
            "listener 0.0.0.0_3128 > filter chain default > cluster outbound|3128||my-company-proxy.com > \
             endpoint my-company-proxy.com:3128 > relay",
        ),
        row(
            "d, range",
            only,
            &[company(&["10.244.0.0/24"], 3128, "TCP", "NONE")],
            proxy(),
            format!("listener 0.0.0.0_3128 > filter chain default > {ENTRY}"),
        ),
        row(
            "d, other range",
            only,
            &[company(&["10.250.0.0/16"], 3128, "TCP", "NONE")],
            proxy(),
            format!("listener 0.0.0.0_3128 > filter chain PassthroughFilterChain > {BLOCKED}"),
        ),
        row(
            "d, wrong address",
            only,
            &[company(&["10.244.0.96"], 3128, "TCP", "NONE")],
            proxy(),
            format!("{CATCH_ALL} > {BLOCKED}"),
        ),
        row(
            "d, wrong port",
            only,
            &[company(&["10.244.0.95"], 3129, "TCP", "NONE")],
            proxy(),
            format!("{CATCH_ALL} > {BLOCKED}"),
        ),
        row("d, entry for the site only", only, &[wikipedia()], proxy(), format!("{CATCH_ALL} > {BLOCKED}")),
        row(
            "d, direct with an entry for the proxy only",
            only,
            &[proxy_entry()],
            site(),
            format!("{CATCH_ALL} > {BLOCKED}"),
        ),
        row("e1", only, &[], site(), format!("{CATCH_ALL} > {BLOCKED}")),
        row(
            "e2",
            only,
            &[],
            ("198.51.100.192:80", http("GET", "en.wikipedia.org")),
            format!("{on_80} > route block_all of block_all > answer 502 - direct_response"),
        ),
        row(
            "e3",
            only,
            &[],
            ("198.51.100.192:8080", http("GET", "en.wikipedia.org:8080")),
            format!("{CATCH_ALL} > {BLOCKED}"),
        ),
        row(
            "e4, tls on port 80",
            only,
            &[],
            ("198.51.100.192:80", tls("en.wikipedia.org")),
            format!("listener 0.0.0.0_80 > filter chain PassthroughFilterChain > {BLOCKED}"),
        ),
        row(
            "e4, http/1.0",
            only,
            &[],
            ("198.51.100.192:80", old_http),
            format!("listener 0.0.0.0_80 > filter chain PassthroughFilterChain > {BLOCKED}"),
        ),
        row(
            "e4, connect on port 80",
            only,
            &[],
            ("198.51.100.192:80", http("CONNECT", "en.wikipedia.org:443")),
            format!("{on_80} > answer 404 NR route_not_found"),
        ),
        row(
            "e5",
            only,
            &[entry("example.org", &[], 443, "HTTPS", "DNS")],
            site(),
            format!(
                "listener 0.0.0.0_443 > filter chain PassthroughFilterChain > {} > sni en.wikipedia.org > close UH",
                "cluster BlackHoleCluster"
            ),
        ),
        row(
            "f",
            only,
            &[wikipedia()],
            site(),
            "listener 0.0.0.0_443 > filter chain en.wikipedia.org > cluster outbound|443||en.wikipedia.org > \
             endpoint en.wikipedia.org:443 > sni en.wikipedia.org > relay",
        ),
        row(
            "f, http with the https entry",
            only,
            &[wikipedia()],
            ("198.51.100.192:80", http("GET", "en.wikipedia.org")),
            format!("{on_80} > route block_all of block_all > answer 502 - direct_response"),
        ),
        row(
            "f, by address",
            only,
            &[wikipedia()],
            ("198.51.100.192:443", tls("")),
            format!("listener 0.0.0.0_443 > filter chain PassthroughFilterChain > {BLOCKED}"),
        ),
        row(
            "f, another address dialled",
            only,
            &[wikipedia()],
            ("198.51.100.34:443", tls("en.wikipedia.org")),
            "listener 0.0.0.0_443 > filter chain en.wikipedia.org > cluster outbound|443||en.wikipedia.org > \
             endpoint en.wikipedia.org:443 > sni en.wikipedia.org > relay",
        ),
        row(
            "f, wildcard host",
            only,
            &[entry("*.wikipedia.org", &[], 443, "TLS", "NONE")],
            site(),
            "listener 0.0.0.0_443 > filter chain *.wikipedia.org > cluster outbound|443||*.wikipedia.org > \
             endpoint 198.51.100.192:443 > sni en.wikipedia.org > relay",
        ),
        row("g4, https", any, &[], site(), format!("{CATCH_ALL} > {}", passthrough("198.51.100.192:443"))),
        row(
            "g4, port 8080",
            any,
            &[],
            ("198.51.100.192:8080", opaque()),
            format!("{CATCH_ALL} > {}", passthrough("198.51.100.192:8080")),
        ),
        row(
            "g4, http",
            any,
            &[],
            ("198.51.100.192:80", http("GET", "en.wikipedia.org")),
            format!(
                "{on_80} > route allow_any of allow_any > cluster PassthroughCluster > \
                     endpoint 198.51.100.192:80 > forward, 0 retries"
            ),
        ),
        row(
            "g4, connect on port 80",
            any,
            &[],
            ("198.51.100.192:80", http("CONNECT", "en.wikipedia.org:443")),
            format!("{on_80} > answer 404 NR route_not_found"),
        ),
        row(
            "h",
            only,
            &[httpbin()],
            ("198.51.100.34:80", http("GET", "httpbin.org")),
            format!(
                "{on_80} > route default of httpbin.org:80 > cluster outbound|80||httpbin.org > \
                     endpoint httpbin.org:80 > forward, 2 retries"
            ),
        ),
        row(
            "h, port in the host",
            only,
            &[httpbin()],
            ("198.51.100.34:80", http("GET", "HTTPBIN.org:80")),
            format!(
                "{on_80} > route default of httpbin.org:80 > cluster outbound|80||httpbin.org > \
                     endpoint httpbin.org:80 > forward, 2 retries"
            ),
        ),
        row(
            "w",
            only,
            &[company(&["10.244.0.95/32"], 3128, "HTTP", "NONE")],
            ("10.244.0.95:3128", http("CONNECT", "en.wikipedia.org:443")),
            "listener 0.0.0.0_3128 > filter chain 0.0.0.0_3128 > answer 404 NR route_not_found",
        ),
        row(
            "w, ALLOW_ANY",
            any,
            &[company(&["10.244.0.95/32"], 3128, "HTTP", "NONE")],
            ("10.244.0.95:3128", http("CONNECT", "en.wikipedia.org:443")),
            "listener 0.0.0.0_3128 > filter chain 0.0.0.0_3128 > answer 404 NR route_not_found",
        ),
        row(
            "static endpoints",
            only,
            &[{
                let mut entry = company(&["240.0.0.1"], 3128, "TCP", "STATIC");
                entry["spec"]["endpoints"] = json!([{"address": "10.244.0.95"}]);
                entry
            }],
            ("240.0.0.1:3128", opaque()),
            "listener 240.0.0.1_3128 > filter chain default > cluster outbound|3128||my-company-proxy.com > \
             endpoint 10.244.0.95:3128 > relay",
        ),
    ]
}

#[test]
fn every_recorded_case_goes_its_recorded_way() {
    for row in rows() {
        let config = config(&mesh(&settings(row.policy), &row.entries));
        assert_eq!(tell(&config, row.to, &row.client), row.way, "case {}", row.source);
    }
}

#[test]
fn without_an_http_service_on_port_80_a_blocked_request_is_a_closed_connection() {
    let mut objects = mesh(&settings("REGISTRY_ONLY"), &[]);
    objects.services.clear();
    let way = tell(&config(&objects), "198.51.100.192:80", &http("GET", "en.wikipedia.org"));
    assert_eq!(way, format!("{CATCH_ALL} > {BLOCKED}"));
}

#[test]
fn the_policy_is_allow_any_unless_it_says_otherwise() {
    for data in [None, Some(json!({})), Some(json!({"mesh": "rootNamespace: istio-system"}))] {
        let map = data.map(|data| Arc::new(json!({"metadata": {"name": "istio"}, "data": data})));
        let objects = MeshObjects { config_maps: map.into_iter().collect(), ..MeshObjects::default() };
        let config = config(&objects);
        assert!(tell(&config, "10.244.0.95:3128", &opaque()).ends_with(" > relay"));
        assert!(!config.settings().access_log, "the default install writes no access log");
    }
}

#[test]
fn an_entry_that_is_not_exported_exists_in_its_own_namespace_only() {
    let mut entry = proxy_entry();
    entry["spec"]["exportTo"] = json!(["."]);
    let objects = mesh(&settings("REGISTRY_ONLY"), &[entry]);
    let way = |namespace| tell(&ProxyConfig::build(&objects, &sidecar(namespace)), "10.244.0.95:3128", &opaque());
    assert!(way("default").ends_with(" > relay"));
    assert!(way("other").ends_with(" > close UH"));
}

/// What the lab does not simulate, and whether it reaches the call to the proxy.
#[test]
fn what_is_not_understood_is_never_a_pass_and_never_a_failure() {
    let changed = |path: &str, value: Value| {
        let mut entry = proxy_entry();
        entry["spec"][path] = value;
        mesh(&settings("REGISTRY_ONLY"), &[entry])
    };
    let setting = |line: &str| mesh(&format!("{}{line}\n", settings("REGISTRY_ONLY")), &[proxy_entry()]);
    let other = |object: Value| {
        let mut objects = mesh(&settings("REGISTRY_ONLY"), &[proxy_entry()]);
        objects.istio.push(Arc::new(object));
        objects
    };
    let meta = |namespace: &str| json!({"namespace": namespace, "name": "x"});
    let rule = |host: &str, policy: Value| json!({"kind": "DestinationRule", "metadata": meta("default"), "spec": {"host": host, "trafficPolicy": policy}});
    let routes = |host: &str, field: &str| {
        let route = json!([{"destination": {"host": host}}]);
        json!({"kind": "VirtualService", "metadata": meta("default"),
            "spec": {"hosts": [host], "tcp": [{"route": route, field: {}}]}})
    };
    let cases = [
        (mesh("outboundTrafficPolicy:\n  mode: ALLOW_ANY_DYNAMIC_DNS\n", &[]), true),
        (mesh("outboundTrafficPolicy: [", &[]), true),
        (setting("accessLogEncoding: JSON"), false),
        (setting("accessLogEncoding: XML"), true),
        (setting("accessLogFormat: '%FILTER_STATE(x)%'"), true),
        (setting("accessLogFormat: '%PROTOCOL%'"), false),
        (setting("someNewSetting: true"), true),
        (setting("defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}}"), true),
        (setting("accessLogEncoding: TEXT"), false),
        (setting("defaultConfig: {discoveryAddress: 'istiod.istio-system.svc:15012'}"), false),
        (changed("workloadSelector", json!({"labels": {}})), true),
        (changed("resolution", json!("DYNAMIC_DNS")), true),
        (changed("ports", json!([{"number": 3128, "name": "x", "protocol": "MONGO"}])), false),
        (changed("location", json!("MESH_INTERNAL")), false),
        (other(json!({"kind": "Sidecar", "metadata": meta("default")})), false),
        (other(json!({"kind": "Sidecar", "metadata": meta("default"), "spec": {"ingress": []}})), true),
        (other(json!({"kind": "Sidecar", "metadata": meta("elsewhere"), "spec": {"ingress": []}})), false),
        (other(json!({"kind": "EnvoyFilter", "metadata": meta("istio-system")})), true),
        (other(json!({"kind": "SomethingNew", "metadata": meta("elsewhere")})), true),
        (other(json!({"kind": "PeerAuthentication", "metadata": meta("istio-system")})), false),
        (other(rule("my-company-proxy.com", json!({"outlierDetection": {}}))), true),
        (other(rule("my-company-proxy.com", json!({"loadBalancer": {"simple": "RANDOM"}}))), false),
        (other(rule("other.example.org", json!({"outlierDetection": {}}))), false),
        (other(routes("my-company-proxy.com", "mirror")), true),
        (other(routes("other.example.org", "mirror")), false),
    ];
    for (at, (objects, limited)) in cases.into_iter().enumerate() {
        let way = tell(&config(&objects), "10.244.0.95:3128", &opaque());
        assert_eq!(way.contains("not simulated: "), limited, "case {at}: {way}");
        assert!(limited || way.ends_with(" > relay"), "case {at}: {way}");
    }
}
