//! Regular expressions of the runbook as `grep` reads them.
//!
//! POSIX where it can say the same, so that every grep will do; else `grep -P`, which GNU's has.

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassAscii, ClassAsciiKind, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, GroupKind,
    RepetitionKind, RepetitionRange,
};

use super::word::{Piece, ShellText};

/// A regular expression for `grep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    /// The letter that tells grep the notation: empty, `E` or `P`.
    pub(super) notation: &'static str,
    pub(super) text: ShellText,
}

/// The first of the characters that stand for variables while an expression is read.
const MARKS: char = '\u{f0000}';

impl Expression {
    /// Reads an expression of the runbook. `whole` says that it matters how much is matched, not only whether something is.
    pub(super) fn of(text: &ShellText, whole: bool) -> Self {
        let mut raw = String::new();
        let mut variables: Vec<Piece> = Vec::new();
        for piece in text.pieces() {
            match piece {
                Piece::Literal(literal) => raw.push_str(literal),
                piece => {
                    raw.extend(mark(variables.len()));
                    variables.push(piece.clone());
                }
            }
        }
        let raw = raw.trim_end_matches('\n');
        let perl = || Self { notation: "P", text: text.clone().chomped() };
        let Ok(ast) = ast::parse::Parser::new().parse(raw) else { return perl() };
        let mut writer = Writer { out: String::new(), whole };
        if writer.ast(&ast).is_none() {
            return perl();
        }
        let mut extended = ShellText::default();
        for c in writer.out.chars() {
            let at = (c as usize).checked_sub(MARKS as usize);
            match at.and_then(|at| variables.get(at)) {
                Some(piece) => extended.push(piece),
                None => extended.push_literal(c.encode_utf8(&mut [0; 4])),
            }
        }
        // What needs none of the signs that the extended notation adds means the same in the basic one.
        let basic = variables.is_empty() && !writer.out.contains(['+', '?', '(', ')', '{', '}', '|']);
        Self { notation: if basic { "" } else { "E" }, text: extended }
    }

    /// `grep` with more flags, such as `o` or `q`, and this expression.
    pub(super) fn grep(&self, flags: &str) -> (String, String) {
        grep(&format!("{flags}{}", self.notation), &self.text)
    }
}

/// `grep` with flags, and what it looks for, apart.
pub(super) fn grep(flags: &str, text: &ShellText) -> (String, String) {
    let program = if flags.is_empty() { "grep".to_owned() } else { format!("grep -{flags}") };
    let word = text.word();
    (program, if text.may_be_option() { format!("-e {word}") } else { word })
}

fn mark(number: usize) -> Option<char> {
    char::from_u32(u32::try_from(number).ok()? + MARKS as u32)
}

struct Writer {
    out: String,
    whole: bool,
}

impl Writer {
    /// Writes an expression in POSIX's extended notation; `None` where that cannot say it.
    fn ast(&mut self, ast: &Ast) -> Option<()> {
        match ast {
            Ast::Empty(_) => {}
            Ast::Literal(literal) => self.literal(literal.c)?,
            Ast::Dot(_) => self.out.push('.'),
            Ast::Assertion(assertion) => self.out.push(match assertion.kind {
                AssertionKind::StartLine => '^',
                AssertionKind::EndLine => '$',
                _ => return None,
            }),
            Ast::ClassPerl(class) => {
                let inner = perl(class)?;
                let not = if class.negated { "^" } else { "" };
                self.out.push_str(&format!("[{not}{inner}]"));
            }
            Ast::ClassBracketed(class) => {
                let ClassSet::Item(item) = &class.kind else { return None };
                let mut set = Set::default();
                set.item(item)?;
                self.out.push_str(&set.write(class.negated)?);
            }
            Ast::Repetition(repetition) => {
                if !repetition.greedy
                    || !matches!(*repetition.ast, Ast::Literal(_) | Ast::Dot(_) | Ast::Group(_))
                        && !matches!(*repetition.ast, Ast::ClassPerl(_) | Ast::ClassBracketed(_))
                {
                    return None;
                }
                self.ast(&repetition.ast)?;
                match &repetition.op.kind {
                    RepetitionKind::ZeroOrOne => self.out.push('?'),
                    RepetitionKind::ZeroOrMore => self.out.push('*'),
                    RepetitionKind::OneOrMore => self.out.push('+'),
                    RepetitionKind::Range(range) => self.out.push_str(&match range {
                        RepetitionRange::Exactly(n) => format!("{{{n}}}"),
                        RepetitionRange::AtLeast(n) => format!("{{{n},}}"),
                        RepetitionRange::Bounded(n, m) => format!("{{{n},{m}}}"),
                    }),
                }
            }
            Ast::Group(group) => {
                match &group.kind {
                    GroupKind::CaptureIndex(_) => {}
                    GroupKind::NonCapturing(flags) if flags.items.is_empty() => {}
                    _ => return None,
                }
                self.out.push('(');
                self.ast(&group.ast)?;
                self.out.push(')');
            }
            Ast::Alternation(alternation) => {
                // POSIX takes the longest branch, Rust the first that fits: the same only if one cannot start another.
                if self.whole && !unlike(&alternation.asts) {
                    return None;
                }
                for (at, branch) in alternation.asts.iter().enumerate() {
                    if at > 0 {
                        self.out.push('|');
                    }
                    self.ast(branch)?;
                }
            }
            Ast::Concat(concat) => concat.asts.iter().try_for_each(|part| self.ast(part))?,
            Ast::Flags(_) | Ast::ClassUnicode(_) => return None,
        }
        Some(())
    }

