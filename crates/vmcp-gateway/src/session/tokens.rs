//! Progress tokens of requests that backends make to the client.
//!
//! Servers count from 0, so the tokens of two backends are equal sooner or later. The first keeps its own; the other
//! gets one that is unique for the client, and progress that names it finds its way back.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use vmcp_backend::PeerRequest;
use vmcp_wire::{Edits, Limits, Message, Object, RawId, quote};

/// The tokens one client has seen in requests from backends.
pub(crate) struct Tokens {
    /// How many are remembered. Nobody says when a request with a token is done, so the oldest goes.
    most: usize,
    /// Protects the table; held for one scan.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: VecDeque<Entry>,
    minted: u64,
}

struct Entry {
    backend: usize,
    own: RawId,
    shown: RawId,
}

// === impl Tokens ===

impl Tokens {
    /// Remembers at most this many.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, table: Mutex::default() }
    }

    /// Remembers whose token a request carries; rewrites it if another backend's request has the same.
    pub(crate) fn admit(&self, backend: usize, mut request: PeerRequest) -> PeerRequest {
        let Some(params) = request.message.params() else { return request };
        let Some((own, edits)) = token(&params) else { return request };
        let shown = self.table.lock().show(backend, &own, self.most);
        if shown != own {
            let params = edits(&shown).apply(&params);
            let bytes = request.message.with_params(&params);
            if let Ok(message) = Message::parse(bytes, &Limits::default()) {
                request.message = message;
            }
        }
        request
    }

    /// Whose progress this is, and the params with the backend's own token.
    pub(crate) fn restore(&self, params: &Bytes) -> Option<(usize, Bytes)> {
        let object = Object::parse(params).ok()?;
        let member = object.unique("progressToken").ok()??;
        let shown = RawId::from_token(member.raw).ok()?;
        let table = self.table.lock();
        let entry = table.entries.iter().rev().find(|entry| entry.shown == shown)?;
        if entry.own == shown {
            return Some((entry.backend, params.clone()));
        }
        let mut edits = Edits::new();
        edits.replace(member.span, Bytes::copy_from_slice(entry.own.as_bytes()));
        Some((entry.backend, edits.apply(params)))
    }
}

/// The token in raw params, and how to put another in its place.
fn token(params: &Bytes) -> Option<(RawId, impl Fn(&RawId) -> Edits + use<>)> {
    let object = Object::parse(params).ok()?;
    let member = object.get("_meta")?.as_object()?.get("progressToken")?;
    let span = member.span;
    let own = RawId::from_token(member.raw).ok()?;
    let edits = move |shown: &RawId| {
        let mut edits = Edits::new();
        edits.replace(span.clone(), Bytes::copy_from_slice(shown.as_bytes()));
        edits
    };
    Some((own, edits))
}

// === impl Table ===

impl Table {
    /// The token the client is shown for a backend's own.
    fn show(&mut self, backend: usize, own: &RawId, most: usize) -> RawId {
        let same = |entry: &Entry| entry.backend == backend && entry.own == *own;
        let shown = match self.entries.iter().position(same) {
            Some(at) => self.entries.remove(at).map(|entry| entry.shown),
            None => None,
        };
        let shown = shown.unwrap_or_else(|| {
            let taken = self.entries.iter().any(|entry| entry.shown == *own);
            if taken { self.mint().unwrap_or_else(|| own.clone()) } else { own.clone() }
        });
        if self.entries.len() >= most {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { backend, own: own.clone(), shown: shown.clone() });
        shown
    }

    fn mint(&mut self) -> Option<RawId> {
        self.minted += 1;
        RawId::from_token(&quote(&format!("vmcp-{}", self.minted))).ok()
    }
}
