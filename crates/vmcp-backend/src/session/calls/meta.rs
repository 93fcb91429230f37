//! What vmcp changes in the `_meta` of what it sends to a backend, and in nothing else.
//!
//! * The progress token: every client counts its tokens from 0, so on a connection that several calls share they would
//!   collide. The token sent is the request's own id, and the caller's is restored on the way back.
//! * Keys that the protocol reserves speak for one hop: what a client tells vmcp about itself is not vmcp's word to a
//!   backend, and some servers refuse requests that have them. Two belong to the call and travel on.
//! * The trace context is put in, unless the caller has put one there.
//! * What the connection's revision wants to be said in every request ([`Terms`]).
//!
//! Every other byte stays. Most requests have no `_meta` and no trace: those cost one look for the word.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::{self, Finder};
use vmcp_wire::{Edits, Message, Object, RawId};

use crate::TraceContext;
use crate::dialect::Terms;
use crate::transport::Framing;

/// The prefix of reserved keys.
const RESERVED: &str = "io.modelcontextprotocol/";
/// Reserved keys that are about the call itself.
const TRAVELLING: [&str; 2] =
    ["io.modelcontextprotocol/related-task", "io.modelcontextprotocol/model-immediate-response"];
pub(crate) const TOKEN: &str = "progressToken";

/// The words that are looked for in every request. Their searchers are made once.
static META: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"_meta"));
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u"));

/// The params as they are sent, with `id` as their progress token, and the token that stood there.
pub(crate) fn outgoing(
    params: Option<&Bytes>,
    id: u64,
    trace: Option<&TraceContext>,
    terms: Option<&Terms>,
) -> (Option<Bytes>, Option<RawId>) {
    let empty = Bytes::from_static(b"{}");
    let params = match params {
        Some(params) => params,
        None if trace.is_none() && terms.is_none() => return (None, None),
        None => &empty,
    };
    if trace.is_none() && terms.is_none() && !is_concerned(params) {
        return (Some(params.clone()), None);
    }
    let Ok(members) = Object::parse(params) else { return (Some(params.clone()), None) };
    let mut edits = Edits::new();
    let mut token = None;
    let mut absent = true;
    // Of members that stand there twice, nobody knows which one a backend takes: all are changed.
    for (key, value) in members.iter().filter(|(key, _)| key == "_meta") {
        absent = false;
        if let Some(meta) = value.as_object() {
            token = edit(&mut edits, &meta, id, trace, terms).or(token);
        } else {
            tracing::debug!(%key, "not an object; left as it is");
        }
    }
    let meta = object(trace, terms);
    let mut insert: Vec<(&str, &[u8])> = Vec::new();
    if absent && (trace.is_some() || terms.is_some()) {
        insert.push(("_meta", &meta));
    }
    let own = terms.map(|terms| &terms.members[..]).unwrap_or_default();
    insert.extend(own.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))));
    let stale = own.iter().map(|(key, _)| *key).filter(|key| members.get(key).is_some());
    let remove: Vec<&str> = stale.collect();
    if !insert.is_empty() || !remove.is_empty() {
        edits.rewrite(&members, &remove, &insert);
    }
    match edits.is_empty() {
        true => (Some(params.clone()), token),
        false => (Some(edits.apply(params)), token),
    }
}

/// The params of a notification, or a client's result for a request of the backend, as they are sent: without
/// reserved keys. What has none is not copied.
pub(crate) fn without_reserved(text: Bytes) -> Bytes {
    let has = |word: &[u8]| memmem::find(&text, word).is_some();
    let concerned = has(b"_meta") && has(b"io.modelcontextprotocol") || has(b"\\u");
    if !concerned {
        return text;
    }
    let mut edits = Edits::new();
    let members = Object::parse(&text);
    for (_, value) in members.iter().flat_map(Object::iter).filter(|(key, _)| key == "_meta") {
        if let Some(meta) = value.as_object() {
            let keys = meta.iter().map(|(key, _)| key);
            let reserved: Vec<_> = keys.filter(|key| is_reserved(key)).collect();
            let reserved: Vec<&str> = reserved.iter().map(AsRef::as_ref).collect();
            if !reserved.is_empty() {
                edits.rewrite(&meta, &reserved, &[]);
            }
        }
    }
    match edits.is_empty() {
        true => text,
        false => edits.apply(&text),
    }
}

