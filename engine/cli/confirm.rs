//! Asks before the first change.
//!
//! Only `--yes` or a person at a terminal can say yes; everything else is a no.

use std::io::{BufRead as _, Write as _};

use periplus_core::outcome::ExitCode;

use crate::error::CliError;
use crate::io::Io;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES: u64 = 64;

/// Shows `text` and asks `question`; returns only when the answer is yes.
pub(crate) fn confirm(text: &str, question: &str, yes: bool, io: &mut Io) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    let refused = |what: &str| CliError::Message {
        code: ExitCode::Invalid,
        what: what.to_owned(),
        help: Some("nothing was changed; `--yes` confirms without a question".to_owned()),
    };
    // A question that cannot be shown cannot be answered.
    io.stderr.write_all(text.as_bytes()).map_err(|_| refused("the confirmation could not be shown"))?;
    let Some(answers) = &mut io.answers else {
        return Err(refused("this changes the cluster and nobody can be asked: there is no terminal"));
    };
    write!(io.stderr, "{question} [y/N] ")
        .and_then(|()| io.stderr.flush())
        .map_err(|_| refused("the confirmation could not be shown"))?;
    let mut answer = String::new();
    let read = std::io::Read::take(answers, ANSWER_BYTES).read_line(&mut answer);
    match read {
        Ok(_) if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Ok(()),
        _ => Err(refused("declined")),
    }
}
