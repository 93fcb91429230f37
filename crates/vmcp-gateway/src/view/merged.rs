//! What vmcp says of itself at the handshake: the backends' capabilities and instructions as one.

use std::borrow::Cow;

use bytes::Bytes;
use vmcp_config::BackendId;
use vmcp_wire::quote;

use crate::catalogue::{Members, Offers};

/// The union of the backends' capabilities.
///
/// While some backend is not known yet, lists are advertised in any case: it may bring any of them, and a client
/// that was told otherwise at the handshake would never ask.
pub(super) fn capabilities(known: &[Option<&Offers>]) -> Bytes {
    let all_known = known.iter().all(Option::is_some);
    let offers: Vec<&Offers> = known.iter().flatten().copied().collect();
    let any = |has: fn(&Offers) -> bool| offers.iter().any(|offers| has(offers));
    let mut out = Writer::default();
    if !all_known || any(|offers| offers.tools) {
        out.member("tools", br#"{"listChanged":true}"#);
    }
    if !all_known || any(|offers| offers.resources) {
        match any(|offers| offers.subscribe) {
            true => out.member("resources", br#"{"subscribe":true,"listChanged":true}"#),
            false => out.member("resources", br#"{"listChanged":true}"#),
        }
    }
    if !all_known || any(|offers| offers.prompts) {
        out.member("prompts", br#"{"listChanged":true}"#);
    }
    if any(|offers| offers.logging) {
        out.member("logging", b"{}");
    }
    if any(|offers| offers.completions) {
        out.member("completions", b"{}");
    }
    for (key, members) in [
        ("experimental", union(&offers, |offers| &offers.experimental)),
        ("extensions", union(&offers, |offers| &offers.extensions)),
    ] {
        if let Some(members) = members {
            out.member(key, &members);
        }
    }
    out.finish()
}

/// The backends' instructions under one heading each, or as they are if there is one backend only. Each of them gets
/// an equal share of `most` bytes at least.
pub(super) fn instructions(
    ids: &[&BackendId],
    texts: &[Option<&str>],
    most: usize,
) -> Option<String> {
    let share = most / ids.len().max(1);
    let texts = ids.iter().zip(texts).filter_map(|(id, text)| {
        let text = text.as_deref()?.trim();
        (!text.is_empty()).then_some((*id, text))
    });
    let mut out = String::new();
    for (id, text) in texts {
        if ids.len() == 1 {
            return Some(capped(text, most).into_owned());
        }
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str("## ");
        out.push_str(id.as_str());
        out.push_str("\n\n");
        out.push_str(&capped(text, share));
    }
    (!out.is_empty()).then_some(out)
}

fn capped(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let cut = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..cut]))
}

/// The members of all backends; of equal keys the first in config order stands.
fn union(offers: &[&Offers], of: fn(&Offers) -> &Members) -> Option<Bytes> {
    let mut out = Writer::default();
    let mut seen: Vec<&str> = Vec::new();
    for (key, raw) in offers.iter().flat_map(|offers| of(offers)) {
        if !seen.contains(&&**key) {
            seen.push(key);
            out.member(key, raw);
        }
    }
    (!seen.is_empty()).then(|| out.finish())
}

/// Writes one JSON object.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn member(&mut self, key: &str, raw: &[u8]) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.extend_from_slice(&quote(key));
        self.0.push(b':');
        self.0.extend_from_slice(raw);
    }

    fn finish(mut self) -> Bytes {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        self.0.into()
    }
}
