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

#[tokio::test]
async fn speaks_without_a_handshake() -> io::Result<()> {
    let mut client = started(&["--stateless"])?;
    let refused = client.call("initialize", json!({"protocolVersion": "2025-11-25"})).await?;
    assert_eq!(refused["error"]["code"], -32022);
    assert_eq!(refused["error"]["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(client.call("tools/list", "{}").await?["error"]["code"], -32602);

    client.be_stateless(json!({"elicitation": {}}));
    let hello = client.call("server/discover", "{}").await?;
    assert_eq!(hello["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(hello["result"]["resultType"], "complete");
    assert_eq!(client.call("ping", "{}").await?["error"]["code"], -32601);
    let refused = client.call("tools/call", json!({"name": "sample"})).await?;
    assert_eq!(refused["error"]["data"]["requiredCapabilities"], json!({"sampling": {}}));
    let asked = client.call("tools/call", json!({"name": "elicit"})).await?["result"].take();
    assert_eq!(asked["inputRequests"]["answer"]["method"], "elicitation/create");
    let mut again = json!({
        "name": "elicit",
        "requestState": asked["requestState"],
        "inputResponses": {"answer": {"action": "accept"}},
    });
    assert_eq!(tool(&mut client, again.clone()).await?, r#"{"result":{"action":"accept"}}"#);
    again["requestState"] = json!("tampered");
    assert_eq!(client.call("tools/call", again).await?["error"]["code"], -32602);
    Ok(())
}

#[tokio::test]
async fn tells_who_listens_until_it_is_taken_back() -> io::Result<()> {
    let mut client = started(&["--dual"])?;
    client.handshake("2025-11-25", "{}").await?;
    client.be_stateless("{}");
    let wishes = json!({"toolsListChanged": true, "promptsListChanged": true});
    let id = client.request("subscriptions/listen", json!({"notifications": wishes})).await?;
    let tag = "io.modelcontextprotocol/subscriptionId";
    let ack = client.message().await?.unwrap_or_default();
    assert_eq!(ack["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        ack["params"],
        json!({"notifications": {"toolsListChanged": true}, "_meta": {tag: id}})
    );
    let add = |name: &str| json!({"name": "add", "arguments": {"name": name}});
    client.request("tools/call", add("one")).await?;
    let told = client.message().await?.unwrap_or_default();
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"][tag], id);
    assert!(client.message().await?.unwrap_or_default()["result"].is_object());
    let cancel = json!({"requestId": id});
    client
        .line(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel})
                .to_string(),
        )
        .await?;
    let added = client.request("tools/call", add("two")).await?;
    assert_eq!(client.message().await?.unwrap_or_default()["id"], added);

    let id = client.request("subscriptions/listen", json!({"notifications": wishes})).await?;
    client.message().await?;
    client.request("tools/call", json!({"name": "end-listens"})).await?;
    let end = client.message().await?.unwrap_or_default();
    assert_eq!((&end["id"], &end["result"]["_meta"][tag]), (&json!(id), &json!(id)));
    Ok(())
}

#[tokio::test]
async fn a_probe_may_go_unanswered() -> io::Result<()> {
    let mut client = started(&["--silent-probe"])?;
    client.request("server/discover", "{}").await?;
    assert_eq!(client.handshake("2025-11-25", "{}").await?["protocolVersion"], "2025-11-25");
    Ok(())
}
