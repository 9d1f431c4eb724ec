//! `tar`: archives of a container's files, as `kubectl cp` needs them.
//!
//! Invariant: an archive is read and written in memory; nothing of it reaches a file but through the process's own view.

use std::io::{Cursor, Read};

use jiff::Timestamp;
use tar::{Archive, Builder, EntryType, Header};

use super::input::MAX_MEMORY;
use super::opts::Opts;
use crate::fs::{FileType, FsError, Metadata, OpenOptions};
use crate::process::{Exit, Process};

const LONG: [(&str, char); 9] = [
    ("create", 'c'),
    ("extract", 'x'),
    ("list", 't'),
    ("file", 'f'),
    ("directory", 'C'),
    ("verbose", 'v'),
    ("touch", 'm'),
    ("no-same-permissions", 'o'),
    ("no-same-owner", 'o'),
];

/// `tar -c|-x|-t [-f FILE] [-C DIR] [-vmpoh] [FILE...]`; the first word may go without its dash.
pub(super) async fn tar(mut process: Process) -> Exit {
    let bundle = |word: &String| !word.starts_with('-') && word.chars().any(|letter| "cxt".contains(letter));
    if let Some(word) = process.argv.get_mut(1).filter(|word| bundle(word)) {
        word.insert(0, '-');
    }
    let opts = match Opts::parse(&process, "cxtvmpohf:C:", &LONG) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let file = opts.value('f').unwrap_or("-").to_owned();
    if let Some(dir) = opts.value('C') {
        let path = process.path(dir);
        if !process.fs.is_dir(&path) {
            let why = process.fs.metadata(&path).err().unwrap_or(FsError::NotADirectory);
            return if process.image.is_busybox() {
                process.fail(1, format!("can't change directory to '{dir}': {why}")).await
            } else {
                process.warn(format!("tar: {dir}: Cannot open: {why}\n")).await;
                process.fail(2, "Error is not recoverable: exiting now").await
            };
        }
        process.cwd = path;
    }
    let run = Run { process, file, opts, failed: false };
    match run.opts.last_of("cxt") {
        Some('c') => run.create().await,
        Some(mode) => run.read(mode == 'x').await,
        None => Exit::not_simulated("tar without -c, -x or -t"),
    }
}

struct Run {
    process: Process,
    file: String,
    opts: Opts,
    failed: bool,
}

impl Run {
    /// Complains about one member; the others are still done.
    async fn complain(&mut self, name: &str, gnu: &str, busybox: &str, error: &FsError) {
        let text = match (self.process.image.is_busybox(), busybox) {
            (true, "") => format!("tar: {name}: {error}\n"),
            (true, doing) => format!("tar: {doing} '{name}': {error}\n"),
            (false, _) => format!("tar: {name}: {gnu}: {error}\n"),
        };
        self.process.warn(text).await;
        self.failed = true;
    }

    /// The end of a call that got through.
    async fn end(self) -> Exit {
        match (self.failed, self.process.image.is_busybox()) {
            (false, _) => Exit::SUCCESS,
            (true, true) => self.process.fail(1, "error exit delayed from previous errors").await,
            (true, false) => self.process.fail(2, "Exiting with failure status due to previous errors").await,
        }
    }

    async fn create(mut self) -> Exit {
        let mut archive = Builder::new(Vec::new());
        for operand in self.opts.operands.clone() {
            let name = operand.trim_start_matches('/');
            if name.len() < operand.len() {
                let text = if self.process.image.is_busybox() {
                    "tar: removing leading '/' from member names\n"
                } else {
                    "tar: Removing leading `/' from member names\n"
                };
                self.process.warn(text).await;
            }
            let mut left = vec![(self.process.path(&operand), name.to_owned())];
            while let Some((path, name)) = left.pop() {
                let metadata = match self.process.fs.symlink_metadata(&path) {
                    Ok(metadata) => metadata,
                    Err(error) => {
                        self.complain(&operand, "Cannot stat", "", &error).await;
                        continue;
                    }
                };
                if let Err(exit) = self.add(&mut archive, &path, &name, &metadata).await {
                    return exit;
                }
                if archive.get_ref().len() > MAX_MEMORY {
                    return Exit::not_simulated(format!("an archive of more than {MAX_MEMORY} bytes"));
                }
                if metadata.file_type == FileType::Directory {
                    let entries = self.process.fs.read_dir(&path).unwrap_or_default();
                    let below =
                        |entry: &str| (format!("{path}/{entry}"), format!("{}/{entry}", name.trim_end_matches('/')));
                    left.extend(entries.iter().rev().map(|entry| below(&entry.name)));
                }
            }
        }
        let Ok(bytes) = archive.into_inner() else { return Exit::not_simulated("this archive") };
        let written = if self.file == "-" {
            self.process.print(&bytes).await
        } else {
            match self.process.open(&self.file, OpenOptions::writing()) {
                Ok(file) => file.write_all(&bytes).await.map_err(|_| Exit::Code(2)),
                Err(error) => Err(self.process.fail_on(&self.file, error).await),
            }
        };
        match written {
            Ok(()) => self.end().await,
            Err(exit) => exit,
        }
    }

