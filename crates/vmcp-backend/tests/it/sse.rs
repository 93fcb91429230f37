//! HTTP with SSE: one stream carries every reply.

use std::time::Duration;

use serde_json::json;
use vmcp_backend::{BackendTarget, ConnectErrorKind, Endpoint, ErrorKind, Executed, Session};
use vmcp_testkit::{Answer, Backend, Gate, RawServer, Transport};

use crate::rig::{call, failure, open, open_heard, read, run, t, text, try_open, url, with_tool};

fn target(at: &str) -> BackendTarget {
    BackendTarget::new("b", Endpoint::Sse { url: url(at) })
}

async fn pair(answer: Answer) -> (Backend, Session) {
    let backend = with_tool(answer).transport(Transport::HttpSse).start().await.unwrap();
    let session = open(target(&backend.url())).await;
    (backend, session)
}

#[tokio::test]
async fn calls_share_one_stream() {
    let (backend, session) = pair(Answer::echo()).await;
    let mut running = tokio::task::JoinSet::new();
    for n in 0..20 {
        let session = session.clone();
        running.spawn(async move {
            let all = run(&session, call(&json!({"name": "t", "n": n}))).await;
            assert_eq!(text(&all), json!({"name": "t", "n": n}).to_string());
        });
    }
    while let Some(outcome) = running.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(backend.count("GET"), 1);
    assert_eq!(backend.count("initialize"), 1);
    assert_eq!(session.session_id(), None);
    let list = session.list().await.unwrap();
    assert_eq!(list.tools.len(), 1);
}

#[tokio::test]
async fn progress_finds_its_call_by_token() {
    let (gate, other) = (Gate::new(), Gate::new());
    let held = Answer::text("held").gate(&gate);
    let noisy = Answer::text("x").progress(1, None, None).gate(&other).progress(2, None, None);
    let answer = Answer::with(move |call| match call.params()["n"].as_u64() {
        Some(1) => held.clone(),
        _ => noisy.clone(),
    });
    let (_backend, session) = pair(answer).await;
    let with_token = |n: u64| call(&json!({"name": "t", "n": n, "_meta": {"progressToken": 0}}));
    let holding = tokio::spawn({
        let (session, call) = (session.clone(), with_token(1));
        async move { run(&session, call).await }
    });
    gate.reached(1).await.unwrap();
    let reply = session.forward(with_token(2)).await.unwrap();
    assert!(reply.streamed);
    other.open();
    let all = read(reply, &json!({})).await;
    assert_eq!(text(&all), "x");
    assert_eq!(all.notifications.len(), 2);
    assert!(all.notifications.iter().all(|n| n["params"]["progressToken"] == 0));
    gate.open();
    assert!(holding.await.unwrap().notifications.is_empty());
}

#[tokio::test]
async fn a_request_goes_to_the_only_call_in_flight() {
    let (backend, session) =
        pair(Answer::text("x").ask("elicitation/create", json!({"message": "m"}))).await;
    let reply = session.forward(t()).await.unwrap();
    let all = read(reply, &json!({"action": "decline"})).await;
    assert_eq!(text(&all), "x");
    assert_eq!(backend.replies()[0]["result"], json!({"action": "decline"}));
}

#[tokio::test]
async fn a_lost_stream_fails_the_calls_in_flight_and_the_next_use_connects_again() {
    let backend = with_tool(Answer::sequence([Answer::never(), Answer::text("x")]))
        .transport(Transport::HttpSse)
        .start()
        .await
        .unwrap();
    let (session, heard) = open_heard(target(&backend.url())).await;
    let running = tokio::spawn({
        let session = session.clone();
        async move { failure(&session, t()).await }
    });
    backend.wait_for("tools/call", 1).await.unwrap();
    backend.restart().await.unwrap();
    let error = running.await.unwrap();
    assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::Unknown));
    heard.lost().await;
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(backend.count("initialize"), 2);
}

#[tokio::test]
async fn cancels_and_times_out() {
    let (backend, session) = pair(Answer::never()).await;
    let error = failure(&session, t().with_timeout(Duration::from_millis(50))).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)));
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    let asked = backend.heard("tools/call")[0].json();
    let notice = backend.heard("notifications/cancelled")[0].json();
    assert_eq!(notice["params"]["requestId"], asked["id"]);
}

#[tokio::test]
async fn a_wrong_id_reaches_nobody() {
    let (_backend, session) = pair(Answer::wrong_id("999999", json!({}))).await;
    let error = failure(&session, t().with_timeout(Duration::from_millis(100))).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)));
}

#[tokio::test]
async fn refuses_to_post_to_another_origin() {
    let thief =
        RawServer::start("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let said = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: endpoint\ndata: {}\n\n",
        thief.url()
    );
    let server = RawServer::start(said).await.unwrap();
    let error = try_open(target(&server.url())).await.unwrap_err();
    assert_eq!(
        error.kind,
        ConnectErrorKind::Handshake("refusing an endpoint of another origin".to_owned())
    );
    assert!(thief.heard().is_empty());
}

#[tokio::test]
async fn out_of_call_messages_go_to_the_sink_without_being_asked_for() {
    let backend = with_tool(Answer::text("x")).transport(Transport::HttpSse).start().await.unwrap();
    let (session, heard) = open_heard(target(&backend.url())).await;
    session.listen();
    backend.list_changed("tools").await;
    heard.notification("notifications/tools/list_changed").await;
    assert_eq!(backend.count("GET"), 1);
    session.close().await;
    assert_eq!(failure(&session, t()).await.kind, ErrorKind::Closed);
}
