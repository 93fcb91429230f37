//! Files that are the user's alone, replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::key::{self, EXTENSION};
use crate::catalogue::age;

/// The end of the name of a file that is being written.
const FRESH: &str = "new";
/// Nobody writes one file for longer.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// A file that was read.
pub(super) struct Contents {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its time.
    pub modified: SystemTime,
}

/// A file that nobody else may change; `None` if there is none.
pub(super) fn read_own(path: &Path, most: u64) -> io::Result<Option<Contents>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    check_own(&about)?;
    if !about.is_file() || about.len() > most {
        return Err(io::Error::other("it is no file, or too long for one of ours"));
    }
    let room = usize::try_from(about.len()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(Contents { bytes, modified: about.modified()? }))
}

/// Puts `bytes` into the file called `name` so that a reader, or whoever comes after a crash, finds the old ones or the
/// new ones. Any number of processes may do so at the same time.
pub(super) fn replace(
    folder: &Path,
    name: &str,
    bytes: &[u8],
    modified: SystemTime,
) -> io::Result<()> {
    make_folder(folder)?;
    let random: String = key::salt()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let fresh = folder.join(format!("{name}.{random}.{FRESH}"));
    let written = own(OpenOptions::new().write(true).create_new(true))
        .open(&fresh)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.set_modified(modified)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, folder.join(name)));
    if let Err(error) = written {
        // What is left of a full disk is worth more than half a file.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    // The name is on disk when the folder is. Some file systems cannot do this; the rename stands anyway.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Sets the time of a file. False if there is none.
pub(super) fn touch(path: &Path, modified: SystemTime) -> io::Result<bool> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.set_modified(modified).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes files of ours that are older than `max_age`, and what a crash left of one that was being written.
pub(super) fn clean(folder: &Path, max_age: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let most = match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => max_age,
            Some(FRESH) => ABANDONED,
            _ => continue,
        };
        let modified = entry.metadata().and_then(|about| about.modified());
        if modified.is_ok_and(|modified| age(modified) > most) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Only the user may access what is made with these options.
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn check_own(about: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    match about.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::other("others may read or write it")),
    }
}

#[cfg(not(unix))]
fn check_own(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
