//! Everything that goes to one client's event streams: order, backpressure, resumption.
//!
//! A stream belongs to one call (a POST) or to none (a GET). Each is a log of numbered items with one cursor:
//! before it what a reader has taken and what is kept for resumption, behind it what waits. Whoever writes a
//! stream is one party, so a response can never overtake a notification of its call; whoever reads it is one
//! connection at a time, and a newer reader takes over from an older one.
//!
//! What is bounded, and what happens at the bound:
//! - waiting items of a stream that is being read: the call that writes it waits ([`Outbox::poll_room`]);
//! - items outside calls, or of a call whose client is gone: the oldest notification is dropped, never a
//!   request and never a response;
//! - kept items: the oldest is dropped; if it was a response, resuming it gives an error event;
//! - a response too long to be held passes through in parts and is never kept.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_wire::RawId;

mod event;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use event::{EventId, Item, Kind};
use stream::Stream;

/// Streams of answered calls that are kept at one time.
const MAX_KEPT_STREAMS: usize = 64;

/// The bounds and habits of one client's outbox.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// GET streams at one time.
    pub(crate) max_streams: usize,
    /// Items that wait before notifications are dropped.
    pub(crate) max_queue: usize,
    /// Bytes kept for resumption.
    pub(crate) replay_bytes: usize,
    /// How long an abandoned stream is kept.
    pub(crate) replay_keep: Duration,
    /// When streams begin with an event that has an id and no data: the reconnection time to tell.
    pub(crate) prime: Option<Duration>,
}

/// One client's outbox.
pub(crate) struct Outbox {
    rules: Rules,
    /// Protects all streams; held for a look or a change only, and never while a waker runs.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_stream: u32,
    last_reader: u64,
    /// In the order of their numbers.
    streams: Vec<Stream>,
    /// Bytes on all of them.
    held: usize,
    /// Messages outside calls while no stream is open.
    waiting: VecDeque<Item>,
    closed: bool,
}

/// A stream as its reader names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) stream: u32,
    reader: u64,
}

/// Why a stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many GET streams.
    Full,
    /// The event id names nothing of this session, or nothing that is kept.
    Gone,
}

/// The stream broke off inside an event: the connection must end without a proper end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

// === impl Outbox ===

