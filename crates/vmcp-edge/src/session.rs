//! Stage *session*: what one client holds, and finding it again.
//!
//! Read [`Session`] first, then [`outbox`] (everything that goes to the client's streams), then
//! [`questions`] and [`calls`] (the two tables of things not answered yet), then [`table`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_auth::Identity;
use vmcp_backend::{Call, CallError, ClientHello, Event};
use vmcp_gateway::{ClientSink, MultiSession};
use vmcp_wire::revision::Revision;

mod audience;
pub(crate) mod calls;
mod guests;
mod id;
pub(crate) mod outbox;
pub(crate) mod questions;
pub(crate) mod table;

pub(crate) use audience::{Audience, Listener, Wants};
pub(crate) use calls::{Calls, Ticket};
pub(crate) use guests::{Guests, Visit, canonical};
pub(crate) use id::SessionId;
pub(crate) use outbox::Outbox;
pub(crate) use questions::Questions;
pub(crate) use table::Sessions;

use crate::admit::Place;
use crate::edge::Edge;
use crate::front::{Head, Older, Reply};
use crate::identify::Asker;
use crate::respond::Rejection;
use outbox::Item;
use questions::Way;

/// How long the ends of calls that were taken back, and of the backends' sessions, may take in the background.
pub(crate) const CLOSE: Duration = Duration::from_secs(30);

/// What one client holds.
pub(crate) struct Session {
    id: SessionId,
    revision: Revision,
    identity: Arc<Identity>,
    multi: Arc<MultiSession>,
    client: Arc<Client>,
    calls: Arc<Calls>,
    /// Held while the gateway is told whether a GET stream is open, so that the last word is the last fact.
    listening: Mutex<()>,
    born: Instant,
    /// Milliseconds from `born` to the last request.
    used: AtomicU64,
}

/// The client's own side of a session: what waits for it and what it was asked.
pub(crate) struct Client {
    pub(crate) outbox: Outbox,
    pub(crate) questions: Questions,
    older: Older,
}

/// Opens a session: the backends behind it, the client's streams before it.
///
/// Cancel safe: a client that is gone before the end leaves no session.
pub(crate) async fn open(
    edge: &Edge,
    hello: ClientHello,
    asker: &Asker,
    place: Place,
) -> Result<Arc<Session>, Rejection> {
    let id = SessionId::random().map_err(|_| Rejection::internal())?;
    let revision = hello.revision;
    let older = Older::new(revision, &edge.config);
    let questions = Questions::new(&hello.capabilities, older, &edge.config, edge.tasks.clone());
    let outbox = Outbox::new(edge.outbox_rules(revision));
    let client = Arc::new(Client { outbox, questions, older });
    let sink = sink(&client);
    let multi = edge.gateway.open(hello, asker.caller(), sink).await;
    let session = Arc::new(Session {
        id,
        revision,
        identity: Arc::clone(&asker.identity),
        multi,
        client,
        calls: Calls::new(edge.config.session.max_calls),
        listening: Mutex::default(),
        born: Instant::now(),
        used: AtomicU64::new(0),
    });
    edge.sessions.insert(Arc::clone(&session), place);
    Ok(session)
}

/// The session that a request names, if it is this caller's.
pub(crate) fn find(edge: &Edge, head: &Head, caller: &Identity) -> Result<Arc<Session>, Rejection> {
    edge.sessions.find(head.session()?, caller).ok_or_else(Rejection::no_such_session)
}

/// Where the gateway puts what belongs to no call. Weak, so that a session that is gone stays gone.
fn sink(client: &Arc<Client>) -> ClientSink {
    let client = Arc::downgrade(client);
    Arc::new(move |event| {
        if let Some(client) = client.upgrade() {
            client.outside(event);
        }
    })
}

// === impl Session ===

impl Session {
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn multi(&self) -> &MultiSession {
        &self.multi
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Begins a call; its reply comes as the client can read it.
    pub(crate) async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let method = call.method.clone();
        let reply = self.multi.call(call).await?;
        Ok(self.client.older.reply(&method, reply))
    }

    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    pub(crate) fn belongs_to(&self, caller: &Identity) -> bool {
        self.identity.same_principal(caller)
    }

    /// A request came.
    pub(crate) fn touch(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(now, Ordering::Relaxed);
    }

    /// Tells the gateway whether messages outside calls can reach the client at once.
    pub(crate) fn listen(&self) {
        let _order = self.listening.lock();
        self.multi.listening(self.client.outbox.standalone() > 0);
    }

    /// Whether nothing has happened for `limit`, and nothing is going on.
    pub(crate) fn is_idle(&self, now: Instant, limit: Duration) -> bool {
        let used = self.born + Duration::from_millis(self.used.load(Ordering::Relaxed));
        now.saturating_duration_since(used) >= limit
            && self.calls.is_empty()
            && !self.client.outbox.is_read()
    }

    /// Drops what has been kept for long enough.
    pub(crate) fn sweep(&self, now: Instant) {
        self.client.questions.expire(now);
        self.client.outbox.sweep(now);
    }

    /// Ends the client's streams at once and the backends' sessions in the background.
    pub(crate) fn close(self: Arc<Self>, edge: &Edge) {
        self.client.outbox.close();
        self.client.questions.close();
        edge.tasks.run_for(CLOSE, async move { self.multi.close().await });
    }
}

// === impl Client ===

impl Client {
    /// A message that belongs to no call. Never blocks.
    fn outside(&self, event: Event) {
        match event {
            Event::Notification(message) if questions::is_withdrawal(&message) => {
                if let Some(message) = self.questions.withdraw(&message, Way::Outside) {
                    self.outbox.outside(Item::Notice(message));
                }
            }
            Event::Notification(message) if !self.older.hears(&message) => {}
            Event::Notification(message) => self.outbox.outside(Item::notice(&message)),
            Event::Request(peer) => {
                if let Some(message) = self.questions.ask(peer, Way::Outside) {
                    self.outbox.outside(Item::Firm(message));
                }
            }
            // These belong to a call, so none can come this way.
            Event::Paused | Event::InputRequired(_) | Event::Response(_) | Event::Failed(_) => {}
        }
    }
}
