//! Connects to one backend, shows its tools, and calls one of them.
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
    BackendTarget, ClientHello, Connector, ContentKind, Endpoint, ErrorKind, Executed, Outside,
    Sink, StdioCommand,
};
use vmcp_config::SafeUrl;
use vmcp_net::Client;
use vmcp_wire::Object;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(backend), Some(tool)) = (words.next(), words.next()) else {
        return Err("usage: call_one_tool URL|COMMAND TOOL [ARGUMENTS]".into());
    };
    let arguments = words.next().map(Bytes::from);

    // One per process, and one target per backend, for as long as they are used.
    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
    let target = Arc::new(BackendTarget::new("example", endpoint(&backend)?));

    // What the backend says besides: progress, logs, changes. A request is refused by being dropped.
    let sink: Sink = Arc::new(|outside| {
        if let Outside::Notification(message) = outside {
            println!("it says: {}", text(message.bytes()));
        }
    });
    let hello = ClientHello::new("call_one_tool", "0.1.0");
    let (session, list) = connector.connect(&target, Caller::default(), hello, Some(sink)).await?;
    println!("backend: {}", text(&session.hello().server_info));
    for raw in &list.tools {
        let name = Object::parse(raw)?.get("name").and_then(|name| name.as_str());
        println!("tool: {}", name.unwrap_or_default());
    }

    let meta = Some(Bytes::from_static(br#"{"progressToken":1}"#));
    let called = session.call_tool(&tool, arguments, meta).await;
    // In any case: the backend need not find out by itself.
    session.close().await;
    let result = match called {
        Ok(result) => result,
        Err(error) => {
            if let ErrorKind::Answered(answered) = &error.kind {
                println!("the backend answered with error {}", answered.code());
            } else if error.executed == Executed::No {
                println!("it did not run: it can be tried again");
            }
            return Err(error.into());
        }
    };
    for item in result.content() {
        match &item.kind {
            ContentKind::Text(text) => println!("{text}"),
            ContentKind::Image(blob) | ContentKind::Audio(blob) => {
                let length = blob.decode().map_or(0, |bytes| bytes.len());
                println!("[{} bytes of {}]", length, blob.mime_type.as_deref().unwrap_or("?"));
            }
            // Whatever it is, it is all there.
            _ => println!("{}", text(item.raw())),
        }
    }
    if let Some(structured) = result.structured_content() {
        println!("structured: {}", text(&structured));
    }
    if result.is_error() { Err("the tool says that it failed".into()) } else { Ok(()) }
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
