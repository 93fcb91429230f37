//! Which messages are of this revision, and whether what carries them says what they say.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use memchr::memmem::Finder;
use vmcp_wire::header::{self, Mismatch};
use vmcp_wire::revision::{HEADER_MISMATCH, INITIALIZE, INITIALIZED, Revision};
use vmcp_wire::{Kind, Message, Object, RawId, method, rpc};

use super::about::{About, TASKS_EXTENSION, Words, invalid, missing_capability, unsupported};
use crate::front::{Head, Incoming};
use crate::respond::Rejection;
use crate::session::Visit;

/// What the keys that speak of a client begin with.
static PREFIX: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(b"io.modelcontextprotocol/"));
/// Methods of the other revisions, which this one has not.
const REMOVED: [&str; 7] = [
    INITIALIZE,
    method::PING,
    method::LOGGING_SET_LEVEL,
    method::RESOURCES_SUBSCRIBE,
    method::RESOURCES_UNSUBSCRIBE,
    method::TASKS_LIST,
    method::TASKS_RESULT,
];

/// Notifications of the protocol itself, of any revision.
const NOTICES: [&str; 4] =
    [INITIALIZED, method::CANCELLED, method::PROGRESS, method::ROOTS_LIST_CHANGED];

/// A message of this revision.
pub(crate) enum Arrival {
    /// An answer is due.
    Request(Box<Lone>),
    /// Taken. One that is of no part of the protocol may be for a backend that declares it.
    Notice(Option<Box<Lone>>),
}

/// A request that says all about itself.
pub(crate) struct Lone {
    pub(super) id: RawId,
    pub(super) message: Message,
    pub(super) about: About,
}

/// Whether what one POST holds is of this revision: it says so in a header, or in its `_meta`.
///
/// A handshake is of the others, unless its own `_meta` says otherwise. So is a message of a session that has stray
/// words of this revision in its `_meta`.
pub(crate) fn claim(
    head: &Head,
    headers: &HeaderMap,
    incoming: &Incoming,
) -> Result<Option<Arrival>, Rejection> {
    let sessionless = head.is_sessionless();
    let Incoming::One(message) = incoming else {
        let text = "batches are not part of this protocol version";
        return if sessionless { Err(refuse(text)) } else { Ok(None) };
    };
    let params = match message.kind() {
        Kind::Request | Kind::Notification => message.params().unwrap_or_default(),
        Kind::Success | Kind::Failure if sessionless => {
            return Err(refuse("servers of this protocol version ask by their answers"));
        }
        Kind::Success | Kind::Failure => return Ok(None),
    };
    if !sessionless && PREFIX.find(&params).is_none() {
        return Ok(None);
    }
    let words = Words::find(&params).ok_or_else(|| invalid("_meta is ambiguous"))?;
    let has_version = words.has_version();
    let other = match () {
        () if message.method() == INITIALIZE => !has_version,
        () if sessionless => false,
        () if !words.any() => true,
        () if !has_version => head.has_session() || head.has_handshake(),
        () => {
            head.has_session() && words.version().as_deref() != Some(Revision::STATELESS.as_str())
        }
    };
    if other {
        return Ok(None);
    }
    if message.kind() == Kind::Notification {
        return Ok(Some(Arrival::Notice(Lone::notice(message, &params, &words))));
    }
    let version = words.version().ok_or_else(|| invalid("_meta names no protocol version"))?;
    let lines = |name: &str| lines(headers, name);
    header::check(header::PROTOCOL_VERSION, &version, lines(header::PROTOCOL_VERSION))
        .map_err(|error| mismatch(&error))?;
    let lone = Lone::read(message, &params, &words, &version)?;
    header::check_request(message, lines).map_err(|error| mismatch(&error))?;
    lone.exists()?;
    lone.is_allowed()?;
    Ok(Some(Arrival::Request(Box::new(lone))))
}

