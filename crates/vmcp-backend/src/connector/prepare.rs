//! What all sessions with one target share, made once.
//!
//! Credentials are bound, headers checked, the URL parsed, certificates read and the pool found when a target is first
//! used; later sessions, and those that are opened again, find all of it. A target is known by its `Arc`: entries of
//! targets that are gone are removed when new ones come. A CA bundle in a file is compared with what was read by what
//! the file system says of it, at each opening of a connection, so that a rotated one counts at once.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::Uri;
use parking_lot::Mutex;
use vmcp_auth::{AuthTarget, Credentials, OutgoingAuthRegistry};
use vmcp_config::SafeUrl;
use vmcp_net::{Client, Egress, PoolKey, ProxyMode};

use crate::tasks::PipeRuntimes;
use crate::transport::{Guard, HttpPeer, Learnt, fixed_headers};
use crate::{BackendTarget, CaBundle, ConnectErrorKind, Endpoint};

/// How a connector was set up.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) strategies: Arc<OutgoingAuthRegistry>,
    pub(crate) proxy: ProxyMode,
    pub(crate) guard: Option<Arc<Guard>>,
    pub(crate) pipes: PipeRuntimes,
}

/// What all sessions of a connector share.
pub(crate) struct Shared {
    pub(crate) setup: Setup,
    pub(crate) learnt: Learnt,
    /// By the address of the target's `Arc`. Held to look one up or to put one in.
    prepared: Mutex<HashMap<usize, Entry>>,
}

struct Entry {
    /// Keeps the address from being used again, so that an equal address is the same target.
    target: Weak<BackendTarget>,
    bundle: Option<Stamp>,
    prepared: Prepared,
}

/// What all sessions with one target share.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) credentials: Credentials,
    /// `None` for targets without HTTP.
    pub(crate) peer: Option<Arc<HttpPeer>>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, learnt: Learnt::default(), prepared: Mutex::default() }
    }

    /// What requests to `target` need. Dials nothing.
    pub(crate) fn prepare(
        &self,
        target: &Arc<BackendTarget>,
    ) -> Result<Prepared, ConnectErrorKind> {
        let key = Arc::as_ptr(target).addr();
        let bundle = match &target.ca_bundle {
            // The file is small and local; asking for its state is a matter of microseconds.
            Some(CaBundle::Path(path)) => Some(Stamp::of(path)?),
            Some(CaBundle::Pem(_)) | None => None,
        };
        if let Some(entry) = self.prepared.lock().get(&key)
            && entry.bundle == bundle
        {
            return Ok(entry.prepared.clone());
        }
        let made = self.make(target)?;
        let mut all = self.prepared.lock();
        if all.len() == all.capacity() {
            all.retain(|_, entry| entry.target.strong_count() > 0);
        }
        match all.get(&key) {
            // Somebody else made it meanwhile; theirs wins, so that all share one.
            Some(entry) if entry.bundle == bundle => Ok(entry.prepared.clone()),
            _ => {
                let target = Arc::downgrade(target);
                all.insert(key, Entry { target, bundle, prepared: made.clone() });
                Ok(made)
            }
        }
    }

    fn make(&self, target: &BackendTarget) -> Result<Prepared, ConnectErrorKind> {
        let fixed = fixed_headers(&target.headers).map_err(ConnectErrorKind::Config)?;
        let url = match &target.endpoint {
            Endpoint::Http { url } | Endpoint::StreamableHttp { url } | Endpoint::Sse { url } => {
                Some((url, dialled(url)?))
            }
            Endpoint::Stdio(_) | Endpoint::InProcess(_) => None,
        };
        let trust = target.ca_bundle.as_ref().map(trust).transpose()?;
        let authenticated = AuthTarget {
            url: url.as_ref().map(|(url, _)| (*url).clone()),
            network: target.network.clone(),
            trust: trust.clone(),
            proxy: self.setup.proxy,
            ..AuthTarget::new(target.id.as_str())
        };
        let credentials = self
            .setup
            .strategies
            .resolve(&authenticated, &target.auth)
            .map_err(|error| ConnectErrorKind::Config(error.to_string()))?;
        let Some((_, url)) = url else { return Ok(Prepared { credentials, peer: None }) };
        let network = &target.network;
        let host = url.host().unwrap_or_default();
        let key = PoolKey {
            trust,
            proxy: self.setup.proxy,
            egress: Egress::configured_for(host, network.private, &network.allow),
            connect_timeout: target.timeouts.connect,
            ..PoolKey::new(target.id.as_str())
        };
        let pool = self.setup.client.pool(&key);
        let pool = pool.map_err(|error| ConnectErrorKind::Config(error.to_string()))?;
        let peer = HttpPeer::new(target.id.clone(), url, pool, fixed, credentials.clone());
        Ok(Prepared { credentials, peer: Some(Arc::new(peer)) })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("setup", &self.setup).finish_non_exhaustive()
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(path: &Path) -> Result<Self, ConnectErrorKind> {
        let is = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        Ok(Self {
            file: (is.dev(), is.ino()),
            size: is.size(),
            modified: (is.mtime(), is.mtime_nsec()),
            changed: (is.ctime(), is.ctime_nsec()),
        })
    }
}

fn trust(bundle: &CaBundle) -> Result<Bytes, ConnectErrorKind> {
    match bundle {
        CaBundle::Pem(pem) => Ok(pem.clone()),
        CaBundle::Path(path) => {
            std::fs::read(path).map(Bytes::from).map_err(|error| unreadable(path, &error))
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConnectErrorKind {
    let path = path.display();
    ConnectErrorKind::Config(format!("failed to read CA bundle from {path}: {error}"))
}

/// The URL as it is dialled.
fn dialled(url: &SafeUrl) -> Result<Uri, ConnectErrorKind> {
    let shown = url.to_string();
    let url = url.as_url();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        let text = format!("\"{shown}\" is not a URL that vmcp can dial (supported: http, https)");
        return Err(ConnectErrorKind::Config(text));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let text =
            format!("\"{shown}\" has a user or password in it; use header_injection instead");
        return Err(ConnectErrorKind::Config(text));
    }
    let mut url = url.clone();
    url.set_fragment(None);
    url.as_str()
        .parse()
        .map_err(|_| ConnectErrorKind::Config(format!("\"{shown}\" cannot be dialled")))
}
