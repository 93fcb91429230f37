//! The protocol revisions we speak, and what differs between them.
//!
//! There are two families. Four revisions open a session with a handshake (*legacy*); the newest has neither: each
//! request says in its `_meta` what the handshake said once, and questions to the client come in answers, which the
//! client repeats its request with (*modern*, or stateless).
//!
//! The only place in this crate that knows a revision by name. Callers ask for facts
//! (`revision.priming()`), never for dates.

mod protocol;
#[cfg(test)]
mod tests;
mod vocabulary;
mod words;

pub use protocol::Protocol;
pub use words::{
    ACKNOWLEDGED, CACHE_SCOPE, COMPLETE, DISCOVER, HEADER_MISMATCH, INITIALIZE, INITIALIZED,
    INPUT_REQUESTS, INPUT_REQUIRED, INPUT_RESPONSES, LISTEN, META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO, META_LOG_LEVEL, META_PROTOCOL_VERSION, META_SERVER_INFO,
    META_SUBSCRIPTION_ID, MISSING_CAPABILITY, PRIVATE, PUBLIC, REQUEST_STATE, RESULT_TYPE,
    SUPPORTED_VERSIONS, TASK, TTL_MS, UNSUPPORTED_VERSION,
};

/// A protocol revision, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05: HTTP with one event stream per client.
    V2024_11_05,
    /// 2025-03-26: streamable HTTP, batches.
    V2025_03_26,
    /// 2025-06-18: no batches, version header, structured results, elicitation.
    V2025_06_18,
    /// 2025-11-25: streams that may be polled, tasks, elicitation by URL.
    V2025_11_25,
    /// 2026-07-28: no handshake and no session; every request says all about itself.
    V2026_07_28,
}

/// A family of revisions, for whoever need not know more of a peer: what it is told depends on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Those that open a session with a handshake.
    Session,
    /// The one where each request says all about itself.
    Stateless,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Session, Self::Stateless];
}

impl Revision {
    /// All revisions, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];
    /// Those that open a session with a handshake, oldest first.
    pub const HANDSHAKES: [Self; 4] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];
    /// The newest of [`Self::HANDSHAKES`].
    pub const LATEST_HANDSHAKE: Self = Self::V2025_11_25;
    /// The one without a session.
    pub const STATELESS: Self = Self::V2026_07_28;
    /// What an HTTP request without a version header speaks, when nothing else tells.
    pub const WITHOUT_HEADER: Self = Self::V2025_03_26;

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of that name, if we speak it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// The revision of that name, if it has a handshake: what a handshake and the version header of a session may
    /// name.
    #[must_use]
    pub fn parse_handshake(name: &str) -> Option<Self> {
        Self::parse(name).filter(|revision| !revision.stateless())
    }

    /// What to answer a client whose handshake asks for `requested`: the same when we speak it, else the newest that
    /// has a handshake. Never the stateless one: who opens a session cannot mean it.
    #[must_use]
    pub fn negotiate(requested: &str) -> Self {
        Self::parse_handshake(requested).unwrap_or(Self::LATEST_HANDSHAKE)
    }

    /// Whether there is neither handshake nor session: each request says in its `_meta` who asks, and an answer may
    /// ask back.
    #[must_use]
    pub fn stateless(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Which family it is of.
    #[must_use]
    pub fn family(self) -> Family {
        if self.stateless() { Family::Stateless } else { Family::Session }
    }

    /// Whether a batch may be received. Only one revision defines it; the oldest is silent, so
    /// tolerant. We never send one.
    #[must_use]
    pub fn batching(self) -> bool {
        self <= Self::V2025_03_26
    }

    /// Whether there is one endpoint that answers POSTs itself, instead of a separate event stream.
    #[must_use]
    pub fn streamable_http(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether every HTTP request names the revision in a header (a handshake's first one aside).
    #[must_use]
    pub fn version_header(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether an event stream starts with an id and empty data, so that it can be resumed at once.
    #[must_use]
    pub fn priming(self) -> bool {
        self >= Self::V2025_11_25 && !self.stateless()
    }

    /// Whether a server may close a stream before the response is there and be polled for it.
    #[must_use]
    pub fn polling(self) -> bool {
        self >= Self::V2025_11_25 && !self.stateless()
    }

    /// Whether servers announce `completions` as a capability (before, they just answered).
    #[must_use]
    pub fn completions_capability(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether a completion request may carry a `context`.
    #[must_use]
    pub fn completion_context(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether servers may ask the client's user, in a request of theirs or in an answer.
    #[must_use]
    pub fn elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether tasks are part of the revision itself. (Later they are an extension.)
    #[must_use]
    pub fn tasks(self) -> bool {
        self >= Self::V2025_11_25 && !self.stateless()
    }
}
