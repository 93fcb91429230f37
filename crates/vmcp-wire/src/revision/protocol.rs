//! What a configuration may ask for.

use super::Revision;

/// Which revisions may be spoken with a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Any: what both sides speak is found out.
    #[default]
    Auto,
    /// One with a handshake.
    Handshake,
    /// The stateless one.
    Stateless,
    /// This one and no other.
    Exactly(Revision),
}

// === impl Protocol ===

impl Protocol {
    /// The protocol that a configuration calls `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "legacy" => Some(Self::Handshake),
            "modern" => Some(Self::Stateless),
            date => Revision::parse(date).map(Self::Exactly),
        }
    }

    /// What a configuration calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Handshake => "legacy",
            Self::Stateless => "modern",
            Self::Exactly(revision) => revision.as_str(),
        }
    }

    /// All that [`Self::parse`] takes, for a message that says what could have been written.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let families = [Self::Auto, Self::Handshake, Self::Stateless].map(Self::as_str);
        families.into_iter().chain(Revision::ALL.map(Revision::as_str))
    }

    /// Whether `revision` may be spoken.
    #[must_use]
    pub fn allows(self, revision: Revision) -> bool {
        match self {
            Self::Auto => true,
            Self::Handshake => !revision.stateless(),
            Self::Stateless => revision.stateless(),
            Self::Exactly(only) => only == revision,
        }
    }

    /// Whether a handshake may be tried.
    #[must_use]
    pub fn allows_handshake(self) -> bool {
        Revision::HANDSHAKES.into_iter().any(|revision| self.allows(revision))
    }

    /// Whether the stateless revision may be tried.
    #[must_use]
    pub fn allows_stateless(self) -> bool {
        self.allows(Revision::STATELESS)
    }
}
