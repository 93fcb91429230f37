//! Files that are the user's alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::store::StoreError;

/// More than any file of ours has.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The bytes of a file that nobody else may access; `None`: there is none.
pub(super) fn read_own(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path, &error)),
    };
    check_own(&file, path)?;
    let length = file.metadata().map_err(|error| failed("read", path, &error))?.len();
    // Room for all of it at once: no copy is left behind by growing.
    let room = usize::try_from(length.min(MAX_BYTES)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    let mut bounded = file.take(MAX_BYTES + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| failed("read", path, &error))?;
    if bytes.len() > room {
        let reason = "it is too large, or changed while it was read".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), reason });
    }
    Ok(Some(bytes))
}

/// Puts `bytes` into the file called `name` so that a reader, or whoever comes after a crash, finds the old ones or
/// the new ones.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    make_folder(folder)?;
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    // Left behind by a crash: whoever writes is alone, so it is nobody's.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("remove", &fresh, &error));
        }
        _ => {}
    }
    let written = own(OpenOptions::new().write(true).create_new(true))
        .open(&fresh)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| failed("write", &fresh, &error))?;
    fs::rename(&fresh, &path).map_err(|error| failed("replace", &path, &error))?;
    // The name is on disk when the folder is. Some file systems cannot do this; the rename stands anyway.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file to lock.
pub(super) fn open_lock(folder: &Path, path: &Path) -> Result<File, StoreError> {
    make_folder(folder)?;
    own(OpenOptions::new().read(true).write(true).create(true).truncate(false))
        .open(path)
        .map_err(|error| failed("open", path, &error))
}

pub(super) fn missing(path: &Path) -> StoreError {
    let error =
        io::Error::new(ErrorKind::NotFound, "it is not there, but something was sealed with it");
    failed("read", path, &error)
}

pub(super) fn failed(what: &'static str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Files { what, path: path.to_owned(), reason: error.to_string() }
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| failed("make", folder, &error))
}

/// Only the user may access what is made with these options.
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn check_own(file: &File, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata().map_err(|error| failed("read", path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::Exposed { path: path.to_owned(), mode })
}

#[cfg(not(unix))]
fn check_own(_: &File, _: &Path) -> Result<(), StoreError> {
    Ok(())
}
