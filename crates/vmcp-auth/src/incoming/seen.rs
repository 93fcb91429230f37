//! Tokens that were verified already, by their digest: a signature is checked once, not once for each call.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Digest, Identity};

/// How long one is remembered at most, in seconds: for so long a key that was taken back still counts.
const LONGEST: u64 = 300;

/// A bounded memory.
pub(super) struct Seen {
    most: usize,
    /// Held for a look.
    tokens: Mutex<HashMap<Digest, Entry>>,
}

struct Entry {
    identity: Arc<Identity>,
    /// The seconds between which it counts. The first one makes a clock that is set back forget.
    since: u64,
    until: u64,
}

// === impl Seen ===

impl Seen {
    pub(super) fn new(most: usize) -> Self {
        Self { most, tokens: Mutex::default() }
    }

    pub(super) fn get(&self, token: &Digest, now: u64) -> Option<Arc<Identity>> {
        let tokens = self.tokens.lock();
        let entry = tokens.get(token)?;
        (entry.since..entry.until).contains(&now).then(|| Arc::clone(&entry.identity))
    }

    /// Remembers a token that holds until the second `until`.
    pub(super) fn put(&self, token: Digest, identity: Arc<Identity>, until: u64, now: u64) {
        let until = until.min(now.saturating_add(LONGEST));
        let mut tokens = self.tokens.lock();
        if tokens.len() >= self.most {
            tokens.retain(|_, entry| (entry.since..entry.until).contains(&now));
        }
        // Only tokens of the issuer's come here. If it has really so many callers, half of them are verified anew.
        if tokens.len() >= self.most {
            let mut keep = false;
            tokens.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        tokens.insert(token, Entry { identity, since: now, until });
    }
}
