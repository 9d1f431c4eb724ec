//! What is sent behind a head: forms of two kinds, and the letters that stand for others in them.
//!
//! Invariant: the boundary of a form follows from its content, so that the same call sends the same bytes.

use super::args::Refused;
use super::error::{Failure, READ_ERROR};
use super::release::Release;
use crate::process::Process;
use sha2::{Digest, Sha256};

/// A body with what its head says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// The value of `Content-Type`; none for an upload.
    pub(super) kind: Option<String>,
    pub(super) chunked: bool,
    /// Whether the server is first asked if it wants the body.
    pub(super) expect: bool,
}

/// Writes bytes as a form does: letters and digits as they are, a blank as `+`, all else as `%XX`.
pub(super) fn url_encode(data: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(data.len());
    for &byte in data {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte),
            b' ' => encoded.push(b'+'),
            _ => encoded.extend(format!("%{byte:02X}").bytes()),
        }
    }
    encoded
}

/// Reads `%XX` back.
pub(super) fn url_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// One part of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FormPart {
    name: String,
    file_name: Option<String>,
    kind: Option<String>,
    /// `None` if a file that was named is not there.
    content: Option<Vec<u8>>,
}

/// Reads `NAME=VALUE`, `NAME=@FILE` or `NAME=<FILE`, with `;type=` and `;filename=` behind.
pub(super) async fn form_part(process: &Process, text: &str, special: bool) -> Result<FormPart, Refused> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Refused::NotSimulated(format!("curl -F {text}")));
    };
    let mut part = FormPart { name: name.to_owned(), file_name: None, kind: None, content: Some(Vec::new()) };
    if !special {
        part.content = Some(value.as_bytes().to_vec());
        return Ok(part);
    }
    let mut pieces = value.split(';');
    let mut first = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.trim_start().split_once('=') {
            Some(("type", kind)) => part.kind = Some(kind.to_owned()),
            Some(("filename", name)) => part.file_name = Some(name.trim_matches('"').to_owned()),
            _ if !first.starts_with(['@', '<']) => first = format!("{first};{piece}"),
            _ => return Err(Refused::NotSimulated(format!("curl -F {text}"))),
        }
    }
    let path = first.strip_prefix(['@', '<']);
    part.content = match path {
        None => Some(first.trim_matches('"').as_bytes().to_vec()),
        Some("-") => process.stdin().read_to_end(64 << 20).await.ok().flatten(),
        Some(path) if path.contains(',') => return Err(Refused::NotSimulated(format!("curl -F {text}"))),
        Some(path) => process.fs.read(&process.path(path)).ok(),
    };
    if let Some(path) = first.strip_prefix('@') {
        part.file_name.get_or_insert_with(|| crate::fs::file_name(path).to_owned());
        part.kind.get_or_insert_with(|| kind_of(path).to_owned());
    }
    Ok(part)
}

/// The media type that curl gives a file by its name.
fn kind_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("gif") => "image/gif",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain",
        Some("htm" | "html") => "text/html",
        Some("pdf") => "application/pdf",
        Some("xml") => "application/xml",
        _ => "application/octet-stream",
    }
}

/// The body of a multipart form.
///
/// # Errors
/// A file that is not there.
pub(super) fn multipart(parts: &[FormPart], release: Release) -> Result<Body, Failure> {
    let boundary = boundary(parts, release);
    let mut bytes = Vec::new();
    for part in parts {
        let content = part
            .content
            .as_ref()
            .ok_or_else(|| Failure::new(READ_ERROR, "Failed to open/read local data from file/application"))?;
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", part.name);
        if let Some(name) = &part.file_name {
            head.push_str(&format!("; filename=\"{name}\""));
        }
        if let Some(kind) = &part.kind {
            head.push_str(&format!("\r\nContent-Type: {kind}"));
        }
        bytes.extend(format!("{head}\r\n\r\n").bytes());
        bytes.extend(content);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("--{boundary}--\r\n").bytes());
    let kind = Some(format!("multipart/form-data; boundary={boundary}"));
    Ok(Body { bytes, kind, chunked: false, expect: false })
}

/// Dashes and letters that stand between parts: 16 in older releases, 22 since.
fn boundary(parts: &[FormPart], release: Release) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(&part.name);
        hash.update(part.content.as_deref().unwrap_or_default());
    }
    let digest = hash.finalize();
    let letters: String = match release {
        Release::V7 => digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        Release::V8 => {
            const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
            digest.iter().take(22).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
        }
    };
    format!("{}{letters}", "-".repeat(24))
}

#[cfg(test)]
mod tests {
    use super::{url_decode, url_encode};

    #[test]
    fn forms_are_encoded_and_passwords_decoded() {
        assert_eq!(url_encode("a=1 2&ä~".as_bytes()), b"a%3D1+2%26%C3%A4~");
        assert_eq!(url_decode("p%40x%zz%4"), "p@x%zz%4");
    }
}
