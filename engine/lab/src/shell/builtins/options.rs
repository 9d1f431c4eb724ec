//! `set`: options and positional parameters; `getopts`.
//!
//! Invariant: an option that is accepted has its effect.

use super::super::state::{Dialect, Flow, Shell, Stop};

/// Long names with their letters.
const NAMES: [(&str, char); 7] = [
    ("errexit", 'e'),
    ("noglob", 'f'),
    ("noexec", 'n'),
    ("xtrace", 'x'),
    ("allexport", 'a'),
    ("notify", 'b'),
    ("nounset", 'u'),
];

impl Shell {
    /// Sets the option of a letter; false when it is not simulated.
    pub(in super::super) fn set_letter(&mut self, letter: char, on: bool) -> bool {
        let options = &mut self.options;
        let slot = match letter {
            'e' => &mut options.errexit,
            'u' => &mut options.nounset,
            'x' => &mut options.xtrace,
            'f' => &mut options.noglob,
            'a' => &mut options.allexport,
            'n' => &mut options.noexec,
            'b' => &mut options.notify,
            // Without job control nothing changes.
            'm' if !on => return true,
            _ => return false,
        };
        *slot = on;
        true
    }

    /// Sets an option by its long name; the complaint when the shell lacks it or the lab does.
    pub(in super::super) fn set_named(&mut self, name: &str, on: bool) -> Result<(), String> {
        if name == "pipefail" && self.dialect != Dialect::Dash {
            self.options.pipefail = on;
            return Ok(());
        }
        if self.is_bash() && name == "posix" {
            return Ok(());
        }
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some(&(_, letter)) => {
                self.set_letter(letter, on);
                Ok(())
            }
            None => Err(match self.dialect {
                Dialect::Dash => format!("Illegal option -o {name}"),
                Dialect::Ash => format!("illegal option -o {name}"),
                Dialect::Bash => format!("{name}: invalid option name"),
            }),
        }
    }

    /// `$-`
    pub(in super::super) fn flags(&self) -> String {
        let options = self.options;
        let bash = self.is_bash();
        let mut flags: Vec<(bool, char)> = match self.dialect {
            Dialect::Dash | Dialect::Ash => vec![
                (options.nounset, 'u'),
                (options.notify, 'b'),
                (options.allexport, 'a'),
                (options.xtrace, 'x'),
                (options.command && self.is_busybox(), 'c'),
                (options.stdin, 's'),
                (options.noglob, 'f'),
                (options.errexit, 'e'),
            ],
            Dialect::Bash => vec![
                (options.allexport, 'a'),
                (options.notify, 'b'),
                (options.errexit, 'e'),
                (options.noglob, 'f'),
                (true, 'h'),
                (options.nounset, 'u'),
                (options.xtrace, 'x'),
                (true, 'B'),
            ],
        };
        flags.push((options.command && bash, 'c'));
        flags.push((options.stdin && bash, 's'));
        flags.into_iter().filter_map(|(on, letter)| on.then_some(letter)).collect()
    }

    /// Variables as `set` and `export` list them.
    pub(super) fn listing(&self, prefix: &str, wanted: impl Fn(&super::super::state::Variable) -> bool) -> String {
        let mut lines: Vec<String> = self
            .vars
            .iter()
            .filter(|(_, variable)| wanted(variable))
            .map(|(name, variable)| match variable.scalar() {
                Some(value) if self.is_bash() => format!("{prefix}{name}=\"{}\"\n", value.replace('"', "\\\"")),
                Some(value) => format!("{prefix}{name}='{}'\n", value.replace('\'', "'\"'\"'")),
                None => format!("{prefix}{name}\n"),
            })
            .collect();
        lines.sort();
        lines.concat()
    }
}

