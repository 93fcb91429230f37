//! The protocol revisions we speak, and what differs between them.
//!
//! The only place in this crate that knows a revision by name. Callers ask for facts
//! (`revision.priming()`), never for dates.

/// The first request of a session.
pub const INITIALIZE: &str = "initialize";
/// The notification that ends the handshake.
pub const INITIALIZED: &str = "notifications/initialized";

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
}

impl Revision {
    /// The newest revision.
    pub const LATEST: Self = Self::V2025_11_25;
    /// All revisions, oldest first.
    pub const ALL: [Self; 4] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];
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
        }
    }

    /// The revision of that name, if we speak it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// What to answer a client that asks for `requested`: the same when we speak it, else our newest.
    #[must_use]
    pub fn negotiate(requested: &str) -> Self {
        Self::parse(requested).unwrap_or(Self::LATEST)
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

    /// Whether every HTTP request after the handshake names the revision in a header.
    #[must_use]
    pub fn version_header(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether an event stream starts with an id and empty data, so that it can be resumed at once.
    #[must_use]
    pub fn priming(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether a server may close a stream before the response is there and be polled for it.
    #[must_use]
    pub fn polling(self) -> bool {
        self >= Self::V2025_11_25
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

    /// Whether servers may ask the client's user.
    #[must_use]
    pub fn elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether tasks exist.
    #[must_use]
    pub fn tasks(self) -> bool {
        self >= Self::V2025_11_25
    }
}

#[cfg(test)]
mod tests {
    use super::Revision;

    #[test]
    fn echoes_what_it_speaks_and_offers_the_newest_otherwise() {
        for revision in Revision::ALL {
            assert_eq!(Revision::negotiate(revision.as_str()), revision);
        }
        for unknown in ["", "1900-01-01", "2099-01-01", "2025-06-18 ", "latest"] {
            assert_eq!(Revision::negotiate(unknown), Revision::LATEST);
            assert_eq!(Revision::parse(unknown), None);
        }
    }

    #[test]
    fn facts_hold_from_a_revision_on_or_up_to_it() {
        let table = |fact: fn(Revision) -> bool| Revision::ALL.map(fact);
        assert_eq!(table(Revision::batching), [true, true, false, false]);
        assert_eq!(table(Revision::streamable_http), [false, true, true, true]);
        assert_eq!(table(Revision::completions_capability), [false, true, true, true]);
        assert_eq!(table(Revision::version_header), [false, false, true, true]);
        assert_eq!(table(Revision::completion_context), [false, false, true, true]);
        assert_eq!(table(Revision::elicitation), [false, false, true, true]);
        assert_eq!(table(Revision::priming), [false, false, false, true]);
        assert_eq!(table(Revision::polling), [false, false, false, true]);
        assert_eq!(table(Revision::tasks), [false, false, false, true]);
        assert!(Revision::ALL.is_sorted());
    }
}
