//! All pools of the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use parking_lot::Mutex;

use crate::connect::Lookup;
use crate::tls::{SystemRoots, Trust};
use crate::{NetError, Pool, PoolKey, ProxyMode};

/// The only outbound HTTP client of a process. Clones share their pools.
#[derive(Clone, Default)]
pub struct Client(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The pools there are. Short sections only; nothing is dialled under the lock.
    pools: Mutex<HashMap<PoolKey, Pool>>,
    system_roots: SystemRoots,
}

// === impl Client ===

impl Client {
    /// Pools kept at most; making one more forgets pools that nobody holds.
    const MAX_IDLE_POOLS: usize = 256;

    /// A client without any connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// The pool for `key`, shared with everybody who asks under an equal key. Dials nothing.
    pub fn pool(&self, key: &PoolKey) -> Result<Pool, NetError> {
        if let Some(pool) = self.0.pools.lock().get(key) {
            return Ok(pool.clone());
        }
        let trust = Trust::new(self.0.system_roots.clone(), key.trust.clone())?;
        let proxies = match key.proxy {
            ProxyMode::Direct => None,
            ProxyMode::Environment => Some(Matcher::from_env()),
        };
        let dialled = (Lookup::system(), key.egress.clone());
        let made = Pool::new(trust, proxies, dialled, key.connect_timeout);
        let mut pools = self.0.pools.lock();
        if pools.len() >= Self::MAX_IDLE_POOLS {
            pools.retain(|_, pool| pool.is_held());
        }
        // Somebody else may have made it meanwhile; theirs wins, so that all share one.
        Ok(pools.entry(key.clone()).or_insert(made).clone())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("pools", &self.0.pools.lock().len()).finish()
    }
}
