//! Event streams that never begin, never end, say too much, or want to be asked at odd times.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use vmcp_backend::{BackendTarget, Endpoint, ErrorKind, Executed};
use vmcp_testkit::{Answer, Backend, Transport};

use crate::hostile::fails_honestly;
use crate::rig::{
    PATIENCE, call, failure, open, open_heard, pair, run, streamable, t, text, url, with_tool,
};

const MIB: usize = 1 << 20;
/// As good as for ever.
const ENDLESS: u64 = u64::MAX;

fn with_timeout(backend: &Backend, millis: u64) -> BackendTarget {
    let mut target = streamable(&backend.url());
    target.timeouts.call = Duration::from_millis(millis);
    target
}

#[tokio::test]
async fn a_stream_that_never_begins_costs_nothing_and_is_tried_again() {
    let backend = with_tool(Answer::text("x")).on("GET", Answer::never()).start().await.unwrap();
    let (session, _heard) = open_heard(with_timeout(&backend, 500)).await;
    session.listen();
    backend.wait_for("GET", 1).await.unwrap();
    for _ in 0..5 {
        assert_eq!(text(&run(&session, t()).await), "x");
    }
    assert_eq!(session.list().await.unwrap().tools.len(), 1);
    backend.wait_for("GET", 2).await.unwrap();
    backend.wait_abandoned(1).await.unwrap();
    tokio::time::timeout(PATIENCE, session.close()).await.unwrap();
}

#[tokio::test]
async fn a_silent_stream_is_given_up_at_the_timeout() {
    for answer in [Answer::never().log("info", "l"), Answer::never().raw(": hello\n\n")] {
        let backend = with_tool(answer).start().await.unwrap();
        let session = open(with_timeout(&backend, 100)).await;
        let error = fails_honestly(&backend, &session).await;
        assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(100)));
        assert_eq!(error.executed, Executed::Unknown);
        backend.wait_for("notifications/cancelled", 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_says_nothing_for_ever_is_given_up_at_the_timeout() {
    let floods = [
        "\n",
        ":\n\n",
        "data:\n\n",
        "data\n\n",
        "event: x\n\n",
        "id: 1\n\n",
        "retry: 1\n\n",
        "event: x\ndata: y\n\n",
        ": comment",
        "nocolon",
    ];
    for flood in floods {
        let backend = with_tool(Answer::text("x").flood(flood, ENDLESS)).start().await.unwrap();
        let session = open(with_timeout(&backend, 200)).await;
        let giving_up = fails_honestly(&backend, &session);
        let error = tokio::time::timeout(PATIENCE, giving_up).await.unwrap();
        assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(200)), "{flood:?}");
        assert_eq!(error.executed, Executed::Unknown);
        backend.wait_abandoned(1).await.unwrap();
    }
}

#[tokio::test]
async fn a_flood_on_a_shared_stream_holds_up_nobody_else() {
    let answer = Answer::with(|call| match call.params()["n"].as_u64() {
        Some(0) => Answer::text("x").flood(": noise\n\ndata:\n\n", ENDLESS),
        _ => Answer::text("y"),
    });
    let backend = with_tool(answer).transport(Transport::HttpSse).start().await.unwrap();
    let mut target = BackendTarget::new("b", Endpoint::Sse { url: url(&backend.url()) });
    target.timeouts.call = Duration::from_millis(500);
    let session = open(target).await;
    let flooded = tokio::spawn({
        let session = session.clone();
        async move { failure(&session, call(&json!({"name": "t", "n": 0}))).await }
    });
    backend.wait_for("tools/call", 1).await.unwrap();
    for _ in 0..5 {
        let other = call(&json!({"name": "t", "n": 1})).with_timeout(PATIENCE);
        assert_eq!(text(&run(&session, other).await), "y");
    }
    let error = tokio::time::timeout(PATIENCE, flooded).await.unwrap().unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(500)));
    assert_eq!((backend.count("initialize"), backend.executions().len()), (1, 6));
}

#[tokio::test]
async fn a_stream_outside_of_calls_that_ends_at_once_is_opened_ten_times_a_second_at_most() {
    let ends = Answer::http(200, "text/event-stream", "retry: 0\nid: 1\n\n");
    let backend = with_tool(Answer::text("x")).on("GET", ends).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    backend.wait_for("GET", 6).await.unwrap();
    let asked: Vec<Instant> = backend.heard("GET").iter().map(|request| request.at).collect();
    assert!(asked[5].duration_since(asked[0]) >= Duration::from_millis(500));
    assert_eq!(text(&run(&session, t()).await), "x");
}

