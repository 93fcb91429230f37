//! Stage *relay*: from the gateway's reply to the client's connection, in the shape that fits.
//!
//! The shape is the backend's: an event stream stays one, a single JSON message stays one. If a backend that
//! answers JSON says something else first (a notification, a request), the reply becomes an event stream
//! after all. So nothing is decided before the first event of a reply is there: [`begin`] waits for it, and
//! only then the response to the client starts.
//!
//! A client that disconnects has not taken its call back. [`detach`] moves the rest of a call whose
//! connection is gone into the background; what it still says is kept in the session's outbox for
//! resumption.
//!
//! Read in this order: `begin`, `detach`, then by shape `parts` (one long message) or `events` with `drive`
//! and `source` (an event stream).

use std::sync::Arc;

use http::{Response, StatusCode};
use vmcp_wire::sse::EventHead;

mod begin;
mod detach;
mod drive;
mod events;
mod leg;
mod parts;
mod source;

use begin::First;
pub(crate) use begin::{Calls, Task};
use detach::Detach;
pub(crate) use events::{EventsBody, Reader};
pub(crate) use leg::Leg;
pub(crate) use parts::PartsBody;

use crate::edge::Edge;
use crate::respond::body::ReplyBody;
use crate::respond::page;

/// Runs a task to its first event and answers with the shape of the rest.
pub(crate) async fn relay(edge: &Arc<Edge>, task: Task) -> Response<ReplyBody> {
    let first = Detach::new(edge.tasks.clone(), edge.config.timeouts.abandoned, begin::run(task));
    match first.await {
        First::Nothing => page::empty(StatusCode::ACCEPTED),
        First::Message(bytes) => page::json(bytes),
        First::Event(bytes) => {
            let event = EventHead::default().whole(&bytes);
            page::events(ReplyBody::whole(event))
        }
        First::Parts(parts) => page::content(page::JSON, ReplyBody::parts(parts)),
        First::Stream(stream) => page::events(ReplyBody::events(stream.open(edge))),
    }
}
