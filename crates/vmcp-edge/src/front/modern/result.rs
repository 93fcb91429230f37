//! What answers of this revision need besides what was said: what kind of result it is, how long it is fresh and for
//! whom, and the codes and statuses of this revision.
//!
//! Nothing of a result is read but the names of its outermost members; they are put in where they are missing.

use bytes::Bytes;
use http::StatusCode;
use vmcp_backend::{CallError, ErrorKind, Freshness};
use vmcp_wire::revision::{
    CACHE_SCOPE, COMPLETE, HEADER_MISMATCH, META_SERVER_INFO, MISSING_CAPABILITY, PRIVATE, PUBLIC,
    RESULT_TYPE, TTL_MS, UNSUPPORTED_VERSION,
};
use vmcp_wire::{Edits, Kind, Message, Object, RawId, method, rpc, task};

use super::about::missing_capability;
use crate::respond;

/// A result that vmcp made: the object `result` with all that has to be in it.
pub(super) fn made(
    result: &[u8],
    freshness: Option<Freshness>,
    server_info: Option<&[u8]>,
) -> Bytes {
    let mut out = Vec::with_capacity(result.len() + 192);
    out.extend_from_slice(b"{");
    out.extend_from_slice(&additions(freshness));
    if let Some(info) = server_info {
        out.extend_from_slice(format!(",\"_meta\":{{\"{META_SERVER_INFO}\":").as_bytes());
        out.extend_from_slice(info);
        out.push(b'}');
    }
    let rest = result.strip_prefix(b"{").unwrap_or(b"}");
    if rest.trim_ascii_start().first() != Some(&b'}') {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    out.into()
}

/// Members for a result that has none of them.
fn additions(freshness: Option<Freshness>) -> Vec<u8> {
    let mut out = format!("\"{RESULT_TYPE}\":\"{COMPLETE}\"");
    if let Some(Freshness { time, private }) = freshness {
        let (time, scope) = (time.as_millis(), if private { PRIVATE } else { PUBLIC });
        out.push_str(&format!(",\"{TTL_MS}\":{time},\"{CACHE_SCOPE}\":\"{scope}\""));
    }
    out.into_bytes()
}

/// The members that a backend's result must have, and their values where it does not say them itself. What it does not
/// say to be fresh is not, and is nobody else's.
pub(super) fn needed(asked: &str) -> Vec<(&'static str, String)> {
    let mut needed = vec![(RESULT_TYPE, format!("\"{COMPLETE}\""))];
    if asked == method::RESOURCES_READ {
        needed.push((TTL_MS, "0".to_owned()));
        needed.push((CACHE_SCOPE, format!("\"{PRIVATE}\"")));
    }
    needed
}

/// A backend's response under the client's id, and the status it comes with. `asked` is the method.
pub(super) fn whole(message: &Message, id: &RawId, asked: &str) -> (StatusCode, Bytes) {
    match message.kind() {
        Kind::Failure => failed(message, id, asked),
        _ => (StatusCode::OK, completed(message, id, asked)),
    }
}

fn completed(message: &Message, id: &RawId, asked: &str) -> Bytes {
    let edited = (|| {
        let envelope = Object::parse(message.bytes()).ok()?;
        let result = envelope.get("result")?.as_object()?;
        let needed = needed(asked);
        let missing: Vec<(&str, &[u8])> = needed
            .iter()
            .filter(|(key, _)| result.get(key).is_none())
            .map(|(key, value)| (*key, value.as_bytes()))
            .collect();
        let mut edits = Edits::new();
        if !missing.is_empty() {
            edits.rewrite(&result, &[], &missing);
        }
        edits.replace(envelope.get("id")?.span, id.as_bytes().to_vec());
        Some(edits.apply(message.bytes()))
    })();
    // A result that is no object is the backend's to answer for.
    edited.unwrap_or_else(|| message.with_id(id))
}

fn failed(message: &Message, id: &RawId, asked: &str) -> (StatusCode, Bytes) {
    let found = (|| {
        let envelope = Object::parse(message.bytes()).ok()?;
        let member = envelope.get("error")?.as_object()?.get("code")?;
        let code = std::str::from_utf8(member.raw).ok()?.parse::<i64>().ok()?;
        let own = spelled(code, asked);
        let mut edits = Edits::new();
        if own != code {
            edits.replace(member.span, own.to_string().into_bytes());
        }
        edits.replace(envelope.get("id")?.span, id.as_bytes().to_vec());
        Some((status(own), edits.apply(message.bytes())))
    })();
    found.unwrap_or_else(|| (StatusCode::OK, message.with_id(id)))
}

/// The answer to a call that has no response, and its status.
pub(super) fn failure(id: &RawId, error: &CallError, asked: &str) -> (StatusCode, Bytes) {
    tracing::debug!(%error, "a call failed");
    if let ErrorKind::TaskRequired(_) = &error.kind {
        let rejection = missing_capability(&["extensions", task::EXTENSION]);
        let rejection = rejection.with_id(Some(id.clone()));
        return (rejection.status(), rejection.message());
    }
    let (code, bytes) = respond::failure_as(id, error, |code| spelled(code, asked));
    (status(code), bytes)
}

/// An error of this code under this revision. That a resource does not exist has no code of its own any more; what the
/// code says in answers to anything else is the backend's matter.
fn spelled(code: i64, asked: &str) -> i64 {
    let is_missing = code == rpc::RESOURCE_NOT_FOUND && asked == method::RESOURCES_READ;
    if is_missing { rpc::INVALID_PARAMS } else { code }
}

/// The HTTP status that an error of this code comes with.
pub(super) fn status(code: i64) -> StatusCode {
    match code {
        rpc::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}
