//! `get` and `capture`: values of objects in shell variables.

use indexmap::IndexMap;
use periplus_core::model::verb::Get;
use periplus_core::model::{Capture, CaptureFrom, ObjectRef, Step, Text, Which};

use super::functions::Function;
use super::layout::{Block, Command};
use super::names::variable;
use super::scribe::Scribe;

impl Scribe<'_> {
    /// The block of a `get`.
    pub(super) fn get(&self, step: &Step, get: &Get) -> Block {
        let mut block = Block::default();
        if step.capture.is_empty() {
            let format = get.yaml_in.as_ref().map_or_else(|| "-o yaml".to_owned(), |pointer| self.pointed(pointer));
            block.pipeline("", &[self.kubectl("get", &get.object).arg(format)], "");
            return block;
        }
        if get.yaml_in.is_some() {
            self.call(Function::YamlAt);
        }
        self.capture_from_object(&mut block, &step.capture, &get.object, get.yaml_in.as_ref());
        let words: Vec<String> = step
            .capture
            .keys()
            .map(|name| {
                let variable = variable(name);
                format!("\"{name}=${variable}\"")
            })
            .collect();
        block.pipeline("", &[Command::new("echo").args(words)], "");
        block
    }

    /// `export` lines for what is captured from an object.
    pub(super) fn capture_from_object(
        &self,
        block: &mut Block,
        captures: &IndexMap<String, Capture>,
        object: &ObjectRef,
        yaml_in: Option<&Text>,
    ) {
        let items = if matches!(object.which, Which::Selector(_)) { ".items[0]" } else { "" };
        for (name, capture) in captures {
            let CaptureFrom::Path(path) = &capture.from else { continue };
            let variable = variable(name);
            let get = self.kubectl("get", object);
            let stages = match yaml_in {
                None => vec![get.arg(self.jsonpath(path, items))],
                Some(pointer) => {
                    let path = self.jsonpath(path, ".held");
                    vec![
                        get.arg(self.pointed(pointer)),
                        Command::new(format!("yaml_at {}", path.trim_start_matches("-o jsonpath="))),
                    ]
                }
            };
            block.pipeline(&format!("export {variable}=$("), &stages, ")");
            self.default_of(block, &variable, capture);
        }
    }
}
