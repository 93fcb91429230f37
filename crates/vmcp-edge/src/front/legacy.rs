//! The revisions with a handshake and a session (2024-11-05 to 2025-11-25) over streamable HTTP.

use http::request::Parts;
use http::{HeaderMap, StatusCode};
use vmcp_wire::header;
use vmcp_wire::revision::Revision;

mod handshake;
mod messages;

pub(crate) use handshake::Opening;
pub(crate) use messages::{Incoming, Sorted};

use crate::guard::origin::single;
use crate::respond::Rejection;
use crate::session::outbox::EventId;
use crate::session::{Session, SessionId};

/// The headers that carry protocol state.
#[derive(Debug)]
pub(crate) struct Head {
    session: Option<String>,
    version: Option<String>,
    resume: Option<String>,
}

// === impl Head ===

impl Head {
    /// Reads them. One that stands there twice could make two readers see two sessions.
    pub(crate) fn read(head: &Parts) -> Result<Self, Rejection> {
        let text = |name| {
            let headers: &HeaderMap = &head.headers;
            single(headers, name).map(|value| value.map(str::to_owned))
        };
        Ok(Self {
            session: text(header::SESSION_ID)?,
            version: text(header::PROTOCOL_VERSION)?,
            resume: text(header::LAST_EVENT_ID)?,
        })
    }

    /// The session that is meant. What cannot be an id of ours is an unknown session like any other.
    pub(crate) fn session(&self) -> Result<SessionId, Rejection> {
        let Some(text) = &self.session else {
            return Err(Rejection::new(StatusCode::BAD_REQUEST, "the session id is missing"));
        };
        SessionId::parse(text).ok_or_else(Rejection::no_such_session)
    }

    /// Where to resume.
    pub(crate) fn resume(&self) -> Result<Option<EventId>, Rejection> {
        let Some(text) = &self.resume else { return Ok(None) };
        match EventId::parse(text) {
            Some(id) => Ok(Some(id)),
            None => Err(Rejection::new(StatusCode::BAD_REQUEST, "the last event id is unknown")),
        }
    }

    /// Whether the revision named is the session's. Clients may leave it out.
    pub(crate) fn fits(&self, session: &Session) -> Result<(), Rejection> {
        let Some(text) = &self.version else { return Ok(()) };
        let agreed = session.revision();
        let known = Revision::parse(text);
        // Where the header is not defined yet it says nothing about the session, but nonsense is refused.
        if known == Some(agreed) || known.is_some() && !agreed.version_header() {
            return Ok(());
        }
        Err(Rejection::new(
            StatusCode::BAD_REQUEST,
            format!("the protocol version of this session is {}", agreed.as_str()),
        ))
    }
}
