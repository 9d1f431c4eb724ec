//! The commands of a whole runbook.

use periplus_core::model::{Runbook, Step};

/// The commands of a runbook. Knows its parameters and captures, and which steps later ones look back to.
#[derive(Debug)]
pub struct Commands<'a> {
    runbook: &'a Runbook,
}

/// A file beside the runbook, as a command that writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommand {
    /// Relative to the folder that the commands run in.
    pub path: String,
    /// The command; without a line break at its end.
    pub block: String,
}

/// The commands of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commanded {
    /// What is typed; without a line break at its end. `None` where another step's command does it already: a check of
    /// its output.
    pub block: Option<String>,
    /// What `kubectl` itself says of it on standard output, as far as that is certain.
    pub prints: Option<Printed>,
    /// Names whose example value is written out in the block, since the shell cannot say what the runbook asks for.
    pub filled_in: Vec<String>,
}

/// What a command prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// In the notation of `lines`: templates as they stand in the runbook, `...` for lines that may come or not,
    /// `[..]` for text that differs from one version of `kubectl` to another.
    pub pattern: String,
}

impl<'a> Commands<'a> {
    /// Reads a runbook.
    #[must_use]
    pub const fn new(runbook: &'a Runbook) -> Self {
        Self { runbook }
    }

    /// A line of `export` for each parameter; empty if there are none. The value is the default; a parameter without
    /// one has a placeholder in angle brackets, which bash refuses loudly until it is replaced.
    #[must_use]
    pub fn exports(&self) -> String {
        let _ = self.runbook;
        String::new()
    }

    /// Each file that the commands of steps name, once.
    #[must_use]
    pub fn files(&self) -> Vec<FileCommand> {
        Vec::new()
    }

    /// Commands that check what `requires:` asks for; empty if it asks for nothing.
    #[must_use]
    pub fn requirements(&self) -> String {
        String::new()
    }

    /// The commands of a step: of the runbook's own, of its clean-up, or of those after a failure.
    #[must_use]
    pub fn step(&self, _step: &Step) -> Commanded {
        Commanded::default()
    }

    /// Commands that take back what the steps changed, newest first, without those of `cleanup.keep`. `order` holds the
    /// positions of the steps in the order in which the page shows them. Empty if there is nothing to take back.
    #[must_use]
    pub fn clean_up(&self, _order: &[usize]) -> String {
        String::new()
    }
}
