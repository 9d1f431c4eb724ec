//! The pure decision, held against the lines of real proxies: what a line says of a connection or request is what the decision gets,
//! and the rest of the line is what it must say.

use std::net::{IpAddr, SocketAddr};

use periplus_lab::mesh::{
    Connection, Discovery, FirstBytes, MeshObjects, Outcome, Proxy, ProxyConfig, RequestHead, RequestOutcome,
    connection, inbound, inspection, request,
};
use regex::{Captures, Regex};
use serde_json::Value;

use crate::support::Cluster;

/// How often chance is asked, where weights and shares leave a choice.
const DRAWS: u64 = 64;

/// The configurations of the proxies of a cluster.
pub(crate) struct Judge {
    sidecar: ProxyConfig,
    gateway: ProxyConfig,
    server: ProxyConfig,
    line: Regex,
    url: Regex,
    header: Regex,
}

impl Judge {
    /// Builds the configurations from what the cluster holds.
    pub(crate) async fn new(cluster: &Cluster) -> Self {
        let objects = cluster.mesh_objects().await;
        Self {
            sidecar: ProxyConfig::build(&objects, &proxy(&objects, "default", "curl", false)),
            gateway: ProxyConfig::build(&objects, &proxy(&objects, "istio-system", "istio-egressgateway", true)),
            server: ProxyConfig::build(&objects, &proxy(&objects, "shop", "server", false)),
            line: Regex::new(
                r#"^\[\S+\] "(?<method>\S+) (?<path>\S+) (?<protocol>\S+)" (?<code>\d+) (?<flags>\S+) (?<details>\S+) \S+ "[^"]*" \d+ \d+ \d+ \S+ "[^"]*" "(?<agent>[^"]*)" "[^"]*" "(?<authority>[^"]*)" "(?<host>[^"]*)" (?<cluster>\S+) \S+ (?<local>\S+) (?<remote>\S+) (?<sni>\S+) (?<route>\S+)$"#,
            )
            .expect("a pattern"),
            url: Regex::new(r#"https?://([^/ "]+)"#).expect("a pattern"),
            header: Regex::new(r#"-H "([^":;]+)[:;] *([^"]*)""#).expect("a pattern"),
        }
    }

    /// The parts of a line that is in Istio's own format; none of a request that nothing was decided about.
    fn facts<'a>(&self, line: &'a str) -> Option<Captures<'a>> {
        self.line.captures(line).filter(|found| &found["details"] != "missing_host_header")
    }

    /// What a line says of the way and the end that the decision is about; nothing if it is not in Istio's own format.
    pub(crate) fn recorded(&self, line: &str) -> String {
        let Some(found) = self.facts(line) else { return String::new() };
        let own = ["direct_response", "route_not_found", "cluster_not_found", "filter_chain_not_found"];
        let (flags, details) = (&found["flags"], &found["details"]);
        let end = if own.contains(&details) || details == "-" && matches!(flags, "UH" | "NC") {
            format!("{} {flags} {details}", &found["code"])
        } else {
            "goes on".to_owned()
        };
        format!("{} {} {} {end}", &found["cluster"], &found["route"], &found["sni"])
    }

    /// The same, as the decision has it; where chance decides, as some draw has it.
    pub(crate) fn verdict(&self, proxy: &str, line: &str, command: &str) -> String {
        let Some(found) = self.facts(line) else { return String::new() };
        let config = match proxy {
            "sidecar" => &self.sidecar,
            "gateway" => &self.gateway,
            _ => &self.server,
        };
        let wanted = self.recorded(line);
        // A line shows what a route has made of the authority; the command says what it was.
        let given = self.header.captures_iter(command).map(|one| (one[1].to_owned(), one[2].to_owned()));
        let headers: Vec<(String, String)> =
            given.chain([("user-agent".to_owned(), found["agent"].to_owned())]).collect();
        let asked = self.url.captures_iter(command).map(|one| one[1].to_owned());
        let mut last = String::new();
        for authority in std::iter::once(found["authority"].to_owned()).chain(asked) {
            for draw in 0..DRAWS {
                let one = said(
                    config,
                    proxy,
                    &found,
                    &Asked { command, authority: &authority, headers: &headers },
                    draw * 16_127,
                );
                if one == wanted {
                    return one;
                }
                last = one;
            }
        }
        last
    }
}

