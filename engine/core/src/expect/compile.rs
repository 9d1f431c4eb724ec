//! From a check as written to a check that judges: what is wrong with it, and its values filled in.
//!
//! What can be said without values is said by `problems`; the rest is said by `compile`, in the same words.

use regex::{Regex, RegexBuilder};

use super::lines_diff::words;
use super::log::LogCheck;
use super::mismatch::Matcher;
use super::output::{Bound, Needle, OutputCheck, parse_number};
use super::pattern::{FillError, Pattern};
use super::sequence::{Lines, Sought};
use super::spec::{CompileError, ExitSpec, LogSpec, ObjectSpec, OutputSpec, Problem};
use super::text::{Words, unix_lines};
use super::value::ObjectCheck;

/// Whether a text holds a template, so that nothing can be said of it before values are known.
fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// The text without the line breaks at its end, which a block scalar always has.
fn chomp(text: &str) -> String {
    unix_lines(text).trim_end_matches('\n').to_owned()
}

impl OutputSpec {
    /// What is wrong with the check as written, warnings included.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        texts(&self.contains, Matcher::Contains, &mut problems);
        texts(&self.not_contains, Matcher::NotContains, &mut problems);
        for (key, text) in [("find", &self.find), ("regex", &self.regex)] {
            if let Some(text) = text.as_ref().filter(|text| !is_template(text)) {
                problems.extend(regex(key, text).err());
            }
        }
        lines_problems(self.lines.as_deref(), &mut problems);
        let mut bounds = Vec::new();
        for (key, text) in [(Matcher::AtLeast, &self.at_least), (Matcher::AtMost, &self.at_most)] {
            if let Some(text) = text.as_ref().filter(|text| !is_template(text)) {
                match bound(key, text) {
                    Ok(bound) => bounds.push(bound),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if let [lower, upper] = bounds.as_slice() {
            problems.extend(order(lower, upper));
        }
        if let ExitSpec::Codes(codes) = &self.exit {
            problems
                .extend(codes.iter().filter(|code| !(0..=255).contains(*code)).map(|&code| Problem::ExitCode { code }));
        }
        if self.asserts_nothing() {
            problems.push(Problem::AssertsNothing);
        }
        problems
    }

    /// Whether nothing is asked beyond an exit code of 0, which is asked of every program anyway.
    #[must_use]
    pub fn asserts_nothing(&self) -> bool {
        let exit = match &self.exit {
            ExitSpec::Zero | ExitSpec::Any => true,
            ExitSpec::Codes(codes) => codes.is_empty(),
            ExitSpec::Failure => false,
        };
        exit && self.contains.is_empty()
            && self.not_contains.is_empty()
            && [&self.equals, &self.regex, &self.lines, &self.at_least, &self.at_most].iter().all(|text| text.is_none())
            && self.json.is_none()
            && self.yaml.is_none()
    }

    /// Fills in the templates and makes the check ready to judge.
    ///
    /// # Errors
    ///
    /// [`CompileError::Render`] with what `render` said; [`CompileError::Problem`] if the check is wrong with its
    /// values, such as a text that became empty; [`CompileError::Lines`] if a line of `lines` is too large.
    pub fn compile<E>(
        &self,
        render: &mut impl FnMut(&str) -> Result<String, E>,
    ) -> Result<OutputCheck, CompileError<E>> {
        if self.asserts_nothing() {
            return Err(Problem::AssertsNothing.into());
        }
        let at_least = self.at_least.as_deref().map(|text| filled_bound(Matcher::AtLeast, text, render)).transpose()?;
        let at_most = self.at_most.as_deref().map(|text| filled_bound(Matcher::AtMost, text, render)).transpose()?;
        if let (Some(lower), Some(upper)) = (&at_least, &at_most)
            && let Some(problem) = order(lower, upper)
        {
            return Err(problem.into());
        }
        Ok(OutputCheck {
            stream: self.stream,
            find: self.find.as_deref().map(|text| filled_regex("find", text, render)).transpose()?,
            equals: self.equals.as_deref().map(|text| fill(text, render)).transpose()?.map(|text| unix_lines(&text)),
            contains: needles(Matcher::Contains, &self.contains, render)?,
            not_contains: needles(Matcher::NotContains, &self.not_contains, render)?,
            regex: self.regex.as_deref().map(|text| filled_regex("regex", text, render)).transpose()?,
            lines: self.lines.as_deref().map(|text| filled_lines(text, render)).transpose()?,
            json: self.json.clone(),
            yaml: self.yaml.clone(),
            exit: self.exit.clone(),
            at_least,
            at_most,
        })
    }
}

impl LogSpec {
    /// What is wrong with the check as written, warnings included.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        texts(&self.contains, Matcher::Contains, &mut problems);
        texts(&self.not_contains, Matcher::NotContains, &mut problems);
        if let Some(text) = self.regex.as_ref().filter(|text| !is_template(text)) {
            problems.extend(regex("regex", text).err());
        }
        if self.lines.as_deref().is_some_and(|lines| lines.trim().is_empty()) {
            problems.push(Problem::AlwaysHolds { key: Matcher::Lines });
        }
        lines_problems(self.lines.as_deref(), &mut problems);
        if let Some((min, max)) = self.count.and_then(|count| count.min.zip(count.max))
            && min > max
        {
            problems.push(Problem::Bounds { lower: format!("`min: {min}`"), upper: format!("`max: {max}`") });
        }
        if self.asserts_nothing() {
            problems.push(Problem::AssertsNothing);
        }
        problems
    }

    /// Whether every log would do.
    #[must_use]
    pub fn asserts_nothing(&self) -> bool {
        let (min, max) = self.bounds();
        let asks = !self.contains.is_empty() || self.regex.is_some() || self.lines.is_some() || self.count.is_some();
        let counts_lines = self.contains.is_empty() && self.regex.is_none();
        let bounded = asks && (min > 0 || max.is_some());
        // `lines` beside `contains` or `regex` is looked for by itself, whatever is counted.
        let lines = self.lines.is_some() && !counts_lines;
        !bounded && !lines && self.not_contains.is_empty()
    }

    /// The least and the greatest number that `count` asks for.
    fn bounds(&self) -> (u64, Option<u64>) {
        match self.count {
            None => (1, None),
            Some(count) => (count.min.unwrap_or(u64::from(count.max.is_none())), count.max),
        }
    }

    /// Fills in the templates and makes the check ready to judge.
    ///
    /// # Errors
    ///
    /// As [`OutputSpec::compile`].
    pub fn compile<E>(&self, render: &mut impl FnMut(&str) -> Result<String, E>) -> Result<LogCheck, CompileError<E>> {
        if self.asserts_nothing() {
            return Err(Problem::AssertsNothing.into());
        }
        let contains = needles(Matcher::Contains, &self.contains, render)?;
        let lines = self.lines.as_deref().map(|text| filled_lines(text, render)).transpose()?;
        let lines = lines.map(Sought::from);
        if lines.as_ref().is_some_and(|sought| sought.lines().is_empty()) {
            return Err(Problem::AlwaysHolds { key: Matcher::Lines }.into());
        }
        let (min, max) = self.bounds();
        let asks = !contains.is_empty() || self.regex.is_some() || lines.is_some() || self.count.is_some();
        Ok(LogCheck {
            resembles: Words::from_parts(contains.iter().flat_map(|needle| needle.text.split([' ', '\t']))),
            line_words: lines.iter().flat_map(Sought::lines).map(words).collect(),
            contains,
            not_contains: needles(Matcher::NotContains, &self.not_contains, render)?,
            regex: self.regex.as_deref().map(|text| filled_regex("regex", text, render)).transpose()?,
            lines,
            min: if asks { min } else { 0 },
            max,
        })
    }
}

impl ObjectSpec {
    /// What is wrong with the check as written.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match (self.absent, &self.matches) {
            (true, Some(_)) => vec![Problem::AbsentAndMatches],
            _ if self.asserts_nothing() => vec![Problem::AssertsNothing],
            _ => Vec::new(),
        }
    }

    /// Whether every object would do.
    #[must_use]
    pub fn asserts_nothing(&self) -> bool {
        !self.absent && self.matches.is_none()
    }

    /// Makes the check ready to judge.
    ///
    /// # Errors
    ///
    /// The first of [`Self::problems`].
    pub fn compile(&self) -> Result<ObjectCheck, Problem> {
        match self.problems().into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(ObjectCheck { matches: self.matches.clone(), absent: self.absent }),
        }
    }
}

