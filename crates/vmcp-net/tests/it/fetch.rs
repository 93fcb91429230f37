//! Whole responses, bounded.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vmcp_net::{Fetch, NetError};

use crate::exchange::pool;
use crate::server::Server;

const BOUNDS: Fetch = Fetch { max_bytes: 16, deadline: Duration::from_secs(5), redirects: false };

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn gives_the_whole_response_whatever_its_status() {
    for status in [200, 400, 401, 503] {
        let server = Server::start(move |_| {
            let body = Full::from("sixteen bytes!!!");
            Response::builder().status(status).header("x-a", "b").body(body).unwrap()
        })
        .await;
        let response = pool().fetch(get(&server.url("/token")), BOUNDS).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(response.into_body(), "sixteen bytes!!!");
    }
}

#[tokio::test]
async fn follows_redirects_only_when_told_to() {
    let answer = |path: &str| match path {
        "/a" => Response::builder().status(302).header("location", "/b"),
        _ => Response::builder(),
    };
    let server = Server::start(move |path| answer(path).body(Full::from("there")).unwrap()).await;
    let error = pool().fetch(get(&server.url("/a")), BOUNDS).await.unwrap_err();
    assert_eq!(error.to_string(), "refusing redirect 302: none is followed here");
    assert_eq!(server.seen().len(), 1);
    let bounds = Fetch { redirects: true, ..BOUNDS };
    let response = pool().fetch(get(&server.url("/a")), bounds).await.unwrap();
    assert_eq!(response.into_body(), "there");
}

/// Answers with this, then with `more` again and again until the client leaves.
async fn endless(head: &'static str, more: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(head.as_bytes()).await;
        while !more.is_empty() && stream.write_all(more).await.is_ok() {}
        let _ = stream.read(&mut [0; 1024]).await;
    });
    url
}

#[tokio::test]
async fn stops_at_the_bound_of_the_body() {
    let declared = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\n";
    for (head, more) in
        [(declared, &b""[..]), (chunked, b"8\r\nabcdefgh\r\n"), (until_close, b"abcdefgh")]
    {
        let url = endless(head, more).await;
        let error = pool().fetch(get(&url), BOUNDS).await.unwrap_err();
        assert_eq!(error, NetError::BodyTooLarge(16), "{head}");
        assert!(!error.provably_unsent());
    }
}

#[tokio::test]
async fn stops_at_the_deadline_wherever_the_server_stands() {
    let bounds = Fetch { deadline: Duration::from_millis(50), ..BOUNDS };
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    for head in ["", "HTTP/1.1 200 OK\r\n", half] {
        let url = endless(head, b"").await;
        let error = pool().fetch(get(&url), bounds).await.unwrap_err();
        assert_eq!(error, NetError::Late(bounds.deadline), "{head}");
        assert!(!error.provably_unsent());
    }
}

#[tokio::test]
async fn half_a_body_is_no_response() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    });
    let error = pool().fetch(get(&url), BOUNDS).await.unwrap_err();
    assert!(matches!(error, NetError::Body(_)), "{error}");
}
