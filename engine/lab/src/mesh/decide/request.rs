//! The way of a request: virtual host, route, and what the route does with it.
//!
//! Invariant: the first route whose conditions hold decides. Whether a condition holds that the lab does not understand is not
//! known, so nothing after it is.

use super::verdict::{Answer, Forwarding, Hop, RequestHead, RequestOutcome, RequestVerdict};
use super::{endpoint, shown, weighted};
use crate::mesh::envoy::{
    Action, Forward, HeaderMatch, PathMatch, ProxyConfig, Redirect, Route, RouteMatch, TextMatch, VirtualHost,
};
use std::net::SocketAddr;
use std::sync::Arc;

/// All of a share.
const MILLION: u64 = 1_000_000;

/// Decides about one request that came to `destination`, in the route configuration of this name.
#[must_use]
pub fn request(config: &ProxyConfig, routes: &str, destination: SocketAddr, head: &RequestHead<'_>) -> RequestVerdict {
    let mut hops = Vec::new();
    let outcome = decide(config, routes, destination, head, &mut hops);
    RequestVerdict { hops, outcome }
}

fn not_found() -> RequestOutcome {
    RequestOutcome::Answer(Box::new(Answer {
        status: 404,
        flags: "NR",
        details: "route_not_found",
        route: "-".to_owned(),
        ..Answer::default()
    }))
}

fn decide(
    config: &ProxyConfig,
    routes: &str,
    destination: SocketAddr,
    head: &RequestHead<'_>,
    hops: &mut Vec<Hop>,
) -> RequestOutcome {
    if let Some(limit) = config.limits.first() {
        return RequestOutcome::NotSimulated(limit.clone());
    }
    // No route of Istio's asks for CONNECT, so none takes it.
    if head.method == "CONNECT" {
        return not_found();
    }
    let host = host_of(head.authority);
    let Some(virtual_host) = config.routes.get(routes).and_then(|routes| routes.find(host)) else {
        return not_found();
    };
    if virtual_host.require_tls && head.scheme == "http" {
        return to_https(virtual_host, head, host, hops);
    }
    for route in &virtual_host.routes {
        if !fits(&route.matches, head) {
            continue;
        }
        hops.push(Hop::Route { virtual_host: virtual_host.name.clone(), name: shown(&route.name) });
        if let Some(limit) = route.matches.limit.as_ref().or(route.limits.first()) {
            return RequestOutcome::NotSimulated(limit.clone());
        }
        return match &route.action {
            Action::Forward(forward) => go(config, destination, head, route, forward, hops),
            Action::Redirect(redirect) => {
                let location = location(redirect, &route.matches, head);
                own(route, redirect.code, String::new(), Some(location))
            }
            Action::Direct { status, body } => {
                let created = *status == 201 || (300..400).contains(status);
                let here = created.then(|| format!("{}://{}{}", head.scheme, head.authority, head.path));
                own(route, *status, body.clone(), here)
            }
        };
    }
    not_found()
}

fn own(route: &Route, status: u16, body: String, location: Option<String>) -> RequestOutcome {
    RequestOutcome::Answer(Box::new(Answer {
        status,
        body,
        location,
        flags: "-",
        details: "direct_response",
        route: shown(&route.name),
        response: route.response.clone(),
    }))
}

/// Sends a client that came without TLS to the same place with it.
fn to_https(virtual_host: &VirtualHost, head: &RequestHead<'_>, host: &str, hops: &mut Vec<Hop>) -> RequestOutcome {
    hops.push(Hop::Route { virtual_host: virtual_host.name.clone(), name: "-".to_owned() });
    RequestOutcome::Answer(Box::new(Answer {
        status: 301,
        location: Some(format!("https://{host}{}", head.path)),
        flags: "-",
        details: "direct_response",
        route: "-".to_owned(),
        ..Answer::default()
    }))
}

