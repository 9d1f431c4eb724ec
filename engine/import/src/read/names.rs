//! Shell variables as parameters, captures and plain text; words as templates.

use std::sync::LazyLock;

use periplus_core::template::is_helper;
use regex::Regex;

use super::{Context, Reader};
use crate::guess::Hint;
use crate::shell::{Part, Word};

/// The most parts of a word, values and text between them: what is done with each takes as long as the text is.
const MAX_PARTS: usize = 2_000;

/// What a shell variable stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A parameter or a capture of this name.
    Value(String),
    /// A text with templates.
    Text(String),
    /// A point in time: that of the step with this number.
    Mark,
}

static AS_PORT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?:(?:number|port|targetPort|containerPort|nodePort): *"?|[A-Za-z0-9\]}]:)\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}"#,
    )
});
static AS_IP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/[0-9]{1,3}\b"));
static AS_HOST: LazyLock<Regex> = LazyLock::new(|| pattern(r"://\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// Text that stands for itself in a template.
pub(super) fn escape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        if rest[..at].ends_with('\\') {
            return Err("a backslash before two braces cannot be written in a runbook".to_owned());
        }
        let length = if rest[at..].starts_with("{{{") { 3 } else { 2 };
        out.push_str(&rest[..at]);
        out.push('\\');
        out.push_str(&rest[at..at + length]);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Ok(out)
}

impl Reader {
    /// The template that a word is.
    pub(super) fn template(&mut self, word: &Word, at: &Context<'_>) -> Result<String, String> {
        if word.parts.len() > MAX_PARTS {
            return Err(format!("a text of it holds more than {} values", MAX_PARTS / 2));
        }
        let mut out = String::new();
        for part in &word.parts {
            match part {
                Part::Text(text) => out.push_str(&escape(text)?),
                Part::Variable(name) => out.push_str(&self.variable(name, None, at)?),
                Part::Default(name, default) if self.generated => match self.names.get(name) {
                    Some(Name::Value(own)) => {
                        out.push_str(&format!("{{{{default '{}' {own}}}}}", default.trim_matches('\'')));
                    }
                    _ => out.push_str(&self.variable(name, Some(default), at)?),
                },
                Part::Default(name, default) => out.push_str(&self.variable(name, Some(default), at)?),
                Part::Run(script) if self.generated && helper(script).is_some() => {
                    let (helper, name) = helper(script).unwrap_or_default();
                    let value = self.variable(name, None, at)?;
                    out.push_str(&value.replacen("{{", &format!("{{{{{helper} "), 1));
                }
                Part::Placeholder(words) => out.push_str(&self.placeholder(words, at)),
                Part::Run(_) => return Err("a command stands within it whose output is not known".to_owned()),
                Part::Other(text) => return Err(format!("the shell's `{text}` is not read")),
            }
        }
        self.take_hints(&out);
        Ok(out)
    }

    /// A word that names an object, a namespace or a container.
    pub(super) fn name(&mut self, word: &Word, at: &Context<'_>) -> Result<String, String> {
        let text = self.template(word, at)?;
        if let Some(name) = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
            self.hint(name, Hint::Name);
        }
        Ok(text)
    }

    /// A namespace; that of the whole runbook need not be said.
    pub(super) fn namespace(&mut self, word: Option<&Word>, at: &Context<'_>) -> Result<Option<String>, String> {
        let namespace = word.map(|word| self.name(word, at)).transpose()?;
        Ok(namespace.filter(|namespace| namespace != "default"))
    }

    /// What stands for a variable; one that the page never sets becomes a parameter.
    pub(super) fn variable(&mut self, name: &str, default: Option<&str>, at: &Context<'_>) -> Result<String, String> {
        match self.names.get(name) {
            Some(Name::Value(value)) => return Ok(format!("{{{{{value}}}}}")),
            Some(Name::Text(text)) => return Ok(text.clone()),
            Some(Name::Mark) => return Err(format!("`${name}` is a point in time")),
            None => {}
        }
        let own = self.free_name(name);
        self.names.insert(name.to_owned(), Name::Value(own.clone()));
        self.declare(&own, default.map(str::to_owned), None, at.line);
        if default.is_none() {
            self.remark(at.line, format!("the page uses ${name} and never says what it is: it became a parameter"));
        }
        Ok(format!("{{{{{own}}}}}"))
    }

    /// A placeholder that the page asks its reader to replace, as a parameter.
    fn placeholder(&mut self, words: &str, at: &Context<'_>) -> String {
        let name: String =
            words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        let name = name.trim_start_matches("YOUR_").trim_start_matches("THE_").to_owned();
        if !self.draft.params.contains_key(&name) {
            self.taken.insert(name.clone());
            self.names.insert(name.clone(), Name::Value(name.clone()));
            self.declare(&name, None, described(words, &name), at.line);
            self.remark(at.line, format!("<{words}> is for the reader to replace: it became the parameter {name}"));
        }
        format!("{{{{{name}}}}}")
    }

    /// A name for a parameter or capture that nothing else has.
    pub(super) fn free_name(&mut self, name: &str) -> String {
        let base = if is_helper(name) { name.to_ascii_uppercase() } else { name.to_owned() };
        let base: String = base.chars().take(56).collect();
        let mut own = base.clone();
        let mut number = 2;
        while !self.taken.insert(own.clone()) {
            own = format!("{base}_{number}");
            number += 1;
        }
        own
    }

    fn hint(&mut self, name: &str, hint: Hint) {
        self.hints.entry(name.to_owned()).or_default().push(hint);
    }

    fn take_hints(&mut self, text: &str) {
        for (regex, hint) in [(&AS_PORT, Hint::Port), (&AS_IP, Hint::Ip), (&AS_HOST, Hint::Host)] {
            let found: Vec<String> = regex.captures_iter(text).map(|found| found[1].to_owned()).collect();
            found.iter().for_each(|name| self.hint(name, hint));
        }
    }

    /// `NAME=VALUE`, `export NAME=VALUE`: a parameter, another name for something, or a text.
    pub(super) fn assign(&mut self, name: &str, value: &Word, at: &Context<'_>) -> Result<(), String> {
        match value.parts.as_slice() {
            [] => self.param(name, None, None, at),
            [Part::Text(text)] if text.is_empty() => self.param(name, None, None, at),
            [Part::Text(text)] => self.param(name, Some(text.clone()), None, at),
            [Part::Placeholder(words)] => self.param(name, None, described(words, name), at),
            [Part::Default(own, default)] if own == name => self.param(name, Some(default.clone()), None, at),
            _ => {
                let text = self.template(value, at)?;
                self.names.insert(name.to_owned(), Name::Text(text));
            }
        }
        Ok(())
    }

    fn param(&mut self, name: &str, default: Option<String>, description: Option<String>, at: &Context<'_>) {
        // A value that is set anew later on is a text from there on.
        if let (Some(_), Some(value)) = (self.names.get(name), &default)
            && let Ok(text) = escape(value)
        {
            self.names.insert(name.to_owned(), Name::Text(text));
            return;
        }
        if self.names.contains_key(name) {
            return;
        }
        let own = self.free_name(name);
        self.names.insert(name.to_owned(), Name::Value(own.clone()));
        self.declare(&own, default, description, at.line);
    }
}

