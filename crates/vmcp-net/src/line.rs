//! One HTTP/1 connection, driven by whoever uses it.
//!
//! No task stands behind a connection: who sends on it, or reads a body from it, moves it forward meanwhile. So an
//! exchange begins, waits and ends within one task, and nobody has to be woken on its way. What nobody uses lies still
//! on the [`Shelf`](crate::shelf::Shelf), where it is looked at from time to time.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::MaybeHttpsStream;
use tokio::task::coop::unconstrained;

use crate::connect::Dialled;

/// Bytes of a response's header, and of what is read ahead of a slow reader.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;

/// A stream as it was dialled.
pub(crate) type Stream = MaybeHttpsStream<Dialled>;

type Connection = http1::Connection<Stream, Full<Bytes>>;

/// A request that got no response; it is handed back if nothing of it was written.
pub(crate) type Unanswered = TrySendError<Request<Full<Bytes>>>;

/// One connection.
pub(crate) struct Line(Box<Inner>);

struct Inner {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it is over.
    connection: Option<Connection>,
    host: HeaderValue,
    proxied: bool,
}

// === impl Line ===

impl Line {
    /// Speaks HTTP/1 on a new stream to `host`. A proxy that reads what is sent has to be told the whole URL.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that speaks HTTP/1")]
    pub(crate) async fn open(
        stream: Stream,
        host: HeaderValue,
        proxied: bool,
    ) -> Result<Self, hyper::Error> {
        // Header lines are bounded by hyper (100), which has room for so many at hand, and for no other number.
        let (sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEADER_BYTES).handshake(stream).await?;
        Ok(Self(Box::new(Inner { sender, connection: Some(connection), host, proxied })))
    }

    /// What the peer is called in a `Host` header.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.0.host
    }

    /// Whether a proxy reads what is sent.
    pub(crate) fn is_proxied(&self) -> bool {
        self.0.proxied
    }

    /// Sends a request and waits for the header of the response; the connection has to be moved on for its body.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        // The answer is put where it is looked for while the connection is polled, by the same task: asking to be woken
        // for it, or waiting for the task's turn, would be for nothing.
        let mut answer = pin!(unconstrained(self.0.sender.try_send_request(request)));
        let connection = &mut self.0.connection;
        let mut look = || answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        std::future::poll_fn(|cx| advance(connection, cx, &mut look)).await
    }

    /// Moves the connection forward until `look` finds what it is after; woken when it can go on.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl FnMut() -> Poll<T>,
    ) -> Poll<T> {
        advance(&mut self.0.connection, cx, look)
    }

    /// Whether it can carry a request: the last exchange is complete in both directions, and the peer has not closed.
    pub(crate) fn is_free(&mut self) -> bool {
        drive(&mut self.0.connection, &mut Context::from_waker(Waker::noop()));
        self.0.connection.is_some() && self.0.sender.is_ready()
    }
}

/// A connection wakes whoever polled it when what it found is taken, which is us. So first it does what it can without
/// knowing whom to wake, and is told only if there is something to wait for.
fn advance<T>(
    connection: &mut Option<Connection>,
    cx: &mut Context<'_>,
    mut look: impl FnMut() -> Poll<T>,
) -> Poll<T> {
    drive(connection, &mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(found) = look() {
        return Poll::Ready(found);
    }
    drive(connection, cx);
    look()
}

/// Drops a connection that is over: what was still on it is then told so.
fn drive(connection: &mut Option<Connection>, cx: &mut Context<'_>) {
    let Some(open) = connection else { return };
    if let Poll::Ready(ended) = Pin::new(open).poll(cx) {
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
        *connection = None;
    }
}
