//! Files in `/etc` that the kubelet writes for each container.
//!
//! Invariant: byte for byte what the kubelet of 1.36 writes (`pkg/kubelet/kubelet_pods.go`, `network/dns`).

use std::net::IpAddr;

use serde_json::Value;

use crate::net::{CLUSTER_DOMAIN, DNS_ADDRESS};
use crate::store::meta;

/// Longest host name.
const HOST_NAME: usize = 63;

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn texts<'a>(value: &'a Value, path: &str) -> Vec<&'a str> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The host name of a pod: what it asks for, or its own name as far as that fits.
pub(super) fn hostname(pod: &Value) -> String {
    let own = text(&pod["spec"], "hostname").unwrap_or_else(|| meta::name(pod));
    own.chars().take(HOST_NAME).collect::<String>().trim_end_matches(['-', '.']).to_owned()
}

/// `/etc/hosts`.
pub(super) fn hosts(pod: &Value, address: IpAddr) -> String {
    let mut hosts =
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                     fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
            .to_owned();
    let name = hostname(pod);
    match text(&pod["spec"], "subdomain") {
        Some(subdomain) => {
            let namespace = meta::namespace(pod);
            hosts.push_str(&format!("{address}\t{name}.{subdomain}.{namespace}.svc.{CLUSTER_DOMAIN}\t{name}\n"));
        }
        None => hosts.push_str(&format!("{address}\t{name}\n")),
    }
    let aliases = pod.pointer("/spec/hostAliases").and_then(Value::as_array);
    if let Some(aliases) = aliases.filter(|aliases| !aliases.is_empty()) {
        hosts.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names = texts(alias, "/hostnames").join("\t");
            hosts.push_str(&format!("{}\t{names}\n", text(alias, "ip").unwrap_or_default()));
        }
    }
    hosts
}

/// `/etc/resolv.conf`.
pub(super) fn resolv_conf(pod: &Value) -> String {
    let namespace = meta::namespace(pod);
    let cluster = text(&pod["spec"], "dnsPolicy") != Some("None");
    let (mut servers, mut searches, mut options) = (Vec::new(), Vec::new(), Vec::new());
    if cluster {
        servers.push(DNS_ADDRESS.to_string());
        searches.push(format!("{namespace}.svc.{CLUSTER_DOMAIN}"));
        searches.push(format!("svc.{CLUSTER_DOMAIN}"));
        searches.push(CLUSTER_DOMAIN.to_string());
        options.push("ndots:5".to_owned());
    }
    let add = |list: &mut Vec<String>, more: Vec<&str>| {
        for one in more {
            if !list.iter().any(|known| known == one) {
                list.push(one.to_owned());
            }
        }
    };
    add(&mut servers, texts(pod, "/spec/dnsConfig/nameservers"));
    add(&mut searches, texts(pod, "/spec/dnsConfig/searches"));
    for option in pod.pointer("/spec/dnsConfig/options").and_then(Value::as_array).into_iter().flatten() {
        let name = text(option, "name").unwrap_or_default();
        let whole = text(option, "value").map_or_else(|| name.to_owned(), |value| format!("{name}:{value}"));
        // One of the pod's own replaces the cluster's.
        options.retain(|known| known.split(':').next() != Some(name));
        options.push(whole);
    }
    let mut conf = String::new();
    if !searches.is_empty() {
        conf.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in servers {
        conf.push_str(&format!("nameserver {server}\n"));
    }
    if !options.is_empty() {
        conf.push_str(&format!("options {}\n", options.join(" ")));
    }
    conf
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_the_kubelets() {
        let pod = json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {
                "hostname": "h", "subdomain": "s",
                "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}],
                "dnsConfig": {"searches": ["x.y"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]},
            },
        });
        let hosts = hosts(&pod, "10.244.0.5".parse().unwrap());
        let end = "10.244.0.5\th.s.n.svc.cluster.local\th\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n";
        assert!(hosts.ends_with(end), "{hosts}");
        assert_eq!(
            resolv_conf(&pod),
            "search n.svc.cluster.local svc.cluster.local cluster.local x.y\nnameserver 10.96.0.10\noptions ndots:2 edns0\n"
        );
    }
}
