//! vmcp as the guard of the processes it starts, so that they end with it even if it is killed.
//!
//! It starts each through itself, as `vmcp __guard -- COMMAND ARGUMENT...`; what the guard does is in
//! [`vmcp_backend::guard`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// What comes between this program and the command.
pub(crate) const WORDS: [&str; 2] = ["__guard", "--"];

/// The link to this program on Linux: right even after the file was replaced by a newer one.
const ITSELF: &str = "/proc/self/exe";

/// Is a guard, if that is what this process was started for.
///
/// Not a command for people, so the command line's parser does not know it; and it has to come before a runtime is
/// started, because a guard is a small process with one thread.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = words.into_iter().skip(1);
    let all = WORDS.iter().all(|word| words.next().is_some_and(|given| given == *word));
    all.then(|| vmcp_backend::guard(words))
}

/// The program to be started as a guard; `None` if it cannot be found.
pub(crate) fn program() -> Option<PathBuf> {
    let itself = PathBuf::from(ITSELF);
    if itself.exists() {
        return Some(itself);
    }
    std::env::current_exe().ok()
}