pub(super) async fn set(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if argv.len() == 1 {
        if shell.is_bash() {
            return Err(Stop::not_simulated("set without arguments"));
        }
        let lines = shell.listing("", |variable| variable.scalar().is_some());
        shell.say(&lines).await?;
        return Ok(0);
    }
    let mut at = 1;
    while let Some(arg) = argv.get(at) {
        let on = arg.starts_with('-');
        if arg == "--" || arg == "-" {
            shell.params = argv[at + 1..].to_vec();
            return Ok(0);
        }
        let Some(letters) = arg.strip_prefix(['-', '+']).filter(|letters| !letters.is_empty()) else { break };
        at += 1;
        for letter in letters.chars() {
            if letter == 'o' {
                let Some(name) = argv.get(at).cloned() else {
                    return Err(Stop::not_simulated("set -o without a name"));
                };
                at += 1;
                if matches!(name.as_str(), "vi" | "emacs" | "noclobber" | "verbose" | "monitor" | "nolog" | "ignoreeof")
                {
                    return Err(Stop::not_simulated(format!("set -o {name}")));
                }
                if let Err(text) = shell.set_named(&name, on) {
                    if shell.is_busybox() {
                        shell.complain(text).await;
                        return Ok(1);
                    }
                    return Err(shell.fatal(text).await);
                }
            } else if matches!(
                letter,
                'C' | 'v' | 'm' | 'i' | 'I' | 'E' | 'V' | 'h' | 'k' | 't' | 'p' | 'B' | 'H' | 'P' | 'T'
            ) && (letter != 'm' || on)
            {
                return Err(Stop::not_simulated(format!("set -{letter}")));
            } else if !shell.set_letter(letter, on) {
                let text = match shell.dialect {
                    Dialect::Dash => format!("Illegal option -{letter}"),
                    Dialect::Ash => format!("illegal option -{letter}"),
                    Dialect::Bash => return Err(Stop::not_simulated(format!("set -{letter}"))),
                };
                return Err(shell.fatal(text).await);
            }
        }
    }
    if at < argv.len() {
        shell.params = argv[at..].to_vec();
    }
    Ok(0)
}

/// `getopts OPTSTRING NAME [ARG...]`
pub(super) async fn getopts(shell: &mut Shell, argv: Vec<String>) -> Flow {
    let [_, letters, name, args @ ..] = argv.as_slice() else {
        let usage = match shell.dialect {
            Dialect::Dash => "Usage: getopts optstring var [arg...]",
            Dialect::Ash => "usage: getopts optstring var [arg]",
            Dialect::Bash => return Err(Stop::not_simulated("the usage text of getopts")),
        };
        return Err(shell.fatal(usage.to_owned()).await);
    };
    let args = if args.is_empty() { shell.params.clone() } else { args.to_vec() };
    let mut index: usize = shell.var("OPTIND").and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
    let (silent, letters) = match letters.strip_prefix(':') {
        Some(letters) => (true, letters),
        None => (false, letters.as_str()),
    };
    let mut inside = shell.option_at;
    let mut status = 0;
    let (mut value, mut argument, mut complaint) = ("?".to_owned(), None, None);
    let current = args.get(index - 1).filter(|arg| inside > 0 || arg.len() > 1 && arg.starts_with('-'));
    match current {
        Some(arg) if arg != "--" || inside > 0 => {
            let chars: Vec<char> = arg.chars().collect();
            let at = inside.max(1);
            let letter = chars.get(at).copied().unwrap_or('?');
            inside = if at + 1 < chars.len() { at + 1 } else { 0 };
            let known = letters.char_indices().find(|(_, c)| *c == letter && letter != ':');
            let takes = known.is_some_and(|(place, c)| letters[place + c.len_utf8()..].starts_with(':'));
            if known.is_none() {
                if silent {
                    argument = Some(letter.to_string());
                } else {
                    complaint = Some((format!("Illegal option -{letter}"), "illegal option", letter));
                }
            } else if takes {
                let glued: String = chars[at + 1..].iter().collect();
                if at + 1 < chars.len() {
                    (value, argument) = (letter.to_string(), Some(glued));
                } else if let Some(next) = args.get(index) {
                    (value, argument) = (letter.to_string(), Some(next.clone()));
                    index += 1;
                } else if silent {
                    (value, argument) = (":".to_owned(), Some(letter.to_string()));
                } else {
                    complaint = Some((format!("No arg for -{letter} option"), "option requires an argument", letter));
                }
                inside = 0;
            } else {
                value = letter.to_string();
            }
            index += usize::from(inside == 0);
        }
        other => {
            index += usize::from(other.is_some());
            status = 1;
        }
    }
    if let Some((plain, bash, letter)) = complaint {
        let text = if shell.is_bash() { format!("{}: {bash} -- {letter}\n", shell.name) } else { plain + "\n" };
        shell.process.warn(text).await;
    }
    shell.set("OPTIND", index.to_string()).await?;
    shell.option_at = inside;
    match argument {
        Some(argument) => shell.set("OPTARG", argument).await?,
        None => shell.restore("OPTARG".to_owned(), None),
    }
    shell.set(name, value).await?;
    Ok(status)
}
