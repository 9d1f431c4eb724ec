//! `awk`: patterns, actions, arrays, functions.
//!
//! Invariant: a program that it cannot read, or that asks for more than POSIX has, ends as not simulated.

mod eval;
mod expression;
mod format;
mod functions;
mod io;
mod lexer;
mod parser;
mod statement;
mod value;

use crate::process::{Exit, Process};
use eval::{Leave, Machine};
use value::Value;

/// `awk [-F SEPARATOR] [-v NAME=VALUE] [-f FILE | PROGRAM] [OPERAND...]`
pub(super) async fn main(process: Process) -> Exit {
    match run(&process).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn run(process: &Process) -> Result<Exit, Exit> {
    let opts = super::opts::Opts::parse(process, "+F:v:f:", &[])?;
    let mut operands = opts.operands.clone();
    let mut source = String::new();
    for file in opts.values('f') {
        source.push_str(&String::from_utf8_lossy(&process.read_whole(file).await?));
        source.push('\n');
    }
    if source.is_empty() {
        if operands.is_empty() {
            return Err(Exit::not_simulated("the usage text of awk"));
        }
        source = operands.remove(0);
    }
    let program = parser::parse(&source).map_err(Exit::NotSimulated)?;
    let mut machine = Machine::new(process, &program);
    if let Some(separator) = opts.value('F') {
        let separator = if separator == "t" { "\t".to_owned() } else { lexer::unescape(separator) };
        machine.globals.insert("FS".to_owned(), Value::Text(separator));
    }
    for given in opts.values('v') {
        let Some((name, value)) = io::assignment(given) else {
            return Err(Exit::not_simulated(format!("awk -v {given}")));
        };
        machine.globals.insert(name.to_owned(), Value::Input(lexer::unescape(value)));
    }
    let args: Vec<String> = ["awk".to_owned()].into_iter().chain(operands.iter().cloned()).collect();
    #[expect(clippy::cast_precision_loss, reason = "far fewer arguments than a float counts exactly")]
    machine.globals.insert("ARGC".to_owned(), Value::Number(args.len() as f64));
    for (index, arg) in args.into_iter().enumerate() {
        if let Err(Leave::End(exit)) = machine.put("ARGV", index.to_string(), Value::Input(arg)) {
            return Err(exit);
        }
    }
    match machine.run(operands).await {
        Ok(code) => Ok(Exit::Code(code)),
        Err(Leave::End(exit)) => {
            // What was printed before is printed.
            if let Err(Leave::End(early)) = machine.io.flush().await {
                return Err(early);
            }
            Err(exit)
        }
        Err(_) => Err(Exit::not_simulated("an awk statement where it has no meaning")),
    }
}
