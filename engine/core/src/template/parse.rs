//! Reading templates: Handlebars' syntax, with every name known and placed when the template is read.
//!
//! A parsed template has no name in it that [`Template::references`] does not list: partials, decorators and paths that
//! leave the values are refused, and inside `each` and `with` a bare name means what it means outside.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, Subexpression, TemplateElement};

use super::helpers::{self, HELPERS, Kind};
use super::shell::{Scanner, Unsafe};
use super::tags::{Tag, TagKind, tags};
use crate::codes::Code;
use crate::diag::{Diagnostic, nearest};
use crate::model::Text;

/// What a template's text will be, which decides how values are written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Plain text: a value is written as it is.
    Text,
    /// YAML that is parsed afterwards: a value with a line break must go through `json`, `yaml` or `indent`.
    Manifest,
    /// A shell script: a value that needs quotes becomes one quoted word.
    Shell,
}

/// Bounds on a template, part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateLimits {
    /// Bytes of a text that holds templates.
    pub bytes: usize,
    /// Nesting of blocks and of parentheses.
    pub depth: usize,
}

/// The bounds of a template: 256 KiB, 16 levels.
pub const TEMPLATE_LIMITS: TemplateLimits = TemplateLimits { bytes: 256 << 10, depth: 16 };

/// A name that a template uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The parameter or capture.
    pub name: String,
    /// Its bytes in the text.
    pub at: Range<usize>,
}

/// What is wrong with a template or a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which of the known mistakes it is.
    pub code: Code,
    /// Its bytes in the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(code: Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, at, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// As an error at its place in `source`, the file that `text` was read from.
    #[must_use]
    pub fn diagnostic(&self, source: &str, text: &Text) -> Diagnostic {
        let diagnostic =
            Diagnostic::error(self.code, super::place(source, text, self.at.clone()), self.message.clone());
        match &self.help {
            Some(help) => diagnostic.help(help.clone()),
            None => diagnostic,
        }
    }
}

/// A template that was read and whose names are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub(super) flavour: Flavour,
    pub(super) body: Body,
    /// The value tags, in order: their bytes, and whether a value that needs shell quotes may stand there.
    pub(super) slots: Vec<Slot>,
    references: Vec<Reference>,
    raw_in_shell: Vec<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Plain(String),
    Handlebars(Box<handlebars::Template>),
}

/// A tag that a value is written in place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub at: Range<usize>,
    /// Line and column of its first character, from 1, as Handlebars counts.
    pub position: (usize, usize),
    /// Whether a value that needs shell quotes may stand there.
    pub shell: Result<(), Unsafe>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// All that is wrong with it; only broken syntax hides what follows.
    pub fn parse(raw: &str, flavour: Flavour) -> Result<Self, Vec<Problem>> {
        if !raw.contains("{{") {
            return Ok(Self {
                flavour,
                body: Body::Plain(raw.to_owned()),
                slots: Vec::new(),
                references: Vec::new(),
                raw_in_shell: Vec::new(),
            });
        }
        let tags = tags(raw);
        check_limits(raw, &tags).map_err(|problem| vec![problem])?;
        let mut body = handlebars::Template::compile(raw).map_err(|error| vec![syntax(raw, &tags, &error)])?;
        let shell = shell(raw, &tags, flavour);
        let mut reader = Reader {
            raw,
            flavour,
            values: tags.iter().filter(|tag| matches!(tag.kind, TagKind::Value { .. })).collect(),
            blocks: tags.iter().filter(|tag| blocklike(tag.kind)).collect(),
            shell: &shell.slots,
            next_value: 0,
            next_block: 0,
            locals: Vec::new(),
            in_block: 0,
            slots: Vec::new(),
            references: Vec::new(),
            raw_in_shell: Vec::new(),
            problems: shell.problems,
        };
        reader.template(&mut body);
        if reader.problems.is_empty() {
            Ok(Self {
                flavour,
                body: Body::Handlebars(Box::new(body)),
                slots: reader.slots,
                references: reader.references,
                raw_in_shell: reader.raw_in_shell,
            })
        } else {
            Err(reader.problems)
        }
    }

    /// The parameters and captures it uses, in order, each time it uses them.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Where a shell script takes a value without quotes (`{{{ … }}}`): right at times, worth a warning always.
    #[must_use]
    pub fn raw_in_shell(&self) -> &[Range<usize>] {
        &self.raw_in_shell
    }

    /// Whether it has nothing to fill in.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.references.is_empty()
    }
}

type Read = Result<Arc<Template>, Arc<[Problem]>>;

