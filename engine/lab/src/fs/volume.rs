//! One volume: a tree of inodes that may be mounted into several containers at once.
//!
//! Invariant: every change bumps the volume's generation, so whoever follows a file never polls.

use super::FsError;
use super::path::components;
use crate::clock::Clock;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// What a volume may hold: an ephemeral store is bounded in life too.
const MAX_BYTES: u64 = 64 << 20;
/// How many inodes a volume may hold.
const MAX_NODES: usize = 65_536;
/// The inode number of a volume's root.
pub(super) const ROOT: u64 = 1;

/// A tree of files, directories and links, shared by everyone who has it mounted.
#[derive(Clone)]
pub struct Volume {
    inner: Arc<Inner>,
}

struct Inner {
    tree: Mutex<Tree>,
    generation: watch::Sender<u64>,
    clock: Clock,
}

/// What kind of thing an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A character device such as `/dev/null`.
    Device,
}

/// What `stat` tells about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Inode number, unique in its volume, never used twice.
    pub inode: u64,
    /// File, directory, link or device.
    pub file_type: FileType,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes; 4096 for a directory. `None` for a program, whose content the lab does not have.
    pub len: Option<u64>,
    /// Number of names.
    pub links: u64,
    /// Last change of the content.
    pub modified: Timestamp,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) modified: Timestamp,
    pub(super) links: u64,
    /// How many handles are open; an inode lives as long as it has a name or a handle.
    pub(super) handles: u64,
}

#[derive(Clone)]
pub(super) enum Kind {
    File(Vec<u8>),
    Directory(BTreeMap<String, u64>),
    Link(String),
    /// `/dev/null` and its like, by name.
    Device(Device),
    /// An executable that the lab carries out itself (or not at all); its bytes do not exist.
    Program(Arc<str>),
}

/// The character devices that the lab knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/null`
    Null,
    /// `/dev/zero`
    Zero,
    /// `/dev/stdin`, `/dev/stdout`, `/dev/stderr`: the process's own descriptor.
    Descriptor(u32),
}

pub(super) struct Tree {
    pub(super) nodes: BTreeMap<u64, Node>,
    next: u64,
    bytes: u64,
}

impl Node {
    fn metadata(&self, inode: u64) -> Metadata {
        let (file_type, len) = match &self.kind {
            Kind::File(data) => (FileType::File, Some(data.len() as u64)),
            Kind::Directory(_) => (FileType::Directory, Some(4096)),
            Kind::Link(target) => (FileType::Link, Some(target.len() as u64)),
            Kind::Device(_) => (FileType::Device, Some(0)),
            Kind::Program(_) => (FileType::File, None),
        };
        Metadata {
            inode,
            file_type,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            len,
            links: self.links,
            modified: self.modified,
        }
    }
}

impl Tree {
    pub(super) fn get(&self, inode: u64) -> Result<&Node, FsError> {
        self.nodes.get(&inode).ok_or(FsError::NotFound)
    }

    pub(super) fn get_mut(&mut self, inode: u64) -> Result<&mut Node, FsError> {
        self.nodes.get_mut(&inode).ok_or(FsError::NotFound)
    }

    pub(super) fn metadata(&self, inode: u64) -> Result<Metadata, FsError> {
        Ok(self.get(inode)?.metadata(inode))
    }

    pub(super) fn children(&self, directory: u64) -> Result<&BTreeMap<String, u64>, FsError> {
        match &self.get(directory)?.kind {
            Kind::Directory(children) => Ok(children),
            _ => Err(FsError::NotADirectory),
        }
    }

    fn children_mut(&mut self, directory: u64) -> Result<&mut BTreeMap<String, u64>, FsError> {
        match &mut self.get_mut(directory)?.kind {
            Kind::Directory(children) => Ok(children),
            _ => Err(FsError::NotADirectory),
        }
    }

    /// Adds a new inode under `directory`. The name must be free.
    pub(super) fn add(&mut self, directory: u64, name: &str, node: Node) -> Result<u64, FsError> {
        if self.children(directory)?.contains_key(name) {
            return Err(FsError::AlreadyExists);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(FsError::NoSpace);
        }
        if let Kind::File(data) = &node.kind {
            self.reserve(0, data.len())?;
        }
        let inode = self.next;
        self.next += 1;
        let modified = node.modified;
        self.nodes.insert(inode, node);
        self.children_mut(directory)?.insert(name.to_owned(), inode);
        self.get_mut(directory)?.modified = modified;
        Ok(inode)
    }

    /// Gives `directory` one more name for `inode`, replacing what had that name.
    pub(super) fn link(&mut self, directory: u64, name: &str, inode: u64, now: Timestamp) -> Result<(), FsError> {
        let replaced = self.children_mut(directory)?.insert(name.to_owned(), inode);
        self.get_mut(inode)?.links += 1;
        if let Some(old) = replaced {
            self.release(old);
        }
        self.get_mut(directory)?.modified = now;
        Ok(())
    }

