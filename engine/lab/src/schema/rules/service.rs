//! Services, Endpoints and EndpointSlices.
//!
//! Invariant: what addresses and node ports are free is not judged here; whoever gives them out knows.

use serde_json::json;

use super::Subject;
use super::report::{At, Report};
use super::selector;
use crate::schema::text;
use crate::status::Cause;

pub(super) fn service(subject: &Subject<'_>, report: &mut Report) {
    let spec = subject.spec();
    let (kind, ports) = (spec.field("type").text(), spec.field("ports"));
    let headless = spec.field("clusterIP").text() == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        report.required(&ports, "");
    }
    let addresses = spec.field("clusterIPs");
    match kind {
        "NodePort" | "LoadBalancer" if headless => {
            let first = At::new(None, format!("{}[0]", addresses.path));
            let detail = format!("may not be set to 'None' for {kind} services");
            report.invalid_as(&first, &"None".into(), &detail);
        }
        "ExternalName" => {
            if !spec.field("clusterIP").is_empty() || !addresses.is_empty() {
                report.forbidden(&addresses, "may not be set for ExternalName services");
            }
            let name = spec.field("externalName");
            if name.is_empty() {
                report.required(&name, "");
            } else {
                let stem = name.text().trim_end_matches('.');
                for problem in text::dns_subdomain(stem) {
                    report.invalid(&name, &problem);
                }
            }
        }
        _ => {}
    }
    ports_of(&ports, kind, report);
    selector::labels(&spec.field("selector"), report);
    affinity(&spec, report);
    for address in spec.field("externalIPs").items() {
        report.text(&address, text::ip);
        not_loopback(&address, report);
    }
    report.one_of(&spec.field("type"), &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    duplicates(&ports, report);
    balancer(&spec, kind, report);
    external_policy(&spec, kind, report);
    report.one_of(&spec.field("internalTrafficPolicy"), &["Cluster", "Local"]);
    report.one_of(&spec.field("ipFamilyPolicy"), &["SingleStack", "PreferDualStack", "RequireDualStack"]);
    for family in spec.field("ipFamilies").items() {
        match family.text() {
            "IPv4" => {}
            "IPv6" => report.invalid(&family, "not configured on this cluster"),
            _ => report.one_of(&family, &["IPv4", "IPv6"]),
        }
    }
    if let Some(old) = subject.old_spec() {
        let (before, now) = (old.field("clusterIP"), spec.field("clusterIP"));
        let stays = old.field("type").text() != "ExternalName" && kind != "ExternalName";
        if stays && !before.is_empty() && before.text() != now.text() {
            let first = At::new(None, format!("{}[0]", addresses.path));
            report.invalid_as(&first, &json!([now.text()]), "may not change once set");
        }
    }
}

fn ports_of(ports: &At<'_>, kind: &str, report: &mut Report) {
    let many = ports.items().count() > 1;
    let mut names: Vec<&str> = Vec::new();
    for port in ports.items() {
        let name = port.field("name");
        if many && name.is_empty() {
            report.required(&name, "");
        } else if !name.is_empty() {
            report.text(&name, text::dns_label);
            if names.contains(&name.text()) {
                report.duplicate(&name, &name.text().into());
            }
            names.push(name.text());
        }
        report.port(&port.field("port"));
        report.one_of(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
        let target = port.field("targetPort");
        if target.is_set() {
            report.port_or_name(&target);
        }
        report.text_if_any(&port.field("appProtocol"), text::qualified_name);
        let node = port.field("nodePort");
        if matches!(kind, "ClusterIP" | "ExternalName") && node.number().unwrap_or(0) != 0 {
            report.forbidden(&node, &format!("may not be used when `type` is '{kind}'"));
        }
    }
}

fn duplicates(ports: &At<'_>, report: &mut Report) {
    let mut seen: Vec<(&str, Option<i64>)> = Vec::new();
    for port in ports.items() {
        let key = (port.field("protocol").text(), port.field("port").number());
        if seen.contains(&key) {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{:?},\"AppProtocol\":null,\"Port\":{},\"TargetPort\":0,\"NodePort\":0}}",
                key.0,
                key.1.unwrap_or(0)
            );
            let message = format!("Duplicate value: {shown}");
            report.causes.push(Cause::new("FieldValueDuplicate", port.path.as_str(), message));
        }
        seen.push(key);
    }
}

