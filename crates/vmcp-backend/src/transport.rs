//! The ways to a backend.
//!
//! Two shapes hide four transports. On streamable HTTP each call is an exchange of its own, read by whoever
//! awaits the reply. SSE, stdio and a server in this process are one [`pipe::Pipe`] that all calls share: one
//! reader task hands each message to the call it belongs to.

use std::sync::Arc;

use ::http::HeaderMap;
use bytes::Bytes;
use vmcp_auth::Caller;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Head, Limits, Message, Piece, RawId};

use crate::call::Behalf;
use crate::dialect::Answers;
use crate::peer::OpenRequests;
use crate::{CallError, PeerRequest, TargetLimits};

mod dial;
mod door;
mod duplex;
mod events;
mod gather;
mod http;
mod known;
mod lines;
mod living;
mod pipe;
mod sse;
mod status;
mod stdio;
mod streamable;

pub(crate) use dial::{Attempt, Dialler, Learnt};
pub(crate) use http::{HttpPeer, fixed_headers, no_credentials};
pub(crate) use known::Known;
pub(crate) use living::{Living, Mark};
pub(crate) use pipe::{Pipe, PipeReply};
pub(crate) use stdio::Guard;
pub use stdio::guard;
pub(crate) use streamable::{Exchange, HttpReply, MAX_SESSION_ID, Pause, listen};

/// One live, initialised connection.
pub(crate) enum Connection {
    /// Streamable HTTP: nothing but what is sent along with each exchange.
    Http(Arc<Exchange>),
    /// Everything else. The second part owns the tasks, the process, the stream.
    Pipe(Arc<Pipe>, pipe::Owner),
}

/// Where the answer to a backend's request goes.
#[derive(Clone)]
pub(crate) enum Answerer {
    /// A POST, with credentials for this caller.
    Http(Arc<Exchange>, Caller),
    /// The pipe it came from. Where that POSTs: with credentials for this caller, or for whom it was opened.
    Pipe(Arc<Pipe>, Option<Caller>),
    /// The call that asked by its answer, where all answers are collected; this is the place of this one.
    Collected(Arc<Answers>, usize, Limits),
}

/// What a reply is read from.
pub(crate) enum Wire {
    /// A response body.
    Http(HttpReply),
    /// A queue that the pipe's reader fills.
    Pipe(Box<PipeReply>),
}

/// One step of a reply.
#[derive(Debug)]
pub(crate) enum Item {
    /// A complete message.
    Message(Message),
    /// A request to the client that is tied to its way back already.
    Request(PeerRequest),
    /// A response that is too long to be held; pieces follow.
    Head(Head),
    /// Pieces of it.
    Pieces(Vec<Piece>),
    /// It is complete.
    End,
    /// The backend closed the stream for now; the reply goes on when it is asked for the rest.
    Paused,
}

/// One request, as it is written.
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) body: Bytes,
    /// What of it is repeated in headers, where there are any.
    pub(crate) headers: HeaderMap,
    /// It is answered by notifications, for as long as somebody listens.
    pub(crate) subscribes: bool,
}

/// Why a call could not be started.
pub(crate) enum StartError {
    /// The backend does not know the session; the call did not run.
    SessionLost,
    /// The backend seems to speak another family of revisions now; the call did not run. If it does not, this is what
    /// it answered.
    Foreign(Box<Result<Message, CallError>>),
    /// Anything else.
    Failed(CallError),
}

/// How messages are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    pub(crate) limits: Limits,
    pub(crate) hold: usize,
    pub(crate) max_streamed: u64,
}

// === impl Connection ===

impl Connection {
    /// Sends a notification with these headers, where there are any.
    pub(crate) async fn tell(
        &self,
        message: Bytes,
        headers: HeaderMap,
        caller: &Caller,
    ) -> Result<(), StartError> {
        match self {
            Self::Http(exchange) => exchange.tell(message, headers, caller).await,
            Self::Pipe(..) => self.answerer(caller).send(message).await,
        }
    }

    /// Where notifications go, and answers to the backend's requests.
    pub(crate) fn answerer(&self, caller: &Caller) -> Answerer {
        match self {
            Self::Http(exchange) => Answerer::Http(Arc::clone(exchange), caller.clone()),
            Self::Pipe(pipe, _) => Answerer::Pipe(Arc::clone(pipe), Some(caller.clone())),
        }
    }

