//! All client sessions of one server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;
use vmcp_auth::Identity;

use super::{Session, SessionId};
use crate::admit::{Gate, Place};

/// Sessions by id.
pub(crate) struct Sessions {
    idle: Duration,
    gate: Gate,
    /// Protects the map; held for a look or a change only.
    map: RwLock<HashMap<SessionId, Entry>>,
}

struct Entry {
    session: Arc<Session>,
    _place: Place,
}

// === impl Sessions ===

impl Sessions {
    pub(crate) fn new(max: usize, idle: Duration) -> Self {
        Self { idle, gate: Gate::new(max), map: RwLock::default() }
    }

    /// A place for one more session, to be taken before it costs anything.
    pub(crate) fn reserve(&self) -> Option<Place> {
        self.gate.enter()
    }

    pub(crate) fn insert(&self, session: Arc<Session>, place: Place) {
        self.map.write().insert(session.id(), Entry { session, _place: place });
    }

    /// The session, if it is this caller's. Another caller cannot tell it from one that never was.
    pub(crate) fn find(&self, id: SessionId, caller: &Identity) -> Option<Arc<Session>> {
        let map = self.map.read();
        let session = &map.get(&id)?.session;
        session.belongs_to(caller).then(|| {
            session.touch();
            Arc::clone(session)
        })
    }

    /// Takes the session out; whoever takes it closes it.
    pub(crate) fn remove(&self, id: SessionId) -> Option<Arc<Session>> {
        self.map.write().remove(&id).map(|entry| entry.session)
    }

    /// Takes out what has been idle for too long, and lets the others drop what they need not keep.
    pub(crate) fn sweep(&self, now: Instant) -> Vec<Arc<Session>> {
        let mut idle = Vec::new();
        for entry in self.map.read().values() {
            entry.session.sweep(now);
            if entry.session.is_idle(now, self.idle) {
                idle.push(entry.session.id());
            }
        }
        let mut map = self.map.write();
        // Looked at again under the lock: a request may have come in between.
        idle.retain(|id| map.get(id).is_some_and(|entry| entry.session.is_idle(now, self.idle)));
        idle.iter().filter_map(|id| map.remove(id)).map(|entry| entry.session).collect()
    }

    /// Every session.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.map.read().values().map(|entry| Arc::clone(&entry.session)).collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.gate.taken()
    }
}
