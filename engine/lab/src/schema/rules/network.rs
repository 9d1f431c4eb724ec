//! Ingresses and NetworkPolicies.
//!
//! Invariant: a backend names one thing.

use serde_json::Value;

use super::Subject;
use super::report::{At, Report};
use super::selector;
use crate::schema::text;

pub(super) fn ingress(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let (rules, backend) = (spec.field("rules"), spec.field("defaultBackend"));
    if rules.is_empty() && !backend.is_set() {
        let place = At::new(None, "spec");
        report.invalid_as(&place, &Value::Null, "either `defaultBackend` or `rules` must be specified");
    }
    if backend.is_set() {
        self::backend(&backend, report);
    }
    for rule in rules.items() {
        host(&rule.field("host"), report);
        paths(&rule.field("http"), report);
    }
    for tls in spec.field("tls").items() {
        for name in tls.field("hosts").items() {
            if name.text().contains('*') {
                wildcard(&name, report);
            } else {
                report.text(&name, text::dns_subdomain);
            }
        }
        report.text_if_any(&tls.field("secretName"), text::dns_subdomain);
    }
    report.text_if_any(&spec.field("ingressClassName"), text::dns_subdomain);
}

fn host(at: &At<'_>, report: &mut Report) {
    if at.is_empty() {
        return;
    }
    if at.text().parse::<std::net::IpAddr>().is_ok() {
        report.invalid(at, "must be a DNS name, not an IP address");
    }
    if at.text().contains('*') {
        wildcard(at, report);
    } else {
        report.text(at, text::dns_subdomain);
    }
}

fn wildcard(at: &At<'_>, report: &mut Report) {
    const RULE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist \
                        of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. \
                        '*.example.com', regex used for validation is \
                        '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    if !at.text().strip_prefix("*.").is_some_and(text::is_dns_subdomain) {
        report.invalid(at, RULE);
    }
}

fn paths(http: &At<'_>, report: &mut Report) {
    if !http.is_set() {
        return;
    }
    let list = http.field("paths");
    if list.is_empty() {
        report.required(&list, "");
    }
    for entry in list.items() {
        let (kind, path) = (entry.field("pathType"), entry.field("path"));
        if !kind.is_set() {
            report.required(&kind, "pathType must be specified");
            continue;
        }
        match kind.text() {
            "Exact" | "Prefix" => strict_path(&path, report),
            "ImplementationSpecific" => {
                if !path.is_empty() && !path.text().starts_with('/') {
                    report.invalid(&path, "must be an absolute path");
                }
            }
            _ => report.one_of(&kind, &["Exact", "ImplementationSpecific", "Prefix"]),
        }
        backend(&entry.field("backend"), report);
    }
}

fn strict_path(path: &At<'_>, report: &mut Report) {
    if !path.text().starts_with('/') {
        report.invalid_as(path, &path.text().into(), "must be an absolute path");
        return;
    }
    for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
        if path.text().contains(sequence) {
            report.invalid(path, &format!("must not contain '{sequence}'"));
        }
    }
    for end in ["/..", "/."] {
        if path.text().ends_with(end) {
            report.invalid(path, &format!("cannot end with '{end}'"));
        }
    }
}

fn backend(at: &At<'_>, report: &mut Report) {
    let (service, resource) = (at.field("service"), at.field("resource"));
    match (service.is_set(), resource.is_set()) {
        (true, true) => report.invalid_as(at, &"".into(), "cannot set both resource and service backends"),
        (false, false) => report.invalid_as(at, &"".into(), "resource or service backend is required"),
        (false, true) => {}
        (true, false) => {
            let name = service.field("name");
            if name.is_empty() {
                report.required(&name, "");
            } else {
                report.text(&name, text::dns_label);
            }
            let port = service.field("port");
            let (name, number) = (port.field("name"), port.field("number"));
            match (name.is_empty(), number.number().unwrap_or(0)) {
                (false, 0) => report.text(&name, text::port_name),
                (false, _) => report.invalid_as(at, &"".into(), "cannot set both port name & port number"),
                (true, 0) => report.required(at, "port name or number is required"),
                (true, _) => report.port(&number),
            }
        }
    }
}

pub(super) fn network_policy(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    selector::label_selector(&spec.field("podSelector"), report);
    for rule in spec.field("ingress").items() {
        ports(&rule.field("ports"), report);
        peers(&rule.field("from"), report);
    }
    for rule in spec.field("egress").items() {
        ports(&rule.field("ports"), report);
        peers(&rule.field("to"), report);
    }
    for kind in spec.field("policyTypes").items() {
        report.one_of(&kind, &["Ingress", "Egress"]);
    }
}

fn ports(list: &At<'_>, report: &mut Report) {
    for entry in list.items() {
        report.one_of(&entry.field("protocol"), &["TCP", "UDP", "SCTP"]);
        let (port, end) = (entry.field("port"), entry.field("endPort"));
        match port.value {
            Some(Value::String(_)) => {
                if end.is_set() {
                    report.invalid(&end, "may not be specified when `port` is non-numeric");
                }
                report.text(&port, text::port_name);
            }
            Some(_) => {
                report.port(&port);
                if end.is_set() {
                    if end.number() < port.number() {
                        report.invalid(&end, "must be greater than or equal to `port`");
                    }
                    report.port(&end);
                }
            }
            None => {
                if end.is_set() {
                    report.invalid(&end, "may not be specified when `port` is not specified");
                }
            }
        }
    }
}

fn peers(list: &At<'_>, report: &mut Report) {
    for peer in list.items() {
        let (pods, namespaces, block) =
            (peer.field("podSelector"), peer.field("namespaceSelector"), peer.field("ipBlock"));
        selector::label_selector(&pods, report);
        selector::label_selector(&namespaces, report);
        if block.is_set() {
            ip_block(&block, report);
        }
        let others = usize::from(pods.is_set()) + usize::from(namespaces.is_set());
        if !block.is_set() && others == 0 {
            report.required(&peer, "must specify a peer");
        } else if block.is_set() && others > 0 {
            report.forbidden(&peer, "may not specify both ipBlock and another peer");
        }
    }
}

fn ip_block(at: &At<'_>, report: &mut Report) {
    let range = at.field("cidr");
    if range.is_empty() {
        report.required(&range, "");
        return;
    }
    report.text(&range, text::cidr);
    let Ok(whole) = range.text().parse::<ipnet::IpNet>() else { return };
    for except in at.field("except").items() {
        report.text(&except, text::cidr);
        let within = except.text().parse::<ipnet::IpNet>().is_ok_and(|part| whole.contains(&part) && part != whole);
        if except.text().parse::<ipnet::IpNet>().is_ok() && !within {
            report.invalid(&except, "must be a strict subset of `cidr`");
        }
    }
}
