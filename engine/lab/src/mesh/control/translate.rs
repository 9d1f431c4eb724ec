//! HTTP rules of a VirtualService as routes.
//!
//! Invariant: what a rule says and the lab does not honour is a limit of its routes; what a match says and the lab does not
//! understand leaves open whether the route takes a request.

use super::clusters;
use super::host;
use super::matching::route_match;
use super::service::{MeshService, Resolution};
use super::virtual_service::{Destination, VirtualService};
use crate::mesh::config::go_duration;
use crate::mesh::envoy::{Action, Edits, Fault, Forward, Redirect, Retry, Route, RouteMatch, Weighted};
use crate::mesh::objects::{fields, list, port, selects, text, text_map, texts, unknown};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const KNOWN: &[&str] =
    &["name", "match", "route", "redirect", "directResponse", "rewrite", "timeout", "retries", "fault", "headers"];

/// When a request is sent again if nothing else is said.
const RETRY_ON: [&str; 5] = ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"];

/// How often, if nothing else is said.
const RETRIES: u32 = 2;

/// The first delay before a request is sent again.
const BACKOFF: Duration = Duration::from_millis(25);

/// What a route is made for: the proxy's gateway and labels, the port, and how services are found.
pub(super) struct Context<'a> {
    /// `mesh`, or `NAMESPACE/NAME`.
    pub(super) gateway: &'a str,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) namespace: &'a str,
    pub(super) port: u16,
    /// Whether clients come with TLS.
    pub(super) tls: bool,
    pub(super) service: &'a dyn Fn(&str) -> Option<&'a MeshService>,
}

/// The retry policy that holds if nothing else is said.
pub(super) fn default_retry() -> Retry {
    Retry {
        attempts: RETRIES,
        on: RETRY_ON.iter().map(|&on| on.to_owned()).collect(),
        codes: Vec::new(),
        per_try: None,
        backoff: BACKOFF,
    }
}

/// The route to a service that no VirtualService is about.
pub(super) fn default_route(host: &str, port: u16) -> Route {
    let cluster = Weighted {
        cluster: clusters::name(port, "", host),
        weight: 1,
        request: Edits::default(),
        response: Edits::default(),
        authority: None,
    };
    Route {
        name: "default".to_owned(),
        matches: RouteMatch::any(),
        action: Action::Forward(Forward {
            clusters: vec![cluster],
            rewrite_prefix: None,
            rewrite_regex: None,
            authority: None,
            timeout: None,
            retry: Some(default_retry()),
        }),
        request: Edits::default(),
        response: Edits::default(),
        fault: Fault::default(),
        limits: Vec::new(),
    }
}

/// The hosts that the rules of a VirtualService lead to.
pub(super) fn destinations(service: &VirtualService) -> Vec<String> {
    let kinds = ["http", "tls", "tcp"];
    let rules = kinds.iter().flat_map(|kind| service.rules(kind));
    let routes = rules.flat_map(|rule| list(rule, "/route"));
    routes.map(|route| Destination::read(route, &service.namespace).host).collect()
}

/// The name of the cluster that a destination means. A Service of type ExternalName means the host that it stands for.
pub(super) fn cluster_of(destination: &Destination, service: Option<&MeshService>, port: u16) -> String {
    let host = match service.map(|service| &service.resolution) {
        Some(Resolution::Alias(target)) => target,
        _ => &destination.host,
    };
    let only = service.filter(|service| service.ports.len() == 1).and_then(|service| service.ports.first());
    let port = destination.port.or(only.map(|port| port.number)).unwrap_or(port);
    clusters::name(port, &destination.subset, host)
}

/// The routes of a VirtualService; none if no rule is for this proxy and port.
pub(super) fn routes(service: &VirtualService, context: &Context<'_>) -> Vec<Arc<Route>> {
    let mut routes = Vec::new();
    for rule in service.rules("http") {
        let mut matches = list(rule, "/match").peekable();
        if matches.peek().is_none() {
            routes.push(Arc::new(route(service, rule, None, context)));
            return routes;
        }
        for one in matches.filter(|one| is_for(service, one, context)) {
            let route = route(service, rule, Some(one), context);
            let last = route.matches.is_any();
            routes.push(Arc::new(route));
            if last {
                return routes;
            }
        }
    }
    routes
}

