//! What one client sees, and what it was told of that.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::{Call, Event};

use super::overlay::{Overlay, Own, Seen};
use super::{Digests, MultiSession};
use crate::policy::{Judged, Rules};

impl MultiSession {
    /// What the client sees: the shared view, or its own; of that what policies permit to it.
    pub(crate) fn view(&self) -> Seen {
        match &self.core.rules {
            None => self.whole_view(),
            Some(rules) => self.judged(rules, None),
        }
    }

    /// What whoever makes this call sees. A call may have newer claims than the one before.
    pub(crate) fn view_of(&self, call: &Call) -> Seen {
        match &self.core.rules {
            None => self.whole_view(),
            Some(rules) => self.judged(rules, identity(call.caller.as_ref())),
        }
    }

    /// What policies permit to the client, or to this caller, which is the same principal.
    fn judged(&self, rules: &Rules, identity: Option<&Arc<Identity>>) -> Seen {
        let whole = self.whole_view();
        let last = self.judged.load();
        let is_for = |judged: &Judged| identity.is_none_or(|who| judged.sight().is_of(who));
        let sight = match &*last {
            Some(judged) if is_for(judged) => {
                if judged.is_over(&whole) {
                    return Seen::Judged(judged.clone());
                }
                judged.sight().clone()
            }
            _ => rules.sight(identity.unwrap_or(&self.client.identity)),
        };
        let judged = rules.judged((&self.core.config, &self.core.catalogue), &whole, sight);
        self.judged.store(Some(judged.clone()));
        Seen::Judged(judged)
    }

    /// A call of the client begins: it is told what changed if its claims are others now.
    pub(super) fn recognise(&self, rules: &Rules, caller: Option<&Caller>) {
        let Some(identity) = identity(caller) else { return };
        let is_known = self.judged.load().as_ref().is_some_and(|last| last.sight().is_of(identity));
        if !is_known {
            let told = self.told.lock();
            let now = self.judged(rules, Some(identity)).digests();
            self.tell(told, now);
        }
    }

    /// What there is for the client, whatever policies say.
    pub(crate) fn whole_view(&self) -> Seen {
        match &*self.overlay.load() {
            Some(overlay) => Seen::Own(overlay.clone()),
            None => Seen::Shared(self.core.catalogue.view(self.client.family())),
        }
    }

    /// The catalogue changed. Tells whether a view had to be built for this session alone.
    pub(crate) fn catch_up(&self) -> bool {
        let told = self.told.lock();
        if self.overlay.load().is_none() {
            self.tell(told, self.view().digests());
            return self.core.rules.is_some();
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
        let now = if self.core.rules.is_some() { self.view().digests() } else { now };
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

fn identity(caller: Option<&Caller>) -> Option<&Arc<Identity>> {
    caller?.identity.as_ref()
}
