//! From characters to tokens and words.
//!
//! Invariant: every character is looked at once, so a script takes time in proportion to its length; only what nests
//! recurses, and that is bounded.

use super::ast::{Node, Op, Param, Part, Redirect, RedirectKind, Target, Word};
use super::parser::{Fault, Parser};
use super::state::Dialect;
use std::sync::{Arc, OnceLock};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Eof,
    Newline,
    Op(&'static str),
    Keyword(&'static str),
    Word(Lexed),
    /// An operator of a redirection with the descriptor before it.
    Redirect(Option<u32>, RedirectKind, HereKind),
}

/// What kind of here-document an operator opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HereKind {
    /// `<<-`: tabs before its lines go.
    pub(super) strip: bool,
}

/// A word with where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexed {
    pub(super) word: Word,
    /// Where it starts and ends in the source.
    pub(super) span: (usize, usize),
}

impl Lexed {
    /// Its text when nothing in it is quoted or expanded.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.word.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A here-document whose text is still to come.
pub(super) struct PendingHere {
    delimiter: String,
    quoted: bool,
    strip: bool,
    text: Arc<OnceLock<Word>>,
}

impl Parser {
    pub(super) fn peek(&self) -> Option<char> {
        self.src.get(self.at).copied()
    }

    pub(super) fn ahead(&self, by: usize) -> Option<char> {
        self.src.get(self.at + by).copied()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(index, c)| self.ahead(index) == Some(c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// Skips blanks, joined lines and a comment.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.ahead(1) == Some('\n') => {
                    self.at += 2;
                    self.line += 1;
                }
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// The next token as it stands, keywords not yet told from words.
    pub(super) fn raw_token(&mut self) -> Result<Token, Fault> {
        self.skip_blanks();
        let Some(c) = self.peek() else { return Ok(Token::Eof) };
        if c == '\n' {
            self.bump();
            self.documents()?;
            return Ok(Token::Newline);
        }
        let digits = self.src[self.at..].iter().take_while(|c| c.is_ascii_digit()).count();
        let bound = if self.dialect == Dialect::Dash { 1 } else { 4 };
        if digits > 0 && digits <= bound && matches!(self.ahead(digits), Some('<' | '>')) {
            let number = self.src[self.at..self.at + digits].iter().collect::<String>().parse().ok();
            self.at += digits;
            return self.redirection(number);
        }
        if self.dialect != Dialect::Dash {
            for (text, kind) in [("&>>", RedirectKind::BothAppend), ("&>", RedirectKind::Both)] {
                if (self.dialect == Dialect::Bash || text == "&>") && self.take(text) {
                    return Ok(Token::Redirect(None, kind, HereKind::default()));
                }
            }
        }
        if matches!(c, '<' | '>') {
            return self.redirection(None);
        }
        let operators: &[&'static str] = match self.dialect {
            Dialect::Bash => &[";;&", ";;", ";&", "&&", "||", "|&", ";", "&", "|", "(", ")"],
            _ => &[";;", "&&", "||", ";", "&", "|", "(", ")"],
        };
        for operator in operators {
            if self.take(operator) {
                return Ok(Token::Op(operator));
            }
        }
        let start = self.at;
        let word = self.word()?;
        Ok(Token::Word(Lexed { word, span: (start, self.at) }))
    }

    fn redirection(&mut self, number: Option<u32>) -> Result<Token, Fault> {
        if matches!(self.peek(), Some('<' | '>')) && self.ahead(1) == Some('(') && self.dialect != Dialect::Dash {
            return Err(Fault::NotSimulated("process substitution".to_owned()));
        }
        let kinds = [
            ("<<<", RedirectKind::HereString),
            ("<<-", RedirectKind::Here),
            ("<<", RedirectKind::Here),
            ("<&", RedirectKind::DuplicateInput),
            ("<>", RedirectKind::ReadWrite),
            ("<", RedirectKind::Input),
            (">>", RedirectKind::Append),
            (">&", RedirectKind::DuplicateOutput),
            (">|", RedirectKind::Clobber),
            (">", RedirectKind::Output),
        ];
        for (text, kind) in kinds {
            if kind == RedirectKind::HereString && self.dialect != Dialect::Bash {
                continue;
            }
            if self.take(text) {
                return Ok(Token::Redirect(number, kind, HereKind { strip: text == "<<-" }));
            }
        }
        Ok(Token::Eof)
    }

    /// Completes a redirection with its target.
    pub(super) fn target(
        &mut self,
        number: Option<u32>,
        kind: RedirectKind,
        here: HereKind,
    ) -> Result<Redirect, Fault> {
        let token = self.token(super::parser::PLAIN)?;
        let Token::Word(lexed) = token else { return Err(self.unexpected(&token, None)) };
        if kind != RedirectKind::Here {
            return Ok(Redirect { number, kind, target: Target::Word(lexed.word) });
        }
        let quoted = !matches!(lexed.word.parts.as_slice(), [Part::Text(_)]);
        let text = Arc::new(OnceLock::new());
        let delimiter = literal(&lexed.word.parts);
        self.pending.push(PendingHere { delimiter, quoted, strip: here.strip, text: Arc::clone(&text) });
        Ok(Redirect { number, kind, target: Target::Document(text) })
    }

    /// Reads the here-documents that the line just ended has asked for.
    fn documents(&mut self) -> Result<(), Fault> {
        for pending in std::mem::take(&mut self.pending) {
            let (mut text, line) = (String::new(), self.line);
            loop {
                if self.peek().is_none() {
                    if !self.complete {
                        return Err(Fault::Incomplete);
                    }
                    break;
                }
                let mut row = String::new();
                loop {
                    match self.bump() {
                        // An unquoted document joins lines before it looks for its end.
                        Some('\\') if !pending.quoted && self.peek() == Some('\n') => {
                            row.push_str("\\\n");
                            self.bump();
                        }
                        Some('\\') if !pending.quoted => {
                            row.push('\\');
                            row.extend(self.bump());
                        }
                        Some('\n') => break row.push('\n'),
                        Some(c) => row.push(c),
                        None => break,
                    }
                }
                let row = if pending.strip { row.trim_start_matches('\t') } else { row.as_str() };
                if row.strip_suffix('\n').unwrap_or(row) == pending.delimiter {
                    break;
                }
                text.push_str(row);
            }
            let parts = if pending.quoted {
                vec![Part::Quoted(text)]
            } else {
                let mut inner = self.inner(&text);
                inner.line = line;
                inner.quoted_parts(|_| false, &['$', '`', '\\'])?
            };
            // It was empty until now; nobody else fills it.
            pending.text.set(Word { parts }).ok();
        }
        Ok(())
    }

    /// A word that stands by itself.
    fn word(&mut self) -> Result<Word, Fault> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') {
                break;
            }
            self.unquoted(&mut parts)?;
        }
        Ok(Word { parts })
    }

    /// A regular expression, in which brackets and bars are text.
    pub(super) fn regex_word(&mut self) -> Result<Word, Fault> {
        self.skip_blanks();
        let mut parts = Vec::new();
        while self.peek().is_some_and(|c| !matches!(c, ' ' | '\t' | '\n')) {
            self.unquoted(&mut parts)?;
        }
        Ok(Word { parts })
    }

    /// The pieces of a text as in double quotes, to its end.
    pub(super) fn whole_text(&mut self) -> Result<Vec<Part>, Fault> {
        self.quoted_parts(|_| false, &['$', '`', '\\'])
    }

    /// One element of unquoted text.
    pub(super) fn unquoted(&mut self, parts: &mut Vec<Part>) -> Result<(), Fault> {
        match self.bump() {
            Some('\\') => match self.bump() {
                Some('\n') => {}
                Some(c) => quoted(parts, c),
                None => text(parts, '\\'),
            },
            Some('\'') => {
                let mut content = String::new();
                loop {
                    match self.bump() {
                        Some('\'') => break,
                        Some(c) => content.push(c),
                        None => return Err(self.unterminated('\'')),
                    }
                }
                parts.push(Part::Quoted(content));
            }
            Some('"') => {
                let inner = self.quoted_parts(|c| c == '"', &['$', '`', '"', '\\'])?;
                if self.bump().is_none() {
                    return Err(self.unterminated('"'));
                }
                parts.push(Part::Double(inner));
            }
            Some('$') => self.dollar(parts, false)?,
            Some('`') => self.backquote(parts, false)?,
            Some(c) => text(parts, c),
            None => {}
        }
        Ok(())
    }

    /// Text in which only `$`, backquotes and some backslashes mean something, up to where `end` holds.
    fn quoted_parts(&mut self, end: fn(char) -> bool, escapable: &[char]) -> Result<Vec<Part>, Fault> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if end(c) {
                break;
            }
            self.bump();
            match c {
                '\\' => match self.peek() {
                    Some('\n') => {
                        self.bump();
                    }
                    Some(next) if escapable.contains(&next) => {
                        self.bump();
                        quoted(&mut parts, next);
                    }
                    _ => quoted(&mut parts, '\\'),
                },
                '$' => self.dollar(&mut parts, true)?,
                '`' => self.backquote(&mut parts, true)?,
                c => quoted(&mut parts, c),
            }
        }
        Ok(parts)
    }

    /// What a dollar sign opens.
    pub(super) fn dollar(&mut self, parts: &mut Vec<Part>, in_quotes: bool) -> Result<(), Fault> {
        let plain = |name: String| Part::Param(Box::new(Param { name, index: None, op: Op::Plain }));
        match self.peek() {
            Some('(') if self.ahead(1) == Some('(') => {
                let start = (self.at, self.line);
                self.at += 2;
                match self.arithmetic_parts(")")? {
                    Some(inner) => parts.push(Part::Arithmetic(inner)),
                    None if self.dialect == Dialect::Dash => return Err(self.error("Missing '))'")),
                    // No arithmetic after all, but a subshell in a substitution.
                    None => {
                        (self.at, self.line) = start;
                        self.at += 1;
                        parts.push(Part::Command(Arc::new(self.substitution()?)));
                    }
                }
            }
            Some('(') => {
                self.at += 1;
                parts.push(Part::Command(Arc::new(self.substitution()?)));
            }
            Some('{') => {
                self.at += 1;
                self.deeper()?;
                let param = self.braced(in_quotes)?;
                self.depth -= 1;
                parts.push(Part::Param(Box::new(param)));
            }
            Some('\'') if !in_quotes && self.dialect != Dialect::Dash => {
                self.at += 1;
                let content = self.ansi()?;
                parts.push(Part::Quoted(content));
            }
            Some('"') if !in_quotes && self.dialect == Dialect::Bash => {}
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.name();
                parts.push(plain(name));
            }
            Some(c) if c.is_ascii_digit() || "@*#?$!-".contains(c) => {
                self.at += 1;
                parts.push(plain(c.to_string()));
            }
            _ if in_quotes => quoted(parts, '$'),
            _ => text(parts, '$'),
        }
        Ok(())
    }

    pub(super) fn name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        self.src[start..self.at].iter().collect()
    }

    /// The pieces of an arithmetic expression and the brackets that close it: two, when `closing` is one. `None` when it
    /// turns out to be none.
    pub(super) fn arithmetic_parts(&mut self, closing: &str) -> Result<Option<Vec<Part>>, Fault> {
        self.deeper()?;
        let mut parts = Vec::new();
        let mut open = 0usize;
        loop {
            match self.bump() {
                None => return Err(self.error_at_end("Missing '))'", ')')),
                Some(')') if open == 0 => {
                    self.depth -= 1;
                    let closed = closing.is_empty() || self.take(closing);
                    return Ok(closed.then_some(parts));
                }
                Some(';') if open == 0 && closing == ";" => {
                    self.depth -= 1;
                    return Ok(Some(parts));
                }
                Some(c @ ('(' | ')')) => {
                    open = if c == '(' { open + 1 } else { open - 1 };
                    quoted(&mut parts, c);
                }
                Some('\\') if self.peek() == Some('\n') => {
                    self.bump();
                }
                Some('\\') => {
                    quoted(&mut parts, '\\');
                    if let Some(c) = self.bump() {
                        quoted(&mut parts, c);
                    }
                }
                Some('$') => self.dollar(&mut parts, true)?,
                Some('`') => self.backquote(&mut parts, true)?,
                Some('"') => {}
                Some(c) => quoted(&mut parts, c),
            }
        }
    }

    /// A command substitution after its opening bracket.
    fn substitution(&mut self) -> Result<Node, Fault> {
        let (pending, pushed) = (std::mem::take(&mut self.pending), self.pushed.take());
        let list = self.optional_list()?;
        let token = self.token(super::parser::KEYWORDS)?;
        if token != Token::Op(")") {
            return Err(self.unexpected(&token, Some(")")));
        }
        self.pending = pending;
        self.pushed = pushed;
        Ok(list.unwrap_or_else(|| Node::List(Vec::new())))
    }

    pub(super) fn backquote(&mut self, parts: &mut Vec<Part>, in_quotes: bool) -> Result<(), Fault> {
        let line = self.line;
        let mut script = String::new();
        loop {
            match self.bump() {
                Some('`') => break,
                Some('\\') => match self.peek() {
                    Some('\n') => {
                        self.bump();
                    }
                    Some(c) if matches!(c, '\\' | '$' | '`') || c == '"' && in_quotes => {
                        self.bump();
                        script.push(c);
                    }
                    _ => script.push('\\'),
                },
                Some(c) => script.push(c),
                None => return Err(self.error_at_end("EOF in backquote substitution", '`')),
            }
        }
        self.deeper()?;
        let mut inner = self.inner(&script);
        inner.line = line;
        let list = inner.optional_list()?;
        let token = inner.token(super::parser::PLAIN)?;
        if token != Token::Eof {
            return Err(inner.unexpected(&token, Some("end of file")));
        }
        self.depth -= 1;
        parts.push(Part::Command(Arc::new(list.unwrap_or_else(|| Node::List(Vec::new())))));
        Ok(())
    }

    /// `$'...'` after its opening quote.
    fn ansi(&mut self) -> Result<String, Fault> {
        let mut content = String::new();
        loop {
            match self.bump() {
                Some('\'') => break,
                Some('\\') => {
                    content.push('\\');
                    content.extend(self.bump());
                }
                Some(c) => content.push(c),
                None => return Err(self.unterminated('\'')),
            }
        }
        Ok(crate::programs::ansi_c(&content))
    }

    pub(super) fn unterminated(&self, quote: char) -> Fault {
        self.error_at_end("Unterminated quoted string", quote)
    }
}

fn text(parts: &mut Vec<Part>, c: char) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push(c),
        _ => parts.push(Part::Text(c.to_string())),
    }
}

pub(super) fn quoted(parts: &mut Vec<Part>, c: char) {
    match parts.last_mut() {
        Some(Part::Quoted(text)) => text.push(c),
        _ => parts.push(Part::Quoted(c.to_string())),
    }
}

/// The text of a word with nothing expanded, as the end of a here-document is compared.
fn literal(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) | Part::Quoted(text) => text.clone(),
            Part::Double(parts) => literal(parts),
            Part::Param(param) => format!("${}", param.name),
            Part::Command(_) | Part::Arithmetic(_) => String::new(),
        })
        .collect()
}
