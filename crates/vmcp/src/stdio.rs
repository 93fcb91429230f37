//! `vmcp stdio`: the same gateway over stdin and stdout.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use vmcp_edge::front;

use crate::cli::LogFormat;
use crate::exit::Failure;
use crate::shutdown::Signals;
use crate::wire_up::{Wired, wire_up};
use crate::{logs, sources, state};

/// Serves one client until its input ends or a signal comes.
pub(crate) async fn run(files: &[PathBuf], log_format: LogFormat) -> Result<ExitCode, Failure> {
    let setup = sources::setup(files)?;
    // The client keeps what stands on stderr; it wants to know of trouble, not of every step.
    logs::init(log_format, setup.config.log_level.unwrap_or("warn"));
    let signals = Signals::take().context("cannot listen to signals")?;
    let index = state::index(&setup.config);
    let Wired { config, gateway, .. } = wire_up(setup, index, &[])?;
    let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let served =
        front::stdio::run(config.clone(), gateway.clone(), stdin, stdout, signals.first()).await;
    gateway.close(config.timeouts.drain).await;
    served.context("the client's pipes broke")?;
    // A read of stdin may still be under way and would keep the runtime from ending.
    std::process::exit(0)
}
