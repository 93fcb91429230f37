//! The one error of this crate: what is wrong with the bytes, and where.

/// Why bytes are not a message that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not JSON. `offset` counts bytes from the start of the message.
    #[error("invalid JSON at byte {offset}: {what}")]
    Syntax {
        /// Where, in bytes from the start of the message.
        offset: u64,
        /// What was wrong there.
        what: &'static str,
    },
    /// The bytes end inside the message.
    #[error("the message is cut off")]
    Truncated,
    /// More containers inside each other than [`crate::Limits::max_depth`].
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The bound that was crossed.
        limit: usize,
    },
    /// Longer than a bound allows.
    #[error("longer than {limit} bytes")]
    TooLarge {
        /// The bound that was crossed.
        limit: u64,
    },
    /// More messages in one batch than [`crate::Limits::max_batch`].
    #[error("more than {limit} messages in one batch")]
    TooMany {
        /// The bound that was crossed.
        limit: usize,
    },
    /// Well-formed JSON, but not the JSON-RPC message or MCP shape that was expected.
    #[error("{0}")]
    Invalid(&'static str),
}

impl WireError {
    /// The JSON-RPC code that fits: parse error for broken JSON, invalid request for the rest.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::Syntax { .. } | Self::Truncated | Self::TooDeep { .. } => crate::rpc::PARSE_ERROR,
            Self::TooLarge { .. } | Self::TooMany { .. } | Self::Invalid(_) => {
                crate::rpc::INVALID_REQUEST
            }
        }
    }
}