fn go(
    config: &ProxyConfig,
    destination: SocketAddr,
    head: &RequestHead<'_>,
    route: &Arc<Route>,
    forward: &Forward,
    hops: &mut Vec<Hop>,
) -> RequestOutcome {
    let chosen = weighted(forward.clusters.iter().map(|one| one.weight), head.draw);
    let Some(target) = forward.clusters.get(chosen) else { return not_found() };
    let Some(cluster) = config.clusters.get(&target.cluster) else {
        hops.push(Hop::Cluster(format!("{} (which does not exist)", target.cluster)));
        return RequestOutcome::Answer(Box::new(Answer {
            status: 503,
            flags: "NC",
            details: "cluster_not_found",
            route: shown(&route.name),
            ..Answer::default()
        }));
    };
    hops.push(Hop::Cluster(cluster.name.clone()));
    hops.extend(endpoint(cluster, destination));
    if let Some(limit) = cluster.limits.first() {
        return RequestOutcome::NotSimulated(limit.clone());
    }
    let strikes = |share: u32, salt: u64| (head.draw.rotate_left(17) ^ salt) % MILLION < u64::from(share);
    RequestOutcome::Forward(Box::new(Forwarding {
        cluster: Arc::clone(cluster),
        route: Arc::clone(route),
        chosen,
        path: rewritten(forward, &route.matches, head.path),
        authority: forward.authority.clone().or(target.authority.clone()).unwrap_or_else(|| head.authority.to_owned()),
        delay: route.fault.delay.filter(|(_, share)| strikes(*share, 1)).map(|(delay, _)| delay),
        abort: route.fault.abort.filter(|(_, share)| strikes(*share, 2)).map(|(status, _)| status),
    }))
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn query_of(path: &str) -> &str {
    path.find('?').map_or("", |at| &path[at..])
}

/// The part of a path that a route's condition took.
fn taken<'a>(matches: &RouteMatch, path: &'a str) -> &'a str {
    match &matches.path {
        PathMatch::Prefix(prefix) => path.get(..prefix.len()).unwrap_or(path),
        PathMatch::Exact(_) | PathMatch::Regex(_) => without_query(path),
    }
}

fn rewritten(forward: &Forward, matches: &RouteMatch, path: &str) -> String {
    if let Some(prefix) = &forward.rewrite_prefix {
        return format!("{prefix}{}", &path[taken(matches, path).len()..]);
    }
    if let Some((pattern, by)) = &forward.rewrite_regex {
        // RE2 writes groups as `\1`, this library as `${1}`.
        let by = by.replace('$', "$$");
        let groups = regex::Regex::new(r"\\(\d)").expect("invariant: a literal pattern");
        let by = groups.replace_all(&by, "$${$1}");
        return format!("{}{}", pattern.replace_all(without_query(path), by.as_ref()), query_of(path));
    }
    path.to_owned()
}

fn location(redirect: &Redirect, matches: &RouteMatch, head: &RequestHead<'_>) -> String {
    let scheme = redirect.scheme.as_deref().unwrap_or(head.scheme);
    let usual = |port: &str, scheme: &str| matches!((scheme, port), ("http", "80") | ("https", "443"));
    let (host, own_port) = (host_of(head.authority), head.authority.get(host_of(head.authority).len() + 1..));
    let port = match (redirect.port, own_port) {
        (Some(port), _) => format!(":{port}"),
        // Another scheme takes the old one's usual port away.
        (None, Some(port)) if !(redirect.scheme.is_some() && usual(port, head.scheme)) && redirect.host.is_none() => {
            format!(":{port}")
        }
        _ => String::new(),
    };
    let host = redirect.host.as_deref().unwrap_or(host);
    let path = match (&redirect.path, &redirect.prefix) {
        (Some(path), _) if path.contains('?') => path.clone(),
        (Some(path), _) => format!("{path}{}", query_of(head.path)),
        (None, Some(prefix)) => format!("{prefix}{}", &head.path[taken(matches, head.path).len()..]),
        (None, None) => head.path.to_owned(),
    };
    format!("{scheme}://{host}{port}{path}")
}

fn fits(matches: &RouteMatch, head: &RequestHead<'_>) -> bool {
    let path = without_query(head.path);
    let lower = |text: &str| text.to_ascii_lowercase();
    let path_fits = match (&matches.path, matches.ignore_case) {
        (PathMatch::Prefix(prefix), false) => path.starts_with(prefix.as_str()),
        (PathMatch::Prefix(prefix), true) => lower(path).starts_with(&lower(prefix)),
        (PathMatch::Exact(exact), false) => path == exact,
        (PathMatch::Exact(exact), true) => lower(path) == lower(exact),
        (PathMatch::Regex(regex), _) => regex.is_match(path),
    };
    path_fits
        && matches.headers.iter().all(|wanted| header_fits(wanted, head))
        && matches.query.iter().all(|wanted| query_fits(wanted, head.path))
}

fn header_fits(wanted: &HeaderMatch, head: &RequestHead<'_>) -> bool {
    let joined;
    let value = match wanted.name.as_str() {
        ":method" => Some(head.method),
        ":authority" | "host" => Some(head.authority),
        ":scheme" => Some(head.scheme),
        ":path" => Some(head.path),
        name => {
            let all = head.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
            joined = all.join(",");
            (!all.is_empty()).then_some(joined.as_str())
        }
    };
    match (&wanted.value, value) {
        (TextMatch::Present, value) => value.is_some() != wanted.invert,
        (text, Some(value)) => text.fits(value) != wanted.invert,
        // A header that must not have a value is as good as one without any.
        (text, None) => wanted.invert && !text.fits(""),
    }
}

fn query_fits(wanted: &HeaderMatch, path: &str) -> bool {
    let query = query_of(path).trim_start_matches('?');
    let mut all = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    all.find(|(name, _)| *name == wanted.name).is_some_and(|(_, value)| wanted.value.fits(value))
}

/// The host of an authority, without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    }
}
