//! SPDY/3.1 frames, as bytes and as values.
//!
//! Invariant: no length that a client sends is believed before it is compared with a limit.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The version in every control frame.
const VERSION: u16 = 3;

/// Bytes before each frame's own.
pub(super) const HEAD: usize = 8;

/// Longest control frame; headers of streams are a few dozen bytes.
pub(super) const CONTROL_LIMIT: usize = 64 << 10;

/// The sender sends nothing more on this stream.
pub(super) const FIN: u8 = 1;

/// What a control frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    SynStream = 1,
    SynReply = 2,
    RstStream = 3,
    Settings = 4,
    Ping = 6,
    GoAway = 7,
    Headers = 8,
    WindowUpdate = 9,
}

impl Kind {
    fn of(number: u16) -> Option<Self> {
        [
            Self::SynStream,
            Self::SynReply,
            Self::RstStream,
            Self::Settings,
            Self::Ping,
            Self::GoAway,
            Self::Headers,
            Self::WindowUpdate,
        ]
        .into_iter()
        .find(|kind| *kind as u16 == number)
    }
}

/// The first eight bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Bytes of a stream. They may be more than fits into memory, and are read piece by piece.
    Data { stream: u32, fin: bool, length: usize },
    /// Anything else.
    Control { kind: Kind, flags: u8, length: usize },
}

/// What no client of SPDY/3.1 sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// Another version, or a type that the version does not have.
    #[error("not a frame of SPDY/3")]
    Unknown,
    /// A control frame longer than any that makes sense.
    #[error("a control frame of {0} bytes")]
    TooLong(usize),
    /// A frame that ends before its fields.
    #[error("a frame that is cut short")]
    Short,
    /// Headers that do not unpack, or not to what headers are.
    #[error("headers that cannot be read")]
    Headers,
}

impl Head {
    /// Reads the first bytes of a frame.
    ///
    /// # Errors
    /// When it is no frame of SPDY/3, or a control frame that is too long.
    pub(super) fn parse(bytes: [u8; HEAD]) -> Result<Self, FrameError> {
        let mut bytes = bytes.as_slice();
        let first = bytes.get_u32();
        let rest = bytes.get_u32();
        let flags = u8::try_from(rest >> 24).unwrap_or_default();
        let length = usize::try_from(rest & 0x00ff_ffff).unwrap_or(usize::MAX);
        if first >> 31 == 0 {
            return Ok(Self::Data { stream: first, fin: flags & FIN != 0, length });
        }
        let version = (first >> 16) & 0x7fff;
        let kind = u16::try_from(first & 0xffff).ok().and_then(Kind::of);
        let Some(kind) = kind.filter(|_| version == u32::from(VERSION)) else { return Err(FrameError::Unknown) };
        if length > CONTROL_LIMIT {
            return Err(FrameError::TooLong(length));
        }
        Ok(Self::Control { kind, flags, length })
    }
}

/// A control frame with this payload. Payloads of the lab's own are short.
pub(super) fn control(kind: Kind, flags: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + payload.len());
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind as u16);
    out.put_u32(u32::from(flags) << 24 | (payload.len() & 0x00ff_ffff) as u32);
    out.extend_from_slice(payload);
    out.freeze()
}

/// A data frame; `data` must be shorter than 16 MiB.
pub(super) fn data(stream: u32, fin: bool, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + data.len());
    out.put_u32(stream & 0x7fff_ffff);
    out.put_u32(u32::from(u8::from(fin)) << 24 | (data.len() & 0x00ff_ffff) as u32);
    out.extend_from_slice(data);
    out.freeze()
}

/// The number at the beginning of a payload, such as the stream that it is about.
///
/// # Errors
/// When the payload is too short for one.
pub(super) fn number(payload: &mut Bytes) -> Result<u32, FrameError> {
    if payload.len() < 4 { Err(FrameError::Short) } else { Ok(payload.get_u32()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(frame: &[u8]) -> Result<Head, FrameError> {
        Head::parse(frame[..HEAD].try_into().unwrap())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let ping = control(Kind::Ping, 0, &7_u32.to_be_bytes());
        assert_eq!(head(&ping), Ok(Head::Control { kind: Kind::Ping, flags: 0, length: 4 }));
        assert_eq!(number(&mut ping.slice(HEAD..)), Ok(7));
        let bytes = data(5, true, b"hello");
        assert_eq!(head(&bytes), Ok(Head::Data { stream: 5, fin: true, length: 5 }));
        assert_eq!(&bytes[HEAD..], b"hello");
    }

    #[test]
    fn other_versions_types_and_lengths_are_refused() {
        assert_eq!(head(&[0x80, 2, 0, 6, 0, 0, 0, 4]), Err(FrameError::Unknown));
        assert_eq!(head(&[0x80, 3, 0, 5, 0, 0, 0, 4]), Err(FrameError::Unknown));
        assert_eq!(head(&[0x80, 3, 0, 1, 0, 1, 0, 1]), Err(FrameError::TooLong(65_537)));
        assert_eq!(number(&mut Bytes::from_static(b"abc")), Err(FrameError::Short));
    }
}
