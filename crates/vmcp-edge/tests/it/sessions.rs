//! The life of sessions.

use std::time::Duration;

use serde_json::json;
use vmcp_testkit::Answer;

use crate::rig::{LATEST, Rig, body, hello, one_tool, target};

#[tokio::test]
async fn a_session_that_was_ended_is_unknown_and_its_backend_session_is_ended_too() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    client.tool("t", json!({})).await.unwrap();
    let before = backend.count("DELETE");
    assert_eq!(client.delete().await.unwrap().status, 204);
    assert_eq!(client.delete().await.unwrap().status, 404);
    assert_eq!(client.get().await.unwrap().status, 404);
    assert_eq!(client.request("ping", json!({})).await.unwrap().status, 404);
    backend.wait_for("DELETE", before + 1).await.unwrap();
    assert_eq!(rig.metric("vmcp_edge_sessions").await, 0.0);
}

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_does_not() {
    let rig =
        Rig::with(Vec::new(), |config| config.session.idle = Duration::from_millis(100)).await;
    let idle = rig.session(LATEST).await;
    let watched = rig.session(LATEST).await;
    // A session whose client listens is in use.
    let stream = watched.get().await.unwrap();
    rig.until_metric("vmcp_edge_sessions", 1.0).await;
    assert_eq!(idle.request("ping", json!({})).await.unwrap().status, 404);
    assert_eq!(watched.request("ping", json!({})).await.unwrap().status, 200);
    drop(stream);
    rig.until_metric("vmcp_edge_sessions", 0.0).await;
}

#[tokio::test]
async fn sessions_at_one_time_are_bounded() {
    let rig = Rig::with(Vec::new(), |config| config.session.max_sessions = 2).await;
    let first = rig.session(LATEST).await;
    let _second = rig.session(LATEST).await;
    let mut reply = rig.client().post(hello(LATEST)).await.unwrap();
    assert_eq!(reply.status, 503);
    assert!(reply.header("retry-after").is_some());
    let message = body(&mut reply).await;
    assert_eq!((&message["id"], &message["error"]["code"]), (&json!(1), &json!(1007)));
    first.delete().await.unwrap();
    let _third = rig.session(LATEST).await;
}

#[tokio::test]
async fn streams_of_one_session_are_bounded_and_none_replaces_another() {
    let rig = Rig::with(Vec::new(), |config| config.session.max_streams = 2).await;
    let client = rig.session(LATEST).await;
    let first = client.get().await.unwrap();
    let second = client.get().await.unwrap();
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    assert_eq!(client.get().await.unwrap().status, 429);
    assert_eq!(rig.metric(r#"vmcp_edge_streams{kind="standalone"}"#).await, 2.0);
    drop(first);
    rig.until_metric(r#"vmcp_edge_streams{kind="standalone"}"#, 1.0).await;
    assert_eq!(client.get().await.unwrap().status, 200);
}

#[tokio::test]
async fn calls_of_one_session_are_bounded_and_others_do_not_notice() {
    let backend = one_tool("t", Answer::never()).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| config.session.max_calls = 1).await;
    let client = rig.session(LATEST).await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.tool("t", json!({})).await }
    });
    backend.wait_for("tools/call", 1).await.unwrap();
    let refused = client.call("tools/list", json!({})).await.unwrap();
    assert_eq!(refused["error"]["code"], 1007);
    assert_eq!(refused["error"]["data"]["executed"], "no");
    // Answered here, so it needs no place.
    assert!(client.call("ping", json!({})).await.unwrap()["result"].is_object());
    let other = rig.session(LATEST).await;
    assert!(other.call("tools/list", json!({})).await.unwrap()["result"].is_object());
    first.abort();
}
