//! Which cluster is meant, and the connection to it.
//!
//! Only commands that take `--context` come here, and nothing is sent anywhere before a context was named.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use periplus_core::event::Target;
use periplus_core::outcome::ExitCode;
use periplus_run::cluster::{Cluster, ClusterError, ConnectOptions, ContextChoice, Identity, ProxyEnv, contexts};

use crate::error::{CliError, chain};
use crate::io::Io;

/// Which cluster is meant.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// The kubeconfig context to run on; @current for the current one
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// The kubeconfig. Default: $KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<PathBuf>,
}

impl ClusterArgs {
    /// The context, or how to name one: `command` is the command without `--context`.
    pub(crate) fn choice(&self, command: &str, rehearsal: &str) -> Result<ContextChoice, CliError> {
        if let Some(context) = &self.context {
            return Ok(ContextChoice::parse(context));
        }
        let mut help = format!("rehearse it, without any cluster:\n  {rehearsal}\nor name the cluster:\n  ");
        match contexts(self.kubeconfig.as_deref()) {
            Ok(known) if !known.is_empty() => {
                let lines: Vec<String> = known.iter().map(|name| format!("{command} --context {name}")).collect();
                help.push_str(&lines.join("\n  "));
            }
            _ => help.push_str(&format!("{command} --context NAME")),
        }
        let what = "it is not said on which cluster to run: --context is missing";
        Err(CliError::invalid(what).help(help))
    }

    /// Connects, and asks the server who it is.
    pub(crate) async fn connect(&self, context: ContextChoice, io: &Io) -> Result<(Cluster, Identity), CliError> {
        let cluster = self.open(context, io).await?;
        let identity = cluster.identity().await?;
        Ok((cluster, identity))
    }

    /// Makes ready to talk to the cluster; sends nothing.
    pub(crate) async fn open(&self, context: ContextChoice, io: &Io) -> Result<Cluster, ClusterError> {
        let options = ConnectOptions {
            kubeconfig: self.kubeconfig.clone(),
            proxies: ProxyEnv::from_vars(|name| io.env.get(name).cloned()),
            ..ConnectOptions::new(context)
        };
        Cluster::connect(&options).await
    }
}

/// A cluster as events name it.
pub(crate) fn target(identity: Identity) -> Target {
    Target::Cluster {
        context: identity.context.unwrap_or_else(|| "in-cluster".to_owned()),
        server: identity.server,
        uid: identity.uid,
        user: identity.user,
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        let code = if matches!(error, ClusterError::Config(_)) { ExitCode::Invalid } else { ExitCode::Target };
        Self::Message { code, what: chain(&error), help: error.hint() }
    }
}
