//! Frames of the `channel.k8s.io` family: every WebSocket message belongs to one numbered channel.
//!
//! Invariant: a frame that makes no sense is told apart, and never acted on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use tokio_tungstenite::tungstenite::Message;

use super::host::TerminalSize;

/// Input of the command.
pub(super) const STDIN: u8 = 0;
/// Output of the command.
pub(super) const STDOUT: u8 = 1;
/// Errors of the command.
pub(super) const STDERR: u8 = 2;
/// How the command ended, as a `Status`.
pub(super) const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// Channels of a command, of which the last is the size of the terminal.
const CHANNELS: u8 = 5;
const CLOSE: u8 = 255;

/// How the bytes of a channel stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// A binary message whose first byte is the channel.
    Binary,
    /// A text whose first digit is the channel, and the rest base64.
    Base64,
}

impl Codec {
    /// A message to the client.
    pub(super) fn encode(self, channel: u8, data: &[u8]) -> Message {
        match self {
            Self::Binary => {
                let mut out = BytesMut::with_capacity(data.len() + 1);
                out.extend_from_slice(&[channel]);
                out.extend_from_slice(data);
                Message::Binary(out.freeze())
            }
            Self::Base64 => {
                let mut out = String::with_capacity(data.len() * 4 / 3 + 8);
                out.push(char::from(b'0'.wrapping_add(channel)));
                STANDARD.encode_string(data, &mut out);
                Message::Text(out.into())
            }
        }
    }

    /// Channel and bytes of a client's message; nothing for an empty one, or one that is no base64.
    pub(super) fn decode(self, message: &Bytes) -> Option<(u8, Bytes)> {
        let first = *message.first()?;
        match self {
            Self::Binary => Some((first, message.slice(1..))),
            Self::Base64 => Some((first.wrapping_sub(b'0'), STANDARD.decode(&message[1..]).ok()?.into())),
        }
    }
}

/// The bytes of a message that carries any.
pub(super) fn payload(message: Message) -> Option<Bytes> {
    match message {
        Message::Binary(bytes) => Some(bytes),
        Message::Text(text) => Some(text.into()),
        Message::Close(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => None,
    }
}

/// What a version of the protocol can say beyond bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The status is a text, and only bad news.
    V1,
    /// The status is an object.
    V4,
    /// The client can close one channel.
    V5,
}

/// A protocol for commands over WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) name: &'static str,
    pub(super) version: Version,
    pub(super) codec: Codec,
}

const fn protocol(name: &'static str, version: Version, codec: Codec) -> Protocol {
    Protocol { name, version, codec }
}

const V5: Protocol = protocol("v5.channel.k8s.io", Version::V5, Codec::Binary);

/// What container runtimes speak; v5 is translated before it gets to them.
const OTHERS: [Protocol; 4] = [
    protocol("v4.channel.k8s.io", Version::V4, Codec::Binary),
    protocol("v4.base64.channel.k8s.io", Version::V4, Codec::Base64),
    protocol("channel.k8s.io", Version::V1, Codec::Binary),
    protocol("base64.channel.k8s.io", Version::V1, Codec::Base64),
];

impl Protocol {
    /// Version 5 wherever it stands among the offers, else the first that is known. Who offers nothing speaks the oldest.
    pub(super) fn choose(offered: &[String]) -> Option<Self> {
        if offered.is_empty() {
            return Some(protocol("", Version::V1, Codec::Binary));
        }
        if offered.iter().any(|offer| offer == V5.name) {
            return Some(V5);
        }
        offered.iter().find_map(|offer| OTHERS.into_iter().find(|known| known.name == offer))
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
    /// What no client may send; the server closes.
    Broken,
}

impl ClientFrame {
    pub(super) fn parse(protocol: Protocol, message: &Bytes) -> Self {
        if protocol.version == Version::V5 && message.first() == Some(&CLOSE) {
            return match message[1..] {
                [STDIN] => Self::EndOfInput,
                [channel] if channel < CHANNELS => Self::Other,
                _ => Self::Broken,
            };
        }
        match protocol.codec.decode(message) {
            Some((STDIN, data)) => Self::Input(data),
            Some((RESIZE, data)) => TerminalSize::parse(&data).map_or(Self::Other, Self::Resize),
            _ => Self::Other,
        }
    }
}

impl TerminalSize {
    /// A size as clients send it, such as `{"Width":80,"Height":24}`.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let size: serde_json::Value = serde_json::from_slice(json).ok()?;
        let side = |name: &str| u16::try_from(size.get(name)?.as_u64()?).ok();
        Some(Self { width: side("Width")?, height: side("Height")? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choose(offered: &[&str]) -> Option<&'static str> {
        let offered: Vec<String> = offered.iter().map(|&offer| offer.to_owned()).collect();
        Protocol::choose(&offered).map(|protocol| protocol.name)
    }

    #[test]
    fn the_protocol_follows_the_servers_own_rules() {
        let cases: [(&[&str], Option<&str>); 6] = [
            (&["v4.channel.k8s.io", "v5.channel.k8s.io"], Some("v5.channel.k8s.io")),
            (&["v4.channel.k8s.io"], Some("v4.channel.k8s.io")),
            (&["base64.channel.k8s.io", "v4.channel.k8s.io"], Some("base64.channel.k8s.io")),
            (&["v9.channel.k8s.io", "channel.k8s.io"], Some("channel.k8s.io")),
            (&["v9.channel.k8s.io", "v55.channel.k8s.io"], None),
            (&[], Some("")),
        ];
        for (offered, chosen) in cases {
            assert_eq!(choose(offered), chosen, "{offered:?}");
        }
    }

    #[test]
    fn client_frames_are_read_and_garbage_is_ignored() {
        let parse = |protocol, bytes: &'static [u8]| ClientFrame::parse(protocol, &Bytes::from_static(bytes));
        let [v4, _, _, base64] = OTHERS;
        assert_eq!(parse(V5, b"\0hi"), ClientFrame::Input(Bytes::from_static(b"hi")));
        assert_eq!(parse(base64, b"0aGk="), ClientFrame::Input(Bytes::from_static(b"hi")));
        assert_eq!(parse(base64, b"0aGk"), ClientFrame::Other);
        assert_eq!(parse(V5, b"\xff\0"), ClientFrame::EndOfInput);
        assert_eq!(parse(v4, b"\xff\0"), ClientFrame::Other);
        let size = TerminalSize { width: 80, height: 24 };
        assert_eq!(parse(v4, b"\x04{\"Width\":80,\"Height\":24}"), ClientFrame::Resize(size));
        for garbage in [b"".as_slice(), b"\x04{", b"\x04{\"Width\":-1}", b"\x09x", b"\xff\x02"] {
            assert_eq!(parse(V5, garbage), ClientFrame::Other, "{garbage:?}");
        }
        for broken in [b"\xff".as_slice(), b"\xff\x05", b"\xff\0\0"] {
            assert_eq!(parse(V5, broken), ClientFrame::Broken, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(channel in 0_u8..10, data in proptest::collection::vec(any::<u8>(), 0..300)) {
            for codec in [Codec::Binary, Codec::Base64] {
                let message = payload(codec.encode(channel, &data)).unwrap();
                prop_assert_eq!(codec.decode(&message), Some((channel, Bytes::from(data.clone()))));
            }
        }

        #[test]
        fn no_message_upsets_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            for protocol in OTHERS.into_iter().chain([V5]) {
                let _ = ClientFrame::parse(protocol, &bytes);
            }
        }
    }
}
