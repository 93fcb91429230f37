//! One stream: a log with a cursor.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::event::{EventId, Item, Kind};
use super::{Broken, Lost, Refusal, Rules, Woken};
use crate::respond;

/// Bytes and items that may wait for a connected reader before the writer has to.
const ROOM_BYTES: usize = 64 << 10;
const ROOM_ITEMS: usize = 64;

/// One stream of one session.
pub(super) struct Stream {
    kind: Kind,
    number: u32,
    entries: VecDeque<Entry>,
    /// How many entries a reader has taken; they are at the front.
    taken: usize,
    next_seq: u64,
    /// Bytes of all entries.
    held: usize,
    /// Responses that came and cannot be read again.
    lost: Vec<Lost>,
    state: State,
    reader: Option<u64>,
    /// The reader is to go when it has taken what is there.
    dismissed: bool,
    reader_waker: Option<Waker>,
    writer_waker: Option<Waker>,
    /// When the last reader left.
    left: Instant,
}

struct Entry {
    seq: u64,
    item: Item,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// A long response is passing through.
    Passing,
    /// A long response was cut: its writer must stop.
    Cut,
    /// Nothing more comes.
    Ended,
    /// It stopped inside an event.
    Broken,
}

// === impl Stream ===

impl Stream {
    pub(super) fn new(kind: Kind, number: u32, reader: u64) -> Self {
        Self {
            kind,
            number,
            entries: VecDeque::new(),
            taken: 0,
            next_seq: 0,
            held: 0,
            lost: Vec::new(),
            state: State::Open,
            reader: Some(reader),
            dismissed: false,
            reader_waker: None,
            writer_waker: None,
            left: Instant::now(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn reader(&self) -> Option<u64> {
        self.reader
    }

    pub(super) fn is_read(&self, kind: Kind) -> bool {
        self.kind == kind && self.reader.is_some() && self.state != State::Ended
    }

    /// Whether nothing of it can ever be of use again.
    pub(super) fn is_done(&self) -> bool {
        let resumable = !self.entries.is_empty() || !self.lost.is_empty();
        !resumable && (self.is_over() || self.kind == Kind::Standalone && self.reader.is_none())
    }

    /// Whether nobody writes or reads it any more.
    pub(super) fn is_over(&self) -> bool {
        self.reader.is_none() && matches!(self.state, State::Ended | State::Broken)
    }

    /// Bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether nobody has come back for `keep`, and nobody writes it.
    pub(super) fn is_abandoned(&self, now: Instant, keep: Duration) -> bool {
        let written = self.kind == Kind::Call
            && matches!(self.state, State::Open | State::Passing | State::Cut);
        self.reader.is_none() && !written && now.saturating_duration_since(self.left) >= keep
    }

    // --- the writer's side

    /// Adds an item. Without a reader, or outside calls, too many notifications are dropped.
    pub(super) fn push(&mut self, item: Item, rules: &Rules) -> ((), Woken) {
        // Inside a response that is passing through, anything else would become a part of it.
        if self.state != State::Open {
            return ((), Woken::default());
        }
        self.append(item);
        if self.kind == Kind::Standalone || self.reader.is_none() {
            self.drop_notices(rules.max_queue);
        }
        ((), self.wake_reader())
    }

    /// Adds a part of a long response. False when nobody reads it.
    pub(super) fn push_part(&mut self, item: Item) -> (bool, Woken) {
        if let Item::Begin(id) = &item {
            self.lost.push((self.next_seq, id.clone()));
            self.state = State::Passing;
        }
        if self.state == State::Passing && self.reader.is_none() {
            self.cut();
        }
        if self.state != State::Passing {
            if self.state == State::Cut {
                // The writer knows now, and may go on behind the gap.
                self.state = State::Open;
            }
            return (false, Woken::default());
        }
        if matches!(item, Item::Finish) {
            self.state = State::Open;
        }
        self.append(item);
        (true, self.wake_reader())
    }

    pub(super) fn append(&mut self, item: Item) {
        let seq = self.next_seq;
        self.next_seq += u64::from(item.begins());
        self.held += item.size();
        self.entries.push_back(Entry { seq, item });
    }

    /// Ends it; inside an event that is no proper end.
    pub(super) fn end(&mut self) -> ((), Woken) {
        self.state = match self.state {
            State::Open | State::Cut | State::Ended => State::Ended,
            State::Passing | State::Broken => State::Broken,
        };
        self.left = Instant::now();
        ((), self.wake_reader())
    }

    /// Lets the reader go; it has an event id to come back with.
    pub(super) fn dismiss(&mut self) -> ((), Woken) {
        self.dismissed = self.reader.is_some() && self.state == State::Open;
        ((), self.wake_reader())
    }

    pub(super) fn break_off(&mut self) -> ((), Woken) {
        self.state = State::Broken;
        self.left = Instant::now();
        ((), self.wake_reader())
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting = self.entries.len() - self.taken;
        let full = waiting > 0
            && (waiting >= ROOM_ITEMS || {
                let bytes: usize =
                    self.entries.range(self.taken..).map(|entry| entry.item.size()).sum();
                bytes >= ROOM_BYTES
            });
        if full && self.reader.is_some() && self.state != State::Cut {
            self.writer_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    // --- the reader's side

    pub(super) fn poll_next(
        &mut self,
        reader: u64,
        cx: Option<&mut Context<'_>>,
    ) -> (Poll<Option<Result<Bytes, Broken>>>, Woken) {
        if self.reader != Some(reader) {
            return (Poll::Ready(None), Woken::default());
        }
        if let Some(bytes) = self.take() {
            return (Poll::Ready(Some(Ok(bytes))), Woken(self.writer_waker.take(), None));
        }
        let poll = match self.state {
            State::Ended => Poll::Ready(None),
            State::Open if self.dismissed => Poll::Ready(None),
            State::Broken => Poll::Ready(Some(Err(Broken))),
            State::Open | State::Passing | State::Cut => {
                self.reader_waker = cx.map(|cx| cx.waker().clone());
                Poll::Pending
            }
        };
        (poll, Woken::default())
    }

    fn take(&mut self) -> Option<Bytes> {
        let entry = self.entries.get(self.taken)?;
        let id = EventId { kind: self.kind, stream: self.number, seq: entry.seq };
        let bytes = entry.item.encode(id);
        // Whoever has no id yet cannot resume, so the only event of a stream need not be kept.
        let only = entry.seq == 0 && matches!(entry.item, Item::Response(..));
        if entry.item.is_kept() && !only {
            self.taken += 1;
        } else if let Some(entry) = self.entries.remove(self.taken) {
            self.held -= entry.item.size();
        }
        Some(bytes)
    }

    /// The reader is gone. Gives back what it did not take, if others may have it.
    pub(super) fn leave(&mut self, reader: u64) -> (VecDeque<Item>, Woken) {
        if self.reader != Some(reader) {
            return (VecDeque::new(), Woken::default());
        }
        self.reader = None;
        self.dismissed = false;
        self.reader_waker = None;
        self.left = Instant::now();
        let left = match self.kind {
            Kind::Standalone => self.give_back(),
            Kind::Call => {
                self.cut();
                VecDeque::new()
            }
        };
        self.entries.shrink_to_fit();
        (left, Woken(self.writer_waker.take(), None))
    }

    /// Takes the stream over from its reader, if it has one.
    pub(super) fn resume(&mut self, after: EventId, reader: u64) -> Result<Woken, Refusal> {
        if after.kind != self.kind || after.seq >= self.next_seq {
            return Err(Refusal::Gone);
        }
        self.cut();
        self.reader = Some(reader);
        self.dismissed = false;
        self.taken = self.entries.iter().take_while(|entry| entry.seq <= after.seq).count();
        let missing = self.lost.iter().any(|(seq, _)| *seq > after.seq);
        if missing {
            for (_, id) in std::mem::take(&mut self.lost) {
                let message = respond::not_kept(&id);
                self.append(Item::Response(id, message));
            }
        }
        Ok(Woken(self.reader_waker.take(), self.writer_waker.take()))
    }

    // --- what is too much

    /// Forgets the oldest entry that is not waiting for a reader; tells its size.
    pub(super) fn forget_oldest(&mut self) -> Option<usize> {
        if self.taken == 0 && self.reader.is_some() {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.taken = self.taken.saturating_sub(1);
        let size = entry.item.size();
        self.held -= size;
        if let Item::Response(id, _) = entry.item {
            self.lost.push((entry.seq, id));
        }
        Some(size)
    }

    fn drop_notices(&mut self, limit: usize) {
        while self.entries.len() - self.taken > limit {
            let waiting = self.entries.range(self.taken..);
            let Some(at) = waiting.map(|entry| &entry.item).position(Item::is_notice) else {
                return;
            };
            if let Some(entry) = self.entries.remove(self.taken + at) {
                self.held -= entry.item.size();
            }
        }
    }

    fn give_back(&mut self) -> VecDeque<Item> {
        let left = self.entries.split_off(self.taken);
        self.held = self.entries.iter().map(|entry| entry.item.size()).sum();
        // The event without data belongs to this stream alone.
        left.into_iter()
            .map(|entry| entry.item)
            .filter(|item| !matches!(item, Item::Prime(_)))
            .collect()
    }

    /// Gives up a response that was passing through; what is left of it is of no use.
    fn cut(&mut self) {
        if self.state == State::Passing {
            self.state = State::Cut;
        }
        self.entries.retain(|entry| entry.item.is_kept());
        self.held = self.entries.iter().map(|entry| entry.item.size()).sum();
    }

    fn wake_reader(&mut self) -> Woken {
        Woken(self.reader_waker.take(), None)
    }
}

/// Drops the oldest notifications until at most `limit` items wait.
pub(super) fn drop_oldest_notices(waiting: &mut VecDeque<Item>, limit: usize) {
    while waiting.len() > limit {
        let Some(at) = waiting.iter().position(Item::is_notice) else { return };
        waiting.remove(at);
    }
}
