//! Probes of containers.
//!
//! Invariant: a probe that the lab cannot make never succeeds; it says what is lacking.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::net::NetNs;
use crate::process::{Container, Exit, Fd};

/// Most bytes of a command's output that an event repeats.
const OUTPUT: usize = 10 << 10;

/// A probe as a container declares it.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    action: Action,
    /// Before the first attempt.
    pub(super) initial_delay: Duration,
    /// Between attempts.
    pub(super) period: Duration,
    timeout: Duration,
    /// Attempts in a row that must succeed.
    pub(super) successes: u32,
    /// Attempts in a row that must fail.
    pub(super) failures: u32,
}

#[derive(Clone, Debug)]
enum Action {
    Exec(Vec<String>),
    Http { path: String, port: u16, host: String, headers: Vec<(String, String)> },
    Tcp { port: u16 },
    Unsupported(String),
}

impl Probe {
    /// The probe `kind` (such as `readinessProbe`) of a container, if it has one.
    pub(super) fn of(container: &Value, kind: &str) -> Option<Self> {
        let probe = container.get(kind).filter(|probe| probe.is_object())?;
        let number = |key: &str, default: u64| probe.get(key).and_then(Value::as_u64).unwrap_or(default);
        let seconds = |key: &str, default: u64| Duration::from_secs(number(key, default));
        let times = |key: &str, default: u64| u32::try_from(number(key, default)).unwrap_or(u32::MAX).max(1);
        Some(Self {
            action: Action::of(container, probe),
            initial_delay: seconds("initialDelaySeconds", 0),
            period: seconds("periodSeconds", 10).max(Duration::from_secs(1)),
            timeout: seconds("timeoutSeconds", 1).max(Duration::from_secs(1)),
            successes: times("successThreshold", 1),
            failures: times("failureThreshold", 3),
        })
    }

    /// Makes one attempt from the node. An error goes on from `Readiness probe `, in the kubelet's words.
    pub(super) async fn attempt(&self, node: &NetNs, pod: &NetNs, container: &Container) -> Result<(), String> {
        match timeout(self.timeout, self.act(node, pod, container)).await {
            Ok(result) => result,
            Err(_) => Err(self.too_late(pod)),
        }
    }

    fn too_late(&self, pod: &NetNs) -> String {
        let seconds = self.timeout.as_secs();
        match &self.action {
            Action::Exec(argv) => {
                let command = argv.join(" ");
                format!(
                    "errored and resulted in unknown state: command timed out: \"{command}\" timed out after {seconds}s"
                )
            }
            Action::Http { path, port, .. } => {
                let url = format!("http://{}{path}", SocketAddr::new(pod.ip(), *port));
                let why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
                format!("failed: Get {url:?}: {why}")
            }
            Action::Tcp { port } => format!("failed: dial tcp {}: i/o timeout", SocketAddr::new(pod.ip(), *port)),
            Action::Unsupported(what) => format!("failed: not simulated: {what}"),
        }
    }

    async fn act(&self, node: &NetNs, pod: &NetNs, container: &Container) -> Result<(), String> {
        match &self.action {
            Action::Exec(argv) => {
                let (read, write) = Fd::pipe();
                let process = container.process(argv.clone(), Fd::null(), write.clone(), write);
                let (exit, output) = tokio::join!(process.run(), read.read_to_end(OUTPUT));
                match exit {
                    Exit::Code(0) => Ok(()),
                    Exit::NotSimulated(what) => Err(format!("failed: not simulated: {what}")),
                    Exit::NotFound(why) => Err(format!(
                        "errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in \
                         container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container \
                         process: {why}: unknown"
                    )),
                    Exit::Code(_) | Exit::Signal(_) => {
                        let output = output.ok().flatten().unwrap_or_default();
                        Err(format!("failed: {}", String::from_utf8_lossy(&output)))
                    }
                }
            }
            Action::Tcp { port } => {
                let address = SocketAddr::new(pod.ip(), *port);
                node.dial(address).await.map(drop).map_err(|error| format!("failed: {}", dial_error(address, &error)))
            }
            Action::Http { path, port, host, headers } => {
                let address = SocketAddr::new(pod.ip(), *port);
                let code = get(node, address, path, host, headers).await?;
                if (200..400).contains(&code) {
                    Ok(())
                } else {
                    Err(format!("failed: HTTP probe failed with statuscode: {code}"))
                }
            }
            Action::Unsupported(what) => Err(format!("failed: not simulated: {what}")),
        }
    }
}

impl Action {
    fn of(container: &Value, probe: &Value) -> Self {
        if let Some(exec) = probe.get("exec") {
            let words = exec.get("command").and_then(Value::as_array);
            return Self::Exec(words.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        if let Some(tcp) = probe.get("tcpSocket") {
            return port(container, tcp).map_or_else(Self::Unsupported, |port| Self::Tcp { port });
        }
        let Some(http) = probe.get("httpGet") else {
            return Self::Unsupported("this kind of probe".to_owned());
        };
        let text = |key: &str| http.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("scheme") == "HTTPS" || !text("host").is_empty() {
            return Self::Unsupported("an HTTP probe with TLS or another host".to_owned());
        }
        let mut headers = Vec::new();
        let mut host = String::new();
        for header in http.get("httpHeaders").and_then(Value::as_array).into_iter().flatten() {
            let member = |key: &str| header.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            if member("name").eq_ignore_ascii_case("host") {
                host = member("value");
            } else {
                headers.push((member("name"), member("value")));
            }
        }
        let path = if text("path").starts_with('/') { text("path").to_owned() } else { format!("/{}", text("path")) };
        port(container, http).map_or_else(Self::Unsupported, |port| Self::Http { path, port, host, headers })
    }
}

/// A port by number, or by the name that the container gives it.
fn port(container: &Value, action: &Value) -> Result<u16, String> {
    let number = match action.get("port") {
        Some(Value::String(name)) => match name.parse::<u64>() {
            Ok(number) => Some(number),
            Err(_) => {
                let ports = container.get("ports").and_then(Value::as_array);
                let named = ports.into_iter().flatten().find(|port| port["name"] == name.as_str());
                named.and_then(|port| port.get("containerPort")?.as_u64())
            }
        },
        Some(number) => number.as_u64(),
        None => None,
    };
    number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| "a probe without a port".to_owned())
}

/// An error of a connection in Go's words.
fn dial_error(address: SocketAddr, error: &std::io::Error) -> String {
    let why = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        std::io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        std::io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => error.to_string(),
    };
    format!("dial tcp {address}: {why}")
}

/// The status code of a GET.
async fn get(
    node: &NetNs,
    address: SocketAddr,
    path: &str,
    host: &str,
    headers: &[(String, String)],
) -> Result<u16, String> {
    /// A status line is short; more than this is no HTTP.
    const LIMIT: usize = 4096;
    let failed = |error: std::io::Error| format!("failed: Get \"http://{address}{path}\": {error}");
    let refused =
        |error: std::io::Error| format!("failed: Get \"http://{address}{path}\": {}", dial_error(address, &error));
    let mut socket = node.dial(address).await.map_err(refused)?;
    let host = if host.is_empty() { address.to_string() } else { host.to_owned() };
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\nConnection: close\r\n"
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    socket.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while answer.len() < LIMIT && !answer.contains(&b'\n') {
        let count = socket.read(&mut buffer).await.map_err(failed)?;
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    let line = String::from_utf8_lossy(&answer);
    let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.get(..3)?.parse().ok());
    code.ok_or_else(|| format!("failed: Get \"http://{address}{path}\": malformed HTTP response"))
}
