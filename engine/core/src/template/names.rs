//! The names in a template, found by walking Handlebars' tree.
//!
//! The walk also sends every value through the helper that writes it as its place asks for, refuses what runbooks do
//! without (partials, decorators, paths that leave the values), and makes a bare name inside `each` and `with` mean what
//! it means outside.

use std::ops::{Range, RangeInclusive};

use handlebars::template::{BlockParam, HelperTemplate, Parameter, Subexpression, TemplateElement};

use super::helpers::{self, HELPERS, Kind};
use super::parse::{Flavour, Problem, Reference, Slot};
use super::script::Script;
use super::tags::{Tag, TagKind};
use super::word::Unsafe;
use crate::codes::Code;
use crate::diag::nearest;

/// What a walk has found.
#[derive(Default)]
pub(super) struct Names {
    pub slots: Vec<Slot>,
    pub references: Vec<Reference>,
    pub raw_in_shell: Vec<Range<usize>>,
    pub problems: Vec<Problem>,
}

impl Names {
    /// Walks a template and rewrites it.
    pub(super) fn read(
        raw: &str,
        flavour: Flavour,
        tags: &[Tag],
        shell: Script,
        body: &mut handlebars::Template,
    ) -> Self {
        let mut reader = Reader {
            raw,
            flavour,
            values: tags.iter().filter(|tag| matches!(tag.kind, TagKind::Value { .. })).collect(),
            blocks: tags.iter().filter(|tag| is_block(tag.kind)).collect(),
            shell: &shell.slots,
            next_value: 0,
            next_block: 0,
            locals: Vec::new(),
            in_block: 0,
            found: Self { problems: shell.problems, ..Self::default() },
        };
        reader.template(body);
        reader.found
    }
}

const fn is_block(kind: TagKind) -> bool {
    matches!(kind, TagKind::Open | TagKind::Else { chained: true })
}

struct Reader<'a> {
    raw: &'a str,
    flavour: Flavour,
    values: Vec<&'a Tag>,
    blocks: Vec<&'a Tag>,
    shell: &'a [Result<(), Unsafe>],
    next_value: usize,
    next_block: usize,
    /// Names that blocks give to their items.
    locals: Vec<String>,
    /// How many `each` and `with` are around.
    in_block: usize,
    found: Names,
}