/// What an empty text says of its matcher.
fn empty(key: Matcher) -> Problem {
    if key == Matcher::NotContains { Problem::NeverHolds { key } } else { Problem::AlwaysHolds { key } }
}

fn texts(texts: &[String], key: Matcher, problems: &mut Vec<Problem>) {
    problems.extend(texts.iter().filter(|text| chomp(text).is_empty()).map(|_| empty(key)));
}

fn lines_problems(text: Option<&str>, problems: &mut Vec<Problem>) {
    match text.map(Pattern::parse) {
        None => {}
        Some(Ok((pattern, warnings))) => {
            problems.extend(warnings.into_iter().map(Problem::PatternWarning));
            if pattern.asserts_nothing() {
                problems.push(Problem::AlwaysHolds { key: Matcher::Lines });
            }
        }
        Some(Err(error)) => problems.push(Problem::Pattern(error)),
    }
}

/// Compiles a regular expression; one that matches every text is refused for `regex`, since it would assert nothing.
fn regex(key: &'static str, text: &str) -> Result<Regex, Problem> {
    let regex = RegexBuilder::new(text)
        .multi_line(true)
        .build()
        .map_err(|error| Problem::Regex { key, cause: error.to_string() })?;
    // Whatever matches the empty text and two unlike texts is satisfied by nothing at all.
    if key == "regex" && ["", "\u{1}", "\u{2}\u{10fffd}"].iter().all(|text| regex.is_match(text)) {
        return Err(Problem::AlwaysHolds { key: Matcher::Regex });
    }
    Ok(regex)
}

