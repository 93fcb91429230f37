//! `cargo xtask conformance`: the official suite against a backend, and against vmcp in front of it; with
//! `--client`, the suite's servers against the client that vmcp is.
//!
//! A gateway is transparent when it loses nothing: every check that passes direct passes through it, whatever the
//! backend behind it speaks. So each revision is run once direct, against a backend that speaks everything, and once
//! through vmcp for each era that a backend can be pinned to. What the suite makes of the backend itself is the
//! backend's matter. What vmcp cannot keep stands in a list, with the reason.

mod client;
mod compare;
mod expected;
mod gaps;
mod matrix;
mod page;
mod suite;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::compare::{Comparison, Run};
use self::gaps::{Gaps, Kind};
use self::matrix::{Cell, Choice, Peer};
use self::page::Page;
use self::suite::Suite;
use crate::process::Running;
use crate::workspace::{self, Places};
use crate::{say, shell, subject};

/// Where the results are written up.
const PAGE: &str = "docs/conformance.md";

/// Options of the conformance run.
#[derive(Args)]
pub(crate) struct Options {
    /// Run these cells of the matrix only, such as `2026-07-28` or `2026-07-28:legacy`: the client's revision, and
    /// the era (legacy, modern, both) of the backend. The page of results is not written then.
    #[arg(long, value_name = "REVISION[:ERA]")]
    cell: Vec<Choice>,
    /// Run the scenarios for clients, against the session that speaks to backends.
    #[arg(long, conflicts_with = "cell")]
    client: bool,
}

/// Runs the suite direct and through vmcp, and compares; or once, against the client.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    let places = workspace::places(&root)?;
    build(&root)?;
    let suite = Suite::install(&root, &places.cache)?;
    if options.client {
        return client::run(&suite, &places);
    }
    let gaps = Gaps::read()?;
    let chosen = |cell: &Cell| options.takes(*cell);
    let results = matrix(Cell::all().filter(chosen), &gaps, &suite, &places)?;
    if options.cell.is_empty() {
        let page = Page { suite: &suite.version, results: &results, gaps: &gaps };
        fs::write(root.join(PAGE), page.text()?)?;
    }
    say::line("");
    for (cell, comparison) in &results {
        say::line(summary(*cell, comparison));
    }
    let count = |of: fn(&Comparison) -> usize| -> usize {
        results.iter().map(|(_, comparison)| of(comparison)).sum()
    };
    let (passed, failed) = (count(Comparison::passed), count(Comparison::failed));
    let skipped = count(|c| c.other() + c.known(Kind::Excluded) + c.known(Kind::Lost));
    say::line(format_args!("{passed} passed, {failed} failed, {skipped} skipped"));
    ensure!(failed == 0, "what vmcp was sent stands under {}", suite.folder.display());
    Ok(())
}

/// Built as the tests are, with the same features: nothing is compiled again after them.
fn build(root: &Path) -> Result<()> {
    let mut cargo = shell::cargo(root);
    cargo.args(["build", "--workspace", "--all-features", "--bins", "--examples", "--locked"]);
    shell::run(&mut cargo)
}

/// Runs the cells, each revision once direct before its first cell.
fn matrix(
    cells: impl Iterator<Item = Cell>,
    gaps: &Gaps,
    suite: &Suite,
    places: &Places,
) -> Result<Vec<(Cell, Comparison)>> {
    let mut directs: BTreeMap<&str, Run> = BTreeMap::new();
    let mut results = Vec::new();
    for cell in cells {
        if !directs.contains_key(cell.revision) {
            directs.insert(cell.revision, direct(suite, places, cell.revision)?);
        }
        let through = through(suite, places, cell)?;
        let direct = directs.get(cell.revision).context("a revision was not run direct")?;
        let comparison = Comparison::new(direct, &through, &gaps.of(cell));
        say::line(format_args!("{}\n{comparison}", summary(cell, &comparison)));
        results.push((cell, comparison));
    }
    Ok(results)
}

fn summary(cell: Cell, comparison: &Comparison) -> String {
    format!(
        "{:<18} {:>4} direct {:>4} through {:>3} excluded {:>3} known losses {:>3} wrong",
        cell.to_string(),
        comparison.direct(),
        comparison.passed(),
        comparison.known(Kind::Excluded),
        comparison.known(Kind::Lost),
        comparison.failed(),
    )
}

fn direct(suite: &Suite, places: &Places, revision: &str) -> Result<Run> {
    let (address, _backend) = backend(places, Peer::Both)?;
    let folder = suite.of_server(&format!("{revision}-direct"), address, revision)?;
    let run = compare::read(&folder)?;
    // The backend is ours: what it fails itself would go unseen behind vmcp.
    let failed = run.failed();
    ensure!(failed.is_empty(), "the backend itself fails {}", failed.join(", "));
    ensure!(run.passed() > 0, "no check passed direct");
    Ok(run)
}

fn through(suite: &Suite, places: &Places, cell: Cell) -> Result<Run> {
    let (address, _backend) = backend(places, cell.peer)?;
    let vmcp = places.target.join("debug/vmcp");
    let name = cell.to_string();
    let mut subject = subject::start(&vmcp, address, &suite.folder.join("vmcp").join(&name))?;
    let results = suite.of_server(&name, subject.address, cell.revision)?;
    subject.process.lasted()?;
    compare::read(&results)
}

/// A fresh backend for each run: the suite changes what it holds.
fn backend(places: &Places, peer: Peer) -> Result<(SocketAddr, Running)> {
    let program = places.target.join("debug/examples/conformance-backend");
    let mut command = shell::command(&places.cache, program);
    command.args(["--port", "0", "--era", peer.era()]).stdout(Stdio::piped());
    let mut process = Running::start("the backend", &mut command)?;
    let address = process.announced("http://")?;
    let address = address.split('/').next().and_then(|address| address.parse().ok());
    Ok((address.context("the backend did not say where it listens")?, process))
}

// === impl Options ===

impl Options {
    fn takes(&self, cell: Cell) -> bool {
        self.cell.is_empty() || self.cell.iter().any(|choice| choice.takes(cell))
    }
}
