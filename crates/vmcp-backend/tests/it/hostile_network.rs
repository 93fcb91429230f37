//! Backends that are not there, go away, or answer before they listened.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use vmcp_backend::{ConnectErrorKind, ErrorKind, Executed};
use vmcp_testkit::{Answer, BlackHole, RawServer, RawStep};

use crate::hostile::{answer, fails_honestly, http, orderly};
use crate::rig::{PATIENCE, call, failure, open, pair, run, streamable, t, text, try_open};

#[tokio::test]
async fn a_backend_that_is_down_fails_at_once_and_costs_nobody_else() {
    let (backend, session) = pair(Answer::text("x")).await;
    let (_other, others) = pair(Answer::text("other")).await;
    backend.down().await;
    for _ in 0..20 {
        let started = Instant::now();
        let error = fails_honestly(&backend, &session).await;
        assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
    assert_eq!(text(&run(&others, t()).await), "other");
}

#[tokio::test]
async fn a_backend_that_resets_each_connection_fails_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_zero_linger();
        }
    });
    let started = Instant::now();
    let error = try_open(streamable(&url)).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Unreachable(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_black_hole_is_given_up_at_the_connect_timeout() {
    let (backend, _) = pair(Answer::text("x")).await;
    let mut target = streamable(&backend.url());
    target.timeouts.connect = Duration::from_millis(300);
    let session = open(target.clone()).await;
    backend.down().await;
    let _hole = BlackHole::at(backend.address()).await.unwrap();

    let started = Instant::now();
    let error = fails_honestly(&backend, &session).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
    let error = try_open(target).await.unwrap_err();
    let late = "no connection within 300 ms".to_owned();
    let expected = [
        ConnectErrorKind::Timeout(Duration::from_millis(300)),
        ConnectErrorKind::Unreachable(format!("cannot connect: {late}")),
        ConnectErrorKind::Unreachable(late),
    ];
    assert!(expected.contains(&error.kind), "{error}");
    let took = started.elapsed();
    assert!((Duration::from_millis(600)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn who_goes_away_after_reading_a_call_is_not_asked_twice() {
    for answer in [Answer::hangup(), Answer::hangup().log("info", "l")] {
        let (backend, session) = pair(answer).await;
        let error = fails_honestly(&backend, &session).await;
        assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::Unknown));
        assert_eq!(backend.executions().len(), 1);
    }
    let server = RawServer::scripted(|request| match request.json()["method"].as_str() {
        Some("tools/call") => RawStep::Reset("".into()),
        _ => orderly(request),
    })
    .await
    .unwrap();
    let error = failure(&open(streamable(&server.url())).await, t()).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::Unknown));
    let calls = server.heard().iter().filter(|r| r.json()["method"] == "tools/call").count();
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn connections_that_are_closed_while_they_are_used_cost_no_second_execution() {
    // Every second connection is closed or reset right behind an answer, when the next call is on its way.
    for last in [RawStep::Last, RawStep::Reset] {
        let server = RawServer::scripted(move |request| match (&request.body, request.turn) {
            (None, _) => RawStep::Read,
            (Some(_), 0) => RawStep::Reply(answer(&request.json()).into()),
            (Some(_), _) => last(answer(&request.json()).into()),
        })
        .await
        .unwrap();
        let session = open(streamable(&server.url())).await;
        let mut outcomes = HashMap::new();
        for n in 0..200 {
            let all = run(&session, call(&json!({"name": "t", "n": n}))).await;
            outcomes.insert(n, all.error.map(|error| error.executed));
        }
        let mut ran: HashMap<u64, usize> = HashMap::new();
        for request in server.heard() {
            let message = request.json();
            if message["method"] == "tools/call" {
                *ran.entry(message["params"]["n"].as_u64().unwrap()).or_default() += 1;
            }
        }
        for (n, outcome) in &outcomes {
            let times = ran.get(n).copied().unwrap_or_default();
            match outcome {
                None => assert_eq!(times, 1, "call {n}"),
                Some(Executed::No) => assert_eq!(times, 0, "call {n}"),
                Some(Executed::Unknown) => assert!(times <= 1, "call {n} ran {times} times"),
            }
        }
        let well = outcomes.values().filter(|outcome| outcome.is_none()).count();
        assert!(well >= 100, "only {well} of 200 went well");
    }
}

#[tokio::test]
async fn who_answers_before_reading_the_call_does_not_block_it() {
    let early = || http("413 Content Too Large", "", "too much");
    for step in [RawStep::Last(early().into()), RawStep::Reset(early().into())] {
        let resets = matches!(step, RawStep::Reset(_));
        let server = RawServer::scripted(move |request| {
            let large = request.head.lines().any(|line| {
                let length = line.strip_prefix("content-length: ");
                length.is_some_and(|length| length.parse::<usize>().unwrap() > 1 << 20)
            });
            if large { step.clone() } else { orderly(request) }
        })
        .await
        .unwrap();
        let session = open(streamable(&server.url())).await;
        let large = call(&json!({"name": "t", "arguments": {"a": "x".repeat(8 << 20)}}));
        let error = tokio::time::timeout(PATIENCE, failure(&session, large)).await.unwrap();
        if !resets || error.executed == Executed::No {
            assert_eq!(error.kind.to_string(), "protocol error: the backend answered HTTP 413");
            assert_eq!(error.executed, Executed::No);
        }
        assert_eq!(text(&run(&session, t()).await), "done");
    }
}
