//! Stage *admit*: how much at one time. A place is taken before the work and given back by its guard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::edge::Edge;
use crate::respond::Rejection;

/// A number of places.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    taken: Arc<AtomicUsize>,
    places: usize,
}

/// One place, given back on drop.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

/// A place for one request, on all connections together.
pub(crate) fn request(edge: &Edge) -> Result<Place, Rejection> {
    edge.requests.enter().ok_or_else(|| Rejection::busy("too many requests at once"))
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(places: usize) -> Self {
        Self { taken: Arc::default(), places }
    }

    /// Takes a place, if one is free.
    pub(crate) fn enter(&self) -> Option<Place> {
        if self.taken.fetch_add(1, Ordering::AcqRel) >= self.places {
            self.taken.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Place(Arc::clone(&self.taken)))
    }

    /// Places taken now.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;

    #[test]
    fn a_full_gate_opens_when_a_place_is_given_back() {
        let gate = Gate::new(1);
        let place = gate.enter();
        assert!(place.is_some() && gate.enter().is_none());
        drop(place);
        assert!(gate.enter().is_some());
        assert_eq!(gate.taken(), 0);
    }
}
