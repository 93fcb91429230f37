//! Where vmcp keeps what outlives it: the folder, the key of the credentials in it, what the backends offer.

use std::path::PathBuf;
use std::sync::Arc;

use vmcp_auth::{CredentialStore, FileStore, MemoryStore, StoreKey};
use vmcp_config::Config;
use vmcp_gateway::Index;

use crate::exit::Failure;
use crate::sources;

/// The folder, instead of the usual one.
const FOLDER: &str = "VMCP_STATE_DIR";
/// In it, what the backends offer.
const INDEX: &str = "index";
/// The key, and a file with the key.
const KEY: &str = "VMCP_CREDENTIALS_KEY";
const KEY_FILE: &str = "VMCP_CREDENTIALS_KEY_FILE";

/// The credentials of this user. Nothing is read or made before they are used.
///
/// # Errors
/// If the key cannot be read; for a login also if there is no place to keep it.
pub(crate) fn credentials(place: Place) -> Result<Arc<dyn CredentialStore>, Failure> {
    match (folder(sources::variable), place) {
        (Some(folder), _) => Ok(Arc::new(FileStore::new(folder, key()?))),
        (None, Place::Wanted) => Ok(Arc::new(MemoryStore::new())),
        (None, Place::Needed) => {
            let text = format!("there is no place for credentials: set {FOLDER} or HOME");
            Err(Failure::usage(text))
        }
    }
}

/// What backends offered to a vmcp before this one; `None` if it is not wanted, or there is no place for it.
pub(crate) fn index(config: &Config) -> Option<Index> {
    let kept = &config.catalogue;
    let usual = || folder(sources::variable).map(|folder| folder.join(INDEX));
    let folder = kept.dir.clone().or_else(usual).filter(|_| kept.persist)?;
    Some(Index::new(folder, kept.max_age))
}

/// Whether there has to be a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Without one, nobody has logged in.
    Wanted,
    /// Something is to be kept there.
    Needed,
}

/// `$VMCP_STATE_DIR`, else `vmcp` in the state folder of the XDG base directories.
fn folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(FOLDER)
        // A relative one is to be ignored, says their specification.
        .or_else(|| {
            set("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("vmcp"))
        })
        .or_else(|| set("HOME").map(|path| path.join(".local/state/vmcp")))
}

fn key() -> Result<StoreKey, Failure> {
    match (sources::variable(KEY), sources::variable(KEY_FILE)) {
        (None, None) => Ok(StoreKey::Beside),
        (Some(key), None) => Ok(StoreKey::Given(key.into())),
        (None, Some(path)) => match (sources::SURROUNDINGS.file)(path.as_ref()) {
            Ok(key) => Ok(StoreKey::Given(key.into())),
            Err(error) => Err(Failure::usage(format!("cannot read {KEY_FILE} {path}: {error}"))),
        },
        (Some(_), Some(_)) => Err(Failure::usage(format!("set {KEY} or {KEY_FILE}, not both"))),
    }
}

#[cfg(test)]
mod tests {
    use super::folder;

    #[test]
    fn the_folder_is_where_its_user_wants_it() {
        let check = |variables: &[(&str, &str)], wanted: Option<&str>| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = folder(variable).map(|path| path.display().to_string());
            assert_eq!(found.as_deref(), wanted, "{variables:?}");
        };
        check(&[], None);
        check(&[("HOME", "/h")], Some("/h/.local/state/vmcp"));
        check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], Some("/s/vmcp"));
        check(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")], Some("/h/.local/state/vmcp"));
        check(&[("XDG_STATE_HOME", "/s"), ("VMCP_STATE_DIR", "/v")], Some("/v"));
        check(&[("HOME", "/h"), ("VMCP_STATE_DIR", "")], Some("/h/.local/state/vmcp"));
    }
}
