//! What comes back from one call, as it comes.

use bytes::Bytes;
use vmcp_config::BackendId;
use vmcp_wire::{Message, Piece};

use crate::{CallError, ErrorKind, Executed, PeerRequest};

mod clock;
mod parts;
mod rounds;
mod running;
mod scripted;
mod ticket;

pub use parts::Parts;

pub(crate) use clock::{Clock, guarded};
pub(crate) use running::Running;
pub(crate) use scripted::{Says, Scripted};
pub(crate) use ticket::Ticket;

use running::Step;

/// The reply to one call. Dropping it before its end takes the call back.
#[derive(Debug)]
pub struct Reply {
    /// Whether the backend answered with an event stream (on transports without such a thing: whether it said
    /// something before the response).
    pub streamed: bool,
    source: Source,
}

/// One thing that comes back.
#[derive(Debug)]
pub enum Event {
    /// A notification of this call; a progress token is the caller's own again.
    Notification(Message),
    /// A request to the client.
    Request(PeerRequest),
    /// The backend closed its stream for now and gives the rest to who asks later (MCP 2025-11-25, §transports,
    /// polling). vmcp asks by itself; a client that can do the same may be let go until then.
    Paused,
    /// The backend has to be told something first, in a repeated call; nothing comes after it. Only for calls that can
    /// be asked that way ([`Asking::Return`](crate::Asking::Return)).
    InputRequired(InputRequired),
    /// The response; nothing comes after it.
    Response(Response),
    /// There will be no response; nothing comes after it.
    Failed(CallError),
}

/// What a backend asks for in its answer.
#[derive(Debug)]
pub struct InputRequired {
    /// The questions: a raw JSON object.
    pub requests: Option<Bytes>,
    /// What it wants back unread: a raw JSON string.
    pub state: Option<Bytes>,
    /// The whole response, as it came.
    pub raw: Message,
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

#[derive(Debug)]
enum Source {
    Made(Bytes),
    Ready(Box<Message>),
    Running(Box<Running>),
    Scripted(Box<Scripted>),
    Over,
}

// === impl Reply ===

impl Reply {
    /// A reply that vmcp made itself: `result` is a raw JSON object.
    pub fn made(result: Bytes) -> Self {
        Self { streamed: false, source: Source::Made(result) }
    }

    /// A response that is there already.
    pub(crate) fn ready(response: Message) -> Self {
        Self { streamed: false, source: Source::Ready(Box::new(response)) }
    }

    pub(crate) fn running(running: Running) -> Self {
        Self { streamed: running.streamed(), source: Source::Running(Box::new(running)) }
    }

    /// What several requests come to.
    pub(crate) fn scripted(streamed: bool, scripted: Scripted) -> Self {
        Self { streamed, source: Source::Scripted(Box::new(scripted)) }
    }

    /// The next thing that comes back; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing, the next call goes on where it stood.
    pub async fn next(&mut self) -> Option<Event> {
        let step = match &mut self.source {
            Source::Over => return None,
            Source::Scripted(scripted) => {
                let (event, is_last) = scripted.next().await?;
                if is_last {
                    self.source = Source::Over;
                }
                return Some(event);
            }
            Source::Made(_) | Source::Ready(_) => None,
            Source::Running(running) => Some(running.step().await),
        };
        // Not an end: the source stays as it is.
        let step = match step {
            Some(Ok(Step::Notification(message))) => return Some(Event::Notification(message)),
            Some(Ok(Step::Request(request))) => return Some(Event::Request(request)),
            Some(Ok(Step::Paused)) => return Some(Event::Paused),
            step => step,
        };
        Some(match (step, std::mem::replace(&mut self.source, Source::Over)) {
            (_, Source::Made(result)) => Event::Response(Response::Made(result)),
            (_, Source::Ready(message)) => Event::Response(Response::Whole(*message)),
            (Some(Ok(Step::Asked(asked))), _) => Event::InputRequired(asked),
            (Some(Ok(Step::Response(message))), _) => Event::Response(Response::Whole(message)),
            (Some(Ok(Step::Stream)), Source::Running(running)) => {
                Event::Response(Response::Parts(Parts::new(running)))
            }
            (Some(Err(error)), _) => Event::Failed(error),
            _ => return None,
        })
    }
}

/// The backend ended a reply without a response.
pub(crate) fn without_response(backend: &BackendId) -> CallError {
    let kind = ErrorKind::Protocol("the reply ended without a response".to_owned());
    CallError::backend(backend, kind, Executed::Unknown)
}

/// The backend answered another request than the one asked.
pub(crate) fn wrong_id(backend: &BackendId) -> CallError {
    let kind = ErrorKind::Protocol("the response has another request's id".to_owned());
    CallError::backend(backend, kind, Executed::Unknown)
}

/// A piece, if it does not carry a wrong id.
fn checked(piece: Piece, id: u64, backend: &BackendId) -> Result<Piece, CallError> {
    match &piece {
        Piece::Id(theirs) if !crate::transport::is_own(theirs, id) => Err(wrong_id(backend)),
        _ => Ok(piece),
    }
}
