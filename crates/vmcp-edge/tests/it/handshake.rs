//! The handshake, and the headers that carry what was agreed.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::rig::{LATEST, Rig, body, hello};

#[tokio::test]
async fn the_revision_asked_for_is_agreed_if_it_is_spoken_here() {
    let rig = Rig::empty().await;
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2099-01-01", LATEST),
        ("2026-07-28", LATEST),
        ("1.0", LATEST),
        ("", LATEST),
    ] {
        let mut reply = rig.client().post(hello(asked)).await.unwrap();
        assert_eq!(reply.status, 200);
        let message = body(&mut reply).await;
        assert_eq!(message["result"]["protocolVersion"], agreed, "{asked}");
        assert_eq!(message["id"], 1);
        assert_eq!(message["result"]["serverInfo"]["name"], "vmcp");
        assert!(message["result"]["capabilities"].is_object());
    }
}

#[tokio::test]
async fn a_handshake_that_says_nothing_sensible_is_refused() {
    let rig = Rig::empty().await;
    for params in [
        json!({}),
        json!([]),
        json!({"protocolVersion": 42}),
        json!({"protocolVersion": LATEST, "capabilities": []}),
        json!({"protocolVersion": LATEST, "clientInfo": "x"}),
    ] {
        let mut reply = rig.client().request_as("7", "initialize", params.clone()).await.unwrap();
        assert_eq!(reply.status, 400, "{params}");
        let message = body(&mut reply).await;
        assert_eq!((&message["error"]["code"], &message["id"]), (&json!(-32602), &json!(7)));
        assert_eq!(reply.header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn session_ids_are_visible_long_and_never_the_clients_own() {
    let rig = Rig::empty().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..200 {
        let headers = [("mcp-session-id", "chosen-by-the-client-00000000000")];
        let reply = rig.client().send(Method::POST, &headers, hello(LATEST).into()).await.unwrap();
        let id = reply.header("mcp-session-id").unwrap().to_owned();
        assert!(id.len() >= 22 && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
        assert!(seen.insert(id));
    }
}

#[tokio::test]
async fn a_second_handshake_on_a_session_is_refused_and_the_session_lives_on() {
    let rig = Rig::empty().await;
    let client = rig.session(LATEST).await;
    let mut reply = client.post(hello(LATEST)).await.unwrap();
    assert_eq!(reply.status, 400);
    let message = body(&mut reply).await;
    assert_eq!((&message["error"]["code"], &message["id"]), (&json!(-32600), &json!(1)));
    assert_eq!(client.call("ping", json!({})).await.unwrap()["result"], json!({}));
}

#[tokio::test]
async fn requests_without_a_session_and_with_an_unknown_one_are_told_apart() {
    let rig = Rig::empty().await;
    let unknown = "A".repeat(32);
    for verb in [Method::POST, Method::GET, Method::DELETE] {
        let bytes = || match verb {
            Method::POST => Bytes::from_static(br#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#),
            _ => Bytes::new(),
        };
        let mut reply = rig.client().send(verb.clone(), &[], bytes()).await.unwrap();
        assert_eq!(reply.status, 400, "{verb}");
        let missing = body(&mut reply).await;
        assert_eq!(missing["error"]["code"], -32600);
        for id in [unknown.as_str(), "x", "not/base64/not/base64/not/base64"] {
            let headers = [("mcp-session-id", id)];
            let mut reply = rig.client().send(verb.clone(), &headers, bytes()).await.unwrap();
            assert_eq!(reply.status, 404, "{verb} {id}");
            let message = body(&mut reply).await;
            assert_eq!(message["error"]["code"], -32001);
            if verb == Method::POST {
                assert_eq!((&message["id"], &missing["id"]), (&json!("x"), &json!("x")));
            }
        }
    }
}

#[tokio::test]
async fn the_version_header_must_be_the_sessions_own_where_it_is_defined() {
    let rig = Rig::empty().await;
    for (agreed, header, status) in [
        ("2025-11-25", "", 200),
        ("2025-11-25", "2025-11-25", 200),
        ("2025-11-25", "2025-03-26", 400),
        ("2025-11-25", "2026-07-28", 400),
        ("2025-11-25", "nonsense", 400),
        ("2025-06-18", " 2025-06-18 ", 200),
        ("2025-03-26", "", 200),
        ("2025-03-26", "2025-06-18", 200),
        ("2025-03-26", "2026-07-28", 400),
        ("2025-03-26", "nonsense", 400),
    ] {
        let client = rig.session(agreed).await;
        let ping = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        let headers = [("mcp-protocol-version", header)];
        let reply = client.send(Method::POST, &headers, ping).await.unwrap();
        assert_eq!(reply.status, status, "{agreed} {header}");
    }
}

#[tokio::test]
async fn messages_before_the_end_of_the_handshake_are_served() {
    let rig = Rig::empty().await;
    let client = rig.client();
    let reply = client.post(hello(LATEST)).await.unwrap();
    client.set_session(reply.header("mcp-session-id"));
    assert!(client.call("tools/list", json!({})).await.unwrap()["result"]["tools"].is_array());
    let mut reply = client.notify("notifications/initialized", json!({})).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.bytes().await.unwrap().len()), (202, 0));
}
