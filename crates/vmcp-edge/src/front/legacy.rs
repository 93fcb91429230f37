//! The revisions with a handshake and a session (2024-11-05 to 2025-11-25) over streamable HTTP.

use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use vmcp_wire::header;
use vmcp_wire::revision::Revision;

mod handshake;
mod messages;
mod older;
pub(crate) mod sse;

pub(crate) use handshake::Opening;
pub(crate) use messages::{Incoming, Sorted};
pub(crate) use older::{Asked, Older, Reply};

use crate::guard::origin::single;
use crate::respond::Rejection;
use crate::session::outbox::EventId;
use crate::session::{Session, SessionId};

const SESSION_ID: HeaderName = HeaderName::from_static(header::SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(header::PROTOCOL_VERSION);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);

/// The headers that carry protocol state, already read: nothing of their text is kept.
#[derive(Debug)]
pub(crate) struct Head {
    session: Option<Named<SessionId>>,
    version: Option<Named<Revision>>,
    resume: Option<Named<EventId>>,
    /// A line of the version header names the revision that has no session.
    sessionless: bool,
}

/// What a header names: something that could be ours, or something else.
type Named<T> = Result<T, Unknown>;

/// A text that names nothing here.
#[derive(Debug, Clone, Copy)]
struct Unknown;

// === impl Head ===

impl Head {
    /// Reads them. One that stands there twice could make two readers see two sessions.
    pub(crate) fn read(head: &Parts) -> Result<Self, Rejection> {
        let headers = &head.headers;
        let mut versions = headers.get_all(PROTOCOL_VERSION).iter();
        let name = Revision::STATELESS.as_str().as_bytes();
        let sessionless = versions.any(|line| line.as_bytes().trim_ascii() == name);
        if sessionless {
            // Whoever has no session is asked for none of this; what else is wrong is told with the request's id.
            return Ok(Self { session: None, version: None, resume: None, sessionless });
        }
        Ok(Self {
            session: named(headers, &SESSION_ID, SessionId::parse)?,
            version: named(headers, &PROTOCOL_VERSION, Revision::parse_handshake)?,
            resume: named(headers, &LAST_EVENT_ID, EventId::parse)?,
            sessionless,
        })
    }

    /// Whether the request is of a client that has no session.
    pub(crate) fn is_sessionless(&self) -> bool {
        self.sessionless
    }

    /// Whether it is, as far as its head tells, of a client that has one.
    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Whether it names a revision with a handshake.
    pub(super) fn has_handshake(&self) -> bool {
        matches!(self.version, Some(Ok(_)))
    }

    /// Refuses what is done to sessions, if the client has none.
    pub(crate) fn session_verb(&self) -> Result<(), Rejection> {
        match self.sessionless {
            true => Err(Rejection::method_not_allowed("POST")),
            false => Ok(()),
        }
    }

    /// The session that is meant. What cannot be an id of ours is an unknown session like any other.
    pub(crate) fn session(&self) -> Result<SessionId, Rejection> {
        match self.session {
            Some(Ok(id)) => Ok(id),
            Some(Err(Unknown)) => Err(Rejection::no_such_session()),
            None => Err(Rejection::new(StatusCode::BAD_REQUEST, "the session id is missing")),
        }
    }

    /// Where to resume.
    pub(crate) fn resume(&self) -> Result<Option<EventId>, Rejection> {
        match self.resume {
            Some(Ok(id)) => Ok(Some(id)),
            Some(Err(Unknown)) => {
                Err(Rejection::new(StatusCode::BAD_REQUEST, "the last event id is unknown"))
            }
            None => Ok(None),
        }
    }

    /// Whether the revision named is the session's. Clients may leave it out.
    pub(crate) fn fits(&self, session: &Session) -> Result<(), Rejection> {
        let agreed = session.revision();
        match self.version {
            None => Ok(()),
            // Where the header is not defined yet it says nothing about the session, but nonsense is refused.
            Some(Ok(named)) if named == agreed || !agreed.version_header() => Ok(()),
            Some(_) => Err(Rejection::new(
                StatusCode::BAD_REQUEST,
                format!("the protocol version of this session is {}", agreed.as_str()),
            )),
        }
    }
}

fn named<T>(
    headers: &HeaderMap,
    name: &HeaderName,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<Named<T>>, Rejection> {
    Ok(single(headers, name)?.map(|text| parse(text).ok_or(Unknown)))
}
