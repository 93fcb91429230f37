//! What is checked before a stream is opened, or a message is taken.

use serde_json::{Value, json};
use vmcp_testkit::Answer;

use super::client::{OLDEST, SseClient};
use crate::rig::{Rig, WireReply, hello, one_tool, post, target};

/// One request with this head, and this body.
async fn says(rig: &Rig, head: &str, body: &str) -> WireReply {
    let mut wire = rig.wire().await;
    wire.say(&format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await;
    wire.reply().await.unwrap()
}

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn a_message_for_no_session_or_that_is_none_is_refused() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.limits.max_request_bytes = 1 << 10;
    })
    .await;
    let client = SseClient::open(rig.address, OLDEST).await;
    let (at, ping) = (client.endpoint.clone(), SseClient::ping());
    let (unknown, host) = (format!("/message?sessionId={}", "A".repeat(32)), "host: localhost\r\n");
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{{\"a\":\"{}\"}}}}",
        "a".repeat(1 << 10)
    );
    for (status, head, body) in [
        (404, format!("POST {unknown} HTTP/1.1\r\n{host}{JSON}"), &ping),
        (404, format!("POST {at}x HTTP/1.1\r\n{host}{JSON}"), &ping),
        (400, format!("POST /message HTTP/1.1\r\n{host}{JSON}"), &ping),
        (400, format!("POST {at}&sessionId=x HTTP/1.1\r\n{host}{JSON}"), &ping),
        (400, format!("POST {at} HTTP/1.1\r\n{host}{JSON}"), &"{".to_owned()),
        (400, format!("POST {at} HTTP/1.1\r\n{host}{JSON}"), &r#"{"id":1}"#.to_owned()),
        (415, format!("POST {at} HTTP/1.1\r\n{host}content-type: text/plain\r\n"), &ping),
        (413, format!("POST {at} HTTP/1.1\r\n{host}{JSON}"), &long),
        (405, format!("GET {at} HTTP/1.1\r\n{host}"), &String::new()),
        (405, format!("POST /sse HTTP/1.1\r\n{host}{JSON}"), &ping),
        (406, format!("GET /sse HTTP/1.1\r\n{host}accept: application/json\r\n"), &String::new()),
        (403, format!("POST {at} HTTP/1.1\r\nhost: evil.example\r\n{JSON}"), &ping),
        (403, format!("POST {at} HTTP/1.1\r\n{host}origin: https://evil.example\r\n{JSON}"), &ping),
        (403, "GET /sse HTTP/1.1\r\nhost: evil.example\r\n".to_owned(), &String::new()),
        (
            403,
            format!("GET /sse HTTP/1.1\r\n{host}origin: https://evil.example\r\n"),
            &String::new(),
        ),
    ] {
        let reply = says(&rig, &head, body).await;
        assert_eq!(reply.status, status, "{head}: {}", reply.body);
        let told: Value = serde_json::from_str(&reply.body).unwrap();
        assert!(told["error"]["code"].is_i64(), "{head}: {told}");
    }
    // The session has taken no harm.
    assert_eq!(client.post(&ping).await, (202, String::new()));
}

#[tokio::test]
async fn the_two_transports_do_not_share_sessions() {
    let rig = Rig::empty().await;
    let client = SseClient::open(rig.address, OLDEST).await;
    let id = client.endpoint.rsplit_once('=').unwrap().1.to_owned();
    let mut wire = rig.wire().await;
    wire.say(&post(Some(&id), &SseClient::ping())).await;
    assert_eq!(wire.reply().await.unwrap().status, 404);
    wire.say(&post(None, &hello(OLDEST))).await;
    let reply = wire.reply().await.unwrap();
    let id = reply.head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let target = format!("/message?sessionId={id}");
    assert_eq!(SseClient::post_to(rig.address, &target, &SseClient::ping()).await.0, 404);
}

#[tokio::test]
async fn batches_are_taken_where_they_exist() {
    let rig = Rig::empty().await;
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/none"},
        {"jsonrpc": "2.0", "id": 2, "method": "ping"},
    ])
    .to_string();
    for (revision, status) in [(OLDEST, 202), ("2025-03-26", 202), ("2025-06-18", 400)] {
        let mut client = SseClient::open(rig.address, revision).await;
        assert_eq!(client.post(&batch).await.0, status, "{revision}");
        if status == 202 {
            assert_eq!(client.next().await["id"], 1);
            assert_eq!(client.next().await["id"], 2);
        }
    }
}

#[tokio::test]
async fn streams_count_as_sessions() {
    let rig = Rig::with(Vec::new(), |config| config.session.max_sessions = 1).await;
    let client = SseClient::connect(rig.address).await;
    let reply = says(&rig, "GET /sse HTTP/1.1\r\nhost: localhost\r\n", "").await;
    assert_eq!(reply.status, 503);
    let mut wire = rig.wire().await;
    wire.say(&post(None, &hello(OLDEST))).await;
    assert_eq!(wire.reply().await.unwrap().status, 503);
    client.close_stream();
    rig.until_metric("vmcp_edge_sessions", 0.0).await;
    SseClient::connect(rig.address).await;
}

#[tokio::test]
async fn the_path_is_configured_and_can_be_turned_off() {
    let off = Rig::with(Vec::new(), |config| config.listen.sse = None).await;
    for path in ["/sse", "/message"] {
        assert_eq!(off.page(path).await.0, 404);
    }
    let moved = Rig::with(Vec::new(), |config| config.listen.sse = Some("/a/b".to_owned())).await;
    assert_eq!(moved.page("/sse").await.0, 404);
    assert_eq!(moved.page("/a/message?sessionId=x").await.0, 405);
}
