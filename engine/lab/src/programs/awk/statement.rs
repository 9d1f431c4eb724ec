//! awk's statements, its own functions' calls and `getline`.
//!
//! Invariant: a loop without end lets time pass.

use super::eval::{Frame, Leave, Machine, Ran, not_simulated};
use super::parser::{Expr, Function, Statement};
use super::value::Value;
use futures::future::BoxFuture;

impl Machine<'_> {
    pub(super) fn statement<'b>(&'b mut self, statement: &'b Statement) -> BoxFuture<'b, Ran<()>> {
        Box::pin(async move {
            self.breathe().await;
            match statement {
                Statement::Block(statements) => {
                    for statement in statements {
                        self.statement(statement).await?;
                    }
                }
                Statement::Expr(expr) => {
                    self.value(expr).await?;
                }
                Statement::Print { args, formatted, to } => self.print(args, *formatted, to.as_ref()).await?,
                Statement::If(condition, then, otherwise) => {
                    if self.condition(condition).await? {
                        self.statement(then).await?;
                    } else if let Some(otherwise) = otherwise {
                        self.statement(otherwise).await?;
                    }
                }
                Statement::While(condition, body) => {
                    while self.condition(condition).await? {
                        if self.iteration(body).await? {
                            break;
                        }
                    }
                }
                Statement::Do(body, condition) => loop {
                    if self.iteration(body).await? || !self.condition(condition).await? {
                        break;
                    }
                },
                Statement::For(start, condition, step, body) => {
                    if let Some(start) = start {
                        self.statement(start).await?;
                    }
                    loop {
                        if let Some(condition) = condition
                            && !self.condition(condition).await?
                        {
                            break;
                        }
                        if self.iteration(body).await? {
                            break;
                        }
                        if let Some(step) = step {
                            self.statement(step).await?;
                        }
                    }
                }
                Statement::ForIn(name, array, body) => {
                    let keys: Vec<String> = self.array(array).keys().cloned().collect();
                    for key in keys {
                        self.assign_var(name, Value::Input(key))?;
                        if self.iteration(body).await? {
                            break;
                        }
                    }
                }
                Statement::Next => return Err(Leave::Next),
                Statement::Break => return Err(Leave::Break),
                Statement::Continue => return Err(Leave::Continue),
                Statement::Exit(value) => {
                    let code = match value {
                        Some(value) => self.value(value).await?.number(),
                        None => 0.0,
                    };
                    #[expect(clippy::cast_possible_truncation, reason = "a status is the low byte")]
                    return Err(Leave::Exit((code as i64 & 0xff) as u8));
                }
                Statement::Return(value) => {
                    let value = match value {
                        Some(value) => self.value(value).await?,
                        None => Value::Unset,
                    };
                    return Err(Leave::Return(value));
                }
                Statement::Delete(name, None) => {
                    let count = self.array(name).len();
                    self.array(name).clear();
                    self.elements -= count.min(self.elements);
                }
                Statement::Delete(name, Some(index)) => {
                    let key = self.key(index).await?;
                    if self.array(name).remove(&key).is_some() {
                        self.elements = self.elements.saturating_sub(1);
                    }
                }
            }
            Ok(())
        })
    }

    /// Runs a loop's body; true when the loop is left.
    pub(super) async fn iteration(&mut self, body: &Statement) -> Ran<bool> {
        self.breathe().await;
        match self.statement(body).await {
            Ok(()) | Err(Leave::Continue) => Ok(false),
            Err(Leave::Break) => Ok(true),
            Err(leave) => Err(leave),
        }
    }

    pub(super) async fn print(&mut self, args: &[Expr], formatted: bool, to: Option<&(&'static str, Expr)>) -> Ran<()> {
        let mut values = Vec::new();
        for arg in args {
            values.push(self.value(arg).await?);
        }
        let line = if formatted {
            let Some((format, values)) = values.split_first() else {
                return Err(not_simulated("awk's printf without a format"));
            };
            super::format::format(&format.text(), values)?
        } else if values.is_empty() {
            self.record.clone() + &self.global("ORS")
        } else {
            let texts: Vec<String> = values.iter().map(Value::text).collect();
            texts.join(&self.global("OFS")) + &self.global("ORS")
        };
        match to {
            None => self.io.print(line.into_bytes()).await?,
            Some((operator, target)) => {
                let target = self.value(target).await?.text();
                self.io.print_to(self.process, operator, &target, line.as_bytes()).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn own(&mut self, name: &str, args: &[Expr]) -> Ran<Value> {
        let program = self.program;
        let Some(Function { params, body }) = program.functions.get(name) else {
            return Err(not_simulated(format!("the function {name} of awk")));
        };
        if args.len() > params.len() {
            return Err(not_simulated("a call with too many arguments in awk"));
        }
        let mut frame = Frame::default();
        for (index, param) in params.iter().enumerate() {
            match args.get(index) {
                Some(Expr::Var(name)) if self.is_array(name) => {
                    frame.arrays.insert(param.clone(), self.array_name(name));
                }
                Some(arg) => {
                    let value = self.value(arg).await?;
                    if let (Expr::Var(name), Value::Unset) = (arg, &value) {
                        // It may become an array of the caller's.
                        frame.arrays.insert(param.clone(), self.array_name(name));
                    }
                    frame.values.insert(param.clone(), value);
                }
                None => {
                    self.locals += 1;
                    frame.arrays.insert(param.clone(), format!("{param} {}", self.locals));
                    frame.values.insert(param.clone(), Value::Unset);
                }
            }
        }
        self.frames.push(frame);
        let outcome = self.statement(body).await;
        if let Some(frame) = self.frames.pop() {
            // Local arrays end with the call.
            for name in frame.arrays.values().filter(|name| name.contains(' ')) {
                if let Some(array) = self.arrays.remove(name) {
                    self.elements = self.elements.saturating_sub(array.len());
                }
            }
        }
        match outcome {
            Ok(()) => Ok(Value::Unset),
            Err(Leave::Return(value)) => Ok(value),
            Err(leave) => Err(leave),
        }
    }

    pub(super) fn is_array(&self, name: &str) -> bool {
        self.arrays.contains_key(&self.array_name(name))
    }

    pub(super) async fn getline(
        &mut self,
        command: Option<&Expr>,
        file: Option<&Expr>,
        var: Option<&Expr>,
    ) -> Ran<Value> {
        let separator = self.global("RS");
        let (record, main) = match (command, file) {
            (Some(command), _) => {
                let command = self.value(command).await?.text();
                (self.io.command_record(self.process, &command, &separator).await?, false)
            }
            (None, Some(file)) => {
                let file = self.value(file).await?.text();
                (self.io.file_record(self.process, &file, &separator).await?, false)
            }
            (None, None) if var.is_none() => return Ok(Value::Number(f64::from(u8::from(self.next_record().await?)))),
            (None, None) => {
                let next = self.io.main_record(self.process, &separator, &mut self.globals).await?;
                (Ok(next.map(|(record, _, _)| record)), true)
            }
        };
        let record = match record {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Value::Number(0.0)),
            Err(()) => return Ok(Value::Number(-1.0)),
        };
        if main {
            self.count("NR");
            self.count("FNR");
        }
        match var {
            Some(var) => self.assign(var, Value::Input(record)).await?,
            None => {
                self.set_record(record)?;
                if command.is_some() {
                    self.count("NR");
                }
            }
        }
        Ok(Value::Number(1.0))
    }
}