impl Reader<'_> {
    fn template(&mut self, template: &mut handlebars::Template) {
        for element in &mut template.elements {
            self.element(element);
        }
    }

    fn element(&mut self, element: &mut TemplateElement) {
        match element {
            TemplateElement::Expression(value) => {
                self.value(value);
                // Written as it is: quoting is done by the helper that the value now goes through.
                let value = std::mem::replace(element, TemplateElement::RawString(String::new()));
                if let TemplateElement::Expression(value) = value {
                    *element = TemplateElement::HtmlExpression(value);
                }
            }
            TemplateElement::HtmlExpression(value) => self.value(value),
            TemplateElement::HelperBlock(block) => self.block(block),
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            _ => self.found.problems.push(Problem::new(
                Code::BadTemplate,
                0..0,
                "partials and decorators are not part of runbooks",
            )),
        }
    }

    fn value(&mut self, value: &mut HelperTemplate) {
        let index = self.next_value;
        self.next_value += 1;
        let (at, raw) = match self.values.get(index) {
            Some(tag) => (tag.at.clone(), matches!(tag.kind, TagKind::Value { raw: true })),
            None => (0..0, false),
        };
        if raw && self.flavour == Flavour::Shell {
            self.found.raw_in_shell.push(at.clone());
        }
        let mut inner = if value.params.is_empty() && value.hash.is_empty() {
            std::mem::replace(&mut value.name, Parameter::Name(String::new()))
        } else {
            Parameter::Subexpression(Subexpression::new(
                std::mem::replace(&mut value.name, Parameter::Name(String::new())),
                std::mem::take(&mut value.params),
                std::mem::take(&mut value.hash),
            ))
        };
        self.parameter(&mut inner, &at);
        let breaks = matches!(&inner, Parameter::Subexpression(call) if helpers::may_break_lines(call.name()));
        let shell = self.shell.get(index).copied().unwrap_or(Ok(()));
        let position = self.position(at.start);
        self.found.slots.push(Slot { at, position, shell });
        let writer = helpers::writer(self.flavour, raw, breaks, shell);
        value.name = Parameter::Name(writer.to_owned());
        value.params = vec![Parameter::Literal(index.into()), inner];
    }

    fn block(&mut self, block: &mut HelperTemplate) {
        let at = self.blocks.get(self.next_block).map_or(0..0, |tag| tag.at.clone());
        self.next_block += 1;
        let name = block.name.as_name().unwrap_or_default().to_owned();
        match helpers::block(&name) {
            Some(arguments) => self.arguments(&name, arguments, block.params.len(), &at),
            None => self.unknown(&name, Kind::Block, &at),
        }
        for parameter in &mut block.params {
            self.parameter(parameter, &at);
        }
        self.no_options(&name, block.hash.is_empty(), &at);
        let enters = name == "each" || name == "with";
        let locals = self.locals.len();
        match &block.block_param {
            Some(BlockParam::Single(one)) => self.locals.extend(one.as_name().map(str::to_owned)),
            Some(BlockParam::Pair((one, two))) => {
                self.locals.extend([one, two].into_iter().filter_map(Parameter::as_name).map(str::to_owned));
            }
            _ => {}
        }
        self.in_block += usize::from(enters);
        if let Some(template) = &mut block.template {
            self.template(template);
        }
        self.in_block -= usize::from(enters);
        self.locals.truncate(locals);
        if let Some(inverse) = &mut block.inverse {
            self.template(inverse);
        }
    }

    fn parameter(&mut self, parameter: &mut Parameter, at: &Range<usize>) {
        match parameter {
            Parameter::Literal(_) => {}
            Parameter::Name(name) => {
                let name = name.clone();
                self.name(parameter, &name, at);
            }
            Parameter::Path(_) => {
                let name = parameter.as_name().unwrap_or_default().to_owned();
                self.name(parameter, &name, at);
            }
            Parameter::Subexpression(call) => {
                let TemplateElement::Expression(helper) = call.element.as_mut() else { return };
                if helper.params.is_empty() && helper.hash.is_empty() {
                    // `(NAME)` is the name.
                    let mut inner = helper.name.clone();
                    self.parameter(&mut inner, at);
                    *parameter = inner;
                    return;
                }
                let name = helper.name.as_name().unwrap_or_default().to_owned();
                self.helper(&name, helper.params.len(), at);
                for parameter in &mut helper.params {
                    self.parameter(parameter, at);
                }
                self.no_options(&name, helper.hash.is_empty(), at);
            }
            _ => {
                self.found.problems.push(Problem::new(Code::BadTemplate, at.clone(), "this cannot be read as a value"));
            }
        }
    }

    fn helper(&mut self, name: &str, given: usize, at: &Range<usize>) {
        match HELPERS.iter().find(|helper| helper.name == name && helper.kind != Kind::Block) {
            Some(_) if name == "quote" && self.flavour == Flavour::Shell => self.found.problems.push(
                Problem::new(Code::ShellQuoting, self.find(name, at), "values in `sh` are quoted by themselves")
                    .help("leave out `quote`"),
            ),
            Some(helper) => self.arguments(name, helper.arguments.clone(), given, at),
            None => self.unknown(name, Kind::Value, at),
        }
    }

    fn unknown(&mut self, name: &str, kind: Kind, at: &Range<usize>) {
        let what = if kind == Kind::Block { "block" } else { "helper" };
        let problem = Problem::new(Code::UnknownHelper, self.find(name, at), format!("no {what} is called `{name}`"));
        let known: Vec<&str> = HELPERS.iter().filter(|row| row.kind == kind).map(|row| row.name).collect();
        self.found.problems.push(match nearest(name, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("there are {}", known.join(", "))),
        });
    }

    fn arguments(&mut self, name: &str, wanted: RangeInclusive<usize>, given: usize, at: &Range<usize>) {
        if !wanted.contains(&given) {
            let usage = helpers::usage(name);
            self.found.problems.push(
                Problem::new(Code::BadTemplate, at.clone(), format!("`{name}` does not take {given} arguments"))
                    .help(format!("write {usage}")),
            );
        }
    }

    fn no_options(&mut self, name: &str, none: bool, at: &Range<usize>) {
        if !none {
            let problem = Problem::new(Code::BadTemplate, at.clone(), format!("`{name}` has no named arguments"));
            self.found.problems.push(problem.help(format!("write {}", helpers::usage(name))));
        }
    }

    fn name(&mut self, parameter: &mut Parameter, written: &str, at: &Range<usize>) {
        let at = self.find(written, at);
        let root = written.split(['.', '/']).next().unwrap_or_default();
        if self.locals.iter().any(|local| local == root) {
            return;
        }
        if root == "this" || written.starts_with('@') && !written.starts_with("@root") && !written.contains("..") {
            if self.in_block == 0 {
                self.found.problems.push(Problem::new(
                    Code::BadTemplate,
                    at,
                    format!("`{written}` has a meaning only inside `each` and `with`"),
                ));
            } else if !matches!(root, "this" | "@index" | "@key" | "@first" | "@last") {
                self.found.problems.push(
                    Problem::new(Code::UnknownName, at, format!("there is no `{written}`"))
                        .help("there are @index, @key, @first and @last"),
                );
            }
            return;
        }
        if root.is_empty() || written.starts_with(['@', '.', '[']) || written.contains("..") {
            self.found.problems.push(
                Problem::new(Code::BadTemplate, at, format!("`{written}` is not a name"))
                    .help("parameters and captures go by their bare names, everywhere"),
            );
            return;
        }
        if helpers::is_helper(root) {
            self.found.problems.push(
                Problem::new(Code::BadTemplate, at, format!("`{root}` is a helper and needs a value"))
                    .help(format!("write {}", helpers::usage(root))),
            );
            return;
        }
        if self.in_block > 0
            && let Ok(absolute) = handlebars::Path::parse(&format!("@root/{written}"))
        {
            *parameter = Parameter::Path(absolute);
        }
        let end = at.start + root.len().min(at.len());
        self.found.references.push(Reference { name: root.to_owned(), at: at.start..end });
    }

    /// Line and column of a byte, counted on from the one before.
    fn position(&self, at: usize) -> (usize, usize) {
        let (from, (line, column)) = self.found.slots.last().map_or((0, (1, 1)), |slot| (slot.at.start, slot.position));
        let between = self.raw.get(from..at).unwrap_or_default();
        match between.rfind('\n') {
            Some(newline) => (line + between.matches('\n').count(), between[newline + 1..].chars().count() + 1),
            None => (line, column + between.chars().count()),
        }
    }

    /// Where a word stands in a tag; the whole tag where it is not found.
    fn find(&self, word: &str, tag: &Range<usize>) -> Range<usize> {
        let text = &self.raw[tag.clone()];
        let is_name = |c: char| c.is_alphanumeric() || "_-@.$/:".contains(c);
        text.match_indices(word)
            .find(|(at, _)| {
                !text[..*at].ends_with(is_name) && !text[at + word.len()..].starts_with(|c| is_name(c) && c != '/')
            })
            .map_or(tag.clone(), |(at, _)| tag.start + at..tag.start + at + word.len())
    }
}
