//! What strategies share, and what they know of the backend they are bound to.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_config::{Network, SafeUrl};
use vmcp_net::{Client, Egress, PoolKey, ProxyMode};

use crate::{CredentialStore, Interaction, MemoryStore, TokenCache};

/// What all strategies of a process share. [`Default`] has parts of its own and remembers nothing after a restart.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// The way to token endpoints.
    pub http: Client,
    /// Tokens that were got.
    pub tokens: TokenCache,
    /// Credentials that outlive the process.
    pub store: Arc<dyn CredentialStore>,
    /// The way to a user who can log in when a backend wants it. Without one, nobody is sent anywhere.
    pub interaction: Option<Interaction>,
}

/// The backend that a strategy is bound to.
#[derive(Debug, Clone)]
pub struct AuthTarget {
    /// Its name.
    pub backend: Arc<str>,
    /// Its URL; `None` for backends without HTTP.
    pub url: Option<SafeUrl>,
    /// Which addresses may be dialled for it: holds for its token endpoints too.
    pub network: Network,
    /// PEM certificates trusted besides the system's.
    pub trust: Option<Bytes>,
    /// How vmcp goes out.
    pub proxy: ProxyMode,
}

// === impl AuthContext ===

impl Default for AuthContext {
    fn default() -> Self {
        Self {
            http: Client::new(),
            tokens: TokenCache::default(),
            store: Arc::new(MemoryStore::default()),
            interaction: None,
        }
    }
}

// === impl AuthTarget ===

impl AuthTarget {
    /// A backend of which only the name is known.
    pub fn new(backend: impl Into<Arc<str>>) -> Self {
        Self {
            backend: backend.into(),
            url: None,
            network: Network::default(),
            trust: None,
            proxy: ProxyMode::Direct,
        }
    }

    /// Which connections serve a URL that stands in the backend's configuration, such as its token endpoint's: the
    /// backend's own certificates, proxy and network, in a partition apart from its sessions.
    pub fn configured(&self, url: &SafeUrl) -> PoolKey {
        let host = url.as_url().host_str().unwrap_or_default();
        let network = &self.network;
        PoolKey {
            egress: Egress::configured_for(host, network.private, &network.allow),
            ..self.discovered()
        }
    }

    /// Which connections serve a URL that somebody else chose: the same, but public addresses only.
    pub fn discovered(&self) -> PoolKey {
        PoolKey {
            trust: self.trust.clone(),
            proxy: self.proxy,
            ..PoolKey::new(format!("{} auth", self.backend))
        }
    }
}

impl From<&str> for AuthTarget {
    fn from(backend: &str) -> Self {
        Self::new(backend)
    }
}
