//! Lists, pipelines and compound commands.
//!
//! Invariant: the stages of a pipeline run at the same time, each in a subshell of its own.

use super::ast::{CaseItem, Compound, Node, Part, Redirect};
use super::expand::finished;
use super::fields;
use super::pattern::Pattern;
use super::redirect::Refusal;
use super::state::{Flow, Shell, Stop};
use crate::process::Fd;
use futures::future::{BoxFuture, try_join_all};
use std::sync::Arc;

impl Shell {
    /// Runs a command of any kind, after the actions of signals that have arrived.
    pub(super) fn node<'a>(&'a mut self, node: &'a Node) -> BoxFuture<'a, Flow> {
        Box::pin(async move {
            self.enter()?;
            self.handle_signals().await?;
            let status = self.run(node).await?;
            self.status = status;
            self.leave();
            Ok(status)
        })
    }

    async fn run(&mut self, node: &Node) -> Flow {
        match node {
            Node::List(nodes) => {
                let mut status = 0;
                for node in nodes {
                    status = self.node(node).await?;
                }
                Ok(status)
            }
            Node::And(left, right) | Node::Or(left, right) => {
                let status = self.tested(left).await?;
                let wanted = matches!(node, Node::And(..)) == (status == 0);
                if wanted { self.node(right).await } else { Ok(status) }
            }
            Node::Not(node) => Ok(u8::from(self.tested(node).await? == 0)),
            Node::Timed(_) => Err(Stop::not_simulated("time before a pipeline")),
            Node::Background(node, text) => {
                self.background(node, text).await?;
                Ok(0)
            }
            Node::Function { name, body } => {
                Arc::make_mut(&mut self.functions).insert(name.clone(), Arc::clone(body));
                Ok(0)
            }
            _ if self.options.noexec => Ok(0),
            Node::Pipeline(stages) => {
                let flow = Box::pin(self.pipeline(stages)).await;
                self.checked(flow)
            }
            Node::Simple(simple) => {
                let flow = Box::pin(self.simple(simple)).await;
                if self.is_bash()
                    && let Ok(status) = &flow
                {
                    self.pipe_status = vec![*status];
                }
                self.checked(flow)
            }
            Node::Compound { line, body, redirects } => {
                self.line = *line;
                let flow = Box::pin(self.redirected(body, redirects)).await;
                let checked = matches!(**body, Compound::Subshell(_) | Compound::Test(_) | Compound::Arithmetic(_));
                if checked || !redirects.is_empty() { self.checked(flow) } else { flow }
            }
        }
    }

    /// Ends the shell when `-e` says so.
    fn checked(&mut self, flow: Flow) -> Flow {
        let status = flow?;
        if status != 0 && self.options.errexit && self.tested == 0 {
            self.status = status;
            return Err(Stop::End(crate::process::Exit::Code(status)));
        }
        Ok(status)
    }

    /// Runs a command whose failure ends nothing.
    async fn tested(&mut self, node: &Node) -> Flow {
        self.tested += 1;
        let flow = self.node(node).await;
        self.tested -= 1;
        flow
    }

    async fn pipeline(&mut self, commands: &[Node]) -> Flow {
        let mut stages = Vec::with_capacity(commands.len());
        let mut input = None;
        for (index, command) in commands.iter().enumerate() {
            let mut stage = self.fork().await?;
            if let Some(input) = input.take() {
                stage.process.fds.insert(0, input);
            }
            if index + 1 < commands.len() {
                let (reader, writer) = Fd::pipe();
                stage.process.fds.insert(1, writer);
                input = Some(reader);
            }
            stages.push(async move {
                let flow = stage.node(command).await;
                // Dropping the stage closes its ends of the pipes, which its neighbours wait for.
                finished(stage.end(flow).await)
            });
        }
        let statuses = self.attend(try_join_all(stages.into_iter().map(Box::pin))).await??;
        self.pipe_status.clone_from(&statuses);
        let last = statuses.last().copied().unwrap_or(0);
        if self.options.pipefail {
            return Ok(statuses.iter().rev().copied().find(|status| *status != 0).unwrap_or(0));
        }
        Ok(last)
    }

    /// Runs a compound command with its redirections.
    async fn redirected(&mut self, body: &Compound, redirects: &[Redirect]) -> Flow {
        if redirects.is_empty() {
            return Box::pin(self.compound(body)).await;
        }
        let fds = match self.redirect(redirects).await {
            Ok(fds) => fds,
            Err(Refusal::Failed(status)) => return Ok(status),
            Err(Refusal::Stop(stop)) => return Err(stop),
        };
        let saved = std::mem::replace(&mut self.process.fds, fds);
        let flow = Box::pin(self.compound(body)).await;
        self.process.fds = saved;
        flow
    }

