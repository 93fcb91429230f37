//! Stage *route*: each message of a session to whoever takes it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use vmcp_backend::{Call, CallError, ErrorKind};
use vmcp_wire::{Message, RawId, WireError, header, rpc};

use crate::admit::Place;
use crate::edge::Edge;
use crate::front::{Head, Incoming, Opening, Sorted};
use crate::identify::Asker;
use crate::metrics::{MethodKind, Outcome};
use crate::relay::{self, Calls, EventsBody, Leg, Reader, Task};
use crate::respond::body::ReplyBody;
use crate::respond::{self, Rejection, page};
use crate::session::outbox::Refusal;
use crate::session::{self, Session};

/// Opens a session and tells the client what there is.
pub(crate) async fn open(
    edge: &Arc<Edge>,
    head: &Head,
    asker: &Asker,
    message: &Message,
) -> Result<Response<ReplyBody>, Rejection> {
    let Opening { id, hello } = Opening::read(message)?;
    let named = |rejection: Rejection| rejection.with_id(Some(id.clone()));
    if session::find(edge, head, &asker.identity).is_ok() {
        let text = "this session is open already";
        return Err(named(Rejection::new(StatusCode::BAD_REQUEST, text)));
    }
    let mut meter = edge.metrics.call(MethodKind::HANDSHAKE);
    let Some(place) = edge.sessions.reserve() else {
        return Err(named(Rejection::busy("too many sessions")));
    };
    let revision = hello.revision;
    let session = session::open(edge, hello, asker, place).await.map_err(named)?;
    meter.end(Outcome::Ok);
    let mut response = page::json(Opening::answer(&id, revision, session.multi()));
    if let Ok(value) = HeaderValue::try_from(session.id().text()) {
        response.headers_mut().insert(header::SESSION_ID, value);
    }
    Ok(response)
}

/// Takes the messages of one POST.
pub(crate) async fn post(
    edge: &Arc<Edge>,
    session: Arc<Session>,
    asker: &Asker,
    incoming: Incoming,
    place: Place,
) -> Response<ReplyBody> {
    match incoming {
        Incoming::One(message) => match take(&session, Sorted::new(message)) {
            Taken::Call(id, message) => match call(edge, &session, asker, &id, &message) {
                Ok((leg, call)) => {
                    let calls = Calls::One(leg, call);
                    relay::relay(edge, Task { session, calls, place }).await
                }
                Err(busy) => page::json(busy),
            },
            Taken::Answer(answer) => page::json(answer),
            Taken::Nothing => page::empty(StatusCode::ACCEPTED),
        },
        Incoming::Batch(messages) => batch(edge, session, asker, messages, place).await,
    }
}

async fn batch(
    edge: &Arc<Edge>,
    session: Arc<Session>,
    asker: &Asker,
    messages: Vec<Result<Message, WireError>>,
    place: Place,
) -> Response<ReplyBody> {
    let (mut calls, mut answers) = (Vec::new(), Vec::new());
    for message in messages {
        let taken = match message {
            Ok(message) => take(&session, Sorted::new(message)),
            Err(error) => Taken::Answer(rpc::failure(None, error.code(), &error.to_string(), None)),
        };
        match taken {
            Taken::Call(id, message) => match call(edge, &session, asker, &id, &message) {
                Ok(call) => calls.push(call),
                Err(busy) => answers.push(busy),
            },
            Taken::Answer(answer) => answers.push(answer),
            Taken::Nothing => {}
        }
    }
    let calls = Calls::Many(calls, answers);
    relay::relay(edge, Task { session, calls, place }).await
}

/// What a message comes to.
pub(crate) enum Taken {
    /// A call for the gateway.
    Call(RawId, Message),
    /// An answer at once.
    Answer(Bytes),
    /// Nothing to be said.
    Nothing,
}

/// Deals with everything that is not a call.
fn take(session: &Session, sorted: Sorted) -> Taken {
    match sorted {
        Sorted::Call(id, message) => return Taken::Call(id, message),
        Sorted::Ping(id) => return Taken::Answer(rpc::success(&id, b"{}")),
        Sorted::Cancel(id, reason) => session.calls().cancel(&id, reason),
        Sorted::Notice(message) => session.multi().notify(message.method(), message.params()),
        Sorted::Answer(message) => session.client().questions.answer(message),
        Sorted::Done => {}
    }
    Taken::Nothing
}

/// Admits a call to its session; or the answer, when too many are in flight.
fn call(
    edge: &Edge,
    session: &Session,
    asker: &Asker,
    id: &RawId,
    message: &Message,
) -> Result<(Leg, Call), Bytes> {
    let method = MethodKind::of(message.method());
    let mut meter = edge.metrics.call(method);
    let Some(ticket) = session.calls().enter(id.clone()) else {
        meter.end(Outcome::Failed);
        return Err(respond::failure(id, &CallError::gateway(ErrorKind::Busy)));
    };
    let mut call = Call::new(method.name(message.method()), message.params())
        .with_cancel(ticket.cancel().clone())
        .with_caller(asker.caller());
    call.trace.clone_from(&asker.trace);
    Ok((Leg::new(ticket, meter), call))
}

/// Opens a stream for messages outside calls, or goes on with one that broke.
pub(crate) fn stream(
    edge: &Arc<Edge>,
    session: &Arc<Session>,
    head: &Head,
) -> Result<Response<ReplyBody>, Rejection> {
    if edge.tasks.draining().is_cancelled() {
        return Err(Rejection::busy("the server is stopping").and_close());
    }
    let reader = match head.resume()? {
        Some(after) => Reader::resume(edge, session, after),
        None => Reader::standalone(edge, session),
    };
    match reader {
        Ok(reader) => Ok(page::events(ReplyBody::events(EventsBody::new(edge, reader, None)))),
        Err(Refusal::Full) => Err(Rejection::too_many("too many streams of this session")),
        Err(Refusal::Gone) => {
            Err(Rejection::new(StatusCode::BAD_REQUEST, "this event stream cannot be resumed"))
        }
    }
}

/// Ends a session.
pub(crate) fn end(edge: &Arc<Edge>, session: &Session) -> Response<ReplyBody> {
    // Only one of two requests takes it out, and that one closes it.
    if let Some(session) = edge.sessions.remove(session.id()) {
        session.close(edge);
    }
    page::empty(StatusCode::NO_CONTENT)
}