    /// Sends one request and gives its reply once the backend has begun to answer.
    pub(crate) async fn start(
        &self,
        request: Request,
        behalf: Behalf<'_>,
    ) -> Result<Wire, StartError> {
        match self {
            Self::Http(exchange) => exchange.call(request, behalf).await.map(Wire::Http),
            Self::Pipe(pipe, _) => {
                if !pipe.posts() {
                    behalf.set_sent(true);
                }
                // Boxed, so that waiting for HTTP does not take the room of it.
                let reply = Box::pin(pipe.call(request, Some(behalf))).await;
                reply.map(|reply| Wire::Pipe(Box::new(reply)))
            }
        }
    }

    /// Whether all calls share it. Then a backend has to be told what is no longer wanted; otherwise it sees so.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Pipe(..))
    }

    /// A call on it was not answered in time: where that can be found out, find out whether it still lives.
    pub(crate) fn suspect(&self) {
        if let Self::Pipe(pipe, _) = self {
            pipe.suspect();
        }
    }

    /// Whether it can no longer be used.
    pub(crate) fn is_dead(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Pipe(pipe, _) => pipe.is_closed(),
        }
    }

    /// Tells the backend that the session is over.
    pub(crate) async fn close(&self, caller: &Caller) {
        match self {
            Self::Http(exchange) => exchange.end_session(caller).await,
            Self::Pipe(_, owner) => owner.close().await,
        }
    }
}

// === impl Answerer ===

impl Answerer {
    /// The revision in which the backend hears this, if that is known.
    pub(crate) fn revision(&self) -> Option<Revision> {
        match self {
            Self::Http(exchange, _) => exchange.revision(),
            Self::Pipe(pipe, _) => pipe.revision(),
            // An answer is taken apart before it is sent, and only one revision does that.
            Self::Collected(..) => None,
        }
    }

    /// Sends a notification or a response.
    pub(crate) async fn send(&self, message: Bytes) -> Result<(), StartError> {
        match self {
            Self::Http(exchange, caller) => exchange.tell(message, HeaderMap::new(), caller).await,
            Self::Pipe(pipe, caller) => pipe.tell(message, caller.as_ref()).await,
            Self::Collected(answers, at, limits) => {
                answers.give(*at, message, limits);
                Ok(())
            }
        }
    }
}

// === impl Wire ===

impl Wire {
    /// The next step. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Item, CallError> {
        match self {
            Self::Http(reply) => reply.next().await,
            Self::Pipe(reply) => reply.next().await,
        }
    }

    /// What the backend said instead of beginning to answer.
    pub(crate) fn refusal(&self) -> Option<&Message> {
        match self {
            Self::Http(HttpReply::Ready(message)) => Some(message),
            Self::Http(_) | Self::Pipe(_) => None,
        }
    }

    /// The requests of this call that wait for the client.
    pub(crate) fn open_requests(&self) -> OpenRequests {
        match self {
            Self::Http(_) => OpenRequests::default(),
            Self::Pipe(reply) => reply.open_requests(),
        }
    }

    /// The response is there; what may still come is of no interest.
    pub(crate) fn finish(&mut self) {
        if let Self::Http(reply) = self {
            reply.finish();
        }
    }

    /// Whether the backend answers with more than a response.
    pub(crate) fn streamed(&self) -> bool {
        match self {
            Self::Http(reply) => reply.streamed(),
            Self::Pipe(reply) => reply.streamed(),
        }
    }
}

// === impl StartError ===

impl StartError {
    /// As the error of a call that is not made again.
    pub(crate) fn into_error(self, lost: impl FnOnce() -> CallError) -> CallError {
        match self {
            Self::SessionLost => lost(),
            Self::Failed(error) => error,
            Self::Foreign(answer) => match *answer {
                Ok(_) => lost(),
                Err(error) => error,
            },
        }
    }
}

// === impl Request ===

impl Request {
    /// One that says nothing in headers.
    pub(crate) fn new(id: u64, body: Bytes) -> Self {
        Self { id, body, headers: HeaderMap::new(), subscribes: false }
    }
}

// === impl Framing ===

impl From<&TargetLimits> for Framing {
    fn from(limits: &TargetLimits) -> Self {
        let wire = Limits {
            max_bytes: limits.max_message_bytes,
            max_depth: limits.max_depth,
            ..Limits::default()
        };
        Self { limits: wire, hold: limits.hold_bytes, max_streamed: limits.max_reply_bytes as u64 }
    }
}

/// Whether `id` is the one vmcp gave its request. Some backends answer a number with a string of it.
pub(crate) fn is_own(id: &RawId, own: u64) -> bool {
    id.as_u64() == Some(own) || id.as_bytes() == format!("\"{own}\"").as_bytes()
}