/// Templates by their text: runbooks repeat themselves, and reading a template costs more than finding it.
#[derive(Debug, Default)]
pub struct Templates {
    read: HashMap<(Flavour, String), Read>,
}

impl Templates {
    /// Reads a template, or finds it.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn get(&mut self, raw: &str, flavour: Flavour) -> Result<Arc<Template>, Arc<[Problem]>> {
        let key = (flavour, raw.to_owned());
        self.read.entry(key).or_insert_with(|| Template::parse(raw, flavour).map(Arc::new).map_err(Arc::from)).clone()
    }
}

fn check_limits(raw: &str, tags: &[Tag]) -> Result<(), Problem> {
    let TemplateLimits { bytes, depth } = TEMPLATE_LIMITS;
    if raw.len() > bytes {
        return Err(Problem::new(
            Code::TooLong,
            0..0,
            format!("a text with templates may have {bytes} bytes, this one has {}", raw.len()),
        )
        .help("move it to a file, or its parts to steps of their own"));
    }
    let mut open = 0_usize;
    for tag in tags {
        let text = &raw[tag.at.clone()];
        match tag.kind {
            TagKind::Foreign(what) => {
                return Err(Problem::new(
                    Code::BadTemplate,
                    tag.at.clone(),
                    format!("{what} are not part of runbooks"),
                ));
            }
            TagKind::Open => open += 1,
            // Each `else if` is a block within the one before.
            TagKind::Else { chained: true } => open += 1,
            TagKind::Close => open = open.saturating_sub(1),
            _ => {}
        }
        let inner = text.matches('(').count() + text.matches('[').count();
        let nested = if matches!(tag.kind, TagKind::Text | TagKind::Comment | TagKind::Escape) { 0 } else { inner };
        if open > depth || nested > depth {
            return Err(Problem::new(
                Code::TooLong,
                tag.at.clone(),
                format!("templates may be nested {depth} levels deep"),
            ));
        }
    }
    Ok(())
}

/// Says what Handlebars' parser could not read, in words of our own.
fn syntax(raw: &str, tags: &[Tag], error: &handlebars::TemplateError) -> Problem {
    let (line, column) = error.pos().unwrap_or((1, 1));
    let line_start = if line <= 1 { 0 } else { raw.match_indices('\n').nth(line - 2).map_or(0, |(at, _)| at + 1) };
    let rest = &raw[line_start..];
    let failed = line_start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    // The parser's place is behind the token that it could not read: what is meant is the tag before it.
    let tag = tags
        .iter()
        .filter(|tag| !matches!(tag.kind, TagKind::Text | TagKind::Escape))
        .rfind(|tag| tag.at.start <= failed)
        .or_else(|| tags.iter().find(|tag| !matches!(tag.kind, TagKind::Text | TagKind::Escape)));
    let at = tag.map_or(failed..failed, |tag| tag.at.clone());
    let text = &raw[at.clone()];
    let problem = |message: String| Problem::new(Code::BadTemplate, at.clone(), message);
    if !text.ends_with("}}") {
        return problem("this template does not end".to_owned())
            .help("close it with }}, or write \\{{ for plain braces");
    }
    let opened = tags.iter().filter(|tag| tag.kind == TagKind::Open).count();
    let closed = tags.iter().filter(|tag| tag.kind == TagKind::Close).count();
    if opened > closed
        && let Some(open) = tags.iter().rfind(|tag| tag.kind == TagKind::Open)
    {
        let text = &raw[open.at.clone()];
        let name = text.trim_start_matches(['{', '#', '~', ' ']).split([' ', '}']).next().unwrap_or_default();
        return Problem::new(Code::BadTemplate, open.at.clone(), "a block that is not closed")
            .help(format!("end it with {{{{/{name}}}}}"));
    }
    if closed > opened {
        return problem("a block ends here that was not begun, or was begun under another name".to_owned());
    }
    problem(format!("`{text}` is not a template"))
        .help("write {{NAME}}, or \\{{ for braces that are to stay as they are")
}

const fn blocklike(kind: TagKind) -> bool {
    matches!(kind, TagKind::Open | TagKind::Else { chained: true })
}

/// What the shell makes of each value tag.
struct ShellPlaces {
    slots: Vec<Result<(), Unsafe>>,
    problems: Vec<Problem>,
}

