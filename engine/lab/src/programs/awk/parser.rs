//! The syntax tree of an awk program and how it is read.
//!
//! Invariant: how deep a program nests is bounded while it is read.

use super::lexer::Token;

/// How deep expressions and statements may nest.
const MAX_DEPTH: usize = 100;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    Text(String),
    Regex(String),
    Var(String),
    Element(String, Vec<Expr>),
    Field(Box<Expr>),
    /// `name = value`, `name += value`: the operator without its equals sign.
    Assign(Box<Expr>, &'static str, Box<Expr>),
    /// `++x` and its like: step, and whether the old value counts.
    Step(Box<Expr>, f64, bool),
    Unary(&'static str, Box<Expr>),
    Binary(Box<Expr>, &'static str, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Text, pattern, whether it must not match.
    Match(Box<Expr>, Box<Expr>, bool),
    In(Vec<Expr>, String),
    Call(String, Vec<Expr>),
    /// A function that the program defines.
    Own(String, Vec<Expr>),
    /// `getline [var] [< file]`, `command | getline [var]`
    Getline {
        command: Option<Box<Expr>>,
        file: Option<Box<Expr>>,
        var: Option<Box<Expr>>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Statement {
    Print { args: Vec<Expr>, formatted: bool, to: Option<(&'static str, Expr)> },
    Expr(Expr),
    If(Expr, Box<Statement>, Option<Box<Statement>>),
    While(Expr, Box<Statement>),
    Do(Box<Statement>, Expr),
    For(Option<Box<Statement>>, Option<Expr>, Option<Box<Statement>>, Box<Statement>),
    ForIn(String, String, Box<Statement>),
    Block(Vec<Statement>),
    Next,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
    Delete(String, Option<Vec<Expr>>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pattern {
    Begin,
    End,
    Always,
    When(Expr),
    Range(Expr, Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    pub(super) params: Vec<String>,
    pub(super) body: Statement,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) rules: Vec<(Pattern, Option<Statement>)>,
    pub(super) functions: std::collections::BTreeMap<String, Function>,
}

pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// Whether `>` redirects here instead of comparing.
    pub(super) printing: bool,
    /// Whether `in` belongs to a `for` here.
    pub(super) no_in: bool,
}

/// What is wrong with a program: the lab reproduces no syntax error of awk.
pub(super) type Parsed<T> = Result<T, String>;

/// Reads a program.
pub(super) fn parse(source: &str) -> Parsed<Program> {
    let tokens = super::lexer::tokens(source)?;
    let mut parser = Parser { tokens, at: 0, depth: 0, printing: false, no_in: false };
    let mut program = Program::default();
    loop {
        parser.skip_ends();
        if parser.peek() == &Token::End {
            return Ok(program);
        }
        if parser.word("function") || parser.word("func") {
            let (name, function) = parser.function()?;
            program.functions.insert(name, function);
            continue;
        }
        let pattern = if parser.word("BEGIN") {
            Pattern::Begin
        } else if parser.word("END") {
            Pattern::End
        } else if parser.peek() == &Token::Op("{") {
            Pattern::Always
        } else {
            let first = parser.expr()?;
            if parser.op(",") {
                parser.newlines();
                Pattern::Range(first, parser.expr()?)
            } else {
                Pattern::When(first)
            }
        };
        let body = if parser.peek() == &Token::Op("{") { Some(parser.block()?) } else { None };
        program.rules.push((pattern, body));
    }
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    pub(super) fn op(&mut self, operator: &str) -> bool {
        let found = matches!(self.peek(), Token::Op(text) if *text == operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(name, _) if name == word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, operator: &str) -> Parsed<()> {
        if self.op(operator) { Ok(()) } else { Err(format!("an awk program without {operator} where it needs one")) }
    }

    pub(super) fn newlines(&mut self) {
        while self.peek() == &Token::Newline {
            self.at += 1;
        }
    }

    fn skip_ends(&mut self) {
        while matches!(self.peek(), Token::Newline | Token::Op(";")) {
            self.at += 1;
        }
    }

    pub(super) fn name(&mut self) -> Parsed<String> {
        match self.peek().clone() {
            Token::Name(name, _) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err("an awk program without a name where it needs one".to_owned()),
        }
    }

    fn function(&mut self) -> Parsed<(String, Function)> {
        let name = self.name()?;
        self.expect("(")?;
        let mut params = Vec::new();
        while !self.op(")") {
            params.push(self.name()?);
            self.op(",");
            self.newlines();
        }
        self.newlines();
        Ok((name, Function { params, body: self.block()? }))
    }

    pub(super) fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err("an awk program that nests this deep".to_owned()) } else { Ok(()) }
    }

    fn block(&mut self) -> Parsed<Statement> {
        self.expect("{")?;
        let mut statements = Vec::new();
        loop {
            self.skip_ends();
            if self.op("}") {
                return Ok(Statement::Block(statements));
            }
            statements.push(self.statement()?);
        }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        self.deeper()?;
        let statement = self.any_statement();
        self.depth -= 1;
        statement
    }

    /// The body of a loop or branch.
    fn body(&mut self) -> Parsed<Box<Statement>> {
        self.newlines();
        if self.op(";") {
            return Ok(Box::new(Statement::Block(Vec::new())));
        }
        Ok(Box::new(self.statement()?))
    }

    fn any_statement(&mut self) -> Parsed<Statement> {
        if self.peek() == &Token::Op("{") {
            return self.block();
        }
        if self.word("if") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            let then = self.body()?;
            let before = self.at;
            self.skip_ends();
            if self.word("else") {
                return Ok(Statement::If(condition, then, Some(self.body()?)));
            }
            self.at = before;
            return Ok(Statement::If(condition, then, None));
        }
        if self.word("while") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Statement::While(condition, self.body()?));
        }
        if self.word("do") {
            let body = self.body()?;
            self.skip_ends();
            if !self.word("while") {
                return Err("a do without its while in awk".to_owned());
            }
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Statement::Do(body, condition));
        }
        if self.word("for") {
            return self.for_statement();
        }
        let statement = self.simple()?;
        if !matches!(self.peek(), Token::Newline | Token::Op(";" | "}") | Token::End) {
            return Err("an awk statement that goes on where it should end".to_owned());
        }
        Ok(statement)
    }

    fn for_statement(&mut self) -> Parsed<Statement> {
        self.expect("(")?;
        if let [Token::Name(name, _), Token::Name(word, _), Token::Name(array, _), Token::Op(")")] =
            self.tokens.get(self.at..self.at + 4).unwrap_or_default()
            && word == "in"
        {
            let (name, array) = (name.clone(), array.clone());
            self.at += 4;
            return Ok(Statement::ForIn(name, array, self.body()?));
        }
        let start = if self.op(";") {
            None
        } else {
            let start = self.simple()?;
            self.expect(";")?;
            Some(Box::new(start))
        };
        self.newlines();
        let condition = if self.peek() == &Token::Op(";") { None } else { Some(self.expr()?) };
        self.expect(";")?;
        self.newlines();
        let step = if self.peek() == &Token::Op(")") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(")")?;
        Ok(Statement::For(start, condition, step, self.body()?))
    }

    fn simple(&mut self) -> Parsed<Statement> {
        for (word, formatted) in [("print", false), ("printf", true)] {
            if self.word(word) {
                return self.print(formatted);
            }
        }
        if self.word("next") {
            return Ok(Statement::Next);
        }
        if self.word("break") {
            return Ok(Statement::Break);
        }
        if self.word("continue") {
            return Ok(Statement::Continue);
        }
        let ends = |parser: &Self| matches!(parser.peek(), Token::Newline | Token::Op(";" | "}") | Token::End);
        for word in ["exit", "return"] {
            if self.word(word) {
                let value = if ends(self) { None } else { Some(self.expr()?) };
                return Ok(if word == "exit" { Statement::Exit(value) } else { Statement::Return(value) });
            }
        }
        if self.word("delete") {
            let name = self.name()?;
            let index = if self.op("[") { Some(self.list("]")?) } else { None };
            return Ok(Statement::Delete(name, index));
        }
        Ok(Statement::Expr(self.expr()?))
    }

    fn print(&mut self, formatted: bool) -> Parsed<Statement> {
        let outer = std::mem::replace(&mut self.printing, true);
        let mut args = Vec::new();
        let start = self.at;
        let ends = |parser: &Self| {
            matches!(parser.peek(), Token::Newline | Token::Op(";" | "}" | ">" | ">>" | "|") | Token::End)
        };
        let mut grouped = false;
        if self.op("(") {
            // A list in brackets is the arguments only if nothing but the statement's end follows.
            self.printing = false;
            let list = self.list(")")?;
            self.printing = true;
            grouped = ends(self);
            if grouped {
                args = list;
            } else {
                self.at = start;
            }
        }
        if !grouped && !ends(self) {
            loop {
                args.push(self.expr()?);
                if !self.op(",") {
                    break;
                }
                self.newlines();
            }
        }
        self.printing = outer;
        let mut to = None;
        for operator in [">>", ">", "|"] {
            if self.op(operator) {
                let outer = std::mem::replace(&mut self.printing, true);
                to = Some((operator, self.concatenation()?));
                self.printing = outer;
                break;
            }
        }
        Ok(Statement::Print { args, formatted, to })
    }
}
