//! Clients of the transport of 2024-11-05: one stream for everything, and what is posted beside it.

mod client;
mod doors;

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Gate, PATIENCE};

use crate::rig::{Rig, one_tool, target, tool};
use client::{OLDEST, SseClient};

#[tokio::test]
async fn the_stream_says_where_to_post_and_every_revision_is_spoken_on_it() {
    let backend = one_tool("t", Answer::echo()).await;
    let rig = Rig::before(&backend).await;
    for revision in [OLDEST, "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = SseClient::connect(rig.address).await;
        let id = client.endpoint.strip_prefix("/message?sessionId=").unwrap();
        assert_eq!(id.len(), 32);
        let (status, body) = client.ask(json!("i"), "initialize", SseClient::hello(revision)).await;
        assert_eq!((status, body.as_str()), (202, ""));
        let answer = client.next().await;
        assert_eq!(answer["id"], "i");
        assert_eq!(answer["result"]["protocolVersion"], revision);
        client.notify("notifications/initialized", json!({})).await;
        client.ask(json!(1), "tools/list", json!({})).await;
        assert_eq!(client.next().await["result"]["tools"][0]["name"], "t");
        client.ask(json!(2), "tools/call", json!({"name": "t", "arguments": {"n": 1}})).await;
        let answer = client.next().await;
        assert_eq!(answer["id"], 2);
        assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains(r#""n":1"#));
        client.ask(json!("p"), "ping", json!({})).await;
        assert_eq!(client.next().await, json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    }
    let calls = r#"vmcp_edge_calls_total{method="tools/call",outcome="ok"}"#;
    assert_eq!(rig.metric(calls).await, 4.0);
}

#[tokio::test]
async fn errors_that_belong_to_a_request_come_on_the_stream() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let mut client = SseClient::connect(rig.address).await;
    let early = client.ask(json!(1), "tools/list", json!({})).await;
    assert_eq!(early.0, 202);
    assert_eq!(client.next().await["error"]["code"], -32600);
    client.shake(OLDEST).await;
    client.ask(json!(2), "initialize", SseClient::hello(OLDEST)).await;
    assert_eq!(client.next().await["error"]["message"], "this session is open already");
    client.ask(json!(3), "tools/call", json!({"name": "nobody"})).await;
    assert_eq!(client.next().await["error"]["code"], -32602);
    client.ask(json!(4), "no/such", json!({})).await;
    assert_eq!(client.next().await["error"]["code"], -32601);
}

#[tokio::test]
async fn progress_comes_before_its_response() {
    let answer = Answer::text("done").progress(1, Some(2.0), None).progress(2, Some(2.0), None);
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let mut client = SseClient::open(rig.address, OLDEST).await;
    let params = json!({"name": "t", "_meta": {"progressToken": 0}});
    client.ask(json!(1), "tools/call", params).await;
    for at in 1..=2 {
        let told = client.next().await;
        assert_eq!(told["method"], "notifications/progress");
        assert_eq!(
            (&told["params"]["progressToken"], &told["params"]["progress"]),
            (&json!(0), &json!(at))
        );
    }
    assert_eq!(client.next().await["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn a_server_asks_on_the_stream_and_is_answered_by_a_post() {
    let backend = one_tool("t", Answer::text("done").ask("roots/list", json!({}))).await;
    let rig = Rig::before(&backend).await;
    let mut client = SseClient::open(rig.address, OLDEST).await;
    client.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    let asked = client.next().await;
    assert_eq!(asked["method"], "roots/list");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}});
    assert_eq!(client.post(&answer.to_string()).await, (202, String::new()));
    assert_eq!(client.next().await["result"]["content"][0]["text"], "done");
    assert_eq!(backend.replies()[0]["result"], json!({"roots": []}));
}

