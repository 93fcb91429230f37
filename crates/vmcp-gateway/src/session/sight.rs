//! What one client sees, and what it was told of that.

use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;
use vmcp_backend::Event;

use super::overlay::{Overlay, Own, Seen};
use super::{Digests, MultiSession};

impl MultiSession {
    /// What the client sees: the shared view, or its own.
    pub(crate) fn view(&self) -> Seen {
        match &*self.overlay.load() {
            Some(overlay) => Seen::Own(overlay.clone()),
            None => Seen::Shared(self.core.catalogue.view(self.client.family())),
        }
    }

    /// The catalogue changed. Tells whether a view had to be built for this session alone.
    pub(crate) fn catch_up(&self) -> bool {
        let told = self.told.lock();
        if self.overlay.load().is_none() {
            self.tell(told, self.core.catalogue.view(self.client.family()).digests());
            return false;
        }
        self.revise(told, |_| {});
        true
    }

    /// A backend offers this to this client. Tells whether it is new.
    pub(super) fn listed(&self, now: Own) -> bool {
        let mut changed = true;
        self.revise(self.told.lock(), |own| {
            let before = own.iter().position(|own| own.backend() == now.backend());
            let before = before.map(|at| own.swap_remove(at));
            changed = now.is_new(before.as_ref());
            own.push(now);
        });
        changed
    }

    /// The client's own session is lost, and with it what it offered.
    pub(super) fn forget(&self, backend: usize) {
        let told = self.told.lock();
        if self.overlay.load().is_some() {
            self.revise(told, |own| own.retain(|own| own.backend() != backend));
        }
    }

    /// Changes what the overlay is made of, and compares that with the catalogue.
    fn revise(&self, told: MutexGuard<'_, Digests>, change: impl FnOnce(&mut Vec<Own>)) {
        let known = self.core.catalogue.snapshot(self.client.family());
        let before = self.overlay.load_full();
        let mut own = before.map(|overlay| overlay.own().to_vec()).unwrap_or_default();
        change(&mut own);
        let rules = &self.core.config.aggregation;
        let overlay = Overlay::over(rules, &self.core.catalogue, &known, own);
        let now = overlay.as_ref().map_or(&*known.view, |overlay| overlay.view()).digests();
        self.overlay.store(overlay);
        self.tell(told, now);
    }

    /// Tells the client about every list that is not what it was told last.
    fn tell(&self, mut told: MutexGuard<'_, Digests>, now: Digests) {
        let before = std::mem::replace(&mut *told, now);
        drop(told);
        if self.client.is_closed() || !self.introduced.load(Ordering::Acquire) {
            return;
        }
        for message in self.core.messages.between(&before, &now) {
            (self.client.sink)(Event::Notification(message.clone()));
        }
    }
}
