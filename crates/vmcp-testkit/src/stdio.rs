//! Finds the `testkit-stdio` binary from the tests of any crate.

use std::io;
use std::path::{Path, PathBuf};

/// The path of `testkit-stdio`.
pub fn stdio_peer() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.ancestors().find(|folder| folder.join("deps").is_dir()).map(Path::to_owned);
    let profile = profile.ok_or_else(|| io::Error::other("not run from a cargo target folder"))?;
    Ok(profile.join("testkit-stdio"))
}
