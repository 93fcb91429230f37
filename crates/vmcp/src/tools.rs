//! `vmcp tools`: the gateway in this process, with this command as its one client.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::{Call, ClientHello, Event};
use vmcp_gateway::{BackendState, Gateway, MultiSession};
use vmcp_wire::revision::Revision;
use vmcp_wire::{list, method};

use crate::cli::{LogFormat, ToolsArgs, ToolsCommand};
use crate::exit::Failure;
use crate::shutdown::Signals;
use crate::wire_up::{Wired, wire_up};
use crate::{logs, say, sources};

mod answer;
mod call;
mod ls;

use answer::Answer;

/// How long backends get to answer before the command goes on without them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lists tools or calls one.
pub(crate) async fn run(
    files: &[PathBuf],
    log_format: LogFormat,
    args: ToolsArgs,
) -> Result<ExitCode, Failure> {
    let mut setup = sources::setup(files)?;
    // What is printed is held, whatever clients of a server could not take.
    setup.config.limits.max_message_bytes = answer::LIMITS.max_bytes;
    if setup.is_demo {
        say::err("no --config: these are the tools of the demo");
    }
    logs::init(log_format, setup.config.log_level.unwrap_or("error"));
    let signals = Signals::take().context("cannot listen to signals")?;
    let Wired { config, gateway, .. } = wire_up(setup, None, &[])?;
    let session = open(&gateway).await;
    let work = async {
        match args.command.unwrap_or(ToolsCommand::Ls { json: false }) {
            ToolsCommand::Ls { json } => ls::run(&session, json).await,
            ToolsCommand::Call(args) => call::run(&session, &args).await,
        }
    };
    // Dropped at a signal, the call in flight is taken back.
    let code = tokio::select! {
        code = work => code,
        () = signals.first() => Ok(ExitCode::FAILURE),
    };
    session.close().await;
    gateway.close(config.timeouts.drain).await;
    code
}

/// Opens a session once all backends have been tried, and names those that did not answer.
async fn open(gateway: &Arc<Gateway>) -> Arc<MultiSession> {
    gateway.settled(PATIENCE).await;
    for backend in gateway.status().backends {
        if backend.state != BackendState::Ready {
            let advice = backend.advice();
            let reason = backend.reason.map(|reason| reason.as_str());
            let told: Vec<&str> = reason.into_iter().chain(advice.as_deref()).collect();
            let told = if told.is_empty() { "no answer yet".to_owned() } else { told.join(": ") };
            say::err(&format!("warning: backend {}: {told}", backend.id));
        }
    }
    let info = format!(r#"{{"name":"vmcp-cli","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
    let hello = ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        // This command can neither be asked nor sampled, and says so.
        capabilities: Bytes::from_static(b"{}"),
        client_info: info.into(),
    };
    // A request is refused by being dropped.
    let sink = Arc::new(|event| {
        if let Event::Notification(message) = event {
            answer::note(&message);
        }
    });
    gateway.open(hello, Caller::from(Identity::local()), sink).await
}

/// All tools, as raw JSON.
async fn all(session: &MultiSession) -> anyhow::Result<Vec<Bytes>> {
    let mut tools = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let params = cursor.map(|cursor| serde_json::json!({ "cursor": cursor }).to_string());
        let call = Call::new(method::TOOLS_LIST, params.map(Bytes::from));
        let result = match answer::of(session.call(call).await?).await? {
            Answer::Result(result) => result,
            Answer::Error(text) => anyhow::bail!("the tools could not be listed: {text}"),
        };
        let page = list::items(&result, "tools").context("not a list of tools")?;
        tools.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
}
