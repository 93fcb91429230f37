//! The whole: start, open a session, status, close.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};
use vmcp_auth::{Caller, CredentialScope};
use vmcp_backend::{BackendTarget, ClientHello, Connector};
use vmcp_config::Config;
use vmcp_wire::quote;
use vmcp_wire::revision::Family;

use crate::catalogue::{Catalogue, Slot, refresher};
use crate::core::Core;
use crate::index::{self, Index, Keeper};
use crate::metrics::Metrics;
use crate::policy::Rules;
use crate::route::{Ledger, TaskIds};
use crate::session::{ClientSink, Messages, MultiSession, Registry, announce};
use crate::status::Status;
use crate::tasks::{self, Spawner, Tasks};

/// How long background tasks may take to end when they are asked to; they end at their next await. No setting:
/// `timeouts.drain` is the time that a stop takes.
const STOP: Duration = Duration::from_millis(100);

/// Many backends as one MCP server.
pub struct Gateway {
    core: Arc<Core>,
    /// One for each backend; they end before sessions are closed, so that they open no new ones.
    refreshers: Arc<Tasks>,
    /// Everything else; both end when the gateway is dropped.
    tasks: Arc<Tasks>,
    /// Until then a new session waits for backends of which nothing is known.
    patience: Instant,
}

// === impl Gateway ===

impl Gateway {
    /// Starts one refresher per backend and returns at once. The order of `targets` is the config order that names
    /// depend on.
    ///
    /// Needs a running Tokio runtime.
    pub fn start(
        config: Arc<Config>,
        targets: Vec<Arc<BackendTarget>>,
        connector: Arc<Connector>,
    ) -> Arc<Self> {
        Self::resume(config, targets, connector, None)
    }

    /// The same, with what an earlier gateway kept in this index: that is advertised until the backends say otherwise, and
    /// what they say is kept there. Blocks while the files are read.
    pub fn resume(
        config: Arc<Config>,
        targets: Vec<Arc<BackendTarget>>,
        connector: Arc<Connector>,
        index: Option<Index>,
    ) -> Arc<Self> {
        let metrics = Metrics::new();
        let (rules, targets) = match Rules::new(&config) {
            Ok(rules) => (rules, targets),
            Err(error) => {
                // Whoever reads a configuration looks before; nobody gets anything past policies that say nothing.
                tracing::error!(%error, "the policies cannot be followed: nothing is offered");
                (None, Vec::new())
            }
        };
        let slot = |(at, target): (usize, Arc<BackendTarget>)| {
            let bound = metrics.bind(&target.id);
            // What is wrong with it is found again, and told, when it is connected.
            let credentials = connector.scope(&target).unwrap_or(CredentialScope::Shared);
            let slot = Slot::new(at, target, &config, credentials, bound);
            Arc::new(match &index {
                Some(index) => slot.with_kept(index),
                None => slot,
            })
        };
        let slots: Vec<Arc<Slot>> = targets.into_iter().enumerate().map(slot).collect();
        let tasks = Tasks::new();
        let core = Arc::new(Core {
            catalogue: Catalogue::new(&config.aggregation, slots, index.map(Keeper::new)),
            server_info: server_info(&config.name),
            task_ids: TaskIds::new(&config),
            ledger: Arc::new(Ledger::new(&config.tasks)),
            config,
            connector,
            rules,
            messages: Messages::new(),
            registry: Registry::default(),
            metrics,
            spawner: tasks.spawner(),
        });
        tasks.spawn(announce(core.clone()));
        tasks.spawn(index::run(core.clone()));
        let refreshers = Tasks::new();
        refreshers.spawn(start_refreshers(core.clone(), refreshers.spawner()));
        let patience = Instant::now() + core.config.timeouts.first_catalogue;
        Arc::new(Self { core, refreshers, tasks, patience })
    }

    /// Opens a client's session. No backend is dialled for it before the first call that needs one, except those that
    /// offer something else to each caller.
    ///
    /// The session is `caller`'s: calls for another principal are refused. A caller without an identity is the
    /// anonymous one. What else `caller` has serves requests that no call is made for.
    ///
    /// Waits at most until `timeouts.first_catalogue` after the start, and only while nothing is known of some backend
    /// that has never been tried to an end.
    ///
    /// # Cancel safety
    /// Safe: dropped, nothing was opened.
    pub async fn open(
        self: &Arc<Self>,
        client: ClientHello,
        caller: Caller,
        sink: ClientSink,
    ) -> Arc<MultiSession> {
        // Either way the session is opened: late backends join it when they answer.
        let known = self.core.catalogue.known(client.revision.family());
        let _ = timeout_at(self.patience, known).await;
        let session = MultiSession::open(&self.core, &client, caller, sink);
        session.introduce().await;
        session
    }

    /// Waits until every backend has been tried to an end, or for `within`. Tells which it was.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn settled(&self, within: Duration) -> bool {
        let settled = self.core.catalogue.when(|waiting| waiting.untried == [0; 2]);
        timeout(within, settled).await.is_ok()
    }

    /// Waits until the status is as wanted; looks again after each attempt at a backend.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn when(&self, mut holds: impl FnMut(&Status) -> bool) {
        self.core.catalogue.when(|_| holds(&self.status())).await;
    }

    /// What operators see.
    pub fn status(&self) -> Status {
        let view = self.core.catalogue.view(Family::Session);
        let mut conflicts = view.conflicts.clone();
        let others = self.core.catalogue.view(Family::Stateless).conflicts.clone();
        conflicts.extend(others.into_iter().filter(|other| !view.conflicts.contains(other)));
        Status {
            name: self.core.config.name.clone(),
            sessions: self.core.registry.len(),
            backends: self.core.catalogue.slots.iter().map(|slot| slot.status()).collect(),
            conflicts,
            advertised: view.counts(),
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// The gateway's metrics, to be registered once.
    pub fn metrics(&self) -> &Metrics {
        &self.core.metrics
    }

    /// Closes every session and stops the refreshers, within `grace`. Idempotent.
    ///
    /// # Cancel safety
    /// Dropped, some sessions may not be closed; call it again.
    pub async fn close(&self, grace: Duration) {
        self.refreshers.stop(STOP).await;
        if let Some(keeper) = &self.core.catalogue.keeper {
            let _ = timeout(grace, keeper.flush(&self.core.catalogue.slots)).await;
        }
        let core = self.core.clone();
        let closing = async move {
            let clients = core.registry.all();
            tasks::all(clients.into_iter().map(|session| async move { session.close().await }))
                .await;
            let slots = core.catalogue.slots.iter();
            let own = slots.flat_map(|slot| [slot.take(), slot.keep_apart(None)]).flatten();
            tasks::all(own.map(|session| async move { session.close().await })).await;
        };
        let _ = timeout(grace, closing).await;
        self.tasks.stop(STOP).await;
    }
}

/// Starts a refresher for each backend. From within the runtime, where that wakes no thread for each of them.
async fn start_refreshers(core: Arc<Core>, spawner: Spawner) {
    for slot in &core.catalogue.slots {
        spawner.spawn(refresher::run(core.clone(), slot.clone()));
    }
}

fn server_info(name: &str) -> Bytes {
    let mut out = b"{\"name\":".to_vec();
    out.extend_from_slice(&quote(name));
    out.extend_from_slice(b",\"version\":");
    out.extend_from_slice(&quote(env!("CARGO_PKG_VERSION")));
    out.push(b'}');
    out.into()
}
