//! A container's view of its files: volumes mounted into one tree, walked with the rights of a user.
//!
//! Invariant: every path is resolved here, so mounts, links and permissions are judged in one place.

use super::volume::{Kind, Node, ROOT};
use super::{File, FsError, Metadata, OpenOptions, Volume, path};
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// What new files lack: writing by others than their owner.
const DEFAULT_UMASK: u32 = 0o022;

/// A container's file system. Clones share the same files; [`Fs::as_user`] changes only whose rights count.
#[derive(Clone)]
pub struct Fs {
    mounts: Arc<Mutex<BTreeMap<String, Place>>>,
    user: (u32, u32),
    umask: u32,
}

/// A volume at a place in the tree.
#[derive(Clone, Debug)]
pub struct Mount {
    /// What is mounted.
    pub volume: Volume,
    /// A path inside the volume to mount instead of its root: `subPath` of a volume mount. Resolved when it is mounted.
    pub sub_path: Option<String>,
    /// Whether writes end in `EROFS`.
    pub read_only: bool,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the directory.
    pub name: String,
    /// What it stands for, links not followed.
    pub metadata: Metadata,
}

/// Tells when anything in the file system changes.
#[derive(Debug)]
pub struct Changes(Vec<watch::Receiver<u64>>);

/// Where a walk has arrived.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) volume: Volume,
    pub(super) inode: u64,
    pub(super) read_only: bool,
}

