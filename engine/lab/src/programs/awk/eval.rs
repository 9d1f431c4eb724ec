//! Running an awk program.
//!
//! Invariant: a loop without end lets time pass, and what a program holds in memory is bounded.

use super::io::Io;
use super::parser::{Expr, Pattern, Program};
use super::value::Value;
use crate::process::{Exit, Process};
use crate::programs::posix_regex::{self, Syntax};
use futures::future::BoxFuture;
use regex::bytes::Regex;
use std::collections::BTreeMap;
use std::time::Duration;

/// How deep calls and expressions may nest while running.
const MAX_DEPTH: usize = 150;
/// How long a text and how many elements of arrays there may be.
const MAX_TEXT: usize = 8 << 20;
const MAX_ELEMENTS: usize = 1 << 18;
/// How many fields a record may have.
const MAX_FIELDS: usize = 1 << 16;

/// Why the flow of statements is left.
pub(super) enum Leave {
    Next,
    Exit(u8),
    Break,
    Continue,
    Return(Value),
    /// The whole program ends like this.
    End(Exit),
}

impl From<Exit> for Leave {
    fn from(exit: Exit) -> Self {
        Self::End(exit)
    }
}

pub(super) type Ran<T> = Result<T, Leave>;

pub(super) fn not_simulated(what: impl Into<String>) -> Leave {
    Leave::End(Exit::NotSimulated(what.into()))
}

/// A frame's names: values, and arrays that stand for arrays of the caller.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) values: BTreeMap<String, Value>,
    pub(super) arrays: BTreeMap<String, String>,
}

