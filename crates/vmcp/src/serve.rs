//! `vmcp serve`: MCP over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tokio::net::TcpListener;
use vmcp_config::{ClientCerts, IncomingAuth};
use vmcp_edge::{Server, Tls};

use crate::cli::{LogFormat, ServeArgs};
use crate::cores::Cores;
use crate::exit::Failure;
use crate::shutdown::Signals;
use crate::wire_up::{Wired, wire_up};
use crate::{clients, logs, say, shutdown, sources, state};

/// Serves until a signal, then drains.
pub(crate) async fn run(
    files: &[PathBuf],
    log_format: LogFormat,
    args: &ServeArgs,
) -> Result<ExitCode, Failure> {
    let mut setup = sources::setup(files)?;
    let asked = args.addrs().map_err(|error| Failure::usage(error.to_string()))?;
    if !asked.is_empty() {
        setup.config.listen.addrs = asked;
    }
    logs::init(log_format, setup.config.log_level.unwrap_or("info"));
    #[cfg(unix)]
    crate::descriptors::raise(&setup.config);
    let signals = Signals::take().context("cannot listen to signals")?;
    let tls = setup.config.listen.tls.as_ref().map(Tls::load).transpose();
    let tls = tls.map_err(|error| Failure::Config(format!("error: {error}")))?;
    if let Some(tls) = tls.clone() {
        shutdown::on_hangup(move || {
            let tls = tls.clone();
            async move { tls.check().await }
        })
        .context("cannot listen to signals")?;
    }
    let (listeners, addrs) = bind(&setup.config.listen.addrs).await?;
    // Whoever asks for port 0 gets to know the port; the guard of the edge needs it too.
    setup.config.listen.addrs.clone_from(&addrs);
    let known = setup.config.listen.tls.as_ref();
    let guarded = known.is_some_and(|tls| tls.client_auth == ClientCerts::Required)
        || matches!(setup.config.incoming_auth, IncomingAuth::Oidc(_));
    for addr in addrs.iter().filter(|addr| !guarded && !addr.ip().is_loopback()) {
        tracing::warn!(%addr, "everybody who reaches this address may call every tool");
    }

    let greeting = greeting(&setup);
    let index = state::index(&setup.config);
    let cores = Cores::start().context("cannot start threads")?;
    let Wired { config, gateway, metrics } = wire_up(setup, index, cores.runtimes())?;
    say::out(&greeting);
    let server = Server::new(config.clone(), gateway.clone(), metrics).on(cores.runtimes());
    let server = server.with_tls(tls);
    server.run(listeners, signals.first()).await;
    gateway.close(config.timeouts.drain).await;
    // Only now: what ends the sessions may run there.
    drop(cores);
    Ok(ExitCode::SUCCESS)
}

/// Binds everything or nothing.
async fn bind(wanted: &[SocketAddr]) -> anyhow::Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let mut listeners = Vec::with_capacity(wanted.len());
    let mut addrs = Vec::with_capacity(wanted.len());
    for addr in wanted {
        let bound = TcpListener::bind(addr).await;
        let listener = bound.with_context(|| format!("cannot listen on {addr}"))?;
        addrs.push(listener.local_addr().context("a listener without an address")?);
        listeners.push(listener);
    }
    Ok((listeners, addrs))
}

/// Where the endpoint is and what to do with it.
fn greeting(setup: &sources::Setup) -> String {
    let listen = &setup.config.listen;
    let urls: Vec<String> = listen.addrs.iter().map(|addr| listen.url(*addr)).collect();
    let backends = say::count(setup.targets.len(), "backend");
    let mut text = format!("vmcp serves {backends} at {}\n", urls.join(" and "));
    if setup.is_demo {
        text += "This is the demo, a clock and notes. Serve your own with --config FILE; \
                 `vmcp init` writes one.\n";
    }
    if let Some(first) = urls.first() {
        text += "\n";
        text += &clients::paste(first);
        text += "\n";
    }
    text
}
