//! The text of one short token that may be cut by chunk boundaries.

/// Follows a token; copies only what a boundary would take away.
#[derive(Debug, Clone, Default)]
pub(super) struct Token {
    /// Where the token starts in the current chunk, while one is followed.
    start: Option<usize>,
    /// Its part in earlier chunks.
    carried: Vec<u8>,
    /// Longest token of interest; a longer one is followed no further.
    max: usize,
}

impl Token {
    pub(super) fn begin(&mut self, at: usize, max: usize) {
        self.start = Some(at);
        self.carried.clear();
        self.max = max;
    }

    /// The complete token, which ends before `at`. None when it is too long.
    pub(super) fn end<'a>(&'a mut self, chunk: &'a [u8], at: usize) -> Option<&'a [u8]> {
        let part = &chunk[self.start.take()?..at];
        if self.carried.len() + part.len() > self.max {
            return None;
        }
        if self.carried.is_empty() {
            return Some(part);
        }
        self.carried.extend_from_slice(part);
        Some(&self.carried)
    }

    /// The chunk ends.
    pub(super) fn carry(&mut self, chunk: &[u8]) {
        let Some(start) = self.start else { return };
        let part = &chunk[start..];
        // Too long already: forget it, so that `end` finds nothing.
        self.start = (self.carried.len() + part.len() <= self.max).then_some(0);
        if self.start.is_some() {
            self.carried.extend_from_slice(part);
        }
    }
}
