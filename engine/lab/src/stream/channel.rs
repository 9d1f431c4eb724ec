//! The frames of `v4.channel.k8s.io` and `v5.channel.k8s.io`.
//!
//! Invariant: a frame is a binary WebSocket message whose first byte is the channel.

use bytes::Bytes;

use super::host::TerminalSize;

/// Input of the command.
const STDIN: u8 = 0;
/// Output of the command.
pub(super) const STDOUT: u8 = 1;
/// Errors of the command.
pub(super) const STDERR: u8 = 2;
/// How the command ended, as a `Status`.
pub(super) const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    V4,
    V5,
}

impl Protocol {
    /// The newest one that the client offers.
    pub(super) fn choose(offered: &str) -> Option<Self> {
        let offers = |name: &str| offered.split(',').any(|one| one.trim() == name);
        [Self::V5, Self::V4].into_iter().find(|protocol| offers(protocol.name()))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4.channel.k8s.io",
            Self::V5 => "v5.channel.k8s.io",
        }
    }
}

/// What a client's frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientFrame {
    Input(Bytes),
    EndOfInput,
    Resize(TerminalSize),
    /// Nothing that the server acts on.
    Other,
}

impl ClientFrame {
    pub(super) fn parse(protocol: Protocol, frame: &Bytes) -> Self {
        match frame.first() {
            Some(&STDIN) => Self::Input(frame.slice(1..)),
            Some(&CLOSE) if protocol == Protocol::V5 && frame.get(1) == Some(&STDIN) => Self::EndOfInput,
            Some(&RESIZE) => {
                let size: Option<serde_json::Value> = serde_json::from_slice(&frame[1..]).ok();
                let side = |name: &str| u16::try_from(size.as_ref()?.get(name)?.as_u64()?).ok();
                match (side("Width"), side("Height")) {
                    (Some(width), Some(height)) => Self::Resize(TerminalSize { width, height }),
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

/// A frame to the client.
pub(super) fn frame(channel: u8, data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 1);
    out.push(channel);
    out.extend_from_slice(data);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offered_protocol_is_taken() {
        assert_eq!(Protocol::choose("v4.channel.k8s.io, v5.channel.k8s.io"), Some(Protocol::V5));
        assert_eq!(Protocol::choose("v4.channel.k8s.io"), Some(Protocol::V4));
        assert_eq!(Protocol::choose("v9.channel.k8s.io,v55.channel.k8s.io"), None);
    }

    #[test]
    fn client_frames_are_read_and_garbage_is_ignored() {
        let parse = |protocol, bytes: &'static [u8]| ClientFrame::parse(protocol, &Bytes::from_static(bytes));
        assert_eq!(parse(Protocol::V5, b"\0hi"), ClientFrame::Input(Bytes::from_static(b"hi")));
        assert_eq!(parse(Protocol::V5, b"\xff\0"), ClientFrame::EndOfInput);
        assert_eq!(parse(Protocol::V4, b"\xff\0"), ClientFrame::Other);
        let size = TerminalSize { width: 80, height: 24 };
        assert_eq!(parse(Protocol::V4, b"\x04{\"Width\":80,\"Height\":24}"), ClientFrame::Resize(size));
        for garbage in [b"".as_slice(), b"\x04{", b"\x04{\"Width\":-1}", b"\x09x", b"\xff"] {
            assert_eq!(parse(Protocol::V5, garbage), ClientFrame::Other, "{garbage:?}");
        }
    }
}
