//! Writes the events of calls to their stream, in order, by one party.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_backend::{CallError, ErrorKind, Event, Executed, Parts, Side};
use vmcp_wire::{Piece, RawId};

use super::events::{EventsBody, Reader};
use super::source::{self, Source};
use crate::admit::Place;
use crate::edge::Edge;
use crate::respond;
use crate::session::outbox::Item;
use crate::session::questions::{self, Way};
use crate::session::{Outbox, Session};

/// Calls whose response is an event stream.
pub(super) struct Stream {
    pub(super) session: Arc<Session>,
    pub(super) source: Source,
    /// Answers of a batch that were there before it became a stream.
    pub(super) answers: Vec<Bytes>,
    /// The event that made it a stream.
    pub(super) early: Option<(usize, Event)>,
    pub(super) place: Place,
}

// === impl Stream ===

impl Stream {
    /// Opens the client's stream. Its body drives the calls as long as the client reads it; afterwards they
    /// go on in the background.
    pub(super) fn open(self, edge: &Arc<Edge>) -> EventsBody {
        let reader = Reader::for_call(edge, &self.session);
        let stream = reader.stream();
        EventsBody::new(edge, reader, Some(Box::pin(self.drive(stream))))
    }

    async fn drive(mut self, stream: u32) {
        let session = Arc::clone(&self.session);
        let outbox = &session.client().outbox;
        let unanswered = self.source.ids();
        let mut end = End { session: Arc::clone(&session), stream, unanswered };
        for answer in std::mem::take(&mut self.answers) {
            outbox.push(stream, Item::Firm(answer));
        }
        let mut next = self.early.take();
        if next.is_none() {
            next = self.source.next().await;
        }
        while let Some((at, event)) = next {
            if source::is_last(&event) {
                end.answered(self.source.leg(at).id());
            }
            self.write(stream, at, event).await;
            std::future::poll_fn(|cx| outbox.poll_room(stream, cx)).await;
            next = self.source.next().await;
        }
        drop(end);
        drop(self.place);
    }

    async fn write(&mut self, stream: u32, at: usize, event: Event) {
        let client = self.session.client();
        let leg = self.source.leg(at);
        let item = match event {
            // After a call was taken back nothing more may be said about it.
            Event::Notification(_) | Event::Request(_) if leg.is_cancelled() => None,
            Event::Notification(message) if questions::is_withdrawal(&message) => {
                client.questions.withdraw(&message, Way::Call(stream)).map(Item::Notice)
            }
            Event::Notification(message) => Some(Item::notice(&message)),
            Event::Request(peer) => client.questions.ask(peer, Way::Call(stream)).map(Item::Firm),
            Event::Paused => {
                client.outbox.dismiss(stream);
                None
            }
            // Never for a session: `source` has made a failure of it.
            Event::InputRequired(_) => None,
            Event::Response(response) => match leg.respond(response) {
                Ok(answer) => answer.map(|bytes| Item::Response(leg.id().clone(), bytes)),
                Err(parts) => {
                    let id = leg.id().clone();
                    return pass(&client.outbox, stream, id, parts).await;
                }
            },
            Event::Failed(error) => {
                leg.fail(&error).map(|bytes| Item::Response(leg.id().clone(), bytes))
            }
        };
        if let Some(item) = item {
            client.outbox.push(stream, item);
        }
    }

    /// Runs to the end with nobody to hear it. Requests to the client are refused by being dropped.
    pub(super) async fn drain(mut self) {
        while let Some((at, event)) = self.source.next().await {
            match event {
                Event::Response(response) => drop(self.source.leg(at).respond(response)),
                Event::Failed(error) => drop(self.source.leg(at).fail(&error)),
                Event::Notification(_)
                | Event::Request(_)
                | Event::Paused
                | Event::InputRequired(_) => {}
            }
        }
    }
}

/// Ends a stream, however its writer ends. A writer that was stopped, because its client did not come back in
/// time, leaves an answer for each call that has none.
struct End {
    session: Arc<Session>,
    stream: u32,
    unanswered: Vec<RawId>,
}

// === impl End ===

impl End {
    fn answered(&mut self, id: &RawId) {
        if let Some(at) = self.unanswered.iter().position(|other| other == id) {
            self.unanswered.swap_remove(at);
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let outbox = &self.session.client().outbox;
        for id in self.unanswered.drain(..) {
            let error = CallError::new(Side::Gateway, ErrorKind::Closed, Executed::Unknown);
            let answer = respond::failure(&id, &error);
            outbox.push(self.stream, Item::Response(id, answer));
        }
        outbox.end(self.stream);
    }
}

/// Passes a long response on, part by part, under the client's id.
async fn pass(outbox: &Outbox, stream: u32, id: RawId, mut parts: Parts) {
    if !outbox.push_part(stream, Item::Begin(id.clone())) {
        return;
    }
    let mut holes = 0;
    while let Some(piece) = parts.next().await {
        let bytes = match piece {
            Ok(Piece::Bytes(bytes)) => bytes,
            Ok(Piece::Id(_)) => {
                holes += 1;
                Bytes::copy_from_slice(id.as_bytes())
            }
            Err(error) => {
                tracing::debug!(%error, "a long response broke off");
                return outbox.break_off(stream);
            }
        };
        if !outbox.push_part(stream, Item::Part(bytes)) {
            return;
        }
        std::future::poll_fn(|cx| outbox.poll_room(stream, cx)).await;
    }
    // Exactly one place for the id, or this is not the response to anything.
    if holes == 1 {
        outbox.push_part(stream, Item::Finish);
    } else {
        outbox.break_off(stream);
    }
}
