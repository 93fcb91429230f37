//! Ids and progress tokens exactly as their owner spelled them.

use std::fmt;

use bytes::Bytes;

use crate::WireError;

/// The JSON token of an id or progress token: a string or an integer, spelled as it came.
///
/// Two ids are equal when they are spelled the same, so `1` and `1.0` are two ids.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawId(Bytes);

impl RawId {
    /// Longest token that is taken, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// The id `n`.
    #[must_use]
    pub fn number(n: u64) -> Self {
        Self(n.to_string().into())
    }

    /// Takes a JSON token, quotes included when it is a string.
    ///
    /// # Errors
    /// When it is neither a JSON string nor an integral JSON number, or too long.
    pub fn from_token(token: Bytes) -> Result<Self, WireError> {
        Ok(Self(token))
    }

    /// The token, ready to be written into JSON.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value, when it is a number that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        std::str::from_utf8(&self.0).ok()?.parse().ok()
    }
}

// === impl Debug ===

impl fmt::Debug for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawId({})", String::from_utf8_lossy(self.as_bytes()))
    }
}
