//! One SPDY connection: streams that the client opens, and what is written to them.
//!
//! Invariant: a stream that nobody reads holds the connection up, so that its bytes wait at the client.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, mpsc};

use super::frame::{self, FrameError, HEAD, Head, Kind};
use super::headers::{Headers, Packer, Unpacker};

/// Bytes of a data frame that are handed on at once.
const PIECE: usize = 32 << 10;

/// Pieces of one stream that may wait for their reader.
const QUEUE: usize = 16;

/// Streams that may be open at a time.
const STREAMS: usize = 1024;

/// `REFUSED_STREAM` and `CANCEL`.
const REFUSED: u32 = 3;
const CANCEL: u32 = 5;

/// The half of a connection that opens streams, and the half that is written to.
pub(in crate::stream) struct Connection {
    /// Streams as the client opens them.
    pub(in crate::stream) opened: mpsc::Receiver<Stream>,
    out: Out,
}

/// A stream that the client has opened.
pub(in crate::stream) struct Stream {
    /// What the client says about it; the names are in lower case.
    pub(in crate::stream) headers: Headers,
    /// What the client sends; ends when it sends no more.
    pub(in crate::stream) data: mpsc::Receiver<Bytes>,
    /// The way back.
    pub(in crate::stream) writer: StreamWriter,
}

/// The way back to the client on one stream.
#[derive(Clone)]
pub(in crate::stream) struct StreamWriter {
    id: u32,
    out: Out,
}

type Out = Arc<Mutex<Writing>>;

struct Writing {
    io: Box<dyn AsyncWrite + Send + Unpin>,
    packer: Packer,
}

impl Writing {
    async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.io.write_all(frame).await?;
        self.io.flush().await
    }
}

impl Connection {
    /// A connection over `io`, and the task that reads it. Without that task being polled nothing happens; it is over
    /// when the client has gone or has broken the rules.
    pub(in crate::stream) fn new<S>(io: S) -> (Self, impl Future<Output = ()> + Send)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (read, write) = tokio::io::split(io);
        let out: Out = Arc::new(Mutex::new(Writing { io: Box::new(write), packer: Packer::new() }));
        let (opened, streams) = mpsc::channel(1);
        let reader = Reader {
            io: read,
            out: Arc::clone(&out),
            opened,
            unpacker: Unpacker::new(),
            open: BTreeMap::new(),
            last: 0,
        };
        let reading = async move {
            if let Err(error) = reader.run().await {
                tracing::debug!(%error, "a SPDY connection ended");
            }
        };
        (Self { opened: streams, out }, reading)
    }

    /// Says that no stream goes on, and closes.
    pub(in crate::stream) async fn close(self) {
        let mut out = self.out.lock().await;
        let goaway = frame::control(Kind::GoAway, 0, &[0; 8]);
        // A client that has gone needs no farewell.
        if out.send(&goaway).await.is_ok() {
            let _ = out.io.shutdown().await;
        }
    }
}

