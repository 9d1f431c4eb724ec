//! The arguments of a call, read as kubectl's flag parser reads them.

use super::flags::{Takes, flag, subcommand};
use super::kinds::{Kind, kind};
use crate::shell::{Part, Word};

/// A call of `kubectl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Such as `rollout status`.
    pub(crate) subcommand: &'static str,
    /// Flags by their long names, with their values, in order.
    flags: Vec<(&'static str, Word)>,
    /// What is no flag, without the subcommand.
    pub(crate) args: Vec<Word>,
    /// What stands behind `--`.
    pub(crate) after: Option<Vec<Word>>,
}

/// Reads the words behind `kubectl`.
pub(crate) fn call(words: &[Word]) -> Result<Call, String> {
    // Global flags may stand before the subcommand, which decides what the others mean.
    let names: Vec<&str> = plain_words(words);
    let Some(subcommand) = subcommand(&names) else {
        return Err(match names.first() {
            Some(name) => format!("`kubectl {name}` is not read"),
            None => "it names no subcommand of kubectl".to_owned(),
        });
    };
    let mut call = Call { subcommand, flags: Vec::new(), args: Vec::new(), after: None };
    let mut rest = words.iter();
    let mut parts = subcommand.split(' ').peekable();
    while let Some(word) = rest.next() {
        let lead = word.lead();
        if word.literal() == Some("--") {
            call.after = Some(rest.cloned().collect());
            break;
        }
        if parts.peek().is_some_and(|part| word.literal() == Some(part)) {
            parts.next();
        } else if let Some(long) = lead.strip_prefix("--") {
            call.long(long, word, &mut rest)?;
        } else if lead.len() > 1 && lead.starts_with('-') {
            call.short(word, &mut rest)?;
        } else {
            call.args.push(word.clone());
            // An old form without `--`: what follows the pod's name is the program.
            if subcommand == "exec" && call.args.len() == 2 {
                let program = call.args.pop().into_iter().chain(rest.by_ref().cloned());
                call.after = Some(program.filter(|word| word.literal() != Some("--")).collect());
                break;
            }
        }
    }
    Ok(call)
}

/// The words that are neither flags nor values of the global ones that may stand before a subcommand.
fn plain_words(words: &[Word]) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some(text) = word.literal() else {
            if word.lead().starts_with('-') {
                continue;
            }
            break;
        };
        if text == "--" {
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            if !long.contains('=') && matches!(flag("", long, false), Some((_, Takes::Value))) {
                rest.next();
            }
        } else if text.starts_with('-') && text.len() == 2 {
            if matches!(flag("", &text[1..], true), Some((_, Takes::Value))) {
                rest.next();
            }
        } else if !text.starts_with('-') {
            found.push(text);
        }
    }
    found
}

impl Call {
    fn long<'w>(&mut self, long: &str, word: &Word, rest: &mut impl Iterator<Item = &'w Word>) -> Result<(), String> {
        let (name, joined) = match long.split_once('=') {
            Some((name, _)) => (name, Some(word.without_lead(name.len() + 3))),
            None => (long, None),
        };
        let Some((name, takes)) = flag(self.subcommand, name, false) else {
            return Err(format!("kubectl {} has no flag `--{name}` that is known here", self.subcommand));
        };
        let value = match (takes, joined) {
            (_, Some(value)) => value,
            (Takes::Value, None) => rest.next().ok_or_else(|| format!("`--{name}` lacks its value"))?.clone(),
            (Takes::Nothing | Takes::Joined, None) => Word::text("true"),
        };
        self.flags.push((name, value));
        Ok(())
    }

    fn short<'w>(&mut self, word: &Word, rest: &mut impl Iterator<Item = &'w Word>) -> Result<(), String> {
        let lead = word.lead();
        for (at, letter) in lead.char_indices().skip(1) {
            let Some((name, takes)) = flag(self.subcommand, &letter.to_string(), true) else {
                return Err(format!("kubectl {} has no flag `-{letter}` that is known here", self.subcommand));
            };
            if takes != Takes::Value {
                self.flags.push((name, Word::text("true")));
                continue;
            }
            let from = at + letter.len_utf8();
            let is_last = from == lead.len() && word.parts.len() == 1;
            let value = if is_last {
                rest.next().ok_or_else(|| format!("`-{letter}` lacks its value"))?.clone()
            } else {
                word.without_lead(from + usize::from(lead[from..].starts_with('=')))
            };
            self.flags.push((name, value));
            break;
        }
        Ok(())
    }

    /// The last value of a flag.
    pub(crate) fn flag(&self, name: &str) -> Option<&Word> {
        self.flags.iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// All values of a flag.
    pub(crate) fn all<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Word> {
        self.flags.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value)
    }

    /// Whether a flag is set.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.flag(name).is_some_and(|value| value.literal() != Some("false"))
    }

    /// The objects that the arguments name: `TYPE NAME…`, `TYPE/NAME…`, or `TYPE` with a selector.
    pub(crate) fn objects(&self) -> Result<Vec<(Kind, Option<Word>)>, String> {
        let Some(first) = self.args.first() else { return Err("it names no object".to_owned()) };
        if first.lead().contains('/') {
            return self.args.iter().filter(|arg| is_object(arg)).map(slashed).collect();
        }
        let Some(name) = first.literal() else { return Err("the kind of object is not written out".to_owned()) };
        if name.contains(',') {
            return Err("it names several kinds at once".to_owned());
        }
        let kind = kind(name).ok_or_else(|| format!("there is no kind `{name}` that is known here"))?;
        let names: Vec<Word> = self.args[1..].iter().filter(|arg| is_object(arg)).cloned().collect();
        if names.is_empty() {
            return Ok(vec![(kind, None)]);
        }
        Ok(names.into_iter().map(|name| (kind.clone(), Some(name))).collect())
    }
}

