//! What comes back from one call, as it comes.

use bytes::Bytes;
use vmcp_wire::{Message, Piece};

use crate::{CallError, PeerRequest};

/// The reply to one call. Dropping it before its end takes the call back.
#[derive(Debug)]
pub struct Reply {
    /// Whether the backend answered with an event stream.
    pub streamed: bool,
    made: Option<Bytes>,
}

/// One thing that comes back.
#[derive(Debug)]
pub enum Event {
    /// A notification of this call; a progress token is the caller's own again.
    Notification(Message),
    /// A request to the client.
    Request(PeerRequest),
    /// The response; nothing comes after it.
    Response(Response),
    /// There will be no response; nothing comes after it.
    Failed(CallError),
}

/// The response to one call.
#[derive(Debug)]
pub enum Response {
    /// In memory, as it came: write the client's id with [`Message::with_id`].
    Whole(Message),
    /// Too long to be held: read it piece by piece.
    Parts(Parts),
    /// A result object that vmcp made: wrap it with [`vmcp_wire::rpc::success`].
    Made(Bytes),
}

/// A long response, as it comes. Dropping it before its end takes the call back.
#[derive(Debug)]
pub struct Parts {
    _private: (),
}

// === impl Reply ===

impl Reply {
    /// A reply that vmcp made itself: `result` is a raw JSON object.
    pub fn made(result: Bytes) -> Self {
        Self { streamed: false, made: Some(result) }
    }

    /// The next thing that comes back; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing, the next call goes on where it stood.
    pub async fn next(&mut self) -> Option<Event> {
        self.made.take().map(|result| Event::Response(Response::Made(result)))
    }
}

// === impl Parts ===

impl Parts {
    /// The next piece; `None` after the last. After an error nothing comes, and what was passed on is
    /// not a complete message: the receiver must be told by breaking its stream.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Piece, CallError>> {
        None
    }
}
