//! What a client's own backend sessions offer, where that is not what the catalogue knows.
//!
//! A server may offer more to a client that declared more. Such a session has a view of its own, built like the
//! shared one with its own inventories in place. All others share the catalogue's.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::Guard;
use vmcp_config::Aggregation;

use super::Ear;
use crate::catalogue::{Catalogue, Composed, Inventory, Snapshot, Stamp};
use crate::policy::Judged;
use crate::view::View;

/// One session's own view, and what makes it differ from the shared one.
pub(crate) struct Overlay {
    own: Vec<Own>,
    composed: Arc<Composed>,
}

/// What one backend offers to one client.
#[derive(Clone)]
pub(super) struct Own {
    backend: usize,
    /// What was listed through the client's session.
    listed: Arc<Inventory>,
    /// What the catalogue knew before that was listed, or when the two were last compared.
    base: Option<Arc<Inventory>>,
    /// How long that is fresh.
    stamp: Stamp,
    /// Lists again when the catalogue's inventory has changed: the client's own may have too.
    ear: Arc<Ear>,
}

/// The view of one session. Not to be held across an await.
pub(crate) enum Seen {
    /// The one of everybody.
    Shared(Guard<Arc<View>>),
    /// The session's own.
    Own(Arc<Overlay>),
    /// What policies permit of either.
    Judged(Arc<Judged>),
    /// Either, held for longer.
    Kept(Arc<View>),
    /// An own one, held for longer.
    Composed(Arc<Composed>),
}

// === impl Overlay ===

impl Overlay {
    /// The overlay that these make over the catalogue; `None` if the catalogue has the same of all of them.
    pub(super) fn over(
        rules: &Aggregation,
        catalogue: &Catalogue,
        known: &Snapshot,
        mut own: Vec<Own>,
    ) -> Option<Arc<Self>> {
        own.retain_mut(|own| own.differs(known.inventories[own.backend].as_ref()));
        if own.is_empty() {
            return None;
        }
        let mut inventories = known.inventories.clone();
        for own in &own {
            inventories[own.backend] = Some(own.listed.clone());
        }
        let composed = catalogue.compose(rules, inventories);
        Some(Arc::new(Self { own, composed }))
    }

    /// Whose inventories differ.
    pub(super) fn own(&self) -> &[Own] {
        &self.own
    }

    /// The session's own view.
    pub(super) fn view(&self) -> &View {
        &self.composed.view
    }
}

// === impl Own ===

impl Own {
    pub(super) fn new(
        backend: usize,
        listed: Arc<Inventory>,
        base: Option<Arc<Inventory>>,
        stamp: Stamp,
        ear: Arc<Ear>,
    ) -> Self {
        Self { backend, listed, base, stamp, ear }
    }

    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    pub(super) fn backend(&self) -> usize {
        self.backend
    }

    /// Whether the backend offered something else before: to this client, else to everybody.
    pub(super) fn is_new(&self, before: Option<&Self>) -> bool {
        let before = before.map(|own| &own.listed).or(self.base.as_ref());
        before.is_none_or(|before| !before.same_as(&self.listed))
    }

    /// Compares with what the catalogue knows now.
    fn differs(&mut self, now: Option<&Arc<Inventory>>) -> bool {
        if now.is_some_and(|now| now.same_as(&self.listed)) {
            return false;
        }
        let compared = match (&self.base, now) {
            (Some(base), Some(now)) => Arc::ptr_eq(base, now),
            (None, None) => true,
            _ => false,
        };
        if !compared {
            self.base = now.cloned();
            self.ear.heard();
        }
        true
    }
}

// === impl Seen ===

impl Seen {
    /// The same view, to be held for as long as wanted.
    pub(crate) fn kept(&self) -> Self {
        match self {
            Self::Shared(view) => Self::Kept(Arc::clone(view)),
            Self::Own(overlay) => Self::Composed(overlay.composed.clone()),
            Self::Judged(judged) => Self::Judged(judged.clone()),
            Self::Kept(view) => Self::Kept(view.clone()),
            Self::Composed(composed) => Self::Composed(composed.clone()),
        }
    }
}

impl Deref for Seen {
    type Target = View;

    fn deref(&self) -> &View {
        match self {
            Self::Shared(view) => view,
            Self::Own(overlay) => overlay.view(),
            Self::Judged(judged) => &judged.view,
            Self::Kept(view) => view,
            Self::Composed(composed) => &composed.view,
        }
    }
}
