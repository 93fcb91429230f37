//! From a target to a session.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::Uri;
use vmcp_auth::{AuthTarget, Identity, OutgoingAuthRegistry};
use vmcp_config::SafeUrl;
use vmcp_net::{Client, Egress, PoolKey, ProxyMode};

use crate::transport::{Backoff, Dialler, Guard, HttpPeer, Learnt, fixed_headers};
use crate::{
    BackendTarget, CaBundle, ClientHello, ConnectError, ConnectErrorKind, Endpoint, Session, Sink,
};

/// Opens sessions. One per process: it holds the connection pools and what was learnt about targets.
#[derive(Debug)]
pub struct Connector {
    client: Client,
    strategies: OutgoingAuthRegistry,
    proxy: ProxyMode,
    learnt: Arc<Learnt>,
    guard: Option<Arc<Guard>>,
}

// === impl Connector ===

impl Connector {
    /// A connector that dials with `client` and authenticates with `strategies`.
    pub fn new(client: Client, strategies: OutgoingAuthRegistry) -> Self {
        Self { client, strategies, proxy: ProxyMode::Direct, learnt: Arc::default(), guard: None }
    }

    /// The same, going out as `proxy` says.
    #[must_use]
    pub fn with_proxy(mut self, proxy: ProxyMode) -> Self {
        self.proxy = proxy;
        self
    }

    /// The same, starting processes through a program that calls [`guard`](crate::guard): nothing that it starts
    /// outlives this process, even if this process is killed. `args` come before the command and its arguments.
    ///
    /// Without one, a session that is closed or dropped ends its process and the process group; but if nobody gets
    /// to drop it (SIGKILL, an abort, a crash), the process only sees the end of its input, and may live on.
    #[must_use]
    pub fn with_guard(
        mut self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        self.guard = Some(Arc::new(Guard { program: program.into(), args }));
        self
    }

    /// Opens a session and shakes hands, within the target's connect timeout.
    ///
    /// What can be known to be wrong is found before anything is dialled: the strategy, its settings, headers,
    /// certificates, the URL. Without a `sink` nobody listens to what the backend says outside calls.
    ///
    /// # Cancel safety
    /// Safe: a dropped future leaves nothing behind but perhaps a session at the backend that nobody uses.
    pub async fn connect(
        &self,
        target: &Arc<BackendTarget>,
        identity: Option<Arc<Identity>>,
        hello: ClientHello,
        sink: Option<Sink>,
    ) -> Result<Session, ConnectError> {
        let opening = async {
            let peer = self.peer(target, identity)?;
            Session::open(Dialler {
                target: Arc::clone(target),
                hello,
                sink,
                peer,
                learnt: Arc::clone(&self.learnt),
                backoff: Arc::new(Backoff::default()),
                guard: self.guard.clone(),
            })
            .await
        };
        opening.await.map_err(|kind| ConnectError { backend: target.id.clone(), kind })
    }

    /// Everything that an HTTP request to the target needs; `None` for targets without HTTP.
    fn peer(
        &self,
        target: &BackendTarget,
        identity: Option<Arc<Identity>>,
    ) -> Result<Option<Arc<HttpPeer>>, ConnectErrorKind> {
        let credentials = self
            .strategies
            .resolve(&AuthTarget::new(target.id.as_str()), &target.auth)
            .map_err(|error| ConnectErrorKind::Config(error.to_string()))?;
        let fixed = fixed_headers(&target.headers).map_err(ConnectErrorKind::Config)?;
        let url = match &target.endpoint {
            Endpoint::Http { url } | Endpoint::StreamableHttp { url } | Endpoint::Sse { url } => {
                dialled(url)?
            }
            Endpoint::Stdio(_) | Endpoint::InProcess(_) => return Ok(None),
        };
        let key = PoolKey {
            trust: target.ca_bundle.as_ref().map(trust).transpose()?,
            proxy: self.proxy,
            egress: Egress::configured_for(url.host().unwrap_or_default(), None, &[]),
            connect_timeout: target.timeouts.connect,
            ..PoolKey::new(target.id.as_str())
        };
        let pool =
            self.client.pool(&key).map_err(|error| ConnectErrorKind::Config(error.to_string()))?;
        let backend = target.id.clone();
        Ok(Some(Arc::new(HttpPeer { backend, url, pool, fixed, credentials, identity })))
    }
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

fn trust(bundle: &CaBundle) -> Result<Bytes, ConnectErrorKind> {
    match bundle {
        CaBundle::Pem(pem) => Ok(pem.clone()),
        // Small and local, and read once per session.
        CaBundle::Path(path) => std::fs::read(path).map(Bytes::from).map_err(|error| {
            let path = path.display();
            ConnectErrorKind::Config(format!("failed to read CA bundle from {path}: {error}"))
        }),
    }
}
