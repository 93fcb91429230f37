//! The client that the official conformance suite tests: a session of this crate, and the strategies of `vmcp-auth`
//! with a user who agrees to everything.
//!
//! ```text
//! conformance client --command target/debug/examples/conformance-client --requirements 2025-11-25
//! ```
//!
//! The suite starts a server, appends its URL to the command, and says in `MCP_CONFORMANCE_SCENARIO` what the client
//! is to show; `MCP_CONFORMANCE_CONTEXT` is a JSON object with what it may know beforehand. Scenarios whose name
//! starts with `auth/` want a login, all others a plain session.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;
use vmcp_auth::{AuthContext, Caller, OutgoingAuthRegistry};
use vmcp_backend::{
    BackendTarget, Call, ClientHello, Connector, Endpoint, Event, Outside, PeerRequest, Response,
    Session, Sink,
};
use vmcp_config::SafeUrl;
use vmcp_net::Client;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Limits, Message, method};

mod credentials;
mod input;

/// What the client can do for a server.
const CAPABILITIES: &[u8] = br#"{"elicitation":{}}"#;

/// How long a server may take to say what it is.
const PROBE: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let url = std::env::args().next_back().ok_or("usage: conformance-client URL")?;
    let url: Url = url.parse()?;
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default();
    let known = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned());
    let known: Value = serde_json::from_str(&known)?;

    let mut target =
        BackendTarget::new("server", Endpoint::Http { url: SafeUrl::from(url.clone()) });
    // Of a server of which nothing is known. On a busy machine thirty clients at once take their time.
    target.limits.probe = PROBE;
    let (mut context, mut caller) = (AuthContext::default(), Caller::default());
    if scenario.starts_with("auth/") {
        (target.auth, caller) = credentials::of(&scenario, &known, &url).await?;
        context.interaction = Some(credentials::user()?);
    }
    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::with_context(context));
    let session = open(&connector, target, caller).await?;
    let outcome = use_everything(&session, known["toolCalls"].as_array()).await;
    session.close().await;
    outcome
}

async fn open(
    connector: &Connector,
    target: BackendTarget,
    caller: Caller,
) -> Result<Session, Failure> {
    let hello = ClientHello {
        revision: revision(),
        capabilities: Bytes::from_static(CAPABILITIES),
        client_info: Bytes::from_static(br#"{"name":"conformance-client","version":"0.1.0"}"#),
    };
    // Servers may ask outside any call too.
    let sink = |outside| {
        if let Outside::Request(request) = outside {
            drop(tokio::spawn(answer(request)));
        }
    };
    let sink: Sink = Arc::new(sink);
    let session = connector.open(&Arc::new(target), caller, hello, Some(sink)).await?;
    session.listen();
    session.listening().await;
    Ok(session)
}

async fn answer(request: PeerRequest) {
    let question = serde_json::from_slice(request.message.bytes()).unwrap_or_default();
    let answer = input::answer(&question).map(|answer| {
        Bytes::from(json!({"jsonrpc": "2.0", "id": 0, "result": answer}).to_string())
    });
    match answer.map(|answer| Message::parse(answer, &Limits::default())) {
        Some(Ok(answer)) => request.answer(&answer).await,
        _ => request.refuse(-32601, "there is nobody to ask").await,
    }
}

/// The revision that the suite runs at, if this client speaks it.
fn revision() -> Revision {
    let asked = std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").unwrap_or_default();
    Revision::parse(&asked).unwrap_or(Revision::LATEST_HANDSHAKE)
}

/// Lists everything, and makes the calls that the scenario wants, or one of every tool.
async fn use_everything(session: &Session, wanted: Option<&Vec<Value>>) -> Result<(), Failure> {
    let list = session.list().await?;
    let tools: Result<Vec<Value>, _> =
        list.tools.iter().map(|tool| serde_json::from_slice(tool)).collect();
    let tools = tools?;
    for params in wanted.into_iter().flatten() {
        call(session, Call::new(method::TOOLS_CALL, Some(params.to_string().into()))).await?;
    }
    if wanted.is_some() {
        return Ok(());
    }
    for tool in &tools {
        let arguments = input::arguments(tool, &tools);
        let params = json!({"name": tool["name"], "arguments": arguments}).to_string();
        call(session, Call::new(method::TOOLS_CALL, Some(params.into()))).await?;
    }
    Ok(())
}

/// Calls, answering what the server asks meanwhile.
async fn call(session: &Session, call: Call) -> Result<(), Failure> {
    let mut reply = session.forward(call).await?;
    while let Some(event) = reply.next().await {
        match event {
            Event::Request(request) => answer(request).await,
            Event::Failed(error) => return Err(error.into()),
            Event::Response(Response::Parts(mut parts)) => {
                while let Some(piece) = parts.next().await {
                    piece?;
                }
            }
            // Whoever calls live is asked meanwhile, and not by an answer.
            Event::InputRequired(_)
            | Event::Notification(_)
            | Event::Paused
            | Event::Response(_) => {}
        }
    }
    Ok(())
}

/// The suite shows what a client writes to its standard error.
#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn eprintln(text: &str) {
    eprintln!("{text}");
}
