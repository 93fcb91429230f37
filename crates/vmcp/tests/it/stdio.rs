//! `vmcp stdio`.

use serde_json::json;
use vmcp_testkit::{LineClient, stdio_peer};

use crate::Bench;

#[tokio::test]
async fn the_same_gateway_over_pipes() {
    let mut client = LineClient::start(env!("CARGO_BIN_EXE_vmcp"), &["stdio"], &[]).unwrap();
    let hello = client.handshake("2025-06-18", json!({})).await.unwrap();
    assert_eq!(hello["serverInfo"]["name"], "vmcp-demo", "{hello}");
    let params = json!({ "name": "notes_search", "arguments": { "query": "welcome" } });
    let found = client.call("tools/call", params).await.unwrap();
    assert_eq!(found["result"]["content"][0]["text"], "note://1 Welcome");
    assert_eq!(client.end().await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_server_that_is_a_process() {
    let bench = Bench::new();
    let peer = stdio_peer().unwrap().display().to_string();
    let file = bench.write(
        "mcp.json",
        &json!({ "mcpServers": { "peer": { "command": peer, "args": [] } } }).to_string(),
    );
    let args = ["stdio", "--config", file.to_str().unwrap()];
    let mut client = LineClient::start(env!("CARGO_BIN_EXE_vmcp"), &args, &[]).unwrap();
    client.handshake("2025-11-25", json!({})).await.unwrap();
    let tools = client.call("tools/list", json!({})).await.unwrap();
    let names: Vec<&str> = tools["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert!(names.contains(&"echo"), "its own names, as it is alone: {names:?}");
    assert_eq!(client.end().await.unwrap(), Some(0));
}
