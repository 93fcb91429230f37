//! Opens a connection of the kind a target asks for, and shakes hands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;
use vmcp_auth::Caller;
use vmcp_config::BackendId;

use super::stdio::{Backoff, Starter};
use super::{Connection, Framing, HttpPeer, duplex, sse, stdio, streamable};
use crate::connector::Shared;
use crate::{
    BackendTarget, ClientHello, ConnectErrorKind, Endpoint, ServerHello, Sink, StdioCommand,
};

/// Everything that a new connection of one session needs.
pub(crate) struct Dialler {
    pub(crate) target: Arc<BackendTarget>,
    pub(crate) hello: ClientHello,
    pub(crate) sink: Option<Sink>,
    shared: Arc<Shared>,
    /// For processes: how those of this session ended.
    backoff: Option<Arc<Backoff>>,
}

/// What one attempt to open a connection needs besides.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Where ids of requests come from.
    pub(crate) ids: &'a AtomicU64,
    /// On whose behalf.
    pub(crate) caller: &'a Caller,
    /// An earlier session to go on with.
    pub(crate) hint: Option<&'a str>,
}

/// What was found out about URLs without a type. One for all sessions.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    kinds: Mutex<HashMap<String, Kind>>,
    /// How starts of processes went, whoever wanted them.
    starts: Mutex<HashMap<BackendId, Arc<Backoff>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Streamable,
    Sse,
}

type Opened = Result<(ServerHello, Connection), ConnectErrorKind>;

// === impl Learnt ===

impl Learnt {
    fn starts(&self, target: &BackendTarget) -> Arc<Backoff> {
        let new = || Arc::new(Backoff::new(&target.limits));
        self.starts.lock().entry(target.id.clone()).or_insert_with(new).clone()
    }
}

// === impl Dialler ===

impl Dialler {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        target: &Arc<BackendTarget>,
        hello: ClientHello,
        sink: Option<Sink>,
    ) -> Self {
        let new = || Arc::new(Backoff::new(&target.limits));
        let backoff = matches!(target.endpoint, Endpoint::Stdio(_)).then(new);
        Self { target: Arc::clone(target), hello, sink, shared: Arc::clone(shared), backoff }
    }

    /// Opens a connection within the target's connect timeout. A process that crashed may have to wait first; if it
    /// would have to for long, this fails at once. Cancel-safe: what is half open is dropped.
    pub(crate) async fn open(&self, attempt: Attempt<'_>) -> Opened {
        if let Endpoint::Stdio(command) = &self.target.endpoint {
            return self.open_process(command, attempt).await;
        }
        self.in_time(self.open_now(attempt)).await
    }

    async fn in_time(&self, opening: impl Future<Output = Opened>) -> Opened {
        let deadline = self.target.timeouts.connect;
        timeout(deadline, opening).await.unwrap_or(Err(ConnectErrorKind::Timeout(deadline)))
    }

    /// Starts a process. How that goes concerns everybody who wants one of this backend: clients that come and go
    /// must not start what crashes at once as often as they come.
    async fn open_process(&self, command: &StdioCommand, attempt: Attempt<'_>) -> Opened {
        let starts = self.shared.learnt.starts(&self.target);
        let _turn = starts.turn().await;
        for backoff in self.backoff.iter().chain([&starts]) {
            backoff.wait().await.map_err(|left| {
                let left = left.as_secs().max(1);
                let text = format!("the process keeps failing; the next start is due in {left} s");
                ConnectErrorKind::Unreachable(text)
            })?;
        }
        let opened = self.in_time(self.start_process(command, attempt)).await;
        match &opened {
            Ok(_) => starts.worked(),
            Err(_) => starts.ended(Duration::ZERO),
        }
        opened
    }

    async fn start_process(&self, command: &StdioCommand, attempt: Attempt<'_>) -> Opened {
        let new = || Arc::new(Backoff::new(&self.target.limits));
        let own = self.backoff.clone().unwrap_or_else(new);
        let guard = self.shared.setup.guard.as_ref();
        let starter = Starter { command, guard, backoff: &own };
        let (pipe, owner) = stdio::open(&self.target, &starter, self.sink.clone())?;
        let server = pipe.open(&self.hello, attempt.next_id()).await?;
        Ok((server, Connection::Pipe(pipe, owner)))
    }

    async fn open_now(&self, attempt: Attempt<'_>) -> Opened {
        match &self.target.endpoint {
            Endpoint::Http { .. } => self.open_either(attempt).await,
            Endpoint::StreamableHttp { .. } => self.open_streamable(attempt).await,
            Endpoint::Sse { .. } => self.open_sse(attempt).await,
            Endpoint::Stdio(command) => self.start_process(command, attempt).await,
            Endpoint::InProcess(server) => {
                let (pipe, owner) = duplex::open(&self.target, server, self.sink.clone())?;
                let server = pipe.open(&self.hello, attempt.next_id()).await?;
                Ok((server, Connection::Pipe(pipe, owner)))
            }
        }
    }

    /// Streamable HTTP, or SSE if the backend does not know it. What worked is remembered.
    async fn open_either(&self, attempt: Attempt<'_>) -> Opened {
        let url = self.peer()?.url.to_string();
        let known = self.shared.learnt.kinds.lock().get(&url).copied();
        if known == Some(Kind::Sse) {
            let opened = self.open_sse(attempt).await;
            if let Err(ConnectErrorKind::Status { .. }) = &opened {
                // It may have been replaced by something newer: next time both are tried again.
                self.shared.learnt.kinds.lock().remove(&url);
            }
            return opened;
        }
        let opened = self.open_streamable(attempt).await;
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
            Kind::Sse => match self.open_sse(attempt).await {
                // Neither: the first refusal says more.
                Err(_) => return opened,
                other => other,
            },
        };
        self.shared.learnt.kinds.lock().insert(url, kind);
        opened
    }

    async fn open_streamable(&self, attempt: Attempt<'_>) -> Opened {
        let framing = Framing::from(&self.target.limits);
        let peer = self.peer()?;
        let (server, exchange) = streamable::open(&peer, framing, &self.hello, attempt).await?;
        Ok((server, Connection::Http(exchange)))
    }

    async fn open_sse(&self, attempt: Attempt<'_>) -> Opened {
        let peer = self.peer()?;
        let caller = attempt.caller;
        let (pipe, owner) = sse::open(&self.target, &peer, caller, self.sink.clone()).await?;
        let server = pipe.open(&self.hello, attempt.next_id()).await?;
        Ok((server, Connection::Pipe(pipe, owner)))
    }

    /// What is shared with the target's other sessions, made anew if its certificates have changed.
    fn peer(&self) -> Result<Arc<HttpPeer>, ConnectErrorKind> {
        let peer = self.shared.prepare(&self.target)?.peer;
        peer.ok_or_else(|| ConnectErrorKind::Config("no URL".to_owned()))
    }

    /// The longest that [`open`](Self::open) takes apart from waiting for a crashed process.
    pub(crate) fn deadline(&self) -> Duration {
        self.target.timeouts.connect
    }
}

// === impl Attempt ===

impl Attempt<'_> {
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// Whether a refusal of the first POST may mean that the backend only knows the older transport. Missing
/// credentials and overload mean something else.
fn suggests_sse(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 403 | 407 | 408 | 429)
}
