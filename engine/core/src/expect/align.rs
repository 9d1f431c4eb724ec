//! The best fit of a pattern line to a line that it does not match: which tokens match all the same, and what they take.
//!
//! This is the edit distance between the two, where a token may stand for whatever it takes. Work and memory are
//! bounded by the product of the two lengths; what is longer is not aligned, and shows its tokens as written.

use super::line::{Atom, LinePattern, describe_atom, is_blank, takes_at_start, takes_whole};
use super::token::Token;

/// The most cells of the table.
const MAX_CELLS: usize = 600_000;
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
                cost[i * columns + j] = self.moves(i, j).map(|(c, i, j)| c + cost[i * columns + j]).min().unwrap_or(0);
            }
        }
        let (mut i, mut j, mut out) = (0, 0, String::new());
        while i < self.steps.len() {
            let here = cost[i * columns + j];
            let chosen = self.moves(i, j).find(|&(c, i, j)| c + cost[i * columns + j] == here);
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

    /// Where one can go from a cell, and at what cost; the best of equals first.
    fn moves(&self, i: usize, j: usize) -> impl Iterator<Item = (u32, usize, usize)> {
        let mut moves: Vec<(u32, usize, usize)> = Vec::new();
        let c = self.chars.get(j).map(|c| c.1);
        match self.steps.get(i) {
            Some(Step::Char(wanted)) => {
                moves.extend((c == Some(*wanted)).then_some((0, i + 1, j + 1)));
                moves.push((1, i + 1, j));
            }
            Some(Step::Blanks) => {
                let run = self.chars[j..].iter().take_while(|c| is_blank(c.1)).count();
                moves.extend((run > 0).then_some((0, i + 1, j + run)));
                moves.push((1, i + 1, j));
            }
            Some(Step::Token(token, _)) => {
                moves.extend(self.token_ends(*token, i, j).into_iter().map(|end| (0, i + 1, end)));
                moves.push((TOKEN_COST, i + 1, j));
            }
            Some(Step::Any) => {
                moves.push((0, i + 1, j));
                moves.extend(c.map(|_| (0, i, j + 1)));
            }
            None => {}
        }
        moves.extend(c.map(|_| (1, i, j + 1)));
        moves.into_iter()
    }

    /// Where a token may end that starts at a character: as far as it can, or before what comes next in the pattern.
    fn token_ends(&self, token: Token, i: usize, j: usize) -> Vec<usize> {
        let rest = &self.line[self.byte(j)..];
        let Some(most) = takes_at_start(token, rest) else { return Vec::new() };
        let last = j + rest[..most].chars().count();
        let next = match self.steps.get(i + 1) {
            Some(Step::Char(c)) => Some(*c),
            _ => None,
        };
        let earlier = (j + 1..last).rev().filter(|&end| {
            next == Some(self.chars[end].1) && takes_whole(token, &self.line[self.byte(j)..self.byte(end)])
        });
        std::iter::once(last).chain(earlier).collect()
    }
}
