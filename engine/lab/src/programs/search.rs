//! `find`: a walk over directories with tests and actions.
//!
//! Invariant: a directory's entries come in the order of their names, which a real file system leaves open.

use crate::fs::{FileType, Metadata};
use crate::process::{Exit, Process};
use crate::shell::pattern::Pattern;

enum Test {
    Name(Pattern, bool),
    Path(Pattern),
    Type(FileType),
    Empty,
    /// Bytes or blocks: sign, number, unit.
    Size(char, u64, u64),
    Newer(jiff::Timestamp),
    /// Minutes or days ago: sign, number, seconds of the unit.
    Modified(char, i64, i64),
    Print,
    Print0,
    Prune,
    Delete,
    Exec(Vec<String>),
    /// `-exec ... +`, by its place among the batches.
    Batch(usize),
    Not(Box<Test>),
    And(Vec<Test>),
    Or(Vec<Test>),
}

struct Find<'a> {
    process: &'a Process,
    least: usize,
    most: usize,
    batches: Vec<(Vec<String>, Vec<String>)>,
    exit: Exit,
    acts: bool,
    depth_first: bool,
}

/// `find [DIR...] [EXPRESSION]`
pub(super) async fn main(process: Process) -> Exit {
    match run(&process).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn run(process: &Process) -> Result<Exit, Exit> {
    let args = process.args();
    let count = args.iter().take_while(|arg| !arg.starts_with(['-', '!', '('])).count();
    let (roots, expression) = args.split_at(count);
    let roots = if roots.is_empty() { vec![".".to_owned()] } else { roots.to_vec() };
    let mut find = Find {
        process,
        least: 0,
        most: usize::MAX,
        batches: Vec::new(),
        exit: Exit::SUCCESS,
        acts: false,
        depth_first: false,
    };
    let mut words = expression.iter().map(String::as_str).collect::<Vec<_>>();
    words.reverse();
    let mut test = find.or(&mut words, 0)?;
    if !words.is_empty() {
        return Err(Exit::not_simulated("find with such an expression"));
    }
    if !find.acts {
        test = Test::And(vec![test, Test::Print]);
    }
    for root in roots {
        find.walk(&root, &test).await?;
    }
    for (command, paths) in std::mem::take(&mut find.batches) {
        if !paths.is_empty() {
            let argv = command.iter().cloned().chain(paths).collect();
            if !find.execute(argv).await? {
                find.exit = Exit::FAILURE;
            }
        }
    }
    Ok(find.exit)
}

impl Find<'_> {
    fn or(&mut self, words: &mut Vec<&str>, depth: usize) -> Result<Test, Exit> {
        if depth > 50 {
            return Err(Exit::not_simulated("a find expression that nests this deep"));
        }
        let mut tests = vec![self.and(words, depth)?];
        while matches!(words.last(), Some(&("-o" | "-or"))) {
            words.pop();
            tests.push(self.and(words, depth)?);
        }
        Ok(Test::Or(tests))
    }

    fn and(&mut self, words: &mut Vec<&str>, depth: usize) -> Result<Test, Exit> {
        let mut tests = Vec::new();
        while let Some(&word) = words.last() {
            match word {
                "-o" | "-or" | ")" => break,
                "-a" | "-and" => {
                    words.pop();
                }
                _ => {
                    let test = self.primary(words, depth)?;
                    tests.extend(test);
                }
            }
        }
        Ok(Test::And(tests))
    }

    /// One test or action; options that hold for the whole walk give none.
    fn primary(&mut self, words: &mut Vec<&str>, depth: usize) -> Result<Option<Test>, Exit> {
        let Some(word) = words.pop() else { return Ok(None) };
        let odd = || Exit::not_simulated(format!("find {word}"));
        match word {
            "!" | "-not" => {
                if depth > 50 {
                    return Err(odd());
                }
                return Ok(self.primary(words, depth + 1)?.map(|test| Test::Not(Box::new(test))));
            }
            "(" => {
                let test = self.or(words, depth + 1)?;
                return if words.pop() == Some(")") { Ok(Some(test)) } else { Err(odd()) };
            }
            "-print" => {
                self.acts = true;
                return Ok(Some(Test::Print));
            }
            "-print0" => {
                self.acts = true;
                return Ok(Some(Test::Print0));
            }
            "-delete" => {
                (self.acts, self.depth_first) = (true, true);
                return Ok(Some(Test::Delete));
            }
            "-depth" => {
                self.depth_first = true;
                return Ok(None);
            }
            "-prune" => return Ok(Some(Test::Prune)),
            "-empty" => return Ok(Some(Test::Empty)),
            "-xdev" | "-mount" => return Ok(None),
            "-exec" => return self.exec(words).map(Some),
            _ => {}
        }
        let value = words.pop().ok_or_else(odd)?;
        let sign = |text: &str| match text.chars().next() {
            Some(c @ ('+' | '-')) => (c, text[1..].to_owned()),
            _ => ('=', text.to_owned()),
        };
        Ok(match word {
            "-maxdepth" | "-mindepth" => {
                let depth = value.parse().map_err(|_| odd())?;
                if word == "-maxdepth" {
                    self.most = depth;
                } else {
                    self.least = depth;
                }
                None
            }
            "-name" => Some(Test::Name(Pattern::from_text(value), false)),
            "-iname" => Some(Test::Name(Pattern::from_text(&value.to_lowercase()), true)),
            "-path" | "-wholename" => Some(Test::Path(Pattern::from_text(value))),
            "-type" => Some(Test::Type(match value {
                "f" => FileType::File,
                "d" => FileType::Directory,
                "l" => FileType::Link,
                "c" => FileType::Device,
                _ => return Err(odd()),
            })),
            "-size" => {
                let (sign, text) = sign(value);
                let (digits, unit) = match text.strip_suffix(['c', 'k', 'M', 'b']) {
                    Some(digits) => (digits, &text[digits.len()..]),
                    None => (text.as_str(), "b"),
                };
                let unit = match unit {
                    "c" => 1,
                    "k" => 1 << 10,
                    "M" => 1 << 20,
                    _ => 512,
                };
                Some(Test::Size(sign, digits.parse().map_err(|_| odd())?, unit))
            }
            "-newer" => {
                let path = self.process.path(value);
                Some(Test::Newer(self.process.fs.metadata(&path).map_err(|_| odd())?.modified))
            }
            "-mtime" | "-mmin" => {
                let (sign, text) = sign(value);
                let unit = if word == "-mtime" { 86_400 } else { 60 };
                Some(Test::Modified(sign, text.parse().map_err(|_| odd())?, unit))
            }
            _ => return Err(odd()),
        })
    }

    fn exec(&mut self, words: &mut Vec<&str>) -> Result<Test, Exit> {
        self.acts = true;
        let mut argv = Vec::new();
        loop {
            match words.pop() {
                Some(";") => return Ok(Test::Exec(argv)),
                Some("+") if argv.last().is_some_and(|word: &String| word == "{}") => {
                    argv.pop();
                    self.batches.push((argv, Vec::new()));
                    return Ok(Test::Batch(self.batches.len() - 1));
                }
                Some(word) => argv.push(word.to_owned()),
                None => return Err(Exit::not_simulated("find -exec without its end")),
            }
        }
    }

    async fn walk(&mut self, root: &str, test: &Test) -> Result<(), Exit> {
        // Entries still to be looked at: path, depth, whether its directory's content has been.
        let mut ahead = vec![(root.to_owned(), 0, false)];
        let mut seen = 0u32;
        while let Some((path, depth, done)) = ahead.pop() {
            seen += 1;
            if seen.is_multiple_of(512) {
                tokio::task::yield_now().await;
            }
            let full = self.process.path(&path);
            let metadata = match self.process.fs.symlink_metadata(&full) {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.complain(&path, &error.to_string()).await;
                    continue;
                }
            };
            let directory = metadata.file_type == FileType::Directory;
            let first = !self.depth_first || done || !directory;
            let mut prune = false;
            if first && depth >= self.least {
                self.check(&path, &metadata, test, &mut prune).await?;
            }
            if !directory || done || prune || depth >= self.most {
                if self.depth_first && directory && !done && depth >= self.least {
                    self.check(&path, &metadata, test, &mut prune).await?;
                }
                continue;
            }
            let entries = match self.process.fs.read_dir(&full) {
                Ok(entries) => entries,
                Err(error) => {
                    self.complain(&path, &error.to_string()).await;
                    continue;
                }
            };
            if self.depth_first {
                ahead.push((path.clone(), depth, true));
            }
            let base = if path.ends_with('/') { path } else { path + "/" };
            ahead.extend(entries.into_iter().rev().map(|entry| (format!("{base}{}", entry.name), depth + 1, false)));
        }
        Ok(())
    }

    async fn complain(&mut self, path: &str, error: &str) {
        let text =
            if self.process.image.is_busybox() { format!("{path}: {error}") } else { format!("'{path}': {error}") };
        self.exit = self.process.fail(1, text).await;
    }

    async fn check(&mut self, path: &str, metadata: &Metadata, test: &Test, prune: &mut bool) -> Result<bool, Exit> {
        Ok(match test {
            Test::And(tests) => {
                for test in tests {
                    if !Box::pin(self.check(path, metadata, test, prune)).await? {
                        return Ok(false);
                    }
                }
                true
            }
            Test::Or(tests) => {
                for test in tests {
                    if Box::pin(self.check(path, metadata, test, prune)).await? {
                        return Ok(true);
                    }
                }
                false
            }
            Test::Not(test) => !Box::pin(self.check(path, metadata, test, prune)).await?,
            Test::Name(pattern, fold) => {
                let name = crate::fs::file_name(path);
                pattern.matches(&if *fold { name.to_lowercase() } else { name.to_owned() })
            }
            Test::Path(pattern) => pattern.matches(path),
            Test::Type(wanted) => metadata.file_type == *wanted,
            Test::Empty => match metadata.file_type {
                FileType::Directory => {
                    self.process.fs.read_dir(&self.process.path(path)).is_ok_and(|entries| entries.is_empty())
                }
                FileType::File => metadata.len == Some(0),
                _ => false,
            },
            Test::Size(sign, number, unit) => {
                let size = metadata.len.unwrap_or(0).div_ceil(*unit);
                compare(*sign, size, *number)
            }
            Test::Newer(than) => metadata.modified > *than,
            Test::Modified(sign, number, unit) => {
                let age = (self.process.clock.now().as_second() - metadata.modified.as_second()) / unit;
                compare(*sign, age, *number)
            }
            Test::Print => {
                self.process.print(format!("{path}\n")).await?;
                true
            }
            Test::Print0 => {
                self.process.print(format!("{path}\0")).await?;
                true
            }
            Test::Prune => {
                *prune = true;
                true
            }
            Test::Delete => {
                let full = self.process.path(path);
                let removed = if metadata.file_type == FileType::Directory {
                    self.process.fs.remove_dir(&full)
                } else {
                    self.process.fs.remove_file(&full)
                };
                match removed {
                    Ok(()) => true,
                    Err(error) => {
                        let text = if self.process.image.is_busybox() {
                            format!("{path}: {error}")
                        } else {
                            format!("cannot delete '{path}': {error}")
                        };
                        self.exit = self.process.fail(1, text).await;
                        false
                    }
                }
            }
            Test::Exec(command) => {
                let argv = command.iter().map(|word| word.replace("{}", path)).collect();
                self.execute(argv).await?
            }
            Test::Batch(index) => {
                self.batches[*index].1.push(path.to_owned());
                true
            }
        })
    }

    async fn execute(&self, argv: Vec<String>) -> Result<bool, Exit> {
        let child = self.process.child(argv);
        match super::env::run(self.process, child).await {
            exit @ (Exit::NotSimulated(_) | Exit::NotFound(_)) => Err(exit),
            exit => Ok(exit == Exit::SUCCESS),
        }
    }
}

fn compare<T: Ord + Copy>(sign: char, value: T, than: T) -> bool {
    match sign {
        '+' => value > than,
        '-' => value < than,
        _ => value == than,
    }
}
