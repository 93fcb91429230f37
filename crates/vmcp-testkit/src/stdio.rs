//! Finds the `testkit-stdio` binary from the tests of any crate.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The path of `testkit-stdio`, an MCP server over standard streams that misbehaves on request.
///
/// Cargo builds a binary only for the tests of its own package, so that from another crate it may be missing or older
/// than its sources: then this runs `cargo build` for it, in the target folder and profile of the running test. Its
/// arguments and tools stand at the top of `src/bin/testkit-stdio/main.rs` and `tools.rs`.
pub fn stdio_peer() -> io::Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PATH.get_or_init(|| find().map_err(|error| error.to_string()));
    found.clone().map_err(io::Error::other)
}

fn find() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own
        .ancestors()
        .find(|folder| folder.join("deps").is_dir())
        .ok_or_else(|| io::Error::other("not run from a cargo target folder"))?;
    let binary = profile.join("testkit-stdio");
    if !is_fresh(&binary) {
        build(profile)?;
    }
    Ok(binary)
}

/// Whether the binary is there and no source of this crate is newer.
fn is_fresh(binary: &Path) -> bool {
    let built = binary.metadata().and_then(|metadata| metadata.modified());
    let source = newest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin"));
    matches!((built, source), (Ok(built), Ok(source)) if built >= source)
}

fn newest(folder: &Path) -> io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in folder.read_dir()? {
        let entry = entry?;
        let changed = match entry.file_type()?.is_dir() {
            true => self::newest(&entry.path())?,
            false => entry.metadata()?.modified()?,
        };
        newest = newest.max(changed);
    }
    Ok(newest)
}

fn build(profile: &Path) -> io::Result<()> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--bin", "testkit-stdio", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(profile.parent().unwrap_or(profile));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    match command.status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other("testkit-stdio could not be built")),
    }
}
