//! One backend's refresher: connects, lists, waits until there is a reason to list again.
//!
//! Reasons are the backend's own `list_changed` (from any session to it), the loss of the catalogue's session, and
//! time. While it works, what was known before is served. There is one per backend, so a listing is never made twice
//! at the same time.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout};
use vmcp_auth::Caller;
use vmcp_backend::{
    CallError, CapabilityList, ClientHello, ConnectError, ConnectErrorKind, ErrorKind, Outside,
    Session, Sink,
};
use vmcp_wire::revision::{Family, Revision};

use super::fresh::Stamps;
use super::settle::Settle;
use super::{Inventory, Scope, Slot, Stamp, apart, backoff};
use crate::core::Core;
use crate::status::{BackendState, Reason};

/// Why a listing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// It is time.
    Due,
    /// The backend said that something changed, or its session was lost.
    Announced,
}

/// Why an attempt failed.
struct Failure {
    reason: Reason,
    text: String,
    /// It answered: it does not say that to nobody in particular.
    denied: bool,
}

// === impl Failure ===

impl Failure {
    fn of_connect(error: &ConnectError) -> Self {
        let denied = match &error.kind {
            ConnectErrorKind::Unauthorized(_) | ConnectErrorKind::NoCredentials(_) => true,
            ConnectErrorKind::Status { status, .. } => *status == 403,
            _ => false,
        };
        Self { reason: Reason::of_connect(error), text: error.to_string(), denied }
    }

    fn of_call(error: &CallError) -> Self {
        let denied = matches!(
            error.kind,
            ErrorKind::Unauthorized | ErrorKind::NoCredentials(_) | ErrorKind::Answered(_)
        );
        Self { reason: Reason::of_call(error), text: error.to_string(), denied }
    }
}

/// Refreshes one backend until the task is ended.
pub(crate) async fn run(core: Arc<Core>, slot: Arc<Slot>) {
    let mut first = true;
    let mut settle = Settle::new(core.config.timeouts.settle);
    let mut because = Because::Due;
    slot.head_start().await;
    loop {
        let is_first = std::mem::take(&mut first);
        let attempted = |family| core.catalogue.attempted(&slot, family, is_first);
        let changed = match attempt(&core, &slot, because).await {
            Ok((session, list, stamp)) => {
                let mut changed = succeeded(&core, &slot, &session, list);
                slot.stamp(|stamps| stamps.own = Some(stamp));
                attempted(Family::Session);
                changed |= apart::refresh(&core, &slot, &session, because, changed).await;
                come_back_in_time(&core, &slot);
                if slot.per_caller && (changed || because == Because::Due) {
                    refresh_own(&core, &slot);
                }
                changed
            }
            Err(failure) => {
                let changed = match failure.denied && slot.per_caller {
                    true => withheld(&core, &slot, because),
                    false => failed(&core, &slot, &failure),
                };
                attempted(Family::Session);
                changed
            }
        };
        attempted(Family::Stateless);
        match because {
            Because::Announced => settle.listed(changed),
            Because::Due => settle.reset(),
        }
        because = wait(&slot, settle).await;
    }
}

/// Waits until the next listing is due.
async fn wait(slot: &Slot, settle: Settle) -> Because {
    let (due, failing) = slot.health(|health| (health.next_try, health.failures > 0));
    let due = async {
        match due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    };
    // A backend that fails also loses sessions, and would be tried all the time if that were a reason.
    if failing {
        due.await;
        return Because::Due;
    }
    let earliest = Instant::now() + settle.time();
    tokio::select! {
        () = due => Because::Due,
        () = slot.wake.notified() => {
            sleep_until(earliest.max(Instant::now() + settle.least())).await;
            Because::Announced
        }
    }
}

/// One attempt: a session, and everything it lists.
async fn attempt(
    core: &Arc<Core>,
    slot: &Arc<Slot>,
    because: Because,
) -> Result<(Session, CapabilityList, Stamp), Failure> {
    let mut asked = Some(Instant::now());
    let session = match slot.own() {
        Some(session) if because == Because::Due && forgets(slot, &session) => {
            renew(core, slot, session).await?
        }
        Some(session) => {
            asked = slot.stamps().own.and_then(|stamp| stamp.introduced_at());
            session
        }
        None => connect(core, slot).await?,
    };
    let at = Instant::now();
    let limit = slot.target.timeouts.list;
    let listed = match timeout(limit, session.list()).await {
        Ok(listed) => listed.map_err(|error| Failure::of_call(&error)),
        Err(_) => {
            let text = "list timed out".to_owned();
            Err(Failure { reason: Reason::Timeout, text, denied: false })
        }
    };
    let keep = match slot.scope {
        // Clients use it: a process that is too busy to list is not ended under their calls.
        Scope::Shared => true,
        // The next attempt may do better on a new one.
        Scope::PerSession => listed.is_ok(),
        Scope::PerSessionClosed => false,
    };
    if !keep && let Some(session) = slot.take() {
        core.spawner.spawn(async move { session.close().await });
    }
    listed.map(|list| {
        let stamp = Stamp::new(slot, &session, &list, at, asked);
        (session, list, stamp)
    })
}

/// The next listing is due when the first list is fresh no more, within what is configured.
fn come_back_in_time(core: &Core, slot: &Slot) {
    let Stamps { own, apart } = slot.stamps();
    let due = [own, apart].into_iter().flatten().filter_map(|stamp| stamp.due()).min();
    let earliest = Instant::now().checked_add(slot.ttl(core.config.timeouts.min_refresh));
    if let (Some(due), Some(earliest)) = (due, earliest) {
        let due = due.max(earliest);
        slot.health(|health| health.next_try = health.next_try.map(|next| next.min(due)));
    }
}

