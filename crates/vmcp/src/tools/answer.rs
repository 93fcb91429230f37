//! A reply, read to its end.

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use vmcp_backend::{Event, Parts, Response};
use vmcp_gateway::Reply;
use vmcp_wire::{Limits, Message, Piece, method, rpc};

use crate::say;

/// How a call ended.
pub(super) enum Answer {
    /// The result object.
    Result(Bytes),
    /// The text of a JSON-RPC error.
    Error(String),
}

/// A result is printed, so it is held; nobody prints more than this.
pub(super) const LIMITS: Limits = Limits { max_bytes: 1 << 30, max_depth: 512, max_batch: 1 };

/// Reads to the end. Progress and log messages go to stderr on the way.
pub(super) async fn of(mut reply: Reply) -> anyhow::Result<Answer> {
    while let Some(event) = reply.next().await {
        match event {
            Event::Notification(message) => note(&message),
            Event::Request(request) => {
                request.refuse(rpc::METHOD_NOT_FOUND, "nobody can be asked here").await;
            }
            Event::Paused => {}
            Event::Response(Response::Made(result)) => return Ok(Answer::Result(result)),
            Event::Response(Response::Whole(message)) => return Ok(read(&message)),
            Event::Response(Response::Parts(parts)) => {
                return Ok(read(&whole(parts).await?));
            }
            Event::InputRequired(asked) => return Ok(read(&asked.raw)),
            Event::Failed(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("the call ended without an answer")
}

fn read(message: &Message) -> Answer {
    if let Some(result) = message.result() {
        return Answer::Result(result);
    }
    let error: Value =
        message.error().and_then(|error| serde_json::from_slice(&error).ok()).unwrap_or_default();
    let text = error["message"].as_str().unwrap_or("an error without words");
    Answer::Error(format!("{text} ({})", error["code"]))
}

async fn whole(mut parts: Parts) -> anyhow::Result<Message> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = parts.next().await {
        match piece? {
            Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            Piece::Id(id) => bytes.extend_from_slice(id.as_bytes()),
        }
        anyhow::ensure!(bytes.len() <= LIMITS.max_bytes, "the result is too long to be shown");
    }
    Message::parse(bytes.freeze(), &LIMITS).context("the result is cut off")
}

/// Shows what is said on the way on stderr.
pub(super) fn note(message: &Message) {
    let params: Value = message
        .params()
        .and_then(|params| serde_json::from_slice(&params).ok())
        .unwrap_or_default();
    match message.method() {
        method::PROGRESS => {
            let total = params.get("total").map(|total| format!("/{total}")).unwrap_or_default();
            let words = params["message"].as_str().unwrap_or_default();
            say::err(format!("progress {}{total} {words}", params["progress"]).trim_end());
        }
        method::LOG_MESSAGE => {
            let level = params["level"].as_str().unwrap_or("log");
            say::err(&format!("{level}: {}", plain(&params["data"])));
        }
        _ => {}
    }
}

/// A string without its quotes, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