impl Outbox {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, state: Mutex::default() }
    }

    /// Opens the stream of a call; its connection reads it.
    pub(crate) fn open_call(&self) -> Seat {
        self.state.lock().open(Kind::Call, &self.rules)
    }

    /// Opens a stream for messages outside calls. What waited for one goes to it.
    pub(crate) fn open_standalone(&self) -> Result<Seat, Refusal> {
        let mut state = self.state.lock();
        let open = state.streams.iter().filter(|stream| stream.is_read(Kind::Standalone)).count();
        if open >= self.rules.max_streams {
            return Err(Refusal::Full);
        }
        let seat = state.open(Kind::Standalone, &self.rules);
        state.hand_over(seat.stream);
        Ok(seat)
    }

    /// Reads a stream again, after the event with this id. An older reader ends.
    pub(crate) fn resume(&self, after: EventId) -> Result<Seat, Refusal> {
        let mut state = self.state.lock();
        if after.stream > state.last_stream || state.closed {
            return Err(Refusal::Gone);
        }
        let reader = state.last_reader + 1;
        let woken = match state.with(after.stream, |stream| stream.resume(after, reader)) {
            Some(woken) => woken?,
            None if after.kind == Kind::Standalone => {
                drop(state);
                // Nothing of it is kept, so a fresh stream misses nothing that the old one could give.
                return self.open_standalone();
            }
            None => return Err(Refusal::Gone),
        };
        state.last_reader = reader;
        if after.kind == Kind::Standalone {
            state.hand_over(after.stream);
        }
        drop(state);
        woken.wake();
        Ok(Seat { stream: after.stream, reader })
    }

    /// Puts an item on a call's stream.
    pub(crate) fn push(&self, stream: u32, item: Item) {
        self.change(stream, |stream, rules| stream.push(item, rules));
    }

    /// A part of a response that is too long to be kept. False when nobody reads: the rest is not needed.
    pub(crate) fn push_part(&self, stream: u32, item: Item) -> bool {
        self.change(stream, |stream, _| stream.push_part(item)).unwrap_or(false)
    }

    /// Lets the reader of a call's stream go once it has taken what is there, if it can come back: the stream
    /// stays, and so does what is written to it until then.
    pub(crate) fn dismiss(&self, stream: u32) {
        if self.rules.prime.is_some() {
            self.change(stream, |stream, _| stream.dismiss());
        }
    }

    /// Nothing more comes on this stream.
    pub(crate) fn end(&self, stream: u32) {
        self.change(stream, |stream, _| stream.end());
    }

    /// The stream cannot go on where it stands, inside an event.
    pub(crate) fn break_off(&self, stream: u32) {
        self.change(stream, |stream, _| stream.break_off());
    }

    /// Ready when a call may put more on its stream.
    pub(crate) fn poll_room(&self, stream: u32, cx: &mut Context<'_>) -> Poll<()> {
        self.state.lock().with(stream, |stream| stream.poll_room(cx)).unwrap_or(Poll::Ready(()))
    }

    /// A message outside calls: to the GET stream that was opened last, or to the next one.
    pub(crate) fn outside(&self, item: Item) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        let streams = state.streams.iter();
        let newest = streams
            .filter(|stream| stream.is_read(Kind::Standalone))
            .max_by_key(|stream| stream.reader())
            .map(Stream::number);
        let Some(newest) = newest else {
            state.waiting.push_back(item);
            stream::drop_oldest_notices(&mut state.waiting, self.rules.max_queue);
            return;
        };
        let woken = state.with(newest, |stream| stream.push(item, &self.rules).1);
        state.forget(self.rules.replay_bytes);
        drop(state);
        woken.unwrap_or_default().wake();
    }

    /// The next bytes for a reader; `None` when its stream has ended or another reader took over. With a
    /// context, the reader is woken when there is more.
    pub(crate) fn poll_next(
        &self,
        seat: Seat,
        cx: Option<&mut Context<'_>>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut state = self.state.lock();
        let next = state.with(seat.stream, |stream| stream.poll_next(seat.reader, cx));
        let Some((poll, woken)) = next else { return Poll::Ready(None) };
        drop(state);
        woken.wake();
        poll
    }

    /// A reader is gone. What it did not take of a GET stream waits for the next one.
    pub(crate) fn leave(&self, seat: Seat) {
        let mut state = self.state.lock();
        let left = state.with(seat.stream, |stream| stream.leave(seat.reader));
        let Some((left, woken)) = left else { return };
        for item in left.into_iter().rev() {
            state.waiting.push_front(item);
        }
        stream::drop_oldest_notices(&mut state.waiting, self.rules.max_queue);
        state.forget_streams();
        drop(state);
        woken.wake();
    }

    /// Whether a connection reads any stream.
    pub(crate) fn is_read(&self) -> bool {
        let state = self.state.lock();
        state.streams.iter().any(|stream| stream.reader().is_some())
    }

    /// How many GET streams are being read.
    pub(crate) fn standalone(&self) -> usize {
        let state = self.state.lock();
        state.streams.iter().filter(|stream| stream.is_read(Kind::Standalone)).count()
    }

    /// Forgets streams that nobody has come back to.
    pub(crate) fn sweep(&self, now: Instant) {
        let keep = self.rules.replay_keep;
        let mut state = self.state.lock();
        state.retain(|stream| !stream.is_abandoned(now, keep));
        if state.streams.is_empty() {
            state.streams = Vec::new();
        }
    }

    /// Ends the GET streams; calls go on.
    pub(crate) fn end_standalone(&self) {
        self.end_where(|stream| stream.kind() == Kind::Standalone);
    }

    /// Ends every stream and takes nothing more.
    pub(crate) fn close(&self) {
        {
            let mut state = self.state.lock();
            state.closed = true;
            state.waiting = VecDeque::new();
        }
        self.end_where(|_| true);
    }

    fn end_where(&self, choose: impl Fn(&Stream) -> bool) {
        let woken: Vec<Woken> = {
            let mut state = self.state.lock();
            let chosen = state.streams.iter_mut().filter(|stream| choose(stream));
            chosen.map(|stream| stream.end().1).collect()
        };
        woken.into_iter().for_each(Woken::wake);
    }

    /// Changes one stream, forgets what is too much, then wakes whom it concerns.
    fn change<T>(
        &self,
        stream: u32,
        change: impl FnOnce(&mut Stream, &Rules) -> (T, Woken),
    ) -> Option<T> {
        let mut state = self.state.lock();
        let (value, woken) = state.with(stream, |stream| change(stream, &self.rules))?;
        state.forget(self.rules.replay_bytes);
        drop(state);
        woken.wake();
        Some(value)
    }
}

