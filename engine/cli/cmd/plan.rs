//! `periplus plan`: what a run would do, without doing it.
//!
//! Nothing is contacted.

use std::io::Write as _;

use clap::Args;
use periplus_core::outcome::ExitCode;
use periplus_render::plan::PlanView;

use crate::args::{BookArgs, Output};
use crate::error::CliError;
use crate::io::Io;
use crate::params::ParamArgs;
use crate::prepare::{Prepared, SelectArgs};

/// Arguments of `periplus plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  periplus plan runbooks/external-https-proxy
  periplus plan runbooks/external-https-proxy --until call-outside
  periplus plan runbooks/external-https-proxy --output json | jq '.waves | length'")]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    book: BookArgs,

    #[command(flatten)]
    params: ParamArgs,

    #[command(flatten)]
    select: SelectArgs,

    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

impl PlanCommand {
    pub(crate) fn run(self, io: &mut Io) -> Result<ExitCode, CliError> {
        let prepared = Prepared::new(&self.book, &self.select, io)?;
        let params = prepared.shown_params(&self.params.given()?, io)?;
        let view = PlanView::new(&prepared.plan, &prepared.captures, params);
        let text = match self.output {
            Output::Text => view.text("Nothing is contacted and nothing is changed.", io.stdout.theme()),
            Output::Json => view.json(),
        };
        io.stdout.write_all(text.as_bytes())?;
        Ok(ExitCode::Passed)
    }
}
