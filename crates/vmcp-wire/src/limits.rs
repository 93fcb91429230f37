//! The bounds under which a message is read.

/// Bounds on one message. Crossing one is an error, never a truncation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message that has to be held in memory as a whole.
    pub max_bytes: usize,
    /// Objects and arrays inside each other.
    pub max_depth: usize,
    /// Messages in one batch.
    pub max_batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 16 << 20, max_depth: 128, max_batch: 1000 }
    }
}
