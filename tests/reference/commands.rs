//! `commands.md`: every command as clap knows it. Nothing is listed by hand, so a new command has its section at once.

use clap::{Arg, Command};

use super::markdown::{code, fence, fill, listed, plain, table, without_default};

pub(super) fn page() -> String {
    let mut program = periplus_cli::command();
    program.build();
    let shown: Vec<&Command> = program.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let rows = shown.iter().map(|command| {
        let name = command.get_name();
        vec![format!("[`periplus {name}`](#periplus-{name})"), plain(&about(command))]
    });
    let general: Vec<&Arg> = program.get_arguments().collect();
    let sections: Vec<String> = shown.iter().map(|command| section(command)).collect();
    fill(
        include_str!("frame/commands.md"),
        &[
            ("commands", table(&["Command", "What it does"], rows)),
            ("options", options(&general)),
            ("sections", sections.join("\n")),
        ],
    )
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn section(command: &Command) -> String {
    let name = command.get_name();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let mut text = format!("## `periplus {name}`\n\n{}.\n\n{}", plain(&about(command)), fence("text", usage));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| {
            !arg.is_global_set() && !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
        })
        .collect();
    let (positional, flags): (Vec<&Arg>, Vec<&Arg>) = own.into_iter().partition(|arg| arg.is_positional());
    if !positional.is_empty() {
        text.push('\n');
        text.push_str(&table(&["Argument", "Default", "Meaning"], positional.into_iter().map(cells)));
    }
    if !flags.is_empty() {
        text.push('\n');
        text.push_str(&options(&flags));
    }
    if let Some(after) = command.get_after_help() {
        text.push_str(&closing(&after.to_string()));
    }
    text
}

fn options(flags: &[&Arg]) -> String {
    table(&["Option", "Default", "Meaning"], flags.iter().map(|arg| cells(arg)))
}

/// An argument as it is written, its default, and what it is for.
fn cells(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().filter(|_| arg.get_long().is_some()).map(|short| format!("-{short}, "));
    let written = code(&format!("{}{arg}", short.unwrap_or_default()));
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let (help, said) = without_default(&help);
    let values: Vec<String> = arg.get_default_values().iter().map(|value| code(&value.to_string_lossy())).collect();
    let takes_values = arg.get_action().takes_values();
    let default = match said {
        Some(said) => plain(&said),
        None if takes_values && !values.is_empty() => values.join(" "),
        None if arg.is_required_set() => "**required**".to_owned(),
        None => String::new(),
    };
    let mut meaning = sentence(&plain(&help));
    let choices: Vec<String> = if takes_values {
        arg.get_possible_values().iter().filter(|value| !value.is_hide_set()).map(choice).collect()
    } else {
        Vec::new()
    };
    if !choices.is_empty() {
        meaning = format!("{meaning} One of {}.", listed(&choices, "and"));
    }
    if let Some(variable) = arg.get_env() {
        meaning = format!("{meaning} Also by the environment variable {}.", code(&variable.to_string_lossy()));
    }
    vec![written, default, meaning]
}

fn choice(value: &clap::builder::PossibleValue) -> String {
    let help = value.get_help().map(|help| plain(help.to_string().trim_end_matches('.')));
    let help = help.map(|help| format!(" ({})", lower(&help))).unwrap_or_default();
    format!("{}{help}", code(value.get_name()))
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn sentence(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', ':', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// What stands below the options in the help: examples as code, everything else as prose.
fn closing(text: &str) -> String {
    let mut made = String::new();
    for paragraph in text.split("\n\n") {
        let (head, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let indented = !rest.is_empty() && rest.lines().all(|line| line.starts_with("  "));
        made.push('\n');
        if head.ends_with(':') && indented {
            let lines: Vec<&str> = rest.lines().map(|line| &line[2..]).collect();
            made.push_str(&format!("{}\n\n{}", plain(head), fence("text", &lines.join("\n"))));
        } else {
            made.push_str(&plain(paragraph));
            made.push('\n');
        }
    }
    made
}
