//! Frames for a command's WebSocket.

#![no_main]

use arbitrary::Arbitrary;

#[derive(Arbitrary, Debug)]
struct Frames {
    protocol: u8,
    tty: bool,
    frames: Vec<Frame>,
    noise: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Frame {
    head: u8,
    masked: bool,
    mask: [u8; 4],
    channel: u8,
    payload: Vec<u8>,
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let mut payload = vec![self.channel];
        payload.extend(&self.payload);
        payload.truncate(60_000);
        let mut bytes = vec![self.head, if self.masked { 0xfe } else { 0x7e }];
        bytes.extend(u16::try_from(payload.len()).unwrap_or(0).to_be_bytes());
        if self.masked {
            bytes.extend(self.mask);
            bytes.extend(payload.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(payload);
        }
        bytes
    }
}

libfuzzer_sys::fuzz_target!(|input: Frames| {
    let protocol = ["v5.channel.k8s.io", "v4.channel.k8s.io"][usize::from(input.protocol % 2)];
    let tty = input.tty;
    let head = format!(
        "GET /api/v1/namespaces/n/pods/p/exec?command=cat&stdin=true&stdout=true&tty={tty} HTTP/1.1\r\nhost: lab\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: {protocol}\r\n\r\n"
    );
    let frames: Vec<u8> = input.frames.iter().flat_map(Frame::bytes).collect();
    periplus_lab_fuzz::attack(&[head.into_bytes(), frames, input.noise].concat());
});
