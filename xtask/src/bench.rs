//! `cargo xtask bench`: vmcp beside nginx, beside nothing and beside others, in one run.
//!
//! Absolute numbers depend on the machine and on what else it does. Therefore everything is measured
//! in short turns that alternate between the targets, several rounds of them, and read as ratios.
//! Each case has a section of its own; what was aimed at stands beside what came out.

mod backend;
mod case;
mod cases;
mod client;
mod instructions;
mod load;
mod nginx;
mod page;
mod peers;
mod results;
mod shape;
mod spread;
mod stand;
mod usage;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::case::{Case, USUAL};
use self::cases::soak;
use self::results::{Results, Run, Section};
use self::stand::Stand;
use crate::{say, shell, workspace};

pub(crate) use self::backend::{run as serve_backend, run_pipe as serve_backend_on_pipe};

/// How many rounds a glance has, and how long each.
const QUICK: (usize, Duration) = (1, Duration::from_millis(300));

/// Options of the benchmark.
#[derive(Args)]
pub(crate) struct Options {
    /// One short round; nothing is written, nothing is fetched.
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given several times. The other sections of the page stay.
    #[arg(long, value_name = "CASE")]
    only: Vec<Case>,
    /// Measure other gateways that registries have, and nothing else. The first time installs them.
    #[arg(long)]
    peers: bool,
    /// Load vmcp for so many minutes, and nothing else.
    #[arg(long, value_name = "MINUTES")]
    soak: Option<f64>,
    /// With `--soak`: so many calls per second of all clients, so that the machine can do other work meanwhile.
    #[arg(long, requires = "soak", value_name = "CALLS")]
    rate: Option<f64>,
    /// Count instructions under valgrind and compare them with those on record, and nothing else.
    #[arg(long)]
    instructions: bool,
    /// With `--instructions`: put what was counted on record.
    #[arg(long, requires = "instructions")]
    accept: bool,
    /// Write the page anew from what was measured before; measure nothing.
    #[arg(long)]
    page: bool,
    /// How many times each thing is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// Set by the program itself when it has built its fast self.
    #[arg(long, hide = true)]
    built: bool,
}

/// Builds what is measured, measures, writes the page.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    if options.page {
        return page::write(&root, &Results::read(&root)?);
    }
    if options.instructions {
        let section = instructions::run(&root, options.accept)?;
        return if options.accept { keep(&root, Case::Instructions, section) } else { Ok(()) };
    }
    if !options.built {
        return run_built(&root);
    }
    let stand = stand(&root, options)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut failed = Vec::new();
    for case in wanted(options) {
        let start = Instant::now();
        say::step(case.name());
        let measured = runtime.block_on(async {
            match case {
                Case::Peers => peers::measure(&stand).await,
                Case::Soak => {
                    let minutes = options.soak.unwrap_or(30.0);
                    let time = Duration::from_secs_f64(minutes * 60.0);
                    soak::measure(&stand, time, options.rate.unwrap_or(soak::RATE)).await
                }
                case => case.measure(&stand).await,
            }
        });
        let kept = measured.and_then(|section| {
            show(&section)?;
            if options.quick { Ok(()) } else { keep(&root, case, section) }
        });
        // What else there is to measure is worth measuring.
        if let Err(error) = kept {
            say::line(format_args!("{} failed: {error:#}", case.name()));
            failed.push(case.name());
        }
        say::line(format_args!("{} took {} s", case.name(), start.elapsed().as_secs()));
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn wanted(options: &Options) -> Vec<Case> {
    if options.peers {
        return vec![Case::Peers];
    }
    if options.soak.is_some() {
        return vec![Case::Soak];
    }
    if options.only.is_empty() { USUAL.to_vec() } else { options.only.clone() }
}

fn stand(root: &Path, options: &Options) -> Result<Stand> {
    let places = workspace::places(root)?;
    let folder = places.cache.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let usual = (options.rounds.max(1), Duration::from_secs_f64(options.seconds));
    let (rounds, time) = if options.quick { QUICK } else { usual };
    let vmcp = places.target.join("release/vmcp");
    Ok(Stand { root: root.to_path_buf(), folder, vmcp, rounds, time, quick: options.quick })
}

/// A load generator built for debugging would measure itself. This one builds itself and vmcp anew
/// and hands over.
fn run_built(root: &Path) -> Result<()> {
    let mut build = shell::cargo(root);
    build.args(["build", "--release", "--locked", "-p", "vmcp", "-p", "xtask"]);
    shell::run(&mut build)?;
    let program = workspace::places(root)?.target.join("release/xtask");
    let mut command = shell::command(root, program);
    command.args(std::env::args_os().skip(1)).arg("--built");
    shell::run(&mut command)
}

/// Puts a section in the place of what was measured before.
fn keep(root: &Path, case: Case, mut section: Section) -> Result<()> {
    section.run = Run::here(root, command());
    let mut results = Results::read(root)?;
    results.sections.insert(case.name().to_owned(), section);
    results.write(root)?;
    page::write(root, &results)
}

/// The command line as it was typed.
fn command() -> String {
    let words = std::env::args().skip(1).filter(|word| word != "--built");
    format!("cargo xtask {}", words.collect::<Vec<_>>().join(" "))
}

fn show(section: &Section) -> Result<()> {
    say::line(page::section_text(section)?);
    for target in &section.targets {
        say::line(format_args!(
            "{}: {} (target {}): {}",
            target.verdict(),
            target.what,
            page::goal(target),
            page::measured(target)
        ));
    }
    Ok(())
}
