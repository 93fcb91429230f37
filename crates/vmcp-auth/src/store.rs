//! Where what a login gained is kept.
//!
//! A store keeps one secret text for each [`CredentialKey`] and knows nothing of what is in it. There are two:
//! [`MemoryStore`] for a process that forgets, and [`FileStore`] for the state folder of a user, encrypted and shared by
//! all processes of one machine.
//!
//! Reading and writing are short. What takes time, such as asking an issuer for a fresh token, is done by the one who
//! holds the [`lock`](CredentialStore::lock): a refresh token that an issuer takes only once must not be used by two
//! processes at the same time.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use file::{FileStore, StoreKey};
pub use memory::MemoryStore;

mod file;
mod memory;
mod names;

/// What a credential is for. All four count: none is ever used where one of them differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialKey {
    /// The backend's name: two accounts at one server are two backends.
    pub backend: String,
    /// The backend's URL, without its query.
    pub server: String,
    /// Who issued it.
    pub issuer: String,
    /// To which client.
    pub client: String,
}

/// What a store is asked, under way.
pub type Storing<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for credentials.
///
/// # Cancel safety
/// Of every method: dropping the future leaves a write done or not done, never half.
pub trait CredentialStore: fmt::Debug + Send + Sync {
    /// The secret under `key`.
    fn get<'a>(&'a self, key: &'a CredentialKey) -> Storing<'a, Option<SecretString>>;

    /// Keeps `secret` under `key`, in place of what was there.
    fn put<'a>(&'a self, key: &'a CredentialKey, secret: SecretString) -> Storing<'a, ()>;

    /// Forgets what is under `key`; whether there was something.
    fn remove<'a>(&'a self, key: &'a CredentialKey) -> Storing<'a, bool>;

    /// All keys, sorted.
    fn keys(&self) -> Storing<'_, Vec<CredentialKey>>;

    /// Waits until nobody else, in this process or another, holds the lock called `name`, and holds it.
    ///
    /// Reading and writing do not need it.
    fn lock<'a>(&'a self, name: &'a str) -> Storing<'a, StoreLock>;
}

/// A held lock; dropping it lets the next one in.
pub struct StoreLock(#[expect(dead_code, reason = "held, not read")] Box<dyn Any + Send>);

/// Why a store cannot do what it was asked. Nothing that was stored is lost or changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file system says no.
    #[error("cannot {what} {}: {reason}", path.display())]
    Files {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Its answer.
        reason: String,
    },
    /// Others could read or change a file that is the user's alone.
    #[error("{} can be accessed by others (mode {mode:o}); run: chmod go= {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What is in the file is not what was written.
    #[error("{} is damaged: {reason}; it was left as it is", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        reason: String,
    },
    /// A newer program wrote the file.
    #[error("{} has format {version}, which this vmcp is too old for; it was left as it is", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// The file was sealed with another key.
    #[error(
        "{} was sealed with another key than the present one (VMCP_CREDENTIALS_KEY, or {} beside it); \
         it was left as it is", path.display(), file::KEY_FILE
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is none.
    #[error(
        "the credentials key {0}; it is 32 random bytes in base64 or hex, such as of: openssl rand -base64 32"
    )]
    BadKey(&'static str),
    /// Somebody held the lock for too long.
    #[error("{} is locked by another process for too long", path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// Another store than those of this crate failed.
    #[error("the credential store failed: {0}")]
    Other(String),
}

// === impl StoreLock ===

impl StoreLock {
    /// A lock that is held as long as `guard` lives.
    pub fn new(guard: impl Any + Send) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