impl Fs {
    /// A file system with nothing but a root directory (mode 0755) that belongs to root, seen as root.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let volume = Volume::new(clock);
        if let Ok(root) = volume.tree().get_mut(ROOT) {
            root.mode = 0o755;
        }
        Self::over(volume)
    }

    /// A file system whose root is this volume, seen as root.
    #[must_use]
    pub fn over(volume: Volume) -> Self {
        let root = Place { volume, inode: ROOT, read_only: false };
        Self {
            mounts: Arc::new(Mutex::new(BTreeMap::from([("/".to_owned(), root)]))),
            user: (0, 0),
            umask: DEFAULT_UMASK,
        }
    }

    /// The same files with the rights of another user.
    #[must_use]
    pub fn as_user(&self, uid: u32, gid: u32) -> Self {
        Self { mounts: Arc::clone(&self.mounts), user: (uid, gid), umask: self.umask }
    }

    /// The same files; what is made through this view lacks the permission bits of `umask`.
    #[must_use]
    pub fn with_umask(&self, umask: u32) -> Self {
        Self { umask: umask & 0o777, ..self.clone() }
    }

    /// The permission bits that new files and directories lack.
    #[must_use]
    pub fn umask(&self) -> u32 {
        self.umask
    }

    /// Whose rights count: user and group number.
    #[must_use]
    pub fn user(&self) -> (u32, u32) {
        self.user
    }

    /// Mounts a volume, replacing what is mounted there. The mount point is made if it is missing.
    ///
    /// # Errors
    /// [`FsError::NotFound`] when `sub_path` is not in the volume, or what making the mount point gives.
    pub fn mount(&self, at: &str, mount: &Mount) -> Result<(), FsError> {
        let inode = match &mount.sub_path {
            None => ROOT,
            Some(sub) => Self::over(mount.volume.clone()).place(sub, true)?.inode,
        };
        let is_directory = mount.volume.tree().children(inode).is_ok();
        let root = self.as_user(0, 0);
        if root.metadata(at).is_err() {
            let (volume, at) = self.below_read_only(at).unwrap_or((root.clone(), at));
            if is_directory {
                volume.create_dir_all(at)?;
            } else {
                volume.create_dir_all(path::parent(at))?;
                volume.write(at, b"")?;
            }
        }
        let at = root.canonical(at)?;
        let place = Place { volume: mount.volume.clone(), inode, read_only: mount.read_only };
        self.mounts().insert(at, place);
        Ok(())
    }

    /// The volume that is mounted read-only above a path, and the path in it: mount points are made in the volume itself.
    fn below_read_only<'a>(&self, at: &'a str) -> Option<(Self, &'a str)> {
        let mounts = self.mounts();
        let above = mounts.iter().filter_map(|(path, place)| {
            let rest = at.strip_prefix(path.as_str()).filter(|rest| rest.starts_with('/'))?;
            Some((place, rest))
        });
        let (place, rest) = above.min_by_key(|(_, rest)| rest.len())?;
        (place.read_only && place.inode == ROOT).then(|| (Self::over(place.volume.clone()), rest))
    }

    /// What `stat` tells, links followed.
    ///
    /// # Errors
    /// As of `stat(2)`.
    pub fn metadata(&self, path: &str) -> Result<Metadata, FsError> {
        let place = self.place(path, true)?;
        let tree = place.volume.tree();
        tree.metadata(place.inode)
    }

    /// What `lstat` tells, the last link not followed.
    ///
    /// # Errors
    /// As of `lstat(2)`.
    pub fn symlink_metadata(&self, path: &str) -> Result<Metadata, FsError> {
        let place = self.place(path, false)?;
        let tree = place.volume.tree();
        tree.metadata(place.inode)
    }

    /// Whether there is something at this path, links followed.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.place(path, true).is_ok()
    }

    /// Whether there is a directory at this path, links followed.
    #[must_use]
    pub fn is_dir(&self, path: &str) -> bool {
        self.place(path, true).is_ok_and(|place| place.volume.tree().children(place.inode).is_ok())
    }

    /// Whether this user may read (4), write (2) or execute (1) the file; the bits may be combined.
    #[must_use]
    pub fn access(&self, path: &str, wanted: u32) -> bool {
        let Ok(place) = self.place(path, true) else { return false };
        if wanted & 2 != 0 && place.read_only {
            return false;
        }
        let tree = place.volume.tree();
        tree.get(place.inode).is_ok_and(|node| self.allowed(node, wanted))
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// [`FsError::Invalid`] when it is no link.
    pub fn read_link(&self, path: &str) -> Result<String, FsError> {
        let place = self.place(path, false)?;
        let tree = place.volume.tree();
        match &tree.get(place.inode)?.kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(FsError::Invalid),
        }
    }

    /// The program that an executable file stands for: what [`Fs::add_program`] was given. `None` for an ordinary file.
    ///
    /// # Errors
    /// As of `stat(2)`.
    pub fn program(&self, path: &str) -> Result<Option<Arc<str>>, FsError> {
        let place = self.place(path, true)?;
        let tree = place.volume.tree();
        match &tree.get(place.inode)?.kind {
            Kind::Program(name) => Ok(Some(Arc::clone(name))),
            _ => Ok(None),
        }
    }

    /// The entries of a directory in the order of their names, without `.` and `..`.
    ///
    /// # Errors
    /// As of `opendir(3)`.
    pub fn read_dir(&self, path: &str) -> Result<Vec<Entry>, FsError> {
        let place = self.place(path, true)?;
        let tree = place.volume.tree();
        let children = tree.children(place.inode)?;
        if !self.allowed(tree.get(place.inode)?, 4) {
            return Err(FsError::PermissionDenied);
        }
        let mut entries = Vec::with_capacity(children.len());
        for (name, &inode) in children {
            entries.push(Entry { name: name.clone(), metadata: tree.metadata(inode)? });
        }
        drop(tree);
        let base = self.canonical(path)?;
        for entry in &mut entries {
            if let Some(place) = self.mounted(&path::join(&base, &entry.name)) {
                entry.metadata = place.volume.tree().metadata(place.inode)?;
            }
        }
        Ok(entries)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As of `open(2)`.
    pub fn open(&self, path: &str, options: OpenOptions) -> Result<File, FsError> {
        let place = match self.place(path, true) {
            Err(FsError::NotFound) if options.create && !path.ends_with('/') => {
                self.create(path, options.mode & !self.umask)?
            }
            other => other?,
        };
        let tree = place.volume.tree();
        let node = tree.get(place.inode)?;
        let writes = options.write || options.append;
        if writes && matches!(node.kind, Kind::Directory(_)) {
            return Err(FsError::IsADirectory);
        }
        let wanted = if options.read { 4 } else { 0 } | if writes { 2 } else { 0 };
        if !self.allowed(node, wanted) {
            return Err(FsError::PermissionDenied);
        }
        let is_device = matches!(node.kind, Kind::Device(_));
        if writes && place.read_only && !is_device {
            return Err(FsError::ReadOnly);
        }
        drop(tree);
        File::new(place, options)
    }

    /// The whole content of a file.
    ///
    /// # Errors
    /// As of `open(2)`; [`FsError::IsADirectory`] for a directory.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FsError> {
        let file = self.open(path, OpenOptions::reading())?;
        file.read_at(0, usize::MAX)
    }

    /// Creates or replaces a file's content.
    ///
    /// # Errors
    /// As of `open(2)` and `write(2)`.
    pub fn write(&self, path: &str, data: &[u8]) -> Result<(), FsError> {
        self.open(path, OpenOptions::writing())?.write(data).map(|_| ())
    }

    /// Appends to a file, which is created if it is missing.
    ///
    /// # Errors
    /// As of `open(2)` and `write(2)`.
    pub fn append(&self, path: &str, data: &[u8]) -> Result<(), FsError> {
        self.open(path, OpenOptions::appending())?.write(data).map(|_| ())
    }

    /// Everything that may change from now on. Take it before looking, so that nothing is missed.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.mounts().values().map(|place| place.volume.subscribe()).collect())
    }

    /// What is mounted at this canonical path.
    pub(super) fn mounted(&self, path: &str) -> Option<Place> {
        self.mounts().get(path).cloned()
    }

    fn mounts(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.mounts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether the user has these rights on the inode. Root may do everything, but executes only what is executable.
    pub(super) fn allowed(&self, node: &Node, wanted: u32) -> bool {
        let (uid, gid) = self.user;
        if uid == 0 {
            return wanted & 1 == 0 || node.mode & 0o111 != 0 || matches!(node.kind, Kind::Directory(_));
        }
        let bits = if node.uid == uid {
            node.mode >> 6
        } else if node.gid == gid {
            node.mode >> 3
        } else {
            node.mode
        };
        bits & wanted == wanted
    }
}

impl Changes {
    /// Waits until something has changed since the last call (or since this was taken).
    pub async fn changed(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.0.iter_mut().map(|volume| Box::pin(volume.changed()));
        let (_, _, rest) = futures::future::select_all(waits).await;
        drop(rest);
        // Several volumes may have changed at once: one look covers them all.
        for volume in &mut self.0 {
            volume.mark_unchanged();
        }
    }
}

impl fmt::Debug for Fs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fs(uid {}, {} mounts)", self.user.0, self.mounts().len())
    }
}
