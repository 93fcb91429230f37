//! Backends that restart, forget, flap, and give out session ids as they like.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_backend::{BackendTarget, ConnectErrorKind, Endpoint, ErrorKind, Executed};
use vmcp_testkit::{Answer, Backend, RawServer, RawStep, Transport};

use crate::hostile::{answer, fails_honestly, http, orderly};
use crate::rig::{
    call, failure, open, open_heard, pair, run, streamable, t, text, try_open, url, with_tool,
};

#[tokio::test]
async fn the_first_session_id_counts_whatever_comes_later() {
    let answer = Answer::with(|call| {
        let id = call.id().unwrap_or_default();
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#);
        let other = format!("other-{id}");
        Answer::http(200, "application/json", body).header("mcp-session-id", &other)
    });
    let (backend, session) = pair(answer).await;
    let first = session.session_id();
    for _ in 0..5 {
        assert!(run(&session, t()).await.error.is_none());
    }
    assert_eq!(session.session_id(), first);
    assert!(backend.heard("tools/call").iter().all(|request| request.session == first));
    assert_eq!(backend.count("initialize"), 1);
}

#[tokio::test]
async fn session_ids_that_no_header_can_carry_back_fail_the_handshake() {
    let long = "x".repeat(8 << 10);
    for id in [long.as_str(), "", "two words", "\u{e9}", "a\tb"] {
        let answer = move |message: &serde_json::Value, id: &str| {
            let named = format!("HTTP/1.1 200 OK\r\nmcp-session-id: {id}\r\n");
            answer(message).replacen("HTTP/1.1 200 OK\r\n", &named, 1)
        };
        let id = id.to_owned();
        let server = RawServer::scripted(move |request| match &request.body {
            None => RawStep::Read,
            Some(_) => RawStep::Reply(answer(&request.json(), &id).into()),
        })
        .await
        .unwrap();
        let error = try_open(streamable(&server.url())).await.unwrap_err();
        assert!(matches!(error.kind, ConnectErrorKind::Handshake(_)), "{error}");
        assert_eq!(server.heard().len(), 1);
    }
    // What splits the header is no HTTP at all.
    for id in ["a\rb", "a\0b", "a\u{7f}b", "a\r\n b"] {
        let reply = http("200 OK", &format!("mcp-session-id: {id}\r\n"), "{}");
        let server = RawServer::start(reply).await.unwrap();
        assert!(try_open(streamable(&server.url())).await.is_err(), "{id:?}");
        assert_eq!(server.heard().len(), 1);
    }
}

#[tokio::test]
async fn a_long_greeting_is_read_whole_and_one_that_is_too_long_is_refused() {
    let long = "i".repeat(1 << 20);
    for transport in [Transport::Json, Transport::Sse, Transport::HttpSse] {
        let backend = with_tool(Answer::text("x"))
            .transport(transport)
            .instructions(&long)
            .start()
            .await
            .unwrap();
        let mut target = match transport {
            Transport::HttpSse => {
                BackendTarget::new("b", Endpoint::Sse { url: url(&backend.url()) })
            }
            _ => streamable(&backend.url()),
        };
        let session = open(target.clone()).await;
        assert_eq!(session.hello().instructions.as_ref().map(|text| text.len()), Some(1 << 20));
        assert_eq!(text(&run(&session, t()).await), "x");
        target.limits.max_message_bytes = 1 << 19;
        let error = try_open(target).await.unwrap_err();
        assert!(matches!(error.kind, ConnectErrorKind::Handshake(_)), "{transport:?}: {error}");
    }
}

#[tokio::test]
async fn a_session_that_expired_costs_a_handshake_and_the_call_runs_once() {
    for status in [404, 400] {
        let backend = with_tool(Answer::text("x")).lost_status(status).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        for expiries in 1..=3 {
            backend.forget_sessions();
            assert_eq!(text(&run(&session, t()).await), "x");
            assert_eq!(backend.executions().len(), expiries);
            assert_eq!(backend.count("tools/call"), 2 * expiries);
            assert_eq!(backend.count("initialize"), 1 + expiries);
        }
    }
}