fn bound(key: Matcher, text: &str) -> Result<Bound, Problem> {
    let text = text.trim();
    let value = parse_number(text).ok_or_else(|| Problem::NotANumber { key, written: text.to_owned() })?;
    Ok(Bound { text: text.to_owned(), value })
}

fn order(lower: &Bound, upper: &Bound) -> Option<Problem> {
    (lower.value > upper.value).then(|| Problem::Bounds {
        lower: format!("`at-least: {}`", lower.text),
        upper: format!("`at-most: {}`", upper.text),
    })
}

fn fill<E>(text: &str, render: &mut impl FnMut(&str) -> Result<String, E>) -> Result<String, CompileError<E>> {
    if is_template(text) { render(text).map_err(CompileError::Render) } else { Ok(text.to_owned()) }
}

fn needles<E>(
    key: Matcher,
    texts: &[String],
    render: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<Vec<Needle>, CompileError<E>> {
    let mut needles = Vec::with_capacity(texts.len());
    for text in texts {
        let text = chomp(&fill(text, render)?);
        if text.is_empty() {
            return Err(empty(key).into());
        }
        needles.push(Needle::new(text));
    }
    Ok(needles)
}

fn filled_regex<E>(
    key: &'static str,
    text: &str,
    render: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<Regex, CompileError<E>> {
    Ok(regex(key, &chomp(&fill(text, render)?))?)
}

fn filled_bound<E>(
    key: Matcher,
    text: &str,
    render: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<Bound, CompileError<E>> {
    Ok(bound(key, &fill(text, render)?)?)
}

fn filled_lines<E>(text: &str, render: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Lines, CompileError<E>> {
    let (pattern, _) = Pattern::parse(text).map_err(Problem::Pattern)?;
    if pattern.asserts_nothing() {
        return Err(Problem::AlwaysHolds { key: Matcher::Lines }.into());
    }
    pattern.fill(render).map_err(|error| match error {
        FillError::Render(error) => CompileError::Render(error),
        FillError::Line(error) => CompileError::Lines { cause: error.to_string() },
    })
}
