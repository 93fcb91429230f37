//! One target: its corpus, its run, and what is left of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Places;
use super::log::Log;
use crate::shell;

/// Longest input. What is read in chunks and levels shows everything it can do within this.
const LONGEST: &str = "-max_len=4096";
/// One input may take this many seconds. All of them take milliseconds: what does not is not linear.
const SLOWEST: &str = "-timeout=5";
/// One input may make the target as large as this many mebibytes.
const LARGEST: &str = "-rss_limit_mb=1024";

/// Runs a target for some time; says in one line what it saw.
///
/// What it learned stays in the target folder, so that a longer run begins where a shorter one ended.
pub(super) fn run(places: &Places, name: &str, seconds: u64) -> Result<String> {
    let corpus = places.folder.join("corpus").join(name);
    let crashes = places.folder.join("crashes").join(name);
    for folder in [&corpus, &crashes] {
        fs::create_dir_all(folder)?;
    }
    let path = places.folder.join(format!("{name}.log"));
    let log = fs::File::create(&path)?;
    let mut command = program(places, name);
    // The first folder is the one that is written to.
    command.arg(&corpus).arg(places.package.join("seeds").join(name));
    command.arg(format!("-max_total_time={seconds}"));
    // With a slash at its end it is a folder.
    command.arg(format!("-artifact_prefix={}/", crashes.display()));
    command.stdout(log.try_clone()?).stderr(log);
    let status = command.status().with_context(|| format!("{name} cannot be started"))?;
    let log = Log::read(&fs::read_to_string(&path)?);
    if status.success() {
        return log.summary().with_context(|| format!("see {}", path.display()));
    }
    let Some(input) = log.input else {
        bail!("ended with {status}, see {}", path.display());
    };
    bail!(
        "{}\n  the input: {input}\n  again: cargo xtask fuzz {name} --input {input}",
        log.failure.trim_end()
    )
}

/// Runs a target on one input, with all that it says shown.
pub(super) fn repeat(places: &Places, name: &str, input: &Path) -> Result<()> {
    let input = input.canonicalize().with_context(|| input.display().to_string())?;
    shell::run(program(places, name).arg(input).env("RUST_BACKTRACE", "1"))
}

fn program(places: &Places, name: &str) -> Command {
    let mut command = shell::command(&places.folder, places.programs.join(name));
    command.args([LONGEST, SLOWEST, LARGEST, "-print_final_stats=1"]);
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}
