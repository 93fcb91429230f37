//! One HTTP/1 connection, driven by whoever uses it.
//!
//! No task stands behind a connection: who sends on it, or reads a body from it, moves it forward meanwhile. So an
//! exchange begins, waits and ends within one task, and nobody has to be woken on its way. What nobody uses lies still
//! on the [`Shelf`](crate::shelf::Shelf), where it is looked at from time to time.
//!
//! The client's half of HTTP/1.1 (RFC 9112) is all that is spoken: no upgrade, no pipelining, one exchange at a time.
//! What does not read as exactly one response costs the connection ([`head`], [`framing`]).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::buf::Chain;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Response, Uri};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::{poll_read_buf, poll_write_buf};

use crate::NetError;
use crate::connect::Dialled;

mod framing;
mod head;

use framing::{Framing, Step};
use head::Answer;

/// Bytes of a response's header, and of what is read ahead of a slow reader.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Bytes read at once, until a body turns out to be longer.
const ROOM: usize = 8 * 1024;

/// A stream as it was dialled.
pub(crate) type Stream = MaybeHttpsStream<Dialled>;

/// One connection.
pub(crate) struct Line(Box<Inner>);

struct Inner {
    stream: TokioIo<Stream>,
    host: HeaderValue,
    proxied: bool,
    /// What of the request is not written yet.
    output: Chain<Bytes, Bytes>,
    /// The request is written, but a stream that keeps something back has not let go of all of it.
    flushing: bool,
    /// Why the request could not be written. There may be a response nevertheless.
    unwritten: Option<io::Error>,
    /// What was read and not taken.
    input: BytesMut,
    /// How much is read at once.
    room: usize,
    /// What is still to come of the response's body.
    framing: Framing,
    /// Whether another exchange may follow, as far as was said.
    lasts: bool,
}

// === impl Line ===

impl Line {
    /// Speaks HTTP/1 on a new stream to `host`. A proxy that reads what is sent has to be told the whole URL.
    pub(crate) fn new(stream: Stream, host: HeaderValue, proxied: bool) -> Self {
        Self(Box::new(Inner {
            stream: TokioIo::new(stream),
            host,
            proxied,
            output: Bytes::new().chain(Bytes::new()),
            flushing: false,
            unwritten: None,
            input: BytesMut::new(),
            room: ROOM,
            framing: Framing::DONE,
            lasts: true,
        }))
    }

    /// Sends a request and waits for the header of the response; its body is read by [`poll_data`](Self::poll_data).
    /// Nothing is sent on a connection that is not [free](Self::is_free).
    pub(crate) async fn send(
        &mut self,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<()>, NetError> {
        if !self.is_free() {
            return Err(NetError::Unsent("it was closed by the peer".to_owned()));
        }
        let line = &mut *self.0;
        let head = head::request(parts, line.target(&parts.uri), &line.host, body.len());
        line.output = head.chain(body.clone());
        (line.flushing, line.room) = (true, ROOM);
        let answer = std::future::poll_fn(|cx| line.poll_answer(cx)).await?;
        let (framing, lasts) = framing::of(&parts.method, &answer)?;
        (line.framing, line.lasts) = (framing, lasts && line.unwritten.is_none());
        line.settle();
        Ok(answer.into_response())
    }

    /// The next bytes of the body; `None` at its end. An error is the end of the connection.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, NetError>>> {
        self.0.poll_data(cx).map(|step| step.map_err(NetError::Body).transpose())
    }

    /// Whether the body was read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.0.framing.is_done()
    }

    /// How much of the body is still to come, if that was said.
    pub(crate) fn left(&self) -> Option<u64> {
        self.0.framing.left()
    }

    /// Whether the last exchange is complete in both directions, and another one may follow.
    pub(crate) fn is_complete(&self) -> bool {
        let line = &*self.0;
        line.lasts && line.framing.is_done() && line.input.is_empty() && !line.flushing
    }

    /// Whether it can carry a request: it is complete, and the peer has not closed it.
    pub(crate) fn is_free(&mut self) -> bool {
        self.is_complete() && self.0.is_quiet()
    }
}

// === impl Inner ===

impl Inner {
    /// What the server is told of the URL (RFC 9112, §3.2).
    fn target<'a>(&self, uri: &'a Uri) -> head::Target<'a> {
        match self.proxied {
            true => head::Target::Whole(uri),
            false => head::Target::Path(uri.path_and_query().map_or("", |path| path.as_str())),
        }
    }

    /// Nothing is there to read, not even the end: on a connection that waits for a request that is as it should be.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// The header of the response. One that comes before the whole request is written is taken as well.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, NetError>> {
        let mut seen = 0;
        loop {
            self.write(cx);
            while let Some(answer) = head::answer(&mut self.input, &mut seen)? {
                if !answer.is_interim()? {
                    return Poll::Ready(Ok(answer));
                }
                seen = 0;
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => return Poll::Ready(Err(self.no_answer("the connection was closed"))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(self.no_answer(&error.to_string()))),
            }
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, String>> {
        loop {
            self.write(cx);
            match self.framing.step(&mut self.input)? {
                Step::Data(data) => {
                    self.settle();
                    return Poll::Ready(Ok(Some(data)));
                }
                Step::End => return Poll::Ready(Ok(None)),
                Step::More => {}
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => self.framing.close()?,
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error.to_string())),
            }
        }
    }

    /// Goes on writing, as far as it goes. That it fails is told only to whom there is no response.
    fn write(&mut self, cx: &mut Context<'_>) {
        if !self.flushing {
            return;
        }
        match self.poll_write(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.flushing = false,
            Poll::Ready(Err(error)) => {
                self.unwritten = Some(error);
                self.output = Bytes::new().chain(Bytes::new());
                self.flushing = false;
                self.lasts = false;
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.output.has_remaining() {
            let written = poll_write_buf(Pin::new(&mut self.stream), cx, &mut self.output);
            if ready!(written)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads what is there; zero at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.room);
        let mut room = (&mut self.input).limit(self.room);
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut room))?;
        if read == self.room {
            self.room = (2 * self.room).min(MAX_HEADER_BYTES);
        }
        Poll::Ready(Ok(read))
    }

    /// Reads ahead what belongs to the body without bringing any of it, and keeps no memory for what is complete.
    fn settle(&mut self) {
        self.framing.look_ahead(&mut self.input);
        if self.framing.is_done() && self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    fn no_answer(&mut self, why: &str) -> NetError {
        NetError::Exchange(match self.unwritten.take() {
            Some(error) => format!("the request could not be written: {error}"),
            None => format!("no response: {why}"),
        })
    }
}
