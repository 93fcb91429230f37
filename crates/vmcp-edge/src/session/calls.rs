//! The calls of one session that are not answered yet, for a client that takes one back.
//!
//! A client's id keys nothing of ours: clients send `id: 1` on every call, also concurrently. Taking back
//! needs the id all the same, so it works only when exactly one call in flight has it.

use std::sync::Arc;

use parking_lot::Mutex;
use vmcp_backend::Cancel;
use vmcp_wire::RawId;

/// The calls in flight of one session.
pub(crate) struct Calls {
    limit: usize,
    /// Protects the list; held for a look or a change only.
    open: Mutex<Vec<Open>>,
}

struct Open {
    id: RawId,
    cancel: Cancel,
    serial: u64,
}

/// One call in flight; leaves the list on drop.
pub(crate) struct Ticket {
    calls: Arc<Calls>,
    serial: u64,
    id: RawId,
    cancel: Cancel,
}

// === impl Calls ===

impl Calls {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    /// Enters a call, unless too many are in flight.
    pub(crate) fn enter(self: &Arc<Self>, id: RawId) -> Option<Ticket> {
        let cancel = Cancel::new();
        let mut open = self.open.lock();
        if open.len() >= self.limit {
            return None;
        }
        let serial = open.last().map_or(0, |last| last.serial + 1);
        open.push(Open { id: id.clone(), cancel: cancel.clone(), serial });
        drop(open);
        Some(Ticket { calls: Arc::clone(self), serial, id, cancel })
    }

    /// Takes back the call with this id, if there is exactly one.
    pub(crate) fn cancel(&self, id: &RawId, reason: Option<String>) {
        let found = {
            let open = self.open.lock();
            let mut with_id = open.iter().filter(|call| call.id == *id);
            match (with_id.next(), with_id.next()) {
                (Some(call), None) => Some(call.cancel.clone()),
                _ => None,
            }
        };
        if let Some(cancel) = found {
            cancel.cancel(reason);
        }
    }

    /// Takes back all of them.
    pub(crate) fn cancel_all(&self) {
        let all: Vec<Cancel> = self.open.lock().iter().map(|call| call.cancel.clone()).collect();
        for cancel in all {
            cancel.cancel(None);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.lock().is_empty()
    }
}

// === impl Ticket ===

impl Ticket {
    /// The id, as the client spelled it.
    pub(crate) fn id(&self) -> &RawId {
        &self.id
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Whether the client took the call back: nothing more may be said about it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.calls.open.lock();
        if let Some(at) = open.iter().position(|call| call.serial == self.serial) {
            open.remove(at);
            if open.is_empty() {
                // A session that had many calls at once must not keep room for them while it is idle.
                open.shrink_to(4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Calls, RawId};

    #[test]
    fn a_call_is_taken_back_only_when_its_id_means_one() {
        let calls = Calls::new(8);
        let one = calls.enter(RawId::number(1));
        let two = calls.enter(RawId::number(1));
        calls.cancel(&RawId::number(1), None);
        assert!(one.iter().chain(&two).all(|ticket| !ticket.is_cancelled()));
        drop(two);
        calls.cancel(&RawId::number(1), Some("why".into()));
        assert!(one.as_ref().is_some_and(|ticket| ticket.is_cancelled()));
        drop(one);
        assert!(calls.is_empty());
    }

    #[test]
    fn calls_at_one_time_are_bounded() {
        let calls = Calls::new(1);
        let one = calls.enter(RawId::number(1));
        assert!(one.is_some() && calls.enter(RawId::number(2)).is_none());
        drop(one);
        assert!(calls.enter(RawId::number(2)).is_some());
    }
}
