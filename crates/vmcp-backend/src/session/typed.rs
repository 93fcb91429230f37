//! The typed operations: their params, and answers read whole.

use bytes::{Bytes, BytesMut};
use vmcp_wire::{Kind, Limits, Message, Piece, method, quote};

use crate::link::Link;
use crate::{
    Answer, Call, CallError, ErrorKind, Event, Executed, Outside, Parts, Reply, Response, reply,
};

pub(super) fn tool(name: &str, arguments: Option<Bytes>, meta: Option<Bytes>) -> Call {
    let members = [("name", Some(quote(name))), ("arguments", arguments), ("_meta", meta)];
    Call::new(method::TOOLS_CALL, Some(object(members)))
}

pub(super) fn resource(uri: &str) -> Call {
    Call::new(method::RESOURCES_READ, Some(object([("uri", Some(quote(uri)))])))
}

pub(super) fn prompt(name: &str, arguments: Option<Bytes>) -> Call {
    let members = [("name", Some(quote(name))), ("arguments", arguments)];
    Call::new(method::PROMPTS_GET, Some(object(members)))
}

/// A raw JSON object of raw members.
fn object<const N: usize>(members: [(&str, Option<Bytes>); N]) -> Bytes {
    let mut text = BytesMut::from("{");
    for (key, value) in members {
        let Some(value) = value else { continue };
        if text.len() > 1 {
            text.extend_from_slice(b",");
        }
        text.extend_from_slice(&quote(key));
        text.extend_from_slice(b":");
        text.extend_from_slice(&value);
    }
    text.extend_from_slice(b"}");
    text.freeze()
}

/// Reads a reply to its end. What else the backend says goes to the sink.
pub(super) async fn whole(link: &Link, mut reply: Reply) -> Result<Answer, CallError> {
    let tell = |outside| {
        if let Some(sink) = link.sink() {
            sink(outside);
        }
    };
    while let Some(event) = reply.next().await {
        match event {
            Event::Notification(message) => tell(Outside::Notification(message)),
            Event::Request(request) => tell(Outside::Request(request)),
            Event::Paused => {}
            Event::Failed(error) => return Err(error),
            Event::Response(Response::Made(result)) => return Ok(Answer::Success(result)),
            Event::Response(Response::Whole(message)) => return answer(link, &message),
            Event::Response(Response::Parts(parts)) => {
                let message = gather(link, parts).await?;
                return answer(link, &message);
            }
        }
    }
    Err(reply::without_response(link.backend()))
}

/// A response that came in pieces, within the bound for what is held whole.
async fn gather(link: &Link, mut parts: Parts) -> Result<Message, CallError> {
    let limit = link.target().limits.max_message_bytes;
    let mut text = BytesMut::new();
    while let Some(piece) = parts.next().await {
        match piece? {
            Piece::Bytes(bytes) => text.extend_from_slice(&bytes),
            Piece::Id(id) => text.extend_from_slice(id.as_bytes()),
        }
        if text.len() > limit {
            let kind = ErrorKind::TooLarge { limit };
            return Err(CallError::backend(link.backend(), kind, Executed::Unknown));
        }
    }
    let max_depth = link.target().limits.max_depth;
    let limits = Limits { max_bytes: limit, max_depth, ..Limits::default() };
    Message::parse(text.freeze(), &limits).map_err(|error| CallError::wire(link.backend(), &error))
}

fn answer(link: &Link, message: &Message) -> Result<Answer, CallError> {
    let answer = match message.kind() {
        Kind::Success => message.result().map(Answer::Success),
        Kind::Failure => message.error().map(Answer::Failure),
        Kind::Request | Kind::Notification => None,
    };
    answer.ok_or_else(|| reply::without_response(link.backend()))
}
