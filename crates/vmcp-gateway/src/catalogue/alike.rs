//! What several clients have alike is kept once.
//!
//! Where each client lists for itself, most clients are offered the same, and their views are the same. Without this
//! each session would hold a whole view, and each change of the catalogue would build as many.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Inventory;
use crate::view::View;

/// Those that are in use somewhere. They hold no one's secrets, and whoever gets one has the same of its own.
pub(crate) struct Alike<T> {
    /// Protects the list; held to look one up or to put one in, never while one is made.
    kept: Mutex<Vec<Weak<T>>>,
}

/// A view, and what it was built from, one for each backend.
pub(crate) struct Composed {
    pub(super) inventories: Vec<Option<Arc<Inventory>>>,
    /// The view.
    pub view: View,
}

// === impl Alike ===

impl<T> Alike<T> {
    /// The one that is as wanted.
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        // Compared, and perhaps dropped, without the lock: either may take a while.
        let all: Vec<Arc<T>> = self.kept.lock().iter().filter_map(Weak::upgrade).collect();
        all.into_iter().find(|one| is_it(one))
    }

    /// Remembers one for as long as it is in use. Of two that are kept at the same time both may be remembered.
    pub(crate) fn keep(&self, one: Arc<T>) -> Arc<T> {
        let mut kept = self.kept.lock();
        kept.retain(|one| one.strong_count() > 0);
        kept.push(Arc::downgrade(&one));
        one
    }
}

impl<T> Default for Alike<T> {
    fn default() -> Self {
        Self { kept: Mutex::default() }
    }
}

// === impl Composed ===

impl Composed {
    /// Whether it was built from the very same.
    pub(super) fn is_of(&self, inventories: &[Option<Arc<Inventory>>]) -> bool {
        are_same(&self.inventories, inventories)
    }
}

/// Whether these are the very same.
pub(super) fn are_same(ones: &[Option<Arc<Inventory>>], others: &[Option<Arc<Inventory>>]) -> bool {
    ones.iter().zip(others).all(|pair| match pair {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Alike;

    #[test]
    fn one_in_use_is_given_again_and_forgotten_after() {
        let alike = Alike::<u32>::default();
        let (one, two) = (alike.keep(Arc::new(1)), alike.keep(Arc::new(2)));
        let again = alike.find(|n| *n == 1);
        assert!(again.as_ref().is_some_and(|again| Arc::ptr_eq(&one, again)));
        drop((one, again));
        assert_eq!(alike.find(|n| *n == 1), None);
        let three = alike.keep(Arc::new(3));
        assert_eq!(alike.kept.lock().len(), 2, "what is gone takes no place");
        assert_eq!((*two, *three), (2, 3));
    }
}
