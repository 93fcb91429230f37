//! Connections: kept, pipelined, half closed, slow, too many, drained.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use vmcp_testkit::{Answer, Backend, Gate, Transport};

use crate::rig::{LATEST, Rig, hello, one_tool, post, target, tool};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test]
async fn a_connection_is_kept_and_requests_sent_ahead_are_answered_in_order() {
    let backend = one_tool("t", Answer::echo()).await;
    let rig = Rig::before(&backend).await;
    let id = rig.session("2025-06-18").await.session().unwrap();
    let mut wire = rig.wire().await;
    let call = |n: u32| {
        let params = json!({"name": "t", "arguments": {"n": n}});
        let message = json!({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params});
        post(Some(&id), &message.to_string())
    };
    let all: String = (0..20).map(call).collect();
    wire.say(&all).await;
    for n in 0..20 {
        let reply = wire.reply().await.unwrap();
        assert_eq!(reply.status, 200);
        let message = reply.body.lines().find_map(|line| line.strip_prefix("data: "));
        let message: Value = serde_json::from_str(message.unwrap_or(&reply.body)).unwrap();
        assert_eq!(message["id"], n);
    }
}

#[tokio::test]
async fn small_answers_have_a_length_and_no_chunks() {
    let rig = Rig::empty().await;
    let id = rig.session(LATEST).await.session().unwrap();
    let mut wire = rig.wire().await;
    wire.say(&post(Some(&id), PING)).await;
    let reply = wire.reply().await.unwrap();
    assert!(
        reply.head.contains("content-length: ") && !reply.head.contains("chunked"),
        "{}",
        reply.head
    );
    assert!(reply.head.contains("content-type: application/json\r\n"));
}

#[tokio::test]
async fn a_client_that_closes_its_sending_half_still_gets_its_answer() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("late").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    let id = rig.session("2025-06-18").await.session().unwrap();
    let mut wire = rig.wire().await;
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#;
    wire.say(&post(Some(&id), call)).await;
    wire.finish().await;
    gate.reached(1).await.unwrap();
    gate.open();
    let text = wire.rest().await;
    assert!(text.contains(r#""id":7"#) && text.contains("late"), "{text}");
}

#[tokio::test]
async fn a_client_that_says_nothing_or_only_half_a_head_is_closed() {
    let short = Duration::from_millis(50);
    let rig = Rig::with(Vec::new(), |config| config.timeouts.read_headers = short).await;
    for start in ["", "P", "PR", "GET /health HT", "GET /health HTTP/1.1\r\nhost: localhost\r\nx: "]
    {
        let mut wire = rig.wire().await;
        wire.say(start).await;
        assert_eq!(wire.rest().await, "", "{start}");
    }
    // After an answer too.
    let mut wire = rig.wire().await;
    wire.say("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(wire.reply().await.unwrap().status, 200);
    wire.say("GET /hea").await;
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn a_request_whose_first_bytes_come_alone_is_answered() {
    let rig = Rig::empty().await;
    let id = rig.session(LATEST).await.session().unwrap();
    let request = post(Some(&id), PING);
    for alone in 1..6 {
        let mut wire = rig.wire().await;
        for at in 0..alone {
            wire.say(&request[at..=at]).await;
            tokio::task::yield_now().await;
        }
        wire.say(&request[alone..]).await;
        assert_eq!(wire.reply().await.unwrap().status, 200, "{alone}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_that_waits_for_an_answer_is_not() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("late").gate(&gate)).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.idle_connection = Duration::from_millis(50);
        config.timeouts.read_headers = Duration::from_millis(50);
    })
    .await;
    let mut idle = rig.wire().await;
    idle.say("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(idle.reply().await.unwrap().status, 200);

    let id = rig.session("2025-06-18").await.session().unwrap();
    let mut busy = rig.wire().await;
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#;
    busy.say(&post(Some(&id), call)).await;
    gate.reached(1).await.unwrap();
    // The idle one is over before the busy one has its answer.
    assert_eq!(idle.rest().await, "");
    gate.open();
    assert!(busy.reply().await.unwrap().body.contains("late"));
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let rig = Rig::with(Vec::new(), |config| config.limits.max_connections = 1).await;
    let mut first = rig.wire().await;
    first.say("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(first.reply().await.unwrap().status, 200);
    let mut second = rig.wire().await;
    assert!(second.rest().await.starts_with("HTTP/1.1 503 "));
    drop(first);
    // Its place is free as soon as the server has seen it go.
    loop {
        let mut third = rig.wire().await;
        third.say("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        if third.rest().await.starts_with("HTTP/1.1 200 ") {
            break;
        }
    }
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let backend = one_tool("t", Answer::never()).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| config.limits.max_requests = 1).await;
    let client = rig.session(LATEST).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.tool("t", json!({})).await }
    });
    backend.wait_for("tools/call", 1).await.unwrap();
    let reply = client.request("ping", json!({})).await.unwrap();
    assert_eq!(reply.status, 503);
    assert_eq!(rig.page("/health").await.0, 200);
    call.abort();
}

#[tokio::test]
async fn two_lengths_are_no_length() {
    let rig = Rig::empty().await;
    for head in [
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\ncontent-length: 7\r\n\r\n",
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: xchunked\r\n\r\n",
        "POST /mcp HTTP/1.1\r\nhost : localhost\r\n\r\n",
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n",
        "POST /mcp HTTP/9.9\r\nhost: localhost\r\n\r\n",
        "\u{1}\u{2}\u{3}\u{4}garbage\r\n\r\n",
    ] {
        let mut wire = rig.wire().await;
        wire.say(head).await;
        let text = wire.rest().await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{head}: {text}");
        assert_eq!(text.matches("HTTP/1.1").count(), usize::from(!text.is_empty()));
    }
}

#[tokio::test]
async fn after_a_refusal_the_rest_of_a_body_is_never_taken_for_a_request() {
    let rig = Rig::empty().await;
    let smuggled = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut wire = rig.wire().await;
    let request = post(None, smuggled).replace("application/json\r\n", "text/plain\r\n");
    wire.say(&request).await;
    wire.finish().await;
    let text = wire.rest().await;
    assert!(text.starts_with("HTTP/1.1 415 "), "{text}");
    assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
}

#[tokio::test]
async fn http_2_with_prior_knowledge_carries_many_calls_at_once() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("late").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    let id = rig.session("2025-06-18").await.session().unwrap();
    let (sender, driver) = http2(&rig).await;
    let calls: Vec<_> = (0..8).map(|n| tokio::spawn(send(&rig, sender.clone(), &id, n))).collect();
    gate.reached(8).await.unwrap();
    gate.open();
    for (n, call) in calls.into_iter().enumerate() {
        let text = String::from_utf8(call.await.unwrap().to_vec()).unwrap();
        assert!(text.contains(&format!("\"id\":{n}")) && text.contains("late"), "{text}");
    }
    driver.abort();
}

