//! From a body to messages, and from a message to what is to be done with it.

use bytes::Bytes;
use http::StatusCode;
use vmcp_wire::revision::{INITIALIZE, INITIALIZED, Revision};
use vmcp_wire::{Body, Kind, Limits, Message, Object, RawId, WireError, method, parse_body};

use crate::respond::Rejection;

/// What one POST, or one line, holds.
pub(crate) enum Incoming {
    /// One message.
    One(Message),
    /// Several, each of which may be wrong on its own.
    Batch(Vec<Result<Message, WireError>>),
}

/// A message and what is to be done with it.
pub(crate) enum Sorted {
    /// Answered here.
    Ping(RawId),
    /// For the gateway.
    Call(RawId, Message),
    /// The client takes a call back.
    Cancel(RawId, Option<String>),
    /// A notification for the gateway.
    Notice(Message),
    /// The answer to a server's request.
    Answer(Message),
    /// Nothing to be done.
    Done,
}

// === impl Incoming ===

impl Incoming {
    /// Reads a body. An error carries the id if there is one to be seen.
    pub(crate) fn read(bytes: &Bytes, limits: &Limits) -> Result<Self, Rejection> {
        match parse_body(bytes.clone(), limits) {
            Ok(Body::One(message)) => Ok(Self::One(message)),
            Ok(Body::Batch(messages)) => Ok(Self::Batch(messages)),
            Err(error) => Err(Rejection::wire(&error).with_id(visible_id(bytes))),
        }
    }

    /// The handshake's first request, if this is it.
    pub(crate) fn opening(&self) -> Option<&Message> {
        match self {
            Self::One(message) if opens(message) => Some(message),
            _ => None,
        }
    }

    /// The id to name in a refusal of the whole.
    pub(crate) fn id(&self) -> Option<RawId> {
        match self {
            Self::One(message) if message.kind() == Kind::Request => message.id(),
            _ => None,
        }
    }

    /// Whether this may be sent under `revision`.
    pub(crate) fn fits(&self, revision: Revision) -> Result<(), Rejection> {
        let Self::Batch(messages) = self else { return Ok(()) };
        let problem = if !revision.batching() {
            "batches are not part of this protocol version"
        } else if messages.iter().flatten().any(opens) {
            "a batch must not contain the handshake"
        } else {
            return Ok(());
        };
        Err(Rejection::new(StatusCode::BAD_REQUEST, problem))
    }
}

fn opens(message: &Message) -> bool {
    message.kind() == Kind::Request && message.method() == INITIALIZE
}

/// The id of what is JSON but no message.
fn visible_id(bytes: &[u8]) -> Option<RawId> {
    let object = Object::parse(bytes).ok()?;
    let member = object.unique("id").ok()??;
    RawId::from_token(member.raw).ok()
}

// === impl Sorted ===

impl Sorted {
    /// Sorts a message of a session.
    pub(crate) fn new(message: Message) -> Self {
        match message.kind() {
            Kind::Request => match message.id() {
                Some(id) if message.method() == method::PING => Self::Ping(id),
                Some(id) => Self::Call(id, message),
                None => Self::Done,
            },
            Kind::Notification => match message.method() {
                INITIALIZED => Self::Done,
                method::CANCELLED => Self::cancel(&message),
                _ => Self::Notice(message),
            },
            Kind::Success | Kind::Failure => Self::Answer(message),
        }
    }

    fn cancel(message: &Message) -> Self {
        let params = message.params().unwrap_or_default();
        let Ok(object) = Object::parse(&params) else { return Self::Done };
        match object.get("requestId").map(|member| RawId::from_token(member.raw)) {
            Some(Ok(id)) => {
                let reason = object.get("reason").and_then(|member| member.as_str());
                Self::Cancel(id, reason.map(|text| text.into_owned()))
            }
            _ => Self::Done,
        }
    }
}