    fn literal(&mut self, c: char) -> Option<()> {
        match c {
            '\n' => return None,
            '.' | '[' | ']' | '{' | '}' | '(' | ')' | '*' | '+' | '?' | '|' | '^' | '$' | '\\' => {
                if c == ']' || c == '}' {
                    self.out.push(c);
                    return Some(());
                }
                self.out.extend(['\\', c]);
            }
            c => self.out.push(c),
        }
        Some(())
    }
}

/// Whether no branch is the beginning of another; only plain texts are compared.
fn unlike(branches: &[Ast]) -> bool {
    let plain = |ast: &Ast| match ast {
        Ast::Literal(literal) => Some(literal.c.to_string()),
        Ast::Concat(concat) => concat
            .asts
            .iter()
            .map(|part| if let Ast::Literal(literal) = part { Some(literal.c) } else { None })
            .collect::<Option<String>>(),
        _ => None,
    };
    let Some(texts) = branches.iter().map(plain).collect::<Option<Vec<_>>>() else { return false };
    let starts = |(at, text): (usize, &String)| {
        texts.iter().enumerate().any(|(other, start)| at != other && text.starts_with(start.as_str()))
    };
    !texts.iter().enumerate().any(starts)
}

/// What stands between brackets.
fn perl(class: &ClassPerl) -> Option<&'static str> {
    match class.kind {
        ClassPerlKind::Digit => Some("0-9"),
        ClassPerlKind::Space => Some("[:space:]"),
        ClassPerlKind::Word => Some("[:alnum:]_"),
    }
}

/// The members of a bracket expression, in the order that POSIX needs: `]` first, `-` last, `^` not first.
#[derive(Default)]
struct Set {
    closing: bool,
    inner: String,
    caret: bool,
    dash: bool,
}

impl Set {
    fn item(&mut self, item: &ClassSetItem) -> Option<()> {
        match item {
            ClassSetItem::Literal(literal) => self.literal(literal.c)?,
            ClassSetItem::Range(range) => {
                let (from, to) = (range.start.c, range.end.c);
                if !(from.is_ascii_alphanumeric() && to.is_ascii_alphanumeric()) {
                    return None;
                }
                self.inner.push_str(&format!("{from}-{to}"));
            }
            ClassSetItem::Ascii(class) => self.inner.push_str(&ascii(class)?),
            ClassSetItem::Perl(class) if !class.negated => self.inner.push_str(perl(class)?),
            ClassSetItem::Union(union) => union.items.iter().try_for_each(|item| self.item(item))?,
            ClassSetItem::Perl(_) | ClassSetItem::Empty(_) | ClassSetItem::Unicode(_) | ClassSetItem::Bracketed(_) => {
                return None;
            }
        }
        Some(())
    }

    fn literal(&mut self, c: char) -> Option<()> {
        match c {
            ']' => self.closing = true,
            '-' => self.dash = true,
            '^' => self.caret = true,
            // A line break cannot be within a line.
            '\n' | '\r' => {}
            '[' => return None,
            c => self.inner.push(c),
        }
        Some(())
    }

    fn write(&self, negated: bool) -> Option<String> {
        let Self { closing, inner, caret, dash } = self;
        if inner.is_empty() && !closing && !caret && !dash {
            // `[^\n]` is any character of a line; `[\n]` is none.
            return negated.then(|| ".".to_owned());
        }
        if *caret && inner.is_empty() && !closing && !negated {
            return if *dash { Some("[-^]".to_owned()) } else { Some("\\^".to_owned()) };
        }
        let sign = |present: &bool, sign: &'static str| if *present { sign } else { "" };
        let not = if negated { "^" } else { "" };
        Some(format!("[{not}{}{inner}{}{}]", sign(closing, "]"), sign(caret, "^"), sign(dash, "-")))
    }
}

