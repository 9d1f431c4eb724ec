//! Gateways: which of their servers a gateway's pod serves, on which port, under which route configuration.
//!
//! Invariant: servers are taken oldest first; one that cannot share its port with an older one is left out, as Istio leaves it out.

use super::proxy::Proxy;
use super::scope::Scope;
use crate::mesh::objects::{fields, list, named, port, selects, text, text_map, texts, unknown};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a server does with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerMode {
    Plain,
    Passthrough,
    Terminate,
    Mutual,
    Mesh,
}

/// One server of a Gateway, on the port that the pod listens on.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The Gateway, `NAMESPACE/NAME`.
    pub(super) gateway: String,
    /// The port that the Gateway names.
    pub(super) number: u16,
    /// The port that the pod listens on.
    pub(super) listen: u16,
    /// Whether it speaks HTTP, at least after TLS.
    pub(super) http: bool,
    pub(super) mode: ServerMode,
    /// Hosts, perhaps with a namespace before a slash.
    pub(super) hosts: Vec<String>,
    pub(super) credential: String,
    pub(super) https_redirect: bool,
    /// The route configuration, for HTTP.
    pub(super) route: String,
    pub(super) limits: Vec<String>,
}

impl Server {
    /// The server names that clients ask for.
    pub(super) fn server_names(&self) -> Vec<String> {
        let names = self.hosts.iter().map(|host| host.split_once('/').map_or(host.as_str(), |(_, name)| name));
        names.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The hosts for VirtualServices of a namespace.
    pub(super) fn hosts_for(&self, namespace: &str) -> Vec<String> {
        let for_it = |host: &String| match host.split_once('/') {
            Some((own, name)) => (own == namespace || own == "*").then(|| name.to_owned()),
            None => Some(host.clone()),
        };
        self.hosts.iter().filter_map(for_it).collect()
    }
}

/// The servers that this proxy serves, and what about them makes all of it not simulated.
pub(super) fn servers(scope: &Scope<'_>, limits: &mut Vec<String>) -> Vec<Server> {
    let mut merged: Vec<Server> = Vec::new();
    let mut names_by_port: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for gateway in scope.objects.of_kind("Gateway") {
        let selector = text_map(gateway, "/spec/selector");
        if !text(gateway, "/apiVersion").starts_with("networking.istio.io/") || !is_for(scope.proxy, gateway, &selector)
        {
            continue;
        }
        let spec = gateway.get("spec").unwrap_or(&Value::Null);
        let lacking = unknown(spec, "spec", &["selector", "servers"]);
        limits.extend(lacking.into_iter().map(|field| format!("{}: {field}", named(gateway))));
        for value in list(spec, "/servers") {
            let Some(server) = read(scope, gateway, value) else { continue };
            if server.mode != ServerMode::Plain {
                let names = names_by_port.entry(server.listen).or_default();
                if server.hosts.iter().any(|host| names.contains(host)) {
                    continue;
                }
                names.extend(server.hosts.iter().cloned());
            }
            if let Some(old) = merged.iter().find(|old| old.listen == server.listen) {
                let both_plain_http =
                    old.mode == ServerMode::Plain && server.mode == ServerMode::Plain && old.http && server.http;
                let both_tls = old.mode != ServerMode::Plain && server.mode != ServerMode::Plain;
                if !both_plain_http && !both_tls {
                    continue;
                }
            }
            merged.push(server);
        }
    }
    merged
}

/// Whether a Gateway selects this proxy; one without a selector selects all.
fn is_for(proxy: &Proxy, gateway: &Value, selector: &BTreeMap<String, String>) -> bool {
    let own_namespace = text(gateway, "/metadata/namespace") == proxy.namespace;
    (!selector.is_empty() || own_namespace) && selects(selector, &proxy.labels)
}

fn read(scope: &Scope<'_>, gateway: &Value, value: &Value) -> Option<Server> {
    let (namespace, name) = (text(gateway, "/metadata/namespace"), text(gateway, "/metadata/name"));
    let what = named(gateway);
    let mut limits = Vec::new();
    for field in unknown(value, "servers", &["port", "hosts", "tls", "name"]) {
        limits.push(format!("{what}: {field}"));
    }
    let number = port(value, "/port/number")?;
    let protocol = text(value, "/port/protocol").to_ascii_uppercase();
    let http = matches!(protocol.as_str(), "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB");
    let tls = value.get("tls").filter(|tls| !tls.is_null());
    let wanted = tls.map(|tls| text(tls, "/mode")).unwrap_or_default();
    let https_redirect = value.pointer("/tls/httpsRedirect").and_then(Value::as_bool) == Some(true);
    let mode = match (tls.is_some() && !http, wanted) {
        (false, _) => ServerMode::Plain,
        (true, "PASSTHROUGH" | "") => ServerMode::Passthrough,
        (true, "SIMPLE") => ServerMode::Terminate,
        (true, "MUTUAL") => ServerMode::Mutual,
        (true, "ISTIO_MUTUAL") => ServerMode::Mesh,
        (true, other) => {
            limits.push(format!("{what}: servers.tls.mode {other}"));
            ServerMode::Passthrough
        }
    };
    let known = ["mode", "credentialName", "httpsRedirect", "minProtocolVersion", "maxProtocolVersion", "cipherSuites"];
    for field in tls.into_iter().flat_map(|tls| unknown(tls, "servers.tls", &known)) {
        limits.push(format!("{what}: {field}"));
    }
    if !matches!(protocol.as_str(), "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" | "HTTPS" | "TLS" | "TCP") {
        limits.push(format!("{what}: servers.port.protocol {protocol}"));
    }
    let listen = target_port(scope, number);
    let hosts = texts(value, "/hosts").iter().map(|host| own_host(host, namespace)).collect();
    let port_name = text(value, "/port/name");
    let terminated = matches!(mode, ServerMode::Terminate | ServerMode::Mutual | ServerMode::Mesh);
    let route = if http { format!("http.{listen}") } else { format!("https.{number}.{port_name}.{name}.{namespace}") };
    Some(Server {
        gateway: format!("{namespace}/{name}"),
        number,
        listen,
        http: http || protocol == "HTTPS" && terminated,
        mode,
        hosts,
        credential: tls.map(|tls| text(tls, "/credentialName")).unwrap_or_default().to_owned(),
        https_redirect,
        route,
        limits,
    })
}

/// A server's host with its namespace made plain: `.` is the Gateway's own, and `*` none at all.
fn own_host(host: &str, namespace: &str) -> String {
    match host.split_once('/') {
        Some((".", name)) => format!("{namespace}/{name}"),
        Some(("*", name)) => name.to_owned(),
        _ => host.to_owned(),
    }
}

/// The port that the pod listens on for a port of the Gateway: the target of the Services that select the pod, else the same.
fn target_port(scope: &Scope<'_>, number: u16) -> u16 {
    let own = scope.by_host.values().filter(|service| {
        service.kubernetes && service.endpoints.iter().any(|endpoint| endpoint.address == scope.proxy.ip.to_string())
    });
    let mut targets = own.filter_map(|service| {
        let endpoint = service.endpoints.iter().find(|one| one.address == scope.proxy.ip.to_string())?;
        endpoint.ports.get(&number).copied()
    });
    targets.next().unwrap_or(number)
}

/// The gateways that Kubernetes' own API defines, which the lab does not serve.
pub(super) fn foreign(scope: &Scope<'_>) -> Option<String> {
    let foreign = scope.objects.istio.iter().find(|object| {
        text(object, "/kind") == "Gateway" && text(object, "/apiVersion").starts_with("gateway.networking.k8s.io/")
    });
    foreign.filter(|object| fields(object, "/spec").next().is_some()).map(|object| named(object))
}
