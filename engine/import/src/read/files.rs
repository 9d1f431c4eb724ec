//! Files that a page writes, and text that goes into a command by a pipe.

use super::{Context, Read, Reader};
use crate::kubectl;
use crate::shell::{Part, Redirect, Simple, Word};

impl Reader {
    /// `cat`, `tee`, `echo`, `envsubst`: a file is written, or a manifest is handed on.
    pub(super) fn text_program(&mut self, first: &Simple, rest: &[Simple], at: &Context<'_>) -> Read {
        let program = first.words.first().and_then(Word::literal).unwrap_or_default();
        let args: Vec<&Word> = first.words[1..].iter().filter(|word| !word.lead().starts_with('-')).collect();
        let here = first.redirects.iter().find_map(|redirect| match redirect {
            Redirect::Here(text, expands) => Some((text.clone(), *expands)),
            _ => None,
        });
        let out = first.redirects.iter().find_map(|redirect| match redirect {
            Redirect::Out(path) => Some(path.clone()),
            _ => None,
        });
        if let Some(last) = rest.last()
            && last.words.first().and_then(Word::literal) == Some("kubectl")
        {
            if rest.len() > 1 {
                return Err("what a filter makes of the manifest cannot be read".to_owned());
            }
            let call = kubectl::call(&last.words[1..])?;
            let mut with = last.clone();
            match (&here, program) {
                (Some((text, expands)), _) => with.redirects.push(Redirect::Here(text.clone(), *expands)),
                (None, "echo" | "printf") if args.len() == 1 => {
                    with.redirects.push(Redirect::Here(args[0].clone(), true));
                }
                (None, "cat") if args.len() == 1 => return self.apply_files(&call, &[args[0].clone()], at),
                _ => return Err("what goes into `kubectl` cannot be read".to_owned()),
            }
            return self.kubectl_with(&call, &with, at);
        }
        let piped = rest.first().filter(|stage| stage.words.first().and_then(Word::literal) == Some("tee"));
        let path = match (&out, piped, program) {
            (Some(path), ..) => Some(path.clone()),
            (None, Some(tee), _) => tee.words[1..].iter().find(|word| !word.lead().starts_with('-')).cloned(),
            (None, None, "tee") => args.first().map(|word| (*word).clone()),
            _ => None,
        };
        match (path, here, program) {
            (Some(path), Some((text, expands)), _) => self.write_file(&path, &text, expands, at),
            (Some(path), None, "echo") if args.len() == 1 => {
                let mut text = args[0].clone();
                text.parts.push(Part::Text("\n".to_owned()));
                self.write_file(&path, &text, true, at)
            }
            (None, None, "cat") => Err("it shows a file of the reader's machine".to_owned()),
            (None, _, _) => Ok(Vec::new()),
            _ => Err("what it writes into the file cannot be read".to_owned()),
        }
    }

    fn kubectl_with(&mut self, call: &kubectl::Call, simple: &Simple, at: &Context<'_>) -> Read {
        match call.subcommand {
            "apply" | "create" | "replace" => self.apply(call, simple, &[], at),
            "delete" => self.delete(call, simple, at),
            other => Err(format!("`kubectl {other}` does not take a manifest")),
        }
    }

    fn write_file(&mut self, path: &Word, text: &Word, expands: bool, at: &Context<'_>) -> Read {
        let Some(path) = path.literal() else { return Err("the name of the file is not written out".to_owned()) };
        if path == "/dev/null" {
            return Ok(Vec::new());
        }
        let path = beside(path)?;
        let has_values = expands && text.literal().is_none();
        // Without values the text is put down as it is, and no brace in it means anything.
        let content = match text.literal() {
            Some(text) if !has_values => text.to_owned(),
            _ => self.template(text, at)?,
        };
        self.files.insert(path.clone(), has_values);
        self.draft.files.insert(path, content);
        Ok(Vec::new())
    }
}

/// A path beside the runbook.
pub(super) fn beside(path: &str) -> Result<String, String> {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    let climbs = path.split('/').any(|part| part == ".." || part == ".");
    let odd = path.is_empty() || path.len() > 200 || path.contains(['\\', '\0', '\n']) || path.ends_with('/');
    if climbs || odd || path.eq_ignore_ascii_case("runbook.yaml") {
        return Err("the file cannot lie beside the runbook".to_owned());
    }
    Ok(path.to_owned())
}