/// A running program.
pub(super) struct Machine<'a> {
    pub(super) process: &'a Process,
    pub(super) program: &'a Program,
    pub(super) globals: BTreeMap<String, Value>,
    pub(super) arrays: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) elements: usize,
    pub(super) record: String,
    fields: Vec<Value>,
    regexes: BTreeMap<String, Regex>,
    pub(super) frames: Vec<Frame>,
    pub(super) io: Io,
    ranges: Vec<bool>,
    steps: u32,
    depth: usize,
    random: u64,
    pub(super) locals: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(process: &'a Process, program: &'a Program) -> Self {
        let text = |value: &str| Value::Text(value.to_owned());
        let globals = [
            ("FS", " "),
            ("OFS", " "),
            ("ORS", "\n"),
            ("RS", "\n"),
            ("SUBSEP", "\x1c"),
            ("OFMT", "%.6g"),
            ("CONVFMT", "%.6g"),
        ];
        let environment = process.env.iter().map(|(name, value)| (name.clone(), Value::Input(value.clone()))).collect();
        Self {
            process,
            program,
            globals: globals.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
            arrays: BTreeMap::from([("ENVIRON".to_owned(), environment)]),
            elements: 0,
            record: String::new(),
            fields: Vec::new(),
            regexes: BTreeMap::new(),
            frames: Vec::new(),
            io: Io::new(process),
            ranges: vec![false; program.rules.len()],
            steps: 0,
            depth: 0,
            random: 0,
            locals: 0,
        }
    }

    pub(super) fn global(&self, name: &str) -> String {
        self.globals.get(name).map(Value::text).unwrap_or_default()
    }

    /// Runs the program over the operands; its exit code.
    pub(super) async fn run(&mut self, operands: Vec<String>) -> Ran<u8> {
        let mut code = 0;
        let mut outcome = self.rules(&Pattern::Begin).await;
        let reads = self.program.rules.iter().any(|(pattern, _)| *pattern != Pattern::Begin);
        if outcome.is_ok() && reads {
            self.io.operands(operands);
            outcome = self.records().await;
        }
        match outcome {
            Ok(()) => {}
            Err(Leave::Exit(status)) => code = status,
            Err(leave) => return Err(leave),
        }
        match self.rules(&Pattern::End).await {
            Ok(()) => {}
            Err(Leave::Exit(status)) => code = status,
            Err(leave) => return Err(leave),
        }
        self.io.finish(self.process).await?;
        Ok(if code == 0 && self.io.failed { 2 } else { code })
    }

    async fn rules(&mut self, wanted: &Pattern) -> Ran<()> {
        let program = self.program;
        for (pattern, body) in &program.rules {
            if pattern == wanted
                && let Some(body) = body
            {
                self.statement(body).await?;
            }
        }
        Ok(())
    }

    async fn records(&mut self) -> Ran<()> {
        while self.next_record().await? {
            match self.main_rules().await {
                Ok(()) | Err(Leave::Next) => {}
                Err(leave) => return Err(leave),
            }
        }
        Ok(())
    }

    /// Reads the next record of the main input.
    pub(super) async fn next_record(&mut self) -> Ran<bool> {
        let separator = self.global("RS");
        let Some((record, first, name)) = self.io.main_record(self.process, &separator, &mut self.globals).await?
        else {
            return Ok(false);
        };
        if let Some(name) = name {
            self.globals.insert("FILENAME".to_owned(), Value::Text(name));
        }
        self.count("NR");
        if first {
            self.globals.insert("FNR".to_owned(), Value::Number(0.0));
        }
        self.count("FNR");
        self.set_record(record)?;
        Ok(true)
    }

    pub(super) fn count(&mut self, name: &str) {
        let next = self.globals.get(name).map_or(0.0, Value::number) + 1.0;
        self.globals.insert(name.to_owned(), Value::Number(next));
    }

    async fn main_rules(&mut self) -> Ran<()> {
        let program = self.program;
        for (index, (pattern, body)) in program.rules.iter().enumerate() {
            let applies = match pattern {
                Pattern::Begin | Pattern::End => false,
                Pattern::Always => true,
                Pattern::When(condition) => self.condition(condition).await?,
                Pattern::Range(from, to) => {
                    let inside = self.ranges[index] || self.condition(from).await?;
                    self.ranges[index] = inside && !self.condition(to).await?;
                    inside
                }
            };
            if !applies {
                continue;
            }
            match body {
                Some(body) => self.statement(body).await?,
                None => {
                    let line = self.record.clone() + &self.global("ORS");
                    self.io.print(line.into_bytes()).await?;
                }
            }
        }
        Ok(())
    }

    /// Splits a record into fields.
    pub(super) fn set_record(&mut self, record: String) -> Ran<()> {
        let separator = self.global("FS");
        self.fields = self.split(&record, &separator)?.into_iter().map(Value::Input).collect();
        self.record = record;
        self.count_fields();
        Ok(())
    }

    fn count_fields(&mut self) {
        #[expect(clippy::cast_precision_loss, reason = "far fewer fields than a float counts exactly")]
        let count = self.fields.len() as f64;
        self.globals.insert("NF".to_owned(), Value::Number(count));
    }

    fn join_record(&mut self) {
        let fields: Vec<String> = self.fields.iter().map(Value::text).collect();
        self.record = fields.join(&self.global("OFS"));
        self.count_fields();
    }

    fn split(&mut self, text: &str, separator: &str) -> Ran<Vec<String>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let parts = match separator {
            " " => owned(text.split([' ', '\t', '\n']).filter(|part| !part.is_empty()).collect()),
            "" => text.chars().map(String::from).collect(),
            single if single.chars().count() == 1 && single != "\\" => owned(text.split(single).collect()),
            pattern => {
                let regex = self.regex(pattern)?;
                regex.split(text.as_bytes()).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
            }
        };
        if parts.len() > MAX_FIELDS { Err(not_simulated("that many fields in awk")) } else { Ok(parts) }
    }

    fn regex(&mut self, pattern: &str) -> Ran<Regex> {
        if let Some(regex) = self.regexes.get(pattern) {
            return Ok(regex.clone());
        }
        let plain = super::lexer::unescape(pattern);
        let syntax = Syntax { extended: true, ..Syntax::default() };
        let regex = posix_regex::compile(&plain, syntax)
            .map_err(|_| not_simulated(format!("the regular expression {pattern} in awk")))?;
        if self.regexes.len() > 500 {
            self.regexes.clear();
        }
        self.regexes.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }

    pub(super) async fn breathe(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(4096) {
            self.process.clock.sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn condition(&mut self, expr: &Expr) -> Ran<bool> {
        Ok(self.value(expr).await?.truth())
    }

    /// The real name of an array, which a parameter may stand for.
    pub(super) fn array_name(&self, name: &str) -> String {
        let stands = self.frames.last().and_then(|frame| frame.arrays.get(name));
        stands.cloned().unwrap_or_else(|| name.to_owned())
    }

    pub(super) fn array(&mut self, name: &str) -> &mut BTreeMap<String, Value> {
        let name = self.array_name(name);
        self.arrays.entry(name).or_default()
    }

    pub(super) async fn key(&mut self, index: &[Expr]) -> Ran<String> {
        let mut parts = Vec::new();
        for expr in index {
            parts.push(self.value(expr).await?.text());
        }
        Ok(parts.join(&self.global("SUBSEP")))
    }

    fn var(&mut self, name: &str) -> Value {
        if let Some(value) = self.frames.last().and_then(|frame| frame.values.get(name)) {
            return value.clone();
        }
        self.globals.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn assign_var(&mut self, name: &str, value: Value) -> Ran<()> {
        if let Some(slot) = self.frames.last_mut().and_then(|frame| frame.values.get_mut(name)) {
            *slot = value;
            return Ok(());
        }
        if name == "NF" {
            let count = size(value.number());
            if count > MAX_FIELDS {
                return Err(not_simulated("that many fields in awk"));
            }
            self.fields.resize(count, Value::Unset);
            self.join_record();
            return Ok(());
        }
        self.globals.insert(name.to_owned(), value);
        Ok(())
    }

    pub(super) async fn assign(&mut self, target: &Expr, value: Value) -> Ran<()> {
        match target {
            Expr::Var(name) => self.assign_var(name, value),
            Expr::Element(name, index) => {
                let key = self.key(index).await?;
                self.put(name, key, value)
            }
            Expr::Field(index) => {
                let index = size(self.value(index).await?.number());
                if index == 0 {
                    return self.set_record(value.text());
                }
                if index > MAX_FIELDS {
                    return Err(not_simulated("that many fields in awk"));
                }
                if self.fields.len() < index {
                    self.fields.resize(index, Value::Unset);
                }
                self.fields[index - 1] = value;
                self.join_record();
                Ok(())
            }
            _ => Err(not_simulated("an assignment to no variable in awk")),
        }
    }

    pub(super) fn put(&mut self, name: &str, key: String, value: Value) -> Ran<()> {
        if self.array(name).insert(key, value).is_none() {
            self.elements += 1;
            if self.elements > MAX_ELEMENTS {
                return Err(not_simulated(format!("arrays of more than {MAX_ELEMENTS} elements in awk")));
            }
        }
        Ok(())
    }

    pub(super) fn value<'b>(&'b mut self, expr: &'b Expr) -> BoxFuture<'b, Ran<Value>> {
        Box::pin(async move {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(not_simulated("awk that nests this deep"));
            }
            let value = self.evaluate(expr).await?;
            self.depth -= 1;
            if let Value::Text(text) = &value
                && text.len() > MAX_TEXT
            {
                return Err(not_simulated(format!("a text of more than {MAX_TEXT} bytes in awk")));
            }
            Ok(value)
        })
    }

    async fn evaluate(&mut self, expr: &Expr) -> Ran<Value> {
        let truth = |holds: bool| Value::Number(f64::from(u8::from(holds)));
        Ok(match expr {
            Expr::Number(value) => Value::Number(*value),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Regex(pattern) => {
                let regex = self.regex(pattern)?;
                truth(regex.is_match(self.record.as_bytes()))
            }
            Expr::Var(name) => self.var(name),
            Expr::Element(name, index) => {
                let key = self.key(index).await?;
                match self.array(name).get(&key) {
                    Some(value) => value.clone(),
                    None => {
                        // Looking at an element makes it.
                        self.put(name, key, Value::Unset)?;
                        Value::Unset
                    }
                }
            }
            Expr::Field(index) => match size(self.value(index).await?.number()) {
                0 => Value::Input(self.record.clone()),
                index => self.fields.get(index - 1).cloned().unwrap_or_default(),
            },
            Expr::Assign(target, operator, right) => {
                let right = self.value(right).await?;
                let value = if operator.is_empty() {
                    right
                } else {
                    let left = self.value(target).await?.number();
                    Value::Number(arithmetic(left, operator, right.number())?)
                };
                self.assign(target, value.clone()).await?;
                value
            }
            Expr::Step(target, step, old_counts) => {
                let old = self.value(target).await?.number();
                self.assign(target, Value::Number(old + step)).await?;
                Value::Number(if *old_counts { old } else { old + step })
            }
            Expr::Unary("!", operand) => truth(!self.condition(operand).await?),
            Expr::Unary(operator, operand) => {
                let value = self.value(operand).await?.number();
                Value::Number(if *operator == "-" { -value } else { value })
            }
            Expr::Binary(left, operator @ ("&&" | "||"), right) => {
                let left = self.condition(left).await?;
                let decided = left == (*operator == "||");
                truth(if decided { left } else { self.condition(right).await? })
            }
            Expr::Binary(left, operator, right) => {
                let (left, right) = (self.value(left).await?, self.value(right).await?);
                match *operator {
                    " " => Value::Text(left.text() + &right.text()),
                    "<" => truth(left.compare(&right).is_lt()),
                    "<=" => truth(left.compare(&right).is_le()),
                    ">" => truth(left.compare(&right).is_gt()),
                    ">=" => truth(left.compare(&right).is_ge()),
                    "==" => truth(left.compare(&right).is_eq()),
                    "!=" => truth(left.compare(&right).is_ne()),
                    operator => Value::Number(arithmetic(left.number(), operator, right.number())?),
                }
            }
            Expr::Choice(condition, yes, no) => {
                let chosen = if self.condition(condition).await? { yes } else { no };
                self.value(chosen).await?
            }
            Expr::Match(text, pattern, negated) => {
                let text = self.value(text).await?.text();
                let regex = self.pattern(pattern).await?;
                truth(regex.is_match(text.as_bytes()) != *negated)
            }
            Expr::In(index, name) => {
                let key = self.key(index).await?;
                truth(self.array(name).contains_key(&key))
            }
            Expr::Call(name, args) => self.call(name, args).await?,
            Expr::Own(name, args) => self.own(name, args).await?,
            Expr::Getline { command, file, var } => {
                self.getline(command.as_deref(), file.as_deref(), var.as_deref()).await?
            }
        })
    }

    /// The regular expression that an operand stands for.
    pub(super) async fn pattern(&mut self, expr: &Expr) -> Ran<Regex> {
        let pattern = match expr {
            Expr::Regex(pattern) => pattern.clone(),
            expr => self.value(expr).await?.text(),
        };
        self.regex(&pattern)
    }

    /// `split(text, array, separator)`
    pub(super) async fn split_into(&mut self, text: &str, array: &str, separator: Option<&Expr>) -> Ran<Value> {
        let separator = match separator {
            Some(Expr::Regex(pattern)) if pattern.chars().count() == 1 => format!("[{pattern}]"),
            Some(Expr::Regex(pattern)) => pattern.clone(),
            Some(expr) => self.value(expr).await?.text(),
            None => self.global("FS"),
        };
        let parts = self.split(text, &separator)?;
        let old = self.array(array).len();
        self.array(array).clear();
        self.elements = self.elements.saturating_sub(old);
        let count = parts.len();
        for (index, part) in parts.into_iter().enumerate() {
            self.put(array, (index + 1).to_string(), Value::Input(part))?;
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer parts than a float counts exactly")]
        Ok(Value::Number(count as f64))
    }

    pub(super) async fn assign_to(&mut self, target: &Expr, value: Value) -> Ran<()> {
        self.assign(target, value).await
    }

    pub(super) fn whole_record(&self) -> String {
        self.record.clone()
    }

    /// A number from 0 up to 1 that follows from the ones before.
    pub(super) fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.random >> 33).unwrap_or(0)) / 2_147_483_648.0
    }
}

/// A number as an index or count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is out of range saturates")]
pub(super) fn size(value: f64) -> usize {
    value as usize
}

fn arithmetic(left: f64, operator: &str, right: f64) -> Ran<f64> {
    Ok(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" | "%" if right == 0.0 => return Err(not_simulated("a division by zero in awk")),
        "/" => left / right,
        "%" => left % right,
        _ => left.powf(right),
    })
}
