//! Lists everything that a server in this process offers: how an embedder makes a backend of its own code.
//!
//! ```text
//! cargo run -p vmcp-backend --example list_everything
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use vmcp_auth::{Caller, OutgoingAuthRegistry};
use vmcp_backend::{BackendTarget, ClientHello, Connector, Endpoint};
use vmcp_net::Client;
use vmcp_wire::revision::{INITIALIZE, Revision};
use vmcp_wire::{Limits, Message, method, rpc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
    let target = Arc::new(BackendTarget::new("here", Endpoint::InProcess(Arc::new(open))));
    let hello = ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::from_static(b"{}"),
        client_info: Bytes::from_static(br#"{"name":"list_everything","version":"0.1.0"}"#),
    };
    let session = connector.open(&target, Caller::default(), hello, None).await?;
    let list = session.list().await?;
    for (kind, items) in [("tools", &list.tools), ("prompts", &list.prompts)] {
        for item in items {
            println!("{kind}: {}", String::from_utf8_lossy(item));
        }
    }
    session.close().await;
    Ok(())
}

/// One more connection to the server.
fn open() -> DuplexStream {
    let (theirs, ours) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let (input, mut output) = tokio::io::split(ours);
        let mut lines = BufReader::new(input).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let Some(answer) = answer(line) else { continue };
            if output.write_all(&[&answer, b"\n".as_slice()].concat()).await.is_err() {
                break;
            }
        }
    });
    theirs
}

/// The whole server.
fn answer(line: String) -> Option<Bytes> {
    let message = Message::parse(line.into(), &Limits::default()).ok()?;
    let id = message.id()?;
    let result: &[u8] = match message.method() {
        INITIALIZE => br#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"here","version":"1"}}"#,
        method::TOOLS_LIST => br#"{"tools":[{"name":"nothing","inputSchema":{"type":"object"}}]}"#,
        _ => return Some(rpc::failure(Some(&id), rpc::METHOD_NOT_FOUND, "not here", None)),
    };
    Some(rpc::success(&id, result))
}
