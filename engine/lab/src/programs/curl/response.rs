//! Reading an HTTP/1.x response: the head line by line, then the body as it comes.
//!
//! Invariant: a head is bounded; a body is handed on in pieces and never held as a whole.

use super::connect::Io;
use super::error::{Failure, GOT_NOTHING, PARTIAL_FILE, RECV_ERROR, UNSUPPORTED_PROTOCOL};
use super::release::Release;
use std::io;
use tokio::io::AsyncReadExt;

/// How long all header lines may be together, as in curl.
const MAX_HEAD: usize = 300 << 10;

/// A connection with what was read from it but not used yet.
pub(super) struct Reader {
    pub(super) io: Box<dyn Io>,
    buffer: Vec<u8>,
}

/// The head of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// `HTTP/1.1`
    pub(super) version: String,
    pub(super) status: u16,
    /// Every line as it came, with its line end, the empty one included.
    pub(super) lines: Vec<Vec<u8>>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

impl Head {
    /// The value of the first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.lines.iter().skip(1).find_map(|line| {
            let line = String::from_utf8_lossy(line);
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// All header lines: name and value.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        self.lines
            .iter()
            .skip(1)
            .filter_map(|line| {
                let line = String::from_utf8_lossy(line);
                let (name, value) = line.split_once(':')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect()
    }

    /// The length that the head announces.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length").and_then(|length| length.parse().ok())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.len() as u64).sum()
    }

    /// How the body of the answer to `method` ends.
    pub(super) fn framing(&self, method: &str) -> Framing {
        if method == "HEAD" || self.status < 200 || matches!(self.status, 204 | 304) {
            return Framing::None;
        }
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Framing::Chunked;
        }
        match self.length() {
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        }
    }

    /// Whether the connection can serve another request.
    pub(super) fn keeps_alive(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        if self.version == "HTTP/1.0" { connection == "keep-alive" } else { connection != "close" }
    }
}

impl Reader {
    pub(super) fn new(io: Box<dyn Io>) -> Self {
        Self { io, buffer: Vec::new() }
    }

    /// Reads more; false at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = vec![0; 16 << 10];
        let read = match self.io.read(&mut chunk).await {
            Ok(read) => read,
            // TLS closed without a goodbye: curl takes it as the end when the body says nothing else.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read > 0)
    }

    /// A line with its line end; `None` at the end of the stream before one.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(at) = self.buffer.iter().position(|&byte| byte == b'\n') {
                return Ok(Some(self.buffer.drain(..=at).collect()));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Failure::new(
                    RECV_ERROR,
                    format!("Too large response headers: {} > {MAX_HEAD}", self.buffer.len()),
                ));
            }
            if !self.fill().await.map_err(|error| Failure::receiving(&error))? {
                return Ok(None);
            }
        }
    }

    /// Reads a head. `aborted` is what to fail with when the connection ends before the first byte.
    pub(super) async fn head(&mut self, aborted: Failure) -> Result<Head, Failure> {
        let mut head = Head::default();
        loop {
            let Some(line) = self.line().await? else {
                return Err(if head.lines.is_empty() && self.buffer.is_empty() {
                    aborted
                } else {
                    Failure::new(RECV_ERROR, "Recv failure: Connection reset by peer")
                });
            };
            if head.lines.is_empty() {
                let text = String::from_utf8_lossy(&line).into_owned();
                let mut words = text.split_whitespace();
                let version = words.next().unwrap_or_default();
                if !version.starts_with("HTTP/1.") {
                    return Err(Failure::new(UNSUPPORTED_PROTOCOL, "Received HTTP/0.9 when not allowed"));
                }
                version.clone_into(&mut head.version);
                head.status = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            }
            let empty = line == b"\r\n" || line == b"\n";
            head.lines.push(line);
            if head.bytes() > MAX_HEAD as u64 {
                return Err(Failure::new(
                    RECV_ERROR,
                    format!("Too large response headers: {} > {MAX_HEAD}", head.bytes()),
                ));
            }
            if empty {
                return Ok(head);
            }
        }
    }

    /// Whether bytes are left that no response has asked for.
    pub(super) fn is_clean(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next piece of a body; `None` when it is complete. `framing` is counted down.
    pub(super) async fn piece(&mut self, framing: &mut Body, release: Release) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match framing {
                Body::Done => return Ok(None),
                Body::Left(left) => {
                    if *left == 0 {
                        *framing = Body::Done;
                        continue;
                    }
                    if self.buffer.is_empty() && !self.fill().await.map_err(|error| Failure::receiving(&error))? {
                        let text = release.pick(
                            format!("transfer closed with {left} bytes remaining to read"),
                            format!("end of response with {left} bytes missing"),
                        );
                        return Err(Failure::new(PARTIAL_FILE, text));
                    }
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                    *left -= take as u64;
                    return Ok(Some(self.buffer.drain(..take).collect()));
                }
                Body::UntilClose => {
                    if self.buffer.is_empty() && !self.fill().await.map_err(|error| Failure::receiving(&error))? {
                        *framing = Body::Done;
                        continue;
                    }
                    return Ok(Some(std::mem::take(&mut self.buffer)));
                }
                Body::Chunk(left) => {
                    if *left > 0 {
                        if self.buffer.is_empty() && !self.fill().await.map_err(|error| Failure::receiving(&error))? {
                            return Err(chunk_missing());
                        }
                        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                        *left -= take as u64;
                        let piece = self.buffer.drain(..take).collect();
                        if *left == 0 {
                            self.line().await?.ok_or_else(chunk_missing)?;
                        }
                        return Ok(Some(piece));
                    }
                    let line = self.line().await?.ok_or_else(chunk_missing)?;
                    let text = String::from_utf8_lossy(&line);
                    let digits = text.split(';').next().unwrap_or_default().trim();
                    let size =
                        u64::from_str_radix(digits, 16).map_err(|_| Failure::new(RECV_ERROR, "invalid chunk size"))?;
                    if size == 0 {
                        // Trailers, if any, up to the empty line.
                        while self.line().await?.is_some_and(|line| line != b"\r\n" && line != b"\n") {}
                        *framing = Body::Done;
                    } else {
                        *left = size;
                    }
                }
            }
        }
    }
}

fn chunk_missing() -> Failure {
    Failure::new(PARTIAL_FILE, "transfer closed with outstanding read data remaining")
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Done,
    Left(u64),
    /// Bytes left of the current chunk.
    Chunk(u64),
    UntilClose,
}

impl From<Framing> for Body {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Done,
            Framing::Length(length) => Self::Left(length),
            Framing::Chunked => Self::Chunk(0),
            Framing::UntilClose => Self::UntilClose,
        }
    }
}

/// The failure of a connection that closes without a byte of an answer.
pub(super) fn empty_reply() -> Failure {
    Failure::new(GOT_NOTHING, "Empty reply from server")
}
