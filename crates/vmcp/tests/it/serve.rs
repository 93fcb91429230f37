//! `vmcp serve`.

use serde_json::json;
use vmcp_testkit::{Answer, Backend, Gate, RawClient};

use crate::{Bench, Serving};

const REVISION: &str = "2025-11-25";

fn tool(name: &str) -> serde_json::Value {
    json!({ "name": name, "inputSchema": { "type": "object" } })
}

#[tokio::test]
async fn without_a_configuration_it_is_a_demo() {
    let serving = Serving::start(&Bench::new(), &[]);
    assert!(serving.greeting.starts_with("vmcp serves 2 backends at http://127.0.0.1:"));
    let paste = format!(" mcp add --transport http vmcp {}\n", serving.url);
    assert!(serving.greeting.contains(&paste), "{}", serving.greeting);

    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    let arguments = json!({ "time": "2026-01-01T00:00:00Z", "offset": "-01:00" });
    let time = client.tool("clock_convert", arguments).await.unwrap();
    assert_eq!(time["result"]["structuredContent"]["time"], "2025-12-31T23:00:00-01:00");
    let note = client.tool("notes_add", json!({ "text": "hello" })).await.unwrap();
    assert_eq!(note["result"]["structuredContent"]["uri"], "note://2");
    let read = client.call("resources/read", json!({ "uri": "note://2" })).await.unwrap();
    assert_eq!(read["result"]["contents"][0]["text"], "hello");
    let prompt = client.call("prompts/get", json!({ "name": "notes_review" })).await.unwrap();
    assert!(prompt["result"]["messages"].is_array(), "{prompt}");
}

#[tokio::test]
async fn a_watched_note_tells_when_it_changes() {
    let serving = Serving::start(&Bench::new(), &[]);
    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    let mut news = client.get().await.unwrap();
    client.call("resources/subscribe", json!({ "uri": "note://1" })).await.unwrap();
    client.tool("notes_edit", json!({ "id": 1, "text": "new" })).await.unwrap();
    let update = news.message().await.unwrap().unwrap();
    assert_eq!(update["method"], "notifications/resources/updated");
    assert_eq!(update["params"]["uri"], "note://1");
}

#[tokio::test]
async fn serves_what_the_files_name() {
    let backend = Backend::builder().tool(tool("hello"), Answer::text("hi")).start().await.unwrap();
    let bench = Bench::new();
    bench.write(
        "a.yaml",
        &format!(
            "backends:\n  - {{name: one, url: '{}', headers: {{X-Key: '${{TOKEN}}'}}}}\n",
            backend.url()
        ),
    );
    bench.write("b.json", r#"{"mcpServers": {"gone": {"url": "http://127.0.0.1:1/mcp"}}}"#);
    let serving = Serving::start(&bench, &["--config", "a.yaml", "--config", "b.json"]);
    assert!(serving.greeting.starts_with("vmcp serves 2 backends"), "{}", serving.greeting);

    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    let answer = client.tool("one_hello", json!({})).await.unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "hi");
    let heard = backend.heard("tools/call");
    assert_eq!(heard[0].header("x-key"), Some("s3cret"));
}

#[tokio::test]
async fn a_signal_lets_calls_in_flight_finish() {
    let gate = Gate::new();
    let slow = Answer::text("done").gate(&gate);
    let backend = Backend::builder().tool(tool("slow"), slow).start().await.unwrap();
    let bench = Bench::new();
    bench.write("c.yaml", &format!("backends: [{{name: b, url: '{}'}}]\n", backend.url()));
    for signal in ["TERM", "INT"] {
        let serving = Serving::start(&bench, &["-c", "c.yaml"]);
        let client = RawClient::new(&serving.url).unwrap();
        client.handshake(REVISION, json!({})).await.unwrap();
        gate.close();
        let calls = backend.count("tools/call");
        let call = tokio::spawn(async move { client.tool("b_slow", json!({})).await });
        backend.wait_for("tools/call", calls + 1).await.unwrap();
        serving.signal(signal);
        gate.open();
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], "done");
        assert_eq!(serving.ended().await, Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let backend = Backend::builder().tool(tool("never"), Answer::never()).start().await.unwrap();
    let bench = Bench::new();
    bench.write(
        "c.yaml",
        &format!("backends: [{{name: b, url: '{}'}}]\ntimeouts: {{drain: 1h}}\n", backend.url()),
    );
    let serving = Serving::start(&bench, &["-c", "c.yaml"]);
    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    let call = tokio::spawn(async move { client.tool("b_never", json!({})).await });
    backend.wait_for("tools/call", 1).await.unwrap();
    serving.signal("TERM");
    // Two signals of one kind may be delivered as one; two kinds may not.
    serving.signal("INT");
    assert_eq!(serving.ended().await, Some(1));
    // The connection broke: there is no answer.
    assert!(call.await.unwrap().is_err());
}
