//! The best fit of a pattern line to a line that it does not match: which tokens match all the same, and what they take.
//!
//! This is the edit distance between the two, where a token may stand for whatever it takes. Work and memory are
//! bounded by the product of the two lengths; what is longer is not aligned, and shows its tokens as written.

use super::line::{Atom, LinePattern, describe_atom, is_blank, takes_at_start, takes_whole};
use super::token::Token;

/// The most cells of the table.
const MAX_CELLS: usize = 600_000;
/// The most places before its furthest at which a token is tried to end.
const MAX_ENDS: usize = 4;
/// The most bytes that a token is tried on.
const MAX_TOKEN: usize = 256;
/// What it costs to leave out a token.
const TOKEN_COST: u32 = 6;

/// The pattern line, in which every token that fits the line's best alignment is replaced by what it takes there.
pub(super) fn fill(pattern: &LinePattern, line: &str) -> String {
    let steps = steps_of(pattern.atoms());
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    if (steps.len() + 1).saturating_mul(chars.len() + 1) > MAX_CELLS {
        return pattern.describe();
    }
    Table { steps, chars, line }.fill()
}

/// The pattern character by character.
enum Step<'a> {
    Char(char),
    Blanks,
    Token(Token, &'a Atom),
    Any,
}

fn steps_of(atoms: &[Atom]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for atom in atoms {
        match atom {
            Atom::Literal(literal) => steps.extend(literal.chars().map(Step::Char)),
            Atom::Blanks => steps.push(Step::Blanks),
            Atom::Token { token, .. } => steps.push(Step::Token(*token, atom)),
            Atom::Any => steps.push(Step::Any),
        }
    }
    steps
}

struct Table<'a> {
    steps: Vec<Step<'a>>,
    chars: Vec<(usize, char)>,
    line: &'a str,
}

impl Table<'_> {
    fn fill(&self) -> String {
        let (rows, columns) = (self.steps.len() + 1, self.chars.len() + 1);
        // cost[i * columns + j]: the least cost of fitting the steps from i to the characters from j.
        let mut cost = vec![0; rows * columns];
        for i in (0..rows).rev() {
            for j in (0..columns).rev() {
                let mut least = None;
                self.moves(i, j, |price, i, j| {
                    let total = price + cost[i * columns + j];
                    least = Some(least.map_or(total, |least: u32| least.min(total)));
                });
                cost[i * columns + j] = least.unwrap_or(0);
            }
        }
        let (mut i, mut j, mut out) = (0, 0, String::new());
        while i < self.steps.len() {
            let here = cost[i * columns + j];
            let mut chosen = None;
            self.moves(i, j, |price, i, j| {
                if chosen.is_none() && price + cost[i * columns + j] == here {
                    chosen = Some((price, i, j));
                }
            });
            let (price, next_i, next_j) = chosen.expect("invariant: a step can always be left out");
            if next_i > i {
                let taken = &self.line[self.byte(j)..self.byte(next_j)];
                match &self.steps[i] {
                    Step::Char(c) => out.push(*c),
                    Step::Blanks if price == 0 => out.push_str(taken),
                    Step::Blanks => out.push(' '),
                    Step::Token(..) if price == 0 => out.push_str(taken),
                    Step::Token(_, atom) => out.push_str(&describe_atom(atom)),
                    Step::Any => {}
                }
            } else if matches!(self.steps[i], Step::Any) {
                out.push_str(&self.line[self.byte(j)..self.byte(next_j)]);
            }
            (i, j) = (next_i, next_j);
        }
        out
    }

    fn byte(&self, j: usize) -> usize {
        self.chars.get(j).map_or(self.line.len(), |c| c.0)
    }

    /// Tells where one can go from a cell, and at what cost; the best of equals first.
    fn moves(&self, i: usize, j: usize, mut go: impl FnMut(u32, usize, usize)) {
        let c = self.chars.get(j).map(|c| c.1);
        match self.steps.get(i) {
            Some(Step::Char(wanted)) => {
                if c == Some(*wanted) {
                    go(0, i + 1, j + 1);
                }
                go(1, i + 1, j);
            }
            Some(Step::Blanks) => {
                let run = self.chars[j..].iter().take_while(|c| is_blank(c.1)).count();
                if run > 0 {
                    go(0, i + 1, j + run);
                }
                go(1, i + 1, j);
            }
            Some(Step::Token(token, _)) => {
                for end in self.token_ends(*token, i, j) {
                    go(0, i + 1, end);
                }
                go(TOKEN_COST, i + 1, j);
            }
            Some(Step::Any) => {
                go(0, i + 1, j);
                if c.is_some() {
                    go(0, i, j + 1);
                }
            }
            None => {}
        }
        if c.is_some() {
            go(1, i, j + 1);
        }
    }

    /// Where a token may end that starts at a character: as far as it can, or before what comes next in the pattern.
    fn token_ends(&self, token: Token, i: usize, j: usize) -> Vec<usize> {
        let rest = &self.line[self.byte(j)..];
        let rest = &rest[..rest.floor_char_boundary(MAX_TOKEN)];
        let Some(most) = takes_at_start(token, rest) else { return Vec::new() };
        let last = j + rest[..most].chars().count();
        let next = match self.steps.get(i + 1) {
            Some(Step::Char(c)) => Some(*c),
            _ => None,
        };
        let earlier = (j + 1..last)
            .rev()
            .filter(|&end| next == Some(self.chars[end].1))
            .take(MAX_ENDS)
            .filter(|&end| takes_whole(token, &self.line[self.byte(j)..self.byte(end)]));
        std::iter::once(last).chain(earlier).collect()
    }
}