#[tokio::test]
async fn restarts_under_load_end_each_call_once() {
    let answer = Answer::with(|call| Answer::text(call.params()["n"].to_string()))
        .wait(Duration::from_millis(2));
    let (backend, session) = pair(answer).await;
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..16_u64 {
        let session = session.clone();
        running.spawn(async move {
            let mut outcomes = Vec::new();
            for turn in 0..40 {
                let n = worker * 1000 + turn;
                let all = run(&session, call(&json!({"name": "t", "n": n}))).await;
                // One terminal outcome: the response, which is its own, or an error.
                match &all.error {
                    None => assert_eq!(text(&all), n.to_string()),
                    Some(_) => assert!(all.response.is_null()),
                }
                outcomes.push((n, all.error.map(|error| error.executed)));
            }
            outcomes
        });
    }
    for load in [100, 250, 400] {
        backend.wait_for("tools/call", load).await.unwrap();
        backend.restart().await.unwrap();
    }
    let mut outcomes = HashMap::new();
    while let Some(worker) = running.join_next().await {
        outcomes.extend(worker.unwrap());
    }
    assert_eq!(outcomes.len(), 16 * 40);
    let mut ran: HashMap<u64, usize> = HashMap::new();
    for params in backend.executions() {
        *ran.entry(params["n"].as_u64().unwrap()).or_default() += 1;
    }
    for (n, outcome) in &outcomes {
        let times = ran.get(n).copied().unwrap_or_default();
        match outcome {
            None => assert_eq!(times, 1, "call {n}"),
            Some(Executed::No) => assert_eq!(times, 0, "call {n}"),
            Some(Executed::Unknown) => assert!(times <= 1, "call {n} ran {times} times"),
        }
    }
    let started = Instant::now();
    assert!(run(&session, call(&json!({"name": "t", "n": 1}))).await.error.is_none());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_backend_that_comes_late_is_used_as_soon_as_it_is_there() {
    let (backend, session) = pair(Answer::text("x")).await;
    backend.down().await;
    backend.forget_sessions();
    for _ in 0..50 {
        let error = fails_honestly(&backend, &session).await;
        assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
    }
    backend.up().await.unwrap();
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(backend.executions().len(), 1);
}

/// The shortest time that four attempts in a row can take: pauses double, and may be halved by chance.
const FOUR_ATTEMPTS: Duration = Duration::from_millis(250 + 500 + 1000);

/// The backend, tried again after half a second first.
fn impatient(backend: &Backend) -> BackendTarget {
    let mut target = streamable(&backend.url());
    target.limits.reconnect = Duration::from_millis(500);
    target
}

#[tokio::test]
async fn a_flapping_stream_is_opened_again_at_growing_pauses() {
    let backend =
        with_tool(Answer::text("x")).on("GET", Answer::status(503)).start().await.unwrap();
    let (session, _heard) = open_heard(impatient(&backend)).await;
    session.listen();
    backend.wait_for("GET", 4).await.unwrap();
    let asked: Vec<Instant> = backend.heard("GET").iter().map(|request| request.at).collect();
    assert!(asked[3].duration_since(asked[0]) >= FOUR_ATTEMPTS);
    assert_eq!(text(&run(&session, t()).await), "x");
}

#[tokio::test]
async fn a_flapping_backend_is_greeted_again_at_growing_pauses() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, heard) = open_heard(impatient(&backend)).await;
    session.listen();
    backend.wait_listeners(1).await.unwrap();
    backend.on("initialize", Answer::status(503));
    backend.forget_sessions();
    heard.lost().await;
    backend.wait_for("initialize", 1 + 4).await.unwrap();
    let asked: Vec<Instant> =
        backend.heard("initialize").iter().map(|request| request.at).collect();
    assert!(asked[4].duration_since(asked[1]) >= FOUR_ATTEMPTS);
    // A call does not wait for the pause, and a success ends it.
    assert_eq!(failure(&session, t()).await.executed, Executed::No);
    backend.on("initialize", None);
    assert_eq!(text(&run(&session, t()).await), "x");
    backend.wait_listeners(1).await.unwrap();
    assert_eq!(backend.executions().len(), 1);
}

#[tokio::test]
async fn a_backend_that_hangs_up_on_every_handshake_is_not_hammered() {
    let server = RawServer::scripted(|request| match request.json()["method"].as_str() {
        Some("tools/call") => RawStep::Reply(http("404 Not Found", "", "").into()),
        Some("initialize") if request.connection > 0 => RawStep::Last("".into()),
        _ => {
            let named = "HTTP/1.1 200 OK\r\nmcp-session-id: s\r\n";
            match orderly(request) {
                RawStep::Reply(bytes) => {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    RawStep::Reply(text.replacen("HTTP/1.1 200 OK\r\n", named, 1).into())
                }
                step => step,
            }
        }
    })
    .await
    .unwrap();
    let session = open(streamable(&server.url())).await;
    let error = failure(&session, t()).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
    let greeted = server.heard().iter().filter(|r| r.json()["method"] == "initialize").count();
    assert!(greeted <= 2, "{greeted} handshakes for one call");
}
