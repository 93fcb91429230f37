//! A client's socket with deadlines, and with an end that waits for answers under way.
//!
//! Three clocks run, one at a time. Reading: a new connection has `read_headers` to send its first head, a
//! kept one may be idle for `idle`, and once the first byte of a head is there, `read_headers` again;
//! none of them runs while a request is being answered. Writing: a write must make progress within
//! `write`, so that a reader that stopped reading gives back what it holds.
//!
//! A client may close its sending half after its request and still wait for the answer. Taken for a
//! disconnect, that would lose the answer; so the end of the input is held back while a request asks for
//! it ([`Link::hold`]). Whether such a client is still there shows only when something is written to it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::link::Link;
use super::stream::Stream;

/// After the answer to a request whose body was not read, this much is thrown away so that the client can
/// read the answer before its own writes fail.
const LINGER_BYTES: usize = 512 << 10;
const LINGER: Duration = Duration::from_millis(500);

/// How long a socket may do nothing.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines {
    pub(crate) read_headers: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

/// A client's socket.
pub(crate) struct Socket {
    stream: Stream,
    link: Arc<Link>,
    deadlines: Deadlines,
    /// What the reading clock counts.
    waiting: Waiting,
    /// How many requests had begun when bytes were read last.
    begun: usize,
    multiplexed: bool,
    read_clock: Clock,
    write_clock: Clock,
    ended: bool,
    lingered: usize,
    closing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For the first byte on a new connection.
    First,
    /// For the next request.
    Next,
    /// For the rest of a head.
    Rest,
}

/// A timer that is made on first use and can be stopped.
struct Clock {
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
    /// When it rings, if it is running.
    until: Instant,
}

// === impl Socket ===

impl Socket {
    pub(crate) fn new(stream: Stream, link: Arc<Link>, deadlines: Deadlines) -> Self {
        Self {
            stream,
            link,
            deadlines,
            waiting: Waiting::First,
            begun: 0,
            multiplexed: false,
            read_clock: Clock::stopped(),
            write_clock: Clock::stopped(),
            ended: false,
            lingered: 0,
            closing: false,
        }
    }

    /// Bytes arrived: perhaps the first of a head.
    fn arrived(&mut self, bytes: &[u8]) {
        self.notice_request();
        if self.waiting == Waiting::First && bytes.starts_with(b"PRI ") {
            self.multiplexed = true;
        }
        // Frames of an idle HTTP/2 connection are no heads: a ping changes nothing about its time.
        if !self.multiplexed && !self.link.is_open() && self.waiting != Waiting::Rest {
            self.waiting = Waiting::Rest;
            self.read_clock.stop();
        }
    }

    /// A request that began since the last look took the head that was waited for.
    fn notice_request(&mut self) {
        let begun = self.link.begun();
        if begun != self.begun {
            self.begun = begun;
            self.waiting = Waiting::Next;
            self.read_clock.stop();
        }
    }

    /// Nothing to read: fails when the client has had its time.
    fn starve(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.notice_request();
        if self.link.is_open() {
            self.read_clock.stop();
            return Poll::Pending;
        }
        let limit = match self.waiting {
            Waiting::First | Waiting::Rest => self.deadlines.read_headers,
            Waiting::Next => self.deadlines.idle,
        };
        ready!(self.read_clock.poll(limit, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn written<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write_clock.stop();
            return poll;
        }
        ready!(self.write_clock.poll(self.deadlines.write, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Throws away what the client still sends, until its end, a bound or a deadline.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0_u8; 4096];
        while !self.ended && self.lingered < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    self.ended = buffer.filled().is_empty();
                    self.lingered += buffer.filled().len();
                }
                Poll::Ready(Err(_)) => self.ended = true,
                Poll::Pending => return self.write_clock.poll(LINGER, cx),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let before = buffer.filled().len();
        if !socket.ended {
            match Pin::new(&mut socket.stream).poll_read(cx, buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return socket.starve(cx),
            }
        }
        let filled = buffer.filled();
        if filled.len() > before {
            socket.arrived(&filled[before..]);
            return Poll::Ready(Ok(()));
        }
        socket.ended = true;
        // A write that waits will poll the connection again, and with it this read.
        let held_back = socket.write_clock.running || socket.link.holds(cx.waker());
        if held_back { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let poll = Pin::new(&mut socket.stream).poll_write(cx, bytes);
        socket.written(poll, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let poll = Pin::new(&mut socket.stream).poll_write_vectored(cx, slices);
        socket.written(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let poll = Pin::new(&mut socket.stream).poll_flush(cx);
        socket.written(poll, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if !socket.closing {
            ready!(Pin::new(&mut socket.stream).poll_shutdown(cx))?;
            socket.closing = true;
            socket.write_clock.stop();
        }
        ready!(socket.linger(cx));
        Poll::Ready(Ok(()))
    }
}

// === impl Clock ===

impl Clock {
    fn stopped() -> Self {
        Self { sleep: None, running: false, until: Instant::now() }
    }

    fn stop(&mut self) {
        self.running = false;
    }

    /// Ready once `limit` has passed since the first poll after a stop.
    ///
    /// The timer is put off when it rings, not each time the clock starts again: that is once a request.
    fn poll(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.running, true) {
            self.until = Instant::now() + limit;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(self.until)));
        if sleep.deadline() > self.until {
            sleep.as_mut().reset(self.until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= self.until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.until);
        }
    }
}
