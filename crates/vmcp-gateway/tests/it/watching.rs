//! What operators see.

use serde_json::json;
use vmcp_gateway::BackendState;
use vmcp_testkit::{Answer, Backend};

use crate::world::{World, bare, http, tool};

#[tokio::test]
async fn calls_sessions_and_states_are_counted() {
    let a = Backend::builder()
        .tool(tool("x"), Answer::usual())
        .tool(tool("bad"), Answer::error(-32000, "no"))
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    client.text("x", json!({})).await;
    client.text("x", json!({})).await;
    client.hear("tools/call", json!({"name": "bad"})).await.unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    world.gateway.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        r#"vmcp_backend_calls_total{backend="a",method="tools/call",outcome="ok"} 2"#,
        r#"vmcp_backend_calls_total{backend="a",method="tools/call",outcome="error"} 1"#,
        r#"vmcp_backend_call_duration_seconds_count{backend="a",method="tools/call"} 3"#,
        r#"vmcp_backend_sessions{backend="a"} 1"#,
        r#"vmcp_backend_state{backend="a",state="ready"} 1"#,
        r#"vmcp_backend_state{backend="a",state="connecting"} 0"#,
        "vmcp_sessions 1",
    ] {
        assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
    }
    let status = world.status();
    assert_eq!(status.backends[0].state, BackendState::Ready);
    assert_eq!(status.backends[0].sessions, 2, "the client's and the catalogue's");
    assert_eq!(status.backends[0].revision, Some("2025-11-25"));
    assert_eq!(status.advertised.tools, 2);
    assert_eq!((status.sessions, status.name.as_str()), (1, "vmcp"));
}
