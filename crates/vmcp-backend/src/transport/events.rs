//! Messages out of an event stream.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use vmcp_wire::WireError;
use vmcp_wire::sse::{Decoder, Dispatch, Item as SseItem};

use super::Framing;
use super::gather::{Addressee, Gathered, Gatherer};

/// The longest data of an event that is no message; more of it is dropped.
const MAX_NAMED: usize = 16 * 1024;

/// Reads an event stream chunk by chunk: `push`, then `next` until it gives `None`.
pub(crate) struct Events {
    decoder: Decoder,
    gatherer: Gatherer,
    named: BytesMut,
    /// The id of the event that the stream goes on after, until another one came.
    known: Option<String>,
}

/// What comes out.
#[derive(Debug)]
pub(crate) enum EventItem {
    /// A message or a part of one.
    Gathered(Gathered),
    /// An event with a name of its own.
    Named(String, Bytes),
}

// === impl Events ===

impl Events {
    /// At the start of a stream.
    pub(crate) fn new(framing: Framing, addressee: Addressee) -> Self {
        Self {
            decoder: Decoder::new(),
            gatherer: Gatherer::new(framing, addressee),
            named: BytesMut::new(),
            known: None,
        }
    }

    /// At the start of a stream that goes on after the event `id`. A server that takes "after" for "from" sends that
    /// event once more; it is known already.
    pub(crate) fn after(id: String, framing: Framing, addressee: Addressee) -> Self {
        Self { known: Some(id), ..Self::new(framing, addressee) }
    }

    /// Whose the messages are that begin from now on.
    pub(crate) fn set_addressee(&mut self, addressee: Addressee) {
        self.gatherer.set_addressee(addressee);
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.decoder.push(chunk);
    }

    /// The next item, or `None` when another chunk is needed. After an error the stream is of no use.
    pub(crate) fn next(&mut self) -> Result<Option<EventItem>, WireError> {
        loop {
            if let Some(item) = self.gatherer.next() {
                return Ok(Some(EventItem::Gathered(item)));
            }
            match self.decoder.next()? {
                None => return Ok(None),
                Some(SseItem::Data(part)) => self.data(part),
                Some(SseItem::Dispatch(dispatch)) => {
                    let named = self.named.split().freeze();
                    if self.is_known(&dispatch) {
                        self.gatherer.discard();
                        continue;
                    }
                    match dispatch.event.filter(|name| is_named(name)) {
                        None => self.gatherer.finish(),
                        Some(name) => {
                            self.gatherer.discard();
                            return Ok(Some(EventItem::Named(name, named)));
                        }
                    }
                }
            }
        }
    }

    /// The id to resume from.
    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.decoder.last_event_id()
    }

    /// The reconnection time asked for last.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }

    fn is_known(&mut self, dispatch: &Dispatch) -> bool {
        let known = self.known.take();
        let same = known.is_some() && known == dispatch.id;
        if same && !dispatch.has_data {
            // The mark of a new start: the event itself may still follow.
            self.known = known;
        }
        same
    }

    fn data(&mut self, part: Bytes) {
        if self.decoder.event().is_some_and(is_named) {
            let room = MAX_NAMED.saturating_sub(self.named.len());
            self.named.extend_from_slice(&part[..part.len().min(room)]);
        } else {
            self.gatherer.part(part);
        }
    }
}

/// Whether an event is something else than a message.
fn is_named(event: &str) -> bool {
    event != "message" && !event.is_empty()
}
