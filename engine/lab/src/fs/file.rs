//! An open file: an inode and an offset, as an open file description of the kernel.
//!
//! Invariant: an open file stays readable after its last name has gone.

use super::view::Place;
use super::volume::{Device, Kind};
use super::{FsError, Metadata};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::watch;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// It may be read.
    pub read: bool,
    /// It may be written.
    pub write: bool,
    /// Every write goes to the end.
    pub append: bool,
    /// It is made if it is missing.
    pub create: bool,
    /// Its content is thrown away.
    pub truncate: bool,
    /// Permission bits of a file that is made, before the umask takes some away.
    pub mode: u32,
}

impl OpenOptions {
    /// For reading only.
    #[must_use]
    pub fn reading() -> Self {
        Self { read: true, write: false, append: false, create: false, truncate: false, mode: 0o666 }
    }

    /// For writing a new content, as `>` of a shell does.
    #[must_use]
    pub fn writing() -> Self {
        Self { read: false, write: true, append: false, create: true, truncate: true, mode: 0o666 }
    }

    /// For writing at the end, as `>>` of a shell does.
    #[must_use]
    pub fn appending() -> Self {
        Self { read: false, write: true, append: true, create: true, truncate: false, mode: 0o666 }
    }
}

/// An open file. Its offset is shared by everyone who holds the same handle.
pub struct File {
    place: Place,
    options: OpenOptions,
    offset: Mutex<u64>,
}

impl File {
    pub(super) fn new(place: Place, options: OpenOptions) -> Result<Self, FsError> {
        let mut tree = place.volume.tree();
        tree.opened(place.inode)?;
        let cut = match &mut tree.get_mut(place.inode)?.kind {
            Kind::File(data) if options.truncate => std::mem::take(data).len(),
            _ => 0,
        };
        if cut > 0 {
            tree.reserve(cut, 0)?;
            let now = place.volume.now();
            tree.get_mut(place.inode)?.modified = now;
            place.volume.touch();
        }
        drop(tree);
        Ok(Self { place, options, offset: Mutex::new(0) })
    }

    /// What `fstat` tells.
    ///
    /// # Errors
    /// None in practice: an open inode exists.
    pub fn metadata(&self) -> Result<Metadata, FsError> {
        self.place.volume.tree().metadata(self.place.inode)
    }

    /// The device behind the file, if it is one.
    #[must_use]
    pub fn device(&self) -> Option<Device> {
        match self.place.volume.tree().get(self.place.inode).ok()?.kind {
            Kind::Device(device) => Some(device),
            _ => None,
        }
    }

    /// At most `max` bytes from `offset`; empty at the end of the file.
    ///
    /// # Errors
    /// [`FsError::BadDescriptor`] when it is open for writing only, [`FsError::IsADirectory`] for a directory,
    /// [`FsError::NotSimulated`] for a program and for `/dev/zero`.
    pub fn read_at(&self, offset: u64, max: usize) -> Result<Vec<u8>, FsError> {
        if !self.options.read {
            return Err(FsError::BadDescriptor);
        }
        let tree = self.place.volume.tree();
        match &tree.get(self.place.inode)?.kind {
            Kind::File(data) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                Ok(data[start..data.len().min(start.saturating_add(max))].to_vec())
            }
            Kind::Directory(_) => Err(FsError::IsADirectory),
            Kind::Program(_) => Err(FsError::NotSimulated),
            Kind::Device(Device::Zero) => Err(FsError::NotSimulated),
            Kind::Device(_) | Kind::Link(_) => Ok(Vec::new()),
        }
    }

    /// Reads on from the offset and moves it.
    ///
    /// # Errors
    /// As for [`File::read_at`].
    pub fn read(&self, max: usize) -> Result<Vec<u8>, FsError> {
        let mut offset = self.offset();
        let data = self.read_at(*offset, max)?;
        *offset += data.len() as u64;
        Ok(data)
    }

    /// Writes at the offset (or at the end, when opened so) and moves it. Returns the offset after it.
    ///
    /// # Errors
    /// [`FsError::BadDescriptor`] when it is open for reading only, [`FsError::NoSpace`] when the volume is full.
    pub fn write(&self, data: &[u8]) -> Result<u64, FsError> {
        if !self.options.write {
            return Err(FsError::BadDescriptor);
        }
        let mut offset = self.offset();
        let mut tree = self.place.volume.tree();
        let old = match &tree.get(self.place.inode)?.kind {
            Kind::File(content) => content.len(),
            Kind::Program(_) => return Err(FsError::NotSimulated),
            _ => return Ok(*offset),
        };
        let start = if self.options.append { old } else { usize::try_from(*offset).map_err(|_| FsError::NoSpace)? };
        let end = start.checked_add(data.len()).ok_or(FsError::NoSpace)?;
        tree.reserve(old, old.max(end))?;
        let now = self.place.volume.now();
        let node = tree.get_mut(self.place.inode)?;
        node.modified = now;
        if let Kind::File(content) = &mut node.kind {
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(data);
        }
        *offset = end as u64;
        drop(tree);
        self.place.volume.touch();
        Ok(*offset)
    }

    /// Moves the offset of the next read or write.
    pub fn seek(&self, offset: u64) {
        *self.offset() = offset;
    }

    /// Where the next read or write takes place.
    #[must_use]
    pub fn position(&self) -> u64 {
        *self.offset()
    }

    /// Tells when anything in the file's volume changes. Take it before looking.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.place.volume.subscribe()
    }

    fn offset(&self) -> MutexGuard<'_, u64> {
        self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.place.volume.tree().closed(self.place.inode);
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File(inode {})", self.place.inode)
    }
}