/// The helper of templates that a command of a generated page stands for, and the variable that it is given.
fn helper(script: &str) -> Option<(&'static str, &str)> {
    const HELPERS: [(&str, &str, &str); 3] = [
        ("host", "echo \"$", "\" | sed -E 's,^[^/]*//"),
        ("port", "echo \"$", "\" | sed -E 's,^([^/]*)//"),
        ("b64encode", "printf '%s' \"$", "\" | base64"),
    ];
    HELPERS.iter().find_map(|(helper, before, after)| {
        let (name, rest) = script.trim().strip_prefix(before)?.split_once('"')?;
        format!("\"{rest}").starts_with(after).then_some((*helper, name))
    })
}

/// The words of a placeholder, where they say more than the name.
fn described(words: &str, name: &str) -> Option<String> {
    let plain = words.replace(['_', '-'], " ");
    if plain.eq_ignore_ascii_case(&name.replace('_', " ")) || plain.trim().is_empty() {
        return None;
    }
    // Words in capitals are written as a sentence, but for those that are always in capitals.
    let shouted = !plain.chars().any(char::is_lowercase);
    let words = plain.split_whitespace().map(|word| {
        let always =
            ["IP", "URL", "URI", "DNS", "TLS", "HTTP", "HTTPS", "CIDR", "API", "TCP", "UDP", "ID"].contains(&word);
        if shouted && !always { word.to_lowercase() } else { word.to_owned() }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_themselves() {
        assert_eq!(escape("a {{b}} {{{c}}} {{{{{d").as_deref(), Ok(r"a \{{b}} \{{{c}}} \{{{\{{d"));
        assert!(escape(r"\{{x").is_err());
    }

    #[test]
    fn placeholders_describe_parameters() {
        assert_eq!(described("IP_ADDRESS_OF_PROXY", "PROXY_IP").as_deref(), Some("IP address of proxy"));
        assert_eq!(described("PROXY_PORT", "PROXY_PORT"), None);
        assert_eq!(described("your token", "T").as_deref(), Some("Your token"));
    }
}