fn ascii(class: &ClassAscii) -> Option<String> {
    let name = match class.kind {
        ClassAsciiKind::Alnum => "alnum",
        ClassAsciiKind::Alpha => "alpha",
        ClassAsciiKind::Blank => "blank",
        ClassAsciiKind::Cntrl => "cntrl",
        ClassAsciiKind::Digit => "digit",
        ClassAsciiKind::Graph => "graph",
        ClassAsciiKind::Lower => "lower",
        ClassAsciiKind::Print => "print",
        ClassAsciiKind::Punct => "punct",
        ClassAsciiKind::Space => "space",
        ClassAsciiKind::Upper => "upper",
        ClassAsciiKind::Xdigit => "xdigit",
        ClassAsciiKind::Ascii | ClassAsciiKind::Word => return None,
    };
    (!class.negated).then(|| format!("[:{name}:]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grep_of(expression: &str, whole: bool) -> String {
        let (program, word) = Expression::of(&ShellText::literal(expression), whole).grep("");
        format!("{program} {word}")
    }

    #[test]
    fn what_posix_can_say_is_said_in_its_notation() {
        for (expression, grep) in [
            ("<title>.*</title>", "grep '<title>.*</title>'"),
            ("[0-9]+ letters", "grep -E '[0-9]+ letters'"),
            (r"\d{3}\.\w", r"grep -E '[0-9]{3}\.[[:alnum:]_]'"),
            ("entry [0-9] letters=8", "grep 'entry [0-9] letters=8'"),
            (r"^(?:a|b)\s$", "grep -E '^(a|b)[[:space:]]$'"),
            (r"[^\]\-x]", "grep '[^]x-]'"),
            (r"a\+b \(c\)", r"grep -E 'a\+b \(c\)'"),
            ("[[:alpha:]_]", "grep '[[:alpha:]_]'"),
            ("(?i)error", "grep -P '(?i)error'"),
            ("a.*?b", "grep -P 'a.*?b'"),
            (r"\bx\b", r"grep -P '\bx\b'"),
            (r"\p{Greek}", r"grep -P '\p{Greek}'"),
            ("-x", "grep -e -x"),
        ] {
            assert_eq!(grep_of(expression, false), grep);
        }
        assert_eq!(grep_of("error|err", true), "grep -P 'error|err'");
        assert_eq!(grep_of("error|warning", true), "grep -E 'error|warning'");
    }

    /// Asks a real grep, line by line and match by match.
    #[test]
    #[expect(clippy::disallowed_types, reason = "only a real grep tells what grep finds")]
    fn a_real_grep_finds_the_same() {
        let lines =
            ["ab", "a.b", "aab 12 x_y", "[a]", "a+b", "(c) {d}", "é1", "^-$", "a\\b", "no", "x\ty", "abc abcabc", "  "];
        for expression in [
            "a+",
            r"a\.b",
            r"\d+",
            r"\w+",
            r"[^a-c]+",
            r"\[.\]",
            r"a\+b|no",
            r"(ab)+c?",
            r"[\^$-]",
            r"a\\b",
            r"\s",
            r"^.{2}$",
            r"(?:a|b){2,}",
            r"[[:alpha:]]+\b",
            "(?i)AB",
            r"\{d",
            "x{0}a",
            r"[]a]",
            r"\(c\)",
        ] {
            let Ok(rust) = ::regex::Regex::new(expression) else { panic!("{expression}") };
            let (program, word) = Expression::of(&ShellText::literal(expression), true).grep("o");
            let words = lines.map(super::super::word::quote).join(" ");
            let script = format!("printf '%s\\n' {words} | {program} {word}");
            let output = std::process::Command::new("bash")
                .args(["-c", &script])
                .env("LC_ALL", "C.UTF-8")
                .output()
                .expect("bash");
            let expected: String = lines
                .iter()
                .flat_map(|line| rust.find_iter(line))
                .filter(|found| !found.is_empty())
                .map(|found| format!("{}\n", found.as_str()))
                .collect();
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{expression}: {script}");
        }
    }

    #[test]
    fn values_stay_where_they_are() {
        let text = ShellText::literal("a{2}").with(ShellText::variable("X")).and(r"\d");
        let expression = Expression::of(&text, false);
        assert_eq!(expression.grep("q"), ("grep -qE".to_owned(), "\"a{2}${X}[0-9]\"".to_owned()));
    }
}
