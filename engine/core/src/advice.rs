//! What to try next after a failure: the meaning of exit codes and messages that egress runbooks meet again and again.
//!
//! Each row says what was seen to cause it on a real cluster; it never claims more than "most often".

/// What curl's exit codes mean for egress.
pub const CURL: [(&[i32], &str); 6] = [
    (
        &[6],
        "the host name does not resolve in the pod. Check the name and the cluster's DNS; a proxy given by name must resolve, too.",
    ),
    (
        &[7],
        "nothing answers at that address and port. Check the address and the port, and that what should listen there is up.",
    ),
    (&[28], "no answer in time. A firewall or network policy that drops packets looks like this."),
    (
        &[35],
        "the connection was closed during the TLS handshake. In a mesh this is what a blocked HTTPS call looks like: look for `UH` and `BlackHoleCluster` in the sidecar's log.",
    ),
    (
        &[56, 52],
        "the connection was closed after it had been accepted. In a mesh the sidecar's log tells why: `UH` with `BlackHoleCluster` means that the policy blocks the address and no ServiceEntry covers it; `UF` means that the sidecar may connect but the other side does not answer.",
    ),
    (
        &[60],
        "the certificate is not trusted. A proxy that inspects TLS shows its own certificate: its CA must be known in the pod.",
    ),
];

/// What a proxy's answer to `CONNECT` means, when it is not 200.
pub const CONNECT: [(&[u16], &str); 4] = [
    (&[403], "The proxy itself refuses: its access rules do not allow this client, host or port."),
    (
        &[404],
        "Something that is not the proxy answered. In a mesh this is the sidecar, when the proxy's port is registered as HTTP: the ServiceEntry must say `protocol: TCP`.",
    ),
    (&[407], "The proxy wants a user name and a password."),
    (
        &[500, 502, 503],
        "The proxy could not reach the site: check that it resolves the name and may connect to the outside.",
    ),
];

/// Advice on a program that returned a code that was not expected.
#[must_use]
pub fn on_exit(program: &str, exit: i32, stderr: &str) -> Option<String> {
    let program = program.rsplit('/').next().unwrap_or(program);
    if program != "curl" {
        return None;
    }
    if let Some(answer) = stderr.split("CONNECT tunnel failed, response ").nth(1) {
        let status = answer.get(..3)?.parse().ok()?;
        let (_, text) = CONNECT.iter().find(|(statuses, _)| statuses.contains(&status))?;
        return Some(format!("CONNECT was answered with {status}. {text}"));
    }
    let (exits, text) = CURL.iter().find(|(exits, _)| exits.contains(&exit))?;
    Some(format!("curl {}: {text}", exits[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connect_is_explained_before_the_exit_code() {
        let advice = on_exit("/usr/bin/curl", 56, "curl: (56) CONNECT tunnel failed, response 404\n").expect("known");
        assert!(advice.contains("protocol: TCP"), "{advice}");
        let advice = on_exit("curl", 56, "curl: (56) Recv failure: Connection reset by peer").expect("known");
        assert!(advice.contains("BlackHoleCluster"), "{advice}");
        assert_eq!(on_exit("grep", 56, ""), None);
        assert_eq!(on_exit("curl", 56, "CONNECT tunnel failed, response 4"), None);
    }
}
