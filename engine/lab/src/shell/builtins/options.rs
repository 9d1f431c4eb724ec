//! `set`: options and positional parameters.
//!
//! Invariant: an option that is accepted has its effect.

use super::super::state::{Flow, Options, Shell, Stop};

impl Options {
    /// Sets the option of a letter; false when it is not simulated.
    pub(in super::super) fn set_letter(&mut self, letter: char, on: bool) -> bool {
        let slot = match letter {
            'e' => &mut self.errexit,
            'u' => &mut self.nounset,
            'x' => &mut self.xtrace,
            'f' => &mut self.noglob,
            'a' => &mut self.allexport,
            'n' => &mut self.noexec,
            _ => return false,
        };
        *slot = on;
        true
    }

    /// Sets an option by its long name; false when it is not simulated.
    pub(in super::super) fn set_named(&mut self, name: &str, on: bool) -> bool {
        let letter = match name {
            "errexit" => 'e',
            "nounset" => 'u',
            "xtrace" => 'x',
            "noglob" => 'f',
            "allexport" => 'a',
            "noexec" => 'n',
            "pipefail" => {
                self.pipefail = on;
                return true;
            }
            _ => return false,
        };
        self.set_letter(letter, on)
    }
}

impl Shell {
    /// `$-`
    pub(in super::super) fn flags(&self) -> String {
        let options = self.options;
        [(options.errexit, 'e'), (options.noglob, 'f'), (options.nounset, 'u'), (options.xtrace, 'x')]
            .into_iter()
            .filter_map(|(on, letter)| on.then_some(letter))
            .collect()
    }
}

pub(super) async fn set(shell: &mut Shell, argv: Vec<String>) -> Flow {
    if argv.len() == 1 {
        return Err(Stop::not_simulated("set without arguments"));
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
                let Some(name) = argv.get(at) else { return Err(Stop::not_simulated("set -o without a name")) };
                at += 1;
                // Older versions of dash have no pipefail; those in the images the lab knows differ.
                if name == "pipefail" && !shell.is_busybox() {
                    return Err(shell.fatal("set: Illegal option -o pipefail".to_owned()).await);
                }
                if !shell.options.set_named(name, on) {
                    return Err(Stop::not_simulated(format!("set -o {name}")));
                }
            } else if !shell.options.set_letter(letter, on) {
                return Err(Stop::not_simulated(format!("set -{letter}")));
            }
        }
    }
    if at < argv.len() {
        shell.params = argv[at..].to_vec();
    }
    Ok(0)
}
