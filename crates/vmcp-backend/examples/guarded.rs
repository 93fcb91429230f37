//! A program whose backend processes end with it, however it ends: it starts them through itself.
//!
//! ```text
//! cargo run -p vmcp-backend --example guarded -- npx some-server
//! ```
//!
//! Shows what the server offers, then waits; kill the program with SIGKILL and nothing is left.
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use vmcp_auth::{Caller, OutgoingAuthRegistry};
use vmcp_backend::{BackendTarget, ClientHello, Connector, Endpoint, StdioCommand};
use vmcp_net::Client;
use vmcp_wire::revision::Revision;

/// The word that makes this program a guard.
const GUARD: &str = "--guard";

fn main() -> ExitCode {
    // Before a runtime is started: a guard is a small process with one thread.
    let mut words = std::env::args_os().skip(1).peekable();
    if words.next_if(|word| word == GUARD).is_some() {
        return vmcp_backend::guard(words);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let command = words.next().ok_or("usage: guarded COMMAND [ARGUMENT]...")?;
    let command = StdioCommand { command, args: words.collect(), env: Vec::new(), cwd: None };
    let target = Arc::new(BackendTarget::new("example", Endpoint::Stdio(command)));

    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new())
        .with_guard(std::env::current_exe()?, [GUARD]);
    let hello = ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::from_static(b"{}"),
        client_info: Bytes::from_static(br#"{"name":"guarded","version":"0.1.0"}"#),
    };
    let session = connector.open(&target, Caller::default(), hello, None).await?;
    println!("{} tools; kill me: {}", session.list().await?.tools.len(), std::process::id());
    std::future::pending().await
}