    async fn add(
        &mut self,
        archive: &mut Builder<Vec<u8>>,
        path: &str,
        name: &str,
        metadata: &Metadata,
    ) -> Result<(), Exit> {
        let mut header = Header::new_gnu();
        header.set_mode(metadata.mode);
        header.set_uid(metadata.uid.into());
        header.set_gid(metadata.gid.into());
        header.set_mtime(u64::try_from(metadata.modified.as_second()).unwrap_or(0));
        header.set_size(0);
        let added = match metadata.file_type {
            FileType::Directory => {
                header.set_entry_type(EntryType::Directory);
                let name = if name.is_empty() { "./".to_owned() } else { format!("{}/", name.trim_end_matches('/')) };
                archive.append_data(&mut header, name, std::io::empty())
            }
            FileType::Link => {
                header.set_entry_type(EntryType::Symlink);
                let target = self.process.fs.read_link(path).unwrap_or_default();
                archive.append_link(&mut header, name, target)
            }
            FileType::File => {
                let content = match self.process.fs.read(path) {
                    Ok(content) => content,
                    Err(FsError::NotSimulated) => return Err(Exit::not_simulated(format!("the content of {path}"))),
                    Err(error) => {
                        self.complain(name, "Cannot open", "can't open", &error).await;
                        return Ok(());
                    }
                };
                header.set_entry_type(EntryType::Regular);
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, name, content.as_slice())
            }
            FileType::Device => return Err(Exit::not_simulated(format!("a device in an archive: {path}"))),
        };
        added.map_err(|error| Exit::not_simulated(format!("the archive member {name}: {error}")))?;
        self.tell(name).await
    }

    /// Names a member where `-v` asks for it: on the stream that does not carry the archive.
    async fn tell(&self, name: &str) -> Result<(), Exit> {
        if !self.opts.has('v') {
            return Ok(());
        }
        if self.opts.has('c') && self.file == "-" {
            self.process.warn(format!("{name}\n")).await;
            return Ok(());
        }
        self.process.print(format!("{name}\n")).await
    }

    async fn read(mut self, extract: bool) -> Exit {
        let bytes = match self.process.read_whole(&self.file).await {
            Ok(bytes) => bytes,
            Err(exit) => return exit,
        };
        let members = match members(bytes) {
            Ok(members) => members,
            Err(Unread::TooLong) => {
                return Exit::not_simulated(format!("an archive of more than {MAX_MEMORY} bytes"));
            }
            Err(Unread::Broken) => return self.broken().await,
        };
        let wanted = self.opts.operands.clone();
        for member in members {
            let name = member.name.trim_end_matches('/');
            let is_wanted = |operand: &String| {
                let operand = operand.trim_end_matches('/');
                name == operand || name.strip_prefix(operand).is_some_and(|rest| rest.starts_with('/'))
            };
            if !wanted.is_empty() && !wanted.iter().any(is_wanted) {
                continue;
            }
            let told = if extract { self.tell(&member.name).await } else { self.list(&member.name).await };
            if let Err(exit) = told {
                return exit;
            }
            if extract && let Err(error) = self.extract(&member) {
                self.complain(&member.name, "Cannot open", "can't open", &error).await;
            }
        }
        self.end().await
    }

    async fn list(&self, name: &str) -> Result<(), Exit> {
        if self.opts.has('v') {
            return Err(Exit::not_simulated("tar -tv"));
        }
        self.process.print(format!("{name}\n")).await
    }

    /// What is no archive, or one that was cut short.
    async fn broken(self) -> Exit {
        if self.process.image.is_busybox() {
            return self.process.fail(1, "invalid tar magic").await;
        }
        self.process.warn("tar: This does not look like a tar archive\n").await;
        self.process.fail(2, "Exiting with failure status due to previous errors").await
    }

    fn extract(&self, member: &Member) -> Result<(), FsError> {
        // No member leaves the directory that it is unpacked in.
        let name = member.name.trim_start_matches('/').trim_end_matches('/');
        if name.split('/').any(|part| part == "..") {
            return Err(FsError::PermissionDenied);
        }
        let path = self.process.path(if name.is_empty() { "." } else { name });
        let fs = &self.process.fs;
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            fs.create_dir_all(parent)?;
        }
        match member.kind {
            EntryType::Directory => fs.create_dir_all(&path)?,
            EntryType::Symlink => {
                if fs.symlink_metadata(&path).is_ok() {
                    fs.remove_file(&path)?;
                }
                return fs.symlink(member.target.as_deref().unwrap_or_default(), &path);
            }
            EntryType::Regular | EntryType::Continuous => {
                if fs.symlink_metadata(&path).is_ok_and(|metadata| metadata.file_type == FileType::Link) {
                    fs.remove_file(&path)?;
                }
                fs.write(&path, &member.content)?;
            }
            // Headers that say something about others are read by the library; the rest has no place here.
            _ => return Err(FsError::NotSimulated),
        }
        fs.set_mode(&path, member.mode & if self.opts.has('p') { 0o7777 } else { 0o755 })?;
        if !self.opts.has('m')
            && let Some(at) = i64::try_from(member.modified).ok().and_then(|at| Timestamp::from_second(at).ok())
        {
            fs.set_modified(&path, at)?;
        }
        Ok(())
    }
}

