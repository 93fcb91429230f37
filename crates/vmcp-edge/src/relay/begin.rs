//! From a call to its first event, which decides the shape of the response.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use vmcp_backend::{Call, Event, Response};

use super::Leg;
use super::drive::Stream;
use super::parts::PartsBody;
use super::source::{self, Source};
use crate::admit::Place;
use crate::session::Session;

/// The calls of one POST.
pub(crate) struct Task {
    pub(crate) session: Arc<Session>,
    pub(crate) calls: Calls,
    /// Given back when everything is answered.
    pub(crate) place: Place,
}

/// One call or a batch.
#[expect(
    clippy::large_enum_variant,
    reason = "one per request, and a box would be one more allocation for it"
)]
pub(crate) enum Calls {
    One(Leg, Call),
    /// Calls, and the answers that needed none.
    Many(Vec<(Leg, Call)>, Vec<Bytes>),
}

/// What the response starts with.
pub(super) enum First {
    /// Every call was taken back.
    Nothing,
    /// One JSON text, complete.
    Message(Bytes),
    /// One JSON text as the only event of a stream.
    Event(Bytes),
    /// One long JSON text.
    Parts(PartsBody),
    /// An event stream.
    Stream(Box<Stream>),
}

pub(super) async fn run(task: Task) -> First {
    let Task { session, calls, place } = task;
    match calls {
        Calls::One(leg, call) => one(session, leg, call, place).await,
        Calls::Many(calls, answers) => many(session, calls, answers, place).await,
    }
}

async fn one(session: Arc<Session>, mut leg: Leg, call: Call, place: Place) -> First {
    let mut reply = match session.call(call).await {
        Ok(reply) => reply,
        Err(error) => return First::whole(leg.fail(&error)),
    };
    let single = !reply.streamed;
    let event =
        if single { Some(source::next(&mut reply).await) } else { source::ready(&mut reply).await };
    match event {
        Some(Event::Response(response)) if single => match leg.respond(response) {
            Ok(answer) => First::whole(answer),
            Err(parts) => First::Parts(PartsBody::new(leg, place, parts)),
        },
        Some(Event::Failed(error)) if single => First::whole(leg.fail(&error)),
        // What vmcp made itself can be asked for again: it needs no stream that is kept to be resumed.
        Some(Event::Response(Response::Made(result))) => {
            First::event(leg.respond(Response::Made(result)).ok().flatten())
        }
        early => First::Stream(Box::new(Stream {
            session,
            source: Source::One(leg, reply),
            answers: Vec::new(),
            early: early.map(|event| (0, event)),
            place,
        })),
    }
}

/// A batch is one JSON array if every reply is one message in memory, and an event stream otherwise.
async fn many(
    session: Arc<Session>,
    calls: Vec<(Leg, Call)>,
    mut answers: Vec<Bytes>,
    place: Place,
) -> First {
    let mut source = Source::many(&session, calls);
    while let Some((at, event)) = source.next().await {
        let is_streamed = source.is_streamed(at);
        let leg = source.leg(at);
        let answer = match event {
            Event::Response(response) if !is_streamed => match response {
                Response::Parts(_) => Err(Event::Response(response)),
                response => Ok(leg.respond(response).ok().flatten()),
            },
            Event::Failed(error) => Ok(leg.fail(&error)),
            other => Err(other),
        };
        match answer {
            Ok(answer) => answers.extend(answer),
            Err(event) => {
                let early = Some((at, event));
                let stream = Stream { session, source, answers, early, place };
                return First::Stream(Box::new(stream));
            }
        }
    }
    First::whole(array(&answers))
}

/// The members as one JSON array, unless there is none.
pub(crate) fn array(members: &[Bytes]) -> Option<Bytes> {
    let mut array =
        BytesMut::with_capacity(members.iter().map(|member| member.len() + 1).sum::<usize>() + 1);
    for (at, member) in members.iter().enumerate() {
        array.put_u8(if at == 0 { b'[' } else { b',' });
        array.extend_from_slice(member);
    }
    array.put_u8(b']');
    (!members.is_empty()).then(|| array.freeze())
}

// === impl First ===

impl First {
    fn whole(answer: Option<Bytes>) -> Self {
        answer.map_or(Self::Nothing, Self::Message)
    }

    fn event(answer: Option<Bytes>) -> Self {
        answer.map_or(Self::Nothing, Self::Event)
    }

    /// Goes on without the client. No byte of a response was sent, so there is nothing that a client could
    /// resume: the calls run to their ends, and what they say is dropped.
    pub(super) async fn abandon(self) {
        if let Self::Stream(stream) = self {
            stream.drain().await;
        }
    }
}
