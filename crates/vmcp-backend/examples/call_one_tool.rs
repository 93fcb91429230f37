//! Calls one tool of one backend and shows everything that comes back.
//!
//! ```text
//! cargo run -p vmcp-backend --example call_one_tool -- http://127.0.0.1:3001/mcp echo '{"message":"hi"}'
//! cargo run -p vmcp-backend --example call_one_tool -- 'npx some-server' echo '{"message":"hi"}'
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use vmcp_auth::{Caller, OutgoingAuthRegistry};
use vmcp_backend::{
    BackendTarget, Call, ClientHello, Connector, Endpoint, Event, Response, StdioCommand,
};
use vmcp_config::SafeUrl;
use vmcp_net::Client;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Piece, method, quote};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(backend), Some(tool)) = (words.next(), words.next()) else {
        return Err("usage: call_one_tool URL|COMMAND TOOL [ARGUMENTS]".into());
    };
    let arguments = words.next().unwrap_or_else(|| "{}".to_owned());

    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
    let target = Arc::new(BackendTarget::new("example", endpoint(&backend)?));
    let hello = ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::from_static(b"{}"),
        client_info: Bytes::from_static(br#"{"name":"call_one_tool","version":"0.1.0"}"#),
    };
    let session = connector.open(&target, Caller::default(), hello, None).await?;
    println!("backend: {}", text(&session.hello().server_info));

    let name = quote(&tool);
    let params = [b"{\"name\":", name.as_ref(), b",\"arguments\":", arguments.as_bytes(), b"}"];
    let call = Call::new(method::TOOLS_CALL, Some(params.concat().into()));
    let mut reply = session.forward(call).await?;
    while let Some(event) = reply.next().await {
        match event {
            Event::Notification(message) => println!("notification: {}", text(message.bytes())),
            Event::Request(request) => {
                println!("asked: {}", request.method());
                request.refuse(-32601, "an example has nobody to ask").await;
            }
            Event::Paused => println!("the backend closed the stream for now"),
            Event::InputRequired(asked) => println!("{}", text(asked.raw.bytes())),
            Event::Failed(error) => return Err(error.into()),
            Event::Response(Response::Whole(message)) => println!("{}", text(message.bytes())),
            Event::Response(Response::Made(result)) => println!("{}", text(&result)),
            Event::Response(Response::Parts(mut parts)) => {
                while let Some(piece) = parts.next().await {
                    match piece? {
                        Piece::Bytes(bytes) => print!("{}", text(&bytes)),
                        Piece::Id(id) => print!("{}", text(id.as_bytes())),
                    }
                }
                println!();
            }
        }
    }
    session.close().await;
    Ok(())
}

/// A URL, or a command with arguments.
fn endpoint(text: &str) -> Result<Endpoint, Box<dyn Error>> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(Endpoint::Http { url: SafeUrl::from(text.parse::<url::Url>()?) });
    }
    let mut words = text.split_whitespace().map(str::to_owned);
    let command = words.next().ok_or("no command")?;
    let args = words.collect();
    Ok(Endpoint::Stdio(StdioCommand { command, args, env: Vec::new(), cwd: None }))
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
