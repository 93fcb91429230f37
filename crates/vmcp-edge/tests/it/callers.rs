//! What of a request's head goes with its calls.

use serde_json::json;
use vmcp_testkit::{Answer, Backend, RawClient};

use crate::rig::{LATEST, Rig, target};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn backend() -> Backend {
    let tool = json!({"name": "t", "inputSchema": {"type": "object"}});
    Backend::builder().tool(tool, Answer::text("x")).start().await.unwrap()
}

/// A server that passes these headers on.
async fn passing(backend: &Backend, names: &[&str]) -> Rig {
    Rig::with(vec![target("b", backend)], |config| {
        config.passthrough_headers = names.iter().map(|name| (*name).to_owned()).collect();
    })
    .await
}

async fn session(rig: &Rig, headers: &[(&str, &str)]) -> RawClient {
    let client = rig.client();
    for (name, value) in headers {
        client.set_header(name, value);
    }
    client.handshake(LATEST, json!({})).await.unwrap();
    client
}

#[tokio::test]
async fn named_headers_go_with_calls_and_with_nothing_that_vmcp_asks_for_itself() {
    let backend = backend().await;
    let rig = passing(&backend, &["x-tenant", "X-Region"]).await;
    let own = backend.requests();
    assert!(!own.is_empty());
    assert!(own.iter().all(|heard| heard.header("x-tenant").is_none()));

    let client = session(&rig, &[("X-TENANT", "a"), ("x-other", "never")]).await;
    client.tool("t", json!({})).await.unwrap();
    client.set_header("x-tenant", "b");
    client.set_header("x-region", "r");
    client.tool("t", json!({})).await.unwrap();
    client.set_header("x-tenant", "");
    client.tool("t", json!({})).await.unwrap();
    let heard = backend.heard("tools/call");
    let seen = |name: &str| -> Vec<Option<&str>> {
        heard.iter().map(|heard| heard.header(name)).collect()
    };
    assert_eq!(seen("x-tenant"), [Some("a"), Some("b"), None]);
    assert_eq!(seen("x-region"), [None, Some("r"), Some("r")]);
    assert_eq!(seen("x-other"), [None, None, None]);
}

#[tokio::test]
async fn each_call_of_a_batch_takes_them_along() {
    let backend = backend().await;
    let rig = passing(&backend, &["x-tenant"]).await;
    let client = rig.client();
    client.set_header("x-tenant", "a");
    client.handshake("2025-03-26", json!({})).await.unwrap();
    let call = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t"}});
    client.post(json!([call(1), call(2)]).to_string()).await.unwrap();
    backend.wait_for("tools/call", 2).await.unwrap();
    assert!(backend.heard("tools/call").iter().all(|heard| heard.header("x-tenant") == Some("a")));
}

#[tokio::test]
async fn a_header_that_stands_there_twice_is_refused() {
    let backend = backend().await;
    let rig = passing(&backend, &["x-tenant"]).await;
    let client = session(&rig, &[]).await;
    let mut wire = rig.wire().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let session = client.session().unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-session-id: {session}\r\n\
         x-tenant: a\r\nX-Tenant: b\r\ncontent-length: {}\r\n\r\n",
        rig.address,
        body.len()
    );
    wire.say(&format!("{head}{body}")).await;
    assert_eq!(wire.reply().await.unwrap().status, 400);
    assert_eq!(backend.count("tools/call"), 0);
}

#[tokio::test]
async fn what_is_meant_for_vmcp_is_never_passed_on() {
    let backend = backend().await;
    let rig = passing(&backend, &["authorization", "Cookie", "host", "no name"]).await;
    let headers = [("authorization", "Bearer of-the-client"), ("cookie", "a=b")];
    let client = session(&rig, &headers).await;
    client.tool("t", json!({})).await.unwrap();
    for heard in backend.requests() {
        assert_eq!(heard.header("authorization"), None);
        assert_eq!(heard.header("cookie"), None);
    }
}

#[tokio::test]
async fn a_trace_goes_with_its_call() {
    let backend = backend().await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig, &[("traceparent", PARENT), ("tracestate", "a=1,b=2")]).await;
    client.tool("t", json!({})).await.unwrap();
    let heard = &backend.heard("tools/call")[0];
    assert_eq!(heard.header("traceparent"), Some(PARENT));
    assert_eq!(heard.header("tracestate"), Some("a=1,b=2"));
    assert_eq!(heard.json()["params"]["_meta"]["traceparent"], PARENT);

    // Nonsense is no trace, and no reason to refuse a call.
    client.set_header("traceparent", "00-nonsense");
    client.tool("t", json!({})).await.unwrap();
    let heard = &backend.heard("tools/call")[1];
    assert_eq!(heard.header("traceparent"), None);
    assert_eq!(heard.json()["params"].get("_meta"), None);
}
