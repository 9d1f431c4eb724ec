//! `head`
//!
//! Invariant: it stops reading as soon as it has enough, so what feeds it learns that nobody listens.

use super::input::{Lines, or_stdin};
use super::opts::Opts;
use crate::process::{Exit, Process};

/// `head [-n N] [-c N] [FILE...]`, also `-N`
pub(super) async fn main(mut process: Process) -> Exit {
    super::tail::old_count(&mut process.argv);
    let long = [("lines", 'n'), ("bytes", 'c'), ("quiet", 'q'), ("verbose", 'v')];
    let opts = match Opts::parse(&process, "n:c:qv", &long) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let unit = opts.last_of("nc").unwrap_or('n');
    let text = opts.value(unit).unwrap_or("10");
    let Some(count) = super::tail::size(text) else {
        return Exit::not_simulated(format!("head -{unit} {text}"));
    };
    let operands = or_stdin(opts.operands.clone());
    let titles = opts.has('v') || operands.len() > 1 && !opts.has('q');
    let mut exit = Exit::SUCCESS;
    for (index, operand) in operands.iter().enumerate() {
        let fd = match process.input(operand) {
            Ok(fd) => fd,
            Err(error) => {
                exit = match super::tail::cannot_open(&process, operand, error).await {
                    Ok(exit) | Err(exit) => exit,
                };
                continue;
            }
        };
        if titles {
            let title = super::tail::title(operand, index == 0);
            if let Err(exit) = process.print(title).await {
                return exit;
            }
        }
        let mut left = count;
        let mut lines = Lines::new(fd.clone());
        while left > 0 {
            let next = if unit == 'n' {
                lines.next().await
            } else {
                fd.read(usize::try_from(left).unwrap_or(usize::MAX))
                    .await
                    .map(|data| (!data.is_empty()).then_some(data))
            };
            let data = match next {
                Ok(Some(data)) => data,
                Ok(None) => break,
                Err(error) => match process.read_error(operand, &error) {
                    Ok(text) => {
                        exit = process.fail(1, format!("error reading '{operand}': {text}")).await;
                        break;
                    }
                    Err(exit) => return exit,
                },
            };
            left -= if unit == 'n' { 1 } else { data.len() as u64 };
            if let Err(exit) = process.print(&data).await {
                return exit;
            }
        }
    }
    exit
}
