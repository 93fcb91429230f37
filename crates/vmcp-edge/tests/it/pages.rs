//! The operators' pages.

use serde_json::{Value, json};
use vmcp_testkit::Answer;

use crate::rig::{LATEST, Rig, one_tool};

#[tokio::test]
async fn health_and_readiness_answer_in_json() {
    let rig = Rig::empty().await;
    assert_eq!(rig.page("/health").await, (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(rig.page("/readyz").await, (200, r#"{"status":"ready"}"#.to_owned()));
    assert_eq!(rig.page("/").await.0, 404);
    assert_eq!(rig.page("/health/").await.0, 404);
}

#[tokio::test]
async fn pages_are_read_only() {
    let rig = Rig::empty().await;
    for path in ["/health", "/readyz", "/status", "/metrics"] {
        let mut wire = rig.wire().await;
        wire.say(&format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"))
            .await;
        let reply = wire.reply().await.unwrap();
        assert_eq!(reply.status, 405);
        assert!(reply.head.contains("allow: get, head\r\n"));
        let mut wire = rig.wire().await;
        wire.say(&format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
            .await;
        let text = wire.rest().await;
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\n"), "{text}");
    }
}

#[tokio::test]
async fn the_status_shows_states_and_no_addresses() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let (code, text) = rig.page("/status").await;
    assert_eq!(code, 200);
    assert!(!text.contains("127.0.0.1") && !text.contains(&backend.address().port().to_string()));
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(page["healthy"], true);
    assert_eq!(page["backends"][0]["name"], "b");
    assert_eq!(page["backends"][0]["health"], "ready");
    assert_eq!(page["backends"][0]["tools"], 1);
}

#[tokio::test]
async fn metrics_count_calls_by_bounded_labels() {
    let rig = Rig::empty().await;
    let client = rig.session(LATEST).await;
    for method in ["tools/list", "tools/list", "made/up", "made/up/too"] {
        client.call(method, json!({})).await.unwrap();
    }
    for (sample, value) in [
        (r#"vmcp_edge_calls_total{method="tools/list",outcome="ok"}"#, 2.0),
        (r#"vmcp_edge_calls_total{method="other",outcome="failed"}"#, 2.0),
        (r#"vmcp_edge_calls_total{method="handshake",outcome="ok"}"#, 1.0),
        (r#"vmcp_edge_call_seconds_count{method="tools/list"}"#, 2.0),
        ("vmcp_edge_sessions", 1.0),
    ] {
        assert_eq!(rig.metric(sample).await, value, "{sample}");
    }
    client.fresh().call("ping", json!({})).await.unwrap();
    assert_eq!(rig.metric(r#"vmcp_edge_refusals_total{stage="session"}"#).await, 1.0);
    let (_, text) = rig.page("/metrics").await;
    assert!(!text.contains("made/up"));
}
