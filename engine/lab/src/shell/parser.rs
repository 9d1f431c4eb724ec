//! From tokens to a syntax tree, one complete command at a time.
//!
//! Invariant: what precedes a mistake has already run when the mistake is told, as in a real shell.

use super::ast::{CaseItem, Compound, Node, Part, Word};
use super::lexer::{PendingHere, Token};
use super::state::{Dialect, is_name};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest script, in characters.
const MAX_SCRIPT: usize = 1 << 20;
/// How deep constructs may nest in a script.
const MAX_DEPTH: usize = 60;

/// Why a script is not read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A mistake, told with the line it was noticed in. bash adds the line's text.
    Syntax {
        line: usize,
        text: String,
        shown: Option<String>,
    },
    /// More input is needed to say what it is.
    Incomplete,
    NotSimulated(String),
}

/// What a token may be where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) newlines: bool,
    pub(super) keywords: bool,
    pub(super) aliases: bool,
}

/// Words are just words here.
pub(super) const PLAIN: Context = Context { newlines: false, keywords: false, aliases: false };
/// Keywords count, and line feeds do not.
pub(super) const KEYWORDS: Context = Context { newlines: true, keywords: true, aliases: false };
/// A command may start here.
const COMMAND: Context = Context { newlines: true, keywords: true, aliases: true };
/// A command may start here, on this line.
pub(super) const SAME_LINE: Context = Context { newlines: false, keywords: true, aliases: true };

/// A parser over the text of a script.
pub(super) struct Parser {
    pub(super) src: Vec<char>,
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) dialect: Dialect,
    /// Whether nothing follows the text.
    pub(super) complete: bool,
    pub(super) pushed: Option<Token>,
    pub(super) pending: Vec<PendingHere>,
    pub(super) depth: usize,
    pub(super) aliases: Arc<BTreeMap<String, String>>,
    /// Aliases whose text is being read, with how much follows it.
    expanding: Vec<(String, usize)>,
}

pub(super) type Parsed<T> = Result<T, Fault>;

impl Parser {
    pub(super) fn new(text: &str, dialect: Dialect, line: usize) -> Self {
        Self {
            src: text.chars().filter(|c| *c != '\0').collect(),
            at: 0,
            line,
            dialect,
            complete: true,
            pushed: None,
            pending: Vec::new(),
            depth: 0,
            aliases: Arc::default(),
            expanding: Vec::new(),
        }
    }

    /// A parser for a text inside this one.
    pub(super) fn inner(&self, text: &str) -> Self {
        let mut inner = Self::new(text, self.dialect, self.line);
        inner.depth = self.depth;
        inner.aliases = Arc::clone(&self.aliases);
        inner
    }

    /// Adds input that has arrived.
    pub(super) fn feed(&mut self, text: &str) {
        self.src.extend(text.chars().filter(|c| *c != '\0'));
    }

    /// The next complete command; `None` at the end.
    pub(super) fn next(&mut self) -> Parsed<Option<Node>> {
        if self.src.len() > MAX_SCRIPT {
            return Err(Fault::NotSimulated(format!("a shell script of more than {MAX_SCRIPT} characters")));
        }
        let start = (self.at, self.line);
        let parsed = self.complete_command();
        if parsed == Err(Fault::Incomplete) {
            (self.at, self.line) = start;
            self.pushed = None;
            self.pending.clear();
            self.depth = 0;
        }
        parsed
    }

    fn complete_command(&mut self) -> Parsed<Option<Node>> {
        let first = self.token(COMMAND)?;
        if first == Token::Eof {
            return if self.complete { Ok(None) } else { Err(Fault::Incomplete) };
        }
        self.pushed = Some(first);
        let mut nodes = Vec::new();
        loop {
            let start = self.at;
            let node = self.and_or()?;
            let token = self.token(PLAIN)?;
            let ended = token != Token::Op("&");
            nodes.push(if ended { node } else { self.background(node, start) });
            match token {
                Token::Op(";" | "&") => match self.token(SAME_LINE)? {
                    Token::Newline => break,
                    Token::Eof if self.complete => break,
                    Token::Eof => return Err(Fault::Incomplete),
                    token => self.pushed = Some(token),
                },
                Token::Newline => break,
                Token::Eof if self.complete => break,
                Token::Eof => return Err(Fault::Incomplete),
                token => return Err(self.unexpected(&token, None)),
            }
        }
        if self.complete && self.peek().is_none() {
            // A here-document that the last line asked for is empty.
            for pending in std::mem::take(&mut self.pending) {
                drop(pending);
            }
        }
        Ok(Some(list(nodes)))
    }

