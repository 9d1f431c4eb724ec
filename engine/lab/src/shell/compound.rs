//! Lists, pipelines and compound commands.
//!
//! Invariant: the stages of a pipeline run at the same time, each in a subshell of its own.

use super::expand::finished;
use super::fields;
use super::pattern::Pattern;
use super::redirect::Refusal;
use super::state::{Flow, Job, Shell, Stop};
use crate::process::{Exit, Fd};
use brush_parser::ast::{
    AndOr, AndOrList, Command, CompoundCommand, CompoundList, DoGroupCommand, IoRedirect, Pipeline, RedirectList,
    SeparatorOperator,
};
use futures::future::{BoxFuture, try_join_all};
use std::sync::Arc;

impl Shell {
    pub(super) fn list<'a>(&'a mut self, list: &'a CompoundList) -> BoxFuture<'a, Flow> {
        Box::pin(async move {
            self.enter()?;
            for item in &list.0 {
                self.status = match item.1 {
                    SeparatorOperator::Async => self.background(&item.0),
                    SeparatorOperator::Sequence => self.and_or(&item.0).await?,
                };
            }
            self.leave();
            Ok(self.status)
        })
    }

    async fn and_or(&mut self, list: &AndOrList) -> Flow {
        let last = list.additional.len();
        let mut status = self.tested_unless(last == 0, &list.first).await?;
        for (index, next) in list.additional.iter().enumerate() {
            let (wanted, pipeline) = match next {
                AndOr::And(pipeline) => (status == 0, pipeline),
                AndOr::Or(pipeline) => (status != 0, pipeline),
            };
            if wanted {
                status = self.tested_unless(index + 1 == last, pipeline).await?;
            }
        }
        Ok(status)
    }

