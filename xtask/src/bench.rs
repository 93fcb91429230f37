//! `cargo xtask bench`: vmcp beside nginx and beside nothing, in one run.
//!
//! Absolute numbers depend on the machine and on what else it does. Therefore everything is measured
//! in short turns that alternate between the targets, several rounds of them, and read as ratios.

mod backend;
mod client;
mod load;
mod report;
mod session;
mod shape;
mod targets;
mod usage;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use self::load::{Load, Outcome, Sessions};
use self::report::Report;
use self::shape::{Framing, Shape};
use self::targets::Targets;
use crate::{say, shell, workspace};

pub(crate) use self::backend::run as serve_backend;

/// Where the measurements stand.
const PAGE: &str = "docs/performance.md";

/// Options of the benchmark.
#[derive(Args)]
pub(crate) struct Options {
    /// One short round without the large cases; nothing is written, nothing is installed.
    #[arg(long)]
    quick: bool,
    /// How many times each case is measured at each target.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measure only the sessions of the library, and write only their section.
    #[arg(long)]
    session: bool,
    /// Set by the program itself when it has built its fast self.
    #[arg(long, hide = true)]
    built: bool,
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Case {
    shape: Shape,
    clients: usize,
}

/// All that was measured of one case at one target, one entry per round.
struct Series {
    case: Case,
    target: &'static str,
    rounds: Vec<Outcome>,
}

/// Builds what is measured, measures, writes the page.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    if options.session {
        return only_sessions(&root, options.quick);
    }
    if !options.built {
        return run_built(&root);
    }
    let places = workspace::places(&root)?;
    let vmcp = places.target.join("release/vmcp");
    let runtime = tokio::runtime::Runtime::new()?;
    let targets = targets::start(&root, &places.cache, &vmcp, !options.quick)?;
    // Sessions first: a process that has carried load keeps memory, and would not grow by them.
    let sessions = runtime.block_on(open_sessions(options, &targets))?;
    let series = runtime.block_on(measure(options, &targets))?;
    let report = Report::new(&series, &sessions, targets.nginx.as_deref());
    let text = report.page(options.rounds, options.seconds)?;
    let text = session::replaced(&text, &session::measure(&root, &report::commit())?);
    say::line(&text);
    if options.quick {
        return Ok(());
    }
    let page = root.join(PAGE);
    std::fs::write(&page, text).with_context(|| page.display().to_string())
}

fn only_sessions(root: &Path, quick: bool) -> Result<()> {
    let section = session::measure(root, &report::commit())?;
    say::line(&section);
    if quick {
        return Ok(());
    }
    let page = root.join(PAGE);
    let text = std::fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    Ok(std::fs::write(&page, session::replaced(&text, &section))?)
}

/// A load generator built for debugging would measure itself. This one builds itself and vmcp anew
/// and hands over.
fn run_built(root: &Path) -> Result<()> {
    for package in ["vmcp", "xtask"] {
        shell::run(shell::cargo(root).args(["build", "--release", "--locked", "-p", package]))?;
    }
    let program = workspace::places(root)?.target.join("release/xtask");
    let mut command = shell::command(root, program);
    command.args(std::env::args_os().skip(1)).arg("--built");
    shell::run(&mut command)
}

/// The cases: many clients with small replies, then larger replies and event streams.
fn cases(quick: bool) -> Vec<Case> {
    let case = |framing, bytes, clients| Case { shape: Shape { framing, bytes }, clients };
    let clients: &[usize] = if quick { &[1, 16] } else { &[1, 16, 64, 256] };
    let mut cases: Vec<Case> =
        clients.iter().map(|clients| case(Framing::Json, 100, *clients)).collect();
    cases.push(case(Framing::Sse, 100, 16));
    for framing in [Framing::Json, Framing::Sse] {
        cases.extend([10_000, 1_000_000].map(|bytes| case(framing, bytes, 16)));
    }
    cases
}

async fn measure(options: &Options, targets: &Targets) -> Result<Vec<Series>> {
    let (rounds, seconds) =
        if options.quick { (1, 0.3) } else { (options.rounds.max(1), options.seconds) };
    let cases = cases(options.quick);
    let mut series: Vec<Series> = cases
        .iter()
        .flat_map(|case| targets.all.iter().map(|target| (*case, target.name)))
        .map(|(case, target)| Series { case, target, rounds: Vec::with_capacity(rounds) })
        .collect();
    for round in 0..rounds {
        say::line(format_args!("round {} of {rounds}", round + 1));
        for case in &cases {
            // Every target goes first in some round.
            for turn in 0..targets.all.len() {
                let target = &targets.all[(turn + round) % targets.all.len()];
                let time = Duration::from_secs_f64(seconds);
                let load = Load { shape: case.shape, clients: case.clients, time };
                let outcome = load::run(target.to, load)
                    .await
                    .with_context(|| format!("{} clients at {}", case.clients, target.name))?;
                let own = series.iter_mut().find(|s| s.case == *case && s.target == target.name);
                if let Some(own) = own {
                    own.rounds.push(outcome);
                }
            }
        }
    }
    Ok(series)
}

async fn open_sessions(
    options: &Options,
    targets: &Targets,
) -> Result<Vec<(&'static str, Sessions)>> {
    let (warm_up, count) = if options.quick { (5, 50) } else { (50, 1000) };
    let shape = Shape { framing: Framing::Json, bytes: 100 };
    let mut all = Vec::new();
    for target in &targets.all {
        load::sessions(target.to, shape, warm_up).await?;
        all.push((target.name, load::sessions(target.to, shape, count).await?));
    }
    Ok(all)
}