fn affinity(spec: &At<'_>, report: &mut Report) {
    let at = spec.field("sessionAffinity");
    report.one_of(&at, &["ClientIP", "None"]);
    let seconds = spec.field("sessionAffinityConfig").field("clientIP").field("timeoutSeconds");
    if at.text() == "ClientIP" && seconds.number().is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
        report.invalid(&seconds, "must be greater than 0 and less than 86400");
    }
}

fn balancer(spec: &At<'_>, kind: &str, report: &mut Report) {
    let ranges = spec.field("loadBalancerSourceRanges");
    let place = format!("{}.LoadBalancerSourceRanges", spec.path);
    if !ranges.is_empty() && kind != "LoadBalancer" {
        report.forbidden(&At::new(None, place.as_str()), "may only be used when `type` is 'LoadBalancer'");
    }
    for (index, range) in ranges.items().enumerate() {
        report.text(&At::new(range.value, format!("{place}[{index}]")), text::cidr);
    }
    let class = spec.field("loadBalancerClass");
    if class.is_set() && kind != "LoadBalancer" {
        report.forbidden(&class, "may only be used when `type` is 'LoadBalancer'");
    }
}

fn external_policy(spec: &At<'_>, kind: &str, report: &mut Report) {
    let policy = spec.field("externalTrafficPolicy");
    let external = matches!(kind, "NodePort" | "LoadBalancer") || !spec.field("externalIPs").is_empty();
    if policy.is_set() && !external {
        report.invalid(&policy, "may only be set for externally-accessible services");
    } else {
        report.one_of(&policy, &["Cluster", "Local"]);
    }
    let check = spec.field("healthCheckNodePort");
    let local = kind == "LoadBalancer" && policy.text() == "Local";
    if check.number().unwrap_or(0) != 0 && !local {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        report.invalid(&check, detail);
    }
}

fn not_loopback(at: &At<'_>, report: &mut Report) {
    let Ok(address) = at.text().parse::<std::net::IpAddr>() else { return };
    if address.is_loopback() {
        report.invalid(at, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
}

pub(super) fn endpoints(subject: &Subject<'_>, report: &mut Report) {
    for subset in subject.object.field("subsets").items() {
        let (ready, unready) = (subset.field("addresses"), subset.field("notReadyAddresses"));
        if ready.is_empty() && unready.is_empty() {
            report.required(&subset, "must specify `addresses` or `notReadyAddresses`");
        }
        for address in ready.items().chain(unready.items()) {
            let ip = address.field("ip");
            report.text(&ip, text::ip);
            if ip.text().parse::<std::net::IpAddr>().is_err() {
                report.invalid_as(&ip, &ip.text().into(), "must be a valid IP address");
            }
            not_loopback(&ip, report);
        }
        let ports = subset.field("ports");
        for port in ports.items() {
            let name = port.field("name");
            if ports.items().count() > 1 && name.is_empty() {
                report.required(&name, "");
            } else {
                report.text_if_any(&name, text::dns_label);
            }
            report.port(&port.field("port"));
            report.one_of(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
        }
    }
}

pub(super) fn endpoint_slice(subject: &Subject<'_>, report: &mut Report) {
    let at = subject.object.field("addressType");
    if at.is_empty() {
        report.required(&at, "");
    } else {
        report.one_of(&at, &["FQDN", "IPv4", "IPv6"]);
    }
    for port in subject.object.field("ports").items() {
        report.text_if_any(&port.field("name"), text::dns_label);
        report.one_of(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
        report.text_if_any(&port.field("appProtocol"), text::qualified_name);
    }
    for endpoint in subject.object.field("endpoints").items() {
        let addresses = endpoint.field("addresses");
        if addresses.is_empty() {
            report.required(&addresses, "must contain at least 1 address");
        }
        for address in addresses.items() {
            match at.text() {
                "IPv4" | "IPv6" => report.text(&address, text::ip),
                "FQDN" => report.text(&address, text::dns_subdomain),
                _ => {}
            }
        }
    }
    if let Some(old) = &subject.old {
        report.immutable(&old.field("addressType"), &at);
    }
}
