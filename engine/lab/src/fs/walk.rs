//! Walking a path to an inode, and changing names on the way's end.
//!
//! Invariant: a path is walked component by component; mounts and links are honoured at every step.

use super::view::{Fs, Place};
use super::volume::{Device, Kind, Node};
use super::{FileType, FsError, path};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many symbolic links one path may lead through, as on Linux.
const MAX_LINKS: usize = 40;

/// One step of a walk: the canonical path so far and where it is.
struct Step {
    path: String,
    place: Place,
}

/// The directory that holds a path's last component, and that component.
struct Slot {
    directory: Place,
    name: String,
    /// The canonical path of the name.
    path: String,
}

impl Fs {
    /// The path without links, `.` and `..`.
    ///
    /// # Errors
    /// As of `realpath(3)`.
    pub fn canonical(&self, path: &str) -> Result<String, FsError> {
        Ok(self.walk(path, true)?.path)
    }

    pub(super) fn place(&self, path: &str, follow: bool) -> Result<Place, FsError> {
        Ok(self.walk(path, follow)?.place)
    }

    fn walk(&self, path: &str, follow: bool) -> Result<Step, FsError> {
        let root = self.mounted("/").ok_or(FsError::NotFound)?;
        let mut trail = vec![Step { path: "/".to_owned(), place: root }];
        let mut ahead: VecDeque<String> = path::components(path).map(str::to_owned).collect();
        let must_be_directory = path.ends_with('/');
        if path.is_empty() {
            return Err(FsError::NotFound);
        }
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                if trail.len() > 1 {
                    trail.pop();
                }
                continue;
            }
            let here = trail.last().ok_or(FsError::NotFound)?;
            let child = path::join(&here.path, &name);
            let tree = here.place.volume.tree();
            let children = tree.children(here.place.inode)?;
            if !self.allowed(tree.get(here.place.inode)?, 1) {
                return Err(FsError::PermissionDenied);
            }
            let inode = children.get(&name).copied();
            let link = inode.and_then(|inode| match &tree.get(inode).ok()?.kind {
                Kind::Link(target) => Some(target.clone()),
                _ => None,
            });
            let (volume, read_only) = (here.place.volume.clone(), here.place.read_only);
            drop(tree);
            if let Some(place) = self.mounted(&child) {
                trail.push(Step { path: child, place });
                continue;
            }
            let inode = inode.ok_or(FsError::NotFound)?;
            match link {
                Some(target) if follow || !ahead.is_empty() || must_be_directory => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(FsError::TooManyLinks);
                    }
                    if target.starts_with('/') {
                        trail.truncate(1);
                    }
                    for part in path::components(&target).rev() {
                        ahead.push_front(part.to_owned());
                    }
                }
                _ => trail.push(Step { path: child, place: Place { volume, inode, read_only } }),
            }
        }
        let last = trail.pop().ok_or(FsError::NotFound)?;
        if must_be_directory && last.place.volume.tree().children(last.place.inode).is_err() {
            return Err(FsError::NotADirectory);
        }
        Ok(last)
    }

    /// The directory in which a name is to be made, changed or taken away; it must be writable.
    fn slot(&self, path: &str) -> Result<Slot, FsError> {
        let name = path::file_name(path);
        if name == "/" || name == "." || name == ".." {
            return Err(FsError::Busy);
        }
        if name.is_empty() {
            return Err(FsError::NotFound);
        }
        if name.len() > 255 {
            return Err(FsError::Invalid);
        }
        let step = self.walk(path::parent(path), true)?;
        let tree = step.place.volume.tree();
        tree.children(step.place.inode)?;
        if step.place.read_only {
            return Err(FsError::ReadOnly);
        }
        if !self.allowed(tree.get(step.place.inode)?, 3) {
            return Err(FsError::PermissionDenied);
        }
        drop(tree);
        Ok(Slot { path: path::join(&step.path, name), directory: step.place, name: name.to_owned() })
    }

    fn add(&self, path: &str, kind: Kind, mode: u32) -> Result<Place, FsError> {
        let exists = match self.walk(path, false) {
            Ok(_) => true,
            Err(FsError::NotFound) => false,
            Err(error) => return Err(error),
        };
        if exists {
            return Err(FsError::AlreadyExists);
        }
        let slot = self.slot(path)?;
        let node = Node::new(kind, mode, self.user(), slot.directory.volume.now());
        let inode = slot.directory.volume.tree().add(slot.directory.inode, &slot.name, node)?;
        slot.directory.volume.touch();
        Ok(Place { inode, ..slot.directory })
    }

    /// Makes an empty file where `path` leads, even through a link that points nowhere yet.
    pub(super) fn create(&self, path: &str, mode: u32) -> Result<Place, FsError> {
        let mut target = path.to_owned();
        for _ in 0..MAX_LINKS {
            match self.read_link(&target) {
                Ok(next) => target = path::join(path::parent(&target), &next),
                Err(_) => return self.add(&target, Kind::File(Vec::new()), mode),
            }
        }
        Err(FsError::TooManyLinks)
    }

    /// Makes a directory with these permission bits, less those of the umask.
    ///
    /// # Errors
    /// As of `mkdir(2)`.
    pub fn create_dir(&self, path: &str, mode: u32) -> Result<(), FsError> {
        self.add(path.trim_end_matches('/'), Kind::Directory(BTreeMap::new()), mode & !self.umask()).map(|_| ())
    }

    /// Makes a directory (mode 0777 less the umask) and those above it that are missing.
    ///
    /// # Errors
    /// As of `mkdir(2)`; a directory that is there already is no error.
    pub fn create_dir_all(&self, path: &str) -> Result<(), FsError> {
        if self.is_dir(path) {
            return Ok(());
        }
        let parent = path::parent(path);
        if parent != path && parent != "." && !self.is_dir(parent) {
            self.create_dir_all(parent)?;
        }
        self.create_dir(path, 0o777)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As of `symlink(2)`.
    pub fn symlink(&self, target: &str, path: &str) -> Result<(), FsError> {
        self.add(path, Kind::Link(target.to_owned()), 0o777).map(|_| ())
    }

    /// Makes an executable (mode 0755) that stands for a program; see [`Fs::program`].
    ///
    /// # Errors
    /// As of `open(2)`.
    pub fn add_program(&self, path: &str, name: &str) -> Result<(), FsError> {
        self.add(path, Kind::Program(Arc::from(name)), 0o755).map(|_| ())
    }

    /// Makes a character device (mode 0666).
    ///
    /// # Errors
    /// As of `mknod(2)`.
    pub fn add_device(&self, path: &str, device: Device) -> Result<(), FsError> {
        self.add(path, Kind::Device(device), 0o666).map(|_| ())
    }

    /// Takes away a file or link.
    ///
    /// # Errors
    /// As of `unlink(2)`.
    pub fn remove_file(&self, path: &str) -> Result<(), FsError> {
        if self.symlink_metadata(path)?.file_type == FileType::Directory {
            return Err(FsError::IsADirectory);
        }
        self.remove(path)
    }

    /// Takes away an empty directory.
    ///
    /// # Errors
    /// As of `rmdir(2)`.
    pub fn remove_dir(&self, path: &str) -> Result<(), FsError> {
        let place = self.place(path, false)?;
        if !place.volume.tree().children(place.inode)?.is_empty() {
            return Err(FsError::DirectoryNotEmpty);
        }
        self.remove(path)
    }

    fn remove(&self, path: &str) -> Result<(), FsError> {
        let slot = self.slot(path)?;
        if self.mounted(&slot.path).is_some() {
            return Err(FsError::Busy);
        }
        let volume = &slot.directory.volume;
        let now = volume.now();
        volume.tree().unlink(slot.directory.inode, &slot.name, now)?;
        volume.touch();
        Ok(())
    }

    /// Gives a file or directory another name, replacing a file (or an empty directory) of that name.
    ///
    /// # Errors
    /// As of `rename(2)`.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FsError> {
        let moved = self.walk(from, false)?;
        let (source, target) = (self.slot(from)?, self.slot(to)?);
        if self.mounted(&source.path).is_some() || self.mounted(&target.path).is_some() {
            return Err(FsError::Busy);
        }
        if !source.directory.volume.same(&target.directory.volume) {
            return Err(FsError::CrossDevice);
        }
        if target.path.starts_with(&format!("{}/", source.path)) {
            return Err(FsError::Invalid);
        }
        let volume = &source.directory.volume;
        let now = volume.now();
        let mut tree = volume.tree();
        let is_directory = tree.children(moved.place.inode).is_ok();
        if let Some(&old) = tree.children(target.directory.inode)?.get(&target.name) {
            if old == moved.place.inode {
                return Ok(());
            }
            match (is_directory, tree.children(old)) {
                (true, Ok(children)) if !children.is_empty() => return Err(FsError::DirectoryNotEmpty),
                (true, Err(_)) => return Err(FsError::NotADirectory),
                (false, Ok(_)) => return Err(FsError::IsADirectory),
                _ => {}
            }
        }
        tree.link(target.directory.inode, &target.name, moved.place.inode, now)?;
        tree.unlink(source.directory.inode, &source.name, now)?;
        drop(tree);
        volume.touch();
        Ok(())
    }

    /// Sets permission bits; only the owner and root may.
    ///
    /// # Errors
    /// [`FsError::NotPermitted`] for others, [`FsError::ReadOnly`].
    pub fn set_mode(&self, path: &str, mode: u32) -> Result<(), FsError> {
        self.change(path, |node| node.mode = mode & 0o7777)
    }

    /// Sets owner and group; only root may.
    ///
    /// # Errors
    /// [`FsError::NotPermitted`] for others, [`FsError::ReadOnly`].
    pub fn set_owner(&self, path: &str, uid: u32, gid: u32) -> Result<(), FsError> {
        if self.user().0 != 0 {
            return Err(FsError::NotPermitted);
        }
        self.change(path, |node| (node.uid, node.gid) = (uid, gid))
    }

    /// Sets the time of the last change.
    ///
    /// # Errors
    /// [`FsError::NotPermitted`] unless owner or root, [`FsError::ReadOnly`].
    pub fn set_modified(&self, path: &str, at: Timestamp) -> Result<(), FsError> {
        self.change(path, |node| node.modified = at)
    }

    fn change(&self, path: &str, edit: impl FnOnce(&mut Node)) -> Result<(), FsError> {
        let place = self.place(path, true)?;
        if place.read_only {
            return Err(FsError::ReadOnly);
        }
        let mut tree = place.volume.tree();
        let node = tree.get_mut(place.inode)?;
        if self.user().0 != 0 && self.user().0 != node.uid {
            return Err(FsError::NotPermitted);
        }
        edit(node);
        drop(tree);
        place.volume.touch();
        Ok(())
    }

    /// Whether the path is the root of a mount (`/` itself included).
    #[must_use]
    pub fn is_mount_point(&self, path: &str) -> bool {
        self.canonical(path).is_ok_and(|path| path == "/" || self.mounted(&path).is_some())
    }
}
