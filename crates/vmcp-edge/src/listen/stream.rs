//! The bytes of one connection, as they are or out of TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::Tls;

/// What the first record of TLS begins with (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// What a client that speaks plain HTTP to a port with TLS gets.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\
    content-type: text/plain\r\ncontent-length: 27\r\n\r\nthis port speaks HTTPS only";
/// Of such a client's request, thrown away so that it can read the answer before its own writes fail.
const PLAIN_BYTES: usize = 64 << 10;

/// A client's connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    /// Boxed: most of what TLS keeps would be paid for by connections without it.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Takes a client's handshake; says too whether it then speaks HTTP/2. `None`: it had its time, or no good one came.
pub(crate) async fn shake(
    tls: &Tls,
    mut stream: TcpStream,
    within: Duration,
) -> Option<(Stream, bool)> {
    let handshake = async {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1..) if first == [HANDSHAKE] => {}
            Ok(1..) => {
                refuse_plain(&mut stream).await;
                return None;
            }
            _ => return None,
        }
        match TlsAcceptor::from(tls.current()).accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "a handshake of TLS failed");
                None
            }
        }
    };
    let Ok(stream) = tokio::time::timeout(within, handshake).await else {
        tracing::debug!("a handshake of TLS took too long");
        return None;
    };
    let stream = stream?;
    let (_, session) = stream.get_ref();
    if let Some([certificate, ..]) = session.peer_certificates() {
        let fingerprint = STANDARD_NO_PAD.encode(digest(&SHA256, certificate));
        tracing::debug!(sha256 = fingerprint, "a client showed a certificate");
    }
    let multiplexed = session.alpn_protocol() == Some(b"h2");
    Some((Stream::Tls(Box::new(stream)), multiplexed))
}

async fn refuse_plain(stream: &mut TcpStream) {
    if stream.write_all(PLAIN).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut scratch = [0; 1024];
    let mut left = PLAIN_BYTES;
    while let Ok(length @ 1..) = stream.read(&mut scratch).await {
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match Pin::new(stream).poll_read(cx, buffer) {
                // Many clients close without the word of TLS for it. HTTP knows by itself what is whole.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                polled => polled,
            },
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
