//! Tokens that were got, and their being got once for all who wait.
//!
//! A token is asked for when the first request needs it; whoever needs the same one meanwhile waits for the same
//! exchange, and shares its outcome, a failure too: a thousand requests behind an issuer that hangs are one
//! exchange, and all of them fail when its time is over. Failures are not remembered. The exchange
//! belongs to all who wait: it goes on as long as one of them does.
//!
//! Which token is the same is said by a [`TokenKey`]: everything that an issuer's answer may depend on goes into it,
//! the caller's own token included, so a refreshed one counts at once, and nobody can get another's.
//!
//! Invariants: at most [`TokenCache::CAPACITY`] tokens, the one that was not used for the longest time goes first; a
//! token that is over soon is not kept; nothing waits under the lock.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::time::{Instant, timeout};

use crate::{AuthFailure, BoxFuture, Receipt};

mod credential;
mod key;
mod table;

pub use credential::{AwsKeys, Credential};
pub use key::{KeyParts, TokenKey};

use table::{Found, Table};

/// Tokens of all backends and callers. Clones share everything.
#[derive(Clone)]
pub struct TokenCache(Arc<Table>);

/// What an exchange gave.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The credential.
    pub credential: Credential,
    /// How long it holds from now; `None` if the issuer does not say.
    pub lifetime: Option<Duration>,
}

/// A credential for one request.
#[derive(Debug, Clone)]
pub struct HeldToken {
    /// The credential.
    pub credential: Credential,
    /// Which one it is, for a backend that rejects it.
    pub receipt: Receipt,
}

// === impl TokenCache ===

impl TokenCache {
    /// Tokens kept at most, unless said otherwise.
    pub const CAPACITY: usize = 16 * 1024;
    /// How long one exchange may take, with all its steps.
    pub const DEADLINE: Duration = Duration::from_secs(5);
    /// A token is not used when it is over within this time: the request still has to arrive, and clocks differ.
    pub const SKEW: Duration = Duration::from_secs(30);
    /// How long a token is used whose issuer does not say how long it holds.
    pub const UNSTATED: Duration = Duration::from_secs(5 * 60);

    /// A cache for at most `capacity` tokens, at least one.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Table::new(capacity.max(1))))
    }

    /// The token that is there under `key`, if it still holds for a while.
    pub fn held(&self, key: TokenKey) -> Option<HeldToken> {
        self.0.held(key, Instant::now())
    }

    /// The token under `key`: the one that is there or is being fetched, else what `fetch` gives, within
    /// [`DEADLINE`](Self::DEADLINE).
    ///
    /// # Cancel safety
    /// Safe: the exchange goes on for others who wait for it, and is given up with the last of them.
    pub async fn get<F>(
        &self,
        key: TokenKey,
        fetch: impl FnOnce() -> F,
    ) -> Result<HeldToken, AuthFailure>
    where
        F: Future<Output = Result<Fetched, AuthFailure>> + Send + 'static,
    {
        let found = self.0.find_or_start(key, Instant::now(), |number| {
            let flight = Flight { table: Arc::clone(&self.0), key, number };
            let fetching: BoxFuture<'static, _> = Box::pin(flight.fly(fetch()));
            fetching.shared()
        });
        match found {
            Found::Held(token) => Ok(token),
            Found::Flying(outcome) => outcome.await,
        }
    }

    /// Forgets the token that a request went with, and no newer one under the same key.
    pub fn evict(&self, receipt: &Receipt) {
        if let Some((key, number)) = receipt.used() {
            self.0.evict(key, number);
        }
    }

    /// How many tokens there are, those being fetched included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new(Self::CAPACITY)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.len()).finish()
    }
}

/// One exchange under way. Takes its place back when it is dropped, however it ends.
struct Flight {
    table: Arc<Table>,
    key: TokenKey,
    number: u64,
}

// === impl Flight ===

impl Flight {
    async fn fly(
        self,
        fetch: impl Future<Output = Result<Fetched, AuthFailure>>,
    ) -> Result<HeldToken, AuthFailure> {
        // Who waits for a strategy that panics gets an error, as for any other failure of it.
        let fetch = AssertUnwindSafe(fetch).catch_unwind();
        let unavailable = |why: String| Err(AuthFailure::Unavailable(why));
        let Fetched { credential, lifetime } = match timeout(TokenCache::DEADLINE, fetch).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_panic)) => return unavailable("the strategy broke down".to_owned()),
            Err(_) => {
                let after = TokenCache::DEADLINE.as_secs();
                return unavailable(format!("no token within {after} s"));
            }
        };
        let token = HeldToken { credential, receipt: Receipt::of(self.key, self.number) };
        let lifetime = lifetime.unwrap_or(TokenCache::UNSTATED + TokenCache::SKEW);
        // What is over soon serves those who wait now and nobody after them.
        if lifetime > TokenCache::SKEW {
            let now = Instant::now();
            self.table.land(&token, now, now.checked_add(lifetime - TokenCache::SKEW));
        }
        Ok(token)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.table.end(self.key, self.number);
    }
}

#[cfg(test)]
mod tests;
