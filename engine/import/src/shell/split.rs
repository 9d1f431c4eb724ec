//! A script cut into commands, each with its lines: so that one that cannot be read costs no more than itself.
//!
//! Quotes, here-documents, brackets and the words that open blocks are followed closely enough to know where a command
//! ends. Placeholders are marked on the way. One pass; what is never closed reaches to the end.

use super::marks;

/// A command with all its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// As the page shows it.
    pub(crate) text: String,
    /// As it is parsed: placeholders are marked, and here-documents are kept apart.
    pub(super) marked: String,
    /// The texts of its here-documents.
    pub(super) here: Vec<String>,
    /// The line it starts on, from 0.
    pub(crate) line: usize,
    /// The comment lines right above it, without their marks.
    pub(crate) comment: Vec<String>,
    /// Whether something in it was not closed.
    pub(crate) open: bool,
}

/// Cuts a script.
pub(crate) fn chunks(script: &str) -> Vec<Chunk> {
    marked_chunks(&marks::clean(script))
}

/// Cuts a script whose marks are ours.
pub(crate) fn marked_chunks(script: &str) -> Vec<Chunk> {
    let lines: Vec<&str> = script.split_inclusive('\n').collect();
    let mut found = Vec::new();
    let mut at = 0;
    let mut comment: Vec<String> = Vec::new();
    // Text that is never closed is given up line by line, and that only a number of times.
    let mut left = 40;
    while at < lines.len() {
        let trimmed = lines[at].trim();
        if trimmed.is_empty() {
            comment.clear();
            at += 1;
            continue;
        }
        if let Some(words) = trimmed.strip_prefix('#') {
            comment.push(words.trim_start_matches('#').trim().to_owned());
            at += 1;
            continue;
        }
        let mut scan = Scan::default();
        let mut end = at;
        while end < lines.len() {
            scan.line(lines[end]);
            end += 1;
            if scan.is_closed() {
                break;
            }
        }
        let open = !scan.is_closed();
        if open && left > 0 {
            left -= 1;
            end = at + 1;
        }
        let text: String = lines[at..end].concat();
        let (marked, here) = if open { (text.clone(), Vec::new()) } else { (scan.marked, scan.texts) };
        let comment = std::mem::take(&mut comment);
        found.push(Chunk { text: text.trim_end().to_owned(), marked, here, line: at, comment, open });
        at = end;
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Single,
    Double,
    /// `$(` or `(`, with what it stands in.
    Paren,
    Braces,
    Backquote,
}

#[derive(Default)]
struct Scan {
    frames: Vec<Frame>,
    /// Here-documents that begin on the next line: delimiter, and whether tabs are stripped.
    waiting: Vec<(String, bool)>,
    /// The here-document that is being read.
    here: Option<(String, bool)>,
    /// The texts of those that were read, and of the one that is.
    texts: Vec<String>,
    /// Words that open a block less those that close one.
    blocks: usize,
    /// The line goes on: a backslash, a pipe or an `&&` at its end.
    goes_on: bool,
    marked: String,
}

impl Scan {
    fn is_closed(&self) -> bool {
        self.frames.is_empty() && self.waiting.is_empty() && self.here.is_none() && self.blocks == 0 && !self.goes_on
    }

    fn line(&mut self, line: &str) {
        if self.here_document(line) {
            return;
        }
        let mut word = String::new();
        let mut starts_command = !self.goes_on || self.marked.trim_end().ends_with(['|', '&']);
        self.goes_on = false;
        let mut rest = line;
        let mut last = ' ';
        while let Some(c) = rest.chars().next() {
            let plain = !matches!(self.frames.last(), Some(Frame::Single | Frame::Double | Frame::Backquote));
            if plain
                && c == '<'
                && last != '<'
                && let Some((length, name)) = marks::placeholder(rest)
            {
                marks::mark_placeholder(name, &mut self.marked);
                rest = &rest[length..];
                last = '>';
                word.push('x');
                continue;
            }
            if plain && c == '<' && rest.starts_with("<<") && !rest.starts_with("<<<") && last != '<' {
                let length = self.delimiter(&rest[2..]) + 2;
                self.marked.push_str(&rest[..length]);
                rest = &rest[length..];
                last = ' ';
                continue;
            }
            if plain && c == '#' && (last.is_whitespace() || last == ';') && self.frames.is_empty() {
                // A comment at the end of a line.
                self.marked.push('\n');
                break;
            }
            if plain && (c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(' | ')')) {
                self.word(&word, starts_command);
                let keyword =
                    matches!(word.as_str(), "do" | "then" | "else" | "elif" | "if" | "while" | "until" | "!" | "{");
                starts_command = match c {
                    ';' | '|' | '&' | '(' | '\n' => true,
                    _ => starts_command && (word.is_empty() || keyword),
                };
                word.clear();
            } else if plain {
                word.push(c);
            }
            let length = self.character(c, rest);
            self.marked.push_str(&rest[..length]);
            last = if length > c.len_utf8() { 'x' } else { c };
            rest = &rest[length..];
        }
        if !matches!(self.frames.last(), Some(Frame::Single | Frame::Double)) {
            self.word(&word, starts_command);
            let ends = line.trim_end_matches(['\n', '\r']);
            let tail = ends.trim_end();
            if tail.ends_with('|') || tail.ends_with("&&") {
                self.goes_on = true;
            }
            let backslashes = ends.len() - ends.trim_end_matches('\\').len();
            if backslashes % 2 == 1 {
                self.goes_on = true;
            }
        }
        if !self.waiting.is_empty() && !self.goes_on && self.frames.iter().all(|frame| *frame == Frame::Paren) {
            self.open_here_document();
        }
    }

    fn open_here_document(&mut self) {
        if !self.waiting.is_empty() {
            self.here = Some(self.waiting.remove(0));
            marks::mark_here_document(self.texts.len(), &mut self.marked);
            self.texts.push(String::new());
        }
    }

    /// Takes a line of a here-document.
    fn here_document(&mut self, line: &str) -> bool {
        let Some((delimiter, tabs)) = &self.here else { return false };
        let text = line.trim_end_matches(['\n', '\r']);
        let bare = if *tabs { text.trim_start_matches('\t') } else { text };
        if bare == delimiter {
            self.here = None;
            self.marked.push_str(line);
            self.open_here_document();
        } else if let Some(text) = self.texts.last_mut() {
            text.push_str(if *tabs { line.trim_start_matches('\t') } else { line });
        }
        true
    }

    /// Follows quotes and brackets; gives how many bytes were read.
    fn character(&mut self, c: char, rest: &str) -> usize {
        let size = c.len_utf8();
        let next = rest[size..].chars().next();
        match (self.frames.last().copied(), c) {
            (Some(Frame::Single), '\'') | (Some(Frame::Double), '"') | (Some(Frame::Braces), '}') => {
                self.frames.pop();
            }
            (Some(Frame::Single), _) => {}
            (_, '\\') => return size + next.filter(|c| *c != '\n').map_or(0, char::len_utf8),
            (_, '`') => match self.frames.iter().rposition(|frame| *frame == Frame::Backquote) {
                Some(open) => self.frames.truncate(open),
                None => self.frames.push(Frame::Backquote),
            },
            (_, '$') if next == Some('(') => {
                self.frames.push(Frame::Paren);
                return size + 1;
            }
            (_, '$') if next == Some('{') => {
                self.frames.push(Frame::Braces);
                return size + 1;
            }
            (Some(Frame::Double), _) => {}
            (_, '"') => self.frames.push(Frame::Double),
            (_, '\'') => self.frames.push(Frame::Single),
            (_, '(') => self.frames.push(Frame::Paren),
            (Some(Frame::Paren), ')') => {
                self.frames.pop();
            }
            _ => {}
        }
        size
    }

    fn word(&mut self, word: &str, starts_command: bool) {
        if !starts_command || !self.frames.is_empty() {
            return;
        }
        match word {
            "for" | "while" | "until" | "if" | "case" | "{" => self.blocks += 1,
            "done" | "fi" | "esac" | "}" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    /// Reads what ends a here-document; gives how many bytes that took.
    fn delimiter(&mut self, rest: &str) -> usize {
        let tabs = rest.starts_with('-');
        let mut at = usize::from(tabs);
        at += rest[at..].len() - rest[at..].trim_start_matches([' ', '\t']).len();
        let mut word = String::new();
        let mut quote = None;
        for c in rest[at..].chars() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => word.push(c),
                None if c == '\'' || c == '"' => quote = Some(c),
                None if c == '\\' => {}
                None if c.is_whitespace() || matches!(c, ';' | '|' | '&' | '<' | '>' | '(' | ')') => break,
                None => word.push(c),
            }
            at += c.len_utf8();
        }
        if !word.is_empty() {
            self.waiting.push((word, tabs));
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(script: &str) -> Vec<(usize, String)> {
        chunks(script).into_iter().map(|chunk| (chunk.line, chunk.text)).collect()
    }

    fn lines(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
        expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn each_command_keeps_its_lines() {
        let script = "# first\nkubectl apply -f - <<EOF\na: '\n# kept\nEOF\n\necho \"a\nb\" && \\\n  c\nx |\ny\n";
        assert_eq!(
            cut(script),
            lines(&[
                (1, "kubectl apply -f - <<EOF\na: '\n# kept\nEOF"),
                (6, "echo \"a\nb\" && \\\n  c"),
                (9, "x |\ny"),
            ])
        );
        assert_eq!(chunks(script)[0].comment, ["first"]);
    }

    #[test]
    fn loops_stay_whole() {
        let script = "for i in {1..3}; do\n  if a; then\n    b && break\n  fi\n  sleep 1\ndone\necho for done\n";
        assert_eq!(cut(script).len(), 2);
        assert_eq!(cut("while ! a; do\nsleep 1\ndone\nb").len(), 2);
        assert_eq!(cut("f() {\n a\n}\nb").len(), 2);
    }

    #[test]
    fn what_is_never_closed_costs_its_line_only() {
        assert_eq!(cut("echo 'a\nkubectl get x\n"), lines(&[(0, "echo 'a"), (1, "kubectl get x")]));
        assert!(chunks("echo 'a\nb")[0].open);
    }

    #[test]
    fn placeholders_are_marked_outside_quotes_only() {
        let found = chunks("export A=<THE IP> B=\"<title>\"\n");
        assert!(found[0].marked.contains("<title>"));
        assert!(!found[0].marked.contains("<THE"));
        assert_eq!(marks::shown(&found[0].marked).trim_end(), found[0].text);
    }

    #[test]
    fn a_here_document_in_a_substitution_is_followed() {
        assert_eq!(cut("x $(cat <<EOF\n)\nEOF\n)\ny").len(), 2);
    }
}
