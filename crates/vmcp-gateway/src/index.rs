//! What backends offer, kept on disk between two lives of vmcp.
//!
//! One file for each backend, replaced as a whole: a reader, or whoever comes after a crash, finds the old one or the new
//! one. It is a cache. Whatever is wrong with a file (damaged, of another vmcp, open to others) costs a warning and the
//! file, and it is never waited for: files are read before the first client comes, and written beside everything else.
//!
//! What was kept is used only for a backend that is reached as it was then ([`key`]), since another address, another
//! process or other credentials may offer something else to somebody else. What a backend offers to single callers is
//! never kept. The time of the file is when the backend confirmed last that this is what it offers.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use vmcp_backend::BackendTarget;

mod disk;
mod format;
mod keeper;
mod key;
#[cfg(test)]
mod tests;

pub(crate) use keeper::{Due, Keeper, run};

use crate::catalogue::{Inventory, Scope, age};
use format::Unfit;

/// Where what backends offer is kept between two lives of vmcp. Several processes may use one folder.
#[derive(Debug, Clone)]
pub struct Index {
    folder: PathBuf,
    max_age: Duration,
}

/// What was kept of one backend.
#[derive(Debug)]
pub(crate) struct Kept {
    /// What it offered.
    pub inventory: Inventory,
    /// When it confirmed that last.
    pub listed: SystemTime,
}

// === impl Index ===

impl Index {
    /// An index in this folder, which is made when it is needed. What was confirmed longer ago than `max_age` is not used.
    pub fn new(folder: impl Into<PathBuf>, max_age: Duration) -> Self {
        Self { folder: folder.into(), max_age }
    }

    /// What is kept of this backend, if it is of any use. Blocks.
    pub(crate) fn load(&self, target: &BackendTarget, scope: Scope) -> Option<Kept> {
        let path = self.folder.join(key::file_name(target)?);
        let aside = |reason: &str| {
            let path = path.display();
            tracing::warn!(backend = %target.id, %path, reason, "what was kept of a backend is left aside");
        };
        let read = match disk::read_own(&path, most_bytes(target)) {
            Ok(read) => read?,
            Err(error) => {
                aside(&error.to_string());
                return None;
            }
        };
        if age(read.modified) > self.max_age {
            tracing::info!(backend = %target.id, "what was kept of a backend is too old");
            return None;
        }
        match format::decode(read.bytes, |salt| key::of(target, scope, salt)) {
            Ok(inventory) => Some(Kept { inventory, listed: read.modified }),
            Err(Unfit::OfAnother) => {
                tracing::info!(backend = %target.id, "what was kept of a backend is of another configuration");
                None
            }
            Err(unfit) => {
                aside(&unfit.to_string());
                None
            }
        }
    }

    /// Keeps what this backend offers, as it confirmed at that time. Blocks.
    fn save(
        &self,
        target: &BackendTarget,
        scope: Scope,
        inventory: &Inventory,
        listed: SystemTime,
    ) -> std::io::Result<()> {
        let Some(name) = key::file_name(target) else { return Ok(()) };
        let salt = key::salt()?;
        let key = key::of(target, scope, &salt);
        let bytes = key.and_then(|key| format::encode(inventory, &salt, &key));
        match bytes.filter(|bytes| bytes.len() as u64 <= most_bytes(target)) {
            Some(bytes) => disk::replace(&self.folder, &name, &bytes, listed),
            // An older one would be wrong.
            None => self.remove(target),
        }
    }

    /// What is kept was confirmed at that time. Tells whether something is kept. Blocks.
    fn confirm(&self, target: &BackendTarget, listed: SystemTime) -> std::io::Result<bool> {
        let Some(name) = key::file_name(target) else { return Ok(true) };
        disk::touch(&self.folder.join(name), listed)
    }

    /// Keeps nothing of this backend. Blocks.
    fn remove(&self, target: &BackendTarget) -> std::io::Result<()> {
        match key::file_name(target) {
            Some(name) => disk::remove(&self.folder.join(name)),
            None => Ok(()),
        }
    }

    /// Removes what nobody will use again. Blocks.
    fn clean(&self) {
        disk::clean(&self.folder, self.max_age);
    }
}

/// The longest file for this backend: four lists, of clients with and without a session, and what stands around them.
fn most_bytes(target: &BackendTarget) -> u64 {
    (target.limits.max_list_bytes as u64).saturating_mul(16).saturating_add(1 << 20)
}