#[tokio::test]
async fn changes_are_told_without_being_asked() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let mut client = SseClient::open(rig.address, OLDEST).await;
    backend.set_tool(tool("u"), Answer::text("y"));
    backend.list_changed("tools").await;
    assert_eq!(client.next().await["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn what_the_revision_cannot_express_is_converted() {
    let link = r#"{"content":[{"type":"resource_link","uri":"r://1","name":"n"}]}"#;
    let backend = one_tool("t", Answer::result(link)).await;
    let rig = Rig::before(&backend).await;
    for (revision, kind) in [(OLDEST, "text"), ("2025-06-18", "resource_link")] {
        let mut client = SseClient::open(rig.address, revision).await;
        client.ask(json!(1), "tools/call", json!({"name": "t"})).await;
        assert_eq!(client.next().await["result"]["content"][0]["type"], kind, "{revision}");
    }
}

#[tokio::test]
async fn two_sessions_at_once_hear_their_own_only() {
    let gate = Gate::new();
    let first = one_tool("t", Answer::text("slow").gate(&gate)).await;
    let second = one_tool("u", Answer::text("quick")).await;
    let rig = Rig::with(vec![target("b", &first), target("c", &second)], |_| {}).await;
    let mut alice = SseClient::open(rig.address, OLDEST).await;
    let mut bob = SseClient::open(rig.address, "2025-11-25").await;
    assert_ne!(alice.endpoint, bob.endpoint);
    alice.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    gate.reached(1).await.unwrap();
    bob.ask(json!(1), "tools/call", json!({"name": "u"})).await;
    assert_eq!(bob.next().await["result"]["content"][0]["text"], "quick");
    gate.open();
    assert_eq!(alice.next().await["result"]["content"][0]["text"], "slow");
    // The end of one is none of the other's business.
    drop(alice);
    rig.until_metric("vmcp_edge_sessions", 1.0).await;
    bob.ask(json!(2), "tools/call", json!({"name": "u"})).await;
    assert_eq!(bob.next().await["id"], 2);
}

#[tokio::test]
async fn closing_the_stream_takes_calls_back_and_ends_the_session_and_the_backends() {
    let backend = one_tool("t", Answer::never()).await;
    let rig = Rig::before(&backend).await;
    let before = backend.sessions().len();
    let client = SseClient::open(rig.address, OLDEST).await;
    client.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    backend.wait_for("tools/call", 1).await.unwrap();
    assert_eq!(backend.sessions().len(), before + 1);
    let endpoint = client.endpoint.clone();
    client.close_stream();
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    rig.until_metric("vmcp_edge_sessions", 0.0).await;
    let (status, body) = SseClient::post_to(rig.address, &endpoint, &SseClient::ping()).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["error"]["message"]), (404, &json!("session not found")));
    let ended = async {
        while backend.sessions().len() > before {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ended).await.is_ok(), "{:?}", backend.sessions());
    let outcome = r#"vmcp_edge_calls_total{method="tools/call",outcome="cancelled"}"#;
    rig.until_metric(outcome, 1.0).await;
}

#[tokio::test]
async fn a_call_is_taken_back_by_its_id() {
    let backend = one_tool("t", Answer::never()).await;
    let rig = Rig::before(&backend).await;
    let mut client = SseClient::open(rig.address, OLDEST).await;
    client.ask(json!("x"), "tools/call", json!({"name": "t"})).await;
    backend.wait_for("tools/call", 1).await.unwrap();
    client.notify("notifications/cancelled", json!({"requestId": "x"})).await;
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    // Nothing more is said about it.
    client.ask(json!("p"), "ping", json!({})).await;
    assert_eq!(client.next().await["id"], "p");
}

#[tokio::test]
async fn a_stopping_server_lets_calls_finish_and_then_ends_the_stream() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").gate(&gate)).await;
    let mut rig = Rig::before(&backend).await;
    let mut client = SseClient::open(rig.address, OLDEST).await;
    let mut idle = SseClient::open(rig.address, OLDEST).await;
    client.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    gate.reached(1).await.unwrap();
    let served = rig.begin_stop();
    assert_eq!(idle.event().await, None);
    gate.open();
    assert_eq!(client.next().await["result"]["content"][0]["text"], "done");
    assert_eq!(client.event().await, None);
    drop((client, idle));
    tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_long_response_passes_in_parts_and_a_broken_one_is_no_message() {
    const LENGTH: u64 = 2 << 20;
    let whole = one_tool("t", Answer::huge(LENGTH)).await;
    let cut = one_tool("u", Answer::huge(LENGTH).cut_after(1 << 20)).await;
    let rig = Rig::with(vec![target("b", &whole), target("c", &cut)], |_| {}).await;
    // Of an older client a long response is held, to be looked through.
    let mut client = SseClient::open(rig.address, "2025-11-25").await;
    client.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    let answer = client.next().await;
    assert_eq!(answer["id"], 1);
    assert!(answer.to_string().len() as u64 > LENGTH);
    client.ask(json!(2), "tools/call", json!({"name": "u"})).await;
    let (name, _) = client.event().await.unwrap();
    assert_eq!(name, "cut");
    let answer = client.next().await;
    assert_eq!(
        (&answer["id"], &answer["error"]["data"]["executed"]),
        (&json!(2), &json!("unknown"))
    );
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_by_comments() {
    let backend = Backend::builder().tool(tool("t"), Answer::text("x")).start().await.unwrap();
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.keep_alive = Duration::from_millis(10);
    })
    .await;
    let mut client = SseClient::open(rig.address, OLDEST).await;
    client.comments(3).await;
    client.ask(json!(1), "ping", json!({})).await;
    assert_eq!(client.next().await["id"], 1);
}
