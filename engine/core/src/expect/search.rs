//! Fitting a pattern line to a line such that equal names take equal values, which no regular expression can ask for.
//!
//! The search goes back where it must, so it could take long: it counts its steps, and gives up and says so when there
//! are too many.

use super::line::{Atom, Captures, is_blank, takes_at_start, takes_whole, trim_end};

/// The most steps of the search for values that must agree.
const MAX_STEPS: usize = 50_000;
/// How many bytes of a line may be looked at for the price of one step.
const STEP_BYTES: usize = 32;
/// The most parts of a line that is searched: the search goes as deep as the line has parts.
const MAX_SEARCHED_ATOMS: usize = 1_000;

/// What the names take such that they agree among each other and with what is known; `None` if there is no such way, or
/// none was found before the search was cut.
pub(super) fn agreeing(atoms: &[Atom], line: &str, known: &Captures, cut: &mut bool) -> Option<Captures> {
    if atoms.len() > MAX_SEARCHED_ATOMS {
        *cut = true;
        return None;
    }
    let mut found = Captures::new();
    Search { atoms, line, known, steps: 0, cut }.fits(0, 0, &mut found).then_some(found)
}

/// The search. It prefers what the line's expression prefers: `[..]` takes as little as it can, all else as much.
struct Search<'a> {
    atoms: &'a [Atom],
    line: &'a str,
    known: &'a Captures,
    steps: usize,
    cut: &'a mut bool,
}

impl Search<'_> {
    fn fits(&mut self, atom: usize, at: usize, found: &mut Captures) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            *self.cut = true;
            return false;
        }
        let rest = &self.line[at..];
        let Some(current) = self.atoms.get(atom) else { return trim_end(rest).is_empty() };
        match current {
            Atom::Literal(literal) => {
                rest.starts_with(literal.as_str()) && self.fits(atom + 1, at + literal.len(), found)
            }
            Atom::Blanks => {
                let most = rest.len() - rest.trim_start_matches(is_blank).len();
                (1..=most).rev().any(|length| self.fits(atom + 1, at + length, found))
            }
            Atom::Any => {
                let ends = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
                ends.into_iter().any(|length| self.fits(atom + 1, at + length, found))
            }
            Atom::Token { token, name } => {
                let bound = name.as_ref().and_then(|name| self.known.get(name).or_else(|| found.get(name))).cloned();
                if let (Some(value), Some(name)) = (bound, name) {
                    let first = found.insert(name.clone(), value.clone()).is_none();
                    let fits = rest.starts_with(value.as_str()) && self.fits(atom + 1, at + value.len(), found);
                    if !fits && first {
                        found.remove(name);
                    }
                    return fits;
                }
                let Some(most) = takes_at_start(*token, rest) else { return false };
                self.steps += most / STEP_BYTES;
                let ends: Vec<usize> = rest[..most].char_indices().map(|(i, _)| i).skip(1).chain([most]).collect();
                ends.into_iter().rev().any(|length| {
                    self.steps += 1 + length / STEP_BYTES;
                    if self.steps > MAX_STEPS || !takes_whole(*token, &rest[..length]) {
                        return false;
                    }
                    if let Some(name) = name {
                        found.insert(name.clone(), rest[..length].to_owned());
                    }
                    let fits = self.fits(atom + 1, at + length, found);
                    if !fits && let Some(name) = name {
                        found.remove(name);
                    }
                    fits
                })
            }
        }
    }
}