/// Whether a key speaks for one hop only.
fn is_reserved(key: &str) -> bool {
    key.starts_with(RESERVED) && !TRAVELLING.contains(&key)
}

/// Whether anything in the params may have to be changed. An escape may hide it.
fn is_concerned(params: &[u8]) -> bool {
    let has = |word: &[u8]| memmem::find(params, word).is_some();
    let meant = || has(TOKEN.as_bytes()) || has(b"io.modelcontextprotocol");
    (META.find(params).is_some() && meant()) || ESCAPE.find(params).is_some()
}

/// Changes one `_meta`; gives the caller's token.
fn edit(
    edits: &mut Edits,
    meta: &Object<'_>,
    id: u64,
    trace: Option<&TraceContext>,
    terms: Option<&Terms>,
) -> Option<RawId> {
    let mut token = None;
    let mut reserved = Vec::new();
    let mut traced = false;
    for (key, member) in meta.iter() {
        if key == TOKEN {
            token = RawId::from_token(member.raw).ok().or(token);
            edits.replace(member.span, RawId::number(id).as_bytes().to_vec());
        } else if key == "traceparent" {
            traced = true;
        } else if is_reserved(&key) {
            reserved.push(key);
        }
    }
    // A state without its own parent would be another trace's.
    let trace = trace.filter(|_| !traced);
    let state = trace.map(|_| meta.get("tracestate").is_some()).unwrap_or_default();
    let mut fields = trace.map(|trace| quoted(trace, state)).unwrap_or_default();
    fields.extend(terms.iter().flat_map(|terms| terms.meta.iter().cloned()));
    if !reserved.is_empty() || !fields.is_empty() {
        let remove: Vec<&str> = reserved.iter().map(AsRef::as_ref).collect();
        let insert: Vec<(&str, &[u8])> =
            fields.iter().map(|(key, value)| (*key, value.as_ref())).collect();
        edits.rewrite(meta, &remove, &insert);
    }
    token
}

/// The trace as members; without its state if there is one already.
fn quoted(trace: &TraceContext, state: bool) -> Vec<(&'static str, Bytes)> {
    let parent = ("traceparent", vmcp_wire::quote(trace.traceparent()));
    let own = trace.tracestate().filter(|_| !state);
    let own = own.map(|own| ("tracestate", vmcp_wire::quote(own)));
    std::iter::once(parent).chain(own).collect()
}

/// The trace and the terms as a whole `_meta`.
fn object(trace: Option<&TraceContext>, terms: Option<&Terms>) -> Vec<u8> {
    let mut text = b"{".to_vec();
    let trace = trace.map(|trace| quoted(trace, false)).unwrap_or_default();
    for (key, value) in trace.iter().chain(terms.iter().flat_map(|terms| &terms.meta)) {
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend_from_slice(format!("\"{key}\":").as_bytes());
        text.extend_from_slice(value);
    }
    text.push(b'}');
    text
}

/// A progress notification under the caller's own token; `None` if it is not about the call `id`.
pub(crate) fn restore(
    message: &Message,
    id: u64,
    token: &RawId,
    framing: &Framing,
) -> Option<Message> {
    let params = message.params()?;
    let members = Object::parse(&params).ok()?;
    let theirs = members.get(TOKEN)?;
    let stated = RawId::from_token(theirs.raw).ok()?;
    if !crate::transport::is_own(&stated, id) {
        return None;
    }
    let mut edits = Edits::new();
    edits.replace(theirs.span, token.as_bytes().to_vec());
    let bytes = message.with_params(&edits.apply(&params));
    Message::parse(bytes, &framing.limits).ok()
}

#[cfg(test)]
mod tests;
