//! Opens a connection of the kind a target asks for, and shakes hands.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;
use vmcp_auth::Caller;
use vmcp_config::BackendId;
use vmcp_wire::revision::Protocol;

use super::door::{Door, Met, PipeDoor, Unopened};
use super::known::{Known, Patience, Way};
use super::living::Living;
use super::stdio::{Backoff, Starter};
use super::{Connection, Framing, HttpPeer, duplex, sse, stdio};
use crate::connector::Shared;
use crate::{
    BackendTarget, ClientHello, ConnectErrorKind, Endpoint, ServerHello, Sink, StdioCommand,
};

/// Everything that a new connection of one session needs.
pub(crate) struct Dialler {
    pub(crate) target: Arc<BackendTarget>,
    pub(crate) hello: ClientHello,
    pub(crate) sink: Option<Sink>,
    /// The same, for what is said outside calls.
    pub(crate) outside: Option<Sink>,
    /// Tasks whose progress is told.
    pub(crate) living: Arc<Living>,
    pub(crate) known: Arc<Known>,
    /// Only in the client's own family of revisions.
    strict: bool,
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

/// A target, held so that its address is not used again, and what is known of it.
type KnownTarget = (Weak<BackendTarget>, Arc<Known>);

/// What was found out about URLs without a type. One for all sessions.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    kinds: Mutex<HashMap<String, Kind>>,
    /// What is known of each target, by the address of its `Arc`.
    targets: Mutex<HashMap<usize, KnownTarget>>,
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

    pub(crate) fn target(&self, target: &Arc<BackendTarget>) -> Arc<Known> {
        let mut targets = self.targets.lock();
        if targets.len() == targets.capacity() {
            targets.retain(|_, (target, _)| target.strong_count() > 0);
        }
        // The weak reference keeps the address from being used again.
        let key = Arc::as_ptr(target).addr();
        targets.entry(key).or_insert_with(|| (Arc::downgrade(target), Arc::default())).1.clone()
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
        let known = shared.learnt.target(target);
        let (target, shared) = (Arc::clone(target), Arc::clone(shared));
        let living = Living::new(&target.limits);
        let outside = sink.as_ref().map(|sink| living.before(sink));
        Self { target, hello, sink, outside, living, known, strict: false, shared, backoff }
    }

    /// The same, in the client's own family of revisions and in no other.
    pub(crate) fn strictly(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Whether it can be that the backend is met in the client's own family of revisions.
    pub(crate) fn may_meet_strictly(&self) -> bool {
        let stateless = self.hello.revision.stateless();
        let has_transport = match &self.target.endpoint {
            Endpoint::Sse { .. } => !stateless,
            Endpoint::Http { .. } => !stateless || self.kind() != Some(Kind::Sse),
            Endpoint::StreamableHttp { .. } | Endpoint::Stdio(_) | Endpoint::InProcess(_) => true,
        };
        has_transport && self.known.strict_plan(self.target.protocol, stateless).is_some()
    }

    /// Which transport a URL without a type turned out to have.
    fn kind(&self) -> Option<Kind> {
        let url = self.peer().ok()?.url.to_string();
        self.shared.learnt.kinds.lock().get(&url).copied()
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
        let start = || {
            let _entered = self.shared.setup.pipes.enter();
            stdio::open(&self.target, &starter, self.outside.clone())
        };
        self.meet(Door::Pipe(PipeDoor::new(&start)), attempt).await
    }

    async fn open_now(&self, attempt: Attempt<'_>) -> Opened {
        match &self.target.endpoint {
            Endpoint::Http { .. } => self.open_either(attempt).await,
            Endpoint::StreamableHttp { .. } => self.open_streamable(attempt).await,
            Endpoint::Sse { .. } => self.open_sse(attempt).await,
            Endpoint::Stdio(command) => self.start_process(command, attempt).await,
            Endpoint::InProcess(server) => {
                let start = || duplex::open(&self.target, server, self.outside.clone());
                self.meet(Door::Pipe(PipeDoor::new(&start)), attempt).await
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
                if known.is_none() && !self.strict && suggests_sse(*status) =>
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
        self.meet(Door::Http(self.peer()?, framing), attempt).await
    }

    /// Tries the ways that there are to meet the backend, the likely one first.
    async fn meet(&self, mut door: Door<'_>, attempt: Attempt<'_>) -> Opened {
        let (known, protocol) = (&self.known, self.target.protocol);
        let stateless = self.hello.revision.stateless();
        let planned = || match self.strict {
            true => known.strict_plan(protocol, stateless),
            false => Some(known.plan(protocol, stateless)),
        };
        let none = || ConnectErrorKind::Config("no protocol is left".to_owned());
        let mut plan = planned().ok_or_else(none)?;
        // Whoever comes first finds out for all who wait; each is bounded by its own deadline.
        let turn = match plan.open {
            true => Some(known.turn.lock().await),
            false => None,
        };
        if turn.is_some() {
            plan = planned().ok_or_else(none)?;
        }
        let starts = matches!(self.target.endpoint, Endpoint::Stdio(_));
        let patience = known.patience(&plan, self.target.limits.probe, starts);
        let ways = std::iter::once(plan.first).chain(plan.second);
        let mut failure = None;
        for way in ways {
            let refused = match self.approach(&mut door, way, attempt, patience).await {
                Met::Open(server, connection) => {
                    known.note(way, true);
                    if let (Way::Stateless, Some(_)) = (way, &failure) {
                        known.note(Way::Handshake, false);
                    }
                    return Ok((server, connection));
                }
                Met::Late(server, connection) => {
                    known.note(Way::Stateless, true);
                    return Ok((server, connection));
                }
                Met::Refused(kind) => {
                    if way == Way::Stateless {
                        known.note(way, false);
                    }
                    kind
                }
                Met::Silent(kind) => {
                    known.note_silence();
                    kind
                }
                Met::Unclear(kind) => kind,
                // The refusal before says more than a failure after it.
                Met::Failed(kind) => return Err(failure.unwrap_or(kind)),
            };
            // Most backends shake hands, so how that was refused says most.
            if failure.is_none() || way == Way::Handshake {
                failure = Some(refused);
            }
        }
        Err(failure.unwrap_or_else(none))
    }

    async fn approach(
        &self,
        door: &mut Door<'_>,
        way: Way,
        attempt: Attempt<'_>,
        patience: Patience,
    ) -> Met {
        let met = match way {
            Way::Stateless => door.discover(&self.hello, attempt, patience).await,
            Way::Handshake => match self.target.protocol {
                Protocol::Exactly(revision) => {
                    let hello = ClientHello { revision, ..self.hello.clone() };
                    door.shake_hands(&hello, attempt).await
                }
                _ => door.shake_hands(&self.hello, attempt).await,
            },
        };
        match met {
            Met::Open(server, _) | Met::Late(server, _)
                if !self.target.protocol.allows(server.revision) =>
            {
                let (is, wanted) = (server.revision.as_str(), self.target.protocol.as_str());
                let text = format!("the backend agrees on {is} only; configured is {wanted}");
                Met::Failed(ConnectErrorKind::Handshake(text))
            }
            met => met,
        }
    }

    async fn open_sse(&self, attempt: Attempt<'_>) -> Opened {
        let peer = self.peer()?;
        let caller = attempt.caller;
        let (pipe, owner) = sse::open(&self.target, &peer, caller, self.outside.clone()).await?;
        let server =
            pipe.open(&self.hello, attempt.next_id()).await.map_err(Unopened::into_kind)?;
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
