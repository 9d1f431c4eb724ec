//! awk's expressions as they are read, from those that bind least to those that bind most.
//!
//! Invariant: after `print` a `>` redirects, unless it stands in brackets.

use super::lexer::Token;
use super::parser::{Expr, Parsed, Parser};

/// Functions of the language.
const BUILTINS: [&str; 22] = [
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "tolower", "toupper", "int", "sqrt",
    "exp", "log", "sin", "cos", "atan2", "system", "close", "fflush", "rand", "srand",
];

impl Parser {
    /// Expressions up to a closing bracket.
    pub(super) fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut list = Vec::new();
        self.newlines();
        while !self.op(close) {
            list.push(self.expr()?);
            self.newlines();
            if !self.op(",") {
                self.expect(close)?;
                break;
            }
            self.newlines();
        }
        Ok(list)
    }

    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.deeper()?;
        let expr = self.assignment();
        self.depth -= 1;
        expr
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let left = self.choice()?;
        if !matches!(left, Expr::Var(_) | Expr::Element(..) | Expr::Field(_)) {
            return Ok(left);
        }
        let operators =
            [("=", ""), ("+=", "+"), ("-=", "-"), ("*=", "*"), ("/=", "/"), ("%=", "%"), ("^=", "^"), ("**=", "^")];
        for (token, operator) in operators {
            if self.op(token) {
                self.newlines();
                let right = self.expr()?;
                return Ok(Expr::Assign(Box::new(left), operator, Box::new(right)));
            }
        }
        Ok(left)
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let condition = self.or()?;
        if !self.op("?") {
            return Ok(condition);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.expect(":")?;
        self.newlines();
        let no = self.expr()?;
        Ok(Expr::Choice(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.op("||") {
            self.newlines();
            left = Expr::Binary(Box::new(left), "||", Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.op("&&") {
            self.newlines();
            left = Expr::Binary(Box::new(left), "&&", Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.word("in") {
            left = Expr::In(vec![left], self.name()?);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negated = match self.peek() {
                Token::Op("~") => false,
                Token::Op("!~") => true,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Match(Box::new(left), Box::new(self.comparison()?), negated);
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concatenation()?;
        for operator in ["<=", ">=", "==", "!=", "<", ">"] {
            if operator == ">" && self.printing {
                continue;
            }
            if self.op(operator) {
                return Ok(Expr::Binary(Box::new(left), operator, Box::new(self.concatenation()?)));
            }
        }
        // `command | getline`
        let mut left = left;
        while matches!(self.tokens.get(self.at..self.at + 2), Some([Token::Op("|"), Token::Name(name, _)]) if name == "getline")
        {
            self.at += 2;
            let var = self.optional_var()?;
            left = Expr::Getline { command: Some(Box::new(left)), file: None, var };
        }
        Ok(left)
    }

    pub(super) fn concatenation(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        loop {
            let starts = match self.peek() {
                Token::Number(_) | Token::Text(_) | Token::Op("$" | "!" | "(" | "-" | "+" | "++" | "--") => true,
                Token::Name(name, _) => !matches!(name.as_str(), "in" | "getline"),
                _ => false,
            };
            if !starts {
                return Ok(left);
            }
            left = Expr::Binary(Box::new(left), " ", Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Op(operator @ ("+" | "-")) => *operator,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(Box::new(left), operator, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Op(operator @ ("*" | "/" | "%")) => *operator,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(Box::new(left), operator, Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.deeper()?;
        let mut found = None;
        for operator in ["!", "-", "+"] {
            if self.op(operator) {
                found = Some(Expr::Unary(operator, Box::new(self.unary()?)));
                break;
            }
        }
        let expr = match found {
            Some(expr) => expr,
            None => self.power()?,
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.postfix()?;
        if self.op("^") || self.op("**") {
            // Powers bind to the right, and closer than the sign of their exponent.
            let exponent = self.unary()?;
            return Ok(Expr::Binary(Box::new(base), "^", Box::new(exponent)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        for (operator, step) in [("++", 1.0), ("--", -1.0)] {
            if self.op(operator) {
                let operand = self.primary()?;
                return Ok(Expr::Step(Box::new(operand), step, false));
            }
        }
        let operand = self.primary()?;
        if matches!(operand, Expr::Var(_) | Expr::Element(..) | Expr::Field(_)) {
            for (operator, step) in [("++", 1.0), ("--", -1.0)] {
                if self.op(operator) {
                    return Ok(Expr::Step(Box::new(operand), step, true));
                }
            }
        }
        Ok(operand)
    }

    fn optional_var(&mut self) -> Parsed<Option<Box<Expr>>> {
        let starts = match self.peek() {
            Token::Op("$") => true,
            Token::Name(name, call) => !call && name != "in" && !BUILTINS.contains(&name.as_str()),
            _ => false,
        };
        if starts { Ok(Some(Box::new(self.primary()?))) } else { Ok(None) }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek().clone();
        self.at += 1;
        match token {
            Token::Number(value) => Ok(Expr::Number(value)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Regex(text) => Ok(Expr::Regex(text)),
            Token::Op("$") => {
                self.deeper()?;
                let index =
                    if matches!(self.peek(), Token::Op("++" | "--" | "-")) { self.unary()? } else { self.primary()? };
                self.depth -= 1;
                Ok(Expr::Field(Box::new(index)))
            }
            Token::Op("(") => {
                let outer = (std::mem::replace(&mut self.printing, false), std::mem::replace(&mut self.no_in, false));
                let mut list = self.list(")")?;
                (self.printing, self.no_in) = outer;
                if list.len() > 1 || matches!(self.peek(), Token::Name(name, _) if name == "in") {
                    return if self.word("in") {
                        Ok(Expr::In(list, self.name()?))
                    } else {
                        Err("a list in brackets where awk wants a value".to_owned())
                    };
                }
                match list.pop() {
                    // In brackets it is no longer something to assign to.
                    Some(expr @ (Expr::Var(_) | Expr::Element(..) | Expr::Field(_) | Expr::Regex(_))) => Ok(expr),
                    Some(expr) => Ok(expr),
                    None => Err("empty brackets in awk".to_owned()),
                }
            }
            Token::Op("-") => Ok(Expr::Unary("-", Box::new(self.unary()?))),
            Token::Op("!") => Ok(Expr::Unary("!", Box::new(self.unary()?))),
            Token::Name(name, _) if name == "getline" => {
                let var = self.optional_var()?;
                let file = if self.op("<") { Some(Box::new(self.postfix()?)) } else { None };
                Ok(Expr::Getline { command: None, file, var })
            }
            Token::Name(name, call) => self.named(name, call),
            _ => Err("an awk program without a value where it needs one".to_owned()),
        }
    }

    fn named(&mut self, name: String, call: bool) -> Parsed<Expr> {
        if BUILTINS.contains(&name.as_str()) {
            let args = if self.op("(") {
                let outer = std::mem::replace(&mut self.printing, false);
                let args = self.list(")")?;
                self.printing = outer;
                args
            } else if name == "length" {
                Vec::new()
            } else {
                return Err(format!("awk's {name} without brackets"));
            };
            return Ok(Expr::Call(name, args));
        }
        if call {
            self.expect("(")?;
            let outer = std::mem::replace(&mut self.printing, false);
            let args = self.list(")")?;
            self.printing = outer;
            return Ok(Expr::Own(name, args));
        }
        if self.op("[") {
            let outer = (std::mem::replace(&mut self.printing, false), std::mem::replace(&mut self.no_in, false));
            let index = self.list("]")?;
            (self.printing, self.no_in) = outer;
            return Ok(Expr::Element(name, index));
        }
        Ok(Expr::Var(name))
    }
}
