//! A session's orderly end, and the time that calls may take.

use std::time::Duration;

use serde_json::json;
use vmcp_backend::ErrorKind;
use vmcp_testkit::{Answer, Gate};

use crate::rig::{call, failure, open, run, streamable, t, text, tool, with_tool};

#[tokio::test]
async fn a_tool_may_have_a_time_of_its_own() {
    let builder = with_tool(Answer::never()).tool(tool("slow"), Answer::never());
    let backend = builder.start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.timeouts.call = Duration::from_millis(60);
    target.timeouts.tools.insert("slow".to_owned(), Duration::from_millis(120));
    let session = open(target).await;
    let after = |millis| ErrorKind::Timeout(Duration::from_millis(millis));
    assert_eq!(failure(&session, t()).await.kind, after(60));
    let slow = call(&json!({"name": "s\u{6c}ow"}));
    assert_eq!(failure(&session, slow.clone()).await.kind, after(120));
    let own = slow.with_timeout(Duration::from_millis(30));
    assert_eq!(failure(&session, own).await.kind, after(30));
}

#[tokio::test]
async fn closing_waits_for_calls_and_a_second_time_costs_nothing() {
    let gate = Gate::new();
    let backend = with_tool(Answer::text("x").gate(&gate)).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let calling = tokio::spawn({
        let session = session.clone();
        async move { run(&session, t()).await }
    });
    gate.reached(1).await.unwrap();
    let closing = tokio::spawn({
        let session = session.clone();
        async move { session.close().await }
    });
    // Nothing new is taken as soon as it closes, and the backend is not told before the call has ended.
    while failure_or_none(&session).await != Some(ErrorKind::Closed) {}
    assert_eq!(backend.count("DELETE"), 0);
    gate.open();
    assert_eq!(text(&calling.await.unwrap()), "x");
    closing.await.unwrap();
    assert_eq!(backend.count("DELETE"), 1);
    session.close().await;
    drop(session);
    assert_eq!(backend.count("DELETE"), 1);
}

async fn failure_or_none(session: &vmcp_backend::Session) -> Option<ErrorKind> {
    tokio::task::yield_now().await;
    session.notify("notifications/x", None).await.err().map(|error| error.kind)
}

#[tokio::test]
async fn a_close_that_is_dropped_half_way_still_ends_the_session() {
    let gate = Gate::new();
    let backend = with_tool(Answer::text("x").gate(&gate)).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let calling = tokio::spawn({
        let session = session.clone();
        async move { run(&session, t()).await }
    });
    gate.reached(1).await.unwrap();
    {
        let mut closing = std::pin::pin!(session.close());
        assert!(futures_poll(closing.as_mut()));
    }
    gate.open();
    calling.await.unwrap();
    drop(session);
    backend.wait_for("DELETE", 1).await.unwrap();
}

/// Polls once; whether it is still pending.
fn futures_poll(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut context).is_pending()
}

#[tokio::test]
async fn a_backend_that_does_not_answer_the_end_is_not_waited_for_long() {
    let backend = with_tool(Answer::text("x")).on("DELETE", Answer::never()).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    tokio::time::timeout(Duration::from_secs(10), session.close()).await.unwrap();
    assert_eq!(failure(&session, t()).await.kind, ErrorKind::Closed);
}
