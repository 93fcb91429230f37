//! Responses made to cost the reader more than the sender.

use std::time::Duration;

use http::Response;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vmcp_net::NetError;

use crate::exchange::{pool, post};
use crate::server::Server;

/// Asks a server that answers with `start`, then with `more` again and again until the client leaves.
async fn ask(start: &'static str, more: &'static str) -> NetError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(start.as_bytes()).await;
        while stream.write_all(more.as_bytes()).await.is_ok() {}
    });
    let error = pool().send(post(&url)).await.unwrap_err();
    // The connection is closed: the server does not write on into nothing.
    serving.await.unwrap();
    error
}

#[tokio::test]
async fn a_header_has_a_bound() {
    let status = "HTTP/1.1 200 OK\r\n";
    let one_line = ask("HTTP/1.1 200 OK\r\nx-big: ", "aaaaaaaaaaaaaaaa").await;
    assert_eq!(one_line, NetError::HeaderTooLarge);
    assert!(!one_line.provably_unsent());
    let many_lines = ask(status, "a: b\r\n").await;
    assert!(!many_lines.provably_unsent());
    assert_eq!(many_lines, NetError::HeaderTooLarge);
    let reason = ask("HTTP/1.1 200 ", "aaaaaaaaaaaaaaaa").await;
    assert_eq!(reason, NetError::HeaderTooLarge);
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    for start in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "\0\0\0\0\0\0\0\0"] {
        let error = ask(start, "\r\n").await;
        assert!(matches!(error, NetError::Exchange(_)), "{start}: {error}");
        assert!(!error.provably_unsent());
    }
}

#[tokio::test]
async fn a_compressed_body_is_an_error_and_nobody_asks_for_one() {
    let table = [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("identity, GZIP", Some("identity, GZIP")),
        ("identity", None),
        ("Identity", None),
        ("", None),
    ];
    for (coding, refused) in table {
        let server = Server::start(move |_| {
            let body = Full::from("\x1f\x08 whatever");
            Response::builder().header("content-encoding", coding).body(body).unwrap()
        })
        .await;
        let outcome = pool().send(post(&server.url("/"))).await.map(drop);
        let expected = refused.map_or(Ok(()), |text| Err(NetError::Encoded(text.to_owned())));
        assert_eq!(outcome, expected, "{coding}");
        assert_eq!(server.seen()[0].accept_encoding.as_deref(), Some("identity"));
    }
}

#[tokio::test]
async fn announced_responses_that_never_come_end_with_the_caller() {
    // Interim responses (RFC 9110, §15.2) are skipped; the caller's deadline is the bound.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let pool = pool();
    let asking = pool.send(post(&url));
    assert!(tokio::time::timeout(Duration::from_millis(100), asking).await.is_err());
    serving.await.unwrap();
}
