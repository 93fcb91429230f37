//! Stage *identify*: who calls.
//!
//! It stands before the parser and before the session table, so that nobody unknown reaches either. The
//! endpoint is open for now: everybody is the same anonymous caller.

use std::sync::Arc;

use http::request::Parts;
use vmcp_auth::Identity;

use crate::respond::Rejection;

/// Establishes callers.
pub(crate) struct Doorman {
    anonymous: Arc<Identity>,
}

// === impl Doorman ===

impl Doorman {
    pub(crate) fn new() -> Self {
        Self { anonymous: Arc::new(Identity::anonymous()) }
    }

    /// The caller of one request; asked anew for each, since a session is no proof of identity.
    pub(crate) fn identify(&self, head: &Parts) -> Result<Arc<Identity>, Rejection> {
        // Two credentials on one request would let two readers see two callers.
        crate::guard::origin::single(&head.headers, http::header::AUTHORIZATION)?;
        Ok(Arc::clone(&self.anonymous))
    }
}
