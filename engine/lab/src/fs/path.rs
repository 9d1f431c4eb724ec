//! Paths as plain text: joining and taking apart, without looking at any file.
//!
//! Invariant: purely lexical; `..` is folded by [`normal`] alone, since a symbolic link may stand before it.

/// `path` as seen from `base`: `path` itself if it is absolute, else `base/path`.
#[must_use]
pub fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else if base.ends_with('/') {
        format!("{base}{path}")
    } else {
        format!("{base}/{path}")
    }
}

/// An absolute path with `.` and `..` folded as `cd -L` folds them, whatever links stand before.
#[must_use]
pub fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in components(path) {
        if part == ".." {
            kept.pop();
        } else {
            kept.push(part);
        }
    }
    format!("/{}", kept.join("/"))
}

/// The last component, without trailing slashes; `/` for the root.
#[must_use]
pub fn file_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() && path.starts_with('/') {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// What stands before the last component: `/` for `/a`, `.` for `a`.
#[must_use]
pub fn parent(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        Some(0) => "/",
        Some(at) => trimmed[..at].trim_end_matches('/'),
        None if path.starts_with('/') => "/",
        None => ".",
    }
}

/// The components, without empty ones and `.`.
pub(super) fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}
