//! Clients of the transport of 2024-11-05: HTTP with SSE.
//!
//! `GET /sse` opens the one stream of a session. Its first event, `endpoint`, says where to post; what is posted there is
//! answered 202 and nothing else. Everything for the client comes on the stream, as events named `message`: in this it
//! is a pipe, and the session behind it is that of a pipe ([`PipeSession`]). There is no resumption, so whoever closes
//! the stream has ended the session and taken back its calls.
//!
//! Any revision with a handshake may be spoken; the stateless one has no meaning here. The id in the URI finds the
//! session and proves nothing: a message must come from the principal who opened the stream.
//!
//! Three parties: requests ([`open`], [`Inbox`]), one task per session ([`channel`]), the body of the stream
//! ([`ChannelBody`]).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use http::{Response, StatusCode};
use parking_lot::RwLock;
use tokio::sync::mpsc;
use vmcp_auth::Identity;
use vmcp_config::Listen;
use vmcp_wire::revision::Revision;
use vmcp_wire::sse::EventHead;

mod body;
mod channel;

pub(crate) use body::ChannelBody;

use super::Incoming;
use crate::admit::Place;
use crate::edge::Edge;
use crate::front::stdio::{Along, PipeSession, Setting};
use crate::guard::body::{Charge, Held};
use crate::identify::Asker;
use crate::respond::body::ReplyBody;
use crate::respond::{Rejection, page};
use crate::session::SessionId;
use channel::Channel;

/// The name of the id in the URI to post to.
const SESSION: &str = "sessionId";

/// The sessions of one server that have one stream for everything.
pub(crate) struct Channels {
    /// Where streams are opened, and where messages are posted.
    paths: Option<(String, String)>,
    /// Protects the map; held for a look or a change only.
    map: RwLock<HashMap<SessionId, Entry>>,
}

struct Entry {
    identity: Arc<Identity>,
    inbox: Inbox,
    _place: Place,
}

/// Which of the two paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// The stream.
    Stream,
    /// Messages of the client.
    Inbox,
}

/// Where a session takes its messages.
#[derive(Clone)]
pub(crate) struct Inbox {
    queue: mpsc::Sender<Posted>,
    revision: Arc<OnceLock<Revision>>,
}

/// What was posted.
pub(crate) struct Posted {
    incoming: Incoming,
    along: Along,
    /// For the memory of the body, until the session has taken it.
    _charge: Charge,
}

/// Opens a stream, and a session that waits for its handshake.
pub(crate) fn open(edge: &Arc<Edge>, asker: &Asker) -> Result<Response<ReplyBody>, Rejection> {
    let Some((_, post)) = &edge.channels.paths else { return Err(Rejection::internal()) };
    if edge.tasks.draining().is_cancelled() {
        return Err(Rejection::busy("the server is stopping").and_close());
    }
    let Some(place) = edge.sessions.reserve() else {
        return Err(Rejection::busy("too many sessions"));
    };
    let id = SessionId::random().map_err(|_| Rejection::internal())?;
    let session = &edge.config.session;
    let (lines, out) = mpsc::channel(session.max_queue.max(1));
    let (queue, posted) = mpsc::channel(session.max_calls.max(1));
    let tasks = edge.tasks.part();
    let setting = Setting {
        config: Arc::clone(&edge.config),
        gateway: Arc::clone(&edge.gateway),
        hall: Arc::clone(&edge.hall),
        metrics: Some(Arc::clone(&edge.metrics)),
        tasks: tasks.clone(),
    };
    let pipe = PipeSession::new(setting, lines.clone());
    let inbox = Inbox { queue, revision: pipe.revision() };
    let identity = Arc::clone(&asker.identity);
    edge.channels.map.write().insert(id, Entry { identity, inbox, _place: place });
    // From here on the body owns the entry: however the stream ends, it goes.
    let endpoint = format!("{post}?{SESSION}={}", id.text());
    let first = EventHead { event: Some("endpoint"), ..EventHead::default() };
    let body = ChannelBody::new(edge, id, first.whole(endpoint.as_bytes()), out);
    let grace = edge.config.timeouts.drain;
    edge.tasks.run(Channel { pipe, tasks, lines, grace }.run(posted));
    Ok(page::events(ReplyBody::channel(body)))
}

/// The session that a message is for.
pub(crate) fn named(head: &Parts) -> Result<SessionId, Rejection> {
    let query = head.uri.query().unwrap_or_default();
    let mut values = query.split('&').filter_map(|pair| match pair.split_once('=') {
        Some((SESSION, value)) => Some(value),
        _ => None,
    });
    match (values.next(), values.next()) {
        (Some(text), None) => SessionId::parse(text).ok_or_else(Rejection::no_such_session),
        (None, _) => Err(Rejection::new(StatusCode::BAD_REQUEST, "the session id is missing")),
        (Some(_), Some(_)) => {
            Err(Rejection::new(StatusCode::BAD_REQUEST, "the session id stands there twice"))
        }
    }
}

// === impl Channels ===

impl Channels {
    pub(crate) fn new(listen: &Listen) -> Self {
        Self { paths: listen.sse.clone().zip(listen.sse_messages()), map: RwLock::default() }
    }

    /// Whether a path is one of ours.
    pub(crate) fn entrance(&self, path: &str) -> Option<Entrance> {
        match &self.paths {
            Some((stream, _)) if stream == path => Some(Entrance::Stream),
            Some((_, post)) if post == path => Some(Entrance::Inbox),
            _ => None,
        }
    }

    /// The session, if it is this caller's. Another caller cannot tell it from one that never was.
    pub(crate) fn find(
        &self,
        id: SessionId,
        caller: &Identity,
        posted: &Posted,
    ) -> Result<Inbox, Rejection> {
        let map = self.map.read();
        let entry = map.get(&id).filter(|entry| entry.identity.same_principal(caller));
        let inbox = entry.map(|entry| entry.inbox.clone());
        inbox.ok_or_else(|| Rejection::no_such_session().with_id(posted.incoming.id()))
    }

    fn remove(&self, id: SessionId) {
        self.map.write().remove(&id);
    }
}

// === impl Inbox ===

impl Inbox {
    /// Whether the session's revision allows this.
    pub(crate) fn fits(&self, posted: &Posted) -> Result<(), Rejection> {
        let revision = self.revision.get().copied().unwrap_or(Revision::LATEST_HANDSHAKE);
        posted.incoming.fits(revision)
    }

    /// Hands a message to the session. Never waits: a session that does not keep up takes no more.
    pub(crate) fn put(&self, posted: Posted) -> Result<(), Rejection> {
        use mpsc::error::TrySendError::{Closed, Full};
        self.queue.try_send(posted).map_err(|refused| match refused {
            Full(posted) => Rejection::too_many("too many messages of this session wait")
                .with_id(posted.incoming.id()),
            Closed(posted) => Rejection::no_such_session().with_id(posted.incoming.id()),
        })
    }
}

// === impl Posted ===

impl Posted {
    /// Reads a body. What is no message is refused here, since it has no place on the stream.
    pub(crate) fn read(
        edge: &Edge,
        held: Held,
        asker: &Asker,
        place: Place,
    ) -> Result<Self, Rejection> {
        let (bytes, charge) = held.split();
        let incoming = Incoming::read(&bytes, &edge.limits)?;
        let along = Along {
            caller: Some(asker.caller()),
            trace: asker.trace.clone(),
            place: Some(Arc::new(place)),
        };
        Ok(Self { incoming, along, _charge: charge })
    }
}
