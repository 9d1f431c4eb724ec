//! From kubeconfig files and a context's name to what a connection needs.
//!
//! The files are read and merged by kube; choosing the context and the proxy is done here, because kube applies
//! `NO_PROXY` to the proxy's own address and refuses an entry that is merely empty.

use std::path::{Path, PathBuf};

use base64::Engine;
use http::Uri;
use kube::Config;
use kube::config::{AuthInfo, Cluster as ClusterEntry, ExecAuthCluster, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::ClusterError;
use super::proxy::{ProxyEnv, parse_proxy, proxy_for};

/// Which cluster is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextChoice {
    /// The kubeconfig's current context, written `@current`.
    Current,
    /// The context of this name.
    Named(String),
    /// The cluster that this process runs in, by its service account.
    InCluster,
}

impl ContextChoice {
    /// Reads `--context`: `@current` or a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "@current" { Self::Current } else { Self::Named(text.to_owned()) }
    }
}

/// The names of a kubeconfig's contexts, in its order. Nothing is contacted.
///
/// # Errors
///
/// [`ClusterError::Config`] where the kubeconfig cannot be read.
pub fn contexts(file: Option<&Path>) -> Result<Vec<String>, ClusterError> {
    let kubeconfig = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = kubeconfig.map_err(unreadable)?;
    Ok(kubeconfig.contexts.into_iter().map(|entry| entry.name).collect())
}

/// What was found: kube's configuration, the context's name, and the proxy on the way.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) config: Config,
    pub(super) context: String,
    pub(super) proxy: Option<Uri>,
}

/// Finds the cluster that is meant.
///
/// `file` stands in for `KUBECONFIG` (several files, merged as kubectl merges them) and `~/.kube/config`.
pub(super) fn choose(choice: &ContextChoice, file: Option<&PathBuf>, env: &ProxyEnv) -> Result<Chosen, ClusterError> {
    if *choice == ContextChoice::InCluster {
        let config = Config::incluster()
            .map_err(|error| ClusterError::Config(format!("not inside a cluster: {}", super::client::chain(&error))))?;
        let proxy = proxy_for(&config.cluster_url, env);
        return Ok(Chosen { config, context: "in-cluster".to_owned(), proxy });
    }
    let kubeconfig = match file {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = kubeconfig.map_err(unreadable)?;
    from_kubeconfig(&kubeconfig, choice, env)
}

/// Why a kubeconfig cannot be used; kube's own sentence quotes the path twice.
fn unreadable(error: KubeconfigError) -> ClusterError {
    ClusterError::Config(match error {
        KubeconfigError::ReadConfig(error, path) => format!("the kubeconfig {}: {error}", path.display()),
        other => super::client::chain(&other),
    })
}

fn from_kubeconfig(kubeconfig: &Kubeconfig, choice: &ContextChoice, env: &ProxyEnv) -> Result<Chosen, ClusterError> {
    let bad = |text: String| Err(ClusterError::Config(text));
    let name = match choice {
        ContextChoice::Named(name) => name.clone(),
        _ => match kubeconfig.current_context.clone().filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => return bad(format!("the kubeconfig has no current context; {}", known(kubeconfig))),
        },
    };
    let context = kubeconfig.contexts.iter().find(|entry| entry.name == name).and_then(|entry| entry.context.as_ref());
    let Some(context) = context else {
        return bad(format!("the kubeconfig has no context {name:?}; {}", known(kubeconfig)));
    };
    let cluster = kubeconfig.clusters.iter().find(|entry| entry.name == context.cluster);
    let Some(cluster) = cluster.and_then(|entry| entry.cluster.as_ref()) else {
        return bad(format!("context {name:?} names cluster {:?}, which the kubeconfig lacks", context.cluster));
    };
    // As in kubectl, a user that is not there is a user without credentials.
    let user = context.user.as_ref().and_then(|user| kubeconfig.auth_infos.iter().find(|entry| entry.name == *user));
    let mut user: AuthInfo = user.and_then(|entry| entry.auth_info.clone()).unwrap_or_default();
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        let info = ExecAuthCluster::try_from(cluster);
        exec.cluster = Some(info.map_err(|error| ClusterError::Config(super::client::chain(&error)))?);
    }

    let server = cluster.server.as_deref().unwrap_or_default();
    let Some(url) = server.parse::<Uri>().ok().filter(|url| url.scheme().is_some() && url.host().is_some()) else {
        return bad(format!("cluster {:?} has no usable server URL: {server:?}", context.cluster));
    };
    // A proxy that the kubeconfig names is meant for this cluster, so NO_PROXY does not apply to it.
    let proxy = match cluster.proxy_url.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => match parse_proxy(text) {
            Some(proxy) => Some(proxy),
            None => return bad(format!("cluster {:?} has no usable proxy-url: {text:?}", context.cluster)),
        },
        None => proxy_for(&url, env),
    };
    let mut config = Config::new(url);
    config.auth_info = user;
    config.root_cert = authorities(cluster)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    Ok(Chosen { config, context: name, proxy })
}

/// The certificates that the server's own is checked against, in DER. `None` for the system's.
fn authorities(cluster: &ClusterEntry) -> Result<Option<Vec<Vec<u8>>>, ClusterError> {
    let bad =
        |cause: &dyn std::fmt::Display| ClusterError::Config(format!("certificate authority of the cluster: {cause}"));
    let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) if !data.is_empty() => {
            base64::engine::general_purpose::STANDARD.decode(data.trim()).map_err(|error| bad(&error))?
        }
        (_, Some(path)) if !path.is_empty() => std::fs::read(path).map_err(|error| bad(&format!("{path}: {error}")))?,
        _ => return Ok(None),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| bad(&error))?;
    if certificates.is_empty() {
        return Err(bad(&"no PEM certificate in it"));
    }
    Ok(Some(certificates.into_iter().map(|certificate| certificate.to_vec()).collect()))
}

fn known(kubeconfig: &Kubeconfig) -> String {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|entry| entry.name.as_str()).collect();
    if names.is_empty() { "it has no contexts at all".to_owned() } else { format!("it has {}", names.join(", ")) }
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