/// Why an archive was not read.
enum Unread {
    TooLong,
    Broken,
}

/// All that an archive holds.
fn members(bytes: Vec<u8>) -> Result<Vec<Member>, Unread> {
    let mut archive = Archive::new(Cursor::new(bytes));
    let mut members = Vec::new();
    let mut room = MAX_MEMORY as u64;
    for entry in archive.entries().map_err(|_| Unread::Broken)? {
        let member = entry.and_then(|entry| {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
            let (kind, mode) = (entry.header().entry_type(), entry.header().mode()?);
            let modified = entry.header().mtime()?;
            let mut content = Vec::new();
            // A sparse member can claim any size.
            entry.take(room + 1).read_to_end(&mut content)?;
            Ok(Member { name, target, kind, mode, modified, content })
        });
        let member = member.map_err(|_| Unread::Broken)?;
        room = room.checked_sub(member.content.len() as u64).ok_or(Unread::TooLong)?;
        members.push(member);
    }
    Ok(members)
}

/// A file, directory or link of an archive.
struct Member {
    name: String,
    target: Option<String>,
    kind: EntryType,
    mode: u32,
    modified: u64,
    content: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use crate::process::Exit;
    use crate::process::testing::{container, run_in};

    #[tokio::test(start_paused = true)]
    async fn what_is_packed_is_unpacked() {
        let container = container("busybox");
        let script = "mkdir -p /a/d && echo one >/a/f && echo two >/a/d/g && ln -s f /a/l && tar cf /x.tar -C / a && \
                      mkdir /out && tar xf /x.tar -C /out && cat /out/a/f /out/a/d/g && readlink /out/a/l && tar tf /x.tar";
        let output = run_in(&container, &["sh", "-c", script], b"").await;
        let expected = "one\ntwo\nf\na/\na/d/\na/d/g\na/f\na/l\n";
        assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.exit), (expected, "", Exit::SUCCESS));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_worded_as_by_the_image() {
        let cases = [
            ("busybox", "tar: /no: No such file or directory\ntar: error exit delayed from previous errors\n", 1),
            (
                "debian",
                "tar: /no: Cannot stat: No such file or directory\ntar: Exiting with failure status due to previous errors\n",
                2,
            ),
        ];
        for (image, words, code) in cases {
            let output = run_in(&container(image), &["tar", "-cf", "/x", "/no"], b"").await;
            assert!(output.stderr.ends_with(words), "{image}: {}", output.stderr);
            assert_eq!(output.exit, Exit::Code(code));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_archive_upsets_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async { run_in(&container("busybox"), &["tar", "xf", "-"], &bytes).await });
        }
    }
}
