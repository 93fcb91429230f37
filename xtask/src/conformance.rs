//! `cargo xtask conformance`: the official suite against a backend, and against vmcp in front of it; with
//! `--client`, the suite's servers against the client that vmcp is.
//!
//! A gateway is transparent when it loses nothing: every check that passes direct passes through it. What
//! the suite makes of the backend itself is the backend's matter.

mod client;
mod compare;
mod expected;
mod suite;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::compare::Comparison;
use self::suite::Suite;
use crate::process::Running;
use crate::workspace::{self, Places};
use crate::{say, shell, subject};

/// Options of the conformance run.
#[derive(Args)]
pub(crate) struct Options {
    /// The revision whose requirements are run, at that revision's wire.
    #[arg(long, default_value = "2025-11-25")]
    requirements: String,
    /// A scenario, or scenario:check, whose loss is known and wanted. It is printed all the same.
    #[arg(long, value_name = "SCENARIO[:CHECK]")]
    ignore: Vec<String>,
    /// Run the scenarios for clients, against the session that speaks to backends.
    #[arg(long)]
    client: bool,
}

/// Runs the suite twice and compares; or once, against the client.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    let places = workspace::places(&root)?;
    build(&root)?;
    let suite = Suite::install(&root, &places.cache)?;
    if options.client {
        return client::run(&suite, &places);
    }
    let direct = direct(&suite, &places, &options.requirements)?;
    let through = through(&suite, &places, &options.requirements)?;
    let comparison =
        Comparison::new(&compare::read(&direct)?, &compare::read(&through)?, &options.ignore);
    ensure!(comparison.passed() + comparison.lost() > 0, "no check passed direct");
    say::line(&comparison);
    ensure!(
        comparison.lost() == 0,
        "vmcp lost checks; what it was sent stands under {}",
        through.display()
    );
    Ok(())
}

/// Built as the tests are, with the same features: nothing is compiled again after them.
fn build(root: &Path) -> Result<()> {
    let mut cargo = shell::cargo(root);
    cargo.args(["build", "--workspace", "--all-features", "--bins", "--examples", "--locked"]);
    shell::run(&mut cargo)
}

fn direct(suite: &Suite, places: &Places, requirements: &str) -> Result<PathBuf> {
    let (address, _backend) = backend(places)?;
    suite.of_server("direct", address, requirements)
}

fn through(suite: &Suite, places: &Places, requirements: &str) -> Result<PathBuf> {
    let (address, _backend) = backend(places)?;
    let vmcp = places.target.join("debug/vmcp");
    let subject = subject::start(&vmcp, address, &suite.folder)?;
    let results = suite.of_server("through", subject.address, requirements)?;
    drop(subject.process);
    Ok(results)
}

/// A fresh backend for each run: the suite changes what it holds.
fn backend(places: &Places) -> Result<(SocketAddr, Running)> {
    let program = places.target.join("debug/examples/conformance-backend");
    let mut command = shell::command(&places.cache, program);
    command.args(["--port", "0"]).stdout(Stdio::piped());
    let mut process = Running::start("the backend", &mut command)?;
    let address = process.announced("http://")?;
    let address = address.split('/').next().and_then(|address| address.parse().ok());
    Ok((address.context("the backend did not say where it listens")?, process))
}
