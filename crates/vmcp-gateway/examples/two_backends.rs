//! Two servers in this process behind one gateway: list their tools, call one of each.
//!
//! ```text
//! cargo run -p vmcp-gateway --example two_backends
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use vmcp_auth::{Caller, Identity, OutgoingAuthRegistry};
use vmcp_backend::{BackendTarget, Call, ClientHello, Connector, Endpoint, Event, Response};
use vmcp_config::Config;
use vmcp_gateway::{Gateway, MultiSession};
use vmcp_net::Client;
use vmcp_wire::revision::Revision;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let targets = vec![server("greeter", "greet"), server("echo", "say")];
    let connector = Arc::new(Connector::new(Client::new(), OutgoingAuthRegistry::new()));
    let gateway = Gateway::start(Arc::new(Config::default()), targets, connector);

    let client = ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::from_static(b"{}"),
        client_info: Bytes::from_static(br#"{"name":"example","version":"1"}"#),
    };
    // This client hears of changed lists here; it has no requests of servers to answer.
    let sink = Arc::new(|event: Event| drop(event));
    let session = gateway.open(client, Caller::from(Identity::local()), sink).await;

    print(&ask(&session, "tools/list", None).await?)?;
    for name in ["greeter_greet", "echo_say"] {
        let params = json!({"name": name, "arguments": {"to": "you"}});
        print(&ask(&session, "tools/call", Some(params)).await?)?;
    }
    session.close().await;
    gateway.close(Duration::from_secs(1)).await;
    Ok(())
}

/// One request, and the text of its result.
async fn ask(
    session: &MultiSession,
    method: &'static str,
    params: Option<Value>,
) -> Result<String, Failure> {
    let call = Call::new(method, params.map(|params| params.to_string().into()));
    let mut reply = session.call(call).await?;
    while let Some(event) = reply.next().await {
        match event {
            Event::Response(Response::Made(result)) => {
                return Ok(String::from_utf8_lossy(&result).into_owned());
            }
            Event::Response(Response::Whole(message)) => {
                return Ok(String::from_utf8_lossy(message.bytes()).into_owned());
            }
            Event::Failed(error) => return Err(error.into()),
            Event::Response(Response::Parts(_))
            | Event::Notification(_)
            | Event::Request(_)
            | Event::InputRequired(_)
            | Event::Paused => {}
        }
    }
    Err("no response".into())
}

fn print(line: &str) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}")
}

/// A server in this process with one tool.
fn server(id: &'static str, tool: &'static str) -> Arc<BackendTarget> {
    let open = move || {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(theirs, id, tool));
        ours
    };
    Arc::new(BackendTarget::new(id, Endpoint::InProcess(Arc::new(open))))
}

/// Answers line by line until the other side is gone.
async fn serve(stream: DuplexStream, id: &'static str, tool: &'static str) -> std::io::Result<()> {
    let (input, mut output) = tokio::io::split(stream);
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        if message.get("id").is_none() {
            continue;
        }
        let text = format!("{id} says hello to {}", message["params"]["arguments"]["to"]);
        let answer = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": id, "version": "1"},
            }),
            "tools/list" => json!({"tools": [{"name": tool, "inputSchema": {"type": "object"}}]}),
            "tools/call" => json!({"content": [{"type": "text", "text": text}]}),
            _ => json!({}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": answer});
        output.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}
