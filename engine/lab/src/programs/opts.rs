//! Command line options in the manner of `getopt_long`.
//!
//! Invariant: an option that is not in the list is never ignored.

use crate::process::{Exit, Process};

/// Options and operands of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opts {
    given: Vec<(char, String)>,
    /// What is no option, in order.
    pub(super) operands: Vec<String>,
}

impl Opts {
    /// Reads the arguments. `short` lists the letters, a colon after one that takes a value; `long` maps long names to
    /// letters. Options may follow operands, as GNU and BusyBox have it, unless `short` starts with `+`.
    pub(super) fn parse(process: &Process, short: &str, long: &[(&str, char)]) -> Result<Self, Exit> {
        Self::parse_args(process.name(), process.args(), short, long).map_err(Exit::NotSimulated)
    }

    fn parse_args(name: &str, args: &[String], short: &str, long: &[(&str, char)]) -> Result<Self, String> {
        let (short, in_order) = match short.strip_prefix('+') {
            Some(short) => (short, true),
            None => (short, false),
        };
        let takes_value = |letter: char| short.contains(&format!("{letter}:"));
        let known = |letter: char| letter != ':' && short.contains(letter);
        let mut opts = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                opts.operands.extend(rest.cloned());
                break;
            }
            if let Some(word) = arg.strip_prefix("--") {
                let (word, value) = match word.split_once('=') {
                    Some((word, value)) => (word, Some(value.to_owned())),
                    None => (word, None),
                };
                let letter = long.iter().find(|(name, _)| *name == word).map(|(_, letter)| *letter);
                let letter = letter.ok_or_else(|| format!("{name} --{word}"))?;
                let value = match (takes_value(letter), value) {
                    (true, Some(value)) => value,
                    (true, None) => rest.next().cloned().ok_or_else(|| format!("{name} --{word} without a value"))?,
                    (false, None) => String::new(),
                    (false, Some(_)) => return Err(format!("{name} {arg}")),
                };
                opts.given.push((letter, value));
                continue;
            }
            let letters = match arg.strip_prefix('-') {
                Some(letters) if !letters.is_empty() => letters,
                _ => {
                    opts.operands.push(arg.clone());
                    if in_order {
                        opts.operands.extend(rest.cloned());
                        break;
                    }
                    continue;
                }
            };
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                if !known(letter) {
                    return Err(format!("{name} -{letter}"));
                }
                if takes_value(letter) {
                    let glued = letters.as_str();
                    let value = if glued.is_empty() {
                        rest.next().cloned().ok_or_else(|| format!("{name} -{letter} without a value"))?
                    } else {
                        glued.to_owned()
                    };
                    opts.given.push((letter, value));
                    break;
                }
                opts.given.push((letter, String::new()));
            }
        }
        Ok(opts)
    }

    /// Whether the option was given.
    pub(super) fn has(&self, letter: char) -> bool {
        self.given.iter().any(|(given, _)| *given == letter)
    }

    /// The value of the option's last appearance.
    pub(super) fn value(&self, letter: char) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| *given == letter).map(|(_, value)| value.as_str())
    }

    /// The values of all its appearances.
    pub(super) fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        self.given.iter().filter(move |(given, _)| *given == letter).map(|(_, value)| value.as_str())
    }

    /// Which of these options was given last.
    pub(super) fn last_of(&self, letters: &str) -> Option<char> {
        self.given.iter().rev().map(|(letter, _)| *letter).find(|letter| letters.contains(*letter))
    }
}

#[cfg(test)]
mod tests {
    use super::Opts;

    fn parse(args: &[&str]) -> Result<Opts, String> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Opts::parse_args("x", &args, "an:", &[("all", 'a'), ("lines", 'n')])
    }

    #[test]
    fn options_come_in_every_spelling() {
        for args in
            [&["-an3", "f"][..], &["-a", "f", "-n", "3"], &["--all", "--lines=3", "f"], &["--lines", "3", "-a", "f"]]
        {
            let opts = parse(args).unwrap();
            assert!(opts.has('a'), "{args:?}");
            assert_eq!((opts.value('n'), opts.operands.as_slice()), (Some("3"), &["f".to_owned()][..]), "{args:?}");
        }
        assert_eq!(parse(&["-", "--", "-a"]).unwrap().operands, ["-", "-a"]);
        assert_eq!(parse(&["-z"]).unwrap_err(), "x -z");
        assert_eq!(parse(&["--zz"]).unwrap_err(), "x --zz");
        assert_eq!(parse(&["--all=1"]).unwrap_err(), "x --all=1");
    }
}