async fn connect(core: &Arc<Core>, slot: &Arc<Slot>) -> Result<Session, Failure> {
    if slot.scope == Scope::PerSession {
        // It may have been replaced while there was no session.
        core.connector.forget(&slot.target);
        drop(slot.keep_apart(None));
    }
    let session = open(core, slot).await?;
    // Kept before it is listed: a client that hits a name learnt earlier may use it at once.
    slot.keep(session.clone());
    if slot.scope != Scope::PerSessionClosed {
        session.listen();
    }
    Ok(session)
}

async fn open(core: &Arc<Core>, slot: &Arc<Slot>) -> Result<Session, Failure> {
    let hello = hello(core, Revision::LATEST_HANDSHAKE);
    let sink = sink(core, slot);
    // For nobody: a user's credentials are never used to look around.
    let opened = core.connector.open(&slot.target, Caller::default(), hello, Some(sink)).await;
    opened.map_err(|error| Failure::of_connect(&error))
}

/// What the catalogue says of itself: it can do nothing for a backend.
pub(super) fn hello(core: &Core, revision: Revision) -> ClientHello {
    ClientHello {
        revision,
        capabilities: Bytes::from_static(b"{}"),
        client_info: core.server_info.clone(),
    }
}

/// Whether nothing would ever tell that the backend is another by now: it keeps no session that could be lost.
fn forgets(slot: &Slot, session: &Session) -> bool {
    slot.scope == Scope::PerSession && session.hello().revision.family() == Family::Stateless
}

/// Asks again what the backend is. If it says the same, the session that hears of changes stays.
async fn renew(core: &Arc<Core>, slot: &Arc<Slot>, session: Session) -> Result<Session, Failure> {
    let new = open(core, slot).await?;
    if apart::says_the_same(&session, &new) {
        return Ok(session);
    }
    core.connector.forget(&slot.target);
    slot.keep(new.clone());
    new.listen();
    core.spawner.spawn(async move { session.close().await });
    Ok(new)
}

/// What the catalogue's own session hears. Holds nothing that holds the session.
pub(super) fn sink(core: &Arc<Core>, slot: &Arc<Slot>) -> Sink {
    let slot = Arc::downgrade(slot);
    let (spawner, connector) = (core.spawner.clone(), core.connector.clone());
    Arc::new(move |outside| {
        let Some(slot) = slot.upgrade() else { return };
        match outside {
            Outside::Lost => {
                // It may be another backend by now.
                connector.forget(&slot.target);
                drop(slot.keep_apart(None));
                slot.wake.notify_one();
            }
            other => slot.hub.receive(slot.index, other, &slot.wake, &spawner),
        }
    })
}

/// Takes what was listed. Tells whether it is new.
fn succeeded(core: &Core, slot: &Slot, session: &Session, list: CapabilityList) -> bool {
    let mut inventory = Inventory::read(session.hello(), list);
    let before = slot.inventory.load_full();
    inventory.apart = before.as_ref().and_then(|before| before.apart.clone());
    let is_known = before.as_ref().is_some_and(|before| before.is_as(&inventory));
    let changed = before.is_none_or(|before| !before.same_as(&inventory));
    let recovered = slot.health(|health| {
        let recovered = health.state != BackendState::Ready;
        health.succeeded(slot.ttl(core.config.timeouts.refresh));
        recovered
    });
    if recovered {
        tracing::info!(backend = %slot.target.id, offers = ?inventory.counts(), "backend is ready");
    }
    match is_known {
        true => core.catalogue.confirm(slot),
        false => core.catalogue.learn(&core.config.aggregation, slot, Some(Arc::new(inventory))),
    }
    changed
}

/// The backend tells only its callers what it offers: their sessions list it, each for itself. Tells whether something
/// was forgotten that everybody saw before.
fn withheld(core: &Core, slot: &Slot, because: Because) -> bool {
    let news = slot.health(|health| {
        let news = health.state != BackendState::PerCaller;
        health.withheld(slot.ttl(core.config.timeouts.refresh));
        news
    });
    if news {
        tracing::info!(backend = %slot.target.id, "backend lists for its callers only");
    }
    if news || matches!(because, Because::Due) {
        refresh_own(core, slot);
    }
    let known = slot.inventory.load().is_some();
    if known {
        core.catalogue.learn(&core.config.aggregation, slot, None);
    }
    known
}

/// Has the clients' own sessions to the backend listed again.
fn refresh_own(core: &Core, slot: &Slot) {
    for session in core.registry.all() {
        session.refresh_own(slot);
    }
}

/// Notes the failure; forgets what was known if that is too old. Tells whether it did.
fn failed(core: &Core, slot: &Slot, failure: &Failure) -> bool {
    let known = slot.inventory.load().is_some();
    let timeouts = &core.config.timeouts;
    let (forget, failures) = slot.health(|health| {
        let fresh = health.last_success.is_some_and(|at| at.elapsed() < timeouts.stale);
        let keep = known && fresh;
        let state = if keep { BackendState::Stale } else { BackendState::Failed };
        let pause = backoff::pause(health.failures + 1, timeouts.reconnect, timeouts.max_reconnect);
        health.failed(failure.reason, state, pause);
        (known && !keep, health.failures)
    });
    let reason = failure.reason.as_str();
    if failures == 1 {
        tracing::warn!(backend = %slot.target.id, reason, text = failure.text, "backend fails");
    } else {
        tracing::debug!(backend = %slot.target.id, reason, failures, text = failure.text, "backend still fails");
    }
    if forget {
        core.catalogue.learn(&core.config.aggregation, slot, None);
    }
    forget
}
