//! Why a file operation failed, in the words of the C library.
//!
//! Invariant: the text of an error is what `strerror` prints for the matching `errno`, so programs can print it as it is.

use std::io;

/// Why a file operation failed. `Display` gives the text that `strerror` of the C library (glibc and musl agree on these)
/// gives for the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FsError {
    /// `ENOENT`
    #[error("No such file or directory")]
    NotFound,
    /// `EACCES`
    #[error("Permission denied")]
    PermissionDenied,
    /// `EPERM`
    #[error("Operation not permitted")]
    NotPermitted,
    /// `ENOTDIR`
    #[error("Not a directory")]
    NotADirectory,
    /// `EISDIR`
    #[error("Is a directory")]
    IsADirectory,
    /// `EEXIST`
    #[error("File exists")]
    AlreadyExists,
    /// `ENOTEMPTY`
    #[error("Directory not empty")]
    DirectoryNotEmpty,
    /// `EROFS`
    #[error("Read-only file system")]
    ReadOnly,
    /// `ENOSPC`: a volume holds more than the lab allows.
    #[error("No space left on device")]
    NoSpace,
    /// `ELOOP`
    #[error("Too many levels of symbolic links")]
    TooManyLinks,
    /// `EBUSY`: the path is a mount point.
    #[error("Resource busy")]
    Busy,
    /// `EXDEV`: rename from one volume to another.
    #[error("Cross-device link")]
    CrossDevice,
    /// `EINVAL`
    #[error("Invalid argument")]
    Invalid,
    /// `EBADF`: the file was not opened for this.
    #[error("Bad file descriptor")]
    BadDescriptor,
    /// The content of a program or of a device, which the lab does not have.
    #[error("not simulated: the content of this file")]
    NotSimulated,
}

impl From<FsError> for io::Error {
    fn from(error: FsError) -> Self {
        let kind = match error {
            FsError::NotFound => io::ErrorKind::NotFound,
            FsError::PermissionDenied | FsError::NotPermitted => io::ErrorKind::PermissionDenied,
            FsError::AlreadyExists => io::ErrorKind::AlreadyExists,
            FsError::NotSimulated => return io::Error::other(error),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
