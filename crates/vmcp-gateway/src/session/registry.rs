//! The open client sessions, for whoever has something to tell all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::MultiSession;

/// The open client sessions.
#[derive(Default)]
pub(crate) struct Registry {
    next: AtomicU64,
    /// Protects who is there; held for one lookup, or to copy the whole.
    sessions: Mutex<HashMap<u64, Weak<MultiSession>>>,
}

// === impl Registry ===

impl Registry {
    pub(super) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn add(&self, session: &Arc<MultiSession>) {
        self.sessions.lock().insert(session.client.id, Arc::downgrade(session));
    }

    pub(super) fn remove(&self, id: u64) {
        self.sessions.lock().remove(&id);
    }

    /// The session of this client, if it is open.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<MultiSession>> {
        self.sessions.lock().get(&id).and_then(Weak::upgrade)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.lock().len()
    }

    /// All of them. Dropping the last handle to one removes it, so nothing may be locked meanwhile.
    pub(crate) fn all(&self) -> Vec<Arc<MultiSession>> {
        self.sessions.lock().values().filter_map(Weak::upgrade).collect()
    }
}