/// Whether a match is for the proxy. Where it names gateways, labels do not count.
fn is_for(service: &VirtualService, one: &Value, context: &Context<'_>) -> bool {
    if port(one, "/port").is_some_and(|port| port != context.port) {
        return false;
    }
    let gateways = texts(one, "/gateways");
    if !gateways.is_empty() {
        return gateways.iter().any(|name| host::gateway(name, &service.namespace) == context.gateway);
    }
    let source = text(one, "/sourceNamespace");
    selects(&text_map(one, "/sourceLabels"), context.labels) && (source.is_empty() || source == context.namespace)
}

fn route(service: &VirtualService, rule: &Value, one: Option<&Value>, context: &Context<'_>) -> Route {
    let mut limits = service.limits.clone();
    let mut limit = |what: &str| limits.push(format!("{}: http.{what}", service.named));
    unknown(rule, "", KNOWN).iter().for_each(|field| limit(field));
    let name = match one.map(|one| text(one, "/name")).filter(|name| !name.is_empty()) {
        Some(own) => format!("{}.{own}", text(rule, "/name")),
        None => text(rule, "/name").to_owned(),
    };
    let (mut request, authority) = edits(rule, "/headers/request");
    let (mut response, _) = edits(rule, "/headers/response");
    let given = |key: &str| rule.get(key).filter(|value| !value.is_null());
    let mut action = if let Some(redirect) = given("redirect") {
        Action::Redirect(read_redirect(redirect, context))
    } else if let Some(direct) = given("directResponse") {
        read_direct(direct, &mut limit)
    } else {
        Action::Forward(read_forward(service, rule, authority, context, &mut limit))
    };
    // The changes of an only destination come after those of the rule; those of one among several, before.
    if let Action::Forward(Forward { clusters, .. }) = &mut action
        && let [only] = clusters.as_mut_slice()
        && list(rule, "/route").count() == 1
    {
        request.append(std::mem::take(&mut only.request));
        response.append(std::mem::take(&mut only.response));
    }
    let fault = given("fault").map(|fault| read_fault(fault, &mut limit)).unwrap_or_default();
    let matches = one.map_or_else(RouteMatch::any, |one| {
        let mut matches = route_match(one);
        matches.limit = matches.limit.map(|what| format!("{}: http.match.{what}", service.named));
        matches
    });
    Route { name, matches, action, request, response, fault, limits }
}

/// Changes of headers, and the authority among them, which is none.
fn edits(value: &Value, pointer: &str) -> (Edits, Option<String>) {
    let mut edits = Edits::default();
    let mut authority = None;
    for (kind, append) in [("set", false), ("add", true)] {
        let named = text_map(value, &format!("{pointer}/{kind}"));
        for (name, text) in named {
            let lower = name.to_ascii_lowercase();
            if lower == ":authority" || lower == "host" {
                authority.get_or_insert(text);
            } else if !lower.starts_with(':') {
                edits.add.push((lower, text, append));
            }
        }
    }
    let internal = |name: &String| name.starts_with(':') || name == "host";
    let removed = texts(value, &format!("{pointer}/remove"));
    edits.remove = removed.iter().map(|name| name.to_ascii_lowercase()).filter(|name| !internal(name)).collect();
    (edits, authority)
}

fn read_redirect(value: &Value, context: &Context<'_>) -> Redirect {
    let some = |key: &str| Some(text(value, key).to_owned()).filter(|text| !text.is_empty());
    let scheme = some("/scheme");
    let from_request = text(value, "/derivePort") == "FROM_REQUEST_PORT";
    let wanted = port(value, "/port").or(from_request.then_some(context.port));
    let spoken = scheme.clone().unwrap_or_else(|| if context.tls { "https" } else { "http" }.to_owned());
    let usual = |port: &u16| matches!((spoken.as_str(), port), ("http", 80) | ("https", 443));
    let prefix = some("/prefixRewrite");
    Redirect {
        code: port(value, "/redirectCode").unwrap_or(301),
        host: some("/authority"),
        port: wanted.filter(|port| !usual(port)),
        path: some("/uri").filter(|_| prefix.is_none()),
        prefix,
        scheme,
    }
}

fn read_direct(value: &Value, limit: &mut dyn FnMut(&str)) -> Action {
    let body = value.get("body").unwrap_or(&Value::Null);
    for field in unknown(body, "directResponse.body", &["string"]) {
        limit(&field);
    }
    Action::Direct { status: port(value, "/status").unwrap_or(200), body: text(body, "/string").to_owned() }
}

