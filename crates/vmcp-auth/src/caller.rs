//! Who a call is made for, as it travels with the call.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use crate::Identity;

/// Who a call is made for, and which headers of its request travel on. Cheap to clone.
///
/// [`Default`] is nobody: probes and listings that vmcp makes for itself. `Debug` shows the names of headers only.
#[derive(Clone, Default)]
pub struct Caller {
    /// The principal; `None` for what vmcp does by itself.
    pub identity: Option<Arc<Identity>>,
    /// The headers of the client's request that the configuration lets through, and no others.
    pub headers: Option<Arc<HeaderMap>>,
}

// === impl Caller ===

impl Caller {
    /// `identity`, and no headers.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self { identity: Some(identity), headers: None }
    }

    /// The same with headers to pass on.
    #[must_use]
    pub fn with_headers(mut self, headers: Arc<HeaderMap>) -> Self {
        self.headers = Some(headers);
        self
    }
}

impl From<Identity> for Caller {
    fn from(identity: Identity) -> Self {
        Self::new(Arc::new(identity))
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().flat_map(|headers| headers.keys()).collect();
        f.debug_struct("Caller").field("identity", &self.identity).field("headers", &names).finish()
    }
}
