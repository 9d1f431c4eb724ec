//! Simple commands as they are read: assignments, words, redirections; and functions, which begin like them.
//!
//! Invariant: a word is an assignment only before the command's name.

use super::ast::{AssignedValue, Assignment, Node, Part, Simple, Word};
use super::lexer::{Lexed, Token};
use super::parser::{Context, Fault, PLAIN, Parsed, Parser, SAME_LINE};
use super::state::{Dialect, is_name};

/// Line feeds do not count, and nothing is a keyword.
const KEYWORDS_OFF: Context = Context { newlines: true, keywords: false, aliases: false };

impl Parser {
    pub(super) fn simple(&mut self, line: usize) -> Parsed<Node> {
        let mut command = Simple { line, ..Simple::default() };
        let mut context = Context { keywords: false, ..SAME_LINE };
        let mut first = None;
        loop {
            match self.token(context)? {
                Token::Word(lexed) => {
                    if command.words.is_empty()
                        && let Some(assignment) = self.assignment(&lexed)?
                    {
                        command.assignments.push(assignment);
                        continue;
                    }
                    if self.dialect == Dialect::Bash && self.peek() == Some('(') && self.ends_in_equals(&lexed) {
                        return Err(Fault::NotSimulated("an array in a declaration".to_owned()));
                    }
                    context.aliases = false;
                    first.get_or_insert_with(|| lexed.clone());
                    command.words.push(lexed.word);
                }
                Token::Redirect(number, kind, here) => command.redirects.push(self.target(number, kind, here)?),
                // In ash's `[[` these are arguments.
                Token::Op(operator @ ("&&" | "||")) if self.dialect == Dialect::Ash && in_test(&command.words) => {
                    command.words.push(Word { parts: vec![Part::Quoted(operator.to_owned())] });
                }
                Token::Op("(")
                    if command.words.len() == 1 && command.assignments.is_empty() && command.redirects.is_empty() =>
                {
                    return self.function_definition(first.as_ref());
                }
                token => {
                    self.pushed = Some(token);
                    break;
                }
            }
        }
        Ok(Node::Simple(command))
    }

    fn function_definition(&mut self, name: Option<&Lexed>) -> Parsed<Node> {
        let token = self.token(PLAIN)?;
        if token != Token::Op(")") {
            return Err(self.unexpected(&token, Some(")")));
        }
        let good = |name: &&str| {
            if self.dialect == Dialect::Bash { true } else { is_name(name) && !super::builtins::is_special(name) }
        };
        let name = name.and_then(Lexed::plain).filter(good).map(str::to_owned);
        match name {
            Some(name) => self.function(name),
            None => Err(self.error("Bad function name")),
        }
    }

    fn ends_in_equals(&self, lexed: &Lexed) -> bool {
        lexed.span.1 == self.at && lexed.plain().is_some_and(|text| text.ends_with('='))
    }

    /// Reads a word as an assignment if it is one.
    fn assignment(&mut self, lexed: &Lexed) -> Parsed<Option<Assignment>> {
        let bash = self.dialect == Dialect::Bash;
        let Some(Part::Text(text)) = lexed.word.parts.first() else { return Ok(None) };
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !is_name(name) {
            return Ok(None);
        }
        let mut parts = lexed.word.parts[1..].to_vec();
        let mut index = None;
        let mut rest = rest.to_owned();
        if bash && let Some(inside) = rest.strip_prefix('[') {
            let mut subscript = Word::default();
            let mut piece = inside.to_owned();
            loop {
                if let Some((before, after)) = piece.split_once(']') {
                    subscript.parts.push(Part::Text(before.to_owned()));
                    rest = after.to_owned();
                    break;
                }
                subscript.parts.push(Part::Text(piece));
                loop {
                    match (!parts.is_empty()).then(|| parts.remove(0)) {
                        Some(Part::Text(text)) => break piece = text,
                        Some(part) => subscript.parts.push(part),
                        None => return Ok(None),
                    }
                }
            }
            index = Some(subscript);
        }
        let (append, value) = match (rest.strip_prefix("+=").filter(|_| bash), rest.strip_prefix('=')) {
            (Some(value), _) => (true, value.to_owned()),
            (None, Some(value)) => (false, value.to_owned()),
            (None, None) => return Ok(None),
        };
        let name = name.to_owned();
        if bash
            && value.is_empty()
            && parts.is_empty()
            && index.is_none()
            && lexed.span.1 == self.at
            && self.peek() == Some('(')
        {
            self.at += 1;
            let mut list = Vec::new();
            loop {
                match self.token(KEYWORDS_OFF)? {
                    Token::Word(lexed) if lexed.plain().is_some_and(|text| text.starts_with('[')) => {
                        return Err(Fault::NotSimulated("subscripts in a list for an array".to_owned()));
                    }
                    Token::Word(lexed) => list.push(lexed.word),
                    Token::Op(")") => break,
                    token => return Err(self.unexpected(&token, Some(")"))),
                }
            }
            return Ok(Some(Assignment { name, index: None, append, value: AssignedValue::List(list) }));
        }
        if !value.is_empty() {
            parts.insert(0, Part::Text(value));
        }
        Ok(Some(Assignment { name, index, append, value: AssignedValue::Scalar(Word { parts }) }))
    }
}

/// Whether these words open a `[[` that is not closed.
fn in_test(words: &[Word]) -> bool {
    let is = |word: Option<&Word>, wanted| matches!(word.map(|word| word.parts.as_slice()), Some([Part::Text(text)]) if text == wanted);
    is(words.first(), "[[") && !is(words.last(), "]]")
}
