//! A whole gateway in one process: an MCP server written here, and vmcp's endpoint in front of it.
//!
//! ```text
//! cargo run -p vmcp-edge --example serve_in_process            # serves until ctrl-c
//! cargo run -p vmcp-edge --example serve_in_process -- --once  # one call over HTTP, then stops
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use vmcp_auth::OutgoingAuthRegistry;
use vmcp_backend::{BackendTarget, Connector, Endpoint};
use vmcp_config::Config;
use vmcp_edge::{Metrics, Server};
use vmcp_gateway::Gateway;
use vmcp_net::Client;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let config = Arc::new(Config::default());

    // A backend in this process: vmcp opens one pipe per session, and a task answers on the other end.
    let open = || {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(greeter(theirs));
        ours
    };
    let target = Arc::new(BackendTarget::new("greeter", Endpoint::InProcess(Arc::new(open))));

    // The gateway in front of it, and the endpoint in front of the gateway.
    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
    let gateway = Gateway::start(Arc::clone(&config), vec![target], Arc::new(connector));
    let mut registry = Registry::default();
    gateway.metrics().register(&mut registry);
    let server = Server::new(Arc::clone(&config), Arc::clone(&gateway), Metrics::new(registry));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    println!("http://{address}/mcp");

    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(vec![listener], async {
        stopped.await.ok();
    }));
    if std::env::args().any(|argument| argument == "--once") {
        let (session, _) = post(address.port(), None, &hello()).await?;
        let (_, answer) = post(address.port(), session.as_deref(), &greet()).await?;
        println!("{answer}");
    } else {
        tokio::signal::ctrl_c().await?;
    }
    drop(stop);
    serving.await?;
    gateway.close(config.timeouts.drain).await;
    Ok(())
}

/// An MCP server with one tool: one JSON message per line.
async fn greeter(pipe: DuplexStream) {
    let (input, mut output) = tokio::io::split(pipe);
    let mut lines = BufReader::new(input).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(id) = message.get("id") else { continue };
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "greeter", "version": "1.0.0"},
            }),
            Some("tools/list") => json!({
                "tools": [{"name": "greet", "inputSchema": {"type": "object"}}],
            }),
            Some("tools/call") => {
                let name = message["params"]["arguments"]["name"].as_str().unwrap_or("you");
                json!({"content": [{"type": "text", "text": format!("hello, {name}")}]})
            }
            _ => json!({}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
        if output.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "example", "version": "1.0.0"}}})
}

fn greet() -> Value {
    let params = json!({"name": "greeter_greet", "arguments": {"name": "world"}});
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
}

/// Sends one message; gives the session and the body.
async fn post(
    port: u16,
    session: Option<&str>,
    message: &Value,
) -> Result<(Option<String>, String), Failure> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let connection = tokio::spawn(connection);
    let mut request = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let request = request.body(Full::new(bytes::Bytes::from(message.to_string())))?;
    let response = sender.send_request(request).await?;
    let session = response.headers().get("mcp-session-id").cloned();
    let session = session.and_then(|value| value.to_str().map(str::to_owned).ok());
    let body = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((session, String::from_utf8_lossy(&body).into_owned()))
}