fn shell(raw: &str, tags: &[Tag], flavour: Flavour) -> ShellPlaces {
    let mut places = ShellPlaces { slots: Vec::new(), problems: Vec::new() };
    if flavour != Flavour::Shell {
        return places;
    }
    let mut scanner = Scanner::default();
    // For each open block: its tag, the state before it, and the states at the ends of its branches so far.
    let mut blocks: Vec<(Range<usize>, Scanner, Vec<Scanner>, bool)> = Vec::new();
    for tag in tags {
        let text = &raw[tag.at.clone()];
        match tag.kind {
            TagKind::Text => scanner.text(text, tag.at.start),
            TagKind::Value { .. } => places.slots.push(scanner.value()),
            TagKind::Open => blocks.push((tag.at.clone(), scanner.clone(), Vec::new(), false)),
            TagKind::Else { chained } => {
                if let Some((_, before, ends, has_else)) = blocks.last_mut() {
                    ends.push(std::mem::replace(&mut scanner, before.clone()));
                    *has_else |= !chained;
                }
            }
            TagKind::Close => {
                if let Some((at, before, mut ends, has_else)) = blocks.pop() {
                    if !has_else {
                        ends.push(before);
                    }
                    if ends.iter().any(|end| !end.agrees_with(&scanner)) {
                        places.problems.push(
                            Problem::new(Code::ShellQuoting, at, "shell quotes must end in the block they begin in")
                                .help("put the whole command into the block"),
                        );
                    }
                    for end in ends {
                        scanner.join(end);
                    }
                }
            }
            TagKind::Escape | TagKind::Comment | TagKind::Foreign(_) => {}
        }
        if !matches!(tag.kind, TagKind::Text | TagKind::Escape) && (text.contains("{~") || text.contains("~}")) {
            places.problems.push(Problem::new(
                Code::ShellQuoting,
                tag.at.clone(),
                "`~` would join lines of the script that look apart",
            ));
        }
    }
    places
}

/// Walks Handlebars' tree: collects the names, refuses what runbooks do without, and sends every value through the
/// helper that writes it as its place asks for.
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
    slots: Vec<Slot>,
    references: Vec<Reference>,
    raw_in_shell: Vec<Range<usize>>,
    problems: Vec<Problem>,
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
            _ => self.problems.push(Problem::new(
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
            self.raw_in_shell.push(at.clone());
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
        self.slots.push(Slot { at, position, shell });
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
            _ => self.problems.push(Problem::new(Code::BadTemplate, at.clone(), "this cannot be read as a value")),
        }
    }

    fn helper(&mut self, name: &str, given: usize, at: &Range<usize>) {
        match HELPERS.iter().find(|helper| helper.name == name && helper.kind != Kind::Block) {
            Some(_) if name == "quote" && self.flavour == Flavour::Shell => self.problems.push(
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
        self.problems.push(match nearest(name, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("there are {}", known.join(", "))),
        });
    }

    fn arguments(&mut self, name: &str, wanted: std::ops::RangeInclusive<usize>, given: usize, at: &Range<usize>) {
        if !wanted.contains(&given) {
            let usage = helpers::usage(name);
            self.problems.push(
                Problem::new(Code::BadTemplate, at.clone(), format!("`{name}` does not take {given} arguments"))
                    .help(format!("write {usage}")),
            );
        }
    }

    fn no_options(&mut self, name: &str, none: bool, at: &Range<usize>) {
        if !none {
            let problem = Problem::new(Code::BadTemplate, at.clone(), format!("`{name}` has no named arguments"));
            self.problems.push(problem.help(format!("write {}", helpers::usage(name))));
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
                self.problems.push(Problem::new(
                    Code::BadTemplate,
                    at,
                    format!("`{written}` has a meaning only inside `each` and `with`"),
                ));
            } else if !matches!(root, "this" | "@index" | "@key" | "@first" | "@last") {
                self.problems.push(
                    Problem::new(Code::UnknownName, at, format!("there is no `{written}`"))
                        .help("there are @index, @key, @first and @last"),
                );
            }
            return;
        }
        if root.is_empty() || written.starts_with(['@', '.', '[']) || written.contains("..") {
            self.problems.push(
                Problem::new(Code::BadTemplate, at, format!("`{written}` is not a name"))
                    .help("parameters and captures go by their bare names, everywhere"),
            );
            return;
        }
        if helpers::is_helper(root) {
            self.problems.push(
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
        self.references.push(Reference { name: root.to_owned(), at: at.start..end });
    }

    /// Line and column of a byte, counted on from the one before.
    fn position(&self, at: usize) -> (usize, usize) {
        let (from, (line, column)) = self.slots.last().map_or((0, (1, 1)), |slot| (slot.at.start, slot.position));
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

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