    /// Runs a pipeline; unless it is the last of its list, its failure is tested and ends nothing.
    async fn tested_unless(&mut self, last: bool, pipeline: &Pipeline) -> Flow {
        let tested = !last || pipeline.bang;
        self.tested += usize::from(tested);
        let flow = self.pipeline(pipeline).await;
        self.tested -= usize::from(tested);
        let status = flow?;
        self.status = if pipeline.bang { u8::from(status == 0) } else { status };
        if self.status != 0 && self.options.errexit && self.tested == 0 && !tested {
            return Err(Stop::End(Exit::Code(self.status)));
        }
        Ok(self.status)
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Flow {
        if pipeline.timed.is_some() {
            return Err(Stop::not_simulated("time before a pipeline"));
        }
        if let [only] = pipeline.seq.as_slice() {
            return self.command(only).await;
        }
        let mut stages = Vec::with_capacity(pipeline.seq.len());
        let mut input = None;
        for (index, command) in pipeline.seq.iter().enumerate() {
            let mut stage = self.fork();
            if let Some(input) = input.take() {
                stage.process.fds.insert(0, input);
            }
            if index + 1 < pipeline.seq.len() {
                let (reader, writer) = Fd::pipe();
                stage.process.fds.insert(1, writer);
                input = Some(reader);
            }
            stages.push(async move {
                let flow = stage.command(command).await;
                // Dropping the stage closes its ends of the pipes, which its neighbours wait for.
                finished(stage.end(flow).await)
            });
        }
        let statuses = try_join_all(stages.into_iter().map(Box::pin)).await?;
        let last = statuses.last().copied().unwrap_or(0);
        if self.options.pipefail {
            return Ok(statuses.iter().rev().copied().find(|status| *status != 0).unwrap_or(0));
        }
        Ok(last)
    }

    fn command<'a>(&'a mut self, command: &'a Command) -> BoxFuture<'a, Flow> {
        Box::pin(async move {
            match command {
                Command::Simple(command) if self.options.noexec => {
                    let _ = command;
                    Ok(0)
                }
                Command::Simple(command) => self.simple(command).await,
                Command::Compound(command, redirects) => self.compound(command, redirects.as_ref()).await,
                Command::Function(definition) => {
                    let body = Arc::new(definition.body.clone());
                    self.functions.insert(definition.fname.value.clone(), body);
                    Ok(0)
                }
                Command::ExtendedTest(..) => Err(Stop::not_simulated("[[ ]] in a shell script")),
            }
        })
    }

    /// Runs a compound command with its redirections.
    pub(super) async fn compound(&mut self, command: &CompoundCommand, redirects: Option<&RedirectList>) -> Flow {
        let redirects: Vec<&IoRedirect> = redirects.iter().flat_map(|list| &list.0).collect();
        if redirects.is_empty() {
            return self.compound_body(command).await;
        }
        let fds = match self.redirect(&redirects).await {
            Ok(fds) => fds,
            Err(Refusal::Failed(status)) => return Ok(status),
            Err(Refusal::Stop(stop)) => return Err(stop),
        };
        let saved = std::mem::replace(&mut self.process.fds, fds);
        let flow = self.compound_body(command).await;
        self.process.fds = saved;
        flow
    }

    async fn compound_body(&mut self, command: &CompoundCommand) -> Flow {
        match command {
            CompoundCommand::BraceGroup(group) => self.list(&group.list).await,
            CompoundCommand::Subshell(subshell) => {
                let mut sub = self.fork();
                let flow = sub.list(&subshell.list).await;
                finished(sub.end(flow).await)
            }
            CompoundCommand::IfClause(clause) => {
                if self.condition(&clause.condition).await? == 0 {
                    return self.list(&clause.then).await;
                }
                for branch in clause.elses.iter().flatten() {
                    let taken = match &branch.condition {
                        Some(condition) => self.condition(condition).await? == 0,
                        None => true,
                    };
                    if taken {
                        return self.list(&branch.body).await;
                    }
                }
                Ok(0)
            }
            CompoundCommand::ForClause(clause) => {
                let values = match &clause.values {
                    Some(words) => self.arguments(&words.iter().collect::<Vec<_>>()).await?,
                    None => self.params.clone(),
                };
                let mut status = 0;
                for value in values {
                    self.set(&clause.variable_name, value).await?;
                    if let Some(stopped) = self.iteration(&clause.body, &mut status).await? {
                        return Ok(stopped);
                    }
                }
                Ok(status)
            }
            CompoundCommand::WhileClause(clause) => self.repeat(&clause.0, &clause.1, true).await,
            CompoundCommand::UntilClause(clause) => self.repeat(&clause.0, &clause.1, false).await,
            CompoundCommand::CaseClause(clause) => {
                let value = self.single(&clause.value.value).await?;
                for item in &clause.cases {
                    for pattern in &item.patterns {
                        let field = self.single_field(&pattern.value).await?;
                        if Pattern::new(&fields::chars(&field)).matches(&value) {
                            return match &item.cmd {
                                Some(list) => self.list(list).await,
                                None => Ok(0),
                            };
                        }
                    }
                }
                Ok(0)
            }
            CompoundCommand::Arithmetic(_) | CompoundCommand::ArithmeticForClause(_) => {
                Err(Stop::not_simulated("(( )) in a shell script"))
            }
            CompoundCommand::Coprocess(_) => Err(Stop::not_simulated("coproc in a shell script")),
        }
    }

    async fn condition(&mut self, list: &CompoundList) -> Flow {
        self.tested += 1;
        let flow = self.list(list).await;
        self.tested -= 1;
        flow
    }

    async fn repeat(&mut self, condition: &CompoundList, body: &DoGroupCommand, wanted: bool) -> Flow {
        let mut status = 0;
        loop {
            self.breathe().await;
            self.loops += 1;
            let flow = self.condition(condition).await;
            self.loops -= 1;
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
    async fn iteration(&mut self, body: &DoGroupCommand, status: &mut u8) -> Result<Option<u8>, Stop> {
        self.breathe().await;
        self.loops += 1;
        let depth = self.depth;
        let flow = self.list(&body.list).await;
        self.depth = depth;
        self.loops -= 1;
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

    /// Starts a list that nobody waits for.
    fn background(&mut self, list: &AndOrList) -> u8 {
        let mut sub = self.fork();
        let list = list.clone();
        // Without job control a background command reads nothing.
        sub.process.fds.insert(0, Fd::null());
        sub.process.pid = self.process.child(Vec::new()).pid;
        sub.process.parent = self.process.pid;
        let pid = sub.process.pid;
        let supervisor = crate::process::Process { fds: std::collections::BTreeMap::new(), ..sub.process.clone() };
        let task = tokio::spawn(supervisor.supervise(async move {
            let flow = sub.and_or(&list).await;
            sub.end(flow).await
        }));
        self.jobs.push(Job { pid, task });
        self.last_job = Some(pid);
        0
    }
}
