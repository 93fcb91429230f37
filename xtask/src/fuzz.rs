//! `cargo xtask fuzz`: libFuzzer on everything that reads bytes of others.
//!
//! Coverage feedback is a pass of LLVM and needs no other toolchain than the one the tree is built with:
//! the stable compiler runs it when asked by `-C passes`. There is no memory sanitizer, which would need
//! another one: without `unsafe` it has nothing to find here. What is built checks arithmetic and assertions.

mod log;
mod target;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{say, shell, workspace};

/// What makes the compiler count which code an input reaches and what it is compared with.
const FEEDBACK: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // Folded branches would look like one.
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    // The targets are in no other build that would refuse them.
    "-Dwarnings",
];

/// Options of the fuzzing run.
#[derive(Args)]
pub(crate) struct Options {
    /// The targets to run; all without one.
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run the targets on this one input instead, and show what happens.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write fuzz/Cargo.lock anew, with the versions of Cargo.lock, and do nothing else.
    #[arg(long)]
    lock: bool,
}

/// Where things are.
struct Places {
    /// The package with the targets and their seeds.
    package: PathBuf,
    /// Where it is built, and where what was found is kept.
    folder: PathBuf,
    /// The built targets.
    programs: PathBuf,
}

/// Builds the targets and runs them, as many at a time as there are cores.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    if options.lock {
        return lock(&root);
    }
    let places = places(&root)?;
    let targets = chosen(&all(&places.package)?, &options.targets)?;
    build(&root, &places, &targets)?;
    if let Some(input) = &options.input {
        return targets.iter().try_for_each(|name| target::repeat(&places, name, input));
    }
    let outcomes = run_all(&places, &targets, options.seconds);
    let mut failed = 0;
    let total = outcomes.len();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(line) => say::line(format_args!("{name}: {line}")),
            Err(error) => {
                failed += 1;
                say::line(format_args!("{name}: {error:#}"));
            }
        }
    }
    say::line(format_args!("{} passed, {failed} failed", total - failed));
    ensure!(failed == 0, "{failed} targets failed");
    Ok(())
}

/// Takes the versions that are shipped: others would be fuzzed for nothing.
fn lock(root: &Path) -> Result<()> {
    fs::copy(root.join("Cargo.lock"), root.join("fuzz/Cargo.lock"))?;
    let mut cargo = shell::cargo(root);
    cargo.args(["metadata", "--format-version=1", "--manifest-path", "fuzz/Cargo.toml"]);
    shell::output(&mut cargo).map(drop)
}

fn places(root: &Path) -> Result<Places> {
    let folder = workspace::places(root)?.target.join("fuzz");
    let programs = folder.join(host(root)?).join("release");
    Ok(Places { package: root.join("fuzz"), folder, programs })
}

/// The name of this platform. A build that names it keeps the flags from build scripts and macros.
fn host(root: &Path) -> Result<String> {
    let version = shell::output(shell::command(root, "rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it runs on")
}

/// Every target there is; each has seeds.
fn all(package: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(package.join("targets"))? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let seeds = package.join("seeds").join(name);
        ensure!(seeds.is_dir(), "the target `{name}` has no seeds in {}", seeds.display());
        names.push(name.to_owned());
    }
    names.sort();
    Ok(names)
}

fn chosen(all: &[String], wanted: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`, only {}", all.join(", "));
    }
    Ok(all.iter().filter(|name| wanted.is_empty() || wanted.contains(name)).cloned().collect())
}

fn build(root: &Path, places: &Places, targets: &[String]) -> Result<()> {
    let mut cargo = shell::cargo(root);
    cargo.args(["build", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    cargo.arg("--target").arg(host(root)?).arg("--target-dir").arg(&places.folder);
    for name in targets {
        cargo.args(["--bin", name]);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FEEDBACK.join("\u{1f}"));
    shell::run(&mut cargo)
}

/// Each core takes the next target until there is none; outcomes come in the order of the names.
fn run_all(places: &Places, targets: &[String], seconds: u64) -> Vec<(String, Result<String>)> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(name) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            say::line(format_args!("{name}: {seconds} s"));
            done.push((name.clone(), target::run(places, name, seconds)));
        }
        done
    };
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
    outcomes
}