fn read_forward(
    service: &VirtualService,
    rule: &Value,
    authority: Option<String>,
    context: &Context<'_>,
    limit: &mut dyn FnMut(&str),
) -> Forward {
    let rewrite = rule.get("rewrite").unwrap_or(&Value::Null);
    for field in unknown(rewrite, "rewrite", &["uri", "authority", "uriRegexRewrite"]) {
        limit(&field);
    }
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let pattern = text(rewrite, "/uriRegexRewrite/match");
    let mut rewrite_regex = None;
    if !pattern.is_empty() {
        match Regex::new(pattern) {
            Ok(regex) => rewrite_regex = Some((regex, text(rewrite, "/uriRegexRewrite/rewrite").to_owned())),
            Err(_) => limit("rewrite.uriRegexRewrite"),
        }
    }
    let mut clusters: Vec<Weighted> = Vec::new();
    let all: Vec<&Value> = list(rule, "/route").collect();
    for one in &all {
        for field in unknown(one, "route", &["destination", "weight", "headers"]) {
            limit(&field);
        }
        let weight = one.get("weight").and_then(Value::as_u64).and_then(|weight| u32::try_from(weight).ok());
        let weight = if all.len() == 1 { 1 } else { weight.unwrap_or(0) };
        if weight > 0 {
            let destination = Destination::read(one, &service.namespace);
            let (request, own) = edits(one, "/headers/request");
            clusters.push(Weighted {
                cluster: cluster_of(&destination, (context.service)(&destination.host), context.port),
                weight,
                request,
                response: edits(one, "/headers/response").0,
                authority: own,
            });
        }
    }
    if clusters.is_empty() {
        limit("route without a destination");
    }
    Forward {
        clusters,
        rewrite_prefix: some(text(rewrite, "/uri")).filter(|_| rewrite_regex.is_none()),
        rewrite_regex,
        authority: some(text(rewrite, "/authority")).or(authority),
        timeout: go_duration(text(rule, "/timeout")).filter(|timeout| !timeout.is_zero()),
        retry: match rule.get("retries").filter(|retries| !retries.is_null()) {
            Some(retries) => read_retry(retries, limit),
            None => Some(default_retry()),
        },
    }
}

fn read_retry(value: &Value, limit: &mut dyn FnMut(&str)) -> Option<Retry> {
    let known =
        ["attempts", "perTryTimeout", "retryOn", "retryRemoteLocalities", "retryIgnorePreviousHosts", "backoff"];
    for field in unknown(value, "retries", &known) {
        limit(&field);
    }
    let attempts = value.get("attempts").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let mut retry = default_retry();
    retry.attempts = attempts;
    retry.per_try = go_duration(text(value, "/perTryTimeout")).filter(|timeout| !timeout.is_zero());
    if let Some(backoff) = go_duration(text(value, "/backoff")) {
        retry.backoff = backoff;
    }
    let on = text(value, "/retryOn");
    if !on.is_empty() {
        let (codes, names): (Vec<&str>, Vec<&str>) =
            on.split(',').map(str::trim).filter(|part| !part.is_empty()).partition(|part| part.parse::<u16>().is_ok());
        retry.codes = codes.iter().filter_map(|code| code.parse().ok()).collect();
        retry.on = names.iter().map(|&name| name.to_owned()).collect();
        if !retry.codes.is_empty() && !names.contains(&"retriable-status-codes") {
            retry.on.push("retriable-status-codes".to_owned());
        }
    }
    (attempts > 0).then_some(retry)
}

/// Parts of a million.
fn share(value: &Value, pointer: &str) -> Option<u32> {
    let percent = value.pointer(pointer)?.as_f64()?;
    // A share above all of them, or below none, is cut off.
    Some((percent.clamp(0.0, 100.0) * 10_000.0) as u32)
}

fn read_fault(value: &Value, limit: &mut dyn FnMut(&str)) -> Fault {
    let mut fault = Fault::default();
    for (kind, value) in fields(value, "") {
        match kind {
            "delay" => match go_duration(text(value, "/fixedDelay")) {
                Some(delay) => {
                    let old = share(value, "/percent");
                    fault.delay = Some((delay, share(value, "/percentage/value").or(old).unwrap_or(0)));
                }
                None => limit("fault.delay"),
            },
            "abort" => match port(value, "/httpStatus") {
                Some(status) => fault.abort = Some((status, share(value, "/percentage/value").unwrap_or(0))),
                None => limit("fault.abort"),
            },
            other => limit(&format!("fault.{other}")),
        }
    }
    fault
}
