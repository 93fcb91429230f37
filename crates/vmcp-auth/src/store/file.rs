//! A store in a folder of the user, shared by all processes of one machine.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `credentials.json` | the credentials, each sealed; replaced as a whole, never changed in place |
//! | `credentials.key` | the key, unless the operator gives one |
//! | `locks/` | empty files: who has one locked may write, or refresh what it is called after |
//!
//! All are the user's alone. A file that cannot be read whole is never written over: a wrong key or a damaged file
//! costs an error, not what is in it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, sleep};

use super::names::Names;
use super::{CredentialKey, CredentialStore, StoreError, StoreLock, Storing};
use crate::tasks;

mod disk;
mod format;
mod seal;

use format::Contents;
use seal::Sealer;

const DATA_FILE: &str = "credentials.json";
/// The key's file, for whoever gives no key.
pub(super) const KEY_FILE: &str = "credentials.key";
const LOCK_FOLDER: &str = "locks";
/// Who may write. No key is called like that: those are hashes.
const WRITERS: &str = "write";
/// How often a lock of another process is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// How long to wait for another process. Longer than any exchange with an issuer takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Keeps credentials in a folder, encrypted (AES-256-GCM).
#[derive(Clone)]
pub struct FileStore(Arc<Shared>);

/// With which key credentials are sealed.
#[derive(Clone)]
pub enum StoreKey {
    /// This one: 32 bytes in base64 or hex.
    Given(SecretString),
    /// One that is generated at the first write and kept in a file beside.
    Beside,
}

struct Shared {
    folder: PathBuf,
    key: StoreKey,
    names: Names,
}

// === impl FileStore ===

impl FileStore {
    /// A store in `folder`. Nothing is read or made before it is used.
    pub fn new(folder: impl Into<PathBuf>, key: StoreKey) -> Self {
        Self(Arc::new(Shared { folder: folder.into(), key, names: Names::default() }))
    }

    /// The file with the credentials.
    pub fn path(&self) -> PathBuf {
        self.0.folder.join(DATA_FILE)
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, Option<Contents>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.0);
        run(move || {
            let contents = shared.contents()?;
            work(&shared, contents)
        })
        .await
    }

    /// Reads, changes and replaces the file, alone. `change` says whether it changed something.
    async fn write(
        &self,
        change: impl FnOnce(&mut Contents, &Sealer) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<bool, StoreError> {
        let lock = self.0.lock(WRITERS).await?;
        let shared = Arc::clone(&self.0);
        run(move || {
            let _lock = lock;
            let contents = shared.contents()?;
            let unsealed = contents.as_ref().is_none_or(Contents::is_empty);
            let sealer = shared.sealer(unsealed)?;
            let path = shared.folder.join(DATA_FILE);
            let mut contents = contents.unwrap_or_default();
            contents.check_key(&sealer, &path)?;
            contents.seal_with(&sealer);
            let changed = change(&mut contents, &sealer)?;
            if changed {
                disk::replace(&shared.folder, DATA_FILE, contents.write()?.as_bytes())?;
            }
            Ok(changed)
        })
        .await
    }
}

impl CredentialStore for FileStore {
    fn get<'a>(&'a self, key: &'a CredentialKey) -> Storing<'a, Option<SecretString>> {
        let key = key.clone();
        Box::pin(self.read(move |shared, contents| {
            let Some(contents) = contents else { return Ok(None) };
            let path = shared.folder.join(DATA_FILE);
            let Some(entry) = contents.find(&key) else { return Ok(None) };
            let sealer = shared.sealer(false)?;
            contents.check_key(&sealer, &path)?;
            sealer.open(&key, entry, &path).map(Some)
        }))
    }

    fn put<'a>(&'a self, key: &'a CredentialKey, secret: SecretString) -> Storing<'a, ()> {
        let key = key.clone();
        Box::pin(async move {
            self.write(move |contents, sealer| {
                let entry = sealer.seal(&key, &secret)?;
                contents.put(key, entry);
                Ok(true)
            })
            .await
            .map(|_| ())
        })
    }

    fn remove<'a>(&'a self, key: &'a CredentialKey) -> Storing<'a, bool> {
        let key = key.clone();
        Box::pin(async move {
            // A key is generated for something to keep, not for nothing to forget.
            let known = self.read(|_, contents| Ok(contents.is_some())).await?;
            if !known {
                return Ok(false);
            }
            self.write(move |contents, _| Ok(contents.remove(&key))).await
        })
    }

    fn keys(&self) -> Storing<'_, Vec<CredentialKey>> {
        Box::pin(self.read(|_, contents| Ok(contents.map_or_else(Vec::new, |all| all.keys()))))
    }

    fn lock<'a>(&'a self, name: &'a str) -> Storing<'a, StoreLock> {
        Box::pin(async move { self.0.lock(&seal::file_name(name)).await.map(StoreLock::new) })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

// === impl StoreKey ===

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::Beside => "Beside",
        })
    }
}

// === impl Shared ===

impl Shared {
    fn contents(&self) -> Result<Option<Contents>, StoreError> {
        let path = self.folder.join(DATA_FILE);
        match disk::read_own(&path)? {
            Some(bytes) => Contents::read(&bytes, &path).map(Some),
            None => Ok(None),
        }
    }

    /// The key. One is generated only if nothing was sealed yet: a lost key is to be noticed.
    fn sealer(&self, may_generate: bool) -> Result<Sealer, StoreError> {
        if let StoreKey::Given(key) = &self.key {
            return Sealer::from_text(key);
        }
        let path = self.folder.join(KEY_FILE);
        if let Some(text) = disk::read_own(&path)? {
            return Sealer::from_bytes(&text);
        }
        if !may_generate {
            return Err(disk::missing(&path));
        }
        let text = seal::generate()?;
        disk::replace(&self.folder, KEY_FILE, text.as_bytes())?;
        Sealer::from_bytes(text.as_bytes())
    }

    /// Holds the lock in this process first: its waiters are woken, those of other processes try again.
    async fn lock(&self, name: &str) -> Result<impl Send + 'static + use<>, StoreError> {
        let here = self.names.lock(name).await;
        let folder = self.folder.join(LOCK_FOLDER);
        let path = folder.join(name);
        let opened = path.clone();
        let file = run(move || disk::open_lock(&folder, &opened)).await?;
        let until = Instant::now() + LOCK_PATIENCE;
        while !try_lock(&file, &path)? {
            if Instant::now() >= until {
                return Err(StoreError::Locked { path });
            }
            sleep(LOCK_PAUSE).await;
        }
        // The file's lock goes with the file, and before the next one here tries.
        Ok((file, here))
    }
}

fn try_lock(file: &File, path: &Path) -> Result<bool, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(disk::failed("lock", path, &error)),
    }
}

/// Files are read and written where it does not matter that this blocks.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tasks::blocking(work).await {
        Some(outcome) => outcome,
        None => Err(StoreError::Other("the runtime is shutting down".to_owned())),
    }
}
