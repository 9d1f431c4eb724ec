//! `/healthz`, `/livez`, `/readyz` and the list of paths at `/`.
//!
//! Invariant: a lab that answers is healthy; the checks are those that a kube-apiserver 1.36 names, in its order.

use http::{Response, StatusCode};
use serde_json::json;

use super::body::{Body, json_response, text_response};
use super::query::Query;
use crate::schema::Catalog;

/// The checks of `/livez`. The other two differ by a few; see [`checks`].
const CHECKS: [&str; 35] = [
    "ping",
    "log",
    "loopback-serving-certificate",
    "etcd",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/peer-endpoint-reconciler-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/storage-readiness",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
];

/// The checks of one of the three, in the order in which it runs them.
fn checks(endpoint: &str) -> Vec<&'static str> {
    if endpoint != "readyz" {
        return CHECKS.to_vec();
    }
    let mut checks = Vec::with_capacity(CHECKS.len() + 2);
    for check in CHECKS.into_iter().filter(|check| *check != "loopback-serving-certificate") {
        checks.push(check);
        if check == "etcd" {
            checks.extend(["etcd-readiness", "informer-sync"]);
        }
    }
    checks.push("shutdown");
    checks
}

/// Answers for all checks, or for one.
pub(super) fn answer(endpoint: &str, check: Option<&str>, query: &Query) -> Response<Body> {
    let checks = checks(endpoint);
    if let Some(check) = check {
        return if checks.contains(&check) {
            text_response(StatusCode::OK, "ok")
        } else {
            text_response(StatusCode::NOT_FOUND, "404 page not found\n")
        };
    }
    let excluded = query.all("exclude");
    if query.all("verbose").is_empty() {
        return text_response(StatusCode::OK, "ok");
    }
    let mut text = String::new();
    for check in &checks {
        let state = if excluded.iter().any(|one| one == check) { "excluded: ok" } else { "ok" };
        text.push_str(&format!("[+]{check} {state}\n"));
    }
    let mut unknown: Vec<String> =
        excluded.iter().filter(|one| !checks.contains(&one.as_str())).map(|one| format!("{one:?}")).collect();
    unknown.sort();
    if !unknown.is_empty() {
        text.push_str(&format!("warn: some health checks cannot be excluded: no matches for {}\n", unknown.join(",")));
    }
    text.push_str(&format!("{endpoint} check passed\n"));
    text_response(StatusCode::OK, text)
}

/// `/`: what there is. Paths that the lab does not serve are left out.
pub(super) fn paths(catalog: &Catalog) -> Response<Body> {
    let mut paths: Vec<String> =
        ["/api", "/api/v1", "/apis", "/apis/", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"]
            .map(str::to_owned)
            .to_vec();
    for resource in catalog.all().iter().filter(|resource| !resource.group.is_empty()) {
        paths.push(format!("/apis/{}", resource.group));
        paths.push(format!("/apis/{}/{}", resource.group, resource.version));
    }
    for endpoint in ["healthz", "livez", "readyz"] {
        paths.push(format!("/{endpoint}"));
        paths.extend(checks(endpoint).iter().map(|check| format!("/{endpoint}/{check}")));
    }
    paths.sort();
    paths.dedup();
    json_response(StatusCode::OK, &json!({"paths": paths}))
}
