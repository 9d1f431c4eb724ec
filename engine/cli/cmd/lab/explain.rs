//! `periplus lab explain`: why a call from a pod goes where it goes.
//!
//! It decides nothing itself: the lab tells hops and reason, and this command shows them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use periplus_core::call::Call;
use periplus_core::outcome::ExitCode;
use periplus_render::text::call;
use periplus_run::cluster::{Cluster, ClusterError, ContextChoice, PodsOf, WorkloadKind};
use serde_json::Value;

use crate::args::Output;
use crate::cluster::ClusterArgs;
use crate::error::{CliError, Status, chain};
use crate::io::Io;
use crate::session::{in_lab_time, in_real_time};
use crate::world::Setting;

/// What the lab says of a call that it cannot carry truthfully.
const NOT_SIMULATED: &str = "not simulated: ";

/// Arguments of `periplus lab explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus lab explain --world runbooks/external-https-proxy \\
      -f runbooks/external-https-proxy/manifests/sleep.yaml \\
      --from default/deploy/sleep --to https://en.wikipedia.org/
  periplus lab --world runbooks/external-https-proxy -- sh
      and in that shell, after whatever was done to the lab:
      periplus lab explain --from corp/deploy/squid --to http://en.wikipedia.org/

With --world, a lab is started for the question; else the lab of the kubeconfig is asked.
Nothing is dialled: each proxy of the mesh on the way is shown with the objects of its
configuration that the call passes, and with what it does with the call. Changes count as if
every proxy had them already. The exit code is 3 if the lab does not simulate the call.")]
pub(crate) struct ExplainCommand {
    /// The pod that calls; or NAMESPACE/KIND/NAME for a pod of a workload, such as default/deploy/sleep
    #[arg(long, value_name = "NAMESPACE/POD")]
    from: String,

    /// The URL that it calls, http or https
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    to: String,

    /// The HTTP proxy that it calls it through, as curl's --proxy
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,

    /// Start a lab with this world: a world file, or a folder with a world.yaml
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    world: Option<PathBuf>,

    /// Give a parameter of the world another value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::params::name_and_value, requires = "world")]
    set: Vec<(String, String)>,

    /// Objects in addition to those of the world, a file of YAML documents; may be repeated
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "world")]
    filename: Vec<PathBuf>,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

impl ExplainCommand {
    pub(super) fn run(self, io: &mut Io) -> Result<Status, CliError> {
        let from = Caller::parse(&self.from)?;
        let told = match &self.world {
            Some(world) => in_lab_time()?.block_on(self.in_a_lab_of_its_own(world, &from))?,
            None => in_real_time()?.block_on(self.in_the_lab_that_is_served(&from, io))?,
        };
        let text = match self.output {
            Output::Json => {
                let json = serde_json::to_string_pretty(&told).expect("invariant: a call is JSON");
                format!("{json}\n")
            }
            Output::Text => call(&told, io.stdout.theme()),
        };
        io.stdout.write_all(text.as_bytes())?;
        let code = if told.end.starts_with(NOT_SIMULATED) { ExitCode::Target } else { ExitCode::Passed };
        Ok(code.into())
    }

    async fn in_a_lab_of_its_own(&self, world: &Path, from: &Caller) -> Result<Call, CliError> {
        let mut setting = Setting::read(Some(world), None)?;
        for path in &self.filename {
            setting.add_objects(path)?;
        }
        let overrides: BTreeMap<String, String> = self.set.iter().cloned().collect();
        let lab = setting.start(overrides).await?;
        let cluster = Cluster::over(lab.connector(), &"http://lab".parse().expect("invariant: a URI"), "periplus")?;
        self.ask(&cluster, from).await.map_err(|error| match error {
            ClusterError::NotFound(_) | ClusterError::Choice(_) => {
                let found = CliError::invalid(chain(&error));
                let help =
                    "`periplus lab --world FILE -- kubectl get pods -A` shows what there is; -f FILE adds objects";
                found.help(help)
            }
            error => refused(error),
        })
    }

    async fn in_the_lab_that_is_served(&self, from: &Caller, io: &Io) -> Result<Call, CliError> {
        let context = ContextChoice::parse(self.cluster.context.as_deref().unwrap_or("@current"));
        let advise = |error: CliError| {
            error.help("only a lab explains calls: name a world (--world FILE), or ask within `periplus lab -- sh`")
        };
        let cluster = self.cluster.open(context, io).await.map_err(|error| advise(error.into()))?;
        self.ask(&cluster, from).await.map_err(|error| match error {
            ClusterError::NotFound(_) => advise(error.into()),
            error => refused(error),
        })
    }

    async fn ask(&self, cluster: &Cluster, from: &Caller) -> Result<Call, ClusterError> {
        let pod = cluster.choose_pod(&from.namespace, &from.pods, true).await?;
        let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let proxy = self.proxy.as_deref().map(|proxy| ("proxy", proxy));
        let query: Vec<_> = [("to", self.to.as_str())].into_iter().chain(proxy).collect();
        cluster.pod_part(&from.namespace, name, "explain", &query).await
    }
}

/// What the lab cannot read is a mistake in the arguments; all else is trouble with the lab.
fn refused(error: ClusterError) -> CliError {
    match error {
        ClusterError::Api(status) if status.code == 400 => CliError::invalid(status.message),
        error => error.into(),
    }
}

/// Who calls.
struct Caller {
    namespace: String,
    pods: PodsOf,
}

impl Caller {
    /// Reads `NAMESPACE/POD`, or `NAMESPACE/KIND/NAME` for a pod of a workload.
    fn parse(text: &str) -> Result<Self, CliError> {
        let parts: Vec<&str> = text.split('/').collect();
        let pods = match parts.as_slice() {
            [_, pod] => Some(PodsOf::Pod((*pod).to_owned())),
            [_, kind, name] => {
                WorkloadKind::parse(kind).map(|kind| PodsOf::Workload { kind, name: (*name).to_owned() })
            }
            _ => None,
        };
        match pods {
            Some(pods) if parts.iter().all(|part| !part.is_empty()) => {
                Ok(Self { namespace: parts[0].to_owned(), pods })
            }
            _ => Err(CliError::invalid(format!("--from {text}: that names no pod"))
                .help("write NAMESPACE/POD, or NAMESPACE/KIND/NAME for a pod of a workload: default/deploy/sleep")),
        }
    }
}
