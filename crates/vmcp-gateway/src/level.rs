//! Levels of log messages, the most verbose first.

use vmcp_wire::Object;

/// A level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Everything.
    Debug = 1,
    /// What is going on.
    Info,
    /// Normal, but of note.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something is wrong.
    Error,
    /// A part fails.
    Critical,
    /// Somebody must act now.
    Alert,
    /// Nothing works.
    Emergency,
}

// === impl Level ===

impl Level {
    const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The member `level` of raw params.
    pub(crate) fn of_params(params: &[u8]) -> Option<Self> {
        let object = Object::parse(params).ok()?;
        let member = object.unique("level").ok()??;
        Self::parse(&member.as_str()?)
    }

    /// Reads its name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// From [`as_u8`](Self::as_u8).
    pub(crate) fn from_u8(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| *level as u8 == byte)
    }

    /// A small number; never 0.
    pub(crate) fn as_u8(self) -> u8 {
        self as u8
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The params that ask for it.
    pub(crate) fn params(self) -> bytes::Bytes {
        format!("{{\"level\":\"{}\"}}", self.as_str()).into()
    }
}