impl StreamWriter {
    /// The number that the client gave the stream.
    pub(in crate::stream) fn id(&self) -> u32 {
        self.id
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(in crate::stream) async fn write(&self, data: &[u8]) -> io::Result<()> {
        for piece in data.chunks(PIECE) {
            self.out.lock().await.send(&frame::data(self.id, false, piece)).await?;
        }
        Ok(())
    }

    /// Says that no more bytes come. A connection that is gone knows so.
    pub(in crate::stream) async fn finish(&self) {
        let _ = self.out.lock().await.send(&frame::data(self.id, true, &[])).await;
    }

    /// Says that the stream is over in both directions.
    pub(in crate::stream) async fn reset(&self) {
        let _ = reset(&self.out, self.id, CANCEL).await;
    }
}

async fn reset(out: &Out, stream: u32, why: u32) -> io::Result<()> {
    let payload = [stream.to_be_bytes(), why.to_be_bytes()].concat();
    out.lock().await.send(&frame::control(Kind::RstStream, 0, &payload)).await
}

struct Reader<R> {
    io: R,
    out: Out,
    opened: mpsc::Sender<Stream>,
    unpacker: Unpacker,
    open: BTreeMap<u32, mpsc::Sender<Bytes>>,
    last: u32,
}

impl<R: AsyncRead + Send + Unpin> Reader<R> {
    /// Reads frames until the client closes or breaks the rules.
    async fn run(mut self) -> io::Result<()> {
        loop {
            let mut head = [0; HEAD];
            match self.io.read_exact(&mut head).await {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
            match Head::parse(head).map_err(broken)? {
                Head::Data { stream, fin, length } => self.data(stream, fin, length).await?,
                Head::Control { kind, flags, length } => {
                    let mut payload = vec![0; length];
                    self.io.read_exact(&mut payload).await?;
                    self.control(kind, flags, payload.into()).await?;
                }
            }
        }
    }

    async fn data(&mut self, stream: u32, fin: bool, mut length: usize) -> io::Result<()> {
        while length > 0 {
            let mut piece = vec![0; length.min(PIECE)];
            self.io.read_exact(&mut piece).await?;
            length -= piece.len();
            if let Some(queue) = self.open.get(&stream)
                && queue.send(piece.into()).await.is_err()
            {
                // Nobody reads this stream any more; what still comes is dropped.
                self.open.remove(&stream);
            }
        }
        if fin {
            self.open.remove(&stream);
        }
        Ok(())
    }

    async fn control(&mut self, kind: Kind, flags: u8, mut payload: Bytes) -> io::Result<()> {
        match kind {
            Kind::SynStream => {
                let stream = frame::number(&mut payload).map_err(broken)?;
                if payload.len() < 6 {
                    return Err(broken(FrameError::Short));
                }
                // The stream that it belongs to and its priority mean nothing here.
                let headers = self.unpacker.read(&payload.slice(6..)).map_err(broken)?;
                self.open(stream, flags & frame::FIN != 0, headers).await
            }
            Kind::Headers => {
                frame::number(&mut payload).map_err(broken)?;
                // Unpacked for the sake of later ones.
                self.unpacker.read(&payload).map(drop).map_err(broken)
            }
            Kind::RstStream => {
                let stream = frame::number(&mut payload).map_err(broken)?;
                self.open.remove(&stream);
                Ok(())
            }
            Kind::Ping => self.out.lock().await.send(&frame::control(Kind::Ping, 0, &payload)).await,
            // The lab opens no streams, and knows no windows.
            Kind::SynReply | Kind::Settings | Kind::GoAway | Kind::WindowUpdate => Ok(()),
        }
    }

    async fn open(&mut self, id: u32, fin: bool, headers: Headers) -> io::Result<()> {
        // Clients count upward in odd numbers.
        if id.is_multiple_of(2) || id <= self.last {
            return Err(broken(FrameError::Unknown));
        }
        self.last = id;
        self.open.retain(|_, queue| !queue.is_closed());
        if self.open.len() >= STREAMS {
            return reset(&self.out, id, REFUSED).await;
        }
        let mut out = self.out.lock().await;
        let mut payload = id.to_be_bytes().to_vec();
        payload.extend(out.packer.write(&[]));
        out.send(&frame::control(Kind::SynReply, 0, &payload)).await?;
        drop(out);
        let (queue, data) = mpsc::channel(QUEUE);
        if !fin {
            self.open.insert(id, queue);
        }
        let writer = StreamWriter { id, out: Arc::clone(&self.out) };
        // Whoever has stopped taking streams has no use for another.
        let _ = self.opened.send(Stream { headers, data, writer }).await;
        Ok(())
    }
}

fn broken(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn syn(id: u32, packer: &mut Packer, headers: &[(&str, &str)]) -> Bytes {
        let mut payload = id.to_be_bytes().to_vec();
        payload.extend([0; 6]);
        payload.extend(packer.write(headers));
        frame::control(Kind::SynStream, 0, &payload)
    }

    #[tokio::test(start_paused = true)]
    async fn streams_carry_bytes_both_ways_and_end() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let (mut connection, reading) = Connection::new(server);
        let task = tokio::spawn(reading);
        let mut packer = Packer::new();
        client.write_all(&syn(1, &mut packer, &[("streamtype", "stdin")])).await.unwrap();
        client.write_all(&frame::data(1, false, b"hello")).await.unwrap();
        client.write_all(&frame::data(1, true, b"!")).await.unwrap();
        client.write_all(&frame::control(Kind::Ping, 0, &9_u32.to_be_bytes())).await.unwrap();
        let mut stream = connection.opened.recv().await.unwrap();
        assert_eq!((stream.headers["streamtype"].as_str(), stream.writer.id()), ("stdin", 1));
        assert_eq!(stream.data.recv().await.unwrap(), "hello");
        assert_eq!(stream.data.recv().await.unwrap(), "!");
        assert_eq!(stream.data.recv().await, None);
        stream.writer.write(b"back").await.unwrap();
        stream.writer.finish().await;
        connection.close().await;
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        let ends =
            [frame::data(1, false, b"back"), frame::data(1, true, b""), frame::control(Kind::GoAway, 0, &[0; 8])];
        assert!(all.ends_with(&ends.concat()), "{all:?}");
        drop(client);
        task.await.unwrap();
    }

    proptest! {
        /// Any bytes after a good beginning end the connection or are taken; none of them panics or waits for ever.
        #[test]
        fn no_bytes_upset_a_connection(bytes in proptest::collection::vec(any::<u8>(), 0..400), typed in 0_u8..12) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (mut client, server) = tokio::io::duplex(1 << 16);
                let (mut connection, reading) = Connection::new(server);
                let mut packer = Packer::new();
                let mut wire = syn(1, &mut packer, &[("port", "80")]).to_vec();
                wire.extend([0x80, 3, 0, typed, 0, 0, 0, u8::try_from(bytes.len().min(255)).unwrap()]);
                wire.extend(&bytes);
                client.write_all(&wire).await.unwrap();
                client.shutdown().await.unwrap();
                let streams = async { while connection.opened.recv().await.is_some() {} };
                tokio::join!(reading, streams);
            });
        }
    }
}
