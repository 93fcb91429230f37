//! The workshop: the checks behind `cargo xtask ci`, and the measurements.

mod api;
mod bench;
mod ci;
mod conformance;
mod fuzz;
mod lines;
mod process;
mod say;
mod shell;
mod subject;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The checks and measurements of the workshop.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, conventions, lints, dependencies, documentation, tests.
    Ci,
    /// The conventions that the compiler does not see.
    Tidy,
    /// The public API of the libraries against their snapshots.
    Api(api::Options),
    /// The official suite direct and through vmcp: nothing that passes direct may be lost.
    Conformance(conformance::Options),
    /// libFuzzer on everything that reads bytes of others.
    Fuzz(fuzz::Options),
    /// vmcp beside nginx, beside nothing and beside others; writes docs/performance.md.
    Bench(bench::Options),
    /// The echo server that the benchmark puts behind everything.
    #[command(hide = true)]
    BenchBackend {
        /// On standard input and output.
        #[arg(long)]
        pipe: bool,
    },
    /// Production lines per crate.
    Lines,
}

fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Ci => ci::run(),
        Task::Tidy => tidy::run(),
        Task::Api(options) => api::run(options),
        Task::Conformance(options) => conformance::run(options),
        Task::Fuzz(options) => fuzz::run(options),
        Task::Bench(options) => bench::run(options),
        Task::BenchBackend { pipe: true } => bench::serve_backend_on_pipe(),
        Task::BenchBackend { pipe: false } => {
            tokio::runtime::Runtime::new()?.block_on(bench::serve_backend())
        }
        Task::Lines => lines::run(),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
