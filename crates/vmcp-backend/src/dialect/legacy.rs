//! The revisions with a handshake: 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25.
//!
//! Opening is one request with the client's revision, capabilities and name, its response, and one
//! notification. The backend may answer with any revision; what vmcp does not speak ends the session.

use bytes::Bytes;
use vmcp_wire::revision::{INITIALIZE, INITIALIZED, Revision};
use vmcp_wire::{Kind, Message, Object, RawId, rpc};

pub(super) mod tasks;
mod waiting;

pub(crate) use waiting::Waiting;

use crate::error::text_of;
use crate::{ClientHello, ServerHello};

mod older;

pub(crate) use older::{answered, expressed};

/// The request that opens a session.
pub(crate) fn opening(id: &RawId, hello: &ClientHello) -> Bytes {
    // A client without a handshake agrees to whatever is newest.
    let revision = match hello.revision.stateless() {
        true => Revision::LATEST_HANDSHAKE,
        false => hello.revision,
    }
    .as_str();
    let mut params = format!("{{\"protocolVersion\":\"{revision}\",\"capabilities\":").into_bytes();
    params.extend_from_slice(&hello.capabilities);
    params.extend_from_slice(b",\"clientInfo\":");
    params.extend_from_slice(&hello.client_info);
    params.push(b'}');
    rpc::request(id, INITIALIZE, Some(&params))
}

/// The notification after which the session is open.
pub(crate) fn confirmation() -> Bytes {
    rpc::notification(INITIALIZED, None)
}

/// What the backend says of itself in its response to [`opening`].
pub(crate) fn greeting(
    response: &Message,
    session_id: Option<String>,
) -> Result<ServerHello, String> {
    if response.kind() == Kind::Failure {
        return Err(format!("the backend refused it: {}", failure_text(response)));
    }
    let result = response.result().unwrap_or_default();
    let members = Object::parse(&result).map_err(|_| "the result is no object".to_owned())?;
    let version = members.get("protocolVersion").and_then(|member| member.as_str());
    let version = version.ok_or_else(|| "no protocol version in the result".to_owned())?;
    let Some(revision) = Revision::parse_handshake(&version) else {
        let version = printable(&version);
        return Err(format!("the backend speaks only protocol version \"{version}\""));
    };
    let object = |key| {
        let member = members.get(key).filter(|member| member.as_object().is_some());
        member.map_or(Bytes::from_static(b"{}"), |member| result.slice(member.span))
    };
    let instructions = members.get("instructions").and_then(|member| member.as_str());
    Ok(ServerHello {
        revision,
        capabilities: object("capabilities"),
        server_info: object("serverInfo"),
        instructions: instructions.map(Into::into),
        session_id,
        freshness: None,
    })
}

fn failure_text(response: &Message) -> String {
    response.error().map_or_else(String::new, |error| text_of(&error))
}

fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(32).collect()
}

#[cfg(test)]
mod tests;
