//! Messages on lines: reading and writing them, for stdio and for a server in this process.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::gather::{Addressee, Gathered, Gatherer};
use super::pipe::{Pipe, Streaming};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Reads messages until the other side closes, and hands each to the pipe. A line that is no message costs that
/// line only; it is counted and never answered.
pub(crate) async fn read(pipe: &Arc<Pipe>, mut from: impl AsyncRead + Unpin) {
    let mut gatherer = Gatherer::new(pipe.framing, Addressee::Unknown);
    let mut hand = Hand { pipe, streaming: None };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        gatherer.set_addressee(pipe.addressee());
        let mut chunk = buffer.split().freeze();
        while !chunk.is_empty() {
            let end = memchr(b'\n', &chunk);
            let part = chunk.split_to(end.unwrap_or(chunk.len()));
            gatherer.part(part);
            if end.is_some() {
                chunk = chunk.slice(1..);
                gatherer.finish();
            }
            while let Some(item) = gatherer.next() {
                hand.over(item).await;
            }
        }
    }
    gatherer.finish();
    while let Some(item) = gatherer.next() {
        hand.over(item).await;
    }
}

/// Writes messages, one to a line, until it is stopped or the other side is gone. What waits when it is stopped
/// is still written; then it closes.
pub(crate) async fn write(
    mut lines: mpsc::Receiver<Bytes>,
    mut to: impl AsyncWrite + Unpin,
    stop: CancellationToken,
) {
    let mut buffer = BytesMut::new();
    loop {
        let line = tokio::select! {
            biased;
            line = lines.recv() => line,
            () = stop.cancelled() => None,
        };
        let Some(line) = line else { break };
        put(&mut buffer, &line);
        // Whatever waits already goes out in the same write.
        while buffer.len() < CHUNK {
            match lines.try_recv() {
                Ok(line) => put(&mut buffer, &line),
                Err(_) => break,
            }
        }
        if to.write_all(&buffer).await.is_err() || to.flush().await.is_err() {
            break;
        }
        buffer.clear();
        if buffer.capacity() > 4 * CHUNK {
            buffer = BytesMut::new();
        }
    }
    let _ = to.shutdown().await;
}

/// A message on a line must not contain line breaks; in JSON they are mere white space.
fn put(buffer: &mut BytesMut, line: &[u8]) {
    let start = buffer.len();
    buffer.extend_from_slice(line);
    for byte in &mut buffer[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    buffer.extend_from_slice(b"\n");
}

/// Hands what was read to the pipe.
pub(crate) struct Hand<'a> {
    pub(crate) pipe: &'a Arc<Pipe>,
    pub(crate) streaming: Option<Streaming>,
}

// === impl Hand ===

impl Hand<'_> {
    /// Waits for a slow call, within bounds.
    pub(crate) async fn over(&mut self, item: Gathered) {
        match item {
            Gathered::Message(message) => self.pipe.message(message).await,
            Gathered::Head(head, addressee) => {
                self.streaming = Some(self.pipe.head(head, addressee).await);
            }
            Gathered::Pieces(pieces) => {
                if let Some(streaming) = &self.streaming {
                    self.pipe.pieces(streaming, pieces).await;
                }
            }
            Gathered::End => {
                if let Some(streaming) = self.streaming.take() {
                    self.pipe.end(streaming).await;
                }
            }
            Gathered::Broken(error) => {
                if let Some(streaming) = self.streaming.take() {
                    self.pipe.broken(streaming, &error);
                }
            }
            Gathered::Bad(error, addressee) => self.pipe.garbage(&error, addressee),
        }
    }
}
