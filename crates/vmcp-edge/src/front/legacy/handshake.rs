//! The handshake: what a client says of itself, and what it is told.

use bytes::Bytes;
use http::StatusCode;
use vmcp_backend::ClientHello;
use vmcp_gateway::MultiSession;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Member, Message, Object, RawId, quote, rpc};

use super::Older;
use crate::respond::Rejection;

/// The first request of a session.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Its id.
    pub(crate) id: RawId,
    /// What the client said, under the revision that both sides speak.
    pub(crate) hello: ClientHello,
}

// === impl Opening ===

impl Opening {
    /// Reads it, and settles the revision: the one asked for if we speak it, else our newest.
    pub(crate) fn read(message: &Message) -> Result<Self, Rejection> {
        let Some(id) = message.id() else { return Err(Rejection::internal()) };
        let refuse = |text: &'static str| {
            Rejection::new(StatusCode::BAD_REQUEST, text)
                .with_code(rpc::INVALID_PARAMS)
                .with_id(Some(id.clone()))
        };
        let Some(params) = message.params() else { return Err(refuse("params are missing")) };
        let object = Object::parse(&params).map_err(|_| refuse("params must be an object"))?;
        let Some(asked) = object.get("protocolVersion").and_then(|member| member.as_str()) else {
            return Err(refuse("protocolVersion must be a string"));
        };
        let inner = |key| match object.get(key) {
            None => Ok(Bytes::from_static(b"{}")),
            Some(member) => owned_object(&member),
        };
        let revision = Revision::negotiate(&asked);
        let capabilities =
            inner("capabilities").map_err(|()| refuse("capabilities must be an object"))?;
        let hello = ClientHello {
            revision,
            capabilities: Older::declared(revision, capabilities),
            client_info: inner("clientInfo")
                .map_err(|()| refuse("clientInfo must be an object"))?,
        };
        Ok(Self { id, hello })
    }

    /// The answer: what all backends together offer.
    pub(crate) fn answer(id: &RawId, revision: Revision, multi: &MultiSession) -> Bytes {
        let mut result = format!("{{\"protocolVersion\":\"{}\"", revision.as_str()).into_bytes();
        result.extend_from_slice(b",\"capabilities\":");
        result.extend_from_slice(&multi.capabilities());
        result.extend_from_slice(b",\"serverInfo\":");
        result.extend_from_slice(&multi.server_info());
        if let Some(instructions) = multi.instructions() {
            result.extend_from_slice(b",\"instructions\":");
            result.extend_from_slice(&quote(&instructions));
        }
        result.push(b'}');
        rpc::success(id, &result)
    }
}

/// Copied: it lives as long as the session, and must not keep the whole request alive.
fn owned_object(member: &Member<'_>) -> Result<Bytes, ()> {
    if member.as_object().is_none() {
        return Err(());
    }
    Ok(Bytes::copy_from_slice(member.raw))
}
