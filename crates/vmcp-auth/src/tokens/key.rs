//! Which token is the same as which.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use crate::digest::{Digest, finish};

/// What makes a token the same as another: the SHA-256 of everything that it depends on. Holds no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKey(Digest);

/// Collects what a token depends on. Clone it where the first parts are always the same.
///
/// Each part and each list goes in with its kind and its length, so no two sequences of parts are taken for one.
#[derive(Clone)]
pub struct KeyParts(Context);

// === impl KeyParts ===

impl KeyParts {
    /// Keys of the strategy of this name, for the backend of this name.
    pub fn new(strategy: &str, backend: &str) -> Self {
        Self(Context::new(&SHA256)).part(strategy).part(backend)
    }

    /// One more part.
    #[must_use]
    pub fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.number(b'p', part.len());
        self.0.update(part);
        self
    }

    /// One more part that may be missing, which is not the same as an empty one.
    #[must_use]
    pub fn optional(self, part: Option<impl AsRef<[u8]>>) -> Self {
        self.list(part)
    }

    /// A list of parts; order counts.
    #[must_use]
    pub fn list<P: AsRef<[u8]>>(mut self, parts: impl IntoIterator<Item = P>) -> Self {
        let parts: Vec<P> = parts.into_iter().collect();
        self.number(b'l', parts.len());
        parts.into_iter().fold(self, Self::part)
    }

    /// The key.
    pub fn finish(self) -> TokenKey {
        TokenKey(finish(self.0))
    }

    fn number(&mut self, kind: u8, number: usize) {
        self.0.update(&[kind]);
        self.0.update(&u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes());
    }
}

impl fmt::Debug for KeyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyParts").finish_non_exhaustive()
    }
}

// === impl TokenKey ===

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, fourth, ..] = self.0;
        write!(f, "TokenKey({first:02x}{second:02x}{third:02x}{fourth:02x})")
    }
}
