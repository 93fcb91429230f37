//! The server over standard streams.

use std::io;

use serde_json::json;
use vmcp_testkit::{LineClient, stdio_peer};

fn started(arguments: &[&str]) -> io::Result<LineClient> {
    LineClient::start(stdio_peer()?, arguments, &[])
}

async fn tool(client: &mut LineClient, params: serde_json::Value) -> io::Result<String> {
    let reply = client.call("tools/call", params).await?;
    Ok(reply["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn serves_and_ends_with_its_input() -> io::Result<()> {
    let mut client = started(&["--name", "mine", "--tool", "extra"])?;
    let hello = client.handshake("2025-06-18", "{}").await?;
    assert_eq!(hello["serverInfo"]["name"], "mine");
    let list = client.call("tools/list", "{}").await?;
    let tools = list["result"]["tools"].as_array().map_or(0, Vec::len);
    assert_eq!(list["result"]["tools"][tools - 1]["name"], "extra");
    assert!(
        tool(&mut client, json!({"name": "extra"})).await?.contains("\"method\":\"tools/call\"")
    );
    assert_eq!(tool(&mut client, json!({"name": "split"})).await?, "gr\u{fc}n");
    assert_eq!(
        tool(&mut client, json!({"name": "flood", "arguments": {"bytes": 0}})).await?,
        "flooded"
    );
    assert_eq!(client.end().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn asks_its_client() -> io::Result<()> {
    let mut client = started(&[])?;
    client.handshake("2025-06-18", json!({"roots": {}})).await?;
    client.request("tools/call", json!({"name": "roots"})).await?;
    let asked = client.message().await?.unwrap_or_default();
    assert_eq!(asked["method"], "roots/list");
    client
        .line(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}}).to_string())
        .await?;
    let answer = client.message().await?.unwrap_or_default();
    assert!(answer["result"]["content"][0]["text"].to_string().contains("roots"));
    Ok(())
}

#[tokio::test]
async fn writes_garbage_and_crashes() -> io::Result<()> {
    let mut client = started(&["--banner", "starting up"])?;
    assert_eq!(client.text().await?.as_deref(), Some("starting up"));
    client.handshake("2025-06-18", "{}").await?;
    client.request("tools/call", json!({"name": "joined"})).await?;
    assert_eq!(client.text().await?.unwrap_or_default().matches("jsonrpc").count(), 2);
    client.request("tools/call", json!({"name": "crash", "arguments": {"code": 3}})).await?;
    assert_eq!(client.text().await?, None);
    assert_eq!(client.end().await?, Some(3));
    Ok(())
}