/// Whether an argument is no `key=value` and no `key-`, as `label` and `annotate` take them.
fn is_object(arg: &Word) -> bool {
    let lead = arg.lead();
    let removes = lead.ends_with('-') && arg.parts.len() == 1;
    !lead.contains('=') && !removes
}

fn slashed(arg: &Word) -> Result<(Kind, Option<Word>), String> {
    let lead = arg.lead();
    let Some((name, _)) = lead.split_once('/') else { return Err(format!("`{}` names no object", arg.raw)) };
    let found = kind(name).ok_or_else(|| format!("there is no kind `{name}` that is known here"))?;
    let rest = arg.without_lead(name.len() + 1);
    if rest.parts == [Part::Text(String::new())] {
        return Err(format!("`{}` names no object", arg.raw));
    }
    Ok((found, Some(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Command, chunks, parse};

    fn read(line: &str) -> Result<Call, String> {
        let mut commands = parse(&chunks(line).remove(0)).expect("a command");
        let Command::Pipeline(pipeline) = commands.remove(0) else { panic!("a pipeline") };
        call(&pipeline.stages[0].words[1..])
    }

    fn flags(call: &Call) -> Vec<String> {
        call.flags.iter().map(|(name, value)| format!("{name}={}", value.literal().unwrap_or("?"))).collect()
    }

    #[test]
    fn flags_are_read_in_every_notation() {
        let found = read("kubectl -n a exec -it pod/x -cmain --namespace=b -- sh -c 'x -n y'").expect("a call");
        assert_eq!(found.subcommand, "exec");
        assert_eq!(flags(&found), ["namespace=a", "stdin=true", "tty=true", "container=main", "namespace=b"]);
        assert_eq!(found.flag("namespace").and_then(Word::literal), Some("b"));
        assert_eq!(found.after.expect("a program").len(), 3);
        let found = read("kubectl get pod -n=$NS -lapp=$APP --output jsonpath={.x}").expect("a call");
        assert_eq!(found.flag("namespace").and_then(Word::variable), Some("NS"));
        assert_eq!(found.flag("selector").expect("given").parts[0], Part::Text("app=".to_owned()));
        assert_eq!(found.flag("output").and_then(Word::literal), Some("jsonpath={.x}"));
    }

    #[test]
    fn objects_are_named_in_every_form() {
        let names = |line: &str| -> Vec<String> {
            let objects = read(line).expect("a call").objects().expect("objects");
            objects
                .into_iter()
                .map(|(kind, name)| {
                    format!(
                        "{} {}",
                        kind.name,
                        name.map_or("-".to_owned(), |name| name.literal().unwrap_or("?").to_owned())
                    )
                })
                .collect()
        };
        assert_eq!(names("kubectl delete deploy a b"), ["Deployment a", "Deployment b"]);
        assert_eq!(names("kubectl delete svc/a deployment.apps/b"), ["Service a", "Deployment b"]);
        assert_eq!(names("kubectl get se -l x=y"), ["ServiceEntry -"]);
        assert_eq!(names("kubectl label ns default istio-injection=enabled old-"), ["Namespace default"]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(read("kubectl exec --nope x -- y").expect_err("unknown").contains("--nope"));
        assert!(read("kubectl krew install").expect_err("unknown").contains("kubectl krew"));
        assert!(read("kubectl apply -f").expect_err("no value").contains("lacks its value"));
    }
}
