//! `vmcp`: one MCP endpoint in front of many MCP servers.
//!
//! Only wiring is here: what the commands do is in the crates below. Read [`cli`] for what can be asked for,
//! [`wire_up`] for how the parts are put together.

use std::process::ExitCode;

use clap::Parser;

mod cli;
mod exit;
mod say;

mod clients;
mod cores;
#[cfg(unix)]
mod descriptors;
mod guard;
mod logs;
mod shutdown;
mod sources;
mod state;
mod tasks;
mod wire_up;

mod auth;
mod explain;
mod init;
mod serve;
mod stdio;
mod tools;
mod validate;

mod demo;

use cli::{Cli, Command};
use exit::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = guard::run(std::env::args_os()) {
        return code;
    }
    // Before anything can dial. It only fails if a provider is there already, and then that one serves.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

#[tokio::main]
async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let Cli { config, log_format, command } = cli;
    match command {
        Command::Serve(args) => serve::run(&config, log_format, &args).await,
        Command::Stdio => stdio::run(&config, log_format).await,
        Command::Tools(args) => tools::run(&config, log_format, args).await,
        Command::Auth(args) => auth::run(&config, log_format, args.command).await,
        Command::Validate(args) => validate::run(&config, log_format, &args).await,
        Command::Explain(args) => explain::run(&config, log_format, &args).await,
        Command::Init(args) => init::run(&args),
    }
}