#[tokio::test]
async fn a_million_empty_events_are_passed_over() {
    for flood in ["\n", "data:\n\n", ":\n\n", "id: 1\ndata:\n\n", "event: x\ndata: y\n\n"] {
        let backend = with_tool(Answer::text("x").flood(flood, 1_000_000)).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        assert_eq!(text(&run(&session, t()).await), "x", "{flood:?}");
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_cut_off() {
    let starts = [
        (
            "a notification",
            r#"data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":""#,
            MIB,
        ),
        ("no message", "data: ", MIB),
        ("an id", "id: ", 8 << 10),
        ("a name", "event: ", 8 << 10),
        ("a time", "retry: ", 8 << 10),
    ];
    for (what, start, limit) in starts {
        let answer = Answer::text("x").raw(start).flood("x", 1 << 30);
        let backend = with_tool(answer).start().await.unwrap();
        let mut target = streamable(&backend.url());
        target.limits.max_message_bytes = MIB;
        target.limits.max_reply_bytes = 4 * MIB;
        let error = fails_honestly(&backend, &open(target).await).await;
        let expected = [ErrorKind::TooLarge { limit }];
        let no_json = matches!(error.kind, ErrorKind::Protocol(_)) && what == "no message";
        assert!(expected.contains(&error.kind) || no_json, "{what}: {error}");
        assert_eq!(error.executed, Executed::Unknown);
        // The connection is given up: nobody reads a gigabyte to its end.
        backend.wait_abandoned(1).await.unwrap();
    }
}

#[tokio::test]
async fn a_reply_without_an_end_is_cut_off() {
    let start = |call: &vmcp_testkit::Call| {
        let id = call.id().unwrap_or_default();
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"text\":\"")
    };
    let answer = Answer::with(move |call| Answer::text("x").raw(start(call)).flood("x", ENDLESS));
    let backend = with_tool(answer).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.limits.max_reply_bytes = 4 * MIB;
    let error = fails_honestly(&backend, &open(target).await).await;
    assert_eq!(error.kind, ErrorKind::TooLarge { limit: 4 * MIB });
    assert_eq!(error.executed, Executed::Unknown);
    backend.wait_abandoned(1).await.unwrap();
}

#[tokio::test]
async fn a_backend_that_never_wants_to_be_asked_again_is_given_up_at_the_timeout() {
    for retry in [99_999_999_999, u64::MAX] {
        let backend = with_tool(Answer::text("x").close_stream(Some(retry)))
            .resumable()
            .start()
            .await
            .unwrap();
        let session = open(with_timeout(&backend, 200)).await;
        let error = fails_honestly(&backend, &session).await;
        assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(200)));
        assert_eq!((backend.count("GET"), backend.executions().len()), (0, 1));
    }
}

/// Ends the stream of a call behind an event with this id; what comes back when it is resumed, `on` says.
async fn resumed(
    id: &str,
    on: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (Backend, vmcp_backend::Session) {
    let asked = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&asked);
    let event = format!(
        "retry: 100\nid: {id}\ndata: {}\n\n",
        json!({"jsonrpc": "2.0", "method":
        "notifications/message", "params": {"level": "info", "data": "first"}})
    );
    let answer = Answer::with(move |call| {
        *kept.lock() = call.id().unwrap_or_default();
        Answer::nothing().raw(event.clone())
    });
    let rest = Answer::with(move |_| Answer::http(200, "text/event-stream", on(&asked.lock())));
    let backend = with_tool(answer).on("GET", rest).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    (backend, session)
}

fn response(id: &str) -> String {
    format!(
        r#"data: {{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"x"}}]}}}}"#
    )
}

#[tokio::test]
async fn a_backend_that_wants_to_be_asked_at_once_is_asked_ten_times_a_second() {
    let turns = AtomicUsize::new(0);
    let (backend, session) = resumed("0", move |asked| match turns.fetch_add(1, Relaxed) {
        turn @ 0..5 => format!("retry: 0\nid: {turn}\n\n"),
        _ => format!("{}\n\n", response(asked)),
    })
    .await;
    let started = Instant::now();
    assert_eq!(text(&run(&session, t()).await), "x");
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
    assert_eq!((backend.count("GET"), backend.executions().len()), (6, 1));
}

#[tokio::test]
async fn an_event_that_is_sent_again_after_resuming_is_not_told_twice() {
    let log = |data: &str| {
        let params = json!({"level": "info", "data": data});
        format!(
            "data: {}",
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
        )
    };
    let (backend, session) = resumed("7", move |asked| {
        let (again, more) = (log("first"), log("second"));
        format!("id: 7\n{again}\n\nid: 8\n{more}\n\nid: 9\n{}\n\n", response(asked))
    })
    .await;
    let all = run(&session, t()).await;
    assert_eq!(text(&all), "x");
    let said: Vec<_> = all.notifications.iter().map(|n| n["params"]["data"].clone()).collect();
    assert_eq!(said, ["first", "second"]);
    assert_eq!(backend.heard("GET")[0].header("last-event-id"), Some("7"));
    assert_eq!(backend.executions().len(), 1);
}

#[tokio::test]
async fn odd_event_ids_are_given_back_or_not_used() {
    // Text of any alphabet can stand in a header (HTML, §9.2.4), control characters cannot.
    let (backend, session) = resumed("é→7", |asked| format!("{}\n\n", response(asked))).await;
    assert_eq!(text(&run(&session, t()).await), "x");
    let given = backend.heard("GET")[0].headers.get("last-event-id").unwrap().clone();
    assert_eq!(given.as_bytes(), "é→7".as_bytes());

    for id in ["a\u{1}b", "a\0b", "", "\u{7f}"] {
        let (backend, session) = resumed(id, |asked| format!("{}\n\n", response(asked))).await;
        let error = fails_honestly(&backend, &session).await;
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{id:?}: {error}");
        assert_eq!(error.executed, Executed::Unknown);
        assert_eq!(backend.count("GET"), 0, "{id:?}");
    }
}

#[tokio::test]
async fn an_event_id_of_a_mebibyte_is_an_error() {
    let id = format!("id: {}\ndata: {{}}\n\n", "x".repeat(MIB));
    let (backend, session) = pair(Answer::text("x").raw(id)).await;
    let error = fails_honestly(&backend, &session).await;
    assert_eq!(error.kind, ErrorKind::TooLarge { limit: 8 << 10 });
    assert_eq!(failure(&session, t()).await.executed, Executed::Unknown);
}