#[tokio::test]
async fn http_2_names_a_host_too() {
    let rig = Rig::empty().await;
    let (mut sender, driver) = http2(&rig).await;
    for (uri, status) in [("http://evil.example/health", 403), ("http://localhost/health", 200)] {
        let request = Request::get(uri).body(Full::new(Bytes::new())).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status);
    }
    driver.abort();
}

#[tokio::test]
async fn draining_finishes_calls_ends_streams_and_takes_nobody_new() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("late").gate(&gate)).await;
    let mut rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut stream = client.get().await.unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.tool("t", json!({})).await }
    });
    gate.reached(1).await.unwrap();
    let served = rig.begin_stop();
    // The stream ends properly, the call is still running.
    while stream.event().await.unwrap().is_some() {}
    assert!(!served.is_finished());
    gate.open();
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "late");
    served.await.unwrap();
    assert!(TcpStream::connect(rig.address).await.is_err());
}

#[tokio::test]
async fn draining_does_not_wait_longer_than_it_may() {
    let backend = one_tool("t", Answer::never()).await;
    let mut rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.drain = Duration::from_millis(100);
    })
    .await;
    let client = rig.session(LATEST).await;
    let call = tokio::spawn(async move { client.tool("t", json!({})).await });
    backend.wait_for("tools/call", 1).await.unwrap();
    let mut slow = rig.wire().await;
    slow.say(&post(None, "").replacen("content-length: 0", "content-length: 10", 1)).await;
    rig.begin_stop().await.unwrap();
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn the_handshake_works_on_a_bare_socket() {
    let rig = Rig::empty().await;
    let mut wire = rig.wire().await;
    wire.say(&post(None, &hello(LATEST))).await;
    let reply = wire.reply().await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("mcp-session-id: "));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go_and_nobody_else_notices() {
    for transport in [Transport::Json, Transport::Sse] {
        let builder = Backend::builder().transport(transport);
        let backend = builder.tool(tool("t"), Answer::huge(500 << 20)).start().await.unwrap();
        let rig = Rig::with(vec![target("b", &backend)], |config| {
            config.timeouts.write = Duration::from_millis(100);
        })
        .await;
        let id = rig.session(LATEST).await.session().unwrap();
        let mut deaf = rig.wire().await;
        let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#;
        deaf.say(&post(Some(&id), call)).await;
        backend.wait_for("tools/call", 1).await.unwrap();
        let mut other = rig.wire().await;
        other.say(&post(Some(&id), PING)).await;
        assert_eq!(other.reply().await.unwrap().status, 200);
        drop(other);
        // What is left is the connection that asks.
        rig.until_metric("vmcp_edge_connections", 1.0).await;
        assert!(!deaf.rest().await.ends_with("0\r\n\r\n"), "an end that is none");
    }
}

#[tokio::test]
async fn a_request_reset_by_its_client_runs_to_its_end() {
    let gate = Gate::new();
    let builder = Backend::builder().transport(Transport::Json);
    let answer = Answer::text("late").gate(&gate);
    let backend = builder.tool(tool("t"), answer).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let id = rig.session(LATEST).await.session().unwrap();
    let (sender, driver) = http2(&rig).await;
    let call = tokio::spawn(send(&rig, sender, &id, 7));
    gate.reached(1).await.unwrap();
    call.abort();
    assert!(call.await.is_err());
    // The other end of a connection that is reset altogether has the same news.
    driver.abort();
    rig.until_metric("vmcp_edge_connections", 1.0).await;
    gate.open();
    rig.until_metric(r#"vmcp_edge_calls_total{method="tools/call",outcome="ok"}"#, 1.0).await;
    assert_eq!(backend.count("notifications/cancelled"), 0);
    assert!(backend.abandoned().is_empty());
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http2(rig: &Rig) -> (Http2, tokio::task::JoinHandle<hyper::Result<()>>) {
    let socket = TokioIo::new(TcpStream::connect(rig.address).await.unwrap());
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// Calls the tool `t` and reads the whole answer.
fn send(
    rig: &Rig,
    mut sender: Http2,
    session: &str,
    id: u32,
) -> impl Future<Output = Bytes> + Send + 'static {
    let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t"}});
    let request = Request::post(format!("http://{}/mcp", rig.address))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-session-id", session)
        .body(Full::new(Bytes::from(call.to_string())))
        .unwrap();
    async move {
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    }
}
