//! Protobuf on the wire: numbered fields, of which only the widths are known.

use crate::status::Status;

/// A value as it lies on the wire.
pub(super) enum Wire<'b> {
    /// A number or a flag.
    Varint(u64),
    /// A text, bytes or a message.
    Bytes(&'b [u8]),
    /// Eight bytes, or four with zeros behind them.
    Fixed([u8; 8]),
}

/// The fields of a message, in the order of the bytes.
pub(super) fn entries(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, Status> {
    let cut = || Status::bad_request("a protobuf body ends in the middle of a field");
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or_else(cut)?;
        let wire = match key & 7 {
            0 => Wire::Varint(varint(&mut bytes).ok_or_else(cut)?),
            2 => {
                let length = varint(&mut bytes).and_then(|length| usize::try_from(length).ok()).ok_or_else(cut)?;
                let (value, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            fixed @ (1 | 5) => {
                let width = if fixed == 1 { 8 } else { 4 };
                let (value, rest) = bytes.split_at_checked(width).ok_or_else(cut)?;
                bytes = rest;
                let mut held = [0; 8];
                held[..width].copy_from_slice(value);
                Wire::Fixed(held)
            }
            _ => return Err(Status::bad_request("a protobuf body holds an unknown wire type")),
        };
        found.push((key >> 3, wire));
    }
    Ok(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
