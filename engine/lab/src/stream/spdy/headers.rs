//! Headers of SPDY streams: a list of names and values, compressed with one dictionary over the whole connection.
//!
//! Invariant: what is unpacked is bounded, however small the packed form is.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::dictionary::dictionary;
use super::frame::FrameError;

/// Longest headers of one stream, unpacked.
const LIMIT: usize = 64 << 10;

/// What is unpacked at once.
const PIECE: usize = 4 << 10;

/// Headers by their names, which are in lower case.
pub(super) type Headers = BTreeMap<String, String>;

/// Reads the headers that a peer sends, one after the other.
pub(super) struct Unpacker {
    zlib: Decompress,
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self { zlib: Decompress::new(true) }
    }

    /// The headers in the rest of a frame.
    ///
    /// # Errors
    /// When they cannot be read; the connection is lost then, since later headers build on earlier ones.
    pub(super) fn read(&mut self, packed: &[u8]) -> Result<Headers, FrameError> {
        parse(self.unpack(packed)?.into())
    }

    fn unpack(&mut self, mut packed: &[u8]) -> Result<Vec<u8>, FrameError> {
        let mut all = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let (taken, given) = (self.zlib.total_in(), self.zlib.total_out());
            let result = self.zlib.decompress(packed, &mut piece, FlushDecompress::Sync);
            let taken = usize::try_from(self.zlib.total_in() - taken).unwrap_or(usize::MAX).min(packed.len());
            let given = usize::try_from(self.zlib.total_out() - given).unwrap_or(usize::MAX).min(PIECE);
            packed = &packed[taken..];
            all.extend_from_slice(&piece[..given]);
            if all.len() > LIMIT {
                return Err(FrameError::Headers);
            }
            match result {
                Ok(_) if taken == 0 && given == 0 => break,
                Ok(_) if packed.is_empty() && given < PIECE => break,
                Ok(_) => {}
                // The first header of a connection says which dictionary it was packed with.
                Err(error) if error.needs_dictionary().is_some() => {
                    self.zlib.set_dictionary(&dictionary()).map_err(|_| FrameError::Headers)?;
                }
                Err(_) => return Err(FrameError::Headers),
            }
        }
        if packed.is_empty() { Ok(all) } else { Err(FrameError::Headers) }
    }
}

fn parse(mut bytes: Bytes) -> Result<Headers, FrameError> {
    let mut headers = Headers::new();
    let count = length(&mut bytes)?;
    for _ in 0..count {
        let name = text(&mut bytes)?;
        let value = text(&mut bytes)?;
        headers.insert(name.to_ascii_lowercase(), value);
    }
    Ok(headers)
}

fn length(bytes: &mut Bytes) -> Result<usize, FrameError> {
    if bytes.len() < 4 {
        return Err(FrameError::Headers);
    }
    usize::try_from(bytes.get_u32()).map_err(|_| FrameError::Headers)
}

fn text(bytes: &mut Bytes) -> Result<String, FrameError> {
    let length = length(bytes)?;
    if bytes.len() < length {
        return Err(FrameError::Headers);
    }
    String::from_utf8(bytes.split_to(length).into()).map_err(|_| FrameError::Headers)
}

/// Writes headers to a peer, one after the other.
pub(super) struct Packer {
    zlib: Compress,
}

impl Packer {
    pub(super) fn new() -> Self {
        let mut zlib = Compress::new(Compression::default(), true);
        // The dictionary is a constant that zlib takes; without it the peer would read the headers as well.
        let _ = zlib.set_dictionary(&dictionary());
        Self { zlib }
    }

    /// Headers in their packed form.
    pub(super) fn write(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut put = |length: usize| plain.extend_from_slice(&u32::try_from(length).unwrap_or_default().to_be_bytes());
        put(headers.len());
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
            plain.extend_from_slice(text.as_bytes());
        }
        let mut packed = Vec::with_capacity(plain.len() + 64);
        // Into memory with room enough nothing can fail.
        let _ = self.zlib.compress_vec(&plain, &mut packed, FlushCompress::Sync);
        packed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_build_on_earlier_ones() {
        let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
        for port in ["80", "81", "82"] {
            let packed = packer.write(&[("streamType", "data"), ("port", port)]);
            let headers = unpacker.read(&packed).unwrap();
            assert_eq!((headers["streamtype"].as_str(), headers["port"].as_str()), ("data", port));
        }
        assert_eq!(unpacker.read(&packer.write(&[])), Ok(Headers::new()));
    }

    #[test]
    fn a_small_frame_cannot_unpack_to_much() {
        let mut zlib = Compress::new(Compression::best(), true);
        let mut packed = Vec::with_capacity(1 << 16);
        zlib.compress_vec(&vec![0; 8 << 20], &mut packed, FlushCompress::Sync).unwrap();
        assert_eq!(Unpacker::new().read(&packed), Err(FrameError::Headers));
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut unpacker = Unpacker::new();
            let _ = unpacker.read(&bytes);
            let _ = parse(bytes.into());
        }

        #[test]
        fn a_torn_or_flipped_block_is_an_error_or_other_headers(at in 0_usize..64, byte in any::<u8>(), keep in 0_usize..64) {
            let mut packed = Packer::new().write(&[("streamtype", "error"), ("port", "8080"), ("requestid", "0")]);
            if let Some(place) = packed.get_mut(at) {
                *place = byte;
            }
            packed.truncate(keep);
            let _ = Unpacker::new().read(&packed);
        }
    }
}
