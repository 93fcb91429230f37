//! What keeps a client's unfinished business, and the keys it is sealed with on its way through the client.

use std::sync::Arc;
use std::time::Duration;

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretBox};

/// How long a key is, in bytes.
const LEN: usize = 32;

/// Sealing of what a client carries for vmcp between two of its requests, and bounds of what waits meanwhile.
#[derive(Debug, Clone)]
pub struct Seal {
    /// What is sealed from now on. `None`: a key of this process alone, made when it starts.
    pub key: Option<SealKey>,
    /// Keys that were used before: what they sealed is still taken.
    pub previous: Vec<SealKey>,
    /// How long a call whose client was asked something waits for the answers.
    pub parked_timeout: Duration,
    /// How long what is sealed is taken back where no call waits for it.
    pub lifetime: Duration,
    /// Calls that wait at one time.
    pub max_parked: usize,
    /// Those of one principal.
    pub max_parked_per_principal: usize,
    /// Bytes of one sealed text.
    pub max_bytes: usize,
}

/// 256 secret bits. Nothing prints them; they are overwritten when the last copy is dropped.
#[derive(Clone)]
pub struct SealKey(Arc<SecretBox<[u8; LEN]>>);

// === impl Seal ===

impl Default for Seal {
    fn default() -> Self {
        Self {
            key: None,
            previous: Vec::new(),
            parked_timeout: Duration::from_secs(5 * 60),
            lifetime: Duration::from_secs(60 * 60),
            max_parked: 4096,
            max_parked_per_principal: 64,
            max_bytes: 64 * 1024,
        }
    }
}

// === impl SealKey ===

impl SealKey {
    /// Takes 32 bytes.
    #[must_use]
    pub fn new(mut bytes: [u8; LEN]) -> Self {
        let key = SecretBox::new(Box::new(bytes));
        bytes.zeroize();
        Self(Arc::new(key))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; LEN] {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey([REDACTED])")
    }
}
