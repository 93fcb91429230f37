//! Opens a connection of the kind a target asks for, and shakes hands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;

use super::stdio::Backoff;
use super::{Connection, Framing, HttpPeer, duplex, sse, stdio, streamable};
use crate::{BackendTarget, ClientHello, ConnectErrorKind, Endpoint, ServerHello, Sink};

/// Everything that a new connection of one session needs.
pub(crate) struct Dialler {
    pub(crate) target: Arc<BackendTarget>,
    pub(crate) hello: ClientHello,
    pub(crate) sink: Option<Sink>,
    /// For the transports on HTTP.
    pub(crate) peer: Option<Arc<HttpPeer>>,
    pub(crate) learnt: Arc<Learnt>,
    /// For processes.
    pub(crate) backoff: Arc<Backoff>,
}

/// What was found out about URLs without a type. One for all sessions.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    kinds: Mutex<HashMap<String, Kind>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Streamable,
    Sse,
}

type Opened = Result<(ServerHello, Connection), ConnectErrorKind>;

// === impl Dialler ===

impl Dialler {
    /// Opens a connection within the target's connect timeout. A process that crashed may have to wait first.
    /// Cancel-safe: what is half open is dropped.
    pub(crate) async fn open(&self, ids: &AtomicU64) -> Opened {
        self.backoff.wait().await;
        let deadline = self.target.timeouts.connect;
        let opening = self.open_now(ids);
        timeout(deadline, opening).await.unwrap_or(Err(ConnectErrorKind::Timeout(deadline)))
    }

    async fn open_now(&self, ids: &AtomicU64) -> Opened {
        match &self.target.endpoint {
            Endpoint::Http { .. } => self.open_either(ids).await,
            Endpoint::StreamableHttp { .. } => self.open_streamable(ids).await,
            Endpoint::Sse { .. } => self.open_sse(ids).await,
            Endpoint::Stdio(command) => {
                let sink = self.sink.clone();
                let opened = stdio::open(&self.target, command, &self.backoff, sink);
                let (pipe, owner) = opened.inspect_err(|_| self.backoff.ended(Duration::ZERO))?;
                let server = pipe.open(&self.hello, next(ids)).await;
                if server.is_err() && !pipe.is_closed() {
                    // It runs, but it is of no use: as bad as a crash, which would have been noted.
                    self.backoff.ended(Duration::ZERO);
                }
                Ok((server?, Connection::Pipe(pipe, owner)))
            }
            Endpoint::InProcess(server) => {
                let (pipe, owner) = duplex::open(&self.target, server, self.sink.clone());
                let server = pipe.open(&self.hello, next(ids)).await?;
                Ok((server, Connection::Pipe(pipe, owner)))
            }
        }
    }

    /// Streamable HTTP, or SSE if the backend does not know it. What worked is remembered.
    async fn open_either(&self, ids: &AtomicU64) -> Opened {
        let url = self.peer()?.url.to_string();
        let known = self.learnt.kinds.lock().get(&url).copied();
        if known == Some(Kind::Sse) {
            let opened = self.open_sse(ids).await;
            if let Err(ConnectErrorKind::Status { .. }) = &opened {
                // It may have been replaced by something newer: next time both are tried again.
                self.learnt.kinds.lock().remove(&url);
            }
            return opened;
        }
        let opened = self.open_streamable(ids).await;
        let kind = match &opened {
            Ok(_) => Kind::Streamable,
            Err(ConnectErrorKind::Status { status, .. })
                if known.is_none() && suggests_sse(*status) =>
            {
                Kind::Sse
            }
            Err(_) => return opened,
        };
        let opened = match kind {
            Kind::Streamable => opened,
            Kind::Sse => match self.open_sse(ids).await {
                // Neither: the first refusal says more.
                Err(_) => return opened,
                other => other,
            },
        };
        self.learnt.kinds.lock().insert(url, kind);
        opened
    }

    async fn open_streamable(&self, ids: &AtomicU64) -> Opened {
        let framing = Framing::from(&self.target.limits);
        let peer = self.peer()?;
        let (server, exchange) = streamable::open(peer, framing, &self.hello, next(ids)).await?;
        Ok((server, Connection::Http(exchange)))
    }

    async fn open_sse(&self, ids: &AtomicU64) -> Opened {
        let (pipe, owner) = sse::open(&self.target, self.peer()?, self.sink.clone()).await?;
        let server = pipe.open(&self.hello, next(ids)).await?;
        Ok((server, Connection::Pipe(pipe, owner)))
    }

    fn peer(&self) -> Result<&Arc<HttpPeer>, ConnectErrorKind> {
        self.peer.as_ref().ok_or_else(|| ConnectErrorKind::Config("no URL".to_owned()))
    }

    /// The longest that [`open`](Self::open) takes apart from waiting for a crashed process.
    pub(crate) fn deadline(&self) -> Duration {
        self.target.timeouts.connect
    }
}

fn next(ids: &AtomicU64) -> u64 {
    ids.fetch_add(1, Ordering::Relaxed)
}

/// Whether a refusal of the first POST may mean that the backend only knows the older transport. Missing
/// credentials and overload mean something else.
fn suggests_sse(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 403 | 407 | 408 | 429)
}