/// The same for a line, which has no headers. What says nothing of its revision is of the others.
pub(in crate::front) fn claim_line(message: &Message) -> Result<Option<Box<Lone>>, Rejection> {
    let params = message.params().unwrap_or_default();
    if message.kind() != Kind::Request || PREFIX.find(&params).is_none() {
        return Ok(None);
    }
    let named = |rejection: Rejection| rejection.with_id(message.id());
    let words = Words::find(&params).ok_or_else(|| named(invalid("_meta is ambiguous")))?;
    let Some(version) = words.version() else { return Ok(None) };
    let lone = Lone::read(message, &params, &words, &version).map_err(named)?;
    lone.exists().and_then(|()| lone.is_allowed()).map_err(named)?;
    Ok(Some(Box::new(lone)))
}

// === impl Lone ===

impl Lone {
    fn read(
        message: &Message,
        params: &Bytes,
        words: &Words<'_>,
        version: &str,
    ) -> Result<Self, Rejection> {
        if version != Revision::STATELESS.as_str() {
            return Err(unsupported(version));
        }
        let about = About::read(params, words)?;
        let id = message.id().ok_or_else(Rejection::internal)?;
        Ok(Self { id, message: message.clone(), about })
    }

    /// A notification that somebody may want who is behind vmcp: none of the protocol's own is for a backend, which
    /// remembers nobody.
    fn notice(message: &Message, params: &Bytes, words: &Words<'_>) -> Option<Box<Self>> {
        if NOTICES.contains(&message.method()) {
            return None;
        }
        words.version().filter(|version| version == Revision::STATELESS.as_str())?;
        let about = About::read(params, words).ok()?;
        // It is never answered.
        Some(Box::new(Self { id: RawId::number(0), message: message.clone(), about }))
    }

    /// Refuses methods that this revision has not any more.
    fn exists(&self) -> Result<(), Rejection> {
        match REMOVED.contains(&self.message.method()) {
            true => Err(no_such_method()),
            false => Ok(()),
        }
    }

    /// Refuses what belongs to an extension that the client did not declare with this request.
    fn is_allowed(&self) -> Result<(), Rejection> {
        let asked = self.message.method();
        let of_tasks =
            matches!(asked, method::TASKS_GET | method::TASKS_UPDATE | method::TASKS_CANCEL);
        match of_tasks && !self.about.declares(&["extensions", TASKS_EXTENSION]) {
            true => Err(missing_capability(&["extensions", TASKS_EXTENSION])),
            false => Ok(()),
        }
    }

    /// Whether the headers that the called tool's schema asks for say what its arguments say.
    pub(crate) fn fits(&self, visit: &Visit, headers: &HeaderMap) -> Result<(), Rejection> {
        if self.message.method() != method::TOOLS_CALL {
            return Ok(());
        }
        let params = self.message.params().unwrap_or_default();
        let Ok(object) = Object::parse(&params) else { return Ok(()) };
        let name = object.get("name").and_then(|member| member.as_str());
        let Some(asked) = name.and_then(|name| visit.multi().param_headers(&name)) else {
            return Ok(());
        };
        let arguments = object.get("arguments").map(|member| member.raw);
        asked.check(arguments, |name| lines(headers, name)).map_err(|error| mismatch(&error))
    }

    /// Its id.
    pub(crate) fn id(&self) -> &RawId {
        &self.id
    }

    pub(super) fn method(&self) -> &str {
        self.message.method()
    }

    /// Tells whoever is concerned about a notification.
    pub(crate) fn tell(&self, visit: &Visit) {
        let params = self.message.params();
        visit.multi().notify(self.message.method(), params);
    }

    /// The raw params.
    pub(super) fn params(&self) -> Bytes {
        self.message.params().unwrap_or_default()
    }

    /// What the client can do, and its name and version: raw JSON objects.
    pub(super) fn client(&self) -> (&Bytes, &Bytes) {
        (&self.about.capabilities, &self.about.client_info)
    }
}

/// All lines of the header of this name.
fn lines<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    headers.get_all(name).iter().map(http::HeaderValue::as_bytes)
}

fn mismatch(error: &Mismatch) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, error.to_string()).with_code(HEADER_MISMATCH)
}

fn refuse(text: impl Into<Cow<'static, str>>) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, text)
}

/// There is no such method here.
pub(super) fn no_such_method() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, "method not found").with_code(rpc::METHOD_NOT_FOUND)
}
