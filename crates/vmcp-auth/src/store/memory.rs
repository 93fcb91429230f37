//! A store that ends with its process.

use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;
use secrecy::SecretString;

use super::names::Names;
use super::{CredentialKey, CredentialStore, StoreLock, Storing};

/// Keeps credentials as long as it lives.
#[derive(Default)]
pub struct MemoryStore {
    /// Short sections only.
    secrets: Mutex<BTreeMap<CredentialKey, SecretString>>,
    names: Names,
}

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl CredentialStore for MemoryStore {
    fn get<'a>(&'a self, key: &'a CredentialKey) -> Storing<'a, Option<SecretString>> {
        Box::pin(async { Ok(self.secrets.lock().get(key).cloned()) })
    }

    fn put<'a>(&'a self, key: &'a CredentialKey, secret: SecretString) -> Storing<'a, ()> {
        Box::pin(async {
            self.secrets.lock().insert(key.clone(), secret);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a CredentialKey) -> Storing<'a, bool> {
        Box::pin(async { Ok(self.secrets.lock().remove(key).is_some()) })
    }

    fn keys(&self) -> Storing<'_, Vec<CredentialKey>> {
        Box::pin(async { Ok(self.secrets.lock().keys().cloned().collect()) })
    }

    fn lock<'a>(&'a self, name: &'a str) -> Storing<'a, StoreLock> {
        Box::pin(async { Ok(StoreLock::new(self.names.lock(name).await)) })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("secrets", &self.secrets.lock().len()).finish()
    }
}
