//! The file: a header that says format, version and key, then the entries.
//!
//! What an entry is for stands in the open, so that what there is can be listed without the key; what was gained is
//! sealed. Entries that are not touched are written back as they were read.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::seal::Sealer;
use crate::store::{CredentialKey, StoreError};

const FORMAT: &str = "vmcp-credentials";
const VERSION: u64 = 1;

/// What is in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    format: String,
    version: u64,
    /// Which key sealed the entries.
    sealed_with: String,
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#for: CredentialKey,
    sealed: Sealed,
}

/// A sealed text: both in base64, the tag at the end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    pub(super) nonce: String,
    pub(super) text: String,
}

/// What every version has.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
}

// === impl Contents ===

impl Contents {
    pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Self, StoreError> {
        let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
        let header: Header =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if header.format != FORMAT {
            return Err(damaged("it is a file of something else".to_owned()));
        }
        if header.version != VERSION {
            return Err(StoreError::TooNew { path: path.to_owned(), version: header.version });
        }
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))
    }

    pub(super) fn write(&self) -> Result<String, StoreError> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|error| StoreError::Other(error.to_string()))
    }

    /// Whether the entries were sealed with this key. A file without entries takes any.
    pub(super) fn check_key(&self, sealer: &Sealer, path: &Path) -> Result<(), StoreError> {
        if self.is_empty() || self.sealed_with == sealer.id() {
            return Ok(());
        }
        Err(StoreError::OtherKey { path: path.to_owned() })
    }

    pub(super) fn seal_with(&mut self, sealer: &Sealer) {
        sealer.id().clone_into(&mut self.sealed_with);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn find(&self, key: &CredentialKey) -> Option<&Sealed> {
        self.entries.iter().find(|entry| entry.r#for == *key).map(|entry| &entry.sealed)
    }

    pub(super) fn put(&mut self, key: CredentialKey, sealed: Sealed) {
        match self.entries.iter_mut().find(|entry| entry.r#for == key) {
            Some(entry) => entry.sealed = sealed,
            None => self.entries.push(Entry { r#for: key, sealed }),
        }
    }

    pub(super) fn remove(&mut self, key: &CredentialKey) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.r#for != *key);
        self.entries.len() < before
    }

    pub(super) fn keys(self) -> Vec<CredentialKey> {
        let mut keys: Vec<CredentialKey> =
            self.entries.into_iter().map(|entry| entry.r#for).collect();
        keys.sort_unstable();
        keys
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            sealed_with: String::new(),
            entries: Vec::new(),
        }
    }
}