fn proxy(objects: &MeshObjects, namespace: &str, app: &str, gateway: bool) -> Proxy {
    let field =
        |pod: &Value, pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pod = objects
        .pods
        .iter()
        .find(|pod| field(pod, "/metadata/namespace") == namespace && field(pod, "/metadata/labels/app") == app);
    let pod = pod.unwrap_or_else(|| panic!("no pod of {app} in {namespace}"));
    let labels = pod["metadata"]["labels"].as_object().into_iter().flatten();
    Proxy {
        gateway,
        namespace: namespace.to_owned(),
        labels: labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        ip: field(pod, "/status/podIP").parse().expect("an address"),
        revision: "default".to_owned(),
    }
}

/// What a client sent first, as its command and the line tell.
fn first_bytes(command: &str, found: &Captures<'_>, from_mesh: bool) -> FirstBytes {
    if &found["protocol"] != "-" && !from_mesh {
        return FirstBytes::Http { minor: 1 };
    }
    let https = command.contains("https://") && !command.contains(" -x ") || command.contains("openssl");
    if from_mesh || https || &found["sni"] != "-" {
        let host = command.split("https://").nth(1).and_then(|rest| rest.split([':', '/', ' ', '"']).next());
        let host = host.filter(|host| host.parse::<IpAddr>().is_err()).map(str::to_owned);
        let shown = Some(found["sni"].to_owned()).filter(|sni| sni != "-");
        return FirstBytes::Tls { server_name: shown.or(host), mesh: from_mesh };
    }
    if command.contains("telnet") {
        return FirstBytes::Opaque;
    }
    FirstBytes::Http { minor: u8::from(!command.contains(" -0") && !command.contains("--http1.0")) }
}

/// What the command asked for.
struct Asked<'a> {
    command: &'a str,
    authority: &'a str,
    headers: &'a [(String, String)],
}

fn said(config: &ProxyConfig, proxy: &str, found: &Captures<'_>, asked: &Asked<'_>, draw: u64) -> String {
    let address = |name: &str| found[name].parse::<SocketAddr>().expect("an address");
    let destination = address("local");
    let from_mesh = proxy != "sidecar" && &found["sni"] != "-" && &found["protocol"] != "-"
        || proxy == "server" && &found["sni"] != "-";
    let seen = first_bytes(asked.command, found, from_mesh);
    let look = inspection(config, destination);
    let seen = match seen {
        FirstBytes::Tls { .. } if proxy == "sidecar" && !look.tls => FirstBytes::Opaque,
        FirstBytes::Http { .. } if proxy == "sidecar" && !look.http => FirstBytes::Opaque,
        seen => seen,
    };
    let facts = Connection { source: address("remote"), destination, first_bytes: seen, draw };
    let decided = if proxy == "server" { inbound(config, &facts) } else { connection(config, &facts) };
    let sni = decided.server_name.as_deref().unwrap_or("-");
    match decided.outcome {
        Outcome::NotSimulated(reason) => format!("not simulated: {reason}"),
        Outcome::Close { cluster, flags, details } => {
            let cluster = cluster.map_or("-".to_owned(), |cluster| cluster.name.clone());
            format!("{cluster} - {sni} 0 {flags} {details}")
        }
        // That a name has no address is found out when it is asked for.
        Outcome::Relay(cluster) if matches!(cluster.discovery, Discovery::Dns(_)) && &found["flags"] == "UH" => {
            format!("{} - {sni} 0 UH -", cluster.name)
        }
        Outcome::Relay(cluster) => format!("{} - {sni} goes on", cluster.name),
        Outcome::Http(_) if &found["protocol"] == "-" => "requests are read".to_owned(),
        Outcome::Http(routes) => {
            let path = if &found["method"] == "CONNECT" { asked.authority } else { &found["path"] };
            let head = RequestHead {
                method: &found["method"],
                authority: asked.authority,
                path,
                scheme: if from_mesh { "https" } else { "http" },
                headers: asked.headers,
                draw,
            };
            match request(config, &routes, destination, &head).outcome {
                RequestOutcome::NotSimulated(reason) => format!("not simulated: {reason}"),
                RequestOutcome::Answer(answer) => {
                    format!("- {} {sni} {} {} {}", answer.route, answer.status, answer.flags, answer.details)
                }
                RequestOutcome::Forward(forwarding) => {
                    format!("{} {} {sni} goes on", forwarding.cluster.name, forwarding.route_name())
                }
            }
        }
    }
}