// === impl State ===

impl State {
    /// Changes one stream and keeps count of what is held.
    fn with<T>(&mut self, number: u32, change: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        let at = self.streams.binary_search_by_key(&number, Stream::number).ok()?;
        let stream = self.streams.get_mut(at)?;
        let before = stream.held();
        let value = change(stream);
        self.held = self.held - before + stream.held();
        Some(value)
    }

    fn retain(&mut self, keep: impl Fn(&Stream) -> bool) {
        self.streams.retain(keep);
        self.held = self.streams.iter().map(Stream::held).sum();
    }

    fn open(&mut self, kind: Kind, rules: &Rules) -> Seat {
        self.last_stream += 1;
        self.last_reader += 1;
        let seat = Seat { stream: self.last_stream, reader: self.last_reader };
        let mut stream = Stream::new(kind, seat.stream, seat.reader);
        if let Some(retry) = rules.prime {
            stream.append(Item::Prime(retry));
        }
        if self.closed {
            let ((), _) = stream.end();
        }
        self.held += stream.held();
        // Most sessions have one for a long time, and room for four would be wasted on each.
        self.streams.reserve_exact(usize::from(self.streams.is_empty()));
        self.streams.push(stream);
        seat
    }

    /// Gives a GET stream what waited for one. Its reader is about to look, so nobody is woken.
    fn hand_over(&mut self, number: u32) {
        let waiting = std::mem::take(&mut self.waiting);
        self.with(number, |stream| waiting.into_iter().for_each(|item| stream.append(item)));
    }

    /// Drops kept items, oldest stream first, until everything fits.
    fn forget(&mut self, limit: usize) {
        for stream in &mut self.streams {
            while self.held > limit {
                let Some(freed) = stream.forget_oldest() else { break };
                self.held -= freed;
            }
        }
    }

    /// Drops streams that are of no more use, and the oldest answered ones when they are too many.
    fn forget_streams(&mut self) {
        let kept = self.streams.iter().filter(|stream| stream.is_over()).count();
        let mut surplus = kept.saturating_sub(MAX_KEPT_STREAMS);
        if surplus > 0 || self.streams.iter().any(Stream::is_done) {
            self.streams.retain(|stream| {
                let drop = stream.is_over() && surplus > 0;
                surplus -= usize::from(drop);
                !drop && !stream.is_done()
            });
            self.held = self.streams.iter().map(Stream::held).sum();
        }
    }
}

/// Whom a change concerns, to be woken without the lock.
#[derive(Default)]
#[must_use]
struct Woken(Option<Waker>, Option<Waker>);

impl Woken {
    fn wake(self) {
        self.0.into_iter().chain(self.1).for_each(Waker::wake);
    }
}

/// The id that answers a lost response.
type Lost = (u64, RawId);
