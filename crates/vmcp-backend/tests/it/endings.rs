//! How calls and sessions end before their time: cancelled, dropped, too late, closed.

use std::time::Duration;

use serde_json::json;
use vmcp_backend::{Call, Cancel, ErrorKind, Event, Executed, Side};
use vmcp_testkit::{Answer, Backend, Gate};

use crate::rig::{PATIENCE, call, failure, open, pair, read, run, streamable, t, text, with_tool};

/// The backend was told, under its own id, that a call is no longer wanted.
async fn check_told(backend: &Backend, reason: Option<&str>) {
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    let notice = backend.heard("notifications/cancelled")[0].json();
    let asked = backend.heard("tools/call")[0].json();
    assert_eq!(notice["params"]["requestId"], asked["id"]);
    assert_eq!(notice["params"].get("reason").and_then(|reason| reason.as_str()), reason);
}

#[tokio::test]
async fn firing_the_handle_ends_the_call_and_tells_the_backend() {
    let (backend, session) = pair(Answer::never()).await;
    let cancel = Cancel::new();
    let running = session.forward(t().with_cancel(cancel.clone()));
    let firing = async {
        backend.wait_for("tools/call", 1).await.unwrap();
        cancel.cancel(Some("not \"now\"".to_owned()));
    };
    let (outcome, ()) = tokio::join!(running, firing);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!((error.side, error.executed), (Side::Client, Executed::Unknown));
    check_told(&backend, Some("not \"now\"")).await;
}

#[tokio::test]
async fn nothing_comes_after_a_cancellation() {
    let gate = Gate::new();
    let (backend, session) = pair(Answer::text("late").log("info", "first").gate(&gate)).await;
    let cancel = Cancel::new();
    let mut reply = session.forward(t().with_cancel(cancel.clone())).await.unwrap();
    assert!(matches!(reply.next().await, Some(Event::Notification(_))));
    gate.reached(1).await.unwrap();
    cancel.cancel(None);
    gate.open();
    let Some(Event::Failed(error)) = reply.next().await else { panic!() };
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(reply.next().await.is_none());
    check_told(&backend, None).await;
}

#[tokio::test]
async fn a_cancelled_call_is_not_even_sent() {
    let (backend, session) = pair(Answer::text("x")).await;
    let cancel = Cancel::new();
    cancel.cancel(None);
    let error = failure(&session, t().with_cancel(cancel)).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Cancelled, Executed::No));
    assert_eq!(backend.count("tools/call"), 0);
}

#[tokio::test]
async fn dropping_the_future_or_the_reply_takes_the_call_back() {
    let (backend, session) = pair(Answer::never()).await;
    let running = tokio::spawn({
        let session = session.clone();
        async move { session.forward(t()).await.map(|_| ()) }
    });
    backend.wait_for("tools/call", 1).await.unwrap();
    running.abort();
    check_told(&backend, None).await;

    let (backend, session) = pair(Answer::never().log("info", "first")).await;
    drop(session.forward(t()).await.unwrap());
    check_told(&backend, None).await;
}

#[tokio::test]
async fn a_complete_reply_cancels_nothing() {
    let (backend, session) = pair(Answer::text("x").log("info", "first")).await;
    for _ in 0..3 {
        run(&session, t()).await;
    }
    session.close().await;
    assert_eq!(backend.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn a_silent_backend_times_out() {
    let (backend, session) = pair(Answer::never()).await;
    let error = failure(&session, t().with_timeout(Duration::from_millis(50))).await;
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(50)));
    assert_eq!(error.executed, Executed::Unknown);
    check_told(&backend, None).await;
}

#[tokio::test]
async fn progress_puts_the_timeout_off_but_not_the_last_deadline() {
    let mut slow = Answer::text("x");
    for step in 1..=6 {
        slow = slow.progress(step, None, None).wait(Duration::from_millis(150));
    }
    let backend = with_tool(slow).start().await.unwrap();
    let progress = || call(&json!({"name": "t", "_meta": {"progressToken": 1}}));
    let session = open(streamable(&backend.url())).await;
    let all = run(&session, progress().with_timeout(Duration::from_millis(400))).await;
    assert_eq!(text(&all), "x");
    assert_eq!(all.notifications.len(), 6);

    let mut target = streamable(&backend.url());
    target.limits.max_call = Duration::from_millis(300);
    let session = open(target).await;
    let error = failure(&session, progress().with_timeout(Duration::from_millis(250))).await;
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(300)));
}

#[tokio::test]
async fn while_the_client_is_asked_the_backends_silence_is_not_its_own() {
    let (_backend, session) = pair(Answer::text("x").ask("elicitation/create", json!({}))).await;
    let mut reply = session.forward(t().with_timeout(Duration::from_millis(50))).await.unwrap();
    let Some(Event::Request(request)) = reply.next().await else { panic!() };
    // The client thinks for longer than the backend may be silent.
    let thinking = tokio::time::timeout(Duration::from_millis(200), reply.next()).await;
    assert!(thinking.is_err(), "{thinking:?}");
    request.refuse(-1, "no").await;
    assert_eq!(text(&read(reply, &json!({})).await), "x");
}

#[tokio::test]
async fn closing_waits_for_calls_in_flight_then_ends_the_session_once() {
    let gate = Gate::new();
    let (backend, session) = pair(Answer::text("x").gate(&gate)).await;
    let running = tokio::spawn({
        let session = session.clone();
        async move { text(&run(&session, t()).await).to_owned() }
    });
    gate.reached(1).await.unwrap();
    let mut closing = tokio::spawn({
        let session = session.clone();
        async move { session.close().await }
    });
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut closing).await.is_err());
    assert_eq!(failure(&session, t()).await.kind, ErrorKind::Closed);
    gate.open();
    assert_eq!(running.await.unwrap(), "x");
    closing.await.unwrap();
    session.close().await;
    assert_eq!(backend.count("DELETE"), 1);
    assert_eq!(backend.heard("DELETE")[0].session, session.session_id());
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_and_takes_any_answer() {
    for status in [200, 202, 404, 405, 500] {
        let backend =
            with_tool(Answer::never()).on("DELETE", Answer::status(status)).start().await.unwrap();
        let mut target = streamable(&backend.url());
        target.limits.drain = Duration::from_millis(50);
        let session = open(target).await;
        let running = tokio::spawn({
            let session = session.clone();
            async move { session.forward(t()).await.map(|_| ()) }
        });
        backend.wait_for("tools/call", 1).await.unwrap();
        tokio::time::timeout(PATIENCE, session.close()).await.unwrap();
        assert_eq!(backend.count("DELETE"), 1);
        running.abort();
    }
}

#[tokio::test]
async fn a_dropped_session_is_ended_in_the_background() {
    let (backend, session) = pair(Answer::text("x")).await;
    drop(session);
    backend.wait_for("DELETE", 1).await.unwrap();
}

#[tokio::test]
async fn a_call_that_outlives_its_session_handle_goes_on() {
    let gate = Gate::new();
    let (_backend, session) = pair(Answer::text("x").log("info", "l").gate(&gate)).await;
    let reply = session.forward(Call::new("tools/call", t().params)).await.unwrap();
    drop(session);
    gate.open();
    assert_eq!(text(&read(reply, &json!({})).await), "x");
}