    /// Takes a name away. An inode without names is freed, together with what stands below it.
    pub(super) fn unlink(&mut self, directory: u64, name: &str, now: Timestamp) -> Result<(), FsError> {
        let inode = self.children_mut(directory)?.remove(name).ok_or(FsError::NotFound)?;
        self.get_mut(directory)?.modified = now;
        self.release(inode);
        Ok(())
    }

    fn release(&mut self, inode: u64) {
        let mut doomed = vec![inode];
        while let Some(inode) = doomed.pop() {
            let Some(node) = self.nodes.get_mut(&inode) else { continue };
            node.links = node.links.saturating_sub(1);
            if node.links > 0 || node.handles > 0 {
                continue;
            }
            match self.nodes.remove(&inode).map(|node| node.kind) {
                Some(Kind::File(data)) => self.bytes = self.bytes.saturating_sub(data.len() as u64),
                Some(Kind::Directory(children)) => doomed.extend(children.into_values()),
                _ => {}
            }
        }
    }

    /// Notes that one handle more is open.
    pub(super) fn opened(&mut self, inode: u64) -> Result<(), FsError> {
        self.get_mut(inode)?.handles += 1;
        Ok(())
    }

    /// Notes that a handle was closed, and frees the inode if nothing else keeps it.
    pub(super) fn closed(&mut self, inode: u64) {
        let Some(node) = self.nodes.get_mut(&inode) else { return };
        node.handles = node.handles.saturating_sub(1);
        if node.handles == 0 && node.links == 0 {
            self.release(inode);
        }
    }

    /// Accounts for a file that changes its length.
    pub(super) fn reserve(&mut self, old: usize, new: usize) -> Result<(), FsError> {
        let bytes = self.bytes.saturating_sub(old as u64) + new as u64;
        if bytes > MAX_BYTES && new > old {
            return Err(FsError::NoSpace);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Volume {
    /// An empty volume whose root belongs to root and is open to all (mode 0777), as an `emptyDir` is.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let root = Node {
            kind: Kind::Directory(BTreeMap::new()),
            mode: 0o777,
            uid: 0,
            gid: 0,
            modified: clock.now(),
            links: 1,
            handles: 0,
        };
        let tree = Tree { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, bytes: 0 };
        Self { inner: Arc::new(Inner { tree: Mutex::new(tree), generation: watch::Sender::new(0), clock }) }
    }

    /// A volume holding these files (path below the root, content), readable by all: what a ConfigMap or Secret gives.
    ///
    /// # Errors
    /// As for [`Volume::replace`].
    pub fn from_files(clock: Clock, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, FsError> {
        let volume = Self::new(clock);
        volume.replace(files)?;
        Ok(volume)
    }

    /// Puts these files in place of everything the volume holds, in one step: a reader sees all of the old ones or all of
    /// the new ones, as with the `..data` link of a kubelet. Every file gets a new inode.
    ///
    /// # Errors
    /// [`FsError::NoSpace`] when the files are too large, [`FsError::NotADirectory`] when one file's path stands below
    /// another file, [`FsError::Invalid`] for a path that is empty or holds `..`; the old content then stays.
    pub fn replace(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<(), FsError> {
        let now = self.now();
        let fresh = Self::new(self.inner.clock.clone());
        let mut new = fresh.tree();
        let mut tree = self.tree();
        new.next = tree.next;
        for (path, data) in files {
            let mut directory = ROOT;
            let mut parts = components(path).peekable();
            if parts.peek().is_none() {
                return Err(FsError::Invalid);
            }
            while let Some(part) = parts.next() {
                if part == ".." {
                    return Err(FsError::Invalid);
                }
                if parts.peek().is_none() {
                    let node = Node::new(Kind::File(data.clone()), 0o644, (0, 0), now);
                    new.add(directory, part, node)?;
                } else if let Some(&next) = new.children(directory)?.get(part) {
                    directory = next;
                } else {
                    let node = Node::new(Kind::Directory(BTreeMap::new()), 0o755, (0, 0), now);
                    directory = new.add(directory, part, node)?;
                }
            }
        }
        // Whoever has a file open goes on reading the old content.
        for (inode, node) in std::mem::take(&mut tree.nodes) {
            if node.handles > 0 && inode != ROOT {
                new.nodes.insert(inode, Node { links: 0, ..node });
            }
        }
        std::mem::swap(&mut *tree, &mut *new);
        drop(tree);
        self.touch();
        Ok(())
    }

    /// Whether both names stand for the same volume.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(super) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.inner.tree.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Tells everyone who follows the volume that something has changed.
    pub(super) fn touch(&self) {
        self.inner.generation.send_modify(|generation| *generation += 1);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.generation.subscribe()
    }
}

impl Node {
    pub(super) fn new(kind: Kind, mode: u32, (uid, gid): (u32, u32), modified: Timestamp) -> Self {
        Self { kind, mode, uid, gid, modified, links: 1, handles: 0 }
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Volume({} inodes)", self.tree().nodes.len())
    }
}