    fn background(&self, node: Node, start: usize) -> Node {
        let text: String = self.src[start.min(self.at)..self.at].iter().collect();
        let text = text.trim().trim_end_matches('&').trim().to_owned();
        Node::Background(Arc::new(node), text)
    }

    /// The next token, read as its place allows.
    pub(super) fn token(&mut self, context: Context) -> Parsed<Token> {
        loop {
            let token = match self.pushed.take() {
                Some(token) => token,
                None => self.raw_token()?,
            };
            let lexed = match token {
                Token::Newline if context.newlines => continue,
                Token::Word(lexed) => lexed,
                token => return Ok(token),
            };
            let Some(text) = lexed.plain() else { return Ok(Token::Word(lexed)) };
            if context.keywords
                && let Some(keyword) = keyword(text, self.dialect)
            {
                return Ok(Token::Keyword(keyword));
            }
            if context.aliases && self.expand_alias(text) {
                continue;
            }
            return Ok(Token::Word(lexed));
        }
    }

    fn expand_alias(&mut self, name: &str) -> bool {
        let Some(text) = self.aliases.get(name) else { return false };
        let left = self.src.len() - self.at;
        self.expanding.retain(|(_, follows)| left > *follows);
        if self.expanding.iter().any(|(known, _)| known == name) || self.expanding.len() > MAX_DEPTH {
            return false;
        }
        let text: Vec<char> = text.chars().chain([' ']).collect();
        self.src.splice(self.at..self.at, text);
        self.expanding.push((name.to_owned(), left));
        true
    }

