//! Event streams that are closed early are resumed, at the time the backend asked for.

use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_backend::{ErrorKind, Executed};
use vmcp_testkit::Answer;

use crate::rig::{failure, open, read, run, streamable, t, text, with_tool};

#[tokio::test]
async fn resumes_neither_early_nor_late() {
    let answer =
        Answer::text("x").log("info", "before").close_stream(Some(500)).log("info", "after");
    let backend = with_tool(answer).resumable().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let reply = session.forward(t()).await.unwrap();
    let all = read(reply, &json!({})).await;
    assert_eq!(text(&all), "x");
    let said: Vec<_> = all.notifications.iter().map(|n| n["params"]["data"].clone()).collect();
    assert_eq!(said, ["before", "after"]);
    let (posted, resumed) = (&backend.heard("tools/call")[0], &backend.heard("GET")[0]);
    let pause = resumed.at.duration_since(posted.at);
    assert!(pause >= Duration::from_millis(500), "{pause:?}");
    assert!(pause < Duration::from_millis(900), "{pause:?}");
    assert!(resumed.header("last-event-id").is_some());
    assert_eq!(resumed.header("accept"), Some("text/event-stream"));
    assert_eq!(resumed.session, session.session_id());
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn resumes_from_a_priming_event_alone_and_as_often_as_it_is_closed() {
    let mut answer = Answer::text("x");
    for _ in 0..8 {
        answer = answer.close_stream(Some(100)).log("info", "on");
    }
    let backend = with_tool(answer).resumable().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let all = run(&session, t()).await;
    assert_eq!(text(&all), "x");
    assert_eq!(all.notifications.len(), 8);
}

#[tokio::test]
async fn a_broken_stream_is_resumed_too() {
    let answer =
        Answer::text("x").log("info", "first").log("info", "y".repeat(2000)).cut_after(1000);
    let backend = with_tool(answer).resumable().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let all = run(&session, t()).await;
    assert_eq!(text(&all), "x");
    assert_eq!(all.notifications.len(), 2);
    assert_eq!((backend.count("tools/call"), backend.count("GET")), (1, 1));
}

#[tokio::test]
async fn without_an_event_id_there_is_nothing_to_resume() {
    let backend = with_tool(Answer::nothing().log("info", "l")).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let error = failure(&session, t()).await;
    assert!(matches!(error.kind, ErrorKind::Protocol(_)));
    assert_eq!(error.executed, Executed::Unknown);
    assert_eq!(backend.count("GET"), 0);
}

#[tokio::test]
async fn gives_up_where_resuming_is_refused() {
    let backend = with_tool(Answer::text("x").close_stream(Some(100)))
        .resumable()
        .on("GET", Answer::status(405))
        .start()
        .await
        .unwrap();
    let session = open(streamable(&backend.url())).await;
    let error = failure(&session, t()).await;
    assert_eq!(error.executed, Executed::Unknown);
    assert_eq!(backend.count("GET"), 1);
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn tries_again_where_resuming_fails_for_now() {
    let answer = Answer::text("x").close_stream(Some(100)).log("info", "l");
    let refusals = [Answer::status(409), Answer::status(503), Answer::usual()];
    let backend =
        with_tool(answer).resumable().on("GET", Answer::sequence(refusals)).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let started = Instant::now();
    let all = run(&session, t()).await;
    // Whether a scripted GET can be "usual" is the testkit's affair; that it is asked again is ours.
    assert!(backend.count("GET") >= 3, "{all:?}");
    assert!(started.elapsed() >= Duration::from_millis(100 + 200 + 400));
}

#[tokio::test]
async fn events_without_a_name_with_comments_and_odd_line_ends_are_read() {
    let answer = Answer::text("x")
        .raw(": comment\r\n\r\nevent: other\ndata: {}\n\nid: 7\ndata:\n\n")
        .raw("data: {\"jsonrpc\":\"2.0\",\rdata: \"method\":\"notifications/message\"}\r\r");
    let backend = with_tool(answer).unnamed_events().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let all = run(&session, t()).await;
    assert_eq!(text(&all), "x");
    assert_eq!(all.notifications.len(), 1);
}
