//! The demo's servers, spoken to line by line.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use super::clock::Clock;
use super::notes::Notes;
use super::server::{self, Service};

/// One client of a service.
struct Client(BufReader<DuplexStream>);

impl Client {
    async fn new<S: Service>(service: &Arc<S>) -> Self {
        let mut client = Self(BufReader::new(server::open(service.clone())));
        let hello = client.ask(0, "initialize", json!({ "protocolVersion": "2025-06-18" })).await;
        assert_eq!(hello["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(hello["result"]["serverInfo"]["name"], S::NAME);
        client.send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client
    }

    async fn send(&mut self, message: Value) {
        self.0.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(request).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The text of a tool's result.
    async fn call(&mut self, name: &str, arguments: Value) -> String {
        let params = json!({ "name": name, "arguments": arguments });
        let answer = self.ask(1, "tools/call", params).await;
        answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_clock_converts() {
    let mut client = Client::new(&Arc::new(Clock)).await;
    let tools = client.ask(1, "tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 3);
    let time = json!({ "time": "2026-01-31T23:30:00Z", "offset": "+05:30" });
    assert_eq!(client.call("convert", time).await, "2026-02-01T05:00:00+05:30");
    let refused = client.call("convert", json!({ "time": "soon" })).await;
    assert!(refused.starts_with("`soon` is not a time"), "{refused}");
    assert!(client.call("now", json!({})).await.ends_with('Z'));
    let unknown = client.ask(2, "tools/call", json!({ "name": "stop" })).await;
    assert_eq!(unknown["error"]["code"], -32602);
    assert_eq!(client.ask(3, "nonsense", json!({})).await["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn the_countdown_shows_progress() {
    let mut client = Client::new(&Arc::new(Clock)).await;
    let params = json!({
        "name": "countdown", "arguments": { "seconds": 2 }, "_meta": { "progressToken": "t" },
    });
    let request = json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params });
    client.send(request).await;
    for done in 1..=2 {
        let progress = client.next().await;
        assert_eq!(progress["params"]["progressToken"], "t");
        assert_eq!(progress["params"]["progress"], done);
    }
    assert_eq!(client.next().await["id"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_countdown_says_nothing_more() {
    let mut client = Client::new(&Arc::new(Clock)).await;
    let params = json!({ "name": "countdown", "arguments": { "seconds": 5 } });
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
    client.send(request).await;
    let cancel = json!({ "requestId": 7 });
    client
        .send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel }))
        .await;
    // A later, longer countdown ends, and nothing of the first one came before.
    assert_eq!(client.call("countdown", json!({ "seconds": 9 })).await, "lift-off");
}

#[tokio::test]
async fn notes_are_resources_that_can_be_watched() {
    let notes = Arc::new(Notes::new());
    let mut reader = Client::new(&notes).await;
    let mut writer = Client::new(&notes).await;
    reader.ask(1, "resources/subscribe", json!({ "uri": "note://1" })).await;

    // Both are told about a new note; only the reader about the one it watches.
    writer.send(request(2, "add", &json!({ "text": "Milk\nand bread" }))).await;
    let told = [writer.next().await, writer.next().await];
    assert!(told.iter().any(|one| one["method"] == "notifications/resources/list_changed"));
    assert!(told.iter().any(|one| one["result"]["structuredContent"]["uri"] == "note://2"));
    assert_eq!(reader.next().await["method"], "notifications/resources/list_changed");
    assert_eq!(writer.call("edit", json!({ "id": 1, "text": "Hello" })).await, "changed note://1");
    let updated = reader.next().await;
    assert_eq!(updated["method"], "notifications/resources/updated");
    assert_eq!(updated["params"]["uri"], "note://1");

    let read = reader.ask(3, "resources/read", json!({ "uri": "note://1" })).await;
    assert_eq!(read["result"]["contents"][0]["text"], "Hello");
    let missing = reader.ask(4, "resources/read", json!({ "uri": "note://9" })).await;
    assert_eq!(missing["error"]["code"], -32002);
    let list = reader.ask(5, "resources/list", json!({})).await;
    assert_eq!(list["result"]["resources"][1]["title"], "Milk");
    let templates = reader.ask(6, "resources/templates/list", json!({})).await;
    assert_eq!(templates["result"]["resourceTemplates"][0]["uriTemplate"], "note://{id}");
}

#[tokio::test]
async fn notes_are_found_and_reviewed() {
    let mut client = Client::new(&Arc::new(Notes::new())).await;
    assert_eq!(client.call("search", json!({ "query": "WELCOME" })).await, "note://1 Welcome");
    assert_eq!(client.call("search", json!({ "query": "milk" })).await, "no notes");
    assert_eq!(client.call("add", json!({ "text": " " })).await, "`text` is empty");
    assert_eq!(client.call("edit", json!({ "id": 0, "text": "x" })).await, "there is no note 0");
    let prompt = client.ask(1, "prompts/get", json!({ "name": "review" })).await;
    let text = prompt["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.contains("# Welcome"), "{text}");
    assert_eq!(client.ask(2, "prompts/get", json!({ "name": "x" })).await["error"]["code"], -32602);
}

fn request(id: u64, tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}
