//! `periplus lab`: the embedded cluster on loopback, for `kubectl` and any other client.
//!
//! It listens on this machine only unless told otherwise, with TLS and a random token, and ends with Ctrl-C or with the command it
//! was given.

mod explain;
mod uplink;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use periplus_core::outcome::ExitCode;
use periplus_lab::net::Uplink;
use periplus_lab::serve::LoopbackOptions;
use periplus_lab::world::Params;
use periplus_render::text::shell_word;

use crate::error::{CliError, Status, chain};
use crate::io::Io;
use crate::kubeconfig::KubeconfigFile;
use crate::session::{in_real_time, terminated};
use crate::world::Setting;
use explain::ExplainCommand;
use uplink::HostUplink;

/// How long requests under way may take once the lab is asked to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments of `periplus lab`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  periplus lab --world runbooks/external-https-proxy/world.yaml -- kubectl get pods -A
  periplus lab --kubeconfig lab.kubeconfig
      in another terminal: kubectl --kubeconfig lab.kubeconfig get namespaces
  periplus lab --world runbooks/external-https-proxy/world.yaml -- \\
      periplus run runbooks/external-https-proxy --context @current --yes

COMMAND gets KUBECONFIG and the world's parameters as environment variables; the lab ends with it,
and with its exit code. Without one, a line on standard output says when the lab is ready, in the words
of a shell; Ctrl-C ends it, and once more ends it without waiting for requests under way.

The kubeconfig's user may do everything. Act as somebody else with kubectl --as NAME, or create a
service account and a token for it: kubectl create token NAME."
)]
pub(crate) struct LabCommand {
    #[command(subcommand)]
    ask: Option<Ask>,

    /// What the lab starts with: a world file, or a folder with a world.yaml
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    world: Option<PathBuf>,

    /// Give a parameter of the world another value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::params::name_and_value)]
    set: Vec<(String, String)>,

    /// The port to listen on. Default: a free one
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,

    /// The address to listen on. Default: 127.0.0.1, which nobody but this machine reaches
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), hide_default_value = true)]
    listen: IpAddr,

    /// Let pods reach real hosts that the world does not have. Default: none
    #[arg(long, value_name = "HOW", value_enum)]
    uplink: Option<UplinkKind>,

    /// Write the kubeconfig to this file. Default: a temporary one, removed at the end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    kubeconfig: Option<PathBuf>,

    /// A command to run against the lab
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<String>,
}

/// How pods reach real hosts.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum UplinkKind {
    /// Through the network of this machine.
    Host,
}

/// What can be asked of a lab.
#[derive(Debug, Subcommand)]
enum Ask {
    /// Tell why a call from a pod goes where it goes
    Explain(ExplainCommand),
}

impl LabCommand {
    pub(crate) fn run(self, io: &mut Io) -> Result<Status, CliError> {
        if let Some(Ask::Explain(explain)) = self.ask {
            return explain.run(io);
        }
        let setting = Setting::read(self.world.as_deref(), None)?;
        in_real_time()?.block_on(async {
            let overrides: BTreeMap<String, String> = self.set.iter().cloned().collect();
            let uplink = self.uplink.map(|UplinkKind::Host| Arc::new(HostUplink) as Arc<dyn Uplink>);
            if uplink.is_some() {
                writeln!(
                    io.stderr,
                    "warning: programs in the lab's pods reach real hosts through this machine's network"
                )?;
            }
            let lab = setting.start_in_real_time(overrides, uplink).await?;
            let options = LoopbackOptions { address: self.listen, port: self.port };
            if !self.listen.is_loopback() {
                let listen = self.listen;
                writeln!(
                    io.stderr,
                    "warning: the lab listens on {listen}: whoever reaches it and has its token may do everything in it"
                )?;
            }
            let served = lab.serve(options).await.map_err(|error| CliError::target(chain(&error)))?;
            let file = KubeconfigFile::write(self.kubeconfig.as_deref(), &served.kubeconfig, io)?;
            let env = environment(lab.params(), file.path());
            match self.command.split_first() {
                Some((program, args)) => run_command(program, args, &env).await,
                None => {
                    let words: Vec<String> =
                        env.iter().map(|(name, value)| format!("{name}={}", shell_word(value))).collect();
                    writeln!(io.stdout, "export {}", words.join(" "))?;
                    io.stdout.flush()?;
                    if io.stdout.is_terminal() {
                        writeln!(io.stderr, "The lab is at {} until Ctrl-C.", served.url)?;
                    }
                    terminated().await;
                    tokio::select! {
                        biased;
                        () = terminated() => {}
                        () = served.shutdown(PATIENCE) => {}
                    }
                    Ok(ExitCode::Passed.into())
                }
            }
        })
    }
}

/// What a command against the lab is told: where the lab is, and the world's parameters.
fn environment(params: &Params, kubeconfig: &Path) -> Vec<(String, String)> {
    let mut env = vec![("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
    env.extend(params.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    }));
    env
}

/// Runs a command to its end. It shares our terminal, so it hears of Ctrl-C by itself.
async fn run_command(program: &str, args: &[String], env: &[(String, String)]) -> Result<Status, CliError> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).envs(env.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| CliError::invalid(format!("the command {program} cannot be started: {error}")))?;
    loop {
        tokio::select! {
            biased;
            ended = child.wait() => {
                let ended = ended.map_err(|error| CliError::target(format!("{program} was lost: {error}")))?;
                return Ok(Status::of_process(ended));
            }
            // The command decides when it ends; a second request is not for us either.
            () = terminated() => {}
        }
    }
}
