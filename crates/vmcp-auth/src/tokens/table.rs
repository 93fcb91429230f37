//! The entries of a [`TokenCache`](crate::TokenCache), and how many there may be.

use std::collections::HashMap;

use futures_util::future::{Shared, WeakShared};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{HeldToken, TokenKey};
use crate::{AuthFailure, BoxFuture};

/// An exchange that several wait for.
pub(super) type Flying = Shared<BoxFuture<'static, Result<HeldToken, AuthFailure>>>;
type WeakFlying = WeakShared<BoxFuture<'static, Result<HeldToken, AuthFailure>>>;

pub(super) struct Table {
    capacity: usize,
    /// Entries and counters. Held for a look-up or a change; an exchange is never dropped or polled under it, since
    /// that takes the lock again.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<TokenKey, Entry>,
    /// Numbers exchanges, and so tokens.
    last_number: u64,
    /// Counts uses: the clock of "used last".
    uses: u64,
    /// When tokens that are over were last thrown out.
    swept: Option<Instant>,
}

enum Entry {
    /// Belongs to those who wait: when the last one is gone, so is the exchange.
    Flying { number: u64, flight: WeakFlying },
    /// `until`: when it must not be used any more; never, if `None`.
    Held { token: HeldToken, number: u64, until: Option<Instant>, used: u64 },
}

pub(super) enum Found {
    Held(HeldToken),
    Flying(Flying),
}

// === impl Table ===

impl Table {
    /// How often tokens that are over are thrown out.
    const SWEEP: std::time::Duration = std::time::Duration::from_secs(60);

    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default() }
    }

    pub(super) fn held(&self, key: TokenKey, now: Instant) -> Option<HeldToken> {
        self.state.lock().held(key, now)
    }

    /// The token, or the exchange that is under way, or the one that `start` makes.
    pub(super) fn find_or_start(
        &self,
        key: TokenKey,
        now: Instant,
        start: impl FnOnce(u64) -> Flying,
    ) -> Found {
        let number = {
            let mut state = self.state.lock();
            if let Some(found) = state.find(key, now) {
                return found;
            }
            state.last_number += 1;
            state.last_number
        };
        // Made outside the lock. Somebody may have been faster meanwhile: theirs counts, and this one is dropped
        // before it was ever polled.
        let own = start(number);
        let mut state = self.state.lock();
        if let Some(found) = state.find(key, now) {
            drop(state);
            drop(own);
            return found;
        }
        if let Some(flight) = own.downgrade() {
            state.entries.insert(key, Entry::Flying { number, flight });
        }
        Found::Flying(own)
    }

    /// The exchange of this token ended well.
    pub(super) fn land(&self, token: &HeldToken, now: Instant, until: Option<Instant>) {
        let Some((key, number)) = token.receipt.used() else { return };
        let mut state = self.state.lock();
        // An exchange that lost its place to a newer one has nothing to say any more.
        if state.entries.get(&key).is_none_or(|entry| entry.number() != number) {
            return;
        }
        let used = state.tick();
        state.entries.insert(key, Entry::Held { token: token.clone(), number, until, used });
        state.make_room(self.capacity, now);
    }

    /// The exchange of this number ended, whichever way. Only a token that it left stays.
    pub(super) fn end(&self, key: TokenKey, number: u64) {
        let mut state = self.state.lock();
        if let Some(Entry::Flying { number: flying, .. }) = state.entries.get(&key)
            && *flying == number
        {
            state.entries.remove(&key);
        }
    }

    pub(super) fn evict(&self, key: TokenKey, number: u64) {
        let mut state = self.state.lock();
        if let Some(Entry::Held { number: held, .. }) = state.entries.get(&key)
            && *held == number
        {
            state.entries.remove(&key);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().entries.len()
    }
}

// === impl State ===

impl State {
    fn tick(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    fn held(&mut self, key: TokenKey, now: Instant) -> Option<HeldToken> {
        let tick = self.tick();
        match self.entries.get_mut(&key)? {
            Entry::Held { token, until, used, .. } if until.is_none_or(|until| now < until) => {
                *used = tick;
                Some(token.clone())
            }
            _ => None,
        }
    }

    fn find(&mut self, key: TokenKey, now: Instant) -> Option<Found> {
        if let Some(token) = self.held(key, now) {
            return Some(Found::Held(token));
        }
        match self.entries.get(&key)? {
            Entry::Flying { flight, .. } => flight.upgrade().map(Found::Flying),
            Entry::Held { .. } => None,
        }
    }

    /// Throws out what is over, and then, if there is still too much, what was not used for the longest time.
    fn make_room(&mut self, capacity: usize, now: Instant) {
        let full = self.entries.len() > capacity;
        if full || self.swept.is_none_or(|swept| now >= swept + Table::SWEEP) {
            self.swept = Some(now);
            self.entries.retain(|_, entry| !entry.is_over(now));
        }
        if self.entries.len() <= capacity {
            return;
        }
        // A few more than needed, so that a full table is not sorted for every token.
        let keep = capacity - capacity / 8;
        let mut used: Vec<(u64, TokenKey)> =
            self.entries.iter().filter_map(|(key, entry)| Some((entry.used()?, *key))).collect();
        used.sort_unstable();
        let excess = self.entries.len().saturating_sub(keep.max(1));
        for (_, key) in used.iter().take(excess) {
            self.entries.remove(key);
        }
    }
}

// === impl Entry ===

impl Entry {
    fn number(&self) -> u64 {
        match self {
            Self::Flying { number, .. } | Self::Held { number, .. } => *number,
        }
    }

    /// When it was used last; `None` while it is being fetched.
    fn used(&self) -> Option<u64> {
        match self {
            Self::Flying { .. } => None,
            Self::Held { used, .. } => Some(*used),
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        matches!(self, Self::Held { until: Some(until), .. } if now >= *until)
    }
}