    pub(super) fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::NotSimulated(format!("a shell script that nests more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    /// A list up to a token that cannot start a command, which stays to be read.
    fn list(&mut self) -> Parsed<Node> {
        self.deeper()?;
        let mut nodes = Vec::new();
        loop {
            let first = self.token(COMMAND)?;
            let ended = first == Token::Eof;
            self.pushed = Some(first);
            if ended {
                // Whoever wanted the list says what is missing after it.
                break;
            }
            let start = self.at;
            let node = self.and_or()?;
            let token = self.token(PLAIN)?;
            nodes.push(if token == Token::Op("&") { self.background(node, start) } else { node });
            match token {
                Token::Op(";" | "&") | Token::Newline => {
                    let next = self.token(COMMAND)?;
                    let ends = ends_list(&next);
                    self.pushed = Some(next);
                    if ends {
                        break;
                    }
                }
                token => {
                    self.pushed = Some(token);
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(list(nodes))
    }

    /// A list that may be empty.
    pub(super) fn optional_list(&mut self) -> Parsed<Option<Node>> {
        let next = self.token(COMMAND)?;
        let ends = ends_list(&next);
        self.pushed = Some(next);
        if ends { Ok(None) } else { self.list().map(Some) }
    }

    fn and_or(&mut self) -> Parsed<Node> {
        let mut node = self.pipeline()?;
        loop {
            let token = self.token(PLAIN)?;
            let and = match token {
                Token::Op("&&") => true,
                Token::Op("||") => false,
                token => {
                    self.pushed = Some(token);
                    return Ok(node);
                }
            };
            let next = self.token(COMMAND)?;
            self.pushed = Some(next);
            let right = Box::new(self.pipeline()?);
            node = if and { Node::And(Box::new(node), right) } else { Node::Or(Box::new(node), right) };
        }
    }

    fn pipeline(&mut self) -> Parsed<Node> {
        match self.token(SAME_LINE)? {
            Token::Keyword("!") => {
                // `! !` is a mistake to dash and ash, so only one is read.
                let next = self.token(SAME_LINE)?;
                if next == Token::Keyword("!") && self.dialect != Dialect::Bash {
                    return Err(self.unexpected(&next, None));
                }
                self.pushed = Some(next);
                return Ok(Node::Not(Box::new(self.pipeline()?)));
            }
            Token::Keyword("time") => {
                let next = self.token(SAME_LINE)?;
                self.pushed = Some(next);
                return Ok(Node::Timed(Box::new(self.pipeline()?)));
            }
            token => self.pushed = Some(token),
        }
        let mut stages = vec![self.command()?];
        loop {
            match self.token(PLAIN)? {
                Token::Op("|") => {}
                Token::Op("|&") => return Err(Fault::NotSimulated("the operator |&".to_owned())),
                token => {
                    self.pushed = Some(token);
                    break;
                }
            }
            let next = self.token(COMMAND)?;
            self.pushed = Some(next);
            stages.push(self.command()?);
        }
        Ok(if stages.len() == 1 { stages.remove(0) } else { Node::Pipeline(stages) })
    }

    fn command(&mut self) -> Parsed<Node> {
        let line = self.line;
        let token = self.token(SAME_LINE)?;
        let body = match &token {
            Token::Keyword("if") => self.if_clause()?,
            Token::Keyword(word @ ("while" | "until")) => {
                let until = *word == "until";
                let condition = self.list()?;
                self.expect("do")?;
                let body = self.list()?;
                self.expect("done")?;
                Compound::Loop { condition, body, until }
            }
            Token::Keyword("for") => self.for_clause()?,
            Token::Keyword("case") => self.case_clause()?,
            Token::Keyword("{") => {
                let list = self.list()?;
                self.expect("}")?;
                Compound::Group(list)
            }
            Token::Keyword("[[") => self.test_command()?,
            Token::Keyword("function") => return self.function_keyword(),
            Token::Keyword(word @ ("select" | "coproc")) => return Err(Fault::NotSimulated(format!("{word} of bash"))),
            Token::Op("(") if self.dialect == Dialect::Bash && self.peek() == Some('(') => {
                self.at += 1;
                match self.arithmetic_parts(")")? {
                    Some(parts) => Compound::Arithmetic(parts),
                    None => return Err(Fault::NotSimulated("nested subshells that start with ((".to_owned())),
                }
            }
            Token::Op("(") => {
                let list = self.list()?;
                self.expect(")")?;
                Compound::Subshell(list)
            }
            Token::Word(_) | Token::Redirect(..) => {
                self.pushed = Some(token);
                return self.simple(line);
            }
            _ => return Err(self.unexpected(&token, None)),
        };
        let mut redirects = Vec::new();
        loop {
            match self.token(SAME_LINE)? {
                Token::Redirect(number, kind, here) => redirects.push(self.target(number, kind, here)?),
                token => {
                    self.pushed = Some(token);
                    break;
                }
            }
        }
        Ok(Node::Compound { line, body: Box::new(body), redirects })
    }

    fn expect(&mut self, wanted: &'static str) -> Parsed<()> {
        let token = self.token(KEYWORDS)?;
        if token == Token::Keyword(wanted) || token == Token::Op(wanted) {
            return Ok(());
        }
        Err(self.unexpected(&token, Some(wanted)))
    }

    fn if_clause(&mut self) -> Parsed<Compound> {
        let mut branches = Vec::new();
        loop {
            let condition = self.list()?;
            self.expect("then")?;
            branches.push((condition, self.list()?));
            match self.token(KEYWORDS)? {
                Token::Keyword("elif") => {}
                Token::Keyword("else") => {
                    let otherwise = Some(self.list()?);
                    self.expect("fi")?;
                    return Ok(Compound::If { branches, otherwise });
                }
                Token::Keyword("fi") => return Ok(Compound::If { branches, otherwise: None }),
                token => return Err(self.unexpected(&token, Some("fi"))),
            }
        }
    }

    fn for_clause(&mut self) -> Parsed<Compound> {
        let token = self.token(PLAIN)?;
        if token == Token::Op("(") && self.dialect == Dialect::Bash && self.peek() == Some('(') {
            self.at += 1;
            return self.arithmetic_for();
        }
        let name = match &token {
            Token::Word(lexed) if lexed.plain().is_some_and(is_name) => lexed.plain().unwrap_or_default().to_owned(),
            _ => return Err(self.bad_loop_variable(&token)),
        };
        let mut words = None;
        match self.token(KEYWORDS)? {
            Token::Keyword("in") => {
                let mut list = Vec::new();
                let end = loop {
                    match self.token(PLAIN)? {
                        Token::Word(lexed) => list.push(lexed.word),
                        token => break token,
                    }
                };
                if !matches!(end, Token::Newline | Token::Op(";")) {
                    return Err(self.unexpected(&end, None));
                }
                words = Some(list);
            }
            Token::Op(";") => {}
            token => self.pushed = Some(token),
        }
        let body = self.loop_body()?;
        Ok(Compound::For { name, words, body })
    }

    /// `do list done`, or bash's braces instead.
    fn loop_body(&mut self) -> Parsed<Node> {
        let token = self.token(KEYWORDS)?;
        let end = match &token {
            Token::Keyword("do") => "done",
            Token::Keyword("{") if self.dialect == Dialect::Bash => "}",
            _ => return Err(self.unexpected(&token, Some("do"))),
        };
        let body = self.list()?;
        self.expect(end)?;
        Ok(body)
    }

    fn arithmetic_for(&mut self) -> Parsed<Compound> {
        let mut section = |closing| {
            let parts = self.arithmetic_parts(closing)?;
            parts.ok_or_else(|| Fault::NotSimulated("a for of bash that is no arithmetic".to_owned()))
        };
        let (start, condition, step) = (section(";")?, section(";")?, section(")")?);
        match self.token(KEYWORDS)? {
            Token::Op(";") => {}
            token => self.pushed = Some(token),
        }
        let body = self.loop_body()?;
        Ok(Compound::ArithmeticFor { start, condition, step, body })
    }

    fn case_clause(&mut self) -> Parsed<Compound> {
        let token = self.token(PLAIN)?;
        let Token::Word(lexed) = token else { return Err(self.unexpected(&token, Some("word"))) };
        let word = lexed.word;
        self.expect("in")?;
        let mut items = Vec::new();
        loop {
            let mut token = self.token(KEYWORDS)?;
            if token == Token::Keyword("esac") {
                return Ok(Compound::Case { word, items });
            }
            if token == Token::Op("(") {
                token = self.token(PLAIN)?;
            }
            let mut patterns = Vec::new();
            loop {
                match token {
                    Token::Word(lexed) => patterns.push(lexed.word),
                    Token::Keyword(text) => patterns.push(Word { parts: vec![Part::Text(text.to_owned())] }),
                    token => return Err(self.unexpected(&token, Some(")"))),
                }
                match self.token(PLAIN)? {
                    Token::Op("|") => token = self.token(PLAIN)?,
                    Token::Op(")") => break,
                    token => return Err(self.unexpected(&token, Some(")"))),
                }
            }
            let body = self.optional_list()?;
            let end = self.token(KEYWORDS)?;
            let falls_through = end == Token::Op(";&");
            items.push(CaseItem { patterns, body, falls_through });
            match end {
                Token::Op(";;" | ";&") => {}
                Token::Op(";;&") => return Err(Fault::NotSimulated("the operator ;;&".to_owned())),
                Token::Keyword("esac") => return Ok(Compound::Case { word, items }),
                token => return Err(self.unexpected(&token, Some(";;"))),
            }
        }
    }

    /// `function name` after the keyword.
    fn function_keyword(&mut self) -> Parsed<Node> {
        let token = self.token(PLAIN)?;
        let Token::Word(lexed) = &token else { return Err(self.unexpected(&token, None)) };
        let name = lexed.plain().map(str::to_owned);
        let Some(name) = name else { return Err(self.unexpected(&token, None)) };
        match self.token(KEYWORDS)? {
            Token::Op("(") => self.expect(")")?,
            token => self.pushed = Some(token),
        }
        self.function(name)
    }

    pub(super) fn function(&mut self, name: String) -> Parsed<Node> {
        self.deeper()?;
        let next = self.token(COMMAND)?;
        if self.dialect == Dialect::Bash && matches!(next, Token::Word(_)) {
            return Err(self.unexpected(&next, None));
        }
        self.pushed = Some(next);
        let body = Arc::new(self.command()?);
        self.depth -= 1;
        Ok(Node::Function { name, body })
    }
}

fn list(mut nodes: Vec<Node>) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { Node::List(nodes) }
}

fn ends_list(token: &Token) -> bool {
    matches!(
        token,
        Token::Eof
            | Token::Op(")" | ";;" | ";&" | ";;&")
            | Token::Keyword("}" | "do" | "done" | "elif" | "else" | "esac" | "fi" | "then")
    )
}

/// The keyword that a word is.
pub(super) fn keyword(text: &str, dialect: Dialect) -> Option<&'static str> {
    const COMMON: [&str; 16] = [
        "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while",
    ];
    const ASH: [&str; 1] = ["function"];
    const BASH: [&str; 5] = ["function", "select", "time", "[[", "coproc"];
    let more: &[&'static str] = match dialect {
        Dialect::Dash => &[],
        Dialect::Ash => &ASH,
        Dialect::Bash => &BASH,
    };
    COMMON.iter().chain(more).find(|keyword| **keyword == text).copied()
}