    async fn compound(&mut self, body: &Compound) -> Flow {
        if self.is_bash()
            && self.options.xtrace
            && !matches!(body, Compound::Group(_) | Compound::Subshell(_) | Compound::If { .. } | Compound::Loop { .. })
        {
            return Err(Stop::not_simulated("bash's trace of for, case, [[ and (("));
        }
        match body {
            Compound::Group(list) => self.node(list).await,
            Compound::Subshell(list) => {
                let mut sub = self.fork().await?;
                let run = async move {
                    let flow = sub.node(list).await;
                    sub.end(flow).await
                };
                finished(self.attend(run).await?)
            }
            Compound::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.tested(condition).await? == 0 {
                        return self.node(body).await;
                    }
                }
                match otherwise {
                    Some(body) => self.node(body).await,
                    None => Ok(0),
                }
            }
            Compound::For { name, words, body } => {
                let values = match words {
                    Some(words) => self.arguments(words).await?,
                    None => self.params.clone(),
                };
                let mut status = 0;
                for value in values {
                    self.set(name, value).await?;
                    if let Some(stopped) = self.iteration(body, &mut status).await? {
                        return Ok(stopped);
                    }
                }
                Ok(status)
            }
            Compound::Loop { condition, body, until } => self.repeat(condition, body, !until).await,
            Compound::Case { word, items } => {
                let value = self.single(word).await?;
                self.case(&value, items).await
            }
            Compound::Arithmetic(parts) => Ok(u8::from(self.arithmetic(parts).await? == 0)),
            Compound::ArithmeticFor { start, condition, step, body } => {
                self.arithmetic(start).await?;
                let mut status = 0;
                while condition.is_empty() || self.arithmetic(condition).await? != 0 {
                    if let Some(stopped) = self.iteration(body, &mut status).await? {
                        return Ok(stopped);
                    }
                    self.arithmetic(step).await?;
                }
                Ok(status)
            }
            Compound::Test(test) => self.conditional(test).await,
        }
    }

    async fn arithmetic(&mut self, parts: &[Part]) -> Result<i64, Stop> {
        let text = self.text(parts).await?;
        self.evaluate(&text).await
    }

    async fn case(&mut self, value: &str, items: &[CaseItem]) -> Flow {
        let mut falls = false;
        let mut status = 0;
        for item in items {
            if !falls && !self.matches(value, item).await? {
                continue;
            }
            status = match &item.body {
                Some(body) => self.node(body).await?,
                None => 0,
            };
            falls = item.falls_through;
            if !falls {
                return Ok(status);
            }
        }
        Ok(status)
    }

    async fn matches(&mut self, value: &str, item: &CaseItem) -> Result<bool, Stop> {
        for pattern in &item.patterns {
            let field = self.single_field(pattern).await?;
            if Pattern::new(&fields::chars(&field)).matches(value) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn repeat(&mut self, condition: &Node, body: &Node, wanted: bool) -> Flow {
        let mut status = 0;
        loop {
            self.breathe().await;
            self.loops += 1;
            let depth = self.depth;
            let (loops, tested) = (self.loops, self.tested);
            let flow = self.tested(condition).await;
            (self.loops, self.tested, self.depth) = (loops - 1, tested, depth);
            match flow {
                Ok(code) if (code == 0) != wanted => return Ok(status),
                Ok(_) => {}
                Err(Stop::Break(1)) => return Ok(0),
                Err(Stop::Break(levels)) => return Err(Stop::Break(levels - 1)),
                Err(Stop::Continue(1)) => continue,
                Err(Stop::Continue(levels)) => return Err(Stop::Continue(levels - 1)),
                Err(stop) => return Err(stop),
            }
            if let Some(stopped) = self.iteration(body, &mut status).await? {
                return Ok(stopped);
            }
        }
    }

    /// Runs a loop's body once. A status means that the loop is over.
    async fn iteration(&mut self, body: &Node, status: &mut u8) -> Result<Option<u8>, Stop> {
        self.breathe().await;
        self.loops += 1;
        let (depth, loops, tested) = (self.depth, self.loops, self.tested);
        let flow = self.node(body).await;
        // Leaving early skips what the levels in between would have put back.
        (self.depth, self.loops, self.tested) = (depth, loops - 1, tested);
        match flow {
            Ok(code) => *status = code,
            Err(Stop::Break(1)) => return Ok(Some(0)),
            Err(Stop::Break(levels)) => return Err(Stop::Break(levels - 1)),
            Err(Stop::Continue(1)) => *status = 0,
            Err(Stop::Continue(levels)) => return Err(Stop::Continue(levels - 1)),
            Err(stop) => return Err(stop),
        }
        Ok(None)
    }
}
