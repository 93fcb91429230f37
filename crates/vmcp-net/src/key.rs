//! When two requests may share connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::Egress;

/// The transport identity of a peer.
///
/// Two requests may share a connection **iff** their keys are equal, that is, iff all of these are the same:
/// - `partition`: whose connections these are (vmcp: the backend). Connections carry no credentials, each
///   request does; the partition keeps one backend's slow streams from the connections of another, and keeps
///   credentials that a future transport may tie to a connection apart;
/// - `trust`: the certificates accepted besides the system's;
/// - `proxy`: the way out;
/// - `egress`: the addresses that may be dialled. A request that may only go to public addresses never finds a
///   connection to a private one that a more trusted request left open;
/// - `connect_timeout`: how long dialling may take.
///
/// Within one pool, connections are further told apart by scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// Whose connections these are.
    pub partition: Arc<str>,
    /// PEM certificates trusted besides the system's.
    pub trust: Option<Bytes>,
    /// The way out.
    pub proxy: ProxyMode,
    /// The addresses that may be dialled.
    pub egress: Egress,
    /// How long DNS, TCP, proxy and TLS together may take.
    pub connect_timeout: Duration,
}

/// Whether a proxy stands between vmcp and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProxyMode {
    /// Dial directly, whatever the environment says.
    #[default]
    Direct,
    /// As `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
}

// === impl PoolKey ===

impl PoolKey {
    /// How long dialling may take unless said otherwise.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// The key of a partition with the system's certificates and public addresses only, dialled directly: for URLs that
    /// were discovered. For a URL of the configuration, set `egress` with [`Egress::configured_for`].
    pub fn new(partition: impl Into<Arc<str>>) -> Self {
        Self {
            partition: partition.into(),
            trust: None,
            proxy: ProxyMode::Direct,
            egress: Egress::public(),
            connect_timeout: Self::CONNECT_TIMEOUT,
        }
    }
}
