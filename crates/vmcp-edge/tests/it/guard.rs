//! What is refused before anything is believed.

use bytes::Bytes;
use http::Method;

use crate::rig::{LATEST, Rig, hello, post};

/// Sends a handshake with these headers changed, and expects the status.
async fn check(headers: &[(&str, &str)], status: u16) {
    let rig = Rig::empty().await;
    let client = rig.client();
    let reply = client.send(Method::POST, headers, hello(LATEST).into()).await.unwrap();
    assert_eq!(reply.status, status, "{headers:?}");
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_forbidden() {
    for bad in ["evil.example", "localhost.evil.com", "192.0.2.1:4483"] {
        check(&[("host", bad)], 403).await;
    }
    for bad in [
        "http://evil.example",
        "null",
        "http://localhost.evil.com",
        "http://user@localhost",
        "http://localhost/path",
        "ftp://localhost",
    ] {
        check(&[("origin", bad)], 403).await;
    }
    check(&[("host", "localhost:9"), ("origin", "http://localhost:9")], 200).await;
    check(&[("origin", "HTTP://LOCALHOST:4483")], 200).await;
}

#[tokio::test]
async fn hosts_and_origins_are_checked_on_every_path_and_verb() {
    let rig = Rig::empty().await;
    for path in ["/mcp", "/health", "/status", "/metrics", "/nowhere"] {
        for verb in ["GET", "POST", "DELETE", "OPTIONS"] {
            for header in ["host: evil.example", "host: localhost\r\norigin: http://evil.example"] {
                let mut wire = rig.wire().await;
                wire.say(&format!("{verb} {path} HTTP/1.1\r\n{header}\r\n\r\n")).await;
                assert_eq!(wire.reply().await.unwrap().status, 403, "{verb} {path} {header}");
            }
        }
    }
}

#[tokio::test]
async fn the_request_target_counts_as_a_host() {
    let rig = Rig::empty().await;
    for (line, status) in [
        ("GET http://evil.example/health HTTP/1.1\r\nhost: localhost", 403),
        ("GET http://localhost/health HTTP/1.1\r\nhost: evil.example", 403),
        ("GET http://localhost/health HTTP/1.1\r\nhost: localhost", 200),
        ("GET /health HTTP/1.1\r\nhost: localhost\r\nhost: localhost", 400),
        ("GET /health HTTP/1.1\r\naccept: */*", 400),
    ] {
        let mut wire = rig.wire().await;
        wire.say(&format!("{line}\r\n\r\n")).await;
        assert_eq!(wire.reply().await.unwrap().status, status, "{line}");
    }
}

#[tokio::test]
async fn listed_hosts_and_origins_are_welcome() {
    let rig = Rig::with(Vec::new(), |config| {
        config.listen.hosts = vec!["gate.example".into()];
        config.listen.origins = vec!["https://app.example".into()];
    })
    .await;
    let headers = [("host", "gate.example:443"), ("origin", "https://app.example")];
    let reply = rig.client().send(Method::POST, &headers, hello(LATEST).into()).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn only_json_in_utf_8_is_taken() {
    for bad in ["text/plain", "application/json; charset=utf-16", "multipart/form-data", ""] {
        check(&[("content-type", bad)], 415).await;
    }
    check(&[("content-type", "Application/JSON; charset=UTF-8")], 200).await;
}

#[tokio::test]
async fn the_client_must_take_both_shapes() {
    for bad in ["", "text/html", "application/json", "*/*;q=0", "application/*"] {
        check(&[("accept", bad)], 406).await;
    }
    for good in ["*/*", "application/*, text/*", "text/event-stream;q=0.1 , application/json;q=0.9"]
    {
        check(&[("accept", good)], 200).await;
    }
}

#[tokio::test]
async fn a_stream_needs_a_client_that_takes_streams() {
    let rig = Rig::empty().await;
    let client = rig.session(LATEST).await;
    let headers = [("accept", "application/json")];
    let reply = client.send(Method::GET, &headers, Bytes::new()).await.unwrap();
    assert_eq!(reply.status, 406);
}

#[tokio::test]
async fn other_verbs_are_answered_with_the_list_of_good_ones() {
    let rig = Rig::empty().await;
    for verb in ["PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "HEAD"] {
        let mut wire = rig.wire().await;
        wire.say(&format!("{verb} /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
            .await;
        let text = wire.rest().await.to_lowercase();
        assert!(text.starts_with("http/1.1 405 "), "{verb}: {text}");
        assert!(text.contains("allow: get, post, delete\r\n"), "{verb}: {text}");
    }
}

#[tokio::test]
async fn the_endpoint_has_no_aliases() {
    let rig = Rig::empty().await;
    for path in
        ["/mcp/../metrics", "/mcp%2f..%2fmetrics", "//mcp", "/MCP", "/mcp;x=1", "/mcp/.", "/mcp/"]
    {
        let mut wire = rig.wire().await;
        wire.say(&format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        assert_eq!(wire.reply().await.unwrap().status, 404, "{path}");
    }
}

#[tokio::test]
async fn headers_that_count_once_may_not_stand_there_twice() {
    let rig = Rig::empty().await;
    let id = rig.session(LATEST).await.session().unwrap();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for twice in [
        "mcp-session-id: a",
        "content-type: application/json",
        "authorization: Bearer a\r\nauthorization: Bearer b",
        "mcp-protocol-version: 2025-11-25\r\nmcp-protocol-version: 2025-11-25",
        "origin: http://localhost\r\norigin: http://localhost",
        "last-event-id: c1.0\r\nlast-event-id: c1.0",
    ] {
        let mut wire = rig.wire().await;
        wire.say(&post(Some(&id), ping).replacen(
            "content-length",
            &format!("{twice}\r\ncontent-length"),
            1,
        ))
        .await;
        assert_eq!(wire.reply().await.unwrap().status, 400, "{twice}");
    }
    // A name with another spelling is another header.
    let mut wire = rig.wire().await;
    wire.say(&post(None, ping).replacen(
        "content-length",
        &format!("mcp_session_id: {id}\r\ncontent-length"),
        1,
    ))
    .await;
    assert_eq!(wire.reply().await.unwrap().status, 400);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_or_while_it_is_read() {
    let rig = Rig::with(Vec::new(), |config| config.limits.max_request_bytes = 100_000).await;
    // Announced too long: not a byte of it is needed.
    let mut wire = rig.wire().await;
    wire.say(&post(None, "").replacen("content-length: 0", "content-length: 100001", 1)).await;
    let reply = wire.reply().await.unwrap();
    assert_eq!(reply.status, 413);
    assert!(reply.head.contains("connection: close"));
    // Not announced: refused where it crosses the bound.
    let mut wire = rig.wire().await;
    wire.say(&post(None, "").replacen("content-length: 0", "transfer-encoding: chunked", 1)).await;
    for _ in 0..11 {
        wire.say(&format!("2710\r\n{}\r\n", "x".repeat(10_000))).await;
    }
    assert_eq!(wire.reply().await.unwrap().status, 413);
    // At the bound it is read.
    let mut wire = rig.wire().await;
    wire.say(&post(None, &format!("[{}]", " ".repeat(99_998)))).await;
    assert_eq!(wire.reply().await.unwrap().status, 400);
}

#[tokio::test]
async fn long_bodies_share_a_bounded_memory() {
    let rig = Rig::with(Vec::new(), |config| config.limits.max_body_memory = 1 << 20).await;
    let long = post(None, "").replacen("content-length: 0", "content-length: 1000000", 1);
    let (mut one, mut other) = (rig.wire().await, rig.wire().await);
    // Both stop one byte short and keep their shares; there is room for one. Which one it is depends on who is read first.
    for wire in [&mut one, &mut other] {
        wire.say(&format!("{long}{}", " ".repeat(999_999))).await;
    }
    let (refused, mut kept) = tokio::select! {
        reply = one.reply() => (reply.unwrap(), other),
        reply = other.reply() => (reply.unwrap(), one),
    };
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: "));
    kept.say(" ").await;
    assert_eq!(kept.reply().await.unwrap().status, 400);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let short = std::time::Duration::from_millis(50);
    let rig = Rig::with(Vec::new(), |config| config.timeouts.read_body = short).await;
    let mut wire = rig.wire().await;
    wire.say(&post(None, "").replacen("content-length: 0", "content-length: 10", 1)).await;
    assert_eq!(wire.reply().await.unwrap().status, 408);
    // A client that waits for permission gets it, and the same deadline.
    let mut wire = rig.wire().await;
    let head = post(None, "").replacen(
        "content-length: 0",
        "expect: 100-continue\r\ncontent-length: 10",
        1,
    );
    wire.say(&head).await;
    assert_eq!(wire.reply().await.unwrap().status, 100);
    assert_eq!(wire.reply().await.unwrap().status, 408);
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_refused() {
    let rig = Rig::empty().await;
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "x".repeat(70_000));
    for headers in [many, long] {
        let mut wire = rig.wire().await;
        wire.say(&format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
        let text = wire.rest().await;
        assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    }
}
